/* A note in a picture: a JSON text that says how it was made, put among a PNG's, JPEG's or WebP's
 * chunks. The picture's own bytes stay as they are: nothing is decoded, and what is not well formed
 * gets no note. Not here: what the note says (predict/making.c). */
#ifndef MIMEO_BLOB_PICTURE_NOTE_H
#define MIMEO_BLOB_PICTURE_NOTE_H

#include "base/buf.h"

#define PICTURE_NOTE_MAX (64u << 10) /* bytes of a note; a JPEG has room for a little less */
#define PICTURE_PIECES_MAX 16

struct picture_source { /* the bytes of a picture, wherever they are */
    int64_t size;
    /* All of them, or false. */
    bool (*read)(const struct picture_source *source, int64_t at, void *ret_bytes, size_t len);
    const void *context;
};

/* The picture with its note: these, one after the other. */
struct picture_plan {
    struct picture_piece {
        bool made; /* of `made`, else of the source */
        int64_t at, len;
    } pieces[PICTURE_PIECES_MAX];
    int piece_count;
    struct buf made;
};

/* How to put a note (JSON text, UTF-8) into a picture of that media type:
 *   image/png   an iTXt chunk behind IHDR, keyword "mimeo", not compressed: the note
 *   image/jpeg  an APP1 segment behind those of JFIF and EXIF, and
 *   image/webp  a chunk "XMP " at the end (a simple file becomes an extended one): an XMP packet
 *               whose property mimeo:making is the note
 * A note that is there is replaced. False, with nothing to be freed: another type, the bytes are
 * not well formed, the note is too long, or the picture has XMP of somebody else's. Pure. */
bool picture_note_plan(const struct picture_source *source, const char *content_type,
                       struct str note, struct picture_plan *ret_plan);
void picture_plan_done(struct picture_plan *plan);

/* Write the picture that `from` (a plain file, open for reading) is, with its note, into the empty
 * file `to`. Memory is bounded, whatever the size. False: it cannot have one, or the disk failed;
 * then `to` is of no use. Blocks. */
bool picture_note_copy(int from, int to, const char *content_type, struct str note);

#endif
