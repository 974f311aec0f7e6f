/* Which models there are now, sorted for finding: three arrays with binary search. A change moves
 * the rows behind it, which for thousands of models is some kilobytes. */
#include "registry/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "registry/models.h"

#define INDEX_ID_SIZE 68 /* "dp-" and 64 digits, and a 0 */

static bool no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "not enough memory for the list of models");
}

void index_done(struct index *index)
{
    free(index->by_name);
    free(index->by_day);
    free(index->ids);
    *index = (struct index){ 0 };
}

/* ---- Order ------------------------------------------------------------------------------------
 */

static int compare_str(struct str a, struct str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.ptr, b.ptr, len) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_name(const struct registry_model *model, struct str owner, struct str name)
{
    int order = compare_str(str_from(model->owner), owner);

    return order ? order : compare_str(str_from(model->name), name);
}

/* The first place where `model` is not before the given name. */
static int place_by_name(const struct index *index, struct str owner, struct str name)
{
    int low = 0, high = index->model_count;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (compare_name(index->by_name[middle], owner, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int compare_day(const struct registry_model *a, const struct registry_model *b)
{
    int64_t at = models_latest_us(a), bt = models_latest_us(b);

    if (at != bt)
        return at < bt ? 1 : -1;
    return strcmp(a->full_name, b->full_name);
}

static int place_by_day(const struct index *index, const struct registry_model *model)
{
    int low = 0, high = index->model_count;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (compare_day(index->by_day[middle], model) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t place_of_id(const struct index *index, const char *id)
{
    size_t low = 0, high = index->id_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(index->ids[middle].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- A model's ids ----------------------------------------------------------------------------
 */

static size_t add_aliases(struct index_id *rows, const json_t *aliases,
                          const struct registry_version *version)
{
    size_t count = json_array_size(aliases);

    for (size_t i = 0; rows && i < count; i++)
        rows[i] = (struct index_id){ json_string_value(json_array_get(aliases, i)), version };
    return count;
}

static size_t add_version(struct index_id *rows, const struct registry_version *version)
{
    const json_t *row = models_version_row(version);

    if (rows)
        rows[0] = (struct index_id){ version->id, version };
    return 1 + add_aliases(rows ? rows + 1 : NULL, json_object_get(row, "aliases"), version);
}

/* Every id of the model. rows NULL: only count. */
static size_t ids_of(const struct registry_model *model, struct index_id *rows)
{
    const struct registry_version *newest = model->version_count > 0 ? model->versions : NULL;
    size_t count = 0;

    for (int i = 0; i < model->version_count; i++)
        count += add_version(rows ? rows + count : NULL, &model->versions[i]);
    if (model->by_name && model->by_name != newest)
        count += add_version(rows ? rows + count : NULL, model->by_name);
    if (newest)
        count += add_aliases(rows ? rows + count : NULL,
                             json_object_get(model->manifest, "aliases"), newest);
    return count;
}

static int compare_ids(const void *left, const void *right)
{
    return strcmp(((const struct index_id *)left)->id, ((const struct index_id *)right)->id);
}

static bool check_ids(const struct index *index, const struct registry_model *old,
                      const struct index_id *rows, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = place_of_id(index, rows[i].id);
        const struct registry_model *other = NULL;

        if (at < index->id_count && strcmp(index->ids[at].id, rows[i].id) == 0)
            other = index->ids[at].version->model;
        if (i > 0 && strcmp(rows[i - 1].id, rows[i].id) == 0)
            other = rows[i].version->model;
        else if (other == old)
            other = NULL;
        if (!other)
            continue;
        /* Of another account's model not even the name is told. */
        return other == rows[i].version->model || !rows[i].version->model->account
                   ? err_set(err, ERR_CONFLICT, "%.60s and %.60s share the version id %.70s",
                             other->full_name, rows[i].version->model->full_name, rows[i].id)
                   : err_set(err, ERR_CONFLICT, "The version id %.70s is in use already",
                             rows[i].id);
    }
    return true;
}

/* ---- Changing ---------------------------------------------------------------------------------
 */

static bool grow_models(struct index *index)
{
    int capacity = index->model_capacity ? 2 * index->model_capacity : 64;
    size_t bytes = (size_t)capacity * sizeof(*index->by_name);
    void *by_name, *by_day;

    if (index->model_count < index->model_capacity)
        return true;
    by_name = realloc(index->by_name, bytes);
    if (!by_name)
        return false;
    index->by_name = by_name;
    by_day = realloc(index->by_day, bytes);
    if (!by_day)
        return false;
    index->by_day = by_day;
    index->model_capacity = capacity;
    return true;
}

static bool grow_ids(struct index *index, size_t more)
{
    size_t needed = index->id_count + more;
    struct index_id *ids;

    if (needed <= index->id_capacity)
        return true;
    ids = realloc(index->ids, 2 * needed * sizeof(*ids));
    if (!ids)
        return false;
    index->ids = ids;
    index->id_capacity = 2 * needed;
    return true;
}

static void insert_model(const struct registry_model **models, int count, int at,
                         const struct registry_model *model)
{
    memmove(&models[at + 1], &models[at], (size_t)(count - at) * sizeof(*models));
    models[at] = model;
}

static void delete_model(const struct registry_model **models, int count,
                         const struct registry_model *model)
{
    int at = 0;

    while (at < count && models[at] != model)
        at++;
    if (at < count)
        memmove(&models[at], &models[at + 1], (size_t)(count - at - 1) * sizeof(*models));
}

void index_remove(struct index *index, const struct registry_model *model)
{
    size_t kept = 0;

    delete_model(index->by_name, index->model_count, model);
    delete_model(index->by_day, index->model_count, model);
    index->model_count--;
    for (size_t i = 0; i < index->id_count; i++)
        if (index->ids[i].version->model != model)
            index->ids[kept++] = index->ids[i];
    index->id_count = kept;
}

static void insert_ids(struct index *index, const struct index_id *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = place_of_id(index, rows[i].id);

        memmove(&index->ids[at + 1], &index->ids[at], (index->id_count - at) * sizeof(*index->ids));
        index->ids[at] = rows[i];
        index->id_count++;
    }
}

bool index_replace(struct index *index, const struct registry_model *old,
                   const struct registry_model *model, struct err *err)
{
    size_t count = ids_of(model, NULL);
    struct index_id *rows = calloc(count + 1, sizeof(*rows));

    if (!rows || !grow_models(index) || !grow_ids(index, count)) {
        free(rows);
        return no_memory(err);
    }
    ids_of(model, rows);
    qsort(rows, count, sizeof(*rows), compare_ids);
    if (!check_ids(index, old, rows, count, err)) {
        free(rows);
        return false;
    }
    if (old)
        index_remove(index, old);
    insert_model(index->by_name, index->model_count,
                 place_by_name(index, str_from(model->owner), str_from(model->name)), model);
    insert_model(index->by_day, index->model_count, place_by_day(index, model), model);
    index->model_count++;
    insert_ids(index, rows, count);
    free(rows);
    return true;
}

/* ---- Finding ----------------------------------------------------------------------------------
 */

const struct registry_model *index_find_model(const struct index *index, struct str owner,
                                              struct str name)
{
    int at = place_by_name(index, owner, name);

    return at < index->model_count && compare_name(index->by_name[at], owner, name) == 0
               ? index->by_name[at]
               : NULL;
}

const struct registry_version *index_find_id(const struct index *index, struct str id)
{
    char text[INDEX_ID_SIZE];
    size_t at;

    if (!str_copy(id, text, sizeof(text)))
        return NULL;
    at = place_of_id(index, text);
    return at < index->id_count && strcmp(index->ids[at].id, text) == 0 ? index->ids[at].version
                                                                        : NULL;
}
