/* A model's struct, made from its manifest and what the runner says of it.
 * Not here: the form of a manifest (manifest.c), of a schema document (schema.c). */
#include "registry/models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "registry/schema.h"

#define MODELS_EPOCH "1970-01-01T00:00:00Z"
#define MODELS_NODES_MAX 50000 /* values in a model's schemas; real ones have some hundreds */
#define MODELS_NODE_BYTES 256  /* what one takes: most are objects */
#define MODELS_SCALAR_BYTES 48

static bool no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "not enough memory for a model");
}

/* The model takes the reference. */
static json_t *own(struct made_model *made, json_t *value)
{
    return value && json_array_append_new(made->owned, value) == 0 ? value : NULL;
}

/* ---- Versions ---------------------------------------------------------------------------------
 */

/* The document of a version: its own schema, its model's, or what the runner describes. A schema
 * that is not a whole document has `input` and `output`. */
static json_t *make_document(const json_t *manifest, const json_t *row, const json_t *native)
{
    json_t *schema = json_object_get(row, "schema");

    if (!json_is_object(schema))
        schema = json_object_get(manifest, "schema");
    if (!json_is_object(schema))
        return schema_document(json_object_get(native, "input"), json_object_get(native, "output"));
    if (json_object_get(schema, "components"))
        return json_incref(schema);
    return schema_document(json_object_get(schema, "input"), json_object_get(schema, "output"));
}

/* What a training takes: the manifest's word, or the runner's. *ret_schema NULL: not trainable. */
static bool make_training(struct made_model *made, const json_t *native, const json_t **ret_schema,
                          struct err *err)
{
    const json_t *given = json_object_get(json_object_get(made->model.manifest, "train"), "input");
    json_t *document, *flat = NULL;

    if (!given && json_get_boolean(native, "trainable", false))
        given = json_object_get(native, "training_input");
    *ret_schema = NULL;
    if (!given)
        return true;
    document = own(made, schema_document(given, NULL));
    if (!document)
        return no_memory(err);
    if (!schema_flatten(document, &made->nodes_left, &flat, err))
        return err_while(err, "reading what a training of %s takes", made->model.full_name);
    *ret_schema = own(made, flat);
    return *ret_schema || no_memory(err);
}

/* A version's document and what it takes. Versions without a schema of their own share one. */
static bool fill_schema(struct made_model *made, const json_t *row, const json_t *native,
                        const json_t **ret_document, const json_t **ret_input, struct err *err)
{
    const struct registry_model *model = &made->model;
    bool own_schema = json_is_object(json_object_get(row, "schema"));
    json_t *input = NULL;

    *ret_document = own_schema ? NULL : made->document;
    *ret_input = own_schema ? NULL : made->input_schema;
    if (*ret_document)
        return true;
    *ret_document = own(made, make_document(model->manifest, row, native));
    if (!*ret_document)
        return no_memory(err);
    if (!schema_flatten(*ret_document, &made->nodes_left, &input, err))
        return err_while(err, "reading the schema of %s", model->full_name);
    *ret_input = own(made, input);
    if (!own_schema) {
        made->document = *ret_document;
        made->input_schema = *ret_input;
    }
    return *ret_input || no_memory(err);
}

static bool fill_version(struct made_model *made, const json_t *row, const json_t *native,
                         struct registry_version *version, struct err *err)
{
    const struct registry_model *model = &made->model;
    const char *cog_version = json_get_string(row, "cog_version");
    const json_t *document, *input;

    if (!fill_schema(made, row, native, &document, &input, err))
        return false;
    *version = (struct registry_version){
        .id = json_get_string(row, "id"),
        .created_at = json_get_string(row, "created_at"),
        .cog_version = cog_version ? cog_version : "",
        .model = model,
        .openapi_schema = document,
        .input_schema = input,
        .streams = json_get_boolean(model->manifest, "streams", true),
        .output_is_files = schema_output_is_files(document),
        .weights_folder = json_get_string(row, "weights_folder"),
    };
    return true;
}

static int64_t time_of(const char *text)
{
    int64_t unix_us = 0;

    return text && clock_parse(str_from(text), &unix_us) ? unix_us : 0;
}

static int compare_versions(const void *left, const void *right)
{
    int64_t a = time_of(((const struct registry_version *)left)->created_at);
    int64_t b = time_of(((const struct registry_version *)right)->created_at);

    return a < b ? 1 : a > b ? -1 : 0;
}

bool registry_is_secret(const json_t *property)
{
    const char *format = json_get_string(property, "format");

    return json_get_boolean(property, "x-cog-secret", false) ||
           (format && strcmp(format, "password") == 0);
}

static bool has_secret(const json_t *schema)
{
    const json_t *properties = json_object_get(schema, "properties");
    const char *name;
    json_t *property;

    json_object_foreach((json_t *)properties, name,
                        property) if (registry_is_secret(property)) return true;
    return false;
}

/* Listed versions come first, newest first; the one with `by_name` stands behind them. */
static bool fill_versions(struct made_model *made, const json_t *native, struct err *err)
{
    struct registry_model *model = &made->model;
    const json_t *list = json_object_get(model->manifest, "versions");
    size_t total = json_array_size(list), count = 0;
    const json_t *training = NULL;

    if (!make_training(made, native, &training, err))
        return false;
    for (size_t i = 0; i < total; i++) {
        const json_t *row = json_array_get(list, i);
        bool by_name = json_get_boolean(row, "by_name", false);
        struct registry_version *version = &made->versions[by_name ? total - 1 : count++];

        if (!fill_version(made, row, native, version, err))
            return false;
        version->trainable = training != NULL;
        version->training_schema = training;
        version->has_secrets = has_secret(version->input_schema) || has_secret(training);
    }
    if (count > 1)
        qsort(made->versions, count, sizeof(made->versions[0]), compare_versions);
    model->versions = made->versions;
    model->version_count = (int)count;
    if (total > 0)
        model->by_name = &made->versions[count < total ? total - 1 : 0];
    if (!model->created_at)
        model->created_at = count > 0 ? made->versions[count - 1].created_at : MODELS_EPOCH;
    return true;
}

const json_t *models_version_row(const struct registry_version *version)
{
    const json_t *list = json_object_get(version->model->manifest, "versions");

    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_get_string(json_array_get(list, i), "id") == version->id)
            return json_array_get(list, i);
    return NULL;
}

int64_t models_latest_us(const struct registry_model *model)
{
    return model->version_count > 0 ? time_of(model->versions[0].created_at) : 0;
}

/* ---- The model --------------------------------------------------------------------------------
 */

static int64_t microusd(const json_t *price, const char *key)
{
    return llround(json_get_number(price, key, 0) * 1e6);
}

static const char *text_of(const json_t *manifest, const char *key, const char *fallback)
{
    const char *text = json_get_string(manifest, key);

    return text ? text : fallback;
}

/* What needs no memory of its own. */
static void fill_texts(struct registry_model *model, const json_t *manifest, const json_t *native)
{
    const json_t *example = json_object_get(manifest, "default_example");
    const json_t *price = json_object_get(manifest, "price");
    const char *native_model = json_get_string(manifest, "model");

    model->owner = json_get_string(manifest, "owner");
    model->name = json_get_string(manifest, "name");
    model->description = text_of(manifest, "description", "");
    model->visibility = text_of(manifest, "visibility", "public");
    model->github_url = json_get_string(manifest, "github_url");
    model->paper_url = json_get_string(manifest, "paper_url");
    model->license_url = json_get_string(manifest, "license_url");
    model->cover_image_url = json_get_string(manifest, "cover_image_url");
    model->weights_url = json_get_string(manifest, "weights_url");
    model->created_at = json_get_string(manifest, "created_at");
    model->readme = json_get_string(manifest, "readme");
    model->is_official = json_get_boolean(manifest, "official", false);
    model->run_count = json_get_integer(manifest, "run_count", 0);
    model->default_example = json_is_object(example) ? example : NULL;
    model->runner = text_of(manifest, "runner", "native");
    model->native_model =
        native_model && json_object_get(native, native_model) ? native_model : NULL;
    model->hardware = text_of(manifest, "hardware", "cpu");
    model->price = (struct registry_price){
        .per_second_microusd = microusd(price, "per_second"),
        .per_image_microusd = microusd(price, "per_image"),
        .per_run_microusd = microusd(price, "per_run"),
    };
    model->manifest = manifest;
}

/* The texts that are no part of the manifest. */
static bool fill_owned(struct made_model *made, const char *account)
{
    struct registry_model *model = &made->model;
    json_t *tags = json_object_get(model->manifest, "tags");
    json_t *full_name = own(made, json_sprintf("%s/%s", model->owner, model->name));
    json_t *owner = account ? own(made, json_string(account)) : NULL;

    model->tags = own(made, json_is_array(tags) ? json_incref(tags) : json_array());
    model->full_name = json_string_value(full_name);
    model->account = json_string_value(owner);
    return full_name && model->tags && (owner || !account);
}

/* About what a value takes in memory. */
static size_t bytes_of(const json_t *value)
{
    size_t bytes = MODELS_SCALAR_BYTES + json_string_length(value);
    const char *key;
    json_t *member;

    if (json_is_object(value))
        bytes = MODELS_NODE_BYTES;
    for (size_t i = 0; i < json_array_size(value); i++)
        bytes += sizeof(json_t *) + bytes_of(json_array_get(value, i));
    json_object_foreach((json_t *)value, key, member)
    {
        bytes += MODELS_SCALAR_BYTES + strlen(key) + bytes_of(member);
    }
    return bytes;
}

bool models_make(const json_t *native, json_t *manifest, enum registry_source source,
                 const char *account, struct made_model **ret_made, struct err *err)
{
    size_t versions = json_array_size(json_object_get(manifest, "versions"));
    struct made_model *made = calloc(1, sizeof(*made) + versions * sizeof(made->versions[0]));
    const json_t *description;

    if (made)
        made->owned = json_array();
    if (!made || !made->owned || !own(made, json_incref(manifest))) {
        models_free(made);
        return no_memory(err);
    }
    fill_texts(&made->model, manifest, native);
    made->model.source = source;
    made->nodes_left = MODELS_NODES_MAX;
    description =
        made->model.native_model ? json_object_get(native, made->model.native_model) : NULL;
    if (!fill_owned(made, account)) {
        models_free(made);
        return no_memory(err);
    }
    if (!fill_versions(made, description, err)) {
        models_free(made);
        return false;
    }
    made->bytes = sizeof(*made) + versions * sizeof(made->versions[0]) + bytes_of(manifest) +
                  (size_t)(MODELS_NODES_MAX - made->nodes_left) * MODELS_NODE_BYTES;
    *ret_made = made;
    return true;
}

void models_free(struct made_model *made)
{
    if (!made)
        return;
    json_decref(made->owned);
    free(made);
}
