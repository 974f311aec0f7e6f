/* The flow of restoring faces: search, and for each face crop, restore, parse, paste. */
#include "face/face.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "engine/engine.h"
#include "face/face_private.h"
#include "image/image.h"
#include "nn/checkpoint.h"
#include "nn/gfpgan.h"
#include "nn/parsenet.h"
#include "nn/restoreformer.h"
#include "nn/retinaface.h"
#include "nn/stage.h"
#include "weights/weights.h"

/* Eyes nearer than this are not worth restoring, or no face at all; in pixels of the source. */
#define EYES_APART_MIN 5.0f

_Static_assert(GFPGAN_SIZE == FACE_SIZE && RESTOREFORMER_SIZE == FACE_SIZE &&
                   PARSENET_SIZE == FACE_SIZE && RETINAFACE_POINTS == FACE_POINTS,
               "the networks take upright faces of one size");

/* ---- Loading -------------------------------------------------------------------------------- */

struct face_restorer {
    struct engine *engine;
    struct retinaface *retinaface;
    struct parsenet *parsenet;
    struct gfpgan *gfpgan;               /* one of these two */
    struct restoreformer *restoreformer; /* or none, after face_restorer_change failed */
    float *classes;                      /* [PARSENET_CLASSES][512][512] */
    const struct face_options *options;  /* of the run in progress */
};

static bool restorer_open(const char *path, struct weights **ret_weights, struct err *err)
{
    if (!weights_open(path, ret_weights, err))
        return err_while(err, "opening %s", path);
    checkpoint_enter(*ret_weights);
    return true;
}

static bool restorer_detector(struct face_restorer *restorer, const char *path, struct err *err)
{
    struct weights *weights = NULL;
    if (!restorer_open(path, &weights, err))
        return false;
    bool ok = retinaface_new(restorer->engine, weights, &restorer->retinaface, err);
    weights_close(weights);
    return ok || err_while(err, "loading %s", path);
}

static bool restorer_parser(struct face_restorer *restorer, const char *path, struct err *err)
{
    struct weights *weights = NULL;
    if (!restorer_open(path, &weights, err))
        return false;
    bool ok = parsenet_new(restorer->engine, weights, &restorer->parsenet, err);
    weights_close(weights);
    return ok || err_while(err, "loading %s", path);
}

static void restorer_drop(struct face_restorer *restorer)
{
    gfpgan_free(restorer->gfpgan);
    restoreformer_free(restorer->restoreformer);
    restorer->gfpgan = NULL;
    restorer->restoreformer = NULL;
}

/* Asked between the stages of a network: true to go on. */
static bool restorer_goes_on(void *context, const char *stage, const struct tensor *result)
{
    const struct face_options *options = ((struct face_restorer *)context)->options;
    (void)stage;
    (void)result;
    return !options || !options->canceled || !options->canceled(options->context);
}

bool face_restorer_change(struct face_restorer *restorer, const char *path, struct err *err)
{
    const struct stage_watch watch = { restorer_goes_on, restorer };
    struct weights *weights = NULL;
    restorer_drop(restorer);
    if (!restorer_open(path, &weights, err))
        return false;
    bool ok =
        restoreformer_is(weights)
            ? restoreformer_new(restorer->engine, weights, NULL, &restorer->restoreformer, err)
            : gfpgan_new(restorer->engine, weights, NULL, &restorer->gfpgan, err);
    weights_close(weights);
    if (restorer->gfpgan)
        gfpgan_watch(restorer->gfpgan, &watch);
    if (restorer->restoreformer)
        restoreformer_watch(restorer->restoreformer, &watch);
    return ok || err_while(err, "loading %s", path);
}

bool face_restorer_new(struct engine *engine, const struct face_files *files,
                       struct face_restorer **ret_restorer, struct err *err)
{
    struct face_restorer *restorer = calloc(1, sizeof *restorer);
    if (!restorer)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the restoring of faces.");
    restorer->engine = engine;
    restorer->classes = malloc(PARSENET_CLASSES * FACE_PIXELS * sizeof *restorer->classes);
    bool ok = restorer->classes ||
              err_set(err, ERR_NO_MEMORY, "There is no memory for the restoring of faces.");
    ok = ok && restorer_detector(restorer, files->detector, err) &&
         restorer_parser(restorer, files->parser, err) &&
         (!files->restorer || face_restorer_change(restorer, files->restorer, err));
    if (!ok) {
        face_restorer_free(restorer);
        return false;
    }
    *ret_restorer = restorer;
    return true;
}

void face_restorer_free(struct face_restorer *restorer)
{
    if (!restorer)
        return;
    restorer_drop(restorer);
    retinaface_free(restorer->retinaface);
    parsenet_free(restorer->parsenet);
    free(restorer->classes);
    free(restorer);
}

/* ---- One face ------------------------------------------------------------------------------- */

/* Buffers for one face at a time. */
struct face_work {
    float *input, *output; /* [3][512][512] */
    uint8_t *face;         /* [512][512][3], restored */
    uint8_t *classes;      /* [512][512] */
    double *mask;          /* [512][512] */
};

static void work_free(struct face_work *work)
{
    free(work->input);
    free(work->output);
    free(work->face);
    free(work->classes);
    free(work->mask);
}

static bool work_new(struct face_work *ret_work, struct err *err)
{
    *ret_work = (struct face_work){
        .input = malloc(3 * FACE_PIXELS * sizeof(float)),
        .output = malloc(3 * FACE_PIXELS * sizeof(float)),
        .face = malloc(3 * FACE_PIXELS),
        .classes = malloc(FACE_PIXELS),
        .mask = malloc(FACE_PIXELS * sizeof(double)),
    };
    if (ret_work->input && ret_work->output && ret_work->face && ret_work->classes &&
        ret_work->mask)
        return true;
    work_free(ret_work);
    return err_set(err, ERR_NO_MEMORY, "There is no memory for a face.");
}

/* From 0..255 to what the networks take. */
static float to_network(float level)
{
    return (level / 255.0f - 0.5f) / 0.5f;
}

/* What a network gave, as levels; nonsense is black. */
static uint8_t to_level(float value)
{
    float level = rintf((fminf(fmaxf(value, -1), 1) + 1) / 2 * 255.0f);
    return isnan(value) ? 0 : (uint8_t)level;
}

/* The upright face in work->input, restored in work->face. */
static bool face_compute(const struct face_networks *networks, struct face_work *work,
                         struct err *err)
{
    for (size_t i = 0; i < 3 * FACE_PIXELS; i++)
        work->input[i] = to_network(work->input[i]);
    if (!networks->restore(networks->context, work->input, work->output, err))
        return false;
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < FACE_PIXELS; i++) {
            uint8_t level = to_level(work->output[c * FACE_PIXELS + i]);
            work->face[3 * i + c] = level;
            work->output[c * FACE_PIXELS + i] = to_network(level); /* now the parser's input */
        }
    return networks->parse(networks->context, work->output, work->classes, err);
}

/* From the upright face to the canvas: back, enlarged, and half a pixel of the canvas' larger ones
 * on, which the original adds "for more precise alignment". */
static bool canvas_matrix(const struct face_matrix *to_face, double factor,
                          struct face_matrix *ret_to_canvas)
{
    if (!face_matrix_invert(to_face, ret_to_canvas))
        return false;
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 3; i++)
            ret_to_canvas->row[k][i] *= factor;
        ret_to_canvas->row[k][2] += factor > 1 ? 0.5 * factor : 0;
    }
    return true;
}

static bool eyes_apart(const float points[FACE_POINTS][2])
{
    return hypotf(points[0][0] - points[1][0], points[0][1] - points[1][1]) >= EYES_APART_MIN;
}

static bool was_canceled(const struct face_options *options)
{
    return options->canceled && options->canceled(options->context);
}

static void report(const struct face_options *options, int done, int total)
{
    if (options->progress)
        options->progress(options->context, done, total);
}

bool face_restore_points(const struct face_networks *networks, int threads,
                         const struct image *source, struct image *canvas,
                         const float (*points)[FACE_POINTS][2], int count,
                         const struct face_options *options, int *ret_faces, struct err *err)
{
    double factor = options->factor > 0 ? options->factor : (double)canvas->width / source->width;
    struct face_matrix to_face[FACE_COUNT_MAX], to_canvas[FACE_COUNT_MAX];
    struct face_work work;
    int total = 0;
    for (int i = 0; i < count && total < FACE_COUNT_MAX; i++)
        total += eyes_apart(points[i]) && face_align(points[i], &to_face[total]) &&
                 canvas_matrix(&to_face[total], factor, &to_canvas[total]);
    if (!work_new(&work, err))
        return false;
    bool ok = true;
    for (int i = 0; ok && i < total; i++) {
        report(options, i, total);
        if (was_canceled(options)) {
            ok = err_set(err, ERR_CANCELED, "The prediction was canceled.");
            break;
        }
        face_crop(source, &to_face[i], threads, work.input);
        ok = face_compute(networks, &work, err) && face_mask(work.classes, threads, work.mask, err);
        if (ok)
            face_paste(canvas, &to_canvas[i], work.face, work.mask, threads);
    }
    work_free(&work);
    if (total > 0)
        canvas->is_gray = false; /* the networks give colors, also to a gray face */
    if (ok && total > 0)
        report(options, total, total);
    if (ok)
        *ret_faces = total;
    return ok;
}

/* ---- All faces of a picture ----------------------------------------------------------------- */

static bool restore_with(void *context, const float *face, float *ret_face, struct err *err)
{
    struct face_restorer *restorer = context;
    return restorer->restoreformer ? restoreformer_run(restorer->restoreformer, face, ret_face, err)
                                   : gfpgan_run(restorer->gfpgan, face, ret_face, err);
}

static bool parse_with(void *context, const float *face, uint8_t *ret_classes, struct err *err)
{
    struct face_restorer *restorer = context;
    /* The network only reads it; a tensor has no const. */
    struct tensor src = tensor_plain(3, FACE_SIZE, FACE_SIZE, (float *)(uintptr_t)face);
    struct tensor dst = tensor_plain(PARSENET_CLASSES, FACE_SIZE, FACE_SIZE, restorer->classes);
    if (was_canceled(restorer->options))
        return err_set(err, ERR_CANCELED, "The prediction was canceled.");
    if (!parsenet_run(restorer->parsenet, &src, &dst, err))
        return false;
    memset(ret_classes, 0, FACE_PIXELS);
    for (uint8_t class = 1; class < PARSENET_CLASSES; class ++)
        for (size_t i = 0; i < FACE_PIXELS; i++)
            if (restorer->classes[class * FACE_PIXELS + i] >
                restorer->classes[ret_classes[i] * FACE_PIXELS + i])
                ret_classes[i] = class;
    return true;
}

bool face_restore(struct face_restorer *restorer, const struct image *source, struct image *canvas,
                  const struct face_options *options, int *ret_faces, struct err *err)
{
    const struct face_options none = { 0 };
    const struct face_networks networks = { restore_with, parse_with, restorer };
    float(*points)[FACE_POINTS][2] = calloc(FACE_COUNT_MAX, sizeof *points);
    int count = 0;
    if (!points)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the faces.");
    if (!restorer->gfpgan && !restorer->restoreformer) {
        free(points);
        return err_set(err, ERR_INTERNAL, "No network to restore faces with is loaded.");
    }
    restorer->options = options ? options : &none;
    bool ok = face_search(restorer->engine, restorer->retinaface, source, restorer->options, points,
                          &count, err) &&
              face_restore_points(&networks, engine_threads(restorer->engine), source, canvas,
                                  (const float(*)[FACE_POINTS][2])points, count, restorer->options,
                                  ret_faces, err);
    restorer->options = NULL;
    free(points);
    return ok;
}
