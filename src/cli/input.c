/* Types come from the schema, so that -i scale=2 is a number for one model and a text for another.
 */
#include "cli/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

#define KEY_BYTES_MAX 128
#define LIST_BYTES_MAX 200

struct input {
    struct mimeo_client *client;
    const json_t *schemas;    /* components.schemas; may be NULL */
    const json_t *properties; /* of Input; may be NULL */
};

static void input_open(struct input *input, struct mimeo_client *client, const json_t *version)
{
    const json_t *document = json_object_get(version, "openapi_schema");
    const json_t *components = json_object_get(document, "components");

    input->client = client;
    input->schemas = json_object_get(components, "schemas");
    input->properties = json_object_get(json_object_get(input->schemas, "Input"), "properties");
}

/* A property's own "type", or that of the enum its allOf refers to. */
static const char *property_type(const struct input *input, const json_t *property)
{
    const char *type = json_get_string(property, "type");
    const json_t *first = json_array_get(json_object_get(property, "allOf"), 0);
    const char *ref = json_get_string(first, "$ref");
    const char *name = ref != NULL ? strrchr(ref, '/') : NULL;

    if (type == NULL && name != NULL)
        type = json_get_string(json_object_get(input->schemas, name + 1), "type");
    return type != NULL ? type : "string";
}

static bool key_unknown(const struct input *input, const char *key, struct err *err)
{
    char list[LIST_BYTES_MAX];
    struct buf names;
    const char *name;
    json_t *property;

    buf_init(&names, LIST_BYTES_MAX - 1);
    json_object_foreach((json_t *)input->properties, name, property)
        buf_printf(&names, "%s%s", names.len == 0 ? "" : ", ", name);
    str_copy(buf_str(&names), list, sizeof(list));
    buf_done(&names);
    return err_set(err, ERR_INVALID, "the model has no input '%.40s'; it has %.150s", key, list);
}

/* ---- Values ---------------------------------------------------------------------------------- */

static bool file_value(const struct input *input, const char *path, json_t **ret_value,
                       struct err *err)
{
    struct mimeo_error error;
    struct stat status;
    json_t *file = NULL;
    char *url = NULL;

    if (stat(path, &status) != 0)
        return err_set(err, ERR_INVALID, "cannot read '%.150s': %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return err_set(err, ERR_INVALID, "'%.150s' is not a file", path);
    if (status.st_size < INPUT_INLINE_BYTES_MAX) {
        if (!mimeo_file_data_url(path, NULL, &url, &error))
            return err_set(err, ERR_INVALID, "%.250s", error.detail);
        *ret_value = json_string(url);
        free(url);
        return true;
    }
    if (!mimeo_file_upload(input->client, path, NULL, &file, &error))
        return err_set(err, error.canceled ? ERR_CANCELED : ERR_UNAVAILABLE,
                       "uploading '%.80s': %.150s", path, error.detail);
    const char *link = json_get_string(json_object_get(file, "urls"), "get");
    *ret_value = link != NULL ? json_string(link) : NULL;
    json_decref(file);
    return *ret_value != NULL ||
           err_set(err, ERR_UNAVAILABLE, "the server gave no link to the file");
}

static bool number_value(const char *key, const char *text, json_t **ret_value, struct err *err)
{
    char *end;
    double number = strtod(text, &end);

    if (text[0] == 0 || *end != 0)
        return err_set(err, ERR_INVALID, "'%s' must be a number, not '%.80s'", key, text);
    *ret_value = json_real(number);
    return *ret_value != NULL || err_set(err, ERR_INVALID, "'%s' must be a finite number", key);
}

static bool typed_value(const struct input *input, const char *key, const char *type,
                        const char *text, json_t **ret_value, struct err *err)
{
    int64_t integer;

    if (strcmp(type, "string") == 0) {
        if (text[0] == '@' && text[1] != '@')
            return file_value(input, text + 1, ret_value, err);
        *ret_value = json_string(text[0] == '@' ? text + 1 : text);
        return *ret_value != NULL || err_set(err, ERR_INVALID, "'%s' is not UTF-8 text", key);
    }
    if (strcmp(type, "integer") == 0) {
        if (!str_to_int64(str_from(text), &integer))
            return err_set(err, ERR_INVALID, "'%s' must be an integer, not '%.80s'", key, text);
        *ret_value = json_integer(integer);
        return true;
    }
    if (strcmp(type, "number") == 0)
        return number_value(key, text, ret_value, err);
    if (strcmp(type, "boolean") == 0) {
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return err_set(err, ERR_INVALID, "'%s' must be true or false, not '%.80s'", key, text);
        *ret_value = json_boolean(text[0] == 't');
        return true;
    }
    return json_parse(str_from(text), ret_value, err) ||
           err_while(err, "reading '%s' as JSON", key);
}

/* -i key=a -i key=b, or -i 'key=["a","b"]' */
static bool array_value(const struct input *input, const char *key, const json_t *property,
                        const char *text, json_t *object, struct err *err)
{
    json_t *array = json_object_get(object, key), *item = NULL;

    if (text[0] == '[') {
        if (!json_parse(str_from(text), &item, err))
            return err_while(err, "reading '%s' as JSON", key);
        json_object_set_new(object, key, item);
        return true;
    }
    if (!typed_value(input, key, property_type(input, json_object_get(property, "items")), text,
                     &item, err))
        return false;
    if (array == NULL) {
        array = json_array();
        json_object_set_new(object, key, array);
    }
    json_array_append_new(array, item);
    return true;
}

static bool word_add(const struct input *input, const char *word, json_t *object, struct err *err)
{
    char key[KEY_BYTES_MAX];
    struct str head, rest;
    json_t *value = NULL;

    if (!str_cut(str_from(word), '=', &head, &rest) || head.len == 0 ||
        !str_copy(head, key, sizeof(key)))
        return err_set(err, ERR_INVALID, "an input is written key=value, not '%.80s'", word);
    const char *text = word + head.len + 1;
    const json_t *property = json_object_get(input->properties, key);
    if (property == NULL && json_object_size(input->properties) > 0)
        return key_unknown(input, key, err);
    const char *type = property_type(input, property);
    if (strcmp(type, "array") == 0)
        return array_value(input, key, property, text, object, err);
    if (!typed_value(input, key, type, text, &value, err))
        return false;
    json_object_set_new(object, key, value);
    return true;
}

bool input_build(struct mimeo_client *client, const json_t *version, const char *const *words,
                 int count, json_t **ret_input, struct err *err)
{
    struct input input;
    json_t *object = json_object();

    input_open(&input, client, version);
    for (int i = 0; i < count; i++) {
        if (!word_add(&input, words[i], object, err)) {
            json_decref(object);
            return false;
        }
    }
    *ret_input = object;
    return true;
}
