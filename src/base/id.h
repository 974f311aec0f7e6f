/* Identifiers and randomness. Formats: reference: docs/api-compatibility.md, "identifiers". */
#ifndef MIMEO_BASE_ID_H
#define MIMEO_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define ID_PREDICTION_LEN 26
#define ID_FILE_LEN 48

/* Bytes from the kernel's generator; ends the process when the kernel has none (it always has). */
void id_random_bytes(void *ret_bytes, size_t len);

/* 26 characters of lower-case Crockford base32 over 16 bytes laid out as Replicate's are: random,
 * 0x71, a small byte, milliseconds big-endian in 6 bytes (of Replicate's only the first 4 are known
 * to be), random. Sorted by their second halves, new ones are last. 0-terminated. */
void id_prediction(int64_t now_ms, char ret_id[ID_PREDICTION_LEN + 1]);
bool id_is_prediction(struct str s); /* 26 characters of 0-9 a-z */

/* Unpadded base64 (48 characters) of a random UUIDv4's text. */
void id_file(char ret_id[ID_FILE_LEN + 1]);

/* `len` characters of [0-9A-Za-z]; ret_text has room for len + 1. */
void id_random_text(char *ret_text, size_t len);

#endif
