/* YAML: libyaml's events turned into JSON values with a stack of our own, so that no input can
 * make this recurse. Refused on purpose: aliases and anchors' reuse, several documents, tags other
 * than the core schema's, complex keys, infinities and NaN (JSON has none).
 * Not here: what a manifest or a config must contain. */
#include "base/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/err.h"

#define YAML_BYTES_MAX (1u << 20)
#define YAML_DEPTH_MAX 64
#define YAML_NODES_MAX 100000

struct yaml_level {
    json_t *value; /* array or object; borrowed from its parent, or from the root */
    char *key;     /* in an object: the key that waits for its value; or NULL */
};

struct yaml_reader {
    yaml_parser_t parser;
    struct yaml_level levels[YAML_DEPTH_MAX];
    int depth;
    int nodes;
    int documents;
    json_t *root; /* owned */
};

static bool yaml_refuse(struct err *err, yaml_mark_t mark, const char *what)
{
    return err_set(err, ERR_INVALID, "%s (line %zu column %zu)", what, mark.line + 1,
                   mark.column + 1);
}

/* ---- Scalars ------------------------------------------------------------------------------- */

static bool is_one_of(struct str s, const char *const *words)
{
    for (; *words; words++) {
        if (str_equal(s, str_from(*words)))
            return true;
    }
    return false;
}

static size_t count_digits(struct str s, size_t at)
{
    size_t start = at;
    while (at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9')
        at++;
    return at - start;
}

/* [-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)? or the same with nothing before the point. */
static bool is_number(struct str s, bool *ret_whole)
{
    size_t at = s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+');
    size_t digits = count_digits(s, at);
    at += digits;
    *ret_whole = true;
    if (at < s.len && s.ptr[at] == '.') {
        size_t after = count_digits(s, ++at);
        at += after;
        digits += after;
        *ret_whole = false;
    }
    if (digits == 0)
        return false;
    if (at < s.len && (s.ptr[at] == 'e' || s.ptr[at] == 'E')) {
        at++;
        at += at < s.len && (s.ptr[at] == '-' || s.ptr[at] == '+');
        size_t exponent = count_digits(s, at);
        if (exponent == 0)
            return false;
        at += exponent;
        *ret_whole = false;
    }
    return at == s.len;
}

/* `text` is s, 0-terminated (libyaml sees to that). NULL: not a number, or one JSON cannot hold. */
static json_t *yaml_number(struct str s, const char *text)
{
    bool whole = false;
    if (!is_number(s, &whole)) {
        int base = str_starts(s, S("0x")) ? 16 : str_starts(s, S("0o")) ? 8 : 0;
        if (!base || s.len < 3)
            return NULL;
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        for (size_t i = 2; i < s.len; i++) {
            const char *hit = s.ptr[i] ? strchr(digits, s.ptr[i]) : NULL;
            if (!hit || (hit - digits) % 16 >= base)
                return NULL;
        }
        errno = 0;
        long long value = strtoll(text + 2, NULL, base);
        return errno ? NULL : json_integer(value);
    }
    if (whole) {
        errno = 0;
        long long value = strtoll(text, NULL, 10);
        if (errno == 0)
            return json_integer(value);
    }
    double value = strtod(text, NULL);
    return isfinite(value) ? json_real(value) : NULL;
}

static const char *const yaml_nulls[] = { "", "~", "null", "Null", "NULL", NULL };
static const char *const yaml_trues[] = { "true", "True", "TRUE", NULL };
static const char *const yaml_falses[] = { "false", "False", "FALSE", NULL };
static const char *const yaml_not_json[] = { ".inf",  ".Inf", ".INF", "+.inf", "-.inf", "-.Inf",
                                             "-.INF", ".nan", ".NaN", ".NAN",  NULL };

/* The value of one scalar, or NULL and *err. */
static json_t *yaml_scalar(const yaml_event_t *event, struct err *err)
{
    const char *text = (const char *)event->data.scalar.value;
    struct str s = { text, event->data.scalar.length };
    struct str tag = str_from((const char *)event->data.scalar.tag);
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && tag.len == 0;
    struct str kind = str_starts(tag, S("tag:yaml.org,2002:")) ? str_skip(tag, 18) : S("");
    json_t *value = NULL;
    if (tag.len > 0 && kind.len == 0 && !str_equal(tag, S("!"))) {
        yaml_refuse(err, event->start_mark, "unknown YAML tag");
        return NULL;
    }
    if (memchr(text, '\0', s.len)) {
        yaml_refuse(err, event->start_mark, "a zero character stands in a YAML string");
        return NULL;
    }
    bool wants_number = str_equal(kind, S("int")) || str_equal(kind, S("float"));
    if ((plain || str_equal(kind, S("null"))) && is_one_of(s, yaml_nulls))
        value = json_null();
    else if ((plain || str_equal(kind, S("bool"))) && is_one_of(s, yaml_trues))
        value = json_true();
    else if ((plain || str_equal(kind, S("bool"))) && is_one_of(s, yaml_falses))
        value = json_false();
    else if (plain || wants_number)
        value = yaml_number(s, text);
    if (!value && plain && is_one_of(s, yaml_not_json)) {
        yaml_refuse(err, event->start_mark, "infinity and NaN are not allowed");
        return NULL;
    }
    if (!value && (plain || kind.len == 0 || str_equal(kind, S("str"))))
        value = json_stringn(s.ptr, s.len);
    if (!value)
        yaml_refuse(err, event->start_mark, "a YAML value does not fit its tag");
    return value;
}

/* ---- Structure ----------------------------------------------------------------------------- */

/* Put a value (taken over) where the document is at. */
static bool yaml_place(struct yaml_reader *reader, json_t *value, yaml_mark_t mark, struct err *err)
{
    if (++reader->nodes > YAML_NODES_MAX) {
        json_decref(value);
        return yaml_refuse(err, mark, "the YAML text has too many values");
    }
    if (reader->depth == 0) {
        reader->root = value;
        return true;
    }
    struct yaml_level *level = &reader->levels[reader->depth - 1];
    int failed;
    if (json_is_array(level->value)) {
        failed = json_array_append_new(level->value, value);
    } else {
        failed = json_object_set_new(level->value, level->key, value);
        free(level->key);
        level->key = NULL;
    }
    return failed ? err_set(err, ERR_NO_MEMORY, "not enough memory to read YAML") : true;
}

/* Is the next scalar a key? */
static bool yaml_wants_key(const struct yaml_reader *reader)
{
    const struct yaml_level *level = &reader->levels[reader->depth - (reader->depth > 0)];
    return reader->depth > 0 && json_is_object(level->value) && !level->key;
}

static bool yaml_take_key(struct yaml_reader *reader, const yaml_event_t *event, struct err *err)
{
    struct yaml_level *level = &reader->levels[reader->depth - 1];
    struct str key = { (const char *)event->data.scalar.value, event->data.scalar.length };
    if (memchr(key.ptr, '\0', key.len) || !str_is_utf8(key))
        return yaml_refuse(err, event->start_mark, "a YAML key is not plain text");
    if (json_object_get(level->value, key.ptr))
        return yaml_refuse(err, event->start_mark, "a YAML key stands twice");
    if (++reader->nodes > YAML_NODES_MAX)
        return yaml_refuse(err, event->start_mark, "the YAML text has too many values");
    level->key = strdup(key.ptr);
    return level->key ? true : err_set(err, ERR_NO_MEMORY, "not enough memory to read YAML");
}

static bool yaml_open(struct yaml_reader *reader, const yaml_event_t *event, json_t *value,
                      struct err *err)
{
    if (!value)
        return err_set(err, ERR_NO_MEMORY, "not enough memory to read YAML");
    if (yaml_wants_key(reader) || reader->depth == YAML_DEPTH_MAX) {
        json_decref(value);
        return yaml_refuse(err, event->start_mark,
                           yaml_wants_key(reader) ? "a YAML key must be a scalar"
                                                  : "the YAML text is nested too deeply");
    }
    if (!yaml_place(reader, value, event->start_mark, err))
        return false;
    reader->levels[reader->depth++] = (struct yaml_level){ .value = value };
    return true;
}

static bool yaml_take(struct yaml_reader *reader, const yaml_event_t *event, struct err *err)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (reader->documents++ > 0)
            return yaml_refuse(err, event->start_mark, "only one YAML document is allowed");
        return true;
    case YAML_ALIAS_EVENT:
        return yaml_refuse(err, event->start_mark, "YAML aliases are not allowed");
    case YAML_SCALAR_EVENT: {
        if (yaml_wants_key(reader))
            return yaml_take_key(reader, event, err);
        json_t *value = yaml_scalar(event, err);
        return value && yaml_place(reader, value, event->start_mark, err);
    }
    case YAML_SEQUENCE_START_EVENT:
        return yaml_open(reader, event, json_array(), err);
    case YAML_MAPPING_START_EVENT:
        return yaml_open(reader, event, json_object(), err);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        reader->depth--;
        return true;
    default:
        return true;
    }
}

static bool yaml_read(struct yaml_reader *reader, struct err *err)
{
    for (bool more = true; more;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&reader->parser, &event)) {
            if (reader->parser.error == YAML_MEMORY_ERROR)
                return err_set(err, ERR_NO_MEMORY, "not enough memory to read YAML");
            const char *problem = reader->parser.problem;
            return yaml_refuse(err, reader->parser.problem_mark,
                               problem ? problem : "the YAML text is not well formed");
        }
        more = event.type != YAML_STREAM_END_EVENT;
        bool ok = yaml_take(reader, &event, err);
        yaml_event_delete(&event);
        if (!ok)
            return false;
    }
    return true;
}

bool yaml_parse(struct str text, json_t **ret_value, struct err *err)
{
    if (text.len > YAML_BYTES_MAX)
        return err_set(err, ERR_INVALID, "the YAML text is larger than %u bytes", YAML_BYTES_MAX);
    struct yaml_reader reader = { 0 };
    if (!yaml_parser_initialize(&reader.parser))
        return err_set(err, ERR_NO_MEMORY, "not enough memory to read YAML");
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)(text.len ? text.ptr : ""),
                                 text.len);
    bool ok = yaml_read(&reader, err);
    for (int i = 0; i < reader.depth; i++)
        free(reader.levels[i].key);
    yaml_parser_delete(&reader.parser);
    if (!ok) {
        json_decref(reader.root);
        return false;
    }
    *ret_value = reader.root ? reader.root : json_null();
    return true;
}
