/* Capability URLs of streams.
 *
 * A token is the prediction's id (26 characters) and 26 characters of HMAC-SHA256 over a label and
 * that id, under the secret that also signs files' links. Nothing is stored. A file model's token
 * has four letters of the code and '-' before that. Not here: what a stream says
 * (resource/streams.c). */
#include "api/stream_link.h"

#include <string.h>

#include "api/api_private.h"
#include "base/hash.h"

#define CODE_LEN 26 /* characters of 5 bits each */
#define LETTERS_LEN 4
#define LABEL "stream "
#define GATEWAY_PREFIX "/replicate" /* as api.c serves it */

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* The code, and with it the letters: they tell nothing, and are checked like the rest. */
static void make_code(struct str secret, const char *id, char ret_code[CODE_LEN + 1],
                      char ret_letters[LETTERS_LEN + 1])
{
    char text[sizeof(LABEL) + ID_PREDICTION_LEN];
    unsigned char mac[HASH_SHA256_BYTES];
    unsigned bits = 0, have = 0;
    size_t used = 0;

    memcpy(text, LABEL, sizeof(LABEL) - 1);
    memcpy(text + sizeof(LABEL) - 1, id, ID_PREDICTION_LEN);
    hash_hmac_sha256(secret, (struct str){ text, sizeof(LABEL) - 1 + ID_PREDICTION_LEN }, mac);
    for (size_t i = 0; i < CODE_LEN; i++) {
        if (have < 5) {
            bits = (bits << 8 | mac[used++]) & 0xffff;
            have += 8;
        }
        have -= 5;
        ret_code[i] = digits[bits >> have & 31];
    }
    ret_code[CODE_LEN] = '\0';
    for (size_t i = 0; i < LETTERS_LEN; i++)
        ret_letters[i] = (char)('a' + mac[HASH_SHA256_BYTES - 1 - i] % 26);
    ret_letters[LETTERS_LEN] = '\0';
}

void stream_link_token(struct str secret, const char *id, bool files,
                       char ret_token[STREAM_LINK_FILES_TOKEN_LEN + 1])
{
    char code[CODE_LEN + 1], letters[LETTERS_LEN + 1];
    char *at = ret_token;

    make_code(secret, id, code, letters);
    if (files) {
        memcpy(at, letters, LETTERS_LEN);
        at[LETTERS_LEN] = '-';
        at += LETTERS_LEN + 1;
    }
    memcpy(at, id, ID_PREDICTION_LEN);
    memcpy(at + ID_PREDICTION_LEN, code, sizeof(code));
}

bool stream_link_is_files_token(struct str token)
{
    return token.len == STREAM_LINK_FILES_TOKEN_LEN && token.ptr[LETTERS_LEN] == '-';
}

bool stream_link_parse(struct str secret, struct str token, char ret_id[ID_PREDICTION_LEN + 1])
{
    char id[ID_PREDICTION_LEN + 1], expected[STREAM_LINK_FILES_TOKEN_LEN + 1];
    bool files = stream_link_is_files_token(token);
    struct str given_id;

    if (!files && token.len != STREAM_LINK_TOKEN_LEN)
        return false;
    given_id = str_skip(token, files ? LETTERS_LEN + 1 : 0);
    given_id.len = ID_PREDICTION_LEN;
    if (!id_is_prediction(given_id) || !str_copy(given_id, id, sizeof(id)))
        return false;
    stream_link_token(secret, id, files, expected);
    if (!str_equal_constant_time(token, str_from(expected)))
        return false;
    memcpy(ret_id, id, sizeof(id));
    return true;
}

bool stream_link_check(const struct api *api, struct str token, char ret_id[ID_PREDICTION_LEN + 1])
{
    return stream_link_parse(str_from(api->file_secret), token, ret_id);
}

bool stream_link_write(const struct api *api, const char *base_url, const char *id, bool files,
                       struct buf *out)
{
    char token[STREAM_LINK_FILES_TOKEN_LEN + 1];
    struct str base = str_from(base_url);

    if (files && str_ends(base, S(GATEWAY_PREFIX)))
        base.len -= sizeof(GATEWAY_PREFIX) - 1;
    stream_link_token(str_from(api->file_secret), id, files, token);
    buf_append_str(out, base);
    buf_append_str(out, files ? S("/v1/files/") : S("/v1/streams/"));
    return buf_append_str(out, str_from(token));
}
