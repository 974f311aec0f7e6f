/* bria/remove-background: the picture with its background made transparent.
 *
 * One IS-Net, two published sets of weights, and each wants its own arithmetic around the network;
 * the table `variants` says which. The colours of the picture are never changed: the result is the
 * input, upright, with a new alpha channel of 256 levels.
 *
 *   picture --> 3 x 1024 x 1024 --> network --> matte 1024 x 1024 --> alpha, row by row
 *
 * Memory beside the network: 16 MB kept per model, and the picture itself (4 bytes a pixel, 8 when
 * it has 16 bits per channel); the matte in the picture's size exists only as one row per thread.
 * Not here: the network (nn/isnet.c), decoding and encoding (image/). */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "engine/engine.h"
#include "engine/parallel.h"
#include "image/image.h"
#include "image/resize.h"
#include "nn/isnet.h"
#include "runner/job.h"
#include "runner/model.h"
#include "weights/weights.h"

#define MATTE_PIXELS ((size_t)ISNET_SIZE * ISNET_SIZE)
#define PATH_BYTES 4096
#define STEPS 3 /* of progress: read, matte, written */

/* A file of weights and how its network wants to be used: input = value * scale + offset. */
struct variant {
    const char *file;
    float scale, offset;
    bool stretch; /* spread the matte over 0..255 and cut; otherwise round(255 * matte) */
};

/* Tried in this order, which is also the manifest's. */
static const struct variant variants[] = {
    { "isnet.onnx", 1.0f / 256.0f, -0.5f, false },
    { "rmbg-1.4.safetensors", 1.0f / 255.0f, -0.5f, true },
};

struct remover {
    const struct variant *variant;
    struct engine *engine;
    struct isnet *isnet;
    int threads;
    float *input; /* [3][1024][1024] */
    float *matte; /* [1024][1024] */
};

static const struct model_input inputs[] = {
    { .name = "image", .type = INPUT_FILE, .help = "Image to remove the background from." },
    { .name = "image_url",
      .type = INPUT_STRING,
      .help = "Address of the image; an alternative to `image`, which wins when both are given." },
    { .name = "preserve_alpha",
      .type = INPUT_BOOLEAN,
      .has_default = true,
      .default_number = 1,
      .help =
          "Keep the transparency that the image already has: the result is at most as opaque as "
          "the image. When false, the image is taken as opaque." },
    { .name = "preserve_partial_alpha",
      .type = INPUT_BOOLEAN,
      .has_default = true,
      .default_number = 1,
      .help = "Deprecated: false means the same as `preserve_alpha` false." },
    { .name = "content_moderation",
      .type = INPUT_BOOLEAN,
      .has_default = true,
      .default_number = 0,
      .help = "Not available: this server has no moderation model, so true fails the prediction." },
    { 0 },
};

/* ---- Loading ------------------------------------------------------------------------------ */

/* The first variant whose file is there. */
static bool variant_find(const char *directory, const struct variant **ret_variant, char *ret_path,
                         struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(variants); i++) {
        int len = snprintf(ret_path, PATH_BYTES, "%s/%s", directory, variants[i].file);
        if (len > 0 && len < PATH_BYTES && access(ret_path, R_OK) == 0) {
            *ret_variant = &variants[i];
            return true;
        }
    }
    return err_set(err, ERR_NOT_FOUND,
                   "The weights of bria/remove-background are not here: run `mimeo pull "
                   "bria/remove-background`.");
}

static void remover_unload(void *state)
{
    struct remover *remover = state;
    if (!remover)
        return;
    isnet_free(remover->isnet);
    engine_free(remover->engine);
    free(remover->input);
    free(remover->matte);
    free(remover);
}

static bool remover_fill(struct remover *remover, const struct model_context *context,
                         struct err *err)
{
    char path[PATH_BYTES];
    struct weights *weights = NULL;
    struct engine_options options = {
        .threads = context->threads > ENGINE_THREADS_MAX ? ENGINE_THREADS_MAX : context->threads,
        .precision = strcmp(context->precision, "bf16") == 0 ? ENGINE_BF16 : ENGINE_F32,
    };
    remover->threads = options.threads;
    remover->input = malloc(3 * MATTE_PIXELS * sizeof *remover->input);
    remover->matte = malloc(MATTE_PIXELS * sizeof *remover->matte);
    if (!remover->input || !remover->matte)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the model.");
    if (!variant_find(context->weights_directory, &remover->variant, path, err) ||
        !image_start(err) || !engine_new(&options, &remover->engine, err) ||
        !weights_open(path, &weights, err))
        return false;
    bool ok = isnet_new(remover->engine, weights, &remover->isnet, err);
    weights_close(weights);
    return ok || err_while(err, "loading %s", path);
}

static bool remover_load(const struct model_context *context, void **ret_state, struct err *err)
{
    assert(context->threads >= 1);
    struct remover *remover = calloc(1, sizeof *remover);
    if (!remover)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the model.");
    if (!remover_fill(remover, context, err)) {
        remover_unload(remover);
        return false;
    }
    *ret_state = remover;
    return true;
}

/* ---- Work shared among threads ------------------------------------------------------------ */

/* One pass over rows. */
struct pass {
    struct remover *remover;
    struct image *image;
    const struct resize *resize;

    float *lines; /* one line of the matte per thread, image->width each */
    bool keep_alpha;
    float low[ENGINE_THREADS_MAX], high[ENGINE_THREADS_MAX]; /* of the matte, per thread */
    float matte_low, matte_range;
};

static void row_to_input(void *context, int thread, int y)
{
    struct pass *pass = context;
    (void)thread;
    const struct variant *variant = pass->remover->variant;
    float *red = pass->remover->input + (size_t)y * ISNET_SIZE;
    resize_image_row(pass->resize, pass->image, y, red, red + MATTE_PIXELS, red + 2 * MATTE_PIXELS);
    for (size_t c = 0; c < 3; c++)
        for (int x = 0; x < ISNET_SIZE; x++) {
            float *value = red + c * MATTE_PIXELS + x;
            *value = *value * variant->scale + variant->offset;
        }
}

static float *matte_line(struct pass *pass, int thread, int y)
{
    float *line = pass->lines + (size_t)thread * (size_t)pass->image->width;
    resize_plane_row(pass->resize, pass->remover->matte, y, line);
    return line;
}

static void row_to_range(void *context, int thread, int y)
{
    struct pass *pass = context;
    const float *line = matte_line(pass, thread, y);
    for (int x = 0; x < pass->image->width; x++) {
        pass->low[thread] = fminf(pass->low[thread], line[x]);
        pass->high[thread] = fmaxf(pass->high[thread], line[x]);
    }
}

/* A level 0..255 from a matte value. */
static inline uint32_t level(float value, const struct pass *pass)
{
    float scaled = pass->remover->variant->stretch
                       ? (value - pass->matte_low) / pass->matte_range * 255.0f
                       : value * 255.0f + 0.5f;
    if (!(scaled > 0)) /* also what is not a number */
        return 0;
    return scaled >= 255.0f ? 255 : (uint32_t)scaled;
}

static void row_to_alpha(void *context, int thread, int y)
{
    struct pass *pass = context;
    const float *line = matte_line(pass, thread, y);
    size_t width = (size_t)pass->image->width, first = (size_t)y * width * 4;
    if (pass->image->bits == 16) {
        uint16_t *pixels = (uint16_t *)pass->image->pixels + first;
        for (size_t x = 0; x < width; x++) {
            uint32_t alpha = pass->keep_alpha ? pixels[4 * x + 3] : 65535;
            pixels[4 * x + 3] = (uint16_t)((alpha * level(line[x], pass) + 127) / 255);
        }
        return;
    }
    uint8_t *pixels = (uint8_t *)pass->image->pixels + first;
    for (size_t x = 0; x < width; x++) {
        uint32_t alpha = pass->keep_alpha ? pixels[4 * x + 3] : 255;
        pixels[4 * x + 3] = (uint8_t)((alpha * level(line[x], pass) + 127) / 255);
    }
}

/* ---- One prediction ----------------------------------------------------------------------- */

/* Shrink or enlarge the picture to what the network takes. */
static bool input_make(struct remover *remover, struct image *image, struct err *err)
{
    struct resize *resize = NULL;
    if (!resize_new((struct resize_size){ image->width, image->height },
                    (struct resize_size){ ISNET_SIZE, ISNET_SIZE }, &resize, err))
        return false;
    struct pass pass = { .remover = remover, .image = image, .resize = resize };
    parallel_rows(remover->threads, ISNET_SIZE, row_to_input, &pass);
    resize_free(resize);
    return true;
}

/* The lowest matte value and the span, over the matte in the picture's size: a picture smaller than
 * the matte may not meet its extremes. A flat matte is left as it is (0 and 1). */
static void range_find(struct pass *pass)
{
    float low = INFINITY, high = -INFINITY;
    for (int i = 0; i < ENGINE_THREADS_MAX; i++) {
        pass->low[i] = INFINITY;
        pass->high[i] = -INFINITY;
    }
    parallel_rows(pass->remover->threads, pass->image->height, row_to_range, pass);
    for (int i = 0; i < ENGINE_THREADS_MAX; i++) {
        low = fminf(low, pass->low[i]);
        high = fmaxf(high, pass->high[i]);
    }
    if (high > low) {
        pass->matte_low = low;
        pass->matte_range = high - low;
    }
}

/* Put the matte into the picture's alpha. */
static bool alpha_apply(struct remover *remover, struct image *image, bool keep_alpha,
                        struct err *err)
{
    struct resize *resize = NULL;
    if (!resize_new((struct resize_size){ ISNET_SIZE, ISNET_SIZE },
                    (struct resize_size){ image->width, image->height }, &resize, err))
        return false;
    struct pass pass = {
        .remover = remover,
        .image = image,
        .resize = resize,
        .keep_alpha = keep_alpha,
        .matte_low = 0,
        .matte_range = 1,
        .lines = calloc((size_t)remover->threads * (size_t)image->width, sizeof(float)),
    };
    bool ok = pass.lines != NULL;
    if (ok) {
        if (remover->variant->stretch)
            range_find(&pass);
        parallel_rows(remover->threads, image->height, row_to_alpha, &pass);
    }
    free(pass.lines);
    resize_free(resize);
    return ok || err_set(err, ERR_NO_MEMORY, "There is no memory for the result.");
}

static bool picture_open(const struct job *job, struct image *ret_image, struct err *err)
{
    const char *path = job_file(job, "image");
    if (!path)
        path = job_file(job, "image_url");
    if (!path)
        return err_set(err, ERR_MODEL, "Give an image: either `image` or `image_url`.");
    return image_open(path, ret_image, err);
}

static bool was_canceled(void *context)
{
    return job_canceled(context);
}

static bool picture_process(struct remover *remover, struct job *job, struct image *image,
                            struct err *err)
{
    bool keep_alpha =
        job_boolean(job, "preserve_alpha") && job_boolean(job, "preserve_partial_alpha");
    job_progress(job, 1, STEPS);
    if (!input_make(remover, image, err) ||
        !isnet_matte(remover->isnet, remover->input, remover->matte, was_canceled, job, err))
        return false;
    job_progress(job, 2, STEPS);
    if (!alpha_apply(remover, image, keep_alpha, err))
        return false;
    if (job_canceled(job))
        return err_set(err, ERR_CANCELED, "The prediction was canceled.");
    image->has_alpha = true;
    image->is_gray = false; /* the result is RGBA whatever came */
    const char *path = job_output_path(job, "output.png");
    if (!path)
        return err_set(err, ERR_INTERNAL, "There is no place for the result.");
    if (!image_save_png(image, path, err))
        return false;
    job_progress(job, STEPS, STEPS);
    job_output_file(job, "output.png", "image/png");
    return true;
}

static bool remover_predict(void *state, struct job *job, struct err *err)
{
    struct image image = { 0 };
    if (job_boolean(job, "content_moderation"))
        return err_set(err, ERR_MODEL,
                       "content_moderation is not available: this server has no moderation model.");
    job_progress(job, 0, STEPS);
    if (!picture_open(job, &image, err))
        return false;
    bool ok = picture_process(state, job, &image, err);
    image_done(&image);
    return ok;
}

const struct model model_remove_background = {
    .name = "remove_background",
    .inputs = inputs,
    .output = OUTPUT_FILE,
    .load = remover_load,
    .predict = remover_predict,
    .unload = remover_unload,
};
