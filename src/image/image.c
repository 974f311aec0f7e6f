/* Pictures over libvips, used as a set of decoders and colour conversions and for nothing lazy:
 * one pipeline per picture, written to memory, gone.
 *
 * The format is told here and its loader called by name, so libvips never guesses; all its other
 * loaders are blocked besides, in case one is reached through another. Everything runs on two
 * threads at most (the caller's and one worker of libvips) and leaves no cache behind, because a
 * runner's memory and threads belong to its model. */
#include "image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vips/vips.h>

#include "base/err.h"
#include "base/str.h"

/* For 20 megapixels: 1.0 s and 7.1 MB, where level 6, libvips's default, takes 2.6 s for 5.4 MB. */
#define PNG_COMPRESSION 2

static pthread_once_t started = PTHREAD_ONCE_INIT;
static bool start_failed;

static void log_nothing(const gchar *domain, GLogLevelFlags level, const gchar *message,
                        gpointer context)
{
    (void)domain;
    (void)level;
    (void)message;
    (void)context;
}

static void start(void)
{
    static const char *const loaders[] = { "VipsForeignLoadJpeg", "VipsForeignLoadPng",
                                           "VipsForeignLoadWebp", "VipsForeignLoadNsgif",
                                           "VipsForeignLoadHeif" };
    /* What libvips warns of is either in the error we give or no business of the client's. */
    g_log_set_handler("VIPS", G_LOG_LEVEL_WARNING | G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG,
                      log_nothing, NULL);
    start_failed = VIPS_INIT("mimeo") != 0;
    if (start_failed)
        return;
    vips_concurrency_set(1);
    vips_cache_set_max(0);
    vips_block_untrusted_set(TRUE);
    vips_operation_block_set("VipsForeignLoad", TRUE);
    for (size_t i = 0; i < ARRAY_LEN(loaders); i++)
        vips_operation_block_set(loaders[i], FALSE);
}

bool image_start(struct err *err)
{
    pthread_once(&started, start);
    return !start_failed || err_set(err, ERR_INTERNAL, "The image library does not start.");
}

/* Keep libvips's own words for the log, on one line. Returns false. */
static bool vips_failed(struct err *err)
{
    char text[200];
    g_strlcpy(text, vips_error_buffer(), sizeof text);
    vips_error_clear();
    g_strdelimit(text, "\r\n", ' ');
    return err_while(err, "libvips said \"%s\"", g_strstrip(text));
}

enum format { FORMAT_NONE, FORMAT_JPEG, FORMAT_PNG, FORMAT_WEBP, FORMAT_GIF, FORMAT_HEIF };

static const char *const format_names[] = { "", "JPEG", "PNG", "WebP", "GIF", "AVIF or HEIC" };

/* ISO media files name what they are in their first box; a video is none of these. */
static bool is_heif(struct str file)
{
    static const char brands[][5] = { "avif", "avis", "heic", "heix", "heim",
                                      "heis", "hevc", "hevx", "mif1", "msf1" };
    if (file.len < 12 || memcmp(file.ptr + 4, "ftyp", 4) != 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(brands); i++)
        if (memcmp(file.ptr + 8, brands[i], 4) == 0)
            return true;
    return false;
}

static enum format format_of(struct str file)
{
    if (str_starts(file, S("\xff\xd8\xff")))
        return FORMAT_JPEG;
    if (str_starts(file, S("\x89PNG\r\n\x1a\n")))
        return FORMAT_PNG;
    if (str_starts(file, S("RIFF")) && str_starts(str_skip(file, 8), S("WEBP")))
        return FORMAT_WEBP;
    if (str_starts(file, S("GIF87a")) || str_starts(file, S("GIF89a")))
        return FORMAT_GIF;
    return is_heif(file) ? FORMAT_HEIF : FORMAT_NONE;
}

/* Read the header; pixels are decoded when they are asked for, top to bottom. */
static VipsImage *header_open(struct str file, enum format format)
{
    VipsImage *header = NULL;
    void *bytes = (void *)(uintptr_t)file.ptr; /* libvips only reads, but says void * */
    switch (format) {
    case FORMAT_JPEG:
        vips_jpegload_buffer(bytes, file.len, &header, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                             VIPS_FAIL_ON_ERROR, NULL);
        break;
    case FORMAT_PNG:
        vips_pngload_buffer(bytes, file.len, &header, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                            VIPS_FAIL_ON_ERROR, NULL);
        break;
    case FORMAT_WEBP:
        vips_webpload_buffer(bytes, file.len, &header, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                             VIPS_FAIL_ON_ERROR, NULL);
        break;
    case FORMAT_GIF:
        vips_gifload_buffer(bytes, file.len, &header, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                            VIPS_FAIL_ON_ERROR, NULL);
        break;
    case FORMAT_HEIF:
        vips_heifload_buffer(bytes, file.len, &header, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                             VIPS_FAIL_ON_ERROR, NULL);
        break;
    case FORMAT_NONE:
        break;
    }
    return header;
}

static bool header_check(const VipsImage *header, struct err *err)
{
    int width = vips_image_get_width(header), height = vips_image_get_height(header);
    int bytes = vips_image_get_format(header) == VIPS_FORMAT_UCHAR ? 1 : 2;
    int64_t pixels = (int64_t)width * height;
    if (width < 1 || height < 1)
        return err_set(err, ERR_INVALID, "The image has no pixels.");
    if (pixels > IMAGE_PIXELS_MAX / bytes)
        return err_set(err, ERR_TOO_LARGE,
                       "The image is too large: %d x %d pixels, where at most %d megapixels can be "
                       "processed.",
                       width, height, IMAGE_PIXELS_MAX / bytes / 1000000);
    return true;
}

/* Replace *image by `next`, the result of a step on it (NULL: the step failed). */
static bool advance(VipsImage **image, VipsImage *next)
{
    if (!next)
        return false;
    g_object_unref(*image);
    *image = next;
    return true;
}

static bool step_orient(VipsImage **image)
{
    VipsImage *next = NULL;
    if (vips_image_get_orientation(*image) <= 1)
        return true;
    /* Turning needs the whole picture; without a copy libvips would look for a disc to put it. */
    if (!advance(image, vips_image_copy_memory(*image)) || vips_autorot(*image, &next, NULL) != 0)
        return false;
    return advance(image, next);
}

static bool step_colour(VipsImage **image, bool wide)
{
    VipsImage *next = NULL;
    VipsInterpretation space = vips_image_get_interpretation(*image);
    if (space == VIPS_INTERPRETATION_CMYK) {
        if (vips_icc_transform(*image, &next, "srgb", "embedded", TRUE, "input_profile", "cmyk",
                               "depth", wide ? 16 : 8, NULL) != 0)
            return false;
    } else if (vips_image_get_bands(*image) < 3) {
        if (vips_colourspace(*image, &next,
                             wide ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB,
                             NULL) != 0)
            return false;
    } else {
        return true;
    }
    return advance(image, next);
}

static bool step_alpha(VipsImage **image)
{
    VipsImage *next = NULL;
    if (vips_image_get_bands(*image) == 4)
        return true;
    return vips_addalpha(*image, &next, NULL) == 0 && advance(image, next);
}

/* An RGB file's profile describes its values, which stay; a gray or CMYK one is spent by then. */
static void profile_keep(const VipsImage *header, struct image *image)
{
    const void *profile = NULL;
    size_t bytes = 0;
    if (vips_image_get_bands(header) < 3 ||
        vips_image_get_interpretation(header) == VIPS_INTERPRETATION_CMYK ||
        !vips_image_get_typeof(header, VIPS_META_ICC_NAME) ||
        vips_image_get_blob(header, VIPS_META_ICC_NAME, &profile, &bytes) != 0)
        return;
    image->profile = g_memdup2(profile, bytes);
    image->profile_bytes = bytes;
}

/* Run the steps on *pipeline, which keeps the last one reached whatever happens. */
static bool decode(VipsImage **pipeline, struct image *image)
{
    bool wide = vips_image_get_format(*pipeline) != VIPS_FORMAT_UCHAR;
    size_t bytes = 0;
    image->is_gray = vips_image_get_bands(*pipeline) < 3;
    if (!step_orient(pipeline) || !step_colour(pipeline, wide))
        return false;
    image->has_alpha = vips_image_get_bands(*pipeline) == 4;
    if (!step_alpha(pipeline))
        return false;
    VipsBandFormat format = vips_image_get_format(*pipeline);
    if (vips_image_get_bands(*pipeline) != 4 ||
        format != (wide ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR)) {
        vips_error("image", "%s", "unexpected kind of pixels");
        return false;
    }
    image->bits = wide ? 16 : 8;
    image->width = vips_image_get_width(*pipeline);
    image->height = vips_image_get_height(*pipeline);
    image->pixels = vips_image_write_to_memory(*pipeline, &bytes);
    return image->pixels != NULL;
}

bool image_open_memory(const void *bytes, size_t len, struct image *ret_image, struct err *err)
{
    struct str file = { bytes, len };
    struct image image = { 0 };
    if (!image_start(err))
        return false;
    enum format format = format_of(file);
    if (format == FORMAT_NONE)
        return err_set(err, ERR_INVALID,
                       "The file is not an image that can be read: JPEG, PNG, WebP, GIF, AVIF and "
                       "HEIC are.");
    VipsImage *pipeline = header_open(file, format);
    if (!pipeline) {
        err_set(err, ERR_INVALID, "The %s image is broken or cut short.", format_names[format]);
        return vips_failed(err);
    }
    bool ok = header_check(pipeline, err);
    if (ok) {
        profile_keep(pipeline, &image);
        ok = decode(&pipeline, &image);
        if (!ok) {
            err_set(err, ERR_INVALID, "The %s image is broken or cut short.", format_names[format]);
            vips_failed(err);
        }
    }
    g_object_unref(pipeline);
    vips_error_clear(); /* warnings of a picture that was read all the same */
    if (ok)
        *ret_image = image;
    else
        image_done(&image);
    return ok;
}

bool image_open(const char *path, struct image *ret_image, struct err *err)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) != 0) {
        int sys = errno;
        if (fd >= 0)
            close(fd);
        return err_sys(err, ERR_INTERNAL, sys, "The image file cannot be opened.");
    }
    bool usable = S_ISREG(status.st_mode) && status.st_size > 0;
    if (!usable || (uint64_t)status.st_size > IMAGE_FILE_BYTES_MAX) {
        close(fd);
        return usable ? err_set(err, ERR_TOO_LARGE, "The image file is larger than %zu MB.",
                                IMAGE_FILE_BYTES_MAX >> 20)
                      : err_set(err, ERR_INVALID, "The image file is empty.");
    }
    size_t len = (size_t)status.st_size;
    void *bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    int sys = errno;
    close(fd);
    if (bytes == MAP_FAILED)
        return err_sys(err, ERR_NO_MEMORY, sys, "The image file cannot be mapped.");
    bool ok = image_open_memory(bytes, len, ret_image, err);
    munmap(bytes, len);
    return ok;
}

void image_done(struct image *image)
{
    g_free(image->pixels);
    g_free(image->profile);
    *image = (struct image){ 0 };
}

bool image_new(int width, int height, int bits, struct image *ret_image, struct err *err)
{
    struct image image = { .width = width, .height = height, .bits = bits };
    if (width < 1 || height < 1 || (bits != 8 && bits != 16))
        return err_set(err, ERR_INVALID, "An image cannot be %d x %d pixels of %d bits.", width,
                       height, bits);
    image.pixels = g_try_malloc0_n((size_t)width * (size_t)height, (size_t)bits / 8 * 4);
    if (!image.pixels)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for an image of %d x %d pixels.",
                       width, height);
    *ret_image = image;
    return true;
}

bool image_copy_kind(const struct image *from, struct image *image, struct err *err)
{
    void *profile = NULL;
    if (from->profile) {
        profile = g_try_malloc(from->profile_bytes);
        if (!profile)
            return err_set(err, ERR_NO_MEMORY, "There is no memory for the image's profile.");
        memcpy(profile, from->profile, from->profile_bytes);
    }
    g_free(image->profile);
    image->profile = profile;
    image->profile_bytes = profile ? from->profile_bytes : 0;
    image->has_alpha = from->has_alpha;
    image->is_gray = from->is_gray;
    return true;
}

static size_t image_bytes(const struct image *image)
{
    return (size_t)image->width * (size_t)image->height * 4 * (size_t)(image->bits / 8);
}

/* The picture with only the channels that it says it has. Pixels are not copied. */
static bool channels_choose(const struct image *image, VipsImage **picture)
{
    VipsImage *next = NULL;
    int colours = image->is_gray ? 1 : 3;
    if (!image->has_alpha || image->is_gray) {
        if (vips_extract_band(*picture, &next, 0, "n", colours, NULL) != 0)
            return false;
        if (image->has_alpha) {
            VipsImage *bands[2] = { next, NULL };
            bool ok = vips_extract_band(*picture, &bands[1], 3, NULL) == 0;
            next = NULL;
            ok = ok && vips_bandjoin(bands, &next, 2, NULL) == 0;
            g_object_unref(bands[0]);
            g_clear_object(&bands[1]);
            if (!ok)
                return false;
        }
        advance(picture, next);
    }
    bool wide = image->bits == 16;
    VipsInterpretation colour = wide ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB;
    VipsInterpretation gray = wide ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W;
    return vips_copy(*picture, &next, "interpretation", image->is_gray ? gray : colour, NULL) ==
               0 &&
           advance(picture, next);
}

bool image_save_png(const struct image *image, const char *path, struct err *err)
{
    VipsBandFormat format = image->bits == 16 ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR;
    if (!image_start(err))
        return false;
    VipsImage *picture = vips_image_new_from_memory(image->pixels, image_bytes(image), image->width,
                                                    image->height, 4, format);
    bool ok = picture && channels_choose(image, &picture);
    if (ok && image->profile && !image->is_gray) /* profiles are kept of RGB files only */
        vips_image_set_blob_copy(picture, VIPS_META_ICC_NAME, image->profile, image->profile_bytes);
    ok = ok && vips_pngsave(picture, path, "compression", PNG_COMPRESSION, "filter",
                            VIPS_FOREIGN_PNG_FILTER_PAETH, NULL) == 0;
    if (!ok) {
        err_set(err, ERR_INTERNAL, "The PNG file cannot be written.");
        vips_failed(err);
    }
    g_clear_object(&picture);
    return ok;
}
