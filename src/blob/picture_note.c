/* A note in a picture: where it goes in each format, and what else must change for it.
 *
 * Each format walks over the headers of its parts, from the file's begin to where the picture's own
 * data are told apart, and collects edits: "at this byte drop so many, and put these in". The plan
 * is what the edits leave. What the walk reads is hostile: every length is checked against what is
 * left, and the number of parts is bounded.
 *
 * Not here: files (picture_copy.c). No state; any thread. */
#include "blob/picture_note.h"

#include <string.h>
#include <zlib.h>

#define PARTS_MAX 131072 /* chunks of one file: a PNG of 1 GiB in the usual 8 KiB has as many */
#define EDITS_MAX 6

struct edit {
    int64_t at, drop;
    size_t made_at, made_len;
};

struct editor {
    const struct picture_source *source;
    struct str note;
    struct buf made;
    struct edit edits[EDITS_MAX]; /* in order of `at` */
    int count;
};

static bool read_at(const struct editor *editor, int64_t at, void *ret_bytes, size_t len)
{
    const struct picture_source *source = editor->source;
    return at >= 0 && at <= source->size && (int64_t)len <= source->size - at &&
           source->read(source, at, ret_bytes, len);
}

/* What was appended to `made` since made_at goes in at that byte, and `drop` bytes go. */
static bool edit_add(struct editor *editor, int64_t at, int64_t drop, size_t made_at)
{
    if (editor->count == EDITS_MAX)
        return false;
    editor->edits[editor->count++] = (struct edit){ at, drop, made_at, editor->made.len - made_at };
    return true;
}

static uint32_t big_endian(const unsigned char *bytes, int count)
{
    uint32_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

static uint32_t little_endian(const unsigned char *bytes, int count)
{
    uint32_t value = 0;
    for (int i = count - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

static void append_big_endian(struct buf *out, uint32_t value, int count)
{
    for (int i = count - 1; i >= 0; i--)
        buf_append_char(out, (char)(value >> (8 * i)));
}

static void append_little_endian(struct buf *out, uint32_t value, int count)
{
    for (int i = 0; i < count; i++)
        buf_append_char(out, (char)(value >> (8 * i)));
}

/* ---- PNG ----------------------------------------------------------------------------------- */

#define PNG_SIGNATURE "\x89PNG\r\n\x1a\n"
#define PNG_HEAD_BYTES 33       /* the signature and IHDR */
#define PNG_KEYWORD "iTXtmimeo" /* a chunk's type and what it begins with, and a zero byte */

static uint32_t checksum(const void *bytes, size_t len)
{
    return (uint32_t)crc32(0, bytes, (uInt)len);
}

static bool png_head(const struct editor *editor)
{
    unsigned char head[PNG_HEAD_BYTES];
    return read_at(editor, 0, head, sizeof head) && memcmp(head, PNG_SIGNATURE, 8) == 0 &&
           big_endian(head + 8, 4) == 13 && memcmp(head + 12, "IHDR", 4) == 0 &&
           big_endian(head + 29, 4) == checksum(head + 12, 17);
}

static bool png_type(const unsigned char *type)
{
    for (int i = 0; i < 4; i++) {
        if ((type[i] | 0x20) < 'a' || (type[i] | 0x20) > 'z')
            return false;
    }
    return true;
}

/* Walk to IEND, and drop notes of before. */
static bool png_walk(struct editor *editor)
{
    unsigned char head[8 + 6];
    bool has_data = false;
    int64_t at = PNG_HEAD_BYTES;
    for (int i = 0; i < PARTS_MAX; i++) {
        if (!read_at(editor, at, head, 8) || !png_type(head + 4))
            return false;
        int64_t len = big_endian(head, 4);
        if (len > INT32_MAX || len + 12 > editor->source->size - at)
            return false;
        if (memcmp(head + 4, "IEND", 4) == 0)
            return has_data && len == 0;
        has_data |= memcmp(head + 4, "IDAT", 4) == 0;
        if (memcmp(head + 4, PNG_KEYWORD, 4) == 0 && len > 6 &&
            (!read_at(editor, at, head, sizeof head) ||
             (memcmp(head + 4, PNG_KEYWORD, sizeof PNG_KEYWORD) == 0 &&
              !edit_add(editor, at, len + 12, editor->made.len))))
            return false;
        at += len + 12;
    }
    return false;
}

static bool png_edit(struct editor *editor)
{
    /* keyword, not compressed, by no method, no language, no translated keyword */
    static const char begin[] = PNG_KEYWORD "\0\0\0\0";
    if (!png_head(editor))
        return false;
    struct buf *made = &editor->made;
    append_big_endian(made, (uint32_t)(sizeof begin - 4 + editor->note.len), 4);
    buf_append(made, begin, sizeof begin);
    buf_append_str(made, editor->note);
    if (made->failed)
        return false;
    append_big_endian(made, checksum(made->ptr + 4, made->len - 4), 4);
    return edit_add(editor, PNG_HEAD_BYTES, 0, 0) && png_walk(editor);
}

/* ---- XMP ----------------------------------------------------------------------------------- */

#define XMP_BEGIN                                                                                  \
    "<?xpacket begin=\"\xef\xbb\xbf\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>"                           \
    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">"                                                       \
    "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">"                          \
    "<rdf:Description rdf:about=\"\" xmlns:mimeo=\"urn:mimeo:1.0/\"><mimeo:making>"
#define XMP_END "</mimeo:making></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end=\"r\"?>"
#define XMP_BYTES_MAX (sizeof XMP_BEGIN + sizeof XMP_END + 6 * PICTURE_NOTE_MAX)

/* JSON as XML's text. XML has no U+FFFE and U+FFFF; JSON can say them in ASCII. */
static void xmp_append(struct buf *out, struct str note)
{
    buf_append_str(out, S(XMP_BEGIN));
    for (size_t i = 0; i < note.len; i++) {
        struct str rest = str_skip(note, i);
        if (note.ptr[i] == '&')
            buf_append_str(out, S("&amp;"));
        else if (note.ptr[i] == '<')
            buf_append_str(out, S("&lt;"));
        else if (note.ptr[i] == '>')
            buf_append_str(out, S("&gt;"));
        else if (str_starts(rest, S("\xef\xbf\xbe")) || str_starts(rest, S("\xef\xbf\xbf")))
            buf_append_str(out, note.ptr[i += 2] == '\xbe' ? S("\\ufffe") : S("\\uffff"));
        else
            buf_append_char(out, note.ptr[i]);
    }
    buf_append_str(out, S(XMP_END));
}

/* Is a packet of before one of ours, from its first byte to its last? */
static bool xmp_is_ours(const struct editor *editor, int64_t at, int64_t len)
{
    char begin[sizeof XMP_BEGIN - 1], end[sizeof XMP_END - 1];
    return len >= (int64_t)(sizeof begin + sizeof end) &&
           read_at(editor, at, begin, sizeof begin) &&
           memcmp(begin, XMP_BEGIN, sizeof begin) == 0 &&
           read_at(editor, at + len - (int64_t)sizeof end, end, sizeof end) &&
           memcmp(end, XMP_END, sizeof end) == 0;
}

/* ---- JPEG ---------------------------------------------------------------------------------- */

#define JPEG_XMP "http://ns.adobe.com/xap/1.0/" /* and a zero byte */
#define JPEG_EXIF "Exif"                        /* and two */
#define JPEG_SEGMENT_MAX 65535                  /* with the two bytes of its length */

struct jpeg_walk {
    int64_t at, insert; /* where the note goes */
    bool in_front;      /* nothing but JFIF's and EXIF's segments has come */
    bool has_frame;
    int64_t old_at, old_len; /* the segment of a note of before; 0: none */
};

/* An APP1 segment of `len` bytes behind its marker. */
static bool jpeg_app1(const struct editor *editor, struct jpeg_walk *walk, int64_t len)
{
    char name[sizeof JPEG_XMP] = "";
    size_t shown = len - 2 < (int64_t)sizeof name ? (size_t)(len - 2) : sizeof name;
    if (!read_at(editor, walk->at + 4, name, shown))
        return false;
    if (shown >= sizeof JPEG_EXIF + 1 && memcmp(name, JPEG_EXIF "\0", sizeof JPEG_EXIF + 1) == 0) {
        if (walk->in_front)
            walk->insert = walk->at + 2 + len;
        return true;
    }
    walk->in_front = false;
    if (shown < sizeof name || memcmp(name, JPEG_XMP, sizeof name) != 0)
        return true;
    if (walk->old_len > 0 ||
        !xmp_is_ours(editor, walk->at + 4 + (int64_t)sizeof name, len - 2 - (int64_t)sizeof name))
        return false;
    walk->old_at = walk->at;
    walk->old_len = len + 2;
    return true;
}

/* One segment. *ret_last: the picture's data begin behind it. */
static bool jpeg_segment(const struct editor *editor, struct jpeg_walk *walk, bool *ret_last)
{
    unsigned char head[4];
    if (!read_at(editor, walk->at, head, sizeof head) || head[0] != 0xff)
        return false;
    unsigned char marker = head[1];
    if (marker == 0xff) { /* fills */
        walk->at++;
        return true;
    }
    int64_t len = big_endian(head + 2, 2);
    if (marker < 0xc0 || (marker >= 0xd0 && marker <= 0xd9) || len < 2 ||
        len + 2 > editor->source->size - walk->at)
        return false;
    *ret_last = marker == 0xda;
    walk->has_frame |= marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (marker == 0xe1) {
        if (!jpeg_app1(editor, walk, len))
            return false;
    } else if (marker == 0xe0 && walk->in_front) {
        walk->insert = walk->at + 2 + len;
    } else {
        walk->in_front = false;
    }
    walk->at += 2 + len;
    return true;
}

static bool jpeg_edit(struct editor *editor)
{
    unsigned char start[2];
    struct jpeg_walk walk = { .at = 2, .insert = 2, .in_front = true };
    bool last = false;
    if (!read_at(editor, 0, start, 2) || start[0] != 0xff || start[1] != 0xd8)
        return false;
    for (int i = 0; !last; i++) {
        if (i == PARTS_MAX || !jpeg_segment(editor, &walk, &last))
            return false;
    }
    buf_append_str(&editor->made, S("\xff\xe1\0\0"));
    buf_append(&editor->made, JPEG_XMP, sizeof JPEG_XMP);
    xmp_append(&editor->made, editor->note);
    if (!walk.has_frame || editor->made.failed || editor->made.len - 2 > JPEG_SEGMENT_MAX)
        return false;
    editor->made.ptr[2] = (char)((editor->made.len - 2) >> 8);
    editor->made.ptr[3] = (char)(editor->made.len - 2);
    return edit_add(editor, walk.insert, 0, 0) &&
           (walk.old_len == 0 || edit_add(editor, walk.old_at, walk.old_len, editor->made.len));
}

/* ---- WebP ---------------------------------------------------------------------------------- */

#define WEBP_HEAD_BYTES 12
#define WEBP_EXTENDED_BYTES 10
#define WEBP_FLAG_XMP 0x04
#define WEBP_FLAG_ALPHA 0x10

struct webp_chunk {
    unsigned char type[4];
    int64_t at, len, whole; /* whole: with its header and filling */
};

static bool webp_chunk_read(const struct editor *editor, int64_t at, int64_t end,
                            struct webp_chunk *ret_chunk)
{
    unsigned char head[8];
    if (end - at < 8 || !read_at(editor, at, head, sizeof head))
        return false;
    memcpy(ret_chunk->type, head, 4);
    ret_chunk->at = at;
    ret_chunk->len = little_endian(head + 4, 4);
    ret_chunk->whole = 8 + ret_chunk->len + (ret_chunk->len & 1);
    return ret_chunk->whole <= end - at;
}

static bool webp_is(const struct webp_chunk *chunk, const char *type)
{
    return memcmp(chunk->type, type, 4) == 0;
}

/* The size of a simple file's picture, and its flags in an extended file. */
static bool webp_simple(const struct editor *editor, const struct webp_chunk *chunk,
                        uint32_t *ret_width, uint32_t *ret_height, unsigned char *ret_flags)
{
    unsigned char head[10];
    bool lossless = webp_is(chunk, "VP8L");
    size_t need = lossless ? 5 : 10;
    if ((!lossless && !webp_is(chunk, "VP8 ")) || chunk->len < (int64_t)need ||
        !read_at(editor, chunk->at + 8, head, need))
        return false;
    *ret_flags = 0;
    if (lossless) {
        uint32_t bits = little_endian(head + 1, 4);
        *ret_width = (bits & 0x3fff) + 1;
        *ret_height = (bits >> 14 & 0x3fff) + 1;
        *ret_flags = bits >> 28 & 1 ? WEBP_FLAG_ALPHA : 0;
        return head[0] == 0x2f && bits >> 29 == 0;
    }
    *ret_width = little_endian(head + 6, 2) & 0x3fff;
    *ret_height = little_endian(head + 8, 2) & 0x3fff;
    return (head[0] & 1) == 0 && memcmp(head + 3, "\x9d\x01\x2a", 3) == 0 && *ret_width > 0 &&
           *ret_height > 0;
}

/* Say in the head that there is XMP: an extended file has a place for it, a simple one gets it. */
static bool webp_head(struct editor *editor, const struct webp_chunk *first)
{
    uint32_t width, height;
    unsigned char flags;
    struct buf *made = &editor->made;
    size_t made_at = made->len;
    if (webp_is(first, "VP8X")) {
        if (first->len != WEBP_EXTENDED_BYTES || !read_at(editor, first->at + 8, &flags, 1))
            return false;
        buf_append_char(made, (char)(flags | WEBP_FLAG_XMP));
        return edit_add(editor, first->at + 8, 1, made_at);
    }
    if (!webp_simple(editor, first, &width, &height, &flags))
        return false;
    buf_append_str(made, S("VP8X"));
    append_little_endian(made, WEBP_EXTENDED_BYTES, 4);
    append_little_endian(made, flags | WEBP_FLAG_XMP, 4);
    append_little_endian(made, width - 1, 3);
    append_little_endian(made, height - 1, 3);
    return edit_add(editor, first->at, 0, made_at);
}

/* Walk to the end, and drop notes of before. */
static bool webp_walk(struct editor *editor, int64_t end)
{
    struct webp_chunk chunk;
    bool has_data = false;
    int64_t at = WEBP_HEAD_BYTES;
    for (int i = 0; at < end; i++) {
        if (i == PARTS_MAX || !webp_chunk_read(editor, at, end, &chunk))
            return false;
        if (i == 0 && !webp_head(editor, &chunk))
            return false;
        has_data |= webp_is(&chunk, "VP8 ") || webp_is(&chunk, "VP8L") || webp_is(&chunk, "ANMF");
        if (webp_is(&chunk, "XMP ") && (!xmp_is_ours(editor, at + 8, chunk.len) ||
                                        !edit_add(editor, at, chunk.whole, editor->made.len)))
            return false;
        at += chunk.whole;
    }
    return has_data;
}

/* What the edits add to the size. */
static int64_t growth(const struct editor *editor)
{
    int64_t bytes = 0;
    for (int i = 0; i < editor->count; i++)
        bytes += (int64_t)editor->edits[i].made_len - editor->edits[i].drop;
    return bytes;
}

static bool webp_edit(struct editor *editor)
{
    unsigned char head[WEBP_HEAD_BYTES];
    struct buf *made = &editor->made;
    if (!read_at(editor, 0, head, sizeof head) || memcmp(head, "RIFF", 4) != 0 ||
        memcmp(head + 8, "WEBP", 4) != 0)
        return false;
    int64_t riff = little_endian(head + 4, 4), end = riff + 8;
    buf_append_str(made, S("SIZE")); /* filled in when it is known */
    if (riff % 2 != 0 || end > editor->source->size || !edit_add(editor, 4, 4, 0) ||
        !webp_walk(editor, end))
        return false;
    size_t made_at = made->len;
    buf_append_str(made, S("XMP SIZE"));
    xmp_append(made, editor->note);
    size_t len = made->len - made_at - 8;
    if (len % 2 != 0)
        buf_append_char(made, '\0');
    if (made->failed || !edit_add(editor, end, 0, made_at))
        return false;
    int64_t grown = riff + growth(editor);
    if (grown > UINT32_MAX - 1)
        return false;
    for (int i = 0; i < 4; i++) {
        made->ptr[i] = (char)(grown >> (8 * i));
        made->ptr[made_at + 4 + (size_t)i] = (char)(len >> (8 * i));
    }
    return true;
}

/* ---- The plan ------------------------------------------------------------------------------ */

static void piece_add(struct picture_plan *plan, bool made, int64_t at, int64_t len)
{
    if (len > 0)
        plan->pieces[plan->piece_count++] = (struct picture_piece){ made, at, len };
}

static void plan_fill(const struct editor *editor, struct picture_plan *plan)
{
    int64_t at = 0;
    for (int i = 0; i < editor->count; i++) {
        const struct edit *edit = &editor->edits[i];
        piece_add(plan, false, at, edit->at - at);
        piece_add(plan, true, (int64_t)edit->made_at, (int64_t)edit->made_len);
        at = edit->at + edit->drop;
    }
    piece_add(plan, false, at, editor->source->size - at);
    plan->made = editor->made;
}

_Static_assert(2 * EDITS_MAX + 1 <= PICTURE_PIECES_MAX, "each edit has a piece before it");

bool picture_note_plan(const struct picture_source *source, const char *content_type,
                       struct str note, struct picture_plan *ret_plan)
{
    struct str type = str_from(content_type);
    struct editor editor = { .source = source, .note = note };
    bool ok = false;
    if (note.len > PICTURE_NOTE_MAX || !str_is_utf8(note))
        return false;
    buf_init(&editor.made, XMP_BYTES_MAX + 256);
    if (str_equal(type, S("image/png")))
        ok = png_edit(&editor);
    else if (str_equal(type, S("image/jpeg")))
        ok = jpeg_edit(&editor);
    else if (str_equal(type, S("image/webp")))
        ok = webp_edit(&editor);
    if (!ok || editor.made.failed) {
        buf_done(&editor.made);
        return false;
    }
    *ret_plan = (struct picture_plan){ .piece_count = 0 };
    plan_fill(&editor, ret_plan);
    return true;
}

void picture_plan_done(struct picture_plan *plan)
{
    buf_done(&plan->made);
}
