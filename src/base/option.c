/* Option tables: one pass per place a value may come from, lowest precedence first (file,
 * environment, command line), each replacing what an earlier pass set.
 *
 * Environment variables are looked up by row, so an unknown MIMEO_ name is not seen here: another
 * command's table may know it. Not here: --help and commands' usage lines (cli/main.c). */
#include "base/option.h"

#include <assert.h>
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/yaml.h"

#define NAME_MAX_LEN 48             /* longest option name, for the variable's name */
#define LIST_MAX 1000               /* values of one repeated option */
#define CONFIG_BYTES_MAX (1u << 20) /* a configuration file */
#define INTEGER_TEXT_SIZE 24

enum origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_LINE };

struct option_value {
    char *text; /* owned; strings and choices; NULL: none */
    int64_t integer;
    bool boolean;
    char **items; /* owned; lists */
    int item_count;
    enum origin origin;
};

struct option_values {
    const struct option_row *rows;
    struct option_value *values; /* as many as rows */
    int row_count;
    char **rest; /* borrowed strings of argv */
    int rest_count;
    int argc;    /* what was read: for another time */
    char **argv; /* borrowed */
    char *config_path;
};

/* ---- Finding rows ---------------------------------------------------------------------------- */

static int row_find(const struct option_values *values, struct str name)
{
    for (int i = 0; i < values->row_count; i++)
        if (str_equal(str_from(values->rows[i].name), name))
            return i;
    return -1;
}

static int row_find_letter(const struct option_values *values, char letter)
{
    for (int i = 0; i < values->row_count; i++)
        if (letter != 0 && values->rows[i].letter == letter)
            return i;
    return -1;
}

/* Edit distance of two short names; more than NAME_MAX_LEN characters count as far apart. */
static size_t name_distance(struct str a, struct str b)
{
    size_t row[NAME_MAX_LEN + 1];

    if (a.len > NAME_MAX_LEN || b.len > NAME_MAX_LEN)
        return NAME_MAX_LEN;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b.len];
}

/* The known name a misspelt one probably meant; NULL when none is near. */
static const char *row_nearest(const struct option_values *values, struct str name)
{
    const char *nearest = NULL;
    size_t nearest_distance = name.len / 3 + 2;

    for (int i = 0; i < values->row_count; i++) {
        struct str known = str_from(values->rows[i].name);
        size_t distance = name_distance(name, known);
        if (name.len >= 3 && str_starts(known, name))
            distance = 1;
        if (distance < nearest_distance) {
            nearest = values->rows[i].name;
            nearest_distance = distance;
        }
    }
    return nearest;
}

static bool unknown_option(const struct option_values *values, const char *prefix, struct str name,
                           struct err *err)
{
    const char *nearest = row_nearest(values, name);

    if (nearest != NULL)
        return err_set(err, ERR_INVALID, "unknown option '%s%.*s'; did you mean '%s%s'?", prefix,
                       (int)(name.len < 80 ? name.len : 80), name.ptr, prefix, nearest);
    return err_set(err, ERR_INVALID, "unknown option '%s%.*s'", prefix,
                   (int)(name.len < 80 ? name.len : 80), name.ptr);
}

/* ---- Setting values -------------------------------------------------------------------------- */

static bool text_replace(char **text, struct str s, struct err *err)
{
    char *copy = strndup(s.len > 0 ? s.ptr : "", s.len);

    if (copy == NULL)
        return err_set(err, ERR_NO_MEMORY, "memory is short");
    free(*text);
    *text = copy;
    return true;
}

static void list_clear(struct option_value *value)
{
    for (int i = 0; i < value->item_count; i++)
        free(value->items[i]);
    free(value->items);
    value->items = NULL;
    value->item_count = 0;
}

static bool list_append(struct option_value *value, const char *name, struct str s, struct err *err)
{
    if (value->item_count >= LIST_MAX)
        return err_set(err, ERR_INVALID, "--%s is given more than %d times", name, LIST_MAX);
    char **items = realloc(value->items, (size_t)(value->item_count + 1) * sizeof(items[0]));
    if (items == NULL)
        return err_set(err, ERR_NO_MEMORY, "memory is short");
    value->items = items;
    items[value->item_count] = NULL;
    if (!text_replace(&items[value->item_count], s, err))
        return false;
    value->item_count++;
    return true;
}

static bool integer_set(const struct option_row *row, struct option_value *value, struct str text,
                        const char *shown, struct err *err)
{
    int64_t integer = 0;

    if (!str_to_int64(text, &integer))
        return err_set(err, ERR_INVALID, "%s must be an integer, not '%.*s'", shown,
                       (int)(text.len < 40 ? text.len : 40), text.ptr);
    if ((row->min != 0 || row->max != 0) && (integer < row->min || integer > row->max))
        return err_set(err, ERR_INVALID, "%s must be between %lld and %lld", shown,
                       (long long)row->min, (long long)row->max);
    value->integer = integer;
    return true;
}

static bool boolean_set(struct option_value *value, struct str text, const char *shown,
                        struct err *err)
{
    static const char *const yes[] = { "true", "yes", "on", "1" };
    static const char *const no[] = { "false", "no", "off", "0" };

    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (str_equal_nocase(text, str_from(yes[i])) || str_equal_nocase(text, str_from(no[i]))) {
            value->boolean = str_equal_nocase(text, str_from(yes[i]));
            return true;
        }
    }
    return err_set(err, ERR_INVALID, "%s must be true or false", shown);
}

static bool choice_set(const struct option_row *row, struct option_value *value, struct str text,
                       const char *shown, struct err *err)
{
    char list[160];
    struct buf choices;

    for (int i = 0; row->choices[i] != NULL; i++)
        if (str_equal(text, str_from(row->choices[i])))
            return text_replace(&value->text, text, err);
    buf_init(&choices, sizeof(list));
    for (int i = 0; row->choices[i] != NULL; i++)
        buf_printf(&choices, "%s%s", i == 0 ? "" : ", ", row->choices[i]);
    str_copy(buf_str(&choices), list, sizeof(list));
    buf_done(&choices);
    return err_set(err, ERR_INVALID, "%s must be one of %s", shown, list);
}

/* `shown`: how the user wrote the option ("--listen", "MIMEO_LISTEN"), for messages. */
static bool value_set(struct option_values *values, int index, struct str text, enum origin origin,
                      const char *shown, struct err *err)
{
    const struct option_row *row = &values->rows[index];
    struct option_value *value = &values->values[index];
    bool ok = true;

    switch (row->type) {
    case OPTION_STRING:
        ok = text_replace(&value->text, text, err);
        break;
    case OPTION_INTEGER:
        ok = integer_set(row, value, text, shown, err);
        break;
    case OPTION_BOOLEAN:
        ok = boolean_set(value, text, shown, err);
        break;
    case OPTION_CHOICE:
        ok = choice_set(row, value, text, shown, err);
        break;
    case OPTION_LIST:
        if (value->origin != origin) /* a higher place replaces a lower one's list */
            list_clear(value);
        ok = list_append(value, row->name, text, err);
        break;
    }
    if (ok)
        value->origin = origin;
    return ok;
}

static bool defaults_set(struct option_values *values, struct err *err)
{
    for (int i = 0; i < values->row_count; i++) {
        const char *fallback = values->rows[i].fallback;
        if (fallback != NULL &&
            !value_set(values, i, str_from(fallback), ORIGIN_DEFAULT, values->rows[i].name, err))
            return false;
    }
    return true;
}

/* ---- Configuration file ---------------------------------------------------------------------- */

static bool config_scalar_set(struct option_values *values, int index, const json_t *scalar,
                              const char *path, struct err *err)
{
    const char *name = values->rows[index].name;
    char number[INTEGER_TEXT_SIZE];
    struct str text;

    if (json_is_string(scalar)) {
        text = (struct str){ json_string_value(scalar), json_string_length(scalar) };
    } else if (json_is_integer(scalar)) {
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(scalar));
        text = str_from(number);
    } else if (json_is_boolean(scalar)) {
        text = json_is_true(scalar) ? S("true") : S("false");
    } else {
        return err_set(err, ERR_INVALID, "%s: '%s' must be a plain value", path, name);
    }
    if (!value_set(values, index, text, ORIGIN_FILE, name, err))
        return err_while(err, "reading '%s'", path);
    return true;
}

static bool config_member_set(struct option_values *values, const char *key, const json_t *member,
                              const char *path, struct err *err)
{
    int index = row_find(values, str_from(key));

    if (index < 0) {
        unknown_option(values, "", str_from(key), err);
        return err_while(err, "reading '%s'", path);
    }
    if (json_is_null(member))
        return true;
    if (!json_is_array(member) || values->rows[index].type != OPTION_LIST)
        return config_scalar_set(values, index, member, path, err);
    for (size_t i = 0; i < json_array_size(member); i++)
        if (!config_scalar_set(values, index, json_array_get(member, i), path, err))
            return false;
    return true;
}

static bool config_apply(struct option_values *values, const json_t *root, const char *path,
                         struct err *err)
{
    const char *key;
    json_t *member;

    if (json_is_null(root))
        return true;
    if (!json_is_object(root))
        return err_set(err, ERR_INVALID, "%s must hold `name: value` lines", path);
    json_object_foreach(
        (json_t *)root, key,
        member) if (!config_member_set(values, key, member, path, err)) return false;
    return true;
}

static bool config_read(struct option_values *values, const char *path, struct err *err)
{
    struct buf text;
    json_t *root = NULL;

    buf_init(&text, CONFIG_BYTES_MAX);
    bool ok = file_read(path, &text, err) && yaml_parse(buf_str(&text), &root, err);
    if (!ok)
        err_while(err, "reading the configuration '%s'", path);
    ok = ok && config_apply(values, root, path, err);
    json_decref(root);
    buf_done(&text);
    return ok;
}

/* ---- Environment ----------------------------------------------------------------------------- */

static bool variable_apply(struct option_values *values, int index, struct str text,
                           const char *variable, struct err *err)
{
    struct str head;

    if (values->rows[index].type != OPTION_LIST)
        return value_set(values, index, text, ORIGIN_ENVIRONMENT, variable, err);
    while (str_cut(text, ',', &head, &text))
        if (!value_set(values, index, str_trim(head), ORIGIN_ENVIRONMENT, variable, err))
            return false;
    return value_set(values, index, str_trim(text), ORIGIN_ENVIRONMENT, variable, err);
}

/* "trusted-proxies" is MIMEO_TRUSTED_PROXIES. An empty variable counts as none. */
static bool environment_read(struct option_values *values, struct err *err)
{
    char variable[NAME_MAX_LEN + 8];

    for (int i = 0; i < values->row_count; i++) {
        const char *name = values->rows[i].name;
        snprintf(variable, sizeof(variable), "MIMEO_%s", name);
        for (char *c = variable; *c != 0; c++)
            *c = (char)(*c == '-' ? '_' : toupper((unsigned char)*c));
        const char *text = getenv(variable);
        if (text != NULL && text[0] != 0 &&
            !variable_apply(values, i, str_from(text), variable, err))
            return false;
    }
    return true;
}

/* ---- Command line ---------------------------------------------------------------------------- */

struct line {
    int argc;
    char **argv;
    int at; /* the argument being read; moved on when an option takes the next one */
};

static bool option_take_value(struct option_values *values, int index, struct line *line,
                              const char *shown, struct err *err)
{
    if (line->at + 1 >= line->argc)
        return err_set(err, ERR_INVALID, "%s needs a value (%s)", shown,
                       values->rows[index].value != NULL ? values->rows[index].value : "VALUE");
    line->at++;
    return value_set(values, index, str_from(line->argv[line->at]), ORIGIN_LINE, shown, err);
}

static bool long_option_read(struct option_values *values, struct line *line, struct err *err)
{
    char shown[NAME_MAX_LEN + 3];
    struct str name = str_skip(str_from(line->argv[line->at]), 2);
    struct str text = { NULL, 0 };
    bool has_text = str_cut(name, '=', &name, &text);
    int index = row_find(values, name);

    if (index < 0 && !has_text && str_starts(name, S("no-"))) {
        int positive = row_find(values, str_skip(name, 3));
        if (positive >= 0 && values->rows[positive].type == OPTION_BOOLEAN)
            return value_set(values, positive, S("false"), ORIGIN_LINE, "--no-", err);
    }
    if (index < 0)
        return unknown_option(values, "--", name, err);
    snprintf(shown, sizeof(shown), "--%s", values->rows[index].name);
    if (has_text)
        return value_set(values, index, text, ORIGIN_LINE, shown, err);
    if (values->rows[index].type == OPTION_BOOLEAN)
        return value_set(values, index, S("true"), ORIGIN_LINE, shown, err);
    return option_take_value(values, index, line, shown, err);
}

/* "-o value" and "-ovalue"; letters of booleans are not bundled: few commands have two. */
static bool short_option_read(struct option_values *values, struct line *line, struct err *err)
{
    const char *argument = line->argv[line->at];
    char shown[3] = { '-', argument[1], 0 };
    int index = row_find_letter(values, argument[1]);

    if (index < 0)
        return err_set(err, ERR_INVALID, "unknown option '%s'", shown);
    if (values->rows[index].type == OPTION_BOOLEAN && argument[2] == 0)
        return value_set(values, index, S("true"), ORIGIN_LINE, shown, err);
    if (argument[2] != 0)
        return value_set(values, index, str_from(argument + 2), ORIGIN_LINE, shown, err);
    return option_take_value(values, index, line, shown, err);
}

static bool line_read(struct option_values *values, int argc, char **argv, struct err *err)
{
    struct line line = { argc, argv, 1 };
    bool options = true;

    for (; line.at < argc; line.at++) {
        const char *argument = argv[line.at];
        if (!options || argument[0] != '-' || argument[1] == 0) {
            values->rest[values->rest_count++] = argv[line.at];
        } else if (strcmp(argument, "--") == 0) {
            options = false;
        } else if (argument[1] == '-') {
            if (!long_option_read(values, &line, err))
                return false;
        } else if (!short_option_read(values, &line, err)) {
            return false;
        }
    }
    return true;
}

/* ---- The interface --------------------------------------------------------------------------- */

static struct option_values *values_new(const struct option_row *rows, int argc, char **argv,
                                        const char *config_path)
{
    struct option_values *values = calloc(1, sizeof(*values));

    if (values == NULL)
        return NULL;
    values->rows = rows;
    values->argc = argc;
    values->argv = argv;
    values->config_path = config_path != NULL ? strdup(config_path) : NULL;
    while (rows[values->row_count].name != NULL) {
        assert(strlen(rows[values->row_count].name) <= NAME_MAX_LEN);
        values->row_count++;
    }
    values->values = calloc((size_t)values->row_count + 1, sizeof(values->values[0]));
    values->rest = calloc((size_t)argc + 1, sizeof(values->rest[0]));
    if (values->values == NULL || values->rest == NULL ||
        (config_path != NULL && values->config_path == NULL)) {
        option_values_free(values);
        return NULL;
    }
    return values;
}

bool option_parse(const struct option_row *rows, int argc, char **argv, const char *config_path,
                  struct option_values **ret_values, int *ret_argc, char ***ret_argv,
                  struct err *err)
{
    struct option_values *values = values_new(rows, argc, argv, config_path);

    if (values == NULL)
        return err_set(err, ERR_NO_MEMORY, "memory is short");
    bool ok = defaults_set(values, err) &&
              (config_path == NULL || config_read(values, config_path, err)) &&
              environment_read(values, err) && line_read(values, argc, argv, err);
    if (!ok) {
        option_values_free(values);
        return false;
    }
    *ret_values = values;
    *ret_argc = values->rest_count;
    *ret_argv = values->rest;
    return true;
}

bool option_parse_again(const struct option_values *values, struct option_values **ret_values,
                        struct err *err)
{
    char **rest;
    int rest_count;

    return option_parse(values->rows, values->argc, values->argv, values->config_path, ret_values,
                        &rest_count, &rest, err);
}

void option_values_free(struct option_values *values)
{
    if (values == NULL)
        return;
    for (int i = 0; values->values != NULL && i < values->row_count; i++) {
        free(values->values[i].text);
        list_clear(&values->values[i]);
    }
    free(values->values);
    free(values->rest);
    free(values->config_path);
    free(values);
}

static const struct option_value *value_of(const struct option_values *values, const char *name,
                                           unsigned types)
{
    int index = row_find(values, str_from(name));

    assert(index >= 0 && (types & 1u << values->rows[index].type) != 0);
    (void)types;
    return &values->values[index];
}

const char *option_string(const struct option_values *values, const char *name)
{
    return value_of(values, name, 1u << OPTION_STRING | 1u << OPTION_CHOICE)->text;
}

int64_t option_integer(const struct option_values *values, const char *name)
{
    return value_of(values, name, 1u << OPTION_INTEGER)->integer;
}

bool option_boolean(const struct option_values *values, const char *name)
{
    return value_of(values, name, 1u << OPTION_BOOLEAN)->boolean;
}

int option_list_count(const struct option_values *values, const char *name)
{
    return value_of(values, name, 1u << OPTION_LIST)->item_count;
}

const char *option_list_at(const struct option_values *values, const char *name, int index)
{
    const struct option_value *value = value_of(values, name, 1u << OPTION_LIST);

    assert(index >= 0 && index < value->item_count);
    return value->items[index];
}

bool option_given(const struct option_values *values, const char *name)
{
    return value_of(values, name, UINT_MAX)->origin != ORIGIN_DEFAULT;
}

static void help_print_notes(const struct option_row *row, FILE *out)
{
    if (row->type == OPTION_CHOICE) {
        fputs(" (", out);
        for (int i = 0; row->choices[i] != NULL; i++)
            fprintf(out, "%s%s", i == 0 ? "" : ", ", row->choices[i]);
        fputc(')', out);
    }
    if (row->type == OPTION_LIST)
        fputs(" (may be repeated)", out);
    if (row->fallback != NULL && row->type != OPTION_BOOLEAN && !row->secret)
        fprintf(out, " [%s]", row->fallback);
}

void option_print_help(const struct option_row *rows, FILE *out)
{
    for (const struct option_row *row = rows; row->name != NULL; row++) {
        char letter[8] = "    ";
        char left[64];
        if (row->letter != 0)
            snprintf(letter, sizeof(letter), "-%c, ", row->letter);
        snprintf(left, sizeof(left), "%s--%s%s%s", letter, row->name, row->value ? " " : "",
                 row->value != NULL ? row->value : "");
        fprintf(out, "  %-34s ", left);
        if (strlen(left) > 34)
            fprintf(out, "\n  %-34s ", "");
        fputs(row->help, out);
        help_print_notes(row, out);
        fputc('\n', out);
    }
}
