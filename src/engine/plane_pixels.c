/* Operators that move pixels without computing: padding, cropping, shuffling. Any layout, plain
 * too: only shuffling looks inside a pixel. */
#include "engine/plane_private.h"

#define PLANE_SHUFFLE_FAST 4 /* the largest ratio that kernels take */

struct plane_move {
    const struct kernels *kernels;
    struct tensor src, dst;
    int top, left; /* of src within dst; negative when cropping */
    enum plane_border border;
    int ratio;
    bool back; /* from space to channels */
    atomic_int next;
};

static void plane_move_start(struct engine *engine, parallel_task *task, struct plane_move *move)
{
    engine_enter(engine);
    atomic_store(&move->next, 0);
    parallel_run(engine->threads, task, move);
}

/* Which of `size` pixels stands at place `at`, which may be outside; -1: none, a zero. Callers have
 * seen to it that one reflection is enough. */
static int plane_border_source(int at, int size, enum plane_border border)
{
    if (at >= 0 && at < size)
        return at;
    if (border == PLANE_ZERO)
        return -1;
    if (border == PLANE_REPLICATE)
        return at < 0 ? 0 : size - 1;
    return at < 0 ? -at : 2 * (size - 1) - at;
}

static void plane_pad_row(const struct plane_move *move, int block, int y)
{
    const struct tensor *src = &move->src, *dst = &move->dst;
    size_t bytes = plane_pixel_bytes(dst);
    char *to = plane_at(dst, block, y, 0);
    int from_y = plane_border_source(y - move->top, src->height, move->border);
    if (from_y < 0) {
        memset(to, 0, bytes * (size_t)dst->width);
        return;
    }
    const char *from = plane_at(src, block, from_y, 0);
    for (int x = 0; x < dst->width; x++) {
        int from_x = plane_border_source(x - move->left, src->width, move->border);
        if (from_x < 0) {
            memset(to + (size_t)x * bytes, 0, bytes);
        } else if (x < move->left || x > move->left) {
            plane_copy_pixel(to + (size_t)x * bytes, from + (size_t)from_x * bytes, bytes);
        } else { /* where src begins: all of its row at once */
            memcpy(to + (size_t)x * bytes, from, bytes * (size_t)src->width);
            x += src->width - 1;
        }
    }
}

static void plane_pad_task(void *context, int thread)
{
    struct plane_move *move = context;
    int rows = move->dst.height, units = rows * tensor_blocks(&move->dst);
    (void)thread;
    for (int unit; (unit = parallel_next(&move->next)) < units;)
        plane_pad_row(move, unit / rows, unit % rows);
}

bool plane_pad(struct engine *engine, const struct tensor *src, const struct plane_margins *margins,
               enum plane_border border, const struct tensor *dst, struct err *err)
{
    const struct plane_margins *m = margins;
    bool sane = m->top >= 0 && m->left >= 0 && m->bottom >= 0 && m->right >= 0;
    if (sane && border == PLANE_REFLECT)
        sane = m->top < src->height && m->bottom < src->height && m->left < src->width &&
               m->right < src->width;
    bool fits = sane && dst->channels == src->channels &&
                (long)dst->height == (long)src->height + m->top + m->bottom &&
                (long)dst->width == (long)src->width + m->left + m->right &&
                plane_same_layout(src, dst) && plane_blocked_or_plain(engine, src);
    if (!plane_fits(fits, "pad", src, dst, err))
        return false;
    struct plane_move move = {
        .src = *src, .dst = *dst, .top = m->top, .left = m->left, .border = border
    };
    plane_move_start(engine, plane_pad_task, &move);
    return true;
}

static void plane_crop_task(void *context, int thread)
{
    struct plane_move *move = context;
    const struct tensor *dst = &move->dst;
    int rows = dst->height, units = rows * tensor_blocks(dst);
    size_t bytes = plane_pixel_bytes(dst) * (size_t)dst->width;
    (void)thread;
    for (int unit; (unit = parallel_next(&move->next)) < units;) {
        int block = unit / rows, y = unit % rows;
        memcpy(plane_at(dst, block, y, 0), plane_at(&move->src, block, y + move->top, move->left),
               bytes);
    }
}

bool plane_crop(struct engine *engine, const struct tensor *src, int top, int left,
                const struct tensor *dst, struct err *err)
{
    bool fits = dst->channels == src->channels && top >= 0 && left >= 0 &&
                dst->height <= src->height && dst->width <= src->width &&
                top <= src->height - dst->height && left <= src->width - dst->width &&
                plane_same_layout(src, dst) && plane_blocked_or_plain(engine, src);
    if (!plane_fits(fits, "crop", src, dst, err))
        return false;
    struct plane_move move = { .src = *src, .dst = *dst, .top = top, .left = left };
    plane_move_start(engine, plane_crop_task, &move);
    return true;
}

/* One element from each place to the next. A step of both is how far apart neighbours are. */
static void plane_copy_elements(char *to, size_t to_step, const char *from, size_t from_step,
                                int count, enum tensor_type type)
{
    for (int i = 0; i < count; i++, to += to_step, from += from_step) {
        if (type == TENSOR_F32)
            memcpy(to, from, 4);
        else
            memcpy(to, from, 2);
    }
}

/* A channel of `many` (the side with more channels), row y, to or from every ratio-th pixel of a
 * row of `few`. */
struct plane_strand {
    char *few, *many;
    size_t few_step, many_step;
};

static struct plane_strand plane_strand(const struct tensor *few, const struct tensor *many,
                                        int ratio, int channel, int y)
{
    size_t element = tensor_type_bytes(few->type);
    int phase = channel % (ratio * ratio), to = channel / (ratio * ratio);
    return (struct plane_strand){
        .few = plane_at(few, to / few->block, y * ratio + phase / ratio, phase % ratio) +
               (size_t)(to % few->block) * element,
        .many =
            plane_at(many, channel / many->block, y, 0) + (size_t)(channel % many->block) * element,
        .few_step = plane_pixel_bytes(few) * (size_t)ratio,
        .many_step = plane_pixel_bytes(many),
    };
}

/* Zero the padding lanes of one row of the last block. */
static void plane_clear_padding(const struct tensor *tensor, int y)
{
    int block = tensor_blocks(tensor) - 1, lanes = plane_lanes(tensor, block);
    size_t element = tensor_type_bytes(tensor->type), bytes = plane_pixel_bytes(tensor);
    if (lanes == tensor->block)
        return;
    char *to = plane_at(tensor, block, y, 0) + (size_t)lanes * element;
    for (int x = 0; x < tensor->width; x++, to += bytes)
        memset(to, 0, bytes - (size_t)lanes * element);
}

/* One unit: one row of `many`. */
static void plane_strands_task(void *context, int thread)
{
    struct plane_move *move = context;
    const struct tensor *few = move->back ? &move->src : &move->dst;
    const struct tensor *many = move->back ? &move->dst : &move->src;
    (void)thread;
    for (int y; (y = parallel_next(&move->next)) < many->height;) {
        for (int channel = 0; channel < many->channels; channel++) {
            struct plane_strand s = plane_strand(few, many, move->ratio, channel, y);
            if (move->back)
                plane_copy_elements(s.many, s.many_step, s.few, s.few_step, many->width,
                                    many->type);
            else
                plane_copy_elements(s.few, s.few_step, s.many, s.many_step, many->width,
                                    many->type);
        }
        if (move->back)
            plane_clear_padding(many, y);
        for (int i = 0; i < move->ratio && !move->back; i++)
            plane_clear_padding(few, y * move->ratio + i);
    }
}

/* Both blocked, ratio up to PLANE_SHUFFLE_FAST. One unit: one row of one channel block of `few`. */
static void plane_shuffle_task(void *context, int thread)
{
    struct plane_move *move = context;
    const struct tensor *few = move->back ? &move->src : &move->dst;
    const struct tensor *many = move->back ? &move->dst : &move->src;
    int rows = many->height, units = rows * tensor_blocks(few);
    (void)thread;
    for (int unit; (unit = parallel_next(&move->next)) < units;)
        move->kernels->shuffle_row(few, many, unit / rows, unit % rows, move->back);
}

/* The ratio between two tensors of which one is the other shuffled; 0 when it is not. */
static int plane_shuffle_ratio(const struct engine *engine, const struct tensor *few,
                               const struct tensor *many)
{
    int ratio = few->height / many->height;
    bool fits = ratio >= 1 && ratio <= 64 && few->height == many->height * ratio &&
                (long)few->width == (long)many->width * ratio &&
                (long)many->channels == (long)few->channels * ratio * ratio &&
                few->type == many->type && plane_blocked_or_plain(engine, few) &&
                plane_blocked_or_plain(engine, many);
    return fits ? ratio : 0;
}

static bool plane_shuffle_either(struct engine *engine, const struct tensor *src, bool back,
                                 const struct tensor *dst, struct err *err)
{
    struct plane_move move = { .kernels = engine->kernels, .src = *src, .dst = *dst, .back = back };
    move.ratio = plane_shuffle_ratio(engine, back ? src : dst, back ? dst : src);
    if (!plane_fits(move.ratio > 0, "shuffle", src, dst, err))
        return false;
    bool fast = move.ratio <= PLANE_SHUFFLE_FAST && plane_blocked(engine, src) &&
                plane_blocked(engine, dst);
    plane_move_start(engine, fast ? plane_shuffle_task : plane_strands_task, &move);
    return true;
}

bool plane_shuffle(struct engine *engine, const struct tensor *src, const struct tensor *dst,
                   struct err *err)
{
    return plane_shuffle_either(engine, src, false, dst, err);
}

bool plane_unshuffle(struct engine *engine, const struct tensor *src, const struct tensor *dst,
                     struct err *err)
{
    return plane_shuffle_either(engine, src, true, dst, err);
}
