/* Secrets and signatures: Standard Webhooks 1.0.
 *
 * An account's secret is one setting of the store, "<secret>" or, after a rotation, "<secret> <old
 * secret> <when the old one ends, Unix seconds>": so the two change together. */
#include "webhook/webhook_private.h"

#include <stdio.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "store/store.h"

#define PREFIX "whsec_"
#define SECRET_LEN 38    /* PREFIX and 32 characters */
#define KEY_BYTES 24     /* as all of Replicate's have */
#define KEY_BYTES_MAX 64 /* Standard Webhooks' longest */
#define OLD_SIGNS_S INT64_C(86400)
#define SETTING_BYTES_MAX 160
#define ARENA_BYTES_MAX (64u << 10)

bool webhook_sign(struct str secret, struct str id, struct str timestamp, struct str body,
                  struct buf *out)
{
    unsigned char code[HASH_SHA256_BYTES];
    struct buf key, text;
    bool ok;

    buf_init(&key, KEY_BYTES_MAX);
    buf_init(&text, id.len + timestamp.len + body.len + 2);
    ok = str_starts(secret, S(PREFIX)) &&
         base64_decode(str_skip(secret, sizeof(PREFIX) - 1), BASE64_STANDARD, &key) && key.len > 0;
    buf_append_str(&text, id);
    buf_append_char(&text, '.');
    buf_append_str(&text, timestamp);
    buf_append_char(&text, '.');
    ok = buf_append_str(&text, body) && ok;
    if (ok) {
        hash_hmac_sha256(buf_str(&key), buf_str(&text), code);
        buf_append_str(out, S("v1,"));
        ok = base64_encode((struct str){ (const char *)code, sizeof(code) }, BASE64_STANDARD, out);
    }
    buf_done(&key);
    buf_done(&text);
    return ok;
}

/* ---- The setting ------------------------------------------------------------------------------
 */

struct secrets {
    char now[WEBHOOK_SECRET_SIZE];
    char old[WEBHOOK_SECRET_SIZE]; /* "": none */
    int64_t old_ends_s;
};

static bool parse(struct str text, struct secrets *ret_secrets)
{
    struct str now = text, old = { NULL, 0 }, rest, ends;
    struct secrets secrets = { 0 };

    if (str_cut(text, ' ', &now, &rest) &&
        (!str_cut(rest, ' ', &old, &ends) || !str_to_int64(ends, &secrets.old_ends_s)))
        return false;
    if (!str_starts(now, S(PREFIX)) || !str_copy(now, secrets.now, sizeof(secrets.now)) ||
        !str_copy(old, secrets.old, sizeof(secrets.old)))
        return false;
    *ret_secrets = secrets;
    return true;
}

static bool setting_name(const char *account, char ret_name[SETTING_BYTES_MAX], struct err *err)
{
    if (snprintf(ret_name, SETTING_BYTES_MAX, "webhook_secret:%s", account) >= SETTING_BYTES_MAX)
        return err_set(err, ERR_INVALID, "the account's name is too long");
    return true;
}

static bool load(struct store *store, const char *account, struct secrets *ret_secrets,
                 struct err *err)
{
    char name[SETTING_BYTES_MAX];
    struct arena arena;
    struct str value;
    bool ok;

    if (!setting_name(account, name, err))
        return false;
    arena_init(&arena, ARENA_BYTES_MAX);
    ok = store_setting_get(store, name, &arena, &value, err);
    if (ok && !parse(value, ret_secrets))
        ok = err_set(err, ERR_INTERNAL, "the stored webhook secret is damaged");
    arena_done(&arena);
    return ok;
}

static bool make_secret(char ret_secret[WEBHOOK_SECRET_SIZE])
{
    unsigned char key[KEY_BYTES];
    struct buf text;
    bool ok;

    id_random_bytes(key, sizeof(key));
    buf_init(&text, WEBHOOK_SECRET_SIZE);
    buf_append_str(&text, S(PREFIX));
    ok = base64_encode((struct str){ (const char *)key, sizeof(key) }, BASE64_STANDARD, &text) &&
         text.len == SECRET_LEN && str_copy(buf_str(&text), ret_secret, WEBHOOK_SECRET_SIZE);
    buf_done(&text);
    return ok;
}

/* old: what was there, or NULL when there must be nothing yet. */
static bool put(struct store *store, const char *account, const struct secrets *old,
                struct err *err)
{
    struct store_write write = { .kind = STORE_SETTING_PUT };
    char name[SETTING_BYTES_MAX], made[WEBHOOK_SECRET_SIZE], text[SETTING_BYTES_MAX];

    if (!setting_name(account, name, err))
        return false;
    if (!make_secret(made))
        return err_set(err, ERR_NO_MEMORY, "not enough memory for a secret");
    if (old)
        snprintf(text, sizeof(text), "%s %s %lld", made, old->now,
                 (long long)(clock_now_us() / 1000000 + OLD_SIGNS_S));
    else
        snprintf(text, sizeof(text), "%s", made);
    write.setting.name = name;
    write.setting.value = str_from(text);
    write.setting.only_if_absent = !old;
    return store_write_wait(store, &write, err);
}

static bool load_or_make(struct store *store, const char *account, struct secrets *ret_secrets,
                         struct err *err)
{
    struct err missing = { 0 };

    if (load(store, account, ret_secrets, &missing))
        return true;
    if (missing.kind != ERR_NOT_FOUND) {
        if (err)
            *err = missing;
        return false;
    }
    return put(store, account, NULL, err) && load(store, account, ret_secrets, err);
}

bool webhook_secret(struct store *store, const char *account, bool rotate,
                    char ret_secret[WEBHOOK_SECRET_SIZE], struct err *err)
{
    struct secrets secrets;

    if (!load_or_make(store, account, &secrets, err))
        return false;
    if (rotate && (!put(store, account, &secrets, err) || !load(store, account, &secrets, err)))
        return false;
    str_copy(str_from(secrets.now), ret_secret, WEBHOOK_SECRET_SIZE);
    return true;
}

bool secret_sign(struct store *store, const char *account, struct str id, struct str timestamp,
                 struct str body, struct buf *out, struct err *err)
{
    struct secrets secrets;
    bool ok;

    if (!load_or_make(store, account, &secrets, err))
        return false;
    ok = webhook_sign(str_from(secrets.now), id, timestamp, body, out);
    if (ok && secrets.old[0] && secrets.old_ends_s > clock_now_us() / 1000000)
        ok = buf_append_char(out, ' ') &&
             webhook_sign(str_from(secrets.old), id, timestamp, body, out);
    return ok || err_set(err, ERR_INTERNAL, "a webhook could not be signed");
}
