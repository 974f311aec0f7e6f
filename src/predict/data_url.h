/* Data URLs (RFC 2397): "data:image/png;base64,...". Pure; fuzzed. */
#ifndef MIMEO_PREDICT_DATA_URL_H
#define MIMEO_PREDICT_DATA_URL_H

#include "base/buf.h"

struct err;

struct data_url {
    char media_type[128]; /* lower case, without parameters; "text/plain" when not told */
    bool base64;          /* else percent-encoded */
    struct str data;      /* borrowed from the URL, still encoded */
};

bool data_url_is(struct str url); /* does it begin like one? */
bool data_url_parse(struct str url, struct data_url *ret_url, struct err *err); /* ERR_INVALID */

/* Append the decoded bytes. ERR_INVALID, or ERR_TOO_LARGE by the limit of `out`. */
bool data_url_decode(const struct data_url *url, struct buf *out, struct err *err);

/* The ending a file of that media type gets, with its dot: ".png"; "" when unknown. */
const char *data_url_extension(const char *media_type);

#endif
