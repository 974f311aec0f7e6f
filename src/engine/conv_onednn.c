#include "engine/conv_onednn.h"

#include "base/err.h"
#include "engine/conv_private.h"
#include "engine/dnnl_shim.h"
#include "engine/memory.h"

#include <stdio.h>
#include <string.h>

struct conv_onednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
};

enum conv_onednn_argument { CONV_SRC, CONV_WEIGHTS, CONV_BIAS, CONV_DST, CONV_SCRATCH, CONV_COUNT };

static const int conv_onednn_arguments[CONV_COUNT] = { DNNL_ARG_SRC, DNNL_ARG_WEIGHTS,
                                                       DNNL_ARG_BIAS, DNNL_ARG_DST,
                                                       DNNL_ARG_SCRATCHPAD };

/* What a filter keeps: its packed weights, and the primitive of the last shape. */
struct conv_onednn_cached {
    struct shim_conv shape;
    dnnl_primitive_t primitive;
    dnnl_memory_t memories[CONV_COUNT];
    size_t scratch_bytes;
    shim_md weights_md;
    void *weights;
    size_t weights_bytes;
    char name[64]; /* of oneDNN's implementation */
};

static bool conv_onednn_error(dnnl_status_t status, const char *what, struct err *err)
{
    if (status == dnnl_out_of_memory)
        return err_set(err, ERR_NO_MEMORY, "no memory for a convolution (%s)", what);
    if (status == dnnl_unimplemented)
        return err_set(err, ERR_UNAVAILABLE, "oneDNN has no such convolution (%s)", what);
    return err_set(err, ERR_INTERNAL, "oneDNN status %d (%s)", (int)status, what);
}

bool conv_onednn_new(struct conv_onednn **ret_onednn, struct err *err)
{
    struct conv_onednn *onednn = calloc(1, sizeof *onednn);
    if (!onednn)
        return err_set(err, ERR_NO_MEMORY, "no memory for an engine");
    dnnl_status_t status = dnnl_engine_create(&onednn->engine, dnnl_cpu, 0);
    if (status == dnnl_success)
        status = dnnl_stream_create(&onednn->stream, onednn->engine, dnnl_stream_default_flags);
    if (status != dnnl_success) {
        conv_onednn_free(onednn);
        return conv_onednn_error(status, "start", err);
    }
    *ret_onednn = onednn;
    return true;
}

void conv_onednn_free(struct conv_onednn *onednn)
{
    if (!onednn)
        return;
    if (onednn->stream)
        dnnl_stream_destroy(onednn->stream);
    if (onednn->engine)
        dnnl_engine_destroy(onednn->engine);
    free(onednn);
}

int conv_onednn_block(void)
{
    if (shim_isa_has(dnnl_cpu_isa_avx512_core))
        return 16;
    return shim_isa_has(dnnl_cpu_isa_sse41) ? 8 : 0;
}

void conv_onednn_forget(struct conv_onednn_cached *cached)
{
    if (!cached)
        return;
    for (int i = 0; i < CONV_COUNT; i++)
        if (cached->memories[i])
            dnnl_memory_destroy(cached->memories[i]);
    if (cached->primitive)
        dnnl_primitive_destroy(cached->primitive);
    shim_md_free(cached->weights_md);
    memory_free(cached->weights, cached->weights_bytes);
    free(cached);
}

const char *conv_onednn_name(const struct conv_onednn_cached *cached)
{
    return cached ? cached->name : "";
}

unsigned long conv_onednn_bytes(const struct conv_onednn_cached *cached)
{
    return cached ? cached->weights_bytes : 0;
}

static dnnl_format_tag_t conv_onednn_tag(const struct tensor *tensor)
{
    if (tensor->block == 16)
        return dnnl_nChw16c;
    return tensor->block == 8 ? dnnl_nChw8c : dnnl_nchw;
}

/* Every byte is set, so that shapes can be compared with memcmp. */
static void conv_onednn_shape(const struct kernels_conv *conv, struct shim_conv *ret_shape)
{
    const struct tensor *src = &conv->src, *dst = &conv->dst;
    memset(ret_shape, 0, sizeof *ret_shape);
    ret_shape->type = src->type == TENSOR_BF16 ? dnnl_bf16 : dnnl_f32;
    ret_shape->src_tag = conv_onednn_tag(src);
    ret_shape->dst_tag = conv_onednn_tag(dst);
    ret_shape->slope = conv->slope;
    ret_shape->bias[0] = dst->channels;
    for (int i = 0; i < 4; i++) {
        ret_shape->src[i] = (int[]){ 1, src->channels, src->height, src->width }[i];
        ret_shape->dst[i] = (int[]){ 1, dst->channels, dst->height, dst->width }[i];
        ret_shape->weights[i] =
            (int[]){ dst->channels, src->channels, conv->kernel, conv->kernel }[i];
    }
    for (int i = 0; i < 2; i++) {
        int size = i ? src->width : src->height, out = i ? dst->width : dst->height;
        ret_shape->strides[i] = conv->stride;
        ret_shape->dilates[i] = conv->dilation - 1;
        ret_shape->padding[i] = conv->padding;
        ret_shape->padding_end[i] = (out - 1) * conv->stride + (conv->kernel - 1) * conv->dilation +
                                    1 - size - conv->padding;
    }
}

static dnnl_status_t conv_onednn_attr(float slope, dnnl_primitive_attr_t *ret_attr)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(&attr);
    /* The library's own scratchpad is shared between threads in distributions' builds, which gives
     * silently wrong results; see docs/engine.md. */
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success && slope < 1) {
        status = dnnl_post_ops_create(&ops);
        if (status == dnnl_success)
            status = shim_post_eltwise(ops, dnnl_eltwise_relu, slope);
        if (status == dnnl_success)
            status = dnnl_primitive_attr_set_post_ops(attr, ops);
    }
    if (ops)
        dnnl_post_ops_destroy(ops);
    if (status == dnnl_success)
        *ret_attr = attr;
    else if (attr)
        dnnl_primitive_attr_destroy(attr);
    return status;
}

static bool conv_onednn_pd(struct conv_onednn *onednn, const struct shim_conv *shape,
                           dnnl_primitive_desc_t *ret_pd, struct err *err)
{
    shim_md md[4] = { NULL };
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    const char *name = "";
    dnnl_status_t status = shim_md_new(&md[0], 4, shape->src, shape->type, shape->src_tag);
    if (status == dnnl_success)
        status = shim_md_new(&md[1], 4, shape->weights, shape->type, dnnl_format_tag_any);
    if (status == dnnl_success)
        status = shim_md_new(&md[2], 1, shape->bias, dnnl_f32, dnnl_x);
    if (status == dnnl_success)
        status = shim_md_new(&md[3], 4, shape->dst, shape->type, shape->dst_tag);
    if (status == dnnl_success)
        status = conv_onednn_attr(shape->slope, &attr);
    if (status == dnnl_success)
        status = shim_conv_pd(&pd, onednn->engine, shape, md, attr);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&name);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    for (int i = 0; i < 4; i++)
        shim_md_free(md[i]);
    if (status == dnnl_success && strncmp(name, "ref", 3) != 0) {
        *ret_pd = pd;
        return true;
    }
    if (status == dnnl_success)
        err_set(err, ERR_UNAVAILABLE, "oneDNN has only '%s' for this convolution", name);
    else
        conv_onednn_error(status, "descriptor", err);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return false;
}

bool conv_onednn_has_bf16(struct engine *engine)
{
    struct tensor tensor = { .type = TENSOR_BF16,
                             .block = engine_block(engine),
                             .channels = 64,
                             .height = 32,
                             .width = 32 };
    struct kernels_conv conv = {
        .src = tensor, .dst = tensor, .kernel = 3, .stride = 1, .dilation = 1, .padding = 1
    };
    struct shim_conv shape;
    dnnl_primitive_desc_t pd = NULL;
    conv_onednn_shape(&conv, &shape);
    if (!conv_onednn_pd(engine->onednn, &shape, &pd, NULL))
        return false;
    dnnl_primitive_desc_destroy(pd);
    return true;
}

/* Execute a reorder of weights from one description to another. */
static dnnl_status_t conv_onednn_reorder(struct engine *engine, shim_const_md from_md, void *from,
                                         shim_const_md to_md, void *to, struct err *err)
{
    struct conv_onednn *onednn = engine->onednn;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_memory_t memories[3] = { NULL };
    dnnl_status_t status = conv_onednn_attr(1, &attr);
    if (status == dnnl_success)
        status = dnnl_reorder_primitive_desc_create(&pd, from_md, onednn->engine, to_md,
                                                    onednn->engine, attr);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&reorder, pd);
    if (status == dnnl_success) {
        shim_const_md scratch_md = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
        void *scratch = NULL;
        if (!engine_scratch(engine, dnnl_memory_desc_get_size(scratch_md), &scratch, err))
            status = dnnl_out_of_memory;
        else
            status = dnnl_memory_create(&memories[2], scratch_md, onednn->engine, scratch);
    }
    if (status == dnnl_success)
        status = dnnl_memory_create(&memories[0], from_md, onednn->engine, from);
    if (status == dnnl_success)
        status = dnnl_memory_create(&memories[1], to_md, onednn->engine, to);
    if (status == dnnl_success) {
        dnnl_exec_arg_t args[3] = { { DNNL_ARG_FROM, memories[0] },
                                    { DNNL_ARG_TO, memories[1] },
                                    { DNNL_ARG_SCRATCHPAD, memories[2] } };
        status = dnnl_primitive_execute(reorder, onednn->stream, 3, args);
    }
    if (status == dnnl_success)
        status = dnnl_stream_wait(onednn->stream);
    for (int i = 0; i < 3; i++)
        if (memories[i])
            dnnl_memory_destroy(memories[i]);
    if (reorder)
        dnnl_primitive_destroy(reorder);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return status;
}

/* Bring the weights into the layout that `pd` wants, from the published one or the last packed. */
static bool conv_onednn_pack(struct engine *engine, struct conv_filter *filter,
                             const struct shim_conv *shape, dnnl_primitive_desc_t pd,
                             struct err *err)
{
    struct conv_onednn_cached *cached = filter->onednn;
    shim_const_md wanted = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    if (cached->weights && dnnl_memory_desc_equal(wanted, cached->weights_md))
        return true;
    shim_md plain_md = NULL, new_md = NULL;
    size_t bytes = dnnl_memory_desc_get_size(wanted);
    void *weights = memory_new(bytes);
    dnnl_status_t status = weights ? shim_md_clone(&new_md, wanted) : dnnl_out_of_memory;
    if (status == dnnl_success && !cached->weights)
        status = shim_md_new(&plain_md, 4, shape->weights, dnnl_f32, dnnl_oihw);
    if (status == dnnl_success)
        status =
            conv_onednn_reorder(engine, plain_md ? plain_md : cached->weights_md,
                                plain_md ? filter->source : cached->weights, new_md, weights, err);
    shim_md_free(plain_md);
    if (status != dnnl_success) {
        shim_md_free(new_md);
        memory_free(weights, bytes);
        return conv_onednn_error(status, "weights", err);
    }
    shim_md_free(cached->weights_md);
    memory_free(cached->weights, cached->weights_bytes);
    cached->weights_md = new_md;
    cached->weights = weights;
    cached->weights_bytes = bytes;
    return true;
}

/* Replace the cached primitive and its memory objects by those of `pd`. */
static bool conv_onednn_build(struct engine *engine, struct conv_filter *filter,
                              dnnl_primitive_desc_t pd, struct err *err)
{
    struct conv_onednn_cached *cached = filter->onednn;
    const dnnl_query_t queries[CONV_COUNT] = { dnnl_query_src_md, dnnl_query_weights_md,
                                               dnnl_query_weights_md, dnnl_query_dst_md,
                                               dnnl_query_scratchpad_md };
    if (cached->primitive)
        dnnl_primitive_destroy(cached->primitive);
    cached->primitive = NULL;
    dnnl_status_t status = dnnl_primitive_create(&cached->primitive, pd);
    for (int i = 0; i < CONV_COUNT && status == dnnl_success; i++) {
        shim_const_md md = dnnl_primitive_desc_query_md(pd, queries[i], i == CONV_BIAS);
        if (cached->memories[i])
            dnnl_memory_destroy(cached->memories[i]);
        cached->memories[i] = NULL;
        status =
            dnnl_memory_create(&cached->memories[i], md, engine->onednn->engine, DNNL_MEMORY_NONE);
        if (i == CONV_SCRATCH)
            cached->scratch_bytes = dnnl_memory_desc_get_size(md);
    }
    const char *name = "";
    if (status == dnnl_success)
        status = dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&name);
    if (status != dnnl_success)
        return conv_onednn_error(status, "primitive", err);
    snprintf(cached->name, sizeof cached->name, "%s", name);
    return true;
}

bool conv_onednn_prepare(struct engine *engine, struct conv_filter *filter,
                         const struct kernels_conv *conv, struct err *err)
{
    struct shim_conv shape;
    dnnl_primitive_desc_t pd = NULL;
    conv_onednn_shape(conv, &shape);
    if (filter->onednn && memcmp(&filter->onednn->shape, &shape, sizeof shape) == 0)
        return true;
    if (!conv_onednn_pd(engine->onednn, &shape, &pd, err))
        return false;
    if (!filter->onednn)
        filter->onednn = calloc(1, sizeof *filter->onednn);
    bool ok = filter->onednn || err_set(err, ERR_NO_MEMORY, "no memory for a convolution");
    if (ok)
        memset(&filter->onednn->shape, 0, sizeof filter->onednn->shape);
    ok = ok && conv_onednn_pack(engine, filter, &shape, pd, err);
    ok = ok && conv_onednn_build(engine, filter, pd, err);
    if (ok)
        filter->onednn->shape = shape;
    dnnl_primitive_desc_destroy(pd);
    return ok;
}

bool conv_onednn_run(struct engine *engine, struct conv_filter *filter,
                     const struct kernels_conv *conv, struct err *err)
{
    struct conv_onednn_cached *cached = filter->onednn;
    void *handles[CONV_COUNT] = { conv->src.data, cached->weights, filter->bias, conv->dst.data,
                                  NULL };
    dnnl_exec_arg_t args[CONV_COUNT];
    if (!engine_scratch(engine, cached->scratch_bytes, &handles[CONV_SCRATCH], err))
        return false;
    dnnl_status_t status = dnnl_success;
    for (int i = 0; i < CONV_COUNT && status == dnnl_success; i++) {
        status = dnnl_memory_set_data_handle(cached->memories[i], handles[i]);
        args[i] = (dnnl_exec_arg_t){ conv_onednn_arguments[i], cached->memories[i] };
    }
    if (status == dnnl_success)
        status =
            dnnl_primitive_execute(cached->primitive, engine->onednn->stream, CONV_COUNT, args);
    if (status == dnnl_success)
        status = dnnl_stream_wait(engine->onednn->stream);
    return status == dnnl_success || conv_onednn_error(status, "run", err);
}
