#include "upscale/bands.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "engine/parallel.h"
#include "image/image.h"
#include "image/resample.h"

#define BANDS_LINES 64                          /* at once, beside those that a row needs */
#define BANDS_LINE_BYTES_MAX ((size_t)64 << 20) /* of them, where lines are very long */

struct bands {
    struct bands_options options;
    struct image *result;
    struct resample *resample; /* NULL: the sizes are equal */
    char *pixels;              /* the band; not used when the sizes are equal */
    size_t row_bytes;
    int begin; /* the band's first row */

    char *lines; /* a ring: row y resized across stands at y % line_count */
    size_t line_bytes;
    int line_count;
    int lines_end; /* rows before it have been resized across, if they were needed */
    int row_next;  /* of the result */
};

static bool bands_init(struct bands *bands, struct err *err)
{
    const struct bands_options *options = &bands->options;
    const struct image *result = bands->result;
    size_t pixel = (size_t)result->bits / 8 * 4;
    bands->row_bytes = (size_t)options->width * pixel;
    if (result->width == options->width && result->height == options->height)
        return true;
    const struct resample_options resize = {
        .filter = RESAMPLE_LANCZOS4,
        .type = result->bits == 16 ? RESAMPLE_U16 : RESAMPLE_U8,
        .channels = 4,
        .from = { options->width, options->height },
        .to = { result->width, result->height },
    };
    if (!resample_new(&resize, &bands->resample, err))
        return false;
    bands->line_bytes = resample_line_bytes(bands->resample);
    size_t more = BANDS_LINE_BYTES_MAX / bands->line_bytes;
    bands->line_count =
        resample_span_max(bands->resample) + (int)(more < BANDS_LINES ? more : BANDS_LINES);
    bands->lines = malloc(bands->line_bytes * (size_t)bands->line_count);
    bands->pixels = malloc(bands->row_bytes * (size_t)options->rows_max);
    return (bands->lines && bands->pixels) ||
           err_set(err, ERR_NO_MEMORY, "There is no memory to resize the image.");
}

bool bands_new(const struct bands_options *options, struct image *result, struct bands **ret_bands,
               struct err *err)
{
    struct bands *bands = calloc(1, sizeof *bands);
    if (!bands)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the result.");
    bands->options = *options;
    bands->result = result;
    if (!bands_init(bands, err)) {
        bands_free(bands);
        return false;
    }
    *ret_bands = bands;
    return true;
}

void bands_free(struct bands *bands)
{
    if (!bands)
        return;
    resample_free(bands->resample);
    free(bands->lines);
    free(bands->pixels);
    free(bands);
}

void *bands_row(struct bands *bands, int y)
{
    char *pixels = bands->resample ? bands->pixels : bands->result->pixels;
    return pixels + (size_t)(bands->resample ? y - bands->begin : y) * bands->row_bytes;
}

/* Rows first .. end - 1, of the source (across) or of the result (down), shared among threads. */
struct bands_work {
    struct bands *bands;
    int first, end;
    atomic_int next;
};

static char *bands_line(const struct bands *bands, int y)
{
    return bands->lines + (size_t)(y % bands->line_count) * bands->line_bytes;
}

static void bands_across_task(void *context, int thread)
{
    struct bands_work *work = context;
    (void)thread;
    for (int y; (y = work->first + parallel_next(&work->next)) < work->end;)
        resample_across(work->bands->resample, bands_row(work->bands, y),
                        bands_line(work->bands, y));
}

/* Alpha that is opaque everywhere stays so: the weights of LANCZOS4 do not add up to one exactly.
 */
static void bands_make_opaque(const struct image *image, int y)
{
    size_t from = (size_t)y * (size_t)image->width * 4, count = (size_t)image->width * 4;
    for (size_t i = 3; i < count; i += 4)
        if (image->bits == 16)
            ((uint16_t *)image->pixels)[from + i] = UINT16_MAX;
        else
            ((uint8_t *)image->pixels)[from + i] = UINT8_MAX;
}

static void bands_down_task(void *context, int thread)
{
    struct bands_work *work = context;
    const struct bands *bands = work->bands;
    const void *lines[8]; /* of LANCZOS4 */
    size_t bytes = (size_t)bands->result->width * (size_t)bands->result->bits / 8 * 4;
    (void)thread;
    for (int y; (y = work->first + parallel_next(&work->next)) < work->end;) {
        int first, count;
        resample_span(bands->resample, y, &first, &count);
        for (int i = 0; i < count; i++)
            lines[i] = bands_line(bands, first + i);
        resample_down(bands->resample, y, lines, (char *)bands->result->pixels + (size_t)y * bytes);
        if (!bands->result->has_alpha)
            bands_make_opaque(bands->result, y);
    }
}

static void bands_work(struct bands *bands, parallel_task *task, int first, int end)
{
    struct bands_work work = { .bands = bands, .first = first, .end = end };
    if (first < end)
        parallel_run(bands->options.threads, task, &work);
}

void bands_finish(struct bands *bands, int end)
{
    while (bands->resample && bands->row_next < bands->result->height) {
        /* As many result rows as there are rows for and the ring has room for. */
        int low, count, lines_end = bands->lines_end, row_end = bands->row_next;
        resample_span(bands->resample, row_end, &low, &count);
        int begin = low > bands->lines_end ? low : bands->lines_end;
        while (row_end < bands->result->height) {
            int first;
            resample_span(bands->resample, row_end, &first, &count);
            if (first + count > end || first + count - low > bands->line_count)
                break;
            lines_end = first + count;
            row_end++;
        }
        if (row_end == bands->row_next) /* keep what the next band's first rows will need */
            lines_end = end;
        bands_work(bands, bands_across_task, begin, lines_end);
        bands->lines_end = lines_end > begin ? lines_end : begin;
        bands_work(bands, bands_down_task, bands->row_next, row_end);
        if (row_end == bands->row_next)
            break;
        bands->row_next = row_end;
    }
    bands->begin = end;
}
