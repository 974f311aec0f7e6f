-- What the page needs: tokens that may do less, that end and that were used; how a prediction spent its time.

-- Scopes are bits (store/record.h); kinds the numbers of enum store_token_kind. 0: no limit, never.
ALTER TABLE tokens ADD COLUMN scopes INTEGER NOT NULL DEFAULT 15;
ALTER TABLE tokens ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN creates_per_minute INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN predictions_per_day INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN expires_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN last_used_us INTEGER NOT NULL DEFAULT 0;

-- Sessions and codes are many and short-lived.
CREATE INDEX tokens_expiry ON tokens (expires_us) WHERE kind <> 0;

-- JSON: when each phase of it began.
ALTER TABLE predictions ADD COLUMN timeline TEXT;

-- Those that failed or were stopped are few among many: a page of them is found without reading the others. A create does not touch
-- this index, nor does a success.
CREATE INDEX predictions_unsuccessful ON predictions (account, created_us, id) WHERE status >= 3;
