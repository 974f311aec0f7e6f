/* OpenAPI documents of model versions: made in the form Cog gives them, and read back.
 *
 * What clients look at is components.schemas.Input and .Output; the rest is there because tools
 * that generate code from the document resolve it. `paths` is left out, as the public API has done
 * since 2025. Not here: checking an input against a schema (validation.c). */
#include "registry/schema.h"

#include <ctype.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"

#define SCHEMA_DEPTH_MAX 32 /* nesting of references; Cog's documents have 3 */
#define SCHEMA_REF "#/components/schemas/"

/* The schemas that are the same in every document. Input and Output come first in the result. */
static const char schema_common[] =
    "{\"Status\":{\"enum\":[\"starting\",\"processing\",\"succeeded\",\"canceled\",\"failed\"],"
    "\"type\":\"string\",\"title\":\"Status\",\"description\":\"An enumeration.\"},"
    "\"WebhookEvent\":{\"enum\":[\"start\",\"output\",\"logs\",\"completed\"],\"type\":\"string\","
    "\"title\":\"WebhookEvent\",\"description\":\"An enumeration.\"},"
    "\"ValidationError\":{\"type\":\"object\",\"title\":\"ValidationError\","
    "\"required\":[\"loc\",\"msg\",\"type\"],\"properties\":{"
    "\"loc\":{\"type\":\"array\",\"items\":{\"anyOf\":[{\"type\":\"string\"},"
    "{\"type\":\"integer\"}]},\"title\":\"Location\"},"
    "\"msg\":{\"type\":\"string\",\"title\":\"Message\"},"
    "\"type\":{\"type\":\"string\",\"title\":\"Error Type\"}}},"
    "\"PredictionRequest\":{\"type\":\"object\",\"title\":\"PredictionRequest\",\"properties\":{"
    "\"id\":{\"type\":\"string\",\"title\":\"Id\"},"
    "\"input\":{\"$ref\":\"#/components/schemas/Input\"},"
    "\"webhook\":{\"type\":\"string\",\"title\":\"Webhook\",\"format\":\"uri\","
    "\"maxLength\":65536,\"minLength\":1},"
    "\"created_at\":{\"type\":\"string\",\"title\":\"Created At\",\"format\":\"date-time\"},"
    "\"output_file_prefix\":{\"type\":\"string\",\"title\":\"Output File Prefix\"},"
    "\"webhook_events_filter\":{\"type\":\"array\","
    "\"items\":{\"$ref\":\"#/components/schemas/WebhookEvent\"},"
    "\"default\":[\"start\",\"output\",\"logs\",\"completed\"]}}},"
    "\"PredictionResponse\":{\"type\":\"object\",\"title\":\"PredictionResponse\",\"properties\":{"
    "\"id\":{\"type\":\"string\",\"title\":\"Id\"},"
    "\"logs\":{\"type\":\"string\",\"title\":\"Logs\",\"default\":\"\"},"
    "\"error\":{\"type\":\"string\",\"title\":\"Error\"},"
    "\"input\":{\"$ref\":\"#/components/schemas/Input\"},"
    "\"output\":{\"$ref\":\"#/components/schemas/Output\"},"
    "\"status\":{\"$ref\":\"#/components/schemas/Status\"},"
    "\"metrics\":{\"type\":\"object\",\"title\":\"Metrics\"},"
    "\"version\":{\"type\":\"string\",\"title\":\"Version\"},"
    "\"created_at\":{\"type\":\"string\",\"title\":\"Created At\",\"format\":\"date-time\"},"
    "\"started_at\":{\"type\":\"string\",\"title\":\"Started At\",\"format\":\"date-time\"},"
    "\"completed_at\":{\"type\":\"string\",\"title\":\"Completed At\",\"format\":\"date-time\"}}},"
    "\"HTTPValidationError\":{\"type\":\"object\",\"title\":\"HTTPValidationError\","
    "\"properties\":{\"detail\":{\"type\":\"array\","
    "\"items\":{\"$ref\":\"#/components/schemas/ValidationError\"},\"title\":\"Detail\"}}}}";

/* "num_inference_steps" is titled "Num Inference Steps". */
static void set_title(json_t *property, const char *name)
{
    char title[128];
    size_t len = 0;
    bool upper = true;

    if (json_object_get(property, "title"))
        return;
    for (; len < sizeof(title) - 1 && name[len]; len++) {
        char c = name[len] == '_' ? ' ' : name[len];

        title[len] = upper ? (char)toupper((unsigned char)c) : c;
        upper = c == ' ';
    }
    title[len] = '\0';
    json_object_set_new(property, "title", json_string(title));
}

/* Move a property's enum into a schema of its own, which the property then refers to. */
static void hoist_enum(json_t *schemas, json_t *property, const char *name)
{
    json_t *values = json_object_get(property, "enum");
    json_t *type = json_object_get(property, "type");
    json_t *reference;

    /* A property may not take the place of a schema that is there already. */
    if (!json_is_array(values) || json_object_get(schemas, name))
        return;
    reference = json_pack("[{s:o}]", "$ref", json_sprintf(SCHEMA_REF "%s", name));
    if (!reference)
        return;
    json_object_set_new(schemas, name,
                        json_pack("{s:O, s:O?, s:s, s:s}", "enum", values, "type", type, "title",
                                  name, "description", "An enumeration."));
    json_object_del(property, "enum");
    json_object_del(property, "type");
    json_object_del(property, "title");
    json_object_set_new(property, "allOf", reference);
}

static json_t *make_input(json_t *schemas, const json_t *given)
{
    json_t *input = given ? json_deep_copy(given) : json_object();
    json_t *properties, *property;
    const char *name;
    json_int_t order = 0;

    if (!json_is_object(input))
        return input;
    if (!json_object_get(input, "type"))
        json_object_set_new(input, "type", json_string("object"));
    json_object_set_new(input, "title", json_string("Input"));
    if (!json_is_object(json_object_get(input, "properties")))
        json_object_set_new(input, "properties", json_object());
    properties = json_object_get(input, "properties");
    json_object_foreach(properties, name, property)
    {
        if (!json_is_object(property))
            continue;
        set_title(property, name);
        if (!json_object_get(property, "x-order"))
            json_object_set_new(property, "x-order", json_integer(order));
        order++;
        hoist_enum(schemas, property, name);
    }
    return input;
}

json_t *schema_document(const json_t *input, const json_t *output)
{
    json_t *common = json_loads(schema_common, 0, NULL);
    json_t *schemas = json_object();
    json_t *own_output = output ? json_deep_copy(output) : json_object();

    if (!common || !schemas || !own_output)
        goto fail;
    /* Reserve the two first places, and the common names, before enums are hoisted. */
    json_object_set_new(schemas, "Input", json_null());
    if (json_is_object(own_output) && !json_object_get(own_output, "title"))
        json_object_set_new(own_output, "title", json_string("Output"));
    json_object_set_new(schemas, "Output", own_output);
    own_output = NULL;
    if (json_object_update(schemas, common) != 0)
        goto fail;
    json_decref(common);
    common = NULL;
    if (json_object_set_new(schemas, "Input", make_input(schemas, input)) != 0)
        goto fail;
    return json_pack("{s:{s:s, s:s}, s:s, s:{s:o}}", "info", "title", "Cog", "version", "0.1.0",
                     "openapi", "3.0.2", "components", "schemas", schemas);
fail:
    json_decref(common);
    json_decref(schemas);
    json_decref(own_output);
    return NULL;
}

/* ---- Flattening ----------------------------------------------------------------------------- */

struct flatten {
    const json_t *schemas; /* the document's components.schemas */
    int nodes_left;        /* values that may still be made: circles and bombs end here */
};

static json_t *flatten_value(struct flatten *flatten, const json_t *value, int depth,
                             struct err *err);

/* Add the keys of `part` (a given reference) that `object` has not yet. */
static bool merge_missing(json_t *object, json_t *part)
{
    bool ok = !json_is_object(part) || json_object_update_missing(object, part) == 0;

    json_decref(part);
    return ok;
}

static bool merge_reference(struct flatten *flatten, json_t *object, const json_t *reference,
                            int depth, struct err *err)
{
    const char *text = json_string_value(reference);
    const json_t *target;
    json_t *part;

    if (!text || strncmp(text, SCHEMA_REF, strlen(SCHEMA_REF)) != 0)
        return err_set(err, ERR_INVALID,
                       "the schema has a reference that is not to " SCHEMA_REF "...");
    target = json_object_get(flatten->schemas, text + strlen(SCHEMA_REF));
    if (!target)
        return err_set(err, ERR_INVALID, "the schema refers to '%.100s', which it does not have",
                       text);
    part = flatten_value(flatten, target, depth + 1, err);
    if (!part)
        return false;
    return merge_missing(object, part) ||
           err_set(err, ERR_NO_MEMORY, "not enough memory for a schema");
}

static bool merge_all_of(struct flatten *flatten, json_t *object, const json_t *parts, int depth,
                         struct err *err)
{
    for (size_t i = 0; i < json_array_size(parts); i++) {
        json_t *part = flatten_value(flatten, json_array_get(parts, i), depth + 1, err);

        if (!part)
            return false;
        if (!merge_missing(object, part))
            return err_set(err, ERR_NO_MEMORY, "not enough memory for a schema");
    }
    return true;
}

/* What a property itself says wins over what it refers to. */
static json_t *flatten_object(struct flatten *flatten, const json_t *value, int depth,
                              struct err *err)
{
    json_t *object = json_object();
    const json_t *reference = NULL, *all_of = NULL;
    const char *key;
    json_t *member;

    json_object_foreach((json_t *)value, key, member)
    {
        json_t *part;

        if (strcmp(key, "$ref") == 0 && json_is_string(member)) {
            reference = member;
        } else if (strcmp(key, "allOf") == 0 && json_is_array(member)) {
            all_of = member;
        } else {
            part = flatten_value(flatten, member, depth + 1, err);
            if (!part || json_object_set_new(object, key, part) != 0)
                goto fail;
        }
    }
    if ((reference && !merge_reference(flatten, object, reference, depth, err)) ||
        (all_of && !merge_all_of(flatten, object, all_of, depth, err)))
        goto fail;
    return object;
fail:
    json_decref(object);
    return NULL;
}

static json_t *flatten_value(struct flatten *flatten, const json_t *value, int depth,
                             struct err *err)
{
    json_t *array;

    if (depth > SCHEMA_DEPTH_MAX || --flatten->nodes_left < 0) {
        err_set(err, ERR_INVALID, "the schema is too deep, too large, or refers to itself");
        return NULL;
    }
    if (json_is_object(value))
        return flatten_object(flatten, value, depth, err);
    if (!json_is_array(value))
        return json_incref((json_t *)value); /* long texts may be referred to often */
    array = json_array();
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *item = flatten_value(flatten, json_array_get(value, i), depth + 1, err);

        if (!item || json_array_append_new(array, item) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

bool schema_flatten(const json_t *document, int *nodes_left, json_t **ret_input, struct err *err)
{
    const json_t *schemas = json_object_get(json_object_get(document, "components"), "schemas");
    const json_t *input = json_object_get(schemas, "Input");
    struct flatten flatten = { .schemas = schemas, .nodes_left = *nodes_left };
    json_t *flat;

    if (!json_is_object(input))
        return err_set(err, ERR_INVALID, "the schema has no components.schemas.Input");
    flat = flatten_value(&flatten, input, 0, err);
    if (!flat)
        return false;
    *nodes_left = flatten.nodes_left;
    *ret_input = flat;
    return true;
}

static bool is_file(const json_t *schema)
{
    const char *format = json_get_string(schema, "format");

    return format && strcmp(format, "uri") == 0;
}

bool schema_output_is_files(const json_t *document)
{
    const json_t *schemas = json_object_get(json_object_get(document, "components"), "schemas");
    const json_t *output = json_object_get(schemas, "Output");

    return is_file(output) || is_file(json_object_get(output, "items"));
}
