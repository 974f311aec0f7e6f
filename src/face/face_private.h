/* The steps of the face pipeline, for face.c and its tests. Private to face/. */
#ifndef MIMEO_FACE_FACE_PRIVATE_H
#define MIMEO_FACE_FACE_PRIVATE_H

#include <stdint.h>

#include "face/face.h"
#include "image/resize.h"

#define FACE_SIZE 512 /* pixels; the side of an upright face */
#define FACE_PIXELS ((size_t)FACE_SIZE * FACE_SIZE)
#define FACE_POINTS 5

/* (x, y) goes to (row[0][0] x + row[0][1] y + row[0][2], row[1][0] x + ...). */
struct face_matrix {
    double row[2][3];
};

/* False, and *ret_inverse untouched, when there is none. */
bool face_matrix_invert(const struct face_matrix *matrix, struct face_matrix *ret_inverse);

/* Faces are searched for at the picture's own size up to this, its sides rounded up to whole cells
 * of 32 pixels; a larger picture is shrunk first. Search memory is 220 bytes a pixel: 0.9 GB. */
#define FACE_SEARCH_PIXELS_MAX (2048 * 2048)
#define FACE_SEARCH_CELL 32

/* The size to search a picture of width x height at. */
struct resize_size face_search_size(int width, int height);

struct engine;
struct retinaface;
#define FACE_COUNT_MAX 512 /* RETINAFACE_FACES_MAX */

/* Find faces: their points in pixels of the picture, surest face first; ret_points has room for
 * FACE_COUNT_MAX. ERR_CANCELED, ERR_NO_MEMORY. */
bool face_search(struct engine *engine, struct retinaface *retinaface, const struct image *picture,
                 const struct face_options *options, float (*ret_points)[FACE_POINTS][2],
                 int *ret_count, struct err *err);

/* The similarity (turn, scale, shift) that brings a face's points to where an upright face has
 * them: least squares over the points that are no outliers, told as OpenCV's
 * estimateAffinePartial2D does with LMEDS, in its order of chances, so that the same points are
 * left out. False when the points give none (all in one place) or one that squeezes everything into
 * less than a pixel. */
bool face_align(const float points[FACE_POINTS][2], struct face_matrix *ret_to_face);

/* The upright face out of a picture: planar RGB [3][512][512] in 0..255, bilinear, a constant gray
 * outside of the picture. For 8-bit pictures the values are whole. */
void face_crop(const struct image *picture, const struct face_matrix *to_face, int threads,
               float *ret_face);

/* A mask [512][512] in 0..1 from the classes of ParseNet: the face and its hair, its edge blurred
 * away twice (Gaussian, 101 taps, sigma 11), nothing within 10 pixels of the square's edge.
 * ERR_NO_MEMORY. */
bool face_mask(const uint8_t *classes, int threads, double *ret_mask, struct err *err);

/* Lay a face [512][512][3] over a canvas by its mask: bilinear, mixed in floating point and cut
 * down to whole levels, as the original does. Alpha is left alone. */
void face_paste(struct image *canvas, const struct face_matrix *to_canvas, const uint8_t *face,
                const double *mask, int threads);

/* What restores and parses a face; face: planar RGB [3][512][512] in -1..1. */
struct face_networks {
    bool (*restore)(void *context, const float *face, float *ret_face, struct err *err);
    bool (*parse)(void *context, const float *face, uint8_t *ret_classes, struct err *err);
    void *context;
};

/* face_restore with the faces' points given: [count][5][2] in pixels of the source. Those whose
 * eyes are less than 5 pixels apart are left out; ret_faces counts the others. */
bool face_restore_points(const struct face_networks *networks, int threads,
                         const struct image *source, struct image *canvas,
                         const float (*points)[FACE_POINTS][2], int count,
                         const struct face_options *options, int *ret_faces, struct err *err);

#endif
