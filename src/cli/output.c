/* Names, downloads, and reading progress out of logs. */
#include "cli/output.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/connect.h"

static bool is_link(const json_t *value)
{
    struct str text = { json_string_value(value), json_string_length(value) };

    return json_is_string(value) &&
           (str_starts(text, S("http://")) || str_starts(text, S("https://")) ||
            str_starts(text, S("data:")));
}

/* ".png" for "data:image/png;base64,..." */
static const char *data_ending(const char *url)
{
    static const char *const endings[][2] = {
        { "data:image/png", ".png" },   { "data:image/jpeg", ".jpg" },
        { "data:image/webp", ".webp" }, { "data:image/gif", ".gif" },
        { "data:text/plain", ".txt" },  { "data:application/json", ".json" },
    };

    for (size_t i = 0; i < ARRAY_LEN(endings); i++)
        if (str_starts(str_from(url), str_from(endings[i][0])))
            return endings[i][1];
    return ".bin";
}

/* The last part of the link's path, of plain characters only: it becomes a file name here. */
static void link_name(const char *url, int index, char *ret_name, size_t size)
{
    size_t end = strcspn(url, "?#"), start = end;

    while (start > 0 && url[start - 1] != '/')
        start--;
    size_t len = end - start;
    bool plain = len > 0 && len < size && url[start] != '.';
    for (size_t i = start; plain && i < end; i++)
        plain = isalnum((unsigned char)url[i]) || strchr("._-", url[i]) != NULL;
    if (plain && strncmp(url, "data:", 5) != 0)
        snprintf(ret_name, size, "%.*s", (int)len, url + start);
    else
        snprintf(ret_name, size, "out-%d%s", index,
                 strncmp(url, "data:", 5) == 0 ? data_ending(url) : ".bin");
}

bool output_name(const char *given, const char *url, int index, int count, char *ret_path,
                 size_t size)
{
    int len;

    if (given == NULL) {
        link_name(url, index, ret_path, size);
        return true;
    }
    const char *slash = strrchr(given, '/');
    const char *dot = strrchr(given, '.');
    if (dot == NULL || (slash != NULL && dot < slash))
        dot = given + strlen(given);
    if (count == 1)
        len = snprintf(ret_path, size, "%s", given);
    else
        len = snprintf(ret_path, size, "%.*s-%d%s", (int)(dot - given), given, index, dot);
    return len >= 0 && (size_t)len < size;
}

static bool link_save(struct mimeo_client *client, const char *url, const char *given, int index,
                      int count, struct mimeo_error *error)
{
    char path[4096];

    if (!output_name(given, url, index, count, path, sizeof(path))) {
        *error = (struct mimeo_error){ .detail = "the output's path is too long" };
        return false;
    }
    if (!mimeo_output_download(client, url, path, error))
        return false;
    printf("%s\n", path);
    return true;
}

static bool array_is(const json_t *array, bool (*test)(const json_t *value))
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (!test(json_array_get(array, i)))
            return false;
    return json_array_size(array) > 0;
}

static bool is_text(const json_t *value)
{
    return json_is_string(value);
}

bool output_save(struct mimeo_client *client, const json_t *output, const char *given,
                 struct mimeo_error *error)
{
    int count = (int)json_array_size(output);

    if (is_link(output))
        return link_save(client, json_string_value(output), given, 0, 1, error);
    if (array_is(output, is_link)) {
        for (int i = 0; i < count; i++)
            if (!link_save(client, json_string_value(json_array_get(output, (size_t)i)), given, i,
                           count, error))
                return false;
    } else if (json_is_string(output)) {
        puts(json_string_value(output));
    } else if (array_is(output, is_text)) { /* a language model's pieces */
        for (int i = 0; i < count; i++)
            fputs(json_string_value(json_array_get(output, (size_t)i)), stdout);
        putchar('\n');
    } else if (output != NULL && !json_is_null(output)) {
        connect_print_json(output);
    }
    return true;
}

int output_progress_percent(const char *logs)
{
    int percent = -1;

    for (const char *sign = strstr(logs, "%|"); sign != NULL; sign = strstr(sign + 2, "%|")) {
        const char *start = sign;
        int value = 0;
        while (start > logs && sign - start < 3 && isdigit((unsigned char)start[-1]))
            start--;
        for (const char *digit = start; digit < sign; digit++)
            value = value * 10 + (*digit - '0');
        if (start < sign && value <= 100)
            percent = value;
    }
    return percent;
}
