// What the server's answers look like. Replicate's own shapes first, then Mimeo's additions (openapi.json describes all of them).

export type PredictionStatus = "starting" | "processing" | "succeeded" | "failed" | "canceled" | "aborted";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface Prediction {
    id: string;
    model: string;
    version: string;
    input: Record<string, Json>;
    output: Json;
    logs: string;
    error: string | null;
    status: PredictionStatus;
    source: string;
    data_removed: boolean;
    created_at: string;
    started_at?: string;
    completed_at?: string;
    metrics?: { predict_time?: number; total_time?: number; [key: string]: Json | undefined };
    deployment?: string;
    deadline?: string;
    webhook?: string;
    webhook_events_filter?: string[];
    urls: { get: string; cancel: string; stream?: string; web?: string };
}

export interface Page<T> {
    next: string | null;
    previous: string | null;
    results: T[];
}

/** A JSON schema as Cog writes them: only what the page reads is named. */
export interface JsonSchema {
    type?: string;
    title?: string;
    description?: string;
    default?: Json;
    enum?: Json[];
    format?: string;
    minimum?: number;
    maximum?: number;
    minLength?: number;
    maxLength?: number;
    pattern?: string;
    nullable?: boolean;
    deprecated?: boolean;
    items?: JsonSchema;
    properties?: Record<string, JsonSchema>;
    required?: string[];
    allOf?: JsonSchema[];
    anyOf?: JsonSchema[];
    oneOf?: JsonSchema[];
    $ref?: string;
    writeOnly?: boolean;
    "x-order"?: number;
    "x-cog-secret"?: boolean;
    "x-cog-accept"?: string;
    "x-cog-array-type"?: string;
    "x-cog-array-display"?: string;
    [key: string]: unknown;
}

export interface OpenApi {
    components?: { schemas?: Record<string, JsonSchema> };
    [key: string]: unknown;
}

export interface Version {
    id: string;
    created_at: string;
    cog_version: string;
    openapi_schema: OpenApi;
}

export interface Model {
    owner: string;
    name: string;
    url: string;
    description: string;
    visibility: "public" | "private";
    is_official: boolean;
    cover_image_url: string | null;
    github_url: string | null;
    paper_url: string | null;
    license_url: string | null;
    weights_url: string | null;
    run_count: number;
    created_at: string;
    default_example: Prediction | null;
    latest_version: Version | null;
}

export interface StoredFile {
    id: string;
    name: string;
    content_type: string;
    size: number;
    etag: string;
    checksums: { sha256: string; md5: string };
    metadata: Record<string, Json>;
    created_at: string;
    expires_at: string;
    urls: { get: string };
}

export interface Deployment {
    owner: string;
    name: string;
    current_release: {
        number: number;
        model: string;
        version: string;
        created_at: string;
        created_by: { type: string; username: string; name?: string };
        configuration: { hardware: string; min_instances: number; max_instances: number };
    };
}

export interface Collection {
    name: string;
    slug: string;
    description: string;
    models?: Model[];
}

export interface Hardware {
    sku: string;
    name: string;
}

/** POST /api/<name>: a model by a short name. */
export interface ApiFunction {
    name: string;
    model: string;
    version: string;
    image_input: string | null;
    ready: boolean;
    url: string;
}

// ---- Mimeo's own ----------------------------------------------------------------------------

export type Scope = "read" | "run" | "manage" | "operate";

export interface Token {
    id: string;
    name: string;
    starts: string;
    scopes: Scope[];
    creates_per_minute: number | null;
    predictions_per_day: number | null;
    created_at: string;
    expires_at: string | null;
    last_used_at: string | null;
    current: boolean;
    session: boolean;
    account?: string;
    token?: string;
}

export interface Progress {
    status: PredictionStatus;
    phase: "queued" | "preparing" | "loading" | "running" | "ended";
    place: number | null;
    waiting: number | null;
    blocked: string | null;
    step: number | null;
    steps: number | null;
    timeline: { name: "created" | "prepared" | "loading" | "loaded" | "started" | "completed"; at: string }[];
}

export interface Install {
    state: "running" | "failed" | "canceled" | "succeeded";
    step: string;
    done_bytes: number;
    total_bytes: number | null;
    bytes_per_second: number | null;
    error: string | null;
    started_at: string;
    completed_at: string | null;
}

export interface Weights {
    model: string;
    state: "ready" | "needs_weights" | "installing" | "unsupported";
    fits: boolean;
    memory_bytes: number | null;
    download_bytes: number;
    installed_bytes: number;
    /** `all` has each licence by itself; name and text are theirs put together. */
    license: { name: string; url: string | null; must_accept: boolean; text: string | null; all?: { name: string | null; url: string | null; text: string | null }[] } | null;
    parts: { name: string; description?: string | null; optional: boolean; installed: boolean; bytes: number }[];
    install: Install | null;
    speed: { runs: number; p50_s: number; p95_s: number } | null;
    /** Dollars; what is 0 or null costs nothing. */
    price?: { per_second: number | null; per_image: number | null; per_run: number | null } | null;
    runners: number;
}

export interface Delivery {
    id: string;
    prediction: string;
    url: string;
    state: "pending" | "delivered" | "failed";
    attempts: number;
    last_status: number | null;
    last_error: string | null;
    created_at: string;
    next_at: string | null;
    completed_at: string | null;
}

export interface UsageNumbers {
    runs: number;
    succeeded: number;
    failed: number;
    predict_time: number;
    images: number;
    cost: number;
}

export interface Usage {
    account: string;
    plan: string;
    predictions_today: number;
    predictions_per_day: number | null;
    credit: number | null;
    total: UsageNumbers;
    rows: (UsageNumbers & { day?: string; token?: string; model?: string })[];
}

export interface Runner {
    pid: number;
    model: string;
    version: string;
    deployment: string | null;
    state: "loading" | "idle" | "running" | "ending";
    memory_bytes: number;
    prediction: string | null;
}

export interface Operations {
    version: string;
    started_at: string;
    draining: boolean;
    memory: { budget_bytes: number; used_bytes: number; server_bytes: number };
    cpu_count: number;
    disk: { free_bytes: number; data_bytes: number | null };
    queue: { model: string; version: string; deployment: string | null; waiting: number; oldest_wait_s: number }[];
    runners: Runner[];
    totals: { model: string; succeeded: number; failed: number; canceled: number; predict_s: number; queue_s: number }[];
    webhooks: { pending: number; delivered: number; failed_attempts: number; given_up: number };
}

export interface HistoryPoint {
    at: string;
    created: number;
    succeeded: number;
    failed: number;
    canceled: number;
    waiting: number;
    run_p50_s: number | null;
    run_p95_s: number | null;
    queue_p50_s: number | null;
    queue_p95_s: number | null;
    requests: number;
    errors: number;
    throttled: number;
    request_p50_ms: number | null;
    request_p99_ms: number | null;
    memory_bytes: number;
}

export interface History {
    step_s: number;
    points: HistoryPoint[];
}
