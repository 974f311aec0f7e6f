/* From what RetinaFace says of every cell to faces: anchors, scores, boxes, points, and of faces
 * found twice the better one. Numbers may be anything: weights are files that people fetch. */
#include "nn/retinaface.h"

#include <math.h>
#include <stdlib.h>

#include "base/err.h"

#define ANCHORS 2 /* of a cell */

/* Candidates before those found twice are left out: the best so many. One face has a few dozen. */
#define CANDIDATES_MAX 8192

/* Sides of the anchors in pixels, and what a network's 1 means in anchors. */
static const int anchor_steps[RETINAFACE_LEVELS] = { 8, 16, 32 };
static const int anchor_sizes[RETINAFACE_LEVELS][ANCHORS] = { { 16, 32 },
                                                              { 64, 128 },
                                                              { 256, 512 } };
static const float centre_variance = 0.1f, size_variance = 0.2f;

/* A place no face has: points so far out would only be nonsense in what follows. */
static const float coordinate_limit = 1e6f;

struct candidate {
    float score;
    int level, anchor, y, x;
};

struct candidates {
    struct candidate *all; /* a heap with the lowest score on top once it is full */
    int count;
};

/* Is `a` to go before `b`? Equal scores go in the order of the cells, for a definite order. */
static bool candidate_before(const struct candidate *a, const struct candidate *b)
{
    if (a->score != b->score)
        return a->score > b->score;
    if (a->level != b->level)
        return a->level < b->level;
    if (a->y != b->y)
        return a->y < b->y;
    return a->x != b->x ? a->x < b->x : a->anchor < b->anchor;
}

static int candidate_compare(const void *a, const void *b)
{
    return candidate_before(a, b) ? -1 : candidate_before(b, a);
}

/* Let the one at `at` sink below those that go after it. */
static void candidates_sink(struct candidates *candidates, int at)
{
    for (;;) {
        int last = at, child = 2 * at + 1;
        for (int i = child; i < child + 2 && i < candidates->count; i++)
            if (candidate_before(&candidates->all[last], &candidates->all[i]))
                last = i;
        if (last == at)
            return;
        struct candidate swap = candidates->all[at];
        candidates->all[at] = candidates->all[last];
        candidates->all[last] = swap;
        at = last;
    }
}

static void candidates_add(struct candidates *candidates, const struct candidate *candidate)
{
    if (candidates->count < CANDIDATES_MAX) {
        candidates->all[candidates->count++] = *candidate;
        if (candidates->count == CANDIDATES_MAX)
            for (int i = CANDIDATES_MAX / 2 - 1; i >= 0; i--)
                candidates_sink(candidates, i);
    } else if (candidate_before(candidate, &candidates->all[0])) {
        candidates->all[0] = *candidate;
        candidates_sink(candidates, 0);
    }
}

static float value(const struct tensor *tensor, int channel, int y, int x)
{
    const float *values = tensor->data;
    return values[((size_t)channel * (size_t)tensor->height + (size_t)y) * (size_t)tensor->width +
                  (size_t)x];
}

static void candidates_find(const struct retinaface_heads *heads, float confidence,
                            struct candidates *candidates)
{
    for (int level = 0; level < RETINAFACE_LEVELS; level++) {
        const struct tensor *scores = &heads->scores[level];
        for (int y = 0; y < scores->height; y++)
            for (int x = 0; x < scores->width; x++)
                for (int anchor = 0; anchor < ANCHORS; anchor++) {
                    float other = value(scores, 2 * anchor, y, x);
                    float face = value(scores, 2 * anchor + 1, y, x);
                    struct candidate candidate = { 1 / (1 + expf(other - face)), level, anchor, y,
                                                   x };
                    if (candidate.score > confidence) /* not what is not a number */
                        candidates_add(candidates, &candidate);
                }
    }
}

static bool in_reach(float coordinate)
{
    return fabsf(coordinate) <= coordinate_limit; /* false for what is not a number */
}

/* The face of a candidate; false when its numbers make no sense. */
static bool face_read(const struct retinaface_heads *heads, const struct candidate *candidate,
                      int width, int height, struct retinaface_face *ret_face)
{
    int level = candidate->level, y = candidate->y, x = candidate->x;
    double size = anchor_sizes[level][candidate->anchor], step = anchor_steps[level];
    /* As fractions of the picture in f32, like the original, which rounds there. */
    float wide = (float)(size / width), high = (float)(size / height);
    float across = (float)((x + 0.5) * step / width), down = (float)((y + 0.5) * step / height);
    float box[4];
    for (int i = 0; i < 4; i++)
        box[i] = value(&heads->boxes[level], 4 * candidate->anchor + i, y, x);
    float box_wide = wide * expf(box[2] * size_variance);
    float box_high = high * expf(box[3] * size_variance);
    float left = across + box[0] * centre_variance * wide - box_wide / 2;
    float top = down + box[1] * centre_variance * high - box_high / 2;
    struct retinaface_face face = {
        .left = left * (float)width,
        .top = top * (float)height,
        .right = (left + box_wide) * (float)width,
        .bottom = (top + box_high) * (float)height,
        .score = candidate->score,
    };
    bool sane =
        in_reach(face.left) && in_reach(face.top) && in_reach(face.right) && in_reach(face.bottom);
    for (int i = 0; sane && i < RETINAFACE_POINTS; i++) {
        int channel = 2 * RETINAFACE_POINTS * candidate->anchor + 2 * i;
        float u = value(&heads->points[level], channel, y, x);
        float v = value(&heads->points[level], channel + 1, y, x);
        face.points[i][0] = (across + u * centre_variance * wide) * (float)width;
        face.points[i][1] = (down + v * centre_variance * high) * (float)height;
        sane = in_reach(face.points[i][0]) && in_reach(face.points[i][1]);
    }
    if (sane)
        *ret_face = face;
    return sane;
}

/* The share of their union that two boxes have in common. */
static float face_overlap(const struct retinaface_face *a, const struct retinaface_face *b)
{
    float wide = fminf(a->right, b->right) - fmaxf(a->left, b->left);
    float high = fminf(a->bottom, b->bottom) - fmaxf(a->top, b->top);
    float both = fmaxf(wide, 0) * fmaxf(high, 0);
    float area_a = (a->right - a->left) * (a->bottom - a->top);
    float area_b = (b->right - b->left) * (b->bottom - b->top);
    return both / (area_a + area_b - both);
}

bool retinaface_decode(const struct retinaface_heads *heads, int width, int height,
                       const struct retinaface_limits *limits, struct retinaface_face *ret_faces,
                       int *ret_count, struct err *err)
{
    struct candidates candidates = { .all = malloc(CANDIDATES_MAX * sizeof *candidates.all) };
    int count = 0;
    if (!candidates.all)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the faces.");
    candidates_find(heads, limits->confidence, &candidates);
    qsort(candidates.all, (size_t)candidates.count, sizeof *candidates.all, candidate_compare);
    for (int i = 0; i < candidates.count && count < RETINAFACE_FACES_MAX; i++) {
        struct retinaface_face face;
        bool is_new = face_read(heads, &candidates.all[i], width, height, &face);
        for (int k = 0; is_new && k < count; k++)
            is_new = !(face_overlap(&ret_faces[k], &face) > limits->overlap);
        if (is_new)
            ret_faces[count++] = face;
    }
    free(candidates.all);
    *ret_count = count;
    return true;
}
