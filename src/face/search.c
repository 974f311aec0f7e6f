/* Where the faces of a picture are: the picture in the size that is searched, the detector, and its
 * points back in the picture's own pixels. */
#include <math.h>
#include <stdlib.h>

#include "base/err.h"
#include "engine/engine.h"
#include "face/face_private.h"
#include "image/image.h"
#include "image/resample.h"
#include "nn/retinaface.h"

/* Only what is surely a face; GFPGAN's figures. */
static const struct retinaface_limits search_limits = { .confidence = 0.97f, .overlap = 0.4f };

/* Pixels a side. In less there is no face whose eyes are as far apart as face.c wants them, and
 * under 5 oneDNN has no kernel for the detector's first convolution. */
#define SEARCH_SIDE_MIN 8

_Static_assert(FACE_COUNT_MAX == RETINAFACE_FACES_MAX, "room for all faces");

static long long padded(int side)
{
    return ((long long)side + FACE_SEARCH_CELL - 1) / FACE_SEARCH_CELL * FACE_SEARCH_CELL;
}

struct resize_size face_search_size(int width, int height)
{
    struct resize_size size = { width, height };
    double scale = fmin(1, sqrt(FACE_SEARCH_PIXELS_MAX / ((double)width * height)));
    while (padded(size.width) * padded(size.height) > FACE_SEARCH_PIXELS_MAX) {
        size.width = (int)fmax(1, floor(width * scale));
        size.height = (int)fmax(1, floor(height * scale));
        scale *= 0.99;
    }
    return size;
}

/* The picture in another size, as its means over what a pixel covers. Free ret_pixels. */
static bool search_shrink(const struct image *picture, struct resize_size size, void **ret_pixels,
                          struct err *err)
{
    const struct resample_options options = {
        .filter = RESAMPLE_AREA,
        .type = picture->bits == 16 ? RESAMPLE_U16 : RESAMPLE_U8,
        .channels = 4,
        .from = { picture->width, picture->height },
        .to = size,
    };
    struct resample *resample = NULL;
    void *pixels = malloc((size_t)size.width * (size_t)size.height * (size_t)(picture->bits / 2));
    if (!pixels)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the search for faces.");
    bool ok = resample_new(&options, &resample, err) &&
              resample_run(resample, picture->pixels, pixels, err);
    resample_free(resample);
    if (ok)
        *ret_pixels = pixels;
    else
        free(pixels);
    return ok;
}

/* RGBA of either depth to planes of blue, green and red less their means. */
static void search_planes(const void *pixels, int bits, const struct tensor *planes)
{
    size_t count = (size_t)planes->width * (size_t)planes->height;
    float *values = planes->data;
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < count; i++) {
            size_t at = 4 * i + 2 - c;
            float value = bits == 16 ? (float)(((const uint16_t *)pixels)[at] / 257.0)
                                     : ((const uint8_t *)pixels)[at];
            values[c * count + i] = value - retinaface_means[c];
        }
}

static bool search_run(struct engine *engine, struct retinaface *retinaface, const void *pixels,
                       int bits, struct resize_size size, const struct face_options *options,
                       struct retinaface_face *ret_faces, int *ret_count, struct err *err)
{
    const struct retinaface_watch watch = { options->canceled, options->context };
    struct retinaface_heads heads;
    struct tensor planes;
    size_t mark = engine_mark(engine);
    bool ok = engine_tensor_plain(engine, 3, size.height, size.width, &planes, err);
    if (ok)
        search_planes(pixels, bits, &planes);
    ok = ok && retinaface_run(retinaface, &planes, &watch, &heads, err) &&
         retinaface_decode(&heads, size.width, size.height, &search_limits, ret_faces, ret_count,
                           err);
    engine_release(engine, mark);
    return ok;
}

bool face_search(struct engine *engine, struct retinaface *retinaface, const struct image *picture,
                 const struct face_options *options, float (*ret_points)[FACE_POINTS][2],
                 int *ret_count, struct err *err)
{
    struct resize_size size = face_search_size(picture->width, picture->height);
    bool shrunk = size.width != picture->width || size.height != picture->height;
    void *small = NULL;
    int count = 0;
    if (size.width < SEARCH_SIDE_MIN || size.height < SEARCH_SIDE_MIN) {
        *ret_count = 0;
        return true;
    }
    struct retinaface_face *faces = calloc(FACE_COUNT_MAX, sizeof *faces);
    bool ok = faces || err_set(err, ERR_NO_MEMORY, "There is no memory for the faces.");
    ok = ok && (!shrunk || search_shrink(picture, size, &small, err)) &&
         search_run(engine, retinaface, shrunk ? small : picture->pixels, picture->bits, size,
                    options, faces, &count, err);
    float across = (float)picture->width / (float)size.width;
    float down = (float)picture->height / (float)size.height;
    for (int i = 0; ok && i < count; i++)
        for (int k = 0; k < FACE_POINTS; k++) {
            const float *point = faces[i].points[k];
            ret_points[i][k][0] = shrunk ? (point[0] + 0.5f) * across - 0.5f : point[0];
            ret_points[i][k][1] = shrunk ? (point[1] + 0.5f) * down - 0.5f : point[1];
        }
    if (ok)
        *ret_count = count;
    free(small);
    free(faces);
    return ok;
}
