/* Where a face's five points say that it stands: the similarity to an upright face. */
#include "face/face_private.h"

#include <math.h>
#include <string.h>

/* Where an upright face has its eyes, nose and corners of the mouth: the mean of FFHQ's faces. */
static const double face_template[FACE_POINTS][2] = {
    { 192.98138, 239.94708 }, { 318.90277, 240.1936 },  { 256.63416, 314.01935 },
    { 201.26117, 371.41043 }, { 313.08905, 371.15118 },
};

/* Pairs of points tried: with 45 % outliers one of them is good in 99 of 100 cases. */
#define ALIGN_TRIALS 13

/* Below, a face would be 5 pixels of 512 in the crop, or one source pixel the whole of it. */
#define ALIGN_SCALE_MIN 1e-3
#define ALIGN_SCALE_MAX 1e3

bool face_matrix_invert(const struct face_matrix *matrix, struct face_matrix *ret_inverse)
{
    double a = matrix->row[0][0], b = matrix->row[0][1], c = matrix->row[1][0];
    double d = matrix->row[1][1], x = matrix->row[0][2], y = matrix->row[1][2];
    double determinant = a * d - b * c;
    if (!isnormal(determinant))
        return false;
    double e = d / determinant, f = -b / determinant, g = -c / determinant, h = a / determinant;
    *ret_inverse = (struct face_matrix){ { { e, f, -e * x - f * y }, { g, h, -g * x - h * y } } };
    return true;
}

/* OpenCV's random numbers, started as it starts them: which pairs are tried decides which points
 * count as outliers. (A multiply-with-carry generator of Marsaglia's.) */
static unsigned align_random(uint64_t *state, unsigned below)
{
    *state = (*state & UINT32_MAX) * 4164903690u + (*state >> 32);
    return (unsigned)(*state & UINT32_MAX) % below;
}

/* Least squares over the chosen points. False when they are all in one place. */
static bool align_fit(const double points[FACE_POINTS][2], const bool chosen[FACE_POINTS],
                      struct face_matrix *ret_matrix)
{
    double from[2] = { 0 }, to[2] = { 0 }, count = 0, along = 0, across = 0, spread = 0;
    for (int i = 0; i < FACE_POINTS; i++)
        for (int k = 0; chosen[i] && k < 2; k++) {
            from[k] += points[i][k];
            to[k] += face_template[i][k];
            count += 0.5;
        }
    for (int k = 0; k < 2; k++) {
        from[k] /= count;
        to[k] /= count;
    }
    for (int i = 0; i < FACE_POINTS; i++) {
        if (!chosen[i])
            continue;
        double x = points[i][0] - from[0], y = points[i][1] - from[1];
        double u = face_template[i][0] - to[0], v = face_template[i][1] - to[1];
        along += x * u + y * v;
        across += x * v - y * u;
        spread += x * x + y * y;
    }
    double a = along / spread, b = across / spread;
    if (!isfinite(a) || !isfinite(b))
        return false;
    *ret_matrix = (struct face_matrix){ { { a, -b, to[0] - a * from[0] + b * from[1] },
                                          { b, a, to[1] - b * from[0] - a * from[1] } } };
    return true;
}

/* Squared distances to the template, as f32 like OpenCV's. */
static void align_errors(const double points[FACE_POINTS][2], const struct face_matrix *matrix,
                         float ret_errors[FACE_POINTS])
{
    for (int i = 0; i < FACE_POINTS; i++) {
        double x = points[i][0], y = points[i][1], sum = 0;
        for (int k = 0; k < 2; k++) {
            const double *row = matrix->row[k];
            double error = row[0] * x + row[1] * y + row[2] - face_template[i][k];
            sum += error * error;
        }
        ret_errors[i] = (float)sum;
    }
}

static float align_median(const float errors[FACE_POINTS])
{
    float sorted[FACE_POINTS];
    memcpy(sorted, errors, sizeof sorted);
    for (int i = 1; i < FACE_POINTS; i++)
        for (int k = i; k > 0 && sorted[k] < sorted[k - 1]; k--) {
            float swap = sorted[k];
            sorted[k] = sorted[k - 1];
            sorted[k - 1] = swap;
        }
    return sorted[FACE_POINTS / 2];
}

/* The points that agree with the pair whose similarity has the least median error. */
static bool align_choose(const double points[FACE_POINTS][2], bool ret_chosen[FACE_POINTS])
{
    uint64_t state = UINT64_MAX;
    double least = INFINITY;
    struct face_matrix best = { 0 }, matrix;
    float errors[FACE_POINTS];
    for (int trial = 0; trial < ALIGN_TRIALS; trial++) {
        bool pair[FACE_POINTS] = { 0 };
        unsigned first = align_random(&state, FACE_POINTS), second;
        do
            second = align_random(&state, FACE_POINTS);
        while (second == first);
        pair[first] = pair[second] = true;
        if (!align_fit(points, pair, &matrix))
            continue;
        align_errors(points, &matrix, errors);
        double median = (double)align_median(errors);
        if (median < least) {
            least = median;
            best = matrix;
        }
    }
    if (!isfinite(least))
        return false;
    /* 2.5 standard deviations, the deviation estimated from the median (Rousseeuw). */
    double limit = 2.5 * 1.4826 * (1 + 5.0 / (FACE_POINTS - 2)) * sqrt(least);
    limit = fmax(limit, 0.001);
    align_errors(points, &best, errors);
    int count = 0;
    for (int i = 0; i < FACE_POINTS; i++) {
        ret_chosen[i] = errors[i] <= (float)(limit * limit);
        count += ret_chosen[i];
    }
    return count >= 2;
}

bool face_align(const float points[FACE_POINTS][2], struct face_matrix *ret_to_face)
{
    double exact[FACE_POINTS][2];
    bool chosen[FACE_POINTS];
    struct face_matrix matrix;
    for (int i = 0; i < FACE_POINTS; i++)
        for (int k = 0; k < 2; k++)
            exact[i][k] = (double)points[i][k];
    if (!align_choose(exact, chosen) || !align_fit(exact, chosen, &matrix))
        return false;
    double scale = hypot(matrix.row[0][0], matrix.row[1][0]);
    if (!(scale >= ALIGN_SCALE_MIN && scale <= ALIGN_SCALE_MAX))
        return false;
    *ret_to_face = matrix;
    return true;
}
