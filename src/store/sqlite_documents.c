/* SQLite: documents, written and read. Not here: what is in them. */
#include "store/sqlite_private.h"

bool sqlite_write_document_put(struct sqlite_batch *batch, struct store_write *write)
{
    static const enum sqlite_statement which[] = {
        [STORE_ANY] = STATEMENT_DOCUMENT_PUT,
        [STORE_IF_ABSENT] = STATEMENT_DOCUMENT_ADD,
        [STORE_IF_PRESENT] = STATEMENT_DOCUMENT_REPLACE,
    };
    const struct store_document *document = write->document;
    if (document->json.len > STORE_DOCUMENT_BYTES_MAX)
        return err_set(&write->err, ERR_TOO_LARGE, "a %s may have at most %u bytes", document->kind,
                       STORE_DOCUMENT_BYTES_MAX);
    sqlite3_stmt *s = sqlite_prepare(batch->connection, which[write->condition], &write->err);
    if (!s)
        return false;
    sqlite_bind_text(s, 1, document->kind);
    sqlite_bind_text(s, 2, document->id);
    sqlite_bind_text(s, 3, document->account ? document->account : "");
    if (write->condition != STORE_IF_PRESENT)
        sqlite3_bind_int64(s, 4, document->created_us);
    sqlite3_bind_int64(s, 5, document->updated_us);
    sqlite_bind_str(s, 6, document->json.len ? document->json : S("{}"));
    int changed = 0;
    bool ok = sqlite_batch_step(batch, s, &changed, &write->err);
    write->applied = ok && changed > 0;
    return ok;
}

bool sqlite_write_document_delete(struct sqlite_batch *batch, struct store_write *write)
{
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_DOCUMENT_DELETE, &write->err);
    if (!s)
        return false;
    sqlite_bind_text(s, 1, write->document->kind);
    sqlite_bind_text(s, 2, write->document->id);
    int changed = 0;
    bool ok = sqlite_batch_step(batch, s, &changed, &write->err);
    write->applied = ok && changed > 0;
    return ok;
}

static void read_document(struct sqlite_read *read, void *row)
{
    struct store_document *document = row;
    document->kind = sqlite_read_text(read, 0);
    document->id = sqlite_read_text(read, 1);
    document->account = sqlite_read_text(read, 2);
    document->created_us = sqlite3_column_int64(read->s, 3);
    document->updated_us = sqlite3_column_int64(read->s, 4);
    document->json = sqlite_read_str(read, 5);
}

bool sqlite_document_get(void *state, const char *kind, const char *id, struct arena *arena,
                         struct store_document *ret_document, struct err *err)
{
    struct sqlite_read read;
    if (!sqlite_read_begin(&read, state, STATEMENT_DOCUMENT_GET, arena, err))
        return false;
    sqlite_bind_text(read.s, 1, kind);
    sqlite_bind_text(read.s, 2, id);
    return sqlite_read_one(&read, sizeof *ret_document, read_document, kind, ret_document, err);
}

bool sqlite_document_list(void *state, const char *kind, const char *account, int limit,
                          struct arena *arena, struct store_document **ret_documents,
                          int *ret_count, struct err *err)
{
    struct sqlite_read read;
    struct store_document *documents = NULL;
    int count = 0;
    if (!sqlite_read_begin(&read, state, STATEMENT_DOCUMENT_LIST, arena, err))
        return false;
    sqlite_bind_text(read.s, 1, kind);
    sqlite_bind_text(read.s, 2, account);
    sqlite3_bind_int(read.s, 3, limit + 1);
    if (!sqlite_read_rows(&read, limit + 1, sizeof *documents, read_document, &documents, &count,
                          err))
        return false;
    if (count > limit)
        return err_set(err, ERR_TOO_LARGE, "there are more than %d of kind %s", limit, kind);
    *ret_documents = documents;
    *ret_count = count;
    return true;
}
