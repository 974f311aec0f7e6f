-- The first schema. Migrations are applied in order, each once, and never changed afterwards.
-- Times are Unix microseconds, 0 for none. Statuses are the numbers of enum prediction_status.

CREATE TABLE predictions (
    row INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    account TEXT NOT NULL,
    status INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    cancel_requested INTEGER NOT NULL,
    data_removed INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    started_us INTEGER NOT NULL,
    completed_us INTEGER NOT NULL,
    deadline_us INTEGER NOT NULL,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    source TEXT NOT NULL,
    deployment TEXT,
    webhook TEXT,
    webhook_events_filter TEXT,
    metrics TEXT,
    error TEXT,
    input TEXT,
    output TEXT,
    logs TEXT
);

-- An id's second half begins with its time: with the halves swapped, new ids land side by side in
-- the index instead of all over it, which is what makes a commit of many inserts small.
CREATE UNIQUE INDEX predictions_id ON predictions (substr(id, 14) || substr(id, 1, 13));
CREATE INDEX predictions_page ON predictions (account, created_us, id);
CREATE INDEX predictions_unfinished ON predictions (created_us) WHERE status < 2;
CREATE INDEX predictions_removable ON predictions (completed_us)
    WHERE status >= 2 AND data_removed = 0 AND source = 'api';

-- Predictions ever created, per model.
CREATE TABLE model_runs (
    model TEXT PRIMARY KEY,
    runs INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE files (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    content_type TEXT NOT NULL,
    metadata TEXT NOT NULL,
    size INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    md5 TEXT NOT NULL,
    blob TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX files_page ON files (account, created_us, id);
CREATE INDEX files_expiry ON files (expires_us);

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    account TEXT NOT NULL,
    prefix TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    revoked_us INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- One row: grows with every change of a token, by any process.
CREATE TABLE token_generation (
    row INTEGER PRIMARY KEY CHECK (row = 1),
    generation INTEGER NOT NULL
);
INSERT INTO token_generation VALUES (1, 1);
