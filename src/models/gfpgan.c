/* tencentarc/gfpgan: a picture enlarged, and its faces restored.
 *
 *   picture --> twice as large, if low --> background twice as large (SRVGG) --> faces restored in
 *   it --> the size that `scale` asks for
 *
 * Sizes follow Replicate's gfpgan number by number: `scale` is applied to half of a picture that is
 * already twice as large, or four times, so a result is rarely `scale` times its input; the log
 * says so. What cannot be done with a scale leaves the picture as it is before the last step.
 *
 * Memory beside the networks: the picture, the enlarged picture, the result; and what the search
 * for faces takes (face/). Not here: enlarging (upscale/), faces (face/), the networks (nn/). */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "engine/engine.h"
#include "face/face.h"
#include "image/image.h"
#include "image/resample.h"
#include "runner/job.h"
#include "runner/model.h"
#include "upscale/upscale.h"
#include "weights/weights.h"

#define PATH_BYTES 4096
#define LOW_PIXELS 300 /* pictures that are less high are made twice as large first */
#define FACTOR 2       /* by which a picture is enlarged, whatever `scale` is */

/* Progress: a hundred steps, of which the background takes so many. */
#define STEPS 100
#define STEPS_BACKGROUND 50

/* A file of weights and the part of `mimeo pull` that brings it. */
struct part {
    const char *name, *file;
};

static const struct part detector = { "face-detection", "detection_Resnet50_Final.pth" };
static const struct part parser = { "face-parsing", "parsing_parsenet.pth" };
static const struct part background = { "background", "realesr-general-x4v3.pth" };

/* The values of `version`. */
static const struct part versions[] = {
    { "v1.4", "GFPGANv1.4.pth" },
    { "v1.3", "GFPGANv1.3.pth" },
    { "v1.2", "GFPGANv1.2.pth" },
    { "RestoreFormer", "RestoreFormer.pth" },
};

static const char *const version_choices[] = { "v1.2", "v1.3", "v1.4", "RestoreFormer", NULL };

static const struct model_input inputs[] = {
    { .name = "img", .type = INPUT_FILE, .required = true, .help = "Input" },
    { .name = "version",
      .type = INPUT_STRING,
      .has_default = true,
      .default_string = "v1.4",
      .choices = version_choices,
      .help = "GFPGAN version. v1.3: better quality. v1.4: more details and better identity." },
    { .name = "scale",
      .type = INPUT_NUMBER,
      .has_default = true,
      .default_number = 2,
      .help = "Rescaling factor" },
    { 0 },
};

struct gfpgan_model {
    char directory[PATH_BYTES]; /* of the weights */
    struct engine *engine;
    struct upscaler *upscaler;
    struct face_restorer *restorer;
    const struct part *version; /* whose weights the restorer has; NULL: none */
};

/* ---- Loading ------------------------------------------------------------------------------ */

static bool part_path(const struct gfpgan_model *model, const struct part *part, char *ret_path)
{
    int len = snprintf(ret_path, PATH_BYTES, "%s/%s", model->directory, part->file);
    return len > 0 && len < PATH_BYTES && access(ret_path, R_OK) == 0;
}

static bool part_missing(enum err_kind kind, const char *what, const struct part *part,
                         struct err *err)
{
    return err_set(err, kind,
                   "The weights of %s are not here: run `mimeo pull tencentarc/gfpgan --part %s`.",
                   what, part->name);
}

/* Have the restorer use the weights of a version. They are loaded when first asked for, and one
 * version's at a time: each takes more than a gigabyte once packed. */
static bool version_use(struct gfpgan_model *model, const struct part *version, struct err *err)
{
    char path[PATH_BYTES], what[64];
    if (model->version == version)
        return true;
    snprintf(what, sizeof what, "version %s", version->name);
    if (!part_path(model, version, path))
        return part_missing(ERR_MODEL, what, version, err);
    model->version = NULL;
    if (!face_restorer_change(model->restorer, path, err))
        return false;
    model->version = version;
    return true;
}

static bool background_load(struct gfpgan_model *model, const char *path, struct err *err)
{
    struct weights *weights = NULL;
    if (!weights_open(path, &weights, err))
        return err_while(err, "opening %s", path);
    bool ok = upscaler_new(model->engine, weights, &model->upscaler, err);
    weights_close(weights);
    return ok || err_while(err, "loading %s", path);
}

static bool model_fill(struct gfpgan_model *model, const struct model_context *context,
                       struct err *err)
{
    char detector_path[PATH_BYTES], parser_path[PATH_BYTES], path[PATH_BYTES];
    const struct engine_options options = {
        .threads = context->threads > ENGINE_THREADS_MAX ? ENGINE_THREADS_MAX : context->threads,
        .precision = strcmp(context->precision, "bf16") == 0 ? ENGINE_BF16 : ENGINE_F32,
    };
    const struct face_files files = { .detector = detector_path, .parser = parser_path };
    int len = snprintf(model->directory, PATH_BYTES, "%s", context->weights_directory);
    if (len < 0 || len >= PATH_BYTES)
        return err_set(err, ERR_INVALID, "The path of the weights is too long.");
    if (!part_path(model, &detector, detector_path))
        return part_missing(ERR_NOT_FOUND, "the face detector", &detector, err);
    if (!part_path(model, &parser, parser_path))
        return part_missing(ERR_NOT_FOUND, "the face parser", &parser, err);
    if (!part_path(model, &background, path))
        return part_missing(ERR_NOT_FOUND, "the background's upscaler", &background, err);
    if (!image_start(err) || !engine_new(&options, &model->engine, err) ||
        !background_load(model, path, err) ||
        !face_restorer_new(model->engine, &files, &model->restorer, err))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(versions); i++)
        if (part_path(model, &versions[i], path))
            return version_use(model, &versions[i], err);
    return part_missing(ERR_NOT_FOUND, "GFPGAN", &versions[0], err);
}

static void gfpgan_unload(void *state)
{
    struct gfpgan_model *model = state;
    if (!model)
        return;
    face_restorer_free(model->restorer);
    upscaler_free(model->upscaler);
    engine_free(model->engine);
    free(model);
}

static bool gfpgan_load(const struct model_context *context, void **ret_state, struct err *err)
{
    assert(context->threads >= 1);
    struct gfpgan_model *model = calloc(1, sizeof *model);
    if (!model)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the model.");
    if (!model_fill(model, context, err)) {
        gfpgan_unload(model);
        return false;
    }
    *ret_state = model;
    return true;
}

/* ---- One prediction ----------------------------------------------------------------------- */

/* The picture in another size, in its place. */
static bool picture_resize(struct image *image, struct resize_size size,
                           enum resample_filter filter, struct err *err)
{
    const struct resample_options options = {
        .filter = filter,
        .type = image->bits == 16 ? RESAMPLE_U16 : RESAMPLE_U8,
        .channels = 4,
        .from = { image->width, image->height },
        .to = size,
    };
    struct resample *resample = NULL;
    void *pixels = malloc((size_t)size.width * (size_t)size.height * (size_t)(image->bits / 2));
    if (!pixels)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the result.");
    bool ok = resample_new(&options, &resample, err) &&
              resample_run(resample, image->pixels, pixels, err);
    resample_free(resample);
    if (!ok) {
        free(pixels);
        return false;
    }
    free(image->pixels);
    image->pixels = pixels;
    image->width = size.width;
    image->height = size.height;
    return true;
}

static bool was_canceled(void *context)
{
    return job_canceled(context);
}

static void on_tile(void *context, int done, int total)
{
    job_progress(context, (int)((double)STEPS_BACKGROUND * done / total), STEPS);
}

static void on_face(void *context, int done, int total)
{
    double part = (double)(STEPS - 1 - STEPS_BACKGROUND) * done / total;
    job_progress(context, STEPS_BACKGROUND + (int)part, STEPS);
}

/* Python's way to write a number that is not whole by its type: 2.0, 1.5. */
static void number_text(double number, char *ret_text, size_t size)
{
    snprintf(ret_text, size, "%.15g", number);
    if (strspn(ret_text, "-0123456789") == strlen(ret_text) && strlen(ret_text) + 2 < size)
        memcpy(ret_text + strlen(ret_text), ".0", 3);
}

/* The last step: the size that `scale` asks for, reckoned from the picture before it was enlarged.
 * False for no such size. */
static bool result_size(const struct image *working, double scale, struct resize_size *ret_size)
{
    double width = floor(working->width * scale / FACTOR);
    double height = floor(working->height * scale / FACTOR);
    double limit = working->bits == 16 ? UPSCALE_PIXELS_MAX / 2.0 : UPSCALE_PIXELS_MAX;
    if (!(width >= 1 && height >= 1 && width * height <= limit))
        return false;
    *ret_size = (struct resize_size){ (int)width, (int)height };
    return true;
}

static bool result_resize(struct job *job, double scale, const struct image *working,
                          struct image *canvas, struct err *err)
{
    struct resize_size size;
    if (scale == FACTOR)
        return true;
    if (!result_size(working, scale, &size)) {
        job_log(job, "wrong scale input. The result is twice as large as the working picture.");
        return true;
    }
    if (size.width == canvas->width && size.height == canvas->height)
        return true;
    return picture_resize(canvas, size, scale < FACTOR ? RESAMPLE_AREA : RESAMPLE_LANCZOS4, err);
}

/* The picture enlarged, its faces restored, before the last step. Free with image_done. */
static bool picture_enlarge(struct gfpgan_model *model, struct job *job, const struct image *image,
                            struct image *ret_canvas, struct err *err)
{
    const struct upscale_options enlarging = {
        .scale = FACTOR, .canceled = was_canceled, .progress = on_tile, .context = job
    };
    const struct face_options restoring = {
        .factor = FACTOR, .canceled = was_canceled, .progress = on_face, .context = job
    };
    struct image canvas = { 0 };
    int faces = 0;
    if (!upscaler_run(model->upscaler, image, &enlarging, &canvas, err))
        return false;
    if (!face_restore(model->restorer, image, &canvas, &restoring, &faces, err)) {
        image_done(&canvas);
        return false;
    }
    if (faces == 0)
        job_log(job, "No face was found; the picture is enlarged only.");
    job_metric(job, "face_count", faces);
    *ret_canvas = canvas;
    return true;
}

static bool result_save(struct job *job, const struct image *image, struct err *err)
{
    const char *path = job_output_path(job, "output.png");
    if (job_canceled(job))
        return err_set(err, ERR_CANCELED, "The prediction was canceled.");
    if (!path)
        return err_set(err, ERR_INTERNAL, "There is no place for the result.");
    if (!image_save_png(image, path, err))
        return false;
    job_progress(job, STEPS, STEPS);
    job_output_file(job, "output.png", "image/png");
    return true;
}

static bool picture_process(struct gfpgan_model *model, struct job *job, struct image *image,
                            struct err *err)
{
    double scale = job_number(job, "scale");
    int width = image->width, height = image->height;
    struct image canvas = { 0 };
    if (height < LOW_PIXELS && width > UPSCALE_SIDE_MAX / 2) /* before that much is made of it */
        return err_set(err, ERR_TOO_LARGE,
                       "The image is too long: %d x %d pixels, where at most %d a side can be "
                       "enlarged if it is less than %d high.",
                       width, height, UPSCALE_SIDE_MAX / 2, LOW_PIXELS);
    if (height < LOW_PIXELS && !picture_resize(image, (struct resize_size){ 2 * width, 2 * height },
                                               RESAMPLE_LANCZOS4, err))
        return false;
    bool ok = picture_enlarge(model, job, image, &canvas, err) &&
              result_resize(job, scale, image, &canvas, err);
    if (ok && (canvas.width != floor(width * scale) || canvas.height != floor(height * scale)))
        job_log(job,
                "The result has %d x %d pixels, %.3g times the input's: scale is reckoned as "
                "the original does, see the model's readme.",
                canvas.width, canvas.height, (double)canvas.width / width);
    ok = ok && result_save(job, &canvas, err);
    image_done(&canvas);
    return ok;
}

static bool gfpgan_predict(void *state, struct job *job, struct err *err)
{
    struct gfpgan_model *model = state;
    struct image image = { 0 };
    const struct part *version = NULL;
    const char *path = job_file(job, "img"), *name = job_string(job, "version");
    char scale[32];
    if (!path)
        return err_set(err, ERR_MODEL, "Give a picture: `img`.");
    number_text(job_number(job, "scale"), scale, sizeof scale);
    const char *slash = strrchr(path, '/');
    job_log(job, "%s %s %s 0.5", slash ? slash + 1 : path, name, scale);
    for (size_t i = 0; i < ARRAY_LEN(versions); i++)
        if (strcmp(versions[i].name, name) == 0)
            version = &versions[i];
    assert(version); /* the table's choices are the names */
    job_progress(job, 0, STEPS);
    if (!version_use(model, version, err) || !image_open(path, &image, err))
        return false;
    bool ok = picture_process(model, job, &image, err);
    image_done(&image);
    return ok;
}

const struct model model_gfpgan = {
    .name = "gfpgan",
    .inputs = inputs,
    .output = OUTPUT_FILE,
    .load = gfpgan_load,
    .predict = gfpgan_predict,
    .unload = gfpgan_unload,
};
