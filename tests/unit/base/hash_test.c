/* Digests against published vectors; hexadecimal and base64 both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/id.h"

static void assert_hex(const unsigned char *bytes, size_t len, const char *expected)
{
    char text[2 * HASH_SHA256_BYTES + 1];
    hash_hex(bytes, len, text);
    assert_string_equal(text, expected);
}

static void digests_match_published_vectors(void **state)
{
    (void)state;
    unsigned char digest[HASH_SHA256_BYTES], md5[HASH_MD5_BYTES];
    hash_sha256(S("abc"), digest);
    assert_hex(digest, sizeof digest,
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash_sha256((struct str){ NULL, 0 }, digest);
    assert_hex(digest, sizeof digest,
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hash_hmac_sha256(S("Jefe"), S("what do ya want for nothing?"), digest); /* RFC 4231, case 2 */
    assert_hex(digest, sizeof digest,
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    hash_hmac_sha256((struct str){ NULL, 0 }, (struct str){ NULL, 0 }, digest);
    assert_hex(digest, sizeof digest,
               "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    struct hash_stream *stream = hash_stream_new();
    hash_stream_update(stream, S("a"));
    hash_stream_update(stream, S(""));
    hash_stream_update(stream, S("bc"));
    hash_stream_finish(stream, digest, md5);
    assert_hex(digest, sizeof digest,
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_hex(md5, sizeof md5, "900150983cd24fb0d6963f7d28e17f72");
    hash_stream_finish(hash_stream_new(), NULL, NULL);
    hash_stream_finish(NULL, digest, md5);
}

static void hex_reads_back(void **state)
{
    (void)state;
    unsigned char bytes[3] = { 9, 9, 9 };
    assert_true(hash_from_hex(S("00fFa5"), bytes, 3));
    assert_true(bytes[0] == 0 && bytes[1] == 0xff && bytes[2] == 0xa5);
    static const char *const wrong[] = { "", "00ff", "00ffa", "00ffa5aa", "00fg00", "00ff 0" };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(hash_from_hex(str_from(wrong[i]), bytes, 3));
    assert_int_equal(bytes[2], 0xa5);
}

static void base64_matches_rfc_4648(void **state)
{
    (void)state;
    static const char *const pairs[][2] = { { "", "" },
                                            { "f", "Zg==" },
                                            { "fo", "Zm8=" },
                                            { "foo", "Zm9v" },
                                            { "foob", "Zm9vYg==" },
                                            { "fooba", "Zm9vYmE=" },
                                            { "foobar", "Zm9vYmFy" } };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct buf out;
        buf_init(&out, 64);
        assert_true(base64_encode(str_from(pairs[i][0]), BASE64_STANDARD, &out));
        assert_true(str_equal(buf_str(&out), str_from(pairs[i][1])));
        buf_clear(&out);
        assert_true(base64_decode(str_from(pairs[i][1]), BASE64_STANDARD, &out));
        assert_true(str_equal(buf_str(&out), str_from(pairs[i][0])));
        buf_done(&out);
    }
}

static void base64_round_trips_in_both_alphabets(void **state)
{
    (void)state;
    char bytes[200];
    for (size_t len = 0; len < sizeof bytes; len++) {
        id_random_bytes(bytes, sizeof bytes);
        for (int alphabet = BASE64_STANDARD; alphabet <= BASE64_URL; alphabet++) {
            struct buf text, back;
            buf_init(&text, 1024);
            buf_init(&back, len);
            assert_true(
                base64_encode((struct str){ bytes, len }, (enum base64_alphabet)alphabet, &text));
            assert_true(base64_decode(buf_str(&text), (enum base64_alphabet)alphabet, &back));
            assert_true(str_equal(buf_str(&back), (struct str){ bytes, len }));
            buf_done(&text);
            buf_done(&back);
        }
    }
    struct buf url;
    buf_init(&url, 16);
    assert_true(base64_encode(S("\xfb\xff"), BASE64_URL, &url));
    assert_string_equal(url.ptr, "-_8");
    buf_done(&url);
}

static void base64_refuses_what_is_not(void **state)
{
    (void)state;
    static const char *const wrong[] = { "A",    "Zg=",   "Zg===", "Zm9v=", "=",       "Zm=8",
                                         "Zm9*", "Zm9v-", "Z g=x", "====",  "Zm8=Zm8=" };
    struct buf out;
    buf_init(&out, 64);
    assert_true(buf_append_str(&out, S("kept")));
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_false(base64_decode(str_from(wrong[i]), BASE64_STANDARD, &out));
        assert_true(str_equal(buf_str(&out), S("kept")));
    }
    assert_true(base64_decode(S(" Zm\n9v\tYg \r\n"), BASE64_STANDARD, &out));
    assert_string_equal(out.ptr, "keptfoob");
    buf_done(&out);
    buf_init(&out, 2); /* too small */
    assert_false(base64_decode(S("Zm9v"), BASE64_STANDARD, &out));
    assert_true(out.failed);
    buf_done(&out);
    buf_init(&out, 3); /* just fits, in spite of the white space */
    assert_true(base64_decode(S("Z m 9 v                   "), BASE64_STANDARD, &out));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_match_published_vectors),
        cmocka_unit_test(hex_reads_back),
        cmocka_unit_test(base64_matches_rfc_4648),
        cmocka_unit_test(base64_round_trips_in_both_alphabets),
        cmocka_unit_test(base64_refuses_what_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
