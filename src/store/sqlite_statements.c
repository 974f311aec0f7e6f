/* SQLite: the text of every statement. Hot ones are judged by tests/unit/store/sqlite_test.c: they
 * must use their index and never sort. Not here: what is bound to them (where they are run). */
#include "store/sqlite_statements.h"

#define PREDICTION_COLUMNS                                                                         \
    "id, account, status, attempts, cancel_requested, data_removed, created_us, started_us, "      \
    "completed_us, deadline_us, model, version, source, deployment, webhook, "                     \
    "webhook_events_filter, metrics, error, input, output, logs, token, base_url, is_training, "   \
    "destination"
#define PREDICTION_KEY "substr(id, 14) || substr(id, 1, 13) = ?1"
/* ?1: account; ?2..?5: an open interval of positions; ?7: limit; ?8: enum store_kind; ?12: bits of
 * statuses, 0 for any. The token stands behind the texts: it is looked at last. */
#define PREDICTION_RANGE                                                                           \
    "(created_us, id) > (?2, ?3) AND (created_us, id) < (?4, ?5) AND "                             \
    "(?6 IS NULL OR source = ?6) AND (?9 IS NULL OR version = ?9) AND "                            \
    "(?10 IS NULL OR deployment = ?10) AND (?11 IS NULL OR model = ?11) AND "                      \
    "(?12 = 0 OR (1 << status) & ?12) AND (?13 IS NULL OR token = ?13)"
#define PREDICTION_PAGE(index, direction)                                                          \
    "SELECT " PREDICTION_COLUMNS " FROM predictions INDEXED BY " index                             \
    " account = ?1 AND " PREDICTION_RANGE                                                          \
    " AND (?8 = 2 OR is_training = 0) ORDER BY created_us " direction ", id " direction            \
    " LIMIT ?7"
#define PAGE_OF_ALL "predictions_page WHERE"
/* Those that ended badly are few: a page of them passes over no others. */
#define PAGE_OF_UNSUCCESSFUL "predictions_unsuccessful WHERE status >= 3 AND"
/* What has not ended is sorted, by its rows' numbers alone; they are then read in that order. */
#define PAGE_OF_UNFINISHED(direction)                                                              \
    "SELECT " PREDICTION_COLUMNS " FROM (SELECT row AS found FROM predictions "                    \
    "INDEXED BY predictions_unfinished WHERE status < 2 AND account = ?1 AND " PREDICTION_RANGE    \
    " AND (?8 = 2 OR is_training = 0) ORDER BY created_us " direction ", id " direction            \
    " LIMIT ?7) CROSS JOIN predictions ON row = found"
/* Any account: find the rows through the index alone, then read only the page's. */
#define PREDICTION_ANY(direction)                                                                  \
    "SELECT " PREDICTION_COLUMNS " FROM predictions WHERE row IN (SELECT row FROM predictions "    \
    "INDEXED BY predictions_page WHERE account >= '' AND " PREDICTION_RANGE                        \
    " AND (?8 = 2 OR row NOT IN (SELECT row FROM predictions WHERE is_training = 1))"              \
    " ORDER BY created_us " direction ", id " direction " LIMIT ?7) "                              \
    "ORDER BY created_us " direction ", id " direction
#define TRAINING_PAGE(direction)                                                                   \
    "SELECT " PREDICTION_COLUMNS " FROM predictions INDEXED BY predictions_trainings "             \
    "WHERE is_training = 1 AND (?1 IS NULL OR account = ?1) AND " PREDICTION_RANGE                 \
    " AND ?8 = 1 ORDER BY created_us " direction ", id " direction " LIMIT ?7"
#define FILE_COLUMNS                                                                               \
    "id, account, name, content_type, metadata, size, created_us, expires_us, sha256, md5, blob"
#define TOKEN_COLUMNS                                                                              \
    "id, name, account, prefix, hash, created_us, revoked_us, scopes, kind, creates_per_minute, "  \
    "predictions_per_day, expires_us, last_used_us"

#define DOCUMENT_KEY "kind = ?1 AND id = ?2"
#define DOCUMENT_COLUMNS "kind, id, account, created_us, updated_us, json"
#define DELIVERY_COLUMNS                                                                           \
    "id, prediction, account, url, base_url, state, attempts, last_status, last_error, "           \
    "created_us, next_us, completed_us"
#define DELIVERY_KEY "substr(prediction, 14) || substr(prediction, 1, 13)"
#define NEWEST_FIRST " ORDER BY created_us DESC, id DESC"

const char *const sqlite_statement_texts[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_PREDICTION_INSERT] =
        "INSERT INTO predictions (" PREDICTION_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
        "?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25) ON "
        "CONFLICT DO NOTHING",
    [STATEMENT_PREDICTION_MOVE] =
        "UPDATE predictions SET status = ?3, attempts = attempts + ?4, "
        "started_us = CASE WHEN ?5 THEN 0 WHEN ?6 <> 0 THEN ?6 ELSE started_us END, "
        "completed_us = CASE WHEN ?7 <> 0 THEN ?7 ELSE completed_us END, "
        "output = coalesce(?8, output), logs = coalesce(?9, logs), "
        "metrics = coalesce(?10, metrics), error = coalesce(?11, error), "
        "timeline = coalesce(?12, timeline) "
        "WHERE " PREDICTION_KEY " AND ((1 << status) & ?2) <> 0",
    [STATEMENT_PREDICTION_CANCEL] =
        "UPDATE predictions SET cancel_requested = 1 WHERE " PREDICTION_KEY " AND status < 2",
    [STATEMENT_PREDICTION_STATUS] = "SELECT status FROM predictions WHERE " PREDICTION_KEY,
    [STATEMENT_PREDICTION_REMOVE_DATA] =
        "UPDATE predictions SET data_removed = 1, input = NULL, output = NULL, logs = NULL "
        "WHERE " PREDICTION_KEY " AND status >= 2 AND data_removed = 0",
    [STATEMENT_PREDICTION_DELETE] =
        "DELETE FROM predictions WHERE " PREDICTION_KEY " AND status >= 2",
    [STATEMENT_PREDICTION_REMOVABLE] =
        "SELECT id, account, output FROM predictions WHERE status >= 2 AND data_removed = 0 "
        "AND source = 'api' AND completed_us <= ?1 ORDER BY completed_us LIMIT ?2",
    [STATEMENT_PREDICTION_GET] =
        "SELECT " PREDICTION_COLUMNS " FROM predictions WHERE " PREDICTION_KEY
        " AND (?2 IS NULL OR account = ?2)",
    [STATEMENT_PREDICTION_OUTLINE] =
        "SELECT id, account, status, created_us, started_us, completed_us, is_training, "
        "CASE WHEN status >= 2 THEN logs END, CASE WHEN status >= 2 THEN timeline END "
        "FROM predictions WHERE " PREDICTION_KEY " AND (?2 IS NULL OR account = ?2)",
    [STATEMENT_PREDICTION_OLDER] = PREDICTION_PAGE(PAGE_OF_ALL, "DESC"),
    [STATEMENT_PREDICTION_NEWER] = PREDICTION_PAGE(PAGE_OF_ALL, "ASC"),
    [STATEMENT_UNFINISHED_OLDER] = PAGE_OF_UNFINISHED("DESC"),
    [STATEMENT_UNFINISHED_NEWER] = PAGE_OF_UNFINISHED("ASC"),
    [STATEMENT_UNSUCCESSFUL_OLDER] = PREDICTION_PAGE(PAGE_OF_UNSUCCESSFUL, "DESC"),
    [STATEMENT_UNSUCCESSFUL_NEWER] = PREDICTION_PAGE(PAGE_OF_UNSUCCESSFUL, "ASC"),
    [STATEMENT_PREDICTION_OLDER_ANY] = PREDICTION_ANY("DESC"),
    [STATEMENT_PREDICTION_NEWER_ANY] = PREDICTION_ANY("ASC"),
    [STATEMENT_TRAINING_OLDER] = TRAINING_PAGE("DESC"),
    [STATEMENT_TRAINING_NEWER] = TRAINING_PAGE("ASC"),
    [STATEMENT_PREDICTION_COUNT] =
        "SELECT count(*) FROM predictions WHERE account = ?1 AND created_us >= ?2",
    [STATEMENT_PREDICTION_COUNT_TOKEN] =
        "SELECT count(*) FROM predictions WHERE account = ?1 AND created_us >= ?2 AND token = ?3",
    [STATEMENT_PREDICTION_UNFINISHED] =
        "SELECT id, version, status, attempts, cancel_requested, created_us, account, deployment, "
        "deadline_us, is_training FROM predictions WHERE status < 2 ORDER BY created_us, row",
    [STATEMENT_IDEMPOTENCY_FIND] = "SELECT prediction, request_hash FROM idempotency "
                                   "WHERE account = ?1 AND key = ?2 AND expires_us > ?3",
    [STATEMENT_IDEMPOTENCY_PUT] = "INSERT OR REPLACE INTO idempotency "
                                  "(account, key, request_hash, prediction, expires_us) "
                                  "VALUES (?1, ?2, ?3, ?4, ?5)",
    [STATEMENT_IDEMPOTENCY_SWEEP] =
        "DELETE FROM idempotency WHERE (account, key) IN (SELECT account, key FROM idempotency "
        "WHERE expires_us <= ?1 ORDER BY expires_us LIMIT ?2)",
    [STATEMENT_RUNS_ADD] = "INSERT INTO model_runs VALUES (?1, ?2) "
                           "ON CONFLICT DO UPDATE SET runs = runs + excluded.runs",
    [STATEMENT_RUNS_GET] = "SELECT runs FROM model_runs WHERE model = ?1",
    [STATEMENT_FILE_INSERT] =
        "INSERT INTO files (" FILE_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, "
        "?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
    [STATEMENT_FILE_DELETE] = "DELETE FROM files WHERE id = ?1 AND (?2 IS NULL OR account = ?2)",
    [STATEMENT_FILE_GET] =
        "SELECT " FILE_COLUMNS " FROM files WHERE id = ?1 AND (?2 IS NULL OR account = ?2)",
    [STATEMENT_FILE_PAGE] =
        "SELECT " FILE_COLUMNS " FROM files WHERE account = ?1 AND (created_us, id) < (?2, ?3) "
        "AND expires_us > ?4 ORDER BY created_us DESC, id DESC LIMIT ?5",
    [STATEMENT_FILE_PAGE_ANY] =
        "SELECT " FILE_COLUMNS " FROM files WHERE ?1 IS NULL AND (created_us, id) < (?2, ?3) "
        "AND expires_us > ?4 ORDER BY created_us DESC, id DESC LIMIT ?5",
    [STATEMENT_FILE_EXPIRED] =
        "SELECT " FILE_COLUMNS " FROM files WHERE expires_us <= ?1 ORDER BY expires_us LIMIT ?2",
    [STATEMENT_TOKEN_INSERT] = "INSERT INTO tokens (" TOKEN_COLUMNS
                               ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
                               "?13) ON CONFLICT DO NOTHING",
    [STATEMENT_TOKEN_REVOKE] = "UPDATE tokens SET revoked_us = ?2 WHERE id = ?1 AND "
                               "revoked_us = 0 AND (?3 IS NULL OR account = ?3)",
    [STATEMENT_TOKEN_USED] =
        "UPDATE tokens SET last_used_us = ?2 WHERE id = ?1 AND last_used_us < ?2",
    [STATEMENT_TOKEN_USE_CODE] = "UPDATE tokens SET revoked_us = ?2 WHERE hash = ?1 AND kind = 2 "
                                 "AND revoked_us = 0 AND expires_us > ?2 AND account = ?3",
    [STATEMENT_TOKEN_SWEEP] =
        "DELETE FROM tokens WHERE id IN (SELECT id FROM tokens WHERE kind <> 0 AND "
        "expires_us > 0 AND expires_us < ?1 ORDER BY expires_us LIMIT ?2)",
    [STATEMENT_TOKEN_FIND] =
        "SELECT " TOKEN_COLUMNS " FROM tokens WHERE hash = ?1 AND revoked_us = 0",
    [STATEMENT_TOKEN_LIST] =
        "SELECT " TOKEN_COLUMNS " FROM tokens WHERE kind <> 2 AND (?1 IS NULL OR account = ?1) AND "
        "(?2 = 0 OR (revoked_us = 0 AND (expires_us = 0 OR expires_us > ?2))) "
        "ORDER BY created_us, id",
    [STATEMENT_GENERATION_ADD] = "UPDATE token_generation SET generation = generation + 1",
    [STATEMENT_GENERATION_GET] = "SELECT generation FROM token_generation",
    [STATEMENT_SETTING_PUT] = "INSERT INTO settings VALUES (?1, ?2) "
                              "ON CONFLICT DO UPDATE SET value = excluded.value",
    [STATEMENT_SETTING_ADD] = "INSERT INTO settings VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    [STATEMENT_SETTING_GET] = "SELECT value FROM settings WHERE name = ?1",
    [STATEMENT_DOCUMENT_PUT] =
        "INSERT INTO documents (" DOCUMENT_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
        "ON CONFLICT (kind, id) DO UPDATE SET account = excluded.account, "
        "updated_us = excluded.updated_us, json = excluded.json",
    [STATEMENT_DOCUMENT_ADD] = "INSERT INTO documents (" DOCUMENT_COLUMNS
                               ") VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
    [STATEMENT_DOCUMENT_REPLACE] =
        "UPDATE documents SET account = ?3, updated_us = ?5, json = ?6 WHERE " DOCUMENT_KEY,
    [STATEMENT_DOCUMENT_DELETE] = "DELETE FROM documents WHERE " DOCUMENT_KEY,
    [STATEMENT_DOCUMENT_GET] = "SELECT " DOCUMENT_COLUMNS " FROM documents WHERE " DOCUMENT_KEY,
    [STATEMENT_DOCUMENT_LIST] =
        "SELECT " DOCUMENT_COLUMNS " FROM documents INDEXED BY documents_page "
        "WHERE kind = ?1 AND (?2 IS NULL OR account = ?2)" NEWEST_FIRST " LIMIT ?3",
    [STATEMENT_DELIVERY_INSERT] =
        "INSERT INTO deliveries (" DELIVERY_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, "
        "?10, ?11, ?12) ON CONFLICT DO NOTHING",
    [STATEMENT_DELIVERY_UPDATE] =
        "UPDATE deliveries SET state = ?2, attempts = ?3, last_status = ?4, last_error = ?5, "
        "next_us = ?6, completed_us = ?7 WHERE id = ?1",
    [STATEMENT_DELIVERY_SWEEP] =
        "DELETE FROM deliveries WHERE row IN (SELECT row FROM deliveries WHERE state <> 0 "
        "AND completed_us < ?1 ORDER BY completed_us LIMIT ?2)",
    [STATEMENT_DELIVERY_GET] = "SELECT " DELIVERY_COLUMNS
                               " FROM deliveries WHERE id = ?1 AND (?2 IS NULL OR account = ?2)",
    [STATEMENT_DELIVERY_DUE] =
        "SELECT " DELIVERY_COLUMNS " FROM deliveries WHERE state = 0 AND next_us <= "
        "coalesce((SELECT min(next_us) FROM deliveries WHERE state = 0 "
        "AND next_us > ?1), ?1) ORDER BY next_us, row LIMIT ?2",
    [STATEMENT_DELIVERY_LIST] =
        "SELECT " DELIVERY_COLUMNS " FROM deliveries WHERE account = ?1" NEWEST_FIRST " LIMIT ?3",
    [STATEMENT_DELIVERY_LIST_ANY] =
        "SELECT " DELIVERY_COLUMNS " FROM deliveries WHERE row IN (SELECT row FROM deliveries "
        "INDEXED BY deliveries_page" NEWEST_FIRST " LIMIT ?3)" NEWEST_FIRST,
    [STATEMENT_DELIVERY_LIST_PREDICTION] =
        "SELECT " DELIVERY_COLUMNS " FROM deliveries WHERE " DELIVERY_KEY
        " = ?2 AND (?1 IS NULL OR account = ?1)" NEWEST_FIRST " LIMIT ?3",
    [STATEMENT_USAGE_ADD] =
        "INSERT INTO usage (day, account, token, model, runs, succeeded, failed, predict_us, "
        "images, cost_microusd) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) "
        "ON CONFLICT DO UPDATE SET runs = runs + excluded.runs, "
        "succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed, "
        "predict_us = predict_us + excluded.predict_us, images = images + excluded.images, "
        "cost_microusd = cost_microusd + excluded.cost_microusd",
    [STATEMENT_USAGE_LIST] =
        "SELECT day, account, token, model, runs, succeeded, failed, predict_us, images, "
        "cost_microusd FROM usage WHERE day >= ?2 AND day <= ?3 AND (?1 IS NULL OR account = ?1) "
        "ORDER BY day DESC, account, token, model",
    [STATEMENT_ACCOUNT_PUT] =
        "INSERT OR REPLACE INTO accounts (account, plan, metered, credit_microusd) "
        "VALUES (?1, ?2, ?3, ?4)",
    [STATEMENT_ACCOUNT_CREDIT] = "UPDATE accounts SET credit_microusd = credit_microusd + ?2 "
                                 "WHERE account = ?1 AND metered = 1",
    [STATEMENT_ACCOUNT_GET] =
        "SELECT account, plan, metered, credit_microusd FROM accounts WHERE account = ?1",
    [STATEMENT_ACCOUNT_LIST] =
        "SELECT account, plan, metered, credit_microusd FROM accounts ORDER BY account",
};
