#include "image/resample.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define LANCZOS_TAPS 8
#define FIXED_ONE 2048.0f /* 8-bit weights have 11 bits after the point */
#define FIXED_SHIFT 22    /* both passes' */
#define AREA_EPS 1e-3     /* OpenCV leaves out slivers thinner than this */
#define SIDE_MAX (1 << 20)

/* One source position with its share. */
struct tap {
    int at;
    float weight; /* a whole number where the arithmetic is fixed-point */
};

/* How positions along one axis are mixed: result i of taps[first[i]] .. taps[first[i + 1] - 1]. */
struct axis {
    int *first;
    struct tap *taps;
    int count_max;
};

struct resample {
    struct resample_options options;
    struct axis columns, rows;
    bool fixed;   /* lines are int32_t, not float */
    bool quarter; /* the mean of 2 x 2 whole numbers, rounded half up */
    float scale;  /* of the sum at the end; 1 but for means of whole pixels */
};

/* ---- Taps ---------------------------------------------------------------------------------- */

static void tap_add(struct axis *axis, int *used, int at, double weight)
{
    axis->taps[(*used)++] = (struct tap){ at, (float)weight };
}

/* Where result i looks: a pixel and how far beyond its centre. OpenCV has this in f32. */
static int position(int i, double scale, float *ret_beyond)
{
    float at = (float)((i + 0.5) * scale - 0.5);
    int pixel = (int)floorf(at);
    *ret_beyond = at - (float)pixel;
    return pixel;
}

static void axis_nearest(struct axis *axis, int *used, int i, int from, int to)
{
    int at = (int)((float)i * ((float)from / (float)to));
    tap_add(axis, used, at < from ? at : from - 1, 1);
}

/* Two pixels. Where the second would lie outside, along rows only one is taken; along columns the
 * edge is taken twice, which rounds otherwise. */
static void axis_linear(struct axis *axis, int *used, int at, float beyond, int from, bool across)
{
    if (across && (at < 0 || at >= from - 1)) {
        tap_add(axis, used, at < 0 ? 0 : from - 1, 1);
        return;
    }
    for (int k = 0; k < 2; k++) {
        int pixel = at + k < 0 ? 0 : at + k;
        tap_add(axis, used, pixel < from ? pixel : from - 1,
                k ? (double)beyond : (double)(1.0f - beyond));
    }
}

/* Enlarging by AREA: two pixels, mixed only where a result pixel covers parts of both. */
static int area_position(int i, double scale, float *ret_beyond)
{
    int at = (int)floor(i * scale);
    float beyond = (float)((i + 1) - (at + 1) * (1.0 / scale));
    *ret_beyond = beyond <= 0 ? 0 : beyond - floorf(beyond);
    return at;
}

/* Shrinking by AREA: every pixel by how much of it the result covers. */
static void axis_area(struct axis *axis, int *used, int i, double scale, int from)
{
    double low = i * scale, high = low + scale;
    double width = scale < from - low ? scale : from - low;
    int end = (int)floor(high), start = (int)ceil(low);
    end = end < from - 1 ? end : from - 1;
    start = start < end ? start : end;
    if (start - low > AREA_EPS)
        tap_add(axis, used, start - 1, (start - low) / width);
    for (int at = start; at < end; at++)
        tap_add(axis, used, at, 1 / width);
    if (high - end > AREA_EPS) {
        double rest = high - end < 1 ? high - end : 1;
        tap_add(axis, used, end, (rest < width ? rest : width) / width);
    }
}

/* sinc(t) * sinc(t / 4), over eight pixels, made to add up to 1 in f32. */
static void axis_lanczos(struct axis *axis, int *used, int at, float beyond, int from)
{
    float weights[LANCZOS_TAPS], sum = 0;
    for (int k = 0; k < LANCZOS_TAPS; k++) {
        double t = (double)(beyond + 3 - (float)k), angle = M_PI * t;
        weights[k] = 1;
        if (fabs(t) >= 1e-6)
            weights[k] = (float)(sin(angle) * sin(angle / 4) / (angle * angle / 4));
        sum += weights[k];
    }
    for (int k = 0; k < LANCZOS_TAPS; k++) {
        int pixel = at - 3 + k < 0 ? 0 : at - 3 + k;
        tap_add(axis, used, pixel < from ? pixel : from - 1, (double)(weights[k] * (1.0f / sum)));
    }
}

static bool axis_new(struct axis *axis, const struct resample_options *options, int from, int to,
                     bool across, bool area)
{
    double scale = 1.0 / ((double)to / from);
    size_t each = area ? (size_t)ceil(scale) + 2 : LANCZOS_TAPS;
    int used = 0;
    axis->first = calloc((size_t)to + 1, sizeof *axis->first);
    axis->taps = calloc((size_t)to * each, sizeof *axis->taps);
    if (!axis->first || !axis->taps)
        return false;
    for (int i = 0; i < to; i++) {
        float beyond;
        int at;
        if (options->filter == RESAMPLE_NEAREST) {
            axis_nearest(axis, &used, i, from, to);
        } else if (options->filter == RESAMPLE_LANCZOS4) {
            at = position(i, scale, &beyond);
            axis_lanczos(axis, &used, at, beyond, from);
        } else if (area) {
            axis_area(axis, &used, i, scale, from);
        } else {
            at = options->filter == RESAMPLE_AREA ? area_position(i, scale, &beyond)
                                                  : position(i, scale, &beyond);
            axis_linear(axis, &used, at, beyond, from, across);
        }
        axis->first[i + 1] = used;
        int count = used - axis->first[i];
        axis->count_max = count > axis->count_max ? count : axis->count_max;
    }
    return true;
}

/* ---- The plan ------------------------------------------------------------------------------ */

static void axis_make_fixed(struct axis *axis, int to)
{
    for (int i = 0; i < axis->first[to]; i++)
        axis->taps[i].weight = rintf(axis->taps[i].weight * FIXED_ONE);
}

/* Means of whole pixels: sums first, divided at the end. */
static void axis_make_sum(struct axis *axis, int to)
{
    for (int i = 0; i < axis->first[to]; i++)
        axis->taps[i].weight = 1;
}

static bool plan(struct resample *resample, struct err *err)
{
    struct resample_options *options = &resample->options;
    struct resize_size from = options->from, to = options->to;
    bool whole = from.width % to.width == 0 && from.height % to.height == 0;
    bool halves = from.width == 2 * to.width && from.height == 2 * to.height;
    /* OpenCV takes AREA for bilinear halves: the same mean. */
    bool area = options->filter == RESAMPLE_AREA || (options->filter == RESAMPLE_LINEAR && halves);
    area = area && from.width >= to.width && from.height >= to.height;
    resample->fixed = options->type == RESAMPLE_U8 && !area && options->filter != RESAMPLE_NEAREST;
    resample->quarter = area && halves && options->type != RESAMPLE_F32;
    resample->scale = 1;
    if (!axis_new(&resample->columns, options, from.width, to.width, true, area) ||
        !axis_new(&resample->rows, options, from.height, to.height, false, area))
        return err_set(err, ERR_NO_MEMORY, "There is no memory to resize the image.");
    if (resample->fixed) {
        axis_make_fixed(&resample->columns, to.width);
        axis_make_fixed(&resample->rows, to.height);
    } else if (area && whole) {
        axis_make_sum(&resample->columns, to.width);
        axis_make_sum(&resample->rows, to.height);
        resample->scale =
            1.0f / (float)((from.width / to.width) * (int64_t)(from.height / to.height));
    }
    return true;
}

bool resample_new(const struct resample_options *options, struct resample **ret_resample,
                  struct err *err)
{
    struct resize_size from = options->from, to = options->to;
    if (from.width < 1 || from.height < 1 || to.width < 1 || to.height < 1 ||
        from.width > SIDE_MAX || from.height > SIDE_MAX || to.width > SIDE_MAX ||
        to.height > SIDE_MAX || options->channels < 1 || options->channels > RESAMPLE_CHANNELS_MAX)
        return err_set(err, ERR_INVALID, "An image of %d x %d cannot be resized to %d x %d.",
                       from.width, from.height, to.width, to.height);
    struct resample *resample = calloc(1, sizeof *resample);
    if (!resample)
        return err_set(err, ERR_NO_MEMORY, "There is no memory to resize the image.");
    resample->options = *options;
    if (!plan(resample, err)) {
        resample_free(resample);
        return false;
    }
    *ret_resample = resample;
    return true;
}

void resample_free(struct resample *resample)
{
    if (!resample)
        return;
    free(resample->columns.first);
    free(resample->columns.taps);
    free(resample->rows.first);
    free(resample->rows.taps);
    free(resample);
}

size_t resample_line_bytes(const struct resample *resample)
{
    return (size_t)resample->options.to.width * (size_t)resample->options.channels * 4;
}

void resample_span(const struct resample *resample, int y, int *ret_first, int *ret_count)
{
    const struct axis *rows = &resample->rows;
    int first = rows->taps[rows->first[y]].at, last = rows->taps[rows->first[y + 1] - 1].at;
    *ret_first = first;
    *ret_count = last - first + 1;
}

int resample_span_max(const struct resample *resample)
{
    return resample->rows.count_max;
}

/* ---- Across -------------------------------------------------------------------------------- */

/* One loop for every type and number of channels; the callers' constants make them. */
#define ACROSS(name, pixel, sum)                                                                   \
    static inline __attribute__((always_inline)) void name##_any(                                  \
        const struct resample *resample, const pixel *row, sum *line, int channels)                \
    {                                                                                              \
        const struct axis *columns = &resample->columns;                                           \
        for (int x = 0; x < resample->options.to.width; x++, line += channels) {                   \
            sum sums[RESAMPLE_CHANNELS_MAX] = { 0 };                                               \
            for (int i = columns->first[x]; i < columns->first[x + 1]; i++) {                      \
                const pixel *from = row + (size_t)columns->taps[i].at * (size_t)channels;          \
                sum weight = (sum)columns->taps[i].weight;                                         \
                for (int c = 0; c < channels; c++)                                                 \
                    sums[c] += (sum)from[c] * weight;                                              \
            }                                                                                      \
            for (int c = 0; c < channels; c++)                                                     \
                line[c] = sums[c];                                                                 \
        }                                                                                          \
    }                                                                                              \
    static void name(const struct resample *resample, const void *row, void *line)                 \
    {                                                                                              \
        switch (resample->options.channels) {                                                      \
        case 1:                                                                                    \
            name##_any(resample, row, line, 1);                                                    \
            break;                                                                                 \
        case 2:                                                                                    \
            name##_any(resample, row, line, 2);                                                    \
            break;                                                                                 \
        case 3:                                                                                    \
            name##_any(resample, row, line, 3);                                                    \
            break;                                                                                 \
        default:                                                                                   \
            name##_any(resample, row, line, 4);                                                    \
        }                                                                                          \
    }

ACROSS(across_fixed, uint8_t, int32_t)
ACROSS(across_u8, uint8_t, float)
ACROSS(across_u16, uint16_t, float)
ACROSS(across_f32, float, float)

void resample_across(const struct resample *resample, const void *row, void *ret_line)
{
    if (resample->fixed)
        across_fixed(resample, row, ret_line);
    else if (resample->options.type == RESAMPLE_U8)
        across_u8(resample, row, ret_line);
    else if (resample->options.type == RESAMPLE_U16)
        across_u16(resample, row, ret_line);
    else
        across_f32(resample, row, ret_line);
}

/* ---- Down ---------------------------------------------------------------------------------- */

/* Values are summed in runs, so that every loop is over neighbours. */
#define RUN 512

static void store_u8(uint8_t *to, const int32_t *sums, int count)
{
    for (int i = 0; i < count; i++)
        to[i] = (uint8_t)(sums[i] < 0 ? 0 : sums[i] > 255 ? 255 : sums[i]);
}

/* Bilinear mixing has a rounding of its own: 7 + 9 bits leave each product, and 2 the sum. */
static void down_fixed_linear(const int32_t *upper, const int32_t *lower, int above, int below,
                              int32_t *sums, int count)
{
    for (int i = 0; i < count; i++)
        sums[i] = (((above * (upper[i] >> 4)) >> 16) + ((below * (lower[i] >> 4)) >> 16) + 2) >> 2;
}

static void down_fixed(const struct resample *resample, const struct tap *taps, int count,
                       const int32_t *const *lines, size_t from, int run, uint8_t *to)
{
    int32_t sums[RUN];
    if (resample->options.filter != RESAMPLE_LANCZOS4) {
        down_fixed_linear(lines[0] + from, lines[taps[1].at - taps[0].at] + from,
                          (int)taps[0].weight, (int)taps[1].weight, sums, run);
        store_u8(to, sums, run);
        return;
    }
    for (int i = 0; i < run; i++)
        sums[i] = 1 << (FIXED_SHIFT - 1);
    for (int k = 0; k < count; k++) {
        const int32_t *line = lines[taps[k].at - taps[0].at] + from;
        int32_t weight = (int32_t)taps[k].weight;
        for (int i = 0; i < run; i++)
            sums[i] += line[i] * weight;
    }
    for (int i = 0; i < run; i++)
        sums[i] >>= FIXED_SHIFT;
    store_u8(to, sums, run);
}

/* Half to even, which is what the machine does. */
static int whole(float value, bool half_up, float most)
{
    float rounded = half_up ? floorf(value + 0.5f) : rintf(value);
    return (int)(rounded < 0 ? 0 : rounded > most ? most : rounded);
}

static void down_float(const struct resample *resample, const struct tap *taps, int count,
                       const float *const *lines, size_t from, int run, void *row)
{
    float sums[RUN];
    for (int i = 0; i < run; i++)
        sums[i] = 0;
    for (int k = 0; k < count; k++) {
        const float *line = lines[taps[k].at - taps[0].at] + from;
        float weight = taps[k].weight;
        for (int i = 0; i < run; i++)
            sums[i] += line[i] * weight;
    }
    for (int i = 0; i < run; i++)
        sums[i] *= resample->scale;
    if (resample->options.type == RESAMPLE_F32)
        memcpy((float *)row + from, sums, (size_t)run * sizeof *sums);
    else if (resample->options.type == RESAMPLE_U16)
        for (int i = 0; i < run; i++)
            ((uint16_t *)row)[from + i] = (uint16_t)whole(sums[i], resample->quarter, 65535);
    else
        for (int i = 0; i < run; i++)
            ((uint8_t *)row)[from + i] = (uint8_t)whole(sums[i], resample->quarter, 255);
}

void resample_down(const struct resample *resample, int y, const void *const *lines, void *ret_row)
{
    const struct axis *rows = &resample->rows;
    const struct tap *taps = rows->taps + rows->first[y];
    int count = rows->first[y + 1] - rows->first[y];
    size_t total = (size_t)resample->options.to.width * (size_t)resample->options.channels;
    for (size_t from = 0; from < total; from += RUN) {
        int run = total - from < RUN ? (int)(total - from) : RUN;
        if (resample->fixed)
            down_fixed(resample, taps, count, (const int32_t *const *)lines, from, run,
                       (uint8_t *)ret_row + from);
        else
            down_float(resample, taps, count, (const float *const *)lines, from, run, ret_row);
    }
}

/* ---- The whole ----------------------------------------------------------------------------- */

bool resample_run(const struct resample *resample, const void *pixels, void *ret_pixels,
                  struct err *err)
{
    static const size_t type_bytes[] = { 1, 2, 4 };
    const struct resample_options *options = &resample->options;
    size_t pixel = type_bytes[options->type] * (size_t)options->channels;
    size_t slots = (size_t)resample_span_max(resample), bytes = resample_line_bytes(resample);
    int done = 0; /* source rows */
    char *ring = malloc(slots * bytes);
    const void **lines = malloc(slots * sizeof *lines);
    bool ok = ring && lines;
    for (int y = 0; ok && y < options->to.height; y++) {
        int first, count;
        resample_span(resample, y, &first, &count);
        if (done < first)
            done = first;
        for (; done < first + count; done++)
            resample_across(
                resample, (const char *)pixels + (size_t)done * (size_t)options->from.width * pixel,
                ring + (size_t)done % slots * bytes);
        for (int i = 0; i < count; i++)
            lines[i] = ring + (size_t)(first + i) % slots * bytes;
        resample_down(resample, y, lines,
                      (char *)ret_pixels + (size_t)y * (size_t)options->to.width * pixel);
    }
    free(ring);
    free(lines);
    return ok || err_set(err, ERR_NO_MEMORY, "There is no memory to resize the image.");
}
