/* Every kind of picture in, PNG out; and what is refused, with which words. */
#include "unit/image/samples.h"

#include "base/err.h"
#include "image/image.h"

static struct image opened(const char *path)
{
    struct image image = { 0 };
    struct err err = { 0 };
    if (!image_open(path, &image, &err))
        fail_msg("%s: %s%s", path, err.detail, err.cause);
    return image;
}

static void refused(const char *path, enum err_kind kind, const char *words)
{
    struct image image = { 0 };
    struct err err = { 0 };
    assert_false(image_open(path, &image, &err));
    assert_null(image.pixels);
    assert_int_equal(err.kind, kind);
    if (!strstr(err.detail, words))
        fail_msg("\"%s\" does not say \"%s\"", err.detail, words);
}

/* The pixel at x, y as 8-bit values. */
static void pixel(const struct image *image, int x, int y, int rgba[4])
{
    size_t at = ((size_t)y * (size_t)image->width + (size_t)x) * 4;
    for (size_t c = 0; c < 4; c++)
        rgba[c] = image->bits == 16 ? ((const uint16_t *)image->pixels)[at + c] / 257
                                    : ((const uint8_t *)image->pixels)[at + c];
}

/* Is it the photo, upright, give or take `tolerance`? Tells by places far apart. */
static void assert_is_photo(const struct image *image, int tolerance, bool gray)
{
    static const int places[][2] = { { 5, 5 }, { 220, 280 }, { 120, 170 }, { 50, 70 } };
    struct image photo = opened(SAMPLE_PHOTO);
    assert_int_equal(image->width, SAMPLE_PHOTO_WIDTH);
    assert_int_equal(image->height, SAMPLE_PHOTO_HEIGHT);
    for (size_t i = 0; i < 4; i++) {
        int got[4], wanted[4];
        pixel(image, places[i][0], places[i][1], got);
        pixel(&photo, places[i][0], places[i][1], wanted);
        if (gray) {
            assert_int_equal(got[0], got[1]);
            assert_int_equal(got[1], got[2]);
            wanted[0] = wanted[2] = wanted[1];
        }
        for (int c = 0; c < 3; c++)
            if (abs(got[c] - wanted[c]) > tolerance)
                fail_msg("place %zu channel %d: %d, not %d", i, c, got[c], wanted[c]);
    }
    image_done(&photo);
}

static void photo_is_read_as_opaque_rgba(void **state)
{
    (void)state;
    struct image image = opened(SAMPLE_PHOTO);
    int rgba[4];
    pixel(&image, 0, 0, rgba);
    assert_int_equal(image.bits, 8);
    assert_false(image.has_alpha);
    assert_int_equal(rgba[3], 255);
    assert_is_photo(&image, 0, false);
    image_done(&image);
    image_done(&image); /* twice does no harm */
}

static void every_kind_of_file_gives_the_same_picture(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int tolerance;
    } files[] = {
        { "a.jpg", 12 }, { "a.webp", 24 }, { "a.gif", 24 }, { "a.avif", 24 }, { "a.png", 0 }
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[SAMPLE_PATH_BYTES];
        sample_path(files[i].name, path);
        VipsImage *photo = sample_photo();
        bool written = vips_image_write_to_file(photo, path, NULL) == 0;
        g_object_unref(photo);
        if (!written) { /* a machine without that encoder */
            print_message("cannot write %s: %s", files[i].name, vips_error_buffer());
            vips_error_clear();
            assert_string_equal(files[i].name, "a.avif");
            continue;
        }
        struct image image = opened(path);
        assert_is_photo(&image, files[i].tolerance, false);
        image_done(&image);
    }
}

static void heic_is_read(void **state)
{
    (void)state;
    /* Made once: its encoder, x265, leaks, and not every machine has it. */
    struct image image = opened("tests/unit/image/tiny.heic");
    int rgba[4];
    pixel(&image, 0, 0, rgba);
    assert_int_equal(image.width, 9);
    assert_int_equal(image.height, 12);
    assert_in_range(rgba[0], 200, 255);
    image_done(&image);
}

static void gray_palette_wide_and_cmyk_become_rgb(void **state)
{
    (void)state;
    char path[SAMPLE_PATH_BYTES];
    struct image image;

    sample_space(VIPS_INTERPRETATION_B_W, "gray.png", path);
    image = opened(path);
    assert_is_photo(&image, 12, true);
    image_done(&image);

    sample_space(VIPS_INTERPRETATION_RGB16, "wide.png", path);
    image = opened(path);
    assert_int_equal(image.bits, 16);
    assert_is_photo(&image, 1, false);
    image_done(&image);

    sample_space(VIPS_INTERPRETATION_GREY16, "wide_gray.png", path);
    image = opened(path);
    assert_int_equal(image.bits, 16);
    assert_is_photo(&image, 12, true);
    image_done(&image);

    sample_palette(path);
    image = opened(path);
    assert_is_photo(&image, 24, false);
    image_done(&image);

    sample_cmyk(path);
    image = opened(path);
    assert_is_photo(&image, 40, false); /* ink cannot show every colour */
    assert_null(image.profile);
    image_done(&image);
}

static void alpha_is_kept_as_it_is(void **state)
{
    (void)state;
    char path[SAMPLE_PATH_BYTES];
    int rgba[4];
    sample_alpha(77, "alpha.png", path);
    struct image image = opened(path);
    assert_true(image.has_alpha);
    pixel(&image, 100, 100, rgba);
    assert_int_equal(rgba[3], 77);
    assert_is_photo(&image, 0, false);
    image_done(&image);
}

static void orientation_is_applied(void **state)
{
    (void)state;
    char path[SAMPLE_PATH_BYTES];
    sample_turned(path);
    struct image image = opened(path);
    assert_is_photo(&image, 12, false);
    image_done(&image);
}

static void png_keeps_pixels_and_profile(void **state)
{
    (void)state;
    char path[SAMPLE_PATH_BYTES];
    struct err err = { 0 };
    for (int wide = 0; wide < 2; wide++) {
        VipsImage *photo = sample_photo(), *profiled = NULL;
        assert_int_equal(vips_icc_transform(photo, &profiled, "p3", "input_profile", "srgb", NULL),
                         0);
        g_object_unref(photo);
        if (wide) {
            VipsImage *more = NULL;
            assert_int_equal(vips_colourspace(profiled, &more, VIPS_INTERPRETATION_RGB16, NULL), 0);
            g_object_unref(profiled);
            profiled = more;
        }
        sample_save(profiled, "profiled.png", path);
        struct image before = opened(path);
        assert_non_null(before.profile);
        sample_path("saved.png", path);
        assert_true(image_save_png(&before, path, &err));
        struct image after = opened(path);
        assert_int_equal(after.bits, wide ? 16 : 8);
        assert_int_equal(after.bits, before.bits);
        assert_int_equal(after.profile_bytes, before.profile_bytes);
        assert_memory_equal(after.profile, before.profile, before.profile_bytes);
        size_t bytes = (size_t)before.width * (size_t)before.height * 4 * (size_t)before.bits / 8;
        assert_memory_equal(after.pixels, before.pixels, bytes);
        image_done(&before);
        image_done(&after);
    }
}

static void one_pixel_and_thin_pictures_are_pictures(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 1, 1 }, { 5000, 1 }, { 1, 3000 } };
    for (size_t i = 0; i < 3; i++) {
        char path[SAMPLE_PATH_BYTES];
        int rgba[4];
        sample_blank(sizes[i][0], sizes[i][1], "thin.png", path);
        struct image image = opened(path);
        assert_int_equal(image.width, sizes[i][0]);
        assert_int_equal(image.height, sizes[i][1]);
        pixel(&image, image.width - 1, image.height - 1, rgba);
        assert_int_equal(rgba[2], 30);
        image_done(&image);
    }
}

static void what_is_no_picture_is_refused(void **state)
{
    (void)state;
    static const char svg[] =
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"/>";
    static const char pdf[] = "%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj";
    char path[SAMPLE_PATH_BYTES];
    sample_bytes(svg, strlen(svg), "a.svg", path);
    refused(path, ERR_INVALID, "not an image that can be read");
    sample_bytes(pdf, strlen(pdf), "pdf.png", path);
    refused(path, ERR_INVALID, "not an image that can be read");
    sample_bytes("P5 1 1 255\n0", 12, "a.pgm", path);
    refused(path, ERR_INVALID, "not an image that can be read");
    sample_bytes("", 0, "empty.png", path);
    refused(path, ERR_INVALID, "empty");
    refused(sample_folder, ERR_INVALID, "empty");
    sample_path("absent.png", path);
    refused(path, ERR_INTERNAL, "cannot be opened");
}

static void pictures_cut_short_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = { "cut.jpg", "cut.png", "cut.webp", "cut.gif" };
    for (size_t i = 0; i < 4; i++) {
        char path[SAMPLE_PATH_BYTES];
        char *bytes = NULL;
        gsize len = 0;
        sample_save(sample_photo(), names[i], path);
        assert_true(g_file_get_contents(path, &bytes, &len, NULL));
        for (gsize part = 1; part < 4; part++) {
            sample_bytes(bytes, len * part / 4, names[i], path);
            refused(path, ERR_INVALID, "broken or cut short");
        }
        g_free(bytes);
    }
}

static uint32_t crc32_of(const unsigned char *bytes, size_t len)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void store_be32(char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(value >> (24 - 8 * i));
}

/* The photo's file with another size in its header. The data is far too short for it, which nobody
 * may find out. */
static void claim_size(int width, int height, const char *name, char path[SAMPLE_PATH_BYTES])
{
    char *bytes = NULL;
    gsize len = 0;
    assert_true(g_file_get_contents(SAMPLE_PHOTO, &bytes, &len, NULL));
    store_be32(bytes + 16, (uint32_t)width);
    store_be32(bytes + 20, (uint32_t)height);
    store_be32(bytes + 29, crc32_of((const unsigned char *)bytes + 12, 17));
    sample_bytes(bytes, len, name, path);
    g_free(bytes);
}

static void a_bomb_is_refused_by_its_header(void **state)
{
    (void)state;
    char path[SAMPLE_PATH_BYTES];
    claim_size(20000, 5001, "bomb.png", path);
    refused(path, ERR_TOO_LARGE, "20000 x 5001");
    claim_size(SAMPLE_PHOTO_WIDTH, SAMPLE_PHOTO_HEIGHT + 1, "longer.png", path);
    refused(path, ERR_INVALID, "broken or cut short");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(photo_is_read_as_opaque_rgba),
        cmocka_unit_test(every_kind_of_file_gives_the_same_picture),
        cmocka_unit_test(heic_is_read),
        cmocka_unit_test(gray_palette_wide_and_cmyk_become_rgb),
        cmocka_unit_test(alpha_is_kept_as_it_is),
        cmocka_unit_test(orientation_is_applied),
        cmocka_unit_test(png_keeps_pixels_and_profile),
        cmocka_unit_test(one_pixel_and_thin_pictures_are_pictures),
        cmocka_unit_test(what_is_no_picture_is_refused),
        cmocka_unit_test(pictures_cut_short_are_refused),
        cmocka_unit_test(a_bomb_is_refused_by_its_header),
    };
    return cmocka_run_group_tests(tests, samples_setup, samples_teardown);
}
