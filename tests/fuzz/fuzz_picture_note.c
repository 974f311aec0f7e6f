/* fuzz: server
 * Any bytes as a picture that gets a note: it is refused, or the plan stays within the bytes, a
 * second note replaces the first, and the picture is as large as before and its note. */
#include <stdlib.h>
#include <string.h>

#include "blob/picture_note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_memory(const struct picture_source *source, int64_t at, void *ret_bytes,
                        size_t len)
{
    if (at < 0 || at > source->size || (int64_t)len > source->size - at)
        abort(); /* the plan is to look before it reads */
    memcpy(ret_bytes, (const char *)source->context + at, len);
    return true;
}

/* The picture with the note; false: it cannot have one. */
static bool apply(struct str picture, const char *type, struct str note, struct buf *out)
{
    struct picture_source source = { (int64_t)picture.len, read_memory, picture.ptr };
    struct picture_plan plan;
    if (!picture_note_plan(&source, type, note, &plan))
        return false;
    buf_init(out, picture.len + (1u << 20));
    for (int i = 0; i < plan.piece_count; i++) {
        const struct picture_piece *piece = &plan.pieces[i];
        int64_t bound = piece->made ? (int64_t)plan.made.len : source.size;
        if (piece->len <= 0 || piece->at < 0 || piece->at > bound || piece->len > bound - piece->at)
            abort();
        buf_append(out, (piece->made ? plan.made.ptr : picture.ptr) + piece->at,
                   (size_t)piece->len);
    }
    picture_plan_done(&plan);
    if (out->failed)
        abort();
    return true;
}

static void check(struct str picture, const char *type)
{
    struct buf first, second, again;
    if (!apply(picture, type, S("{\"a\":\"<1>\"}"), &first))
        return;
    if (!apply(buf_str(&first), type, S("{\"prompt\":\"a longer one & more\"}"), &second) ||
        !apply(picture, type, S("{\"prompt\":\"a longer one & more\"}"), &again))
        abort();
    if (!str_equal(buf_str(&second), buf_str(&again)))
        abort();
    buf_done(&first);
    buf_done(&second);
    buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = { "image/png", "image/jpeg", "image/webp", "text/plain" };
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        check((struct str){ (const char *)data, size }, types[i]);
    return 0;
}
