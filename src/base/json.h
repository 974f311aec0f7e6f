/* JSON over jansson: strict parsing with limits, compact writing with exact numbers.
 * jansson's own functions are used freely elsewhere to build and walk values. */
#ifndef MIMEO_BASE_JSON_H
#define MIMEO_BASE_JSON_H

#include <jansson.h>

#include "base/buf.h"

struct err;

/* Parse one whole JSON text (any value at the top; duplicate keys and trailing bytes refused;
 * nesting deeper than 128 and millions of values refused). The caller owns *ret_value
 * (json_decref). ERR_INVALID with line and column otherwise. Any thread. */
bool json_parse(struct str text, json_t **ret_value, struct err *err);

/* Append the compact text of a value (UTF-8 kept, no spaces; reals printed in the shortest form, as
 * JavaScript does, that reads back the same). sort_keys: object keys in byte order, at every depth.
 * False when the buffer is full. */
bool json_write(const json_t *value, bool sort_keys, struct buf *out);

/* Append a string as a JSON string literal, quotes included; invalid UTF-8 bytes become U+FFFD. */
bool json_write_string(struct str s, struct buf *out);

/* Borrowed members, for reading objects without ceremony. NULL / fallback when absent or of
 * another type. */
const char *json_get_string(const json_t *object, const char *key);
int64_t json_get_integer(const json_t *object, const char *key, int64_t fallback);
double json_get_number(const json_t *object, const char *key, double fallback);
bool json_get_boolean(const json_t *object, const char *key, bool fallback);

#endif
