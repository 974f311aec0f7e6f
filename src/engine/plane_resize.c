/* Resizing: where each pixel of the destination reads, and rows of it. Blocked rows are kernels;
 * plain ones are computed here, in the same order. */
#include "engine/plane_private.h"

#include <math.h>

/* One axis: for each pixel of the destination, in the form of the filter. */
struct plane_axis {
    int *nearest;
    struct kernels_tap *taps;
    struct kernels_cubic *cubics;
    struct kernels_span *spans;
};

struct plane_resize {
    const struct kernels *kernels;
    struct tensor src, dst;
    enum plane_filter filter;
    struct plane_axis x, y;
    atomic_int next;
};

/* The centre of pixel `i` of `to`, in pixels of `from`. In f32 with one
 * rounding, as torch's is compiled: far from the origin another order moves pixels by 1e-5. */
static float plane_centre(int i, int from, int to)
{
    return fmaf((float)i + 0.5f, (float)from / (float)to, -0.5f);
}

static void plane_nearest_axis(int *nearest, int from, int to)
{
    float scale = (float)from / (float)to;
    for (int i = 0; i < to; i++) {
        int at = (int)floorf((float)i * scale);
        nearest[i] = at < from - 1 ? at : from - 1;
    }
}

static void plane_linear_axis(struct kernels_tap *taps, int from, int to, bool corners)
{
    float corner_scale = to > 1 ? (float)(from - 1) / (float)(to - 1) : 0;
    for (int i = 0; i < to; i++) {
        float at = corners ? (float)i * corner_scale : plane_centre(i, from, to);
        at = at > 0 ? at : 0;
        int low = (int)at;
        low = low < from - 1 ? low : from - 1;
        taps[i].low = low;
        taps[i].high = low + 1 < from ? low + 1 : low;
        taps[i].weight = at - (float)low < 1 ? at - (float)low : 1;
    }
}

/* The kernel of Keys ("Cubic convolution interpolation", 1981) at distance t of 0 .. 2. */
static float plane_cubic_weight(float t)
{
    const float a = -0.75f;
    if (t <= 1)
        return ((a + 2) * t - (a + 3)) * t * t + 1;
    return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
}

static void plane_cubic_axis(struct kernels_cubic *cubics, int from, int to)
{
    for (int i = 0; i < to; i++) {
        float at = plane_centre(i, from, to), low = floorf(at), t = at - low;
        for (int tap = 0; tap < 4; tap++) {
            int place = (int)low + tap - 1;
            place = place > 0 ? place : 0;
            cubics[i].at[tap] = place < from - 1 ? place : from - 1;
            cubics[i].weight[tap] = plane_cubic_weight(fabsf(t - (float)(tap - 1)));
        }
    }
}

static void plane_area_axis(struct kernels_span *spans, int from, int to)
{
    for (int i = 0; i < to; i++) {
        spans[i].from = (int)((long long)i * from / to);
        spans[i].to = (int)(((long long)(i + 1) * from + to - 1) / to);
    }
}

static size_t plane_axis_bytes(enum plane_filter filter)
{
    switch (filter) {
    case PLANE_NEAREST:
        return sizeof(int);
    case PLANE_BILINEAR:
    case PLANE_BILINEAR_CORNERS:
        return sizeof(struct kernels_tap);
    case PLANE_BICUBIC:
        return sizeof(struct kernels_cubic);
    case PLANE_AREA:
        return sizeof(struct kernels_span);
    }
    return 0;
}

static struct plane_axis plane_axis(void *memory, enum plane_filter filter, int from, int to)
{
    struct plane_axis axis = { 0 };
    switch (filter) {
    case PLANE_NEAREST:
        plane_nearest_axis(axis.nearest = memory, from, to);
        break;
    case PLANE_BILINEAR:
    case PLANE_BILINEAR_CORNERS:
        plane_linear_axis(axis.taps = memory, from, to, filter == PLANE_BILINEAR_CORNERS);
        break;
    case PLANE_BICUBIC:
        plane_cubic_axis(axis.cubics = memory, from, to);
        break;
    case PLANE_AREA:
        plane_area_axis(axis.spans = memory, from, to);
        break;
    }
    return axis;
}

static void plane_nearest_row(const struct plane_resize *work, int block, int y)
{
    const struct tensor *src = &work->src, *dst = &work->dst;
    size_t bytes = plane_pixel_bytes(dst);
    const char *from = plane_at(src, block, work->y.nearest[y], 0);
    char *to = plane_at(dst, block, y, 0);
    for (int x = 0; x < dst->width; x++)
        plane_copy_pixel(to + (size_t)x * bytes, from + (size_t)work->x.nearest[x] * bytes, bytes);
}

static void plane_linear_plain_row(const struct plane_resize *work, int channel, int y)
{
    const struct kernels_tap *tap = &work->y.taps[y];
    const float *upper = (const float *)plane_at(&work->src, channel, tap->low, 0);
    const float *lower = (const float *)plane_at(&work->src, channel, tap->high, 0);
    float *to = (float *)plane_at(&work->dst, channel, y, 0);
    for (int x = 0; x < work->dst.width; x++) {
        const struct kernels_tap *across = &work->x.taps[x];
        float first = upper[across->low] + (lower[across->low] - upper[across->low]) * tap->weight;
        float second =
            upper[across->high] + (lower[across->high] - upper[across->high]) * tap->weight;
        to[x] = first + (second - first) * across->weight;
    }
}

static void plane_cubic_plain_row(const struct plane_resize *work, int channel, int y)
{
    const struct kernels_cubic *tap = &work->y.cubics[y];
    float *to = (float *)plane_at(&work->dst, channel, y, 0);
    const float *lines[4];
    for (int i = 0; i < 4; i++)
        lines[i] = (const float *)plane_at(&work->src, channel, tap->at[i], 0);
    for (int x = 0; x < work->dst.width; x++) {
        const struct kernels_cubic *across = &work->x.cubics[x];
        to[x] = 0;
        for (int i = 0; i < 4; i++) {
            float column = 0;
            for (int j = 0; j < 4; j++)
                column += lines[j][across->at[i]] * tap->weight[j];
            to[x] += column * across->weight[i];
        }
    }
}

static void plane_area_plain_row(const struct plane_resize *work, int channel, int y)
{
    const struct kernels_span *rows = &work->y.spans[y];
    float *to = (float *)plane_at(&work->dst, channel, y, 0);
    for (int x = 0; x < work->dst.width; x++) {
        const struct kernels_span *columns = &work->x.spans[x];
        int count = (rows->to - rows->from) * (columns->to - columns->from);
        float sum = 0;
        for (int sy = rows->from; sy < rows->to; sy++) {
            const float *line = (const float *)plane_at(&work->src, channel, sy, 0);
            for (int sx = columns->from; sx < columns->to; sx++)
                sum += line[sx];
        }
        to[x] = sum / (float)count;
    }
}

static void plane_resize_row(const struct plane_resize *work, int block, int y)
{
    const struct kernels *kernels = work->kernels;
    bool plain = work->dst.block == 1;
    switch (work->filter) {
    case PLANE_NEAREST:
        plane_nearest_row(work, block, y);
        break;
    case PLANE_BILINEAR:
    case PLANE_BILINEAR_CORNERS:
        if (plain)
            plane_linear_plain_row(work, block, y);
        else
            kernels->resize_row(&work->src, &work->dst, block, y, &work->y.taps[y], work->x.taps);
        break;
    case PLANE_BICUBIC:
        if (plain)
            plane_cubic_plain_row(work, block, y);
        else
            kernels->bicubic_row(&work->src, &work->dst, block, y, &work->y.cubics[y],
                                 work->x.cubics);
        break;
    case PLANE_AREA:
        if (plain)
            plane_area_plain_row(work, block, y);
        else
            kernels->area_row(&work->src, &work->dst, block, y, &work->y.spans[y], work->x.spans);
        break;
    }
}

static void plane_resize_task(void *context, int thread)
{
    struct plane_resize *work = context;
    int rows = work->dst.height, units = rows * tensor_blocks(&work->dst);
    (void)thread;
    for (int unit; (unit = parallel_next(&work->next)) < units;)
        plane_resize_row(work, unit / rows, unit % rows);
}

bool plane_resize(struct engine *engine, const struct tensor *src, enum plane_filter filter,
                  const struct tensor *dst, struct err *err)
{
    bool fits = dst->channels == src->channels && plane_same_layout(src, dst) &&
                plane_blocked_or_plain(engine, src);
    if (!plane_fits(fits, "resize", src, dst, err))
        return false;
    size_t width_bytes = (size_t)dst->width * plane_axis_bytes(filter);
    size_t height_bytes = (size_t)dst->height * plane_axis_bytes(filter);
    void *scratch = NULL;
    if (!engine_scratch(engine, width_bytes + height_bytes, &scratch, err))
        return false;
    struct plane_resize work = {
        .kernels = engine->kernels,
        .src = *src,
        .dst = *dst,
        .filter = filter,
        .x = plane_axis(scratch, filter, src->width, dst->width),
        .y = plane_axis((char *)scratch + width_bytes, filter, src->height, dst->height),
    };
    engine_enter(engine);
    parallel_run(engine->threads, plane_resize_task, &work);
    return true;
}
