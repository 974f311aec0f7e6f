/* Capability URLs of streams: who has the link may follow that one prediction, without a token.
 * Private to api/. */
#ifndef MIMEO_API_STREAM_LINK_H
#define MIMEO_API_STREAM_LINK_H

#include "base/buf.h"
#include "base/id.h"

struct api;

#define STREAM_LINK_TOKEN_LEN 52       /* the prediction's id and 130 bits of a code over it */
#define STREAM_LINK_FILES_TOKEN_LEN 57 /* four letters, '-', and such a token */

/* Append the URL. files: a model whose output is files; the URL then has the path by which the
 * official JavaScript client knows that, and no gateway prefix, which would hide it. False when
 * the buffer is full. */
bool stream_link_write(const struct api *api, const char *base_url, const char *id, bool files,
                       struct buf *out);

/* The prediction of a token in either form. False, in a time that does not depend on the code, when
 * it is no token of ours. */
bool stream_link_check(const struct api *api, struct str token, char ret_id[ID_PREDICTION_LEN + 1]);

/* The same over bare secrets, for tests and fuzzing. Pure. */
bool stream_link_parse(struct str secret, struct str token, char ret_id[ID_PREDICTION_LEN + 1]);
void stream_link_token(struct str secret, const char *id, bool files,
                       char ret_token[STREAM_LINK_FILES_TOKEN_LEN + 1]);

/* Has it the form of a file model's token? No id of an uploaded file has. */
bool stream_link_is_files_token(struct str token);

#endif
