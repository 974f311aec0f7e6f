/* nightmareai/real-esrgan, and mimeo/real-esrgan-anime: a picture enlarged by RRDBNet.
 *
 *   picture --> tiles through the network --> bands resized to `scale` --> output.png
 *                 with face_enhance: faces found, restored by GFPGAN v1.3, and pasted into it
 *
 * Which network it is, the weights folder says: the first of `networks` that lies there. The face
 * networks are loaded when they are first asked for.
 * Memory beside the networks: the picture, the result, and what upscale/ states.
 * Not here: tiles and resizing (upscale/), faces (face/), the network (nn/rrdb.c). */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "engine/engine.h"
#include "face/face.h"
#include "image/image.h"
#include "runner/job.h"
#include "runner/model.h"
#include "upscale/upscale.h"
#include "weights/weights.h"

#define PATH_BYTES 4096

/* Progress: a hundred steps; with faces the background takes so many. */
#define STEPS 100
#define STEPS_BACKGROUND 60

/* Tried in this order. ncnn's .bin lies beside its .param. */
static const char *const networks[] = {
    "realesrgan-x4plus.param",
    "RealESRGAN_x4plus.pth",
    "realesrgan-x4plus-anime.param",
    "RealESRGAN_x4plus_anime_6B.pth",
};

struct esrgan {
    char directory[PATH_BYTES]; /* of the weights */
    struct engine *engine;
    struct upscaler *upscaler;
    struct face_restorer *restorer; /* NULL until it is asked for */
};

static const struct model_input inputs[] = {
    { .name = "image", .type = INPUT_FILE, .required = true, .help = "Input image" },
    { .name = "scale",
      .type = INPUT_NUMBER,
      .has_default = true,
      .default_number = 4,
      .has_min = true,
      .min = 0,
      .has_max = true,
      .max = 10,
      .help = "Factor to scale image by" },
    { .name = "face_enhance",
      .type = INPUT_BOOLEAN,
      .has_default = true,
      .default_number = 0,
      .help = "Run GFPGAN face enhancement along with upscaling" },
    { 0 },
};

/* ---- Loading ------------------------------------------------------------------------------ */

static bool file_find(const struct esrgan *esrgan, const char *file, char *ret_path)
{
    int len = snprintf(ret_path, PATH_BYTES, "%s/%s", esrgan->directory, file);
    return len > 0 && len < PATH_BYTES && access(ret_path, R_OK) == 0;
}

static bool network_load(struct esrgan *esrgan, struct err *err)
{
    char path[PATH_BYTES];
    struct weights *weights = NULL;
    size_t i = 0;
    while (i < ARRAY_LEN(networks) && !file_find(esrgan, networks[i], path))
        i++;
    if (i == ARRAY_LEN(networks))
        return err_set(err, ERR_NOT_FOUND,
                       "The weights of Real-ESRGAN are not here: run `mimeo pull "
                       "nightmareai/real-esrgan` (for drawings `mimeo pull "
                       "mimeo/real-esrgan-anime`).");
    if (!weights_open(path, &weights, err))
        return err_while(err, "opening %s", path);
    bool ok = upscaler_new(esrgan->engine, weights, &esrgan->upscaler, err);
    weights_close(weights);
    return ok || err_while(err, "loading %s", path);
}

static void esrgan_unload(void *state)
{
    struct esrgan *esrgan = state;
    if (!esrgan)
        return;
    face_restorer_free(esrgan->restorer);
    upscaler_free(esrgan->upscaler);
    engine_free(esrgan->engine);
    free(esrgan);
}

static bool esrgan_fill(struct esrgan *esrgan, const struct model_context *context, struct err *err)
{
    const struct engine_options options = {
        .threads = context->threads > ENGINE_THREADS_MAX ? ENGINE_THREADS_MAX : context->threads,
        .precision = strcmp(context->precision, "bf16") == 0 ? ENGINE_BF16 : ENGINE_F32,
    };
    int len = snprintf(esrgan->directory, PATH_BYTES, "%s", context->weights_directory);
    if (len < 0 || len >= PATH_BYTES)
        return err_set(err, ERR_INVALID, "The path of the weights is too long.");
    return image_start(err) && engine_new(&options, &esrgan->engine, err) &&
           network_load(esrgan, err);
}

static bool esrgan_load(const struct model_context *context, void **ret_state, struct err *err)
{
    assert(context->threads >= 1);
    struct esrgan *esrgan = calloc(1, sizeof *esrgan);
    if (!esrgan)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the model.");
    if (!esrgan_fill(esrgan, context, err)) {
        esrgan_unload(esrgan);
        return false;
    }
    *ret_state = esrgan;
    return true;
}

/* The networks for faces. They are beside the others, or nowhere. */
static bool faces_load(struct esrgan *esrgan, struct err *err)
{
    char detector[PATH_BYTES], parser[PATH_BYTES], restorer[PATH_BYTES];
    const struct face_files files = { detector, parser, restorer };
    if (esrgan->restorer)
        return true;
    if (!file_find(esrgan, "detection_Resnet50_Final.pth", detector) ||
        !file_find(esrgan, "parsing_parsenet.pth", parser) ||
        !file_find(esrgan, "GFPGANv1.3.pth", restorer))
        return err_set(err, ERR_MODEL,
                       "face_enhance needs more weights: run `mimeo pull nightmareai/real-esrgan "
                       "--part face-detection --part face-parsing --part face-restoration`.");
    return face_restorer_new(esrgan->engine, &files, &esrgan->restorer, err);
}

/* ---- One prediction ----------------------------------------------------------------------- */

struct progress {
    struct job *job;
    int background; /* steps that the tiles take */
};

static bool was_canceled(void *context)
{
    const struct progress *progress = context;
    return job_canceled(progress->job);
}

static void on_tile(void *context, int done, int total)
{
    const struct progress *progress = context;
    job_progress(progress->job, (int)((double)progress->background * done / total), STEPS);
}

static void on_face(void *context, int done, int total)
{
    const struct progress *progress = context;
    double part = (double)(STEPS - 1 - progress->background) * done / total;
    job_progress(progress->job, progress->background + (int)part, STEPS);
}

static bool result_save(struct job *job, const struct image *result, struct err *err)
{
    const char *path = job_output_path(job, "output.png");
    if (job_canceled(job))
        return err_set(err, ERR_CANCELED, "The prediction was canceled.");
    if (!path)
        return err_set(err, ERR_INTERNAL, "There is no place for the result.");
    if (!image_save_png(result, path, err))
        return false;
    job_progress(job, STEPS, STEPS);
    job_output_file(job, "output.png", "image/png");
    return true;
}

static bool picture_process(struct esrgan *esrgan, struct job *job, const struct image *image,
                            struct err *err)
{
    bool faces = job_boolean(job, "face_enhance");
    struct progress progress = { job, faces ? STEPS_BACKGROUND : STEPS - 1 };
    const struct upscale_options enlarging = { .scale = job_number(job, "scale"),
                                               .canceled = was_canceled,
                                               .progress = on_tile,
                                               .context = &progress };
    const struct face_options restoring = { .factor = job_number(job, "scale"),
                                            .canceled = was_canceled,
                                            .progress = on_face,
                                            .context = &progress };
    struct image result = { 0 };
    int count = 0;
    job_log(job, faces ? "running with face enhancement" : "running without face enhancement");
    if (image->bits == 16)
        job_log(job, "\tInput is a 16-bit image");
    job_metric(job, "scale", job_number(job, "scale"));
    job_metric(job, "input_height", image->height);
    job_metric(job, "input_width", image->width);
    job_metric(job, "face_enhance", faces);
    if ((faces && !faces_load(esrgan, err)) ||
        !upscaler_run(esrgan->upscaler, image, &enlarging, &result, err))
        return false;
    bool ok = !faces || face_restore(esrgan->restorer, image, &result, &restoring, &count, err);
    if (ok && faces && count == 0)
        job_log(job, "No face was found; the picture is enlarged only.");
    ok = ok && result_save(job, &result, err);
    image_done(&result);
    return ok;
}

static bool esrgan_predict(void *state, struct job *job, struct err *err)
{
    struct image image = { 0 };
    const char *path = job_file(job, "image");
    job_progress(job, 0, STEPS);
    if (!path)
        return err_set(err, ERR_MODEL, "Give a picture: `image`.");
    if (!image_open(path, &image, err))
        return false;
    bool ok = picture_process(state, job, &image, err);
    image_done(&image);
    return ok;
}

const struct model model_real_esrgan = {
    .name = "real_esrgan",
    .inputs = inputs,
    .output = OUTPUT_FILE,
    .load = esrgan_load,
    .predict = esrgan_predict,
    .unload = esrgan_unload,
};
