/* What may be a webhook's URL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "webhook/webhook.h"

static void urls_of_receivers_pass(void **state)
{
    static const char *const urls[] = {
        "https://example.com/webhook",
        "http://example.com",
        "HTTPS://Example.COM:8443/a?b=c&d=%20#e",
        "https://example.com?x=1",
        "http://127.0.0.1:3000/hook",
        "http://[::1]:80/",
        "https://xn--bcher-kva.example/gr\xc3\xbc\xc3\x9f",
        "https://a-b.example.com/path/with;many,parts/(1)/~x/@y",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(urls); i++)
        assert_true(webhook_url_check(str_from(urls[i]), NULL));
}

static void other_texts_are_refused_with_a_sentence(void **state)
{
    static const char *const urls[] = {
        "http://ex\xc3\xa4mple.com/",
        "",
        "example.com",
        "/hook",
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https:/example.com",
        "https://",
        "https:///path",
        "https://:80/",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:8o/",
        "https://example.com:-1/",
        "https://user:password@example.com/",
        "https://example.com@evil.example/",
        "https://exa mple.com/",
        "https://example.com/\n",
        "https://example.com/\x01",
        "https://example.com\\@evil.example/",
        "https://[::1/",
        "https://[]/",
        "https://[::1]x/",
        "https://example.com/\xff",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct err err = { 0 };

        assert_false(webhook_url_check(str_from(urls[i]), &err));
        assert_int_equal(err.kind, ERR_INVALID);
        assert_true(err.detail[0] != '\0');
    }
}

static void a_url_has_a_limit(void **state)
{
    char url[8192];

    (void)state;
    memset(url, 'a', sizeof(url));
    memcpy(url, "https://example.com/", 20);
    assert_true(webhook_url_check((struct str){ url, 2048 }, NULL));
    assert_false(webhook_url_check((struct str){ url, sizeof(url) }, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_of_receivers_pass),
        cmocka_unit_test(other_texts_are_refused_with_a_sentence),
        cmocka_unit_test(a_url_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
