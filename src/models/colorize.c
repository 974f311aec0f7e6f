/* tencentarc/colorize: colors for a black and white picture, by DDColor.
 *
 *   picture --> L in full size ---------------------------------------\
 *          \--> 512 x 512 --> L --> gray --> network --> a, b --> resized --> picture
 *
 * The lightness of every pixel stays what it was; only colors come from the network, at its size.
 * A picture that has colors loses them first. Transparency stays.
 * Memory beside the network: the picture (4 bytes a pixel, 8 with 16 bits per channel), 5 MB.
 * Not here: the network (nn/ddcolor.c), Lab (image/lab.c), decoding and encoding (image/). */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/parallel.h"
#include "image/image.h"
#include "image/lab.h"
#include "image/resize.h"
#include "nn/ddcolor.h"
#include "runner/job.h"
#include "runner/model.h"
#include "weights/weights.h"

#define PIXELS ((size_t)DDCOLOR_SIZE * DDCOLOR_SIZE)
#define PATH_BYTES 4096
#define STEPS 3 /* of progress: read, colored, written */

/* The choices of `model_size`, the part of the weights to pull, and its file. */
static const struct size {
    const char *name, *file;
} sizes[] = {
    { "large", "ddcolor_modelscope.pth" },
    { "tiny", "ddcolor_paper_tiny.pth" },
};

struct colorizer {
    struct engine *engine;
    struct ddcolor *ddcolor;
    const struct size *loaded; /* whose network that is; NULL: none yet */
    int threads;
    char directory[PATH_BYTES];
    float *rgb; /* [3][512][512] */
    float *ab;  /* [2][512][512] */
};

static const char *const size_choices[] = { "large", "tiny", NULL };

static const struct model_input inputs[] = {
    { .name = "image", .type = INPUT_FILE, .required = true, .help = "Grayscale input image." },
    { .name = "model_size",
      .type = INPUT_STRING,
      .has_default = true,
      .default_string = "large",
      .choices = size_choices,
      .help = "Choose the model size." },
    { 0 },
};

/* ---- Loading ------------------------------------------------------------------------------ */

static bool size_path(const struct colorizer *colorizer, const struct size *size,
                      char ret_path[PATH_BYTES])
{
    int len = snprintf(ret_path, PATH_BYTES, "%s/%s", colorizer->directory, size->file);
    return len > 0 && len < PATH_BYTES && access(ret_path, R_OK) == 0;
}

/* Have the network of that size ready, in place of another. */
static bool size_load(struct colorizer *colorizer, const struct size *size, struct err *err)
{
    char path[PATH_BYTES];
    struct weights *weights = NULL;
    if (colorizer->loaded == size)
        return true;
    if (!size_path(colorizer, size, path))
        return err_set(err, ERR_NOT_FOUND,
                       "The weights of model_size %s are not here: run `mimeo pull "
                       "tencentarc/colorize --part %s`.",
                       size->name, size->name);
    ddcolor_free(colorizer->ddcolor);
    colorizer->ddcolor = NULL;
    colorizer->loaded = NULL;
    if (!weights_open(path, &weights, err))
        return false;
    bool ok = ddcolor_new(colorizer->engine, weights, &colorizer->ddcolor, err);
    weights_close(weights);
    if (!ok)
        return err_while(err, "loading %s", path);
    colorizer->loaded = size;
    return true;
}

static void colorizer_unload(void *state)
{
    struct colorizer *colorizer = state;
    if (!colorizer)
        return;
    ddcolor_free(colorizer->ddcolor);
    engine_free(colorizer->engine);
    free(colorizer->rgb);
    free(colorizer->ab);
    free(colorizer);
}

/* The first size whose weights are here is loaded ahead of any prediction. */
static bool colorizer_fill(struct colorizer *colorizer, const struct model_context *context,
                           struct err *err)
{
    char path[PATH_BYTES];
    struct engine_options options = {
        .threads = context->threads > ENGINE_THREADS_MAX ? ENGINE_THREADS_MAX : context->threads,
        .precision = strcmp(context->precision, "bf16") == 0 ? ENGINE_BF16 : ENGINE_F32,
    };
    int len = snprintf(colorizer->directory, PATH_BYTES, "%s", context->weights_directory);
    if (len < 0 || len >= PATH_BYTES)
        return err_set(err, ERR_INVALID, "The weights folder's name is too long.");
    colorizer->threads = options.threads;
    colorizer->rgb = malloc(3 * PIXELS * sizeof *colorizer->rgb);
    colorizer->ab = malloc(2 * PIXELS * sizeof *colorizer->ab);
    if (!colorizer->rgb || !colorizer->ab)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the model.");
    if (!image_start(err) || !engine_new(&options, &colorizer->engine, err))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        if (size_path(colorizer, &sizes[i], path))
            return size_load(colorizer, &sizes[i], err);
    return err_set(err, ERR_NOT_FOUND,
                   "The weights of tencentarc/colorize are not here: run `mimeo pull "
                   "tencentarc/colorize`.");
}

static bool colorizer_load(const struct model_context *context, void **ret_state, struct err *err)
{
    assert(context->threads >= 1);
    struct colorizer *colorizer = calloc(1, sizeof *colorizer);
    if (!colorizer)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the model.");
    if (!colorizer_fill(colorizer, context, err)) {
        colorizer_unload(colorizer);
        return false;
    }
    *ret_state = colorizer;
    return true;
}

/* ---- Work shared among threads ------------------------------------------------------------ */

/* One pass over rows. */
struct pass {
    struct colorizer *colorizer;
    struct image *image;
    const struct resize *resize;
    const float *linear; /* light of each of the picture's values; [256] or [65536] */
    float *lines;        /* a and b of one row per thread, [2][image->width] each */
};

/* The network's input: the shrunken picture's lightness as gray. */
static void row_to_input(void *context, int thread, int y)
{
    struct pass *pass = context;
    (void)thread;
    float *red = pass->colorizer->rgb + (size_t)y * DDCOLOR_SIZE;
    float *green = red + PIXELS, *blue = green + PIXELS;
    resize_image_row(pass->resize, pass->image, y, red, green, blue);
    for (int x = 0; x < DDCOLOR_SIZE; x++) {
        struct lab lab = lab_from_rgb(red[x] / 255, green[x] / 255, blue[x] / 255);
        float gray[3];
        lab_to_rgb((struct lab){ .lightness = lab.lightness }, gray);
        red[x] = gray[0];
        green[x] = gray[1];
        blue[x] = gray[2];
    }
}

static void pixel_color(const struct pass *pass, const uint32_t values[3], float a, float b,
                        float top, uint32_t ret_values[3])
{
    const float *linear = pass->linear;
    float luminance = lab_luminance(linear[values[0]], linear[values[1]], linear[values[2]]);
    struct lab lab = { .lightness = lab_lightness(luminance), .a = a, .b = b };
    float rgb[3];
    lab_to_rgb(lab, rgb);
    for (int c = 0; c < 3; c++)
        ret_values[c] = (uint32_t)(rgb[c] * top + 0.5f);
}

static void row_to_colors(void *context, int thread, int y)
{
    struct pass *pass = context;
    size_t width = (size_t)pass->image->width, first = (size_t)y * width * 4;
    float *a = pass->lines + (size_t)thread * 2 * width, *b = a + width;
    uint32_t values[3], colors[3];
    resize_plane_row(pass->resize, pass->colorizer->ab, y, a);
    resize_plane_row(pass->resize, pass->colorizer->ab + PIXELS, y, b);
    if (pass->image->bits == 16) {
        uint16_t *pixels = (uint16_t *)pass->image->pixels + first;
        for (size_t x = 0; x < width; x++, pixels += 4) {
            for (int c = 0; c < 3; c++)
                values[c] = pixels[c];
            pixel_color(pass, values, a[x], b[x], 65535, colors);
            for (int c = 0; c < 3; c++)
                pixels[c] = (uint16_t)colors[c];
        }
        return;
    }
    uint8_t *pixels = (uint8_t *)pass->image->pixels + first;
    for (size_t x = 0; x < width; x++, pixels += 4) {
        for (int c = 0; c < 3; c++)
            values[c] = pixels[c];
        pixel_color(pass, values, a[x], b[x], 255, colors);
        for (int c = 0; c < 3; c++)
            pixels[c] = (uint8_t)colors[c];
    }
}

/* ---- One prediction ----------------------------------------------------------------------- */

static bool input_make(struct colorizer *colorizer, struct image *image, struct err *err)
{
    struct resize *resize = NULL;
    if (!resize_new((struct resize_size){ image->width, image->height },
                    (struct resize_size){ DDCOLOR_SIZE, DDCOLOR_SIZE }, &resize, err))
        return false;
    struct pass pass = { .colorizer = colorizer, .image = image, .resize = resize };
    parallel_rows(colorizer->threads, DDCOLOR_SIZE, row_to_input, &pass);
    resize_free(resize);
    return true;
}

/* Put the network's colors on the picture's lightness. */
static bool colors_apply(struct colorizer *colorizer, struct image *image, struct err *err)
{
    size_t count = image->bits == 16 ? 65536 : 256;
    float *linear = malloc(count * sizeof *linear);
    float *lines = calloc((size_t)colorizer->threads * 2 * (size_t)image->width, sizeof *lines);
    struct resize *resize = NULL;
    bool ok =
        (linear && lines) || err_set(err, ERR_NO_MEMORY, "There is no memory for the result.");
    ok = ok && resize_new((struct resize_size){ DDCOLOR_SIZE, DDCOLOR_SIZE },
                          (struct resize_size){ image->width, image->height }, &resize, err);
    if (ok) {
        struct pass pass = { .colorizer = colorizer,
                             .image = image,
                             .resize = resize,
                             .linear = linear,
                             .lines = lines };
        for (size_t i = 0; i < count; i++)
            linear[i] = lab_linear((float)i / (float)(count - 1));
        parallel_rows(colorizer->threads, image->height, row_to_colors, &pass);
        image->is_gray = false;
    }
    resize_free(resize);
    free(lines);
    free(linear);
    return ok;
}

static bool was_canceled(void *context)
{
    return job_canceled(context);
}

static bool picture_process(struct colorizer *colorizer, struct job *job, struct image *image,
                            struct err *err)
{
    struct ddcolor_watch watch = { .canceled = was_canceled, .context = job };
    job_progress(job, 1, STEPS);
    if (!input_make(colorizer, image, err) ||
        !ddcolor_run(colorizer->ddcolor, colorizer->rgb, DDCOLOR_SIZE, DDCOLOR_SIZE, colorizer->ab,
                     &watch, err) ||
        !colors_apply(colorizer, image, err))
        return false;
    job_progress(job, 2, STEPS);
    if (job_canceled(job))
        return err_set(err, ERR_CANCELED, "The prediction was canceled.");
    const char *path = job_output_path(job, "out.png");
    if (!path)
        return err_set(err, ERR_INTERNAL, "There is no place for the result.");
    if (!image_save_png(image, path, err))
        return false;
    job_progress(job, STEPS, STEPS);
    job_output_file(job, "out.png", "image/png");
    return true;
}

static const struct size *size_named(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        if (strcmp(sizes[i].name, name) == 0)
            return &sizes[i];
    return NULL;
}

static bool colorizer_predict(void *state, struct job *job, struct err *err)
{
    struct colorizer *colorizer = state;
    struct image image = { 0 };
    const char *path = job_file(job, "image"), *name = job_string(job, "model_size");
    const struct size *size = name ? size_named(name) : NULL;
    if (!path)
        return err_set(err, ERR_MODEL, "Give a picture as `image`.");
    if (!size)
        return err_set(err, ERR_MODEL, "model_size is either large or tiny.");
    job_progress(job, 0, STEPS);
    if (!size_load(colorizer, size, err)) {
        if (err && err->kind == ERR_NOT_FOUND)
            err->kind = ERR_MODEL; /* the model is loaded; this prediction cannot be made */
        return false;
    }
    if (!image_open(path, &image, err))
        return false;
    bool ok = picture_process(colorizer, job, &image, err);
    image_done(&image);
    return ok;
}

const struct model model_colorize = {
    .name = "colorize",
    .inputs = inputs,
    .output = OUTPUT_FILE,
    .load = colorizer_load,
    .predict = colorizer_predict,
    .unload = colorizer_unload,
};
