#include "api/token_render.h"

#include <string.h>

#include "account/tokens.h"
#include "base/clock.h"
#include "base/json.h"

#define TIME_DIGITS 3

static void write_text(const char *key, const char *text, struct buf *out)
{
    buf_printf(out, ",\"%s\":", key);
    json_write_string(str_from(text), out);
}

static void write_number(const char *key, int number, struct buf *out)
{
    if (number > 0)
        buf_printf(out, ",\"%s\":%d", key, number);
    else
        buf_printf(out, ",\"%s\":null", key);
}

static void write_time(const char *key, int64_t unix_us, struct buf *out)
{
    char text[CLOCK_TEXT_SIZE];

    if (unix_us == 0) {
        buf_printf(out, ",\"%s\":null", key);
        return;
    }
    clock_format(unix_us, TIME_DIGITS, true, text);
    buf_printf(out, ",\"%s\":\"%s\"", key, text);
}

static void write_flag(const char *key, bool flag, struct buf *out)
{
    buf_printf(out, ",\"%s\":%s", key, flag ? "true" : "false");
}

static void write_scopes(unsigned scopes, struct buf *out)
{
    const char *separator = "";

    buf_append_str(out, S(",\"scopes\":["));
    for (int i = 0; i < TOKENS_SCOPE_COUNT; i++)
        if (scopes & 1u << i) {
            buf_printf(out, "%s\"%s\"", separator, tokens_scope_name(i));
            separator = ",";
        }
    buf_append_char(out, ']');
}

void token_render(const struct store_token *token, const char *current, const char *text,
                  bool with_account, struct buf *out)
{
    buf_append_str(out, S("{\"id\":"));
    json_write_string(str_from(token->id), out);
    write_text("name", token->name, out);
    write_text("starts", token->prefix, out);
    write_scopes(token->scopes, out);
    write_number("creates_per_minute", token->creates_per_minute, out);
    write_number("predictions_per_day", token->predictions_per_day, out);
    write_time("created_at", token->created_us, out);
    write_time("expires_at", token->expires_us, out);
    write_time("last_used_at", token->last_used_us, out);
    write_flag("current", current && strcmp(current, token->id) == 0, out);
    write_flag("session", token->kind == STORE_TOKEN_SESSION, out);
    if (text)
        write_text("token", text, out);
    if (with_account)
        write_text("account", token->account, out);
    buf_append_char(out, '}');
}
