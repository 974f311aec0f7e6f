/* Tensors by name into filters and linear layers, batch norms folded on the way. */
#include "nn/bind.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "nn/keys.h"
#include "weights/weights.h"

#define BIND_PADDING 16 /* the widest vector of the engine, in floats */

static bool bind_name(const char *prefix, const char *what, char *ret_name, struct err *err)
{
    int len = snprintf(ret_name, KEYS_NAME_BYTES, "%s.%s", prefix, what);
    return (len > 0 && len < KEYS_NAME_BYTES) ||
           err_set(err, ERR_INTERNAL, "The name \"%s.%s\" is too long.", prefix, what);
}

static bool bind_has(const struct weights *weights, const char *prefix, const char *what)
{
    char name[KEYS_NAME_BYTES];
    return bind_name(prefix, what, name, NULL) && weights_find(weights, name);
}

/* The same shape, but that either may have more dimensions of 1 at its end: a linear layer's
 * [out][in] is a 1x1 convolution's [out][in][1][1]. */
static bool bind_fits(const struct weight *weight, int rank, const int64_t *shape)
{
    bool fits = true;
    for (int i = 0; fits && (i < rank || i < weight->rank); i++)
        fits = (i < weight->rank ? weight->shape[i] : 1) == (i < rank ? shape[i] : 1);
    return fits;
}

/* "PREFIX.WHAT" as f32 into memory for as many numbers as the shape has. */
static bool bind_read(const struct weights *weights, const char *prefix, const char *what, int rank,
                      const int64_t *shape, float *ret_values, struct err *err)
{
    char name[KEYS_NAME_BYTES], is[KEYS_SHAPE_BYTES], wanted[KEYS_SHAPE_BYTES];
    if (!bind_name(prefix, what, name, err))
        return false;
    const struct weight *weight = weights_find(weights, name);
    if (!weight)
        return err_set(err, ERR_INVALID, "The weights have no tensor \"%s\".", name);
    if (bind_fits(weight, rank, shape))
        return weight_to_f32(weight, ret_values, err);
    keys_shape_text(weight->rank, weight->shape, is);
    keys_shape_text(rank, shape, wanted);
    return err_set(err, ERR_INVALID, "The tensor \"%s\" is %s where %s is wanted.", name, is,
                   wanted);
}

static bool bind_vector(const struct weights *weights, const char *prefix, const char *what,
                        int64_t length, float *ret_values, struct err *err)
{
    return bind_read(weights, prefix, what, 1, &length, ret_values, err);
}

/* Which output channel the taps of (outer, inner) belong to: the first two dimensions of the
 * weights, which a transposed convolution has the other way round. */
static int filter_output(const struct conv_shape *shape, int groups, int outer, int inner)
{
    if (!shape->transposed)
        return outer;
    int group = outer / (shape->in_channels / groups);
    return group * (shape->out_channels / groups) + inner;
}

/* Fold y = (x - mean) / sqrt(variance + eps) * scale + shift into the convolution before it. */
static bool bind_fold(const struct weights *weights, const char *norm, float eps,
                      const struct conv_shape *shape, struct conv_filter *filter, struct err *err)
{
    int groups = shape->groups ? shape->groups : 1, channels = shape->out_channels;
    int outers = shape->transposed ? shape->in_channels : shape->out_channels;
    int inners = (shape->transposed ? shape->out_channels : shape->in_channels) / groups;
    size_t length = (size_t)channels, taps = (size_t)shape->kernel * (size_t)shape->kernel;
    float *scale = calloc(4 * length, sizeof *scale), *bias = conv_filter_bias(filter);
    if (!scale)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for a batch norm.");
    float *shift = scale + length, *mean = shift + length, *variance = mean + length;
    bool ok = bind_vector(weights, norm, "weight", channels, scale, err) &&
              bind_vector(weights, norm, "bias", channels, shift, err) &&
              bind_vector(weights, norm, "running_mean", channels, mean, err) &&
              bind_vector(weights, norm, "running_var", channels, variance, err);
    for (size_t channel = 0; ok && channel < length; channel++) {
        scale[channel] /= sqrtf(variance[channel] + eps);
        bias[channel] = (bias[channel] - mean[channel]) * scale[channel] + shift[channel];
    }
    float *at = conv_filter_weights(filter);
    for (int outer = 0; ok && outer < outers; outer++)
        for (int inner = 0; inner < inners; inner++, at += taps) {
            float factor = scale[filter_output(shape, groups, outer, inner)];
            for (size_t i = 0; i < taps; i++)
                at[i] *= factor;
        }
    free(scale);
    return ok;
}

static bool bind_fill(const struct weights *weights, const char *prefix, const char *norm,
                      float norm_eps, const struct conv_shape *shape, struct conv_filter *filter,
                      struct err *err)
{
    int groups = shape->groups ? shape->groups : 1;
    int outer = shape->transposed ? shape->in_channels : shape->out_channels;
    int inner = (shape->transposed ? shape->out_channels : shape->in_channels) / groups;
    const int64_t sizes[4] = { outer, inner, shape->kernel, shape->kernel };
    if (!bind_read(weights, prefix, "weight", 4, sizes, conv_filter_weights(filter), err))
        return false;
    if (bind_has(weights, prefix, "bias") &&
        !bind_vector(weights, prefix, "bias", shape->out_channels, conv_filter_bias(filter), err))
        return false;
    return !norm || !bind_has(weights, norm, "weight") ||
           bind_fold(weights, norm, norm_eps, shape, filter, err);
}

bool bind_conv(struct engine *engine, const struct weights *weights, const char *prefix,
               const char *norm, float norm_eps, const struct conv_shape *shape,
               struct conv_filter **ret_filter, struct err *err)
{
    struct conv_filter *filter = NULL;
    if (!conv_filter_new(engine, shape, &filter, err))
        return err_while(err, "binding %s", prefix);
    if (!bind_fill(weights, prefix, norm, norm_eps, shape, filter, err)) {
        conv_filter_free(filter);
        return err_while(err, "binding %s", prefix);
    }
    *ret_filter = filter;
    return true;
}

bool bind_linear(struct engine *engine, const struct weights *weights, const char *prefix, int out,
                 int in, struct linear **ret_linear, struct err *err)
{
    struct linear *linear = NULL;
    if (!linear_new(engine, out, in, &linear, err))
        return err_while(err, "binding %s", prefix);
    const int64_t sizes[2] = { out, in };
    bool ok = bind_read(weights, prefix, "weight", 2, sizes, linear_weights(linear), err) &&
              (!bind_has(weights, prefix, "bias") ||
               bind_vector(weights, prefix, "bias", out, linear_bias(linear), err));
    if (!ok) {
        linear_free(linear);
        return err_while(err, "binding %s", prefix);
    }
    *ret_linear = linear;
    return true;
}

void bind_fold_input(struct conv_filter *filter, int out, int in, const float *scale,
                     const float *shift)
{
    float *weights = conv_filter_weights(filter), *bias = conv_filter_bias(filter);
    for (int o = 0; o < out; o++, weights += in) {
        double sum = 0;
        for (int i = 0; i < in; i++) {
            sum += (double)weights[i] * (double)shift[i];
            weights[i] *= scale[i];
        }
        bias[o] += (float)sum;
    }
}

bool bind_values(const struct weights *weights, const char *name, int64_t count, float **ret_values,
                 struct err *err)
{
    const struct weight *weight = weights_find(weights, name);
    if (!weight)
        return err_set(err, ERR_INVALID, "The weights have no tensor \"%s\".", name);
    if (weight->count != count)
        return err_set(err, ERR_INVALID,
                       "The tensor \"%s\" has %lld numbers where %lld are wanted.", name,
                       (long long)weight->count, (long long)count);
    size_t padded = ((size_t)count + BIND_PADDING - 1) / BIND_PADDING * BIND_PADDING;
    float *values = calloc(padded ? padded : BIND_PADDING, sizeof *values);
    if (!values)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the tensor \"%s\".", name);
    if (!weight_to_f32(weight, values, err)) {
        free(values);
        return false;
    }
    *ret_values = values;
    return true;
}
