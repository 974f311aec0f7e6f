/* Signatures and secrets of webhooks: the published vector, what a secret looks like, rotation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/file.h"
#include "store/store.h"
#include "webhook/webhook_private.h"

static void the_published_vector_is_signed_as_published(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 256);
    assert_true(webhook_sign(S("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
                             S("msg_p5jXN8AQM9LWM0D4loKWxJek"), S("1614265330"),
                             S("{\"test\": 2432232314}"), &out));
    assert_string_equal(out.ptr, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    buf_done(&out);
}

static void a_malformed_secret_signs_nothing(void **state)
{
    static const char *const secrets[] = { "", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                           "whsec_!!!!", "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" };
    struct buf out;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        buf_init(&out, 256);
        assert_false(webhook_sign(str_from(secrets[i]), S("a"), S("1"), S("{}"), &out));
        buf_done(&out);
    }
}

/* Verifiers split at the underscore, and two of them want exactly one. */
static void assert_secret(const char *secret)
{
    struct buf key;

    assert_int_equal(strlen(secret), 38);
    assert_true(str_starts(str_from(secret), S("whsec_")));
    assert_null(strchr(secret + 6, '_'));
    assert_null(strchr(secret + 6, '-'));
    buf_init(&key, 64);
    assert_true(base64_decode(str_from(secret + 6), BASE64_STANDARD, &key));
    assert_int_equal(key.len, 24);
    buf_done(&key);
}

static int signatures(struct store *store, const char *account, struct buf *out)
{
    int count = 1;

    buf_clear(out);
    assert_true(secret_sign(store, account, S("msg_1"), S("1"), S("{}"), out, NULL));
    for (size_t i = 0; i < out->len; i++)
        count += out->ptr[i] == ' ';
    return count;
}

static void after_a_rotation_both_secrets_sign(void **state)
{
    char folder[] = "/tmp/mimeo-webhook-XXXXXX", location[64];
    char first[WEBHOOK_SECRET_SIZE], second[WEBHOOK_SECRET_SIZE], other[WEBHOOK_SECRET_SIZE];
    struct buf out, old;
    struct store *store;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(location, sizeof(location), "sqlite:%s/db", folder);
    assert_true(store_open(location, &store, NULL));
    assert_true(webhook_secret(store, "acme", false, first, NULL));
    assert_secret(first);
    assert_true(webhook_secret(store, "acme", false, second, NULL));
    assert_string_equal(first, second);
    assert_true(webhook_secret(store, "other", false, other, NULL));
    assert_string_not_equal(first, other);
    buf_init(&out, 512);
    buf_init(&old, 256);
    assert_int_equal(signatures(store, "acme", &out), 1);
    assert_true(webhook_secret(store, "acme", true, second, NULL));
    assert_secret(second);
    assert_string_not_equal(first, second);
    assert_int_equal(signatures(store, "acme", &out), 2);
    assert_true(webhook_sign(str_from(first), S("msg_1"), S("1"), S("{}"), &old));
    assert_true(str_ends(buf_str(&out), buf_str(&old)));
    /* Of two rotations in a row, the one before last signs no more. */
    assert_true(webhook_secret(store, "acme", true, first, NULL));
    assert_int_equal(signatures(store, "acme", &out), 2);
    assert_true(str_find(buf_str(&out), buf_str(&old)) < 0);
    assert_int_equal(signatures(store, "other", &out), 1);
    buf_done(&out);
    buf_done(&old);
    store_close(store);
    assert_true(file_remove_tree(folder, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vector_is_signed_as_published),
        cmocka_unit_test(a_malformed_secret_signs_nothing),
        cmocka_unit_test(after_a_rotation_both_secrets_sign),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
