/* The only place that includes oneDNN: what differs between its versions 2.6 and 3, made the same.
 *
 * Version 3 has no operation descriptors, opaque memory descriptors and fewer arguments here and
 * there. With 2.6, where a memory descriptor is a struct, the handles below point at one on the
 * heap. Output scales and zero points are not used: their interface changed altogether.
 *
 * Private to conv_onednn.c. Checked at run time with 2.6; with 3 by its headers only. */
#ifndef MIMEO_ENGINE_DNNL_SHIM_H
#define MIMEO_ENGINE_DNNL_SHIM_H

#include <oneapi/dnnl/dnnl.h>

#include <stdlib.h>

struct shim_conv {
    dnnl_dims_t src, weights, bias, dst; /* of the full size, which the compiler insists on */
    dnnl_dims_t strides, dilates, padding, padding_end;
    dnnl_data_type_t type;
    dnnl_format_tag_t src_tag, dst_tag;
    float slope; /* of the activation; 1 is none */
};

#if DNNL_VERSION_MAJOR >= 3

typedef dnnl_memory_desc_t shim_md; /* a handle already */
typedef const_dnnl_memory_desc_t shim_const_md;

static inline dnnl_status_t shim_md_new(shim_md *ret_md, int rank, const dnnl_dim_t *dims,
                                        dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(ret_md, rank, dims, type, tag);
}

static inline void shim_md_free(shim_md md)
{
    if (md)
        dnnl_memory_desc_destroy(md);
}

static inline dnnl_status_t shim_md_clone(shim_md *ret_md, shim_const_md md)
{
    return dnnl_memory_desc_clone(ret_md, md);
}

static inline dnnl_status_t shim_post_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind,
                                              float alpha)
{
    return dnnl_post_ops_append_eltwise(ops, kind, alpha, 0.0f);
}

static inline dnnl_status_t shim_conv_pd(dnnl_primitive_desc_t *ret_pd, dnnl_engine_t engine,
                                         const struct shim_conv *conv, const shim_md md[4],
                                         dnnl_primitive_attr_t attr)
{
    return dnnl_convolution_forward_primitive_desc_create(
        ret_pd, engine, dnnl_forward_inference, dnnl_convolution_direct, md[0], md[1], md[2], md[3],
        conv->strides, conv->dilates, conv->padding, conv->padding_end, attr);
}

#else

typedef dnnl_memory_desc_t *shim_md;
typedef const dnnl_memory_desc_t *shim_const_md;

static inline dnnl_status_t shim_md_new(shim_md *ret_md, int rank, const dnnl_dim_t *dims,
                                        dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    shim_md md = malloc(sizeof *md);
    if (!md)
        return dnnl_out_of_memory;
    dnnl_status_t status = dnnl_memory_desc_init_by_tag(md, rank, dims, type, tag);
    if (status == dnnl_success)
        *ret_md = md;
    else
        free(md);
    return status;
}

static inline void shim_md_free(shim_md md)
{
    free(md);
}

static inline dnnl_status_t shim_md_clone(shim_md *ret_md, shim_const_md md)
{
    shim_md copy = malloc(sizeof *copy);
    if (!copy)
        return dnnl_out_of_memory;
    *copy = *md;
    *ret_md = copy;
    return dnnl_success;
}

static inline dnnl_status_t shim_post_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind,
                                              float alpha)
{
    return dnnl_post_ops_append_eltwise(ops, 1.0f, kind, alpha, 0.0f);
}

static inline dnnl_status_t shim_conv_pd(dnnl_primitive_desc_t *ret_pd, dnnl_engine_t engine,
                                         const struct shim_conv *conv, const shim_md md[4],
                                         dnnl_primitive_attr_t attr)
{
    dnnl_convolution_desc_t desc;
    dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
        &desc, dnnl_forward_inference, dnnl_convolution_direct, md[0], md[1], md[2], md[3],
        conv->strides, conv->dilates, conv->padding, conv->padding_end);
    if (status != dnnl_success)
        return status;
    return dnnl_primitive_desc_create(ret_pd, &desc, attr, engine, NULL);
}

#endif

/* Does oneDNN's idea of the instruction set include AVX-512 / AVX2? */
static inline int shim_isa_has(dnnl_cpu_isa_t isa)
{
    return ((unsigned)dnnl_get_effective_cpu_isa() & (unsigned)isa) == (unsigned)isa;
}

#endif
