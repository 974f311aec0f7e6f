/* What the files of RestoreFormer share: the bound network. Private to nn/restoreformer*.c. */
#ifndef MIMEO_NN_RESTOREFORMER_PRIVATE_H
#define MIMEO_NN_RESTOREFORMER_PRIVATE_H

#include "engine/conv.h"
#include "nn/restoreformer.h"
#include "nn/stage.h"

#define RESTOREFORMER_BLOCKS_MAX 5 /* of a level of the decoder */

struct restoreformer_norm {
    float *scale, *shift;
};

/* x + conv2(swish(norm2(conv1(swish(norm1(x)))))); x goes through `shortcut` when the numbers of
 * channels differ. */
struct restoreformer_block {
    struct restoreformer_norm norm1, norm2;
    struct conv_filter *conv1, *conv2, *shortcut;
    int in_channels, out_channels;
};

/* x + out(attention(query, key(norm1(x)), value(norm1(x)))), all 1x1; the query is made of norm2 of
 * another tensor or, in the encoder, of norm1(x) too. */
struct restoreformer_attention {
    struct restoreformer_norm norm1, norm2;
    struct conv_filter *query, *key, *value, *out;
};

struct restoreformer_level {
    struct restoreformer_block blocks[RESTOREFORMER_BLOCKS_MAX];
    struct restoreformer_attention attentions[RESTOREFORMER_BLOCKS_MAX]; /* of the last level */
    struct conv_filter *resample; /* behind the blocks: to the next level */
};

/* Encoder or decoder. */
struct restoreformer_half {
    struct conv_filter *in, *out;
    struct restoreformer_level levels[RESTOREFORMER_LEVELS_MAX];
    struct restoreformer_block block1, block2; /* at the last level's size */
    struct restoreformer_attention attention;  /* between the two */
    struct restoreformer_norm norm;            /* before `out` */
};

struct restoreformer {
    struct engine *engine;
    struct restoreformer_config config;
    struct restoreformer_half encoder, decoder;
    struct conv_filter *before, *after; /* the choice of codes; 1x1 */
    float *codes;                       /* [codes][code_columns] */
    float *squares;                     /* [codes]: sums of squares */
    struct stage_watch watch;
};

int restoreformer_channels(const struct restoreformer_config *config, int level);

#endif
