/* What a back end of the store provides. store.c holds the queue of writes and the writer thread;
 * a back end only knows how to put one batch of writes on disk and how to read.
 * Only for files of this folder. */
#ifndef MIMEO_STORE_STORE_BACKEND_H
#define MIMEO_STORE_STORE_BACKEND_H

#include "store/store.h"

#define STORE_BATCH_MAX 256 /* writes in one transaction */

enum store_batch_result {
    STORE_BATCH_COMMITTED, /* on disk; each write holds its own result */
    STORE_BATCH_SPLIT,     /* nothing stored; writes may pass one at a time (one was too much) */
    STORE_BATCH_FAILED     /* nothing stored; *err says why */
};

struct store_backend {
    const char *scheme; /* of a location: "sqlite" */

    bool (*open)(const char *location, void **ret_state, struct err *err); /* without "scheme:" */
    void (*close)(void *state);

    /* Put up to STORE_BATCH_MAX writes into one transaction and commit it durably. A write that
     * fails for a reason of its own (a conflict) gets its err, and the others go on. Sets ok,
     * applied, status, found_* and err of each write. Writer thread only. */
    enum store_batch_result (*apply)(void *state, struct store_write *const *writes, int count,
                                     struct err *err);

    /* Reads, any thread: as the functions of the same names in store.h. */
    bool (*prediction_get)(void *state, const char *account, const char *id, struct arena *arena,
                           struct prediction *ret_prediction, struct err *err);
    bool (*prediction_outline)(void *state, const char *account, const char *id,
                               struct arena *arena, struct prediction *ret_outline,
                               struct err *err);
    bool (*prediction_list)(void *state, const struct store_prediction_query *query,
                            struct arena *arena, struct prediction **ret_predictions,
                            int *ret_count, struct err *err);
    bool (*prediction_unfinished)(void *state,
                                  bool (*each)(void *context, const struct prediction *prediction),
                                  void *context, struct err *err);
    bool (*prediction_removable)(void *state, int64_t completed_by_us, int limit,
                                 struct arena *arena, struct prediction **ret_predictions,
                                 int *ret_count, struct err *err);
    bool (*file_get)(void *state, const char *account, const char *id, struct arena *arena,
                     struct store_file *ret_file, struct err *err);
    bool (*file_list)(void *state, const char *account, struct store_position before, int limit,
                      int64_t now_us, struct arena *arena, struct store_file **ret_files,
                      int *ret_count, struct err *err);
    bool (*file_expired)(void *state, int64_t now_us, int limit, struct arena *arena,
                         struct store_file **ret_files, int *ret_count, struct err *err);
    bool (*token_find)(void *state, const unsigned char hash[32], struct arena *arena,
                       struct store_token *ret_token, struct err *err);
    bool (*token_list)(void *state, const char *account, int64_t valid_at_us, struct arena *arena,
                       struct store_token **ret_tokens, int *ret_count, struct err *err);
    bool (*token_generation)(void *state, int64_t *ret_generation, struct err *err);
    bool (*setting_get)(void *state, const char *name, struct arena *arena, struct str *ret_value,
                        struct err *err);
    bool (*document_get)(void *state, const char *kind, const char *id, struct arena *arena,
                         struct store_document *ret_document, struct err *err);
    bool (*document_list)(void *state, const char *kind, const char *account, int limit,
                          struct arena *arena, struct store_document **ret_documents,
                          int *ret_count, struct err *err);
    bool (*delivery_get)(void *state, const char *account, const char *id, struct arena *arena,
                         struct store_delivery *ret_delivery, struct err *err);
    bool (*delivery_due)(void *state, int64_t now_us, int limit, struct arena *arena,
                         struct store_delivery **ret_deliveries, int *ret_count,
                         int64_t *ret_next_us, struct err *err);
    bool (*delivery_list)(void *state, const char *account, const char *prediction, int limit,
                          struct arena *arena, struct store_delivery **ret_deliveries,
                          int *ret_count, struct err *err);
    bool (*usage_list)(void *state, const char *account, int64_t first_day, int64_t last_day,
                       struct arena *arena, struct store_usage **ret_rows, int *ret_count,
                       struct err *err);
    bool (*account_get)(void *state, const char *account, struct arena *arena,
                        struct store_account *ret_account, struct err *err);
    bool (*account_list)(void *state, struct arena *arena, struct store_account **ret_accounts,
                         int *ret_count, struct err *err);
    bool (*prediction_count)(void *state, const char *account, const char *token, int64_t since_us,
                             int64_t *ret_count, struct err *err);
    bool (*idempotency_find)(void *state, const char *account,
                             const struct store_idempotency *idempotency, int64_t now_us,
                             char ret_id[ID_PREDICTION_LEN + 1], struct err *err);
    bool (*run_count)(void *state, const char *model, int64_t *ret_count, struct err *err);
};

extern const struct store_backend store_backend_sqlite;

/* The registered back ends, by index; NULL after the last. For the conformance tests. */
const struct store_backend *store_backend_at(size_t index);

#endif
