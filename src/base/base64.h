/* Base64, both alphabets (RFC 4648). Decoding is of hostile input and strict. Pure; any thread. */
#ifndef MIMEO_BASE_BASE64_H
#define MIMEO_BASE_BASE64_H

#include "base/buf.h"

/* Base64 with padding (standard alphabet), or the URL alphabet without padding. */
enum base64_alphabet { BASE64_STANDARD, BASE64_URL };
bool base64_encode(struct str bytes, enum base64_alphabet alphabet, struct buf *out);
/* Padding optional; ASCII white space skipped; anything else is refused (false). */
bool base64_decode(struct str text, enum base64_alphabet alphabet, struct buf *out);

#endif
