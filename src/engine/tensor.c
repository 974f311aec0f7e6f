#include "engine/tensor.h"

#include <assert.h>

struct tensor tensor_plain(int channels, int height, int width, float *data)
{
    return (struct tensor){ .type = TENSOR_F32,
                            .block = 1,
                            .channels = channels,
                            .height = height,
                            .width = width,
                            .data = data };
}

struct tensor tensor_slice(const struct tensor *tensor, int first, int count)
{
    assert(first >= 0 && count > 0 && first + count <= tensor->channels);
    assert(first % tensor->block == 0);
    assert(count % tensor->block == 0 || first + count == tensor->channels);
    struct tensor slice = *tensor;
    size_t elements = (size_t)first * (size_t)tensor->height * (size_t)tensor->width;
    slice.data = (char *)tensor->data + elements * tensor_type_bytes(tensor->type);
    slice.channels = count;
    return slice;
}

size_t tensor_type_bytes(enum tensor_type type)
{
    return type == TENSOR_BF16 ? 2 : 4;
}

size_t tensor_bytes(const struct tensor *tensor)
{
    return (size_t)tensor_blocks(tensor) * (size_t)tensor->block * (size_t)tensor->height *
           (size_t)tensor->width * tensor_type_bytes(tensor->type);
}

int tensor_blocks(const struct tensor *tensor)
{
    return (tensor->channels + tensor->block - 1) / tensor->block;
}

bool tensor_same_shape(const struct tensor *a, const struct tensor *b)
{
    return a->channels == b->channels && a->height == b->height && a->width == b->width;
}
