/* Restoring the faces of a picture: found, turned upright, restored by a network, and put back.
 *
 *   picture --> detector --> five points a face --> 512 x 512 crop --> network --> mask --> pasted
 *
 * Source: GFPGAN (Wang et al., 2021) with the face library it uses; docs/faces.md says where its
 * arithmetic is kept. Not here: enlarging the rest of the picture (upscale/), the networks (nn/).
 */
#ifndef MIMEO_FACE_FACE_H
#define MIMEO_FACE_FACE_H

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct err;
struct face_restorer;
struct image;

/* The files of weights, each a path. */
struct face_files {
    const char *detector; /* RetinaFace, ResNet-50 */
    const char *parser;   /* ParseNet */
    const char *restorer; /* GFPGAN v1.2 to v1.4, or RestoreFormer: told by the keys; NULL: later */
};

/* ERR_NOT_FOUND when a file is missing, ERR_INVALID when one is not what it should be. */
bool face_restorer_new(struct engine *engine, const struct face_files *files,
                       struct face_restorer **ret_restorer, struct err *err);
/* Exchange the restorer. After a failure there is none, until another call succeeds. */
bool face_restorer_change(struct face_restorer *restorer, const char *path, struct err *err);
void face_restorer_free(struct face_restorer *restorer);

struct face_options {
    double factor; /* canvas over source, where rounding to pixels lost it; 0: the canvas tells */
    bool (*canceled)(void *context);                      /* may be NULL */
    void (*progress)(void *context, int done, int total); /* faces; may be NULL */
    void *context;
};

/* Restore the faces of `source` into `canvas`, which shows the same picture enlarged by a whole or
 * broken factor canvas.width / source.width (alpha and all that is no face stays; a canvas that got
 * a face is no longer is_gray). ret_faces: how many there were; none is no error. ERR_CANCELED,
 * ERR_NO_MEMORY. */
bool face_restore(struct face_restorer *restorer, const struct image *source, struct image *canvas,
                  const struct face_options *options, int *ret_faces, struct err *err);

#endif
