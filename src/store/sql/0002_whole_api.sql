-- Trainings, users' own models, idempotency keys, webhooks that are owed, and the books.

-- is_training stands in the row's header as 0 or 1: asking for it never reads the texts before it.
ALTER TABLE predictions ADD COLUMN token TEXT;
ALTER TABLE predictions ADD COLUMN base_url TEXT;
ALTER TABLE predictions ADD COLUMN is_training INTEGER NOT NULL DEFAULT 0;
ALTER TABLE predictions ADD COLUMN destination TEXT;

-- Trainings are few: one index serves an account's page and everybody's.
CREATE INDEX predictions_trainings ON predictions (created_us, id, account) WHERE is_training = 1;

CREATE TABLE idempotency (
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    prediction TEXT NOT NULL,
    expires_us INTEGER NOT NULL,
    PRIMARY KEY (account, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_expiry ON idempotency (expires_us);

-- Statuses are the numbers of enum store_delivery_state.
CREATE TABLE deliveries (
    row INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    prediction TEXT NOT NULL,
    account TEXT NOT NULL,
    url TEXT NOT NULL,
    base_url TEXT,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    last_status INTEGER NOT NULL,
    last_error TEXT,
    created_us INTEGER NOT NULL,
    next_us INTEGER NOT NULL,
    completed_us INTEGER NOT NULL
);
CREATE INDEX deliveries_due ON deliveries (next_us) WHERE state = 0;
CREATE INDEX deliveries_completed ON deliveries (completed_us) WHERE state <> 0;
CREATE INDEX deliveries_page ON deliveries (account, created_us, id);
-- By the id with its halves swapped, as predictions_id.
CREATE INDEX deliveries_prediction
    ON deliveries (substr(prediction, 14) || substr(prediction, 1, 13), created_us, id);

-- The books. Days since 1970-01-01, UTC, the newest first.
CREATE TABLE usage (
    day INTEGER NOT NULL,
    account TEXT NOT NULL,
    token TEXT NOT NULL,
    model TEXT NOT NULL,
    runs INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    predict_us INTEGER NOT NULL,
    images INTEGER NOT NULL,
    cost_microusd INTEGER NOT NULL,
    PRIMARY KEY (day DESC, account, token, model)
) WITHOUT ROWID;

-- A document may be large: the row is found through its index and lies beside it.
CREATE TABLE documents (
    row INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    account TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    json TEXT NOT NULL,
    UNIQUE (kind, id)
);
CREATE INDEX documents_page ON documents (kind, created_us, id, account);

CREATE TABLE accounts (
    account TEXT PRIMARY KEY,
    plan TEXT,
    metered INTEGER NOT NULL,
    credit_microusd INTEGER NOT NULL
) WITHOUT ROWID;
