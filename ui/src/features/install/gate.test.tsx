// What stands before a model whose weights are not here: each state, the licence first, and what is asked of the server.
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { startSession } from "@/api/session";
import type { Scope, Token, Weights } from "@/api/types";
import { LanguageProvider } from "@/i18n";
import { WeightsGate } from "@/features/install/gate";

const MODEL: Weights = {
    model: "acme/cat",
    state: "needs_weights",
    fits: true,
    memory_bytes: 970_000_000,
    download_bytes: 330_000_000,
    installed_bytes: 0,
    license: { name: "Cat licence", url: "https://example.com/licence", must_accept: true, text: "Be kind." },
    parts: [
        { name: "main", optional: false, installed: false, bytes: 330_000_000 },
        { name: "whiskers", optional: true, installed: false, bytes: 20_000_000 },
    ],
    install: null,
    speed: null,
    runners: 0,
};

let weights: Weights | number;
const calls: { method: string; path: string; body: unknown }[] = [];

function answer(status: number, body: unknown): Response {
    return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });
}

function signIn(scopes: Scope[]): void {
    startSession("r8_test", { id: "0", scopes, account: "local" } as Token);
}

beforeEach(() => {
    calls.length = 0;
    signIn(["read", "run", "manage", "operate"]);
    vi.stubGlobal("fetch", (path: string, options: RequestInit) => {
        calls.push({ method: options.method ?? "GET", path, body: options.body ? JSON.parse(options.body as string) : undefined });
        if (path === "/v1/weights") return Promise.resolve(answer(200, { memory_bytes: 500_000_000, results: [] }));
        return Promise.resolve(typeof weights === "number" ? answer(weights, { detail: "Nothing here.", status: weights }) : answer(200, weights));
    });
});
afterEach(() => {
    cleanup();
    vi.unstubAllGlobals();
});

function show(state: Weights | number): void {
    weights = state;
    render(
        <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
            <LanguageProvider initial="en">
                <WeightsGate model="acme/cat">
                    <p>the form</p>
                </WeightsGate>
            </LanguageProvider>
        </QueryClientProvider>,
    );
}

it("lets through what is ready, and models whose weights the server knows nothing of", async () => {
    show({ ...MODEL, state: "ready" });
    expect(await screen.findByText("the form")).toBeTruthy();
    cleanup();
    show(404);
    expect(await screen.findByText("the form")).toBeTruthy();
});

it("shows size and licence, and fetches only once the licence is accepted", async () => {
    show(MODEL);
    const button = await screen.findByRole<HTMLButtonElement>("button", { name: "Fetch 330 MB" });
    expect(screen.queryByText("the form")).toBeNull();
    expect(screen.getByText("Be kind.")).toBeTruthy();
    expect(screen.getByRole("link", { name: /Read the licence/ }).getAttribute("rel")).toBe("noreferrer noopener");
    expect(button.disabled).toBe(true);
    fireEvent.click(screen.getByRole("checkbox", { name: "I accept Cat licence" }));
    fireEvent.click(button);
    await waitFor(() => expect(calls).toContainEqual({ method: "POST", path: "/v1/weights/acme/cat", body: { accept_license: true } }));
});

it("names all parts when an optional one is wanted", async () => {
    show({ ...MODEL, license: null });
    fireEvent.click(await screen.findByRole("checkbox", { name: /whiskers/ }));
    fireEvent.click(screen.getByRole("button", { name: "Fetch 350 MB" }));
    await waitFor(() => expect(calls).toContainEqual({ method: "POST", path: "/v1/weights/acme/cat", body: { accept_license: true, parts: ["main", "whiskers"] } }));
});

it("shows how far it is, with the rate, and stops", async () => {
    show({ ...MODEL, state: "installing", install: { state: "running", step: "downloading cat.onnx", done_bytes: 110_000_000, total_bytes: 330_000_000, bytes_per_second: 22_000_000, error: null, started_at: "2026-01-01T00:00:00Z", completed_at: null } });
    expect(await screen.findByText("110 MB of 330 MB")).toBeTruthy();
    expect(screen.getByText("22 MB/s")).toBeTruthy();
    expect(screen.getByText("about 10 s left")).toBeTruthy();
    expect(screen.getByRole("progressbar").getAttribute("aria-valuenow")).toBe(String((100 * 110) / 330));
    fireEvent.click(screen.getByRole("button", { name: "Stop" }));
    await waitFor(() => expect(calls.some((call) => call.method === "POST" && call.path === "/v1/weights/acme/cat/cancel")).toBe(true));
});

it("resumes after a failure, and says what it was", async () => {
    show({ ...MODEL, license: null, install: { state: "failed", step: "", done_bytes: 1, total_bytes: 2, bytes_per_second: null, error: "The disk is full.", started_at: "2026-01-01T00:00:00Z", completed_at: null } });
    expect((await screen.findByRole("alert")).textContent).toBe("Fetching has failed: The disk is full.");
    expect(screen.getByRole("button", { name: "Resume" })).toBeTruthy();
});

it("does not offer fetching to a token that may not", async () => {
    signIn(["read", "run"]);
    show(MODEL);
    expect(await screen.findByText(/may operate this server/)).toBeTruthy();
    expect(screen.queryByRole("button")).toBeNull();
});

it("says when it does not fit, or cannot run at all", async () => {
    show({ ...MODEL, fits: false });
    expect(await screen.findByText("This model needs 970 MB of memory; the models here may use 500 MB together.")).toBeTruthy();
    cleanup();
    show({ ...MODEL, state: "unsupported" });
    expect(await screen.findByText(/no network for this model yet/)).toBeTruthy();
    expect(screen.queryByText("the form")).toBeNull();
});
