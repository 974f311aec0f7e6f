/* Input validation against a JSON schema, in the words of the public API's 422 answers.
 *
 * The words, and the order of checks within one value, are those of the validator behind the public
 * API: its own kind first (a wrong type ends the checks of that value), then combinators, objects
 * and arrays, const and enum and format, strings, numbers; an object's own errors come before those
 * of its properties. The public order among sibling properties is random; here it is the schema's.
 *
 * `nullable` is not understood, on purpose: an explicit null is a type error there too. Secrets
 * (`format: password` with `x-cog-secret`) are strings like others. Not here: number texts and
 * formats (validation_text.c), patterns (validation_pattern.c), refs (schema.c). */
#include "registry/validation.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "registry/validation_pattern.h"
#include "registry/validation_text.h"

#define VALIDATION_UNIQUE_MAX 500         /* items compared pairwise; longer arrays pass */
#define VALIDATION_TEXT_BYTES (64u << 10) /* one description; enums can be long */
/* Values times schemas, about 0.1 s: both may be hostile, and this runs where nothing may block. */
#define VALIDATION_STEPS_MAX 500000
#define VALIDATION_STEP_BYTES 1024     /* of a string that is gone through */
#define VALIDATION_STEP_ERROR_BYTES 16 /* of a description that is written */

/* Where in the document a value stands: a chain on the stack, made text only for an error. */
struct place {
    const struct place *parent; /* NULL: the root */
    const char *name;           /* NULL: an item */
    size_t index;
};

struct check {
    struct arena *arena;
    const char *root;
    bool names_from_root;
    struct validation_budget *budget;
    struct validation_error *first, **last;
    int count;
};

static void check_value(struct check *check, const json_t *schema, const json_t *value,
                        const struct place *place);

/* Count what is done. True: it was too much, and nothing more is to be done. */
static bool spend(struct check *check, size_t steps)
{
    if (check->budget->steps <= VALIDATION_STEPS_MAX)
        check->budget->steps += (int64_t)steps;
    return check->budget->steps > VALIDATION_STEPS_MAX;
}

/* ---- Errors -----------------------------------------------------------------------------------
 */

static void write_place(struct buf *out, const struct place *place)
{
    if (!place->parent)
        return;
    write_place(out, place->parent);
    if (out->len > 0)
        buf_append_char(out, '.');
    if (place->name)
        buf_append_str(out, str_from(place->name));
    else
        buf_printf(out, "%zu", place->index);
}

/* The place's text, below `root`. */
static const char *place_text(struct check *check, const struct place *place, const char *root)
{
    struct buf text;
    const char *copy;

    buf_init(&text, VALIDATION_TEXT_BYTES);
    buf_append_str(&text, str_from(root));
    write_place(&text, place);
    copy = arena_strdup(check->arena, buf_str(&text));
    buf_done(&text);
    return copy ? copy : root;
}

static void add_error(struct check *check, const struct place *place, const char *type,
                      const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void add_error(struct check *check, const struct place *place, const char *type,
                      const char *fmt, ...)
{
    struct validation_error *error;
    char *text = NULL;
    va_list args;
    int len;

    if (check->count >= VALIDATION_ERRORS_MAX)
        return;
    error = arena_alloc(check->arena, sizeof(*error));
    va_start(args, fmt);
    len = vasprintf(&text, fmt, args);
    va_end(args);
    if (!error || len < 0) {
        check->count++; /* out of memory still means: not valid */
        if (len >= 0)
            free(text);
        return;
    }
    error->type = type;
    error->field = place_text(check, place, check->root);
    error->description = arena_strdup(check->arena, (struct str){ text, (size_t)len });
    free(text);
    spend(check, (size_t)len / VALIDATION_STEP_ERROR_BYTES);
    if (!error->description)
        error->description = "";
    *check->last = error;
    check->last = &error->next;
    check->count++;
}

/* How a description names the value itself. */
static const char *subject(struct check *check, const struct place *place)
{
    const char *text = place_text(check, place, check->names_from_root ? check->root : "");

    return *text ? text : "(root)";
}

/* ---- Types ------------------------------------------------------------------------------------
 */

static bool has_type(const char *type, const json_t *value)
{
    const char *given = validation_type_text(value);

    return strcmp(type, given) == 0 ||
           (strcmp(type, "number") == 0 && strcmp(given, "integer") == 0);
}

static bool check_type(struct check *check, const json_t *schema, const json_t *value,
                       const struct place *place)
{
    const json_t *type = json_object_get(schema, "type");
    char expected[128];
    size_t len = 0;

    if (json_is_string(type)) {
        if (has_type(json_string_value(type), value))
            return true;
        add_error(check, place, "invalid_type", "Invalid type. Expected: %s, given: %s",
                  json_string_value(type), validation_type_text(value));
        return false;
    }
    if (json_array_size(type) == 0)
        return true;
    expected[0] = '\0';
    for (size_t i = 0; i < json_array_size(type); i++) {
        const char *name = json_string_value(json_array_get(type, i));

        if (name && has_type(name, value))
            return true;
        if (name && len < sizeof(expected))
            len += (size_t)snprintf(expected + len, sizeof(expected) - len, "%s%s", len ? "," : "",
                                    name);
    }
    add_error(check, place, "invalid_type", "Invalid type. Expected: [%s], given: %s", expected,
              validation_type_text(value));
    return false;
}

/* ---- Combinators ------------------------------------------------------------------------------
 */

/* Check aside: the errors found stay with *ret_sub. */
static bool check_aside(struct check *check, const json_t *schema, const json_t *value,
                        const struct place *place, struct check *ret_sub)
{
    *ret_sub = *check;
    ret_sub->first = NULL;
    ret_sub->last = &ret_sub->first;
    ret_sub->count = 0;
    check_value(ret_sub, schema, value, place);
    return ret_sub->count == 0;
}

static void take_errors(struct check *check, struct check *sub)
{
    if (!sub->first || check->count + sub->count > VALIDATION_ERRORS_MAX)
        return;
    *check->last = sub->first;
    check->last = sub->last; /* in an error of the arena, as there is at least one */
    check->count += sub->count;
}

/* anyOf and oneOf: how many branches hold; the errors of the branch that came nearest. */
static size_t count_valid(struct check *check, const json_t *branches, const json_t *value,
                          const struct place *place, struct check *ret_best)
{
    size_t valid = 0;

    for (size_t i = 0; i < json_array_size(branches) && !spend(check, 1); i++) {
        struct check sub;

        if (check_aside(check, json_array_get(branches, i), value, place, &sub))
            valid++;
        else if (!ret_best->first || sub.count < ret_best->count)
            *ret_best = sub;
    }
    return valid;
}

static void check_combinators(struct check *check, const json_t *schema, const json_t *value,
                              const struct place *place)
{
    const json_t *any = json_object_get(schema, "anyOf");
    const json_t *one = json_object_get(schema, "oneOf");
    const json_t *all = json_object_get(schema, "allOf");
    const json_t *not = json_object_get(schema, "not");
    struct check sub, best = { 0 };

    if (json_array_size(any) > 0 && count_valid(check, any, value, place, &best) == 0) {
        add_error(check, place, "number_any_of", "Must validate at least one schema (anyOf)");
        take_errors(check, &best);
    }
    best = (struct check){ 0 };
    if (json_array_size(one) > 0) {
        size_t valid = count_valid(check, one, value, place, &best);

        if (valid != 1)
            add_error(check, place, "number_one_of",
                      "Must validate one and only one schema (oneOf)");
        if (valid == 0)
            take_errors(check, &best);
    }
    best = (struct check){ 0 };
    if (json_array_size(all) > 0 &&
        count_valid(check, all, value, place, &best) != json_array_size(all)) {
        take_errors(check, &best);
        add_error(check, place, "number_all_of", "Must validate all the schemas (allOf)");
    }
    if (json_is_object(not ) && check_aside(check, not, value, place, &sub))
        add_error(check, place, "number_not", "Must not validate the schema (not)");
}

/* ---- Objects and arrays -----------------------------------------------------------------------
 */

static json_int_t limit_of(const json_t *schema, const char *name)
{
    const json_t *limit = json_object_get(schema, name);

    return json_is_integer(limit) ? json_integer_value(limit) : -1;
}

static void check_additional(struct check *check, const json_t *schema, const json_t *value,
                             const struct place *place)
{
    const json_t *additional = json_object_get(schema, "additionalProperties");
    const json_t *properties = json_object_get(schema, "properties");
    const char *key;
    json_t *member;

    if (!additional || json_is_true(additional))
        return;
    json_object_foreach((json_t *)value, key, member)
    {
        struct place inner = { place, key, 0 };

        if (spend(check, 1))
            return;
        if (json_object_get(properties, key))
            continue;
        if (json_is_object(additional))
            check_value(check, additional, member, &inner);
        else
            add_error(check, place, "additional_property_not_allowed",
                      "Additional property %s is not allowed", key);
    }
}

static void check_object(struct check *check, const json_t *schema, const json_t *value,
                         const struct place *place)
{
    const json_t *required = json_object_get(schema, "required");
    json_int_t min = limit_of(schema, "minProperties"), max = limit_of(schema, "maxProperties");
    json_int_t size = (json_int_t)json_object_size(value);

    if (min >= 0 && size < min)
        add_error(check, place, "array_min_properties",
                  "Must have at least %" JSON_INTEGER_FORMAT " properties", min);
    if (max >= 0 && size > max)
        add_error(check, place, "array_max_properties",
                  "Must have at most %" JSON_INTEGER_FORMAT " properties", max);
    for (size_t i = 0; i < json_array_size(required) && !spend(check, 1); i++) {
        const char *name = json_string_value(json_array_get(required, i));

        if (name && !json_object_get(value, name))
            add_error(check, place, "required", "%s is required", name);
    }
    check_additional(check, schema, value, place);
}

static void check_properties(struct check *check, const json_t *schema, const json_t *value,
                             const struct place *place)
{
    const json_t *properties = json_object_get(schema, "properties");
    const char *name;
    json_t *property;

    if (!json_is_object(properties))
        return;
    json_object_foreach((json_t *)properties, name, property)
    {
        const json_t *member = json_object_get(value, name);
        struct place inner = { place, name, 0 };

        if (spend(check, 1))
            return;
        if (member)
            check_value(check, property, member, &inner);
    }
}

/* Equal as JSON: 1 and 1.0 are the same number. */
static bool same_value(struct check *check, const json_t *a, const json_t *b)
{
    const char *key;
    json_t *member;

    if (spend(check, 1 + json_string_length(a) / VALIDATION_STEP_BYTES))
        return false;
    if (json_is_number(a) && json_is_number(b) && json_typeof(a) != json_typeof(b))
        return json_number_value(a) == json_number_value(b);
    if (json_is_array(a) && json_is_array(b) && json_array_size(a) == json_array_size(b)) {
        for (size_t i = 0; i < json_array_size(a); i++)
            if (!same_value(check, json_array_get(a, i), json_array_get(b, i)))
                return false;
        return true;
    }
    if (!json_is_object(a) || !json_is_object(b) || json_object_size(a) != json_object_size(b))
        return json_equal(a, b);
    json_object_foreach((json_t *)a, key, member)
    {
        const json_t *other = json_object_get(b, key);

        if (!other || !same_value(check, member, other))
            return false;
    }
    return true;
}

static void check_unique(struct check *check, const json_t *value, const struct place *place)
{
    size_t count = json_array_size(value);

    if (count > VALIDATION_UNIQUE_MAX)
        return;
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++)
            if (same_value(check, json_array_get(value, i), json_array_get(value, j))) {
                add_error(check, place, "unique", "array items[%zu,%zu] must be unique", i, j);
                return;
            }
}

static void check_array(struct check *check, const json_t *schema, const json_t *value,
                        const struct place *place)
{
    const json_t *items = json_object_get(schema, "items");
    json_int_t min = limit_of(schema, "minItems"), max = limit_of(schema, "maxItems");
    json_int_t size = (json_int_t)json_array_size(value);

    for (size_t i = 0; json_is_object(items) && i < json_array_size(value) && !spend(check, 1);
         i++) {
        struct place inner = { place, NULL, i };

        check_value(check, items, json_array_get(value, i), &inner);
        if (check->count >= VALIDATION_ERRORS_MAX)
            return;
    }
    if (min >= 0 && size < min)
        add_error(check, place, "array_min_items",
                  "Array must have at least %" JSON_INTEGER_FORMAT " items", min);
    if (max >= 0 && size > max)
        add_error(check, place, "array_max_items",
                  "Array must have at most %" JSON_INTEGER_FORMAT " items", max);
    if (json_is_true(json_object_get(schema, "uniqueItems")))
        check_unique(check, value, place);
}

/* ---- Single values ----------------------------------------------------------------------------
 */

static void add_enum_error(struct check *check, const json_t *allowed, const struct place *place)
{
    struct buf list;

    buf_init(&list, VALIDATION_TEXT_BYTES);
    for (size_t i = 0; i < json_array_size(allowed); i++) {
        if (i > 0)
            buf_append_str(&list, S(", "));
        json_write(json_array_get(allowed, i), true, &list);
    }
    add_error(check, place, "enum", "%s must be one of the following: %.*s", subject(check, place),
              STR_FMT(buf_str(&list)));
    buf_done(&list);
}

static void check_common(struct check *check, const json_t *schema, const json_t *value,
                         const struct place *place)
{
    const json_t *constant = json_object_get(schema, "const");
    const json_t *allowed = json_object_get(schema, "enum");
    const char *format = json_get_string(schema, "format");
    bool found = false;

    if (constant && !same_value(check, constant, value)) {
        struct buf text;

        buf_init(&text, VALIDATION_TEXT_BYTES);
        json_write(constant, true, &text);
        add_error(check, place, "const", "%s does not match: %.*s", subject(check, place),
                  STR_FMT(buf_str(&text)));
        buf_done(&text);
    }
    for (size_t i = 0; !found && i < json_array_size(allowed); i++)
        found = same_value(check, json_array_get(allowed, i), value);
    if (json_is_array(allowed) && !found)
        add_enum_error(check, allowed, place);
    if (format && json_is_string(value) &&
        !validation_format_matches(
            format, (struct str){ json_string_value(value), json_string_length(value) }))
        add_error(check, place, "format", "Does not match format '%s'", format);
}

static void check_string(struct check *check, const json_t *schema, const json_t *value,
                         const struct place *place)
{
    json_int_t min = limit_of(schema, "minLength"), max = limit_of(schema, "maxLength");
    const json_t *pattern = json_object_get(schema, "pattern");
    struct str text = { json_string_value(value), json_string_length(value) };
    json_int_t len = 0;

    for (size_t i = 0; (min >= 0 || max >= 0) && i < text.len; i++)
        len +=
            ((unsigned char)text.ptr[i] & 0xC0) != 0x80; /* code points: not what continues one */
    if (min >= 0 && len < min)
        add_error(check, place, "string_gte",
                  "String length must be greater than or equal to %" JSON_INTEGER_FORMAT, min);
    if (max >= 0 && len > max)
        add_error(check, place, "string_lte",
                  "String length must be less than or equal to %" JSON_INTEGER_FORMAT, max);
    if (json_is_string(pattern) &&
        !validation_pattern_matches(
            (struct str){ json_string_value(pattern), json_string_length(pattern) }, text,
            check->budget))
        add_error(check, place, "pattern", "Does not match pattern '%s'",
                  json_string_value(pattern));
}

/* -1, 0 or 1; exact for two integers. */
static int compare_numbers(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        json_int_t x = json_integer_value(a), y = json_integer_value(b);

        return (x > y) - (x < y);
    }
    return (json_number_value(a) > json_number_value(b)) -
           (json_number_value(a) < json_number_value(b));
}

static bool is_multiple(const json_t *value, const json_t *step)
{
    double quotient;

    /* Every integer is a multiple of 1 and -1; the least integer by -1 cannot be divided. */
    if (json_is_integer(value) && json_is_integer(step))
        return (json_integer_value(step) >= -1 && json_integer_value(step) <= 1) ||
               json_integer_value(value) % json_integer_value(step) == 0;
    if (json_number_value(step) == 0)
        return true;
    quotient = json_number_value(value) / json_number_value(step);
    /* Decimal fractions are not exact in binary: a few units in the last place are forgiven. */
    return fabs(quotient - nearbyint(quotient)) <= 1e-12 * fmax(1.0, fabs(quotient));
}

static void check_number(struct check *check, const json_t *schema, const json_t *value,
                         const struct place *place)
{
    static const struct {
        const char *key, *type, *text;
        int bad; /* the comparison that is wrong, and whether equal is wrong too */
        bool equal_is_bad;
    } rows[] = {
        { "maximum", "number_lte", "Must be less than or equal to %s", 1, false },
        { "exclusiveMaximum", "number_lt", "Must be less than %s", 1, true },
        { "minimum", "number_gte", "Must be greater than or equal to %s", -1, false },
        { "exclusiveMinimum", "number_gt", "Must be greater than %s", -1, true },
    };
    const json_t *step = json_object_get(schema, "multipleOf");
    char text[VALIDATION_NUMBER_SIZE], description[128];

    if (json_is_number(step) && !is_multiple(value, step)) {
        validation_number_text(step, text);
        add_error(check, place, "multiple_of", "Must be a multiple of %s", text);
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const json_t *limit = json_object_get(schema, rows[i].key);
        int order;

        if (!json_is_number(limit))
            continue;
        order = compare_numbers(value, limit);
        if (order != rows[i].bad && !(order == 0 && rows[i].equal_is_bad))
            continue;
        validation_number_text(limit, text);
        /* The row's text has one %s, which stands last. */
        snprintf(description, sizeof(description), "%.*s%s", (int)strlen(rows[i].text) - 2,
                 rows[i].text, text);
        add_error(check, place, rows[i].type, "%s", description);
    }
}

static void check_value(struct check *check, const json_t *schema, const json_t *value,
                        const struct place *place)
{
    if (json_is_false(schema)) {
        add_error(check, place, "false", "False always fails validation");
        return;
    }
    if (spend(check, 1 + json_string_length(value) / VALIDATION_STEP_BYTES) ||
        !json_is_object(schema) || !check_type(check, schema, value, place))
        return;
    check_combinators(check, schema, value, place);
    if (json_is_object(value))
        check_object(check, schema, value, place);
    else if (json_is_array(value))
        check_array(check, schema, value, place);
    check_common(check, schema, value, place);
    if (json_is_string(value))
        check_string(check, schema, value, place);
    else if (json_is_number(value))
        check_number(check, schema, value, place);
    else if (json_is_object(value))
        check_properties(check, schema, value, place);
}

struct validation_error *validation_check(const json_t *schema, const json_t *value,
                                          const char *root, bool names_from_root,
                                          struct arena *arena)
{
    static struct validation_error no_memory = { "internal", "", "Internal Error out of memory",
                                                 NULL };
    static struct validation_error too_much = {
        "internal", "", "Internal Error the values are too many to be checked with this schema",
        NULL
    };
    struct place top = { NULL, NULL, 0 };
    struct validation_budget budget = { 0 };
    struct check check = {
        .arena = arena, .root = root, .names_from_root = names_from_root, .budget = &budget
    };

    check.last = &check.first;
    check_value(&check, schema, value, &top);
    if (spend(&check, 0))
        return &too_much;
    return check.count > 0 && !check.first ? &no_memory : check.first;
}
