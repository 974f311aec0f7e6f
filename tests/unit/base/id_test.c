/* Identifiers: shape, time inside, and that no two are alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/id.h"

/* Crockford base32, lower case, to bytes. */
static void decode(const char *id, unsigned char bytes[17])
{
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    memset(bytes, 0, 17);
    for (unsigned i = 0; i < ID_PREDICTION_LEN; i++) {
        const char *hit = strchr(alphabet, id[i]);
        assert_non_null(hit);
        for (unsigned bit = 0; bit < 5; bit++) {
            if ((hit - alphabet) >> (4 - bit) & 1)
                bytes[(i * 5 + bit) / 8] |= (unsigned char)(0x80 >> (i * 5 + bit) % 8);
        }
    }
}

static void prediction_ids_are_laid_out_as_replicates(void **state)
{
    (void)state;
    int64_t now_ms = 1713784515329;
    for (int i = 0; i < 1000; i++) {
        char id[ID_PREDICTION_LEN + 1];
        unsigned char bytes[17];
        id_prediction(now_ms, id);
        assert_int_equal(strlen(id), ID_PREDICTION_LEN);
        assert_true(id_is_prediction(str_from(id)));
        assert_non_null(strchr("048cgmrw", id[25]));
        decode(id, bytes);
        assert_int_equal(bytes[6], 0x71);
        assert_in_range(bytes[7], 0x06, 0x4e);
        uint32_t time = (uint32_t)bytes[8] << 24 | (uint32_t)bytes[9] << 16 |
                        (uint32_t)bytes[10] << 8 | bytes[11];
        assert_int_equal(time, now_ms >> 16);
        assert_int_equal(bytes[12] << 8 | bytes[13], now_ms & 0xffff);
        assert_int_equal(bytes[16], 0);
    }
}

static void only_26_lower_case_characters_are_an_id(void **state)
{
    (void)state;
    assert_true(id_is_prediction(S("rrr4z55ocneqzikepnug6xezpe"))); /* the older alphabet too */
    static const char *const wrong[] = { "", "rrr4z55ocneqzikepnug6xezp",
                                         "Rrr4z55ocneqzikepnug6xezpe",
                                         "rrr4z55ocneqzikepnug6xezpee",
                                         "rrr4z55ocneq/ikepnug6xezpe" };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(id_is_prediction(str_from(wrong[i])));
}

static void file_ids_hold_a_random_uuid(void **state)
{
    (void)state;
    char id[ID_FILE_LEN + 1];
    struct buf uuid;
    buf_init(&uuid, 64);
    id_file(id);
    assert_int_equal(strlen(id), ID_FILE_LEN);
    assert_true(base64_decode(str_from(id), BASE64_STANDARD, &uuid));
    assert_int_equal(uuid.len, 36);
    assert_true(uuid.ptr[8] == '-' && uuid.ptr[13] == '-' && uuid.ptr[14] == '4');
    assert_non_null(strchr("89ab", uuid.ptr[19]));
    buf_done(&uuid);
}

static void random_text_uses_every_character(void **state)
{
    (void)state;
    char text[20001];
    int seen[256] = { 0 }, kinds = 0;
    id_random_text(text, 20000);
    assert_int_equal(strlen(text), 20000);
    for (int i = 0; i < 20000; i++)
        kinds += seen[(unsigned char)text[i]]++ == 0;
    assert_int_equal(kinds, 62);
    for (int c = 0; c < 256; c++) /* expected 322 each; 8 standard deviations around it */
        assert_true(seen[c] == 0 || (seen[c] > 180 && seen[c] < 465));
    id_random_text(text, 0);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prediction_ids_are_laid_out_as_replicates),
        cmocka_unit_test(only_26_lower_case_characters_are_an_id),
        cmocka_unit_test(file_ids_hold_a_random_uuid),
        cmocka_unit_test(random_text_uses_every_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
