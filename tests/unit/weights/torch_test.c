/* torch's checkpoints by hand: what torch would never write. (What it does write is compared in
 * tests/golden/torch_test.c.) Both forms are wrapped here around the same pickles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "weights/weights.h"

/* Pieces of pickles. */
#define TEXT1(c) "X\1\0\0\0" c
#define STORAGE(class, key, count)                                                                 \
    "(X\7\0\0\0storage"                                                                            \
    "ctorch\n" class "\n" TEXT1(key) "X\3\0\0\0cpuK" count "tQ"
#define TENSOR_OF(storage, offset, sizes, strides)                                                 \
    "ctorch._utils\n_rebuild_tensor_v2\n(" storage "K" offset sizes strides "\x89}tR"
#define FOUR STORAGE("FloatStorage", "0", "\4")
#define TENSOR(offset, sizes, strides) TENSOR_OF(FOUR, offset, sizes, strides)
#define DICT(what) "\x80\2}" TEXT1("a") what "s."
#define MAGIC "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
#define PROTOCOL "\x80\2M\xe9\3."
#define KEYS "]" TEXT1("0") "a."
#define GOOD DICT(TENSOR("\1", "K\3\x85", "K\1\x85")) /* the last three of four numbers */

static const float numbers[4] = { 1.5f, 2.5f, 3.5f, 4.5f };

/* The form before torch 1.6, with the storage "0" of four numbers behind it. */
static void old_make(struct buf *file, struct str head, struct str machine, struct str object,
                     struct str keys)
{
    int64_t count = 4;
    buf_init(file, 64 << 20);
    buf_append(file, head.ptr, head.len);
    buf_append(file, machine.ptr, machine.len);
    buf_append(file, object.ptr, object.len);
    buf_append(file, keys.ptr, keys.len);
    buf_append(file, &count, sizeof count);
    buf_append(file, numbers, sizeof numbers);
}

/* The weights of a copy, which close_copy frees. */
static bool try_open(struct str file, struct weights **ret_weights, struct err *err)
{
    char *copy = malloc(file.len + 1); /* of its own, so that a sanitizer sees its end */
    assert_non_null(copy);
    memcpy(copy, file.ptr, file.len);
    bool ok = weights_open_memory(copy, file.len, ret_weights, err);
    if (!ok)
        free(copy); /* else it goes with the weights: close_copy */
    return ok;
}

static void close_copy(struct weights *weights, const void *copy)
{
    weights_close(weights);
    free((void *)(uintptr_t)copy);
}

static void refused_file(struct buf *file, const char *words)
{
    struct weights *weights = NULL;
    struct err err = { 0 };
    if (try_open(buf_str(file), &weights, &err))
        fail_msg("opened, where \"%s\" was expected", words);
    assert_int_equal(err.kind, ERR_INVALID);
    if (!strstr(err.detail, words))
        fail_msg("\"%s\" does not say \"%s\"", err.detail, words);
    buf_done(file);
}

static void refused_object(struct str object, const char *words)
{
    struct buf file;
    old_make(&file, S(MAGIC PROTOCOL), S("}."), object, S(KEYS));
    refused_file(&file, words);
}

/* The same for an object that names no storage. */
static void refused_bare(struct str object, const char *words)
{
    struct buf file;
    old_make(&file, S(MAGIC PROTOCOL), S("}."), object, S("]."));
    refused_file(&file, words);
}

static void assert_numbers(const struct weight *weight, size_t count, const float *expected)
{
    float values[16];
    struct err err = { 0 };
    assert_non_null(weight);
    assert_int_equal(weight->count, count);
    assert_true(weight_to_f32(weight, values, &err));
    for (size_t i = 0; i < count; i++)
        assert_true(values[i] == expected[i]);
}

static void opened_object(struct str object, size_t tensors, const char *name, size_t count,
                          const float *expected)
{
    struct weights *weights = NULL;
    struct err err = { 0 };
    struct buf file;
    old_make(&file, S(MAGIC PROTOCOL), S("}."), object, S(KEYS));
    if (!weights_open_memory(file.ptr, file.len, &weights, &err))
        fail_msg("%s%s", err.detail, err.cause);
    assert_int_equal(weights_format(weights), WEIGHTS_TORCH);
    assert_int_equal(weights_count(weights), tensors);
    if (name)
        assert_numbers(weights_find(weights, name), count, expected);
    weights_close(weights);
    buf_done(&file);
}

static void views_are_read_and_turned(void **state)
{
    (void)state;
    static const float turned[] = { 1.5f, 3.5f, 2.5f, 4.5f }, twice[] = { 4.5f, 4.5f };
    opened_object(S(GOOD), 1, "a", 3, numbers + 1);
    opened_object(S(DICT(TENSOR("\0", "K\2K\2\x86", "K\1K\2\x86"))), 1, "a", 4, turned);
    opened_object(S(DICT(TENSOR("\3", "K\2\x85", "K\0\x85"))), 1, "a", 2, twice);
    opened_object(S(DICT(TENSOR("\3", ")", ")"))), 1, "a", 1, numbers + 3);
    opened_object(S(DICT(TENSOR("\0", "K\0K\7\x86", "K\7K\1\x86"))), 1, "a", 0, numbers);
    /* Python 2's way to an OrderedDict: a list of pairs as the argument of a call. */
    opened_object(S("\x80\2ccollections\nOrderedDict\n(]]" TEXT1("b") "a" TENSOR(
                      "\1", "K\1\x85", "K\1\x85") "aatR."),
                  1, "b", 1, numbers + 1);
}

/* What is put into the dictionary beside the tensor is seen and left alone; in particular, nothing
 * is called. */
static void other_values_are_passed_over(void **state)
{
    (void)state;
#define BESIDE(what)                                                                               \
    S("\x80\2}" TEXT1("a") TENSOR("\1", "K\3\x85", "K\1\x85") "s" TEXT1("b") what "s.")
    opened_object(BESIDE("cos\nsystem\nX\7\0\0\0exit 99\x85R"), 1, "a", 3, numbers + 1);
    opened_object(BESIDE("cunknown\nClass\n)\x81}" TEXT1("x") "K\1sb"), 1, "a", 3, numbers + 1);
    opened_object(BESIDE("G\0\0\0\0\0\0\0\0"), 1, "a", 3, numbers + 1);
    opened_object(BESIDE("\x8a\x0c\1\2\3\4\5\6\7\0\1\2\3\4"), 1, "a", 3, numbers + 1);
    opened_object(BESIDE("(](NetN0"), 1, "a", 3, numbers + 1);
    opened_object(BESIDE("(K\1K\2l"), 1, "a", 3, numbers + 1);
    opened_object(BESIDE("(K\1K\2d"), 1, "a", 3, numbers + 1);
    opened_object(BESIDE("(K\1\x91"), 1, "a", 3, numbers + 1);
    opened_object(BESIDE("K\3(NN12\x86"), 1, "a", 3, numbers + 1);
    opened_object(BESIDE("\x8f(K\1K\2\x90"), 1, "a", 3, numbers + 1);
    opened_object(BESIDE("}(NK\1\x88K\2u"), 1, "a", 3, numbers + 1);
#undef BESIDE
}

static void broken_pickles_are_refused(void **state)
{
    (void)state;
    refused_object(S("\x80\2P0\n."), "operation 0x50");
    refused_object(S("\x80\6N."), "protocol");
    refused_object(S("\x80\2h\7."), "broken");
    refused_object(S("\x80\2R."), "broken");
    refused_object(S("\x80\2NR."), "broken");
    refused_object(S("\x80\2NNR."), "broken");
    refused_object(S("\x80\2t."), "broken");
    refused_object(S("\x80\2NN."), "broken");
    refused_object(S("\x80\2(N."), "broken");
    refused_object(S("\x80\2."), "broken");
    refused_object(S("\x80\2N(0."), "broken"); /* a mark is no value */
    refused_object(S("\x80\2NNs."), "broken");
    refused_object(S("\x80\2NN\x93."), "broken");
    refused_object(S("\x80\2}(Nu."), "broken"); /* half an entry */
    refused_object(S("\x80\2(Nd."), "broken");
    refused_object(S("\x80\2Na."), "broken");
    refused_object(S("\x80\2Nr\xff\xff\xff\x7f."), "broken");
    refused_object(S("\x80\2X\xff\xff\xff\xff."), "broken");
    refused_object(S("\x80\2\x8d\xff\xff\xff\xff\xff\xff\xff\xff."), "broken");
}

static void repeat(struct buf *file, struct str piece, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_append(file, piece.ptr, piece.len);
}

static void hostile_pickles_meet_limits(void **state)
{
    (void)state;
    struct buf object;
    buf_init(&object, 64 << 20);
    repeat(&object, S("("), 257);
    refused_bare(buf_str(&object), "nested too deep");
    buf_done(&object);

    buf_init(&object, 64 << 20);
    repeat(&object, S("N"), 65537);
    refused_object(buf_str(&object), "too many values");
    buf_done(&object);

    buf_init(&object, 64 << 20);
    repeat(&object, S("N0"), ((size_t)1 << 21) + 1);
    refused_object(buf_str(&object), "more than 2097152 values");
    buf_done(&object);

    /* A dictionary in itself, and one that doubles at each of many levels. */
    refused_bare(S("\x80\2}q\0" TEXT1("a") "h\0s."), "nested too deep");
    buf_init(&object, 64 << 20);
    repeat(&object, S("}q\0"), 1);
    for (int level = 0; level < 14; level++) {
        repeat(&object, S("0}("), 1);
        for (char key = 'a'; key < 'i'; key++) {
            buf_append(&object, "X\1\0\0\0", 5);
            buf_append_char(&object, key);
            buf_append(&object, "h\0", 2);
        }
        repeat(&object, S("uq\0"), 1);
    }
    buf_append_char(&object, '.');
    refused_bare(buf_str(&object), "too many entries");
    buf_done(&object);
}

/* A dictionary under a name of `len` bytes, with a tensor in it under a name of one. */
static void long_make(struct buf *object, uint32_t len)
{
    buf_init(object, 64 << 20);
    repeat(object, S("\x80\2}X"), 1);
    buf_append(object, &len, sizeof len);
    repeat(object, S("n"), len);
    repeat(object, S("}" TEXT1("a") TENSOR("\0", ")", ")") "ss."), 1);
}

static void names_have_an_end(void **state)
{
    (void)state;
    struct buf object;
    long_make(&object, 510); /* "nnn.a" of 512 bytes */
    opened_object(buf_str(&object), 1, NULL, 0, NULL);
    buf_done(&object);
    for (uint32_t len = 511; len < 515; len++) {
        long_make(&object, len);
        refused_object(buf_str(&object), "unusable name");
        buf_done(&object);
    }
}

static void impossible_tensors_are_refused(void **state)
{
    (void)state;
    refused_object(S(DICT(TENSOR("\2", "K\3\x85", "K\1\x85"))), "beyond the end");
    refused_object(S(DICT(TENSOR("\4", ")", ")"))), "beyond the end");
    refused_object(S(DICT(TENSOR("\0", "K\2\x85", "K\4\x85"))), "beyond the end");
    refused_object(S(DICT(TENSOR("\0", "K\2K\2\x86", "K\2\x85"))), "usable shape");
    refused_object(S(DICT(TENSOR("\0", "J\xff\xff\xff\xff\x85", "K\1\x85"))), "usable shape");
    refused_object(S(DICT(TENSOR("\0", "K\2\x85", "J\xff\xff\xff\xff\x85"))), "usable shape");
    refused_object(
        S(DICT(TENSOR("\0", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t"))),
        "usable shape");
    refused_object(S(DICT(TENSOR("\0", "NK\1\x86", "K\1K\1\x86"))), "usable shape");
    /* Strides whose product does not fit in 64 bits. */
    refused_object(S(DICT(TENSOR("\0", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\2\x86",
                                 "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\1\x86"))),
                   "beyond the end");
    /* A little storage that would become a terabyte. */
    refused_object(S(DICT(TENSOR("\0", "\x8a\x06\0\0\0\0\0\1\x85", "K\0\x85"))), "larger than");
    /* A shape of nothing that is too large all the same. */
    refused_object(S(DICT(TENSOR("\0",
                                 "K\0\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"
                                 "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x87",
                                 "K\1K\1K\1\x87"))),
                   "impossible shape");
    refused_bare(S(DICT(TENSOR_OF("N", "\0", ")", ")"))), "kind that is not supported");
    refused_bare(S(DICT("ctorch._utils\n_rebuild_tensor_v2\n)R")), "usable shape");
    refused_bare(S(DICT(TENSOR_OF(STORAGE("StrangeStorage", "0", "\4"), "\0", ")", ")"))),
                 "kind that is not supported");
    refused_object(S("\x80\2}X\2\0\0\0\xff\xfe" TENSOR("\0", ")", ")") "s."), "unusable name");
    refused_object(S("\x80\2}X\0\0\0\0" TENSOR("\0", ")", ")") "s."), "unusable name");
    refused_object(
        S("\x80\2}" TEXT1("a") TENSOR("\0", ")", ")") "s" TEXT1("a") TENSOR("\0", ")", ")") "s."),
        "two tensors named");
    refused_bare(S("\x80\2cos\nsystem\n" TEXT1("x") "\x85R."), "whole object");
    refused_bare(S("\x80\2]."), "whole object");
}

static void storages_must_be_as_described(void **state)
{
    (void)state;
    struct buf file;
#define TWO(class, key, count)                                                                     \
    "\x80\2}" TEXT1("a") TENSOR("\0", ")", ")") "s" TEXT1("b")                                     \
        TENSOR_OF(STORAGE(class, key, count), "\0", ")", ")") "s."
    refused_object(S(TWO("FloatStorage", "0", "\5")), "in two ways");
    refused_object(S(TWO("HalfStorage", "0", "\4")), "in two ways");
    refused_object(S(TWO("FloatStorage", "1", "\4")), "lacks the numbers");
#undef TWO
    refused_object(S(DICT(TENSOR_OF(STORAGE("FloatStorage", "0", "\5"), "\0", ")", ")"))),
                   "another size");
    refused_object(S(DICT(TENSOR_OF(STORAGE("DoubleStorage", "0", "\4"), "\0", ")", ")"))),
                   "another size");
    refused_object(S("\x80\2}."), "no known tensor uses");
    old_make(&file, S(MAGIC PROTOCOL), S("}."), S(GOOD), S("]" TEXT1("0") "a" TEXT1("0") "a."));
    refused_file(&file, "no known tensor uses");
    old_make(&file, S(MAGIC PROTOCOL), S("}."), S(GOOD), S("]."));
    refused_file(&file, "lacks the numbers");
    old_make(&file, S(MAGIC PROTOCOL), S("}."), S(GOOD), S("N."));
    refused_file(&file, "no list of storages");
    old_make(&file, S(MAGIC "\x80\2M\xea\3."), S("}."), S(GOOD), S(KEYS));
    refused_file(&file, "unknown version");
    old_make(&file, S(MAGIC PROTOCOL), S("}X\x0d\0\0\0little_endian\x89s."), S(GOOD), S(KEYS));
    refused_file(&file, "big-endian");
}

static void every_cut_of_an_old_file_is_an_error(void **state)
{
    (void)state;
    struct buf file;
    old_make(&file, S(MAGIC PROTOCOL), S("}."), S(GOOD), S(KEYS));
    for (size_t len = 0; len < file.len; len++) {
        struct weights *weights = NULL;
        struct err err = { 0 };
        assert_false(try_open((struct str){ file.ptr, len }, &weights, &err));
        assert_int_equal(err.kind, ERR_INVALID);
    }
    buf_done(&file);
}

/* ---- zip ---- */

struct zip_member {
    const char *name;
    struct str data;
    int method;
};

struct zip_options {
    bool zip64;          /* the directory's numbers in ZIP64's records only */
    const char *comment; /* behind the end; NULL: none */
    uint32_t padding;    /* bytes of extra field before each member's data */
};

static void number(struct buf *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        buf_append_char(out, (char)(i < sizeof value ? value >> 8 * i : 0));
}

static void zip_local(struct buf *file, const struct zip_member *member, uint32_t padding)
{
    number(file, 0x04034b50, 4);
    number(file, 20, 2);
    number(file, 0x0808, 2); /* sizes follow the data, as torch says */
    number(file, (uint64_t)member->method, 2);
    number(file, 0, 4);
    number(file, 0, 4 + 4 + 4);
    number(file, strlen(member->name), 2);
    number(file, padding, 2);
    buf_append(file, member->name, strlen(member->name));
    for (uint32_t i = 0; i < padding; i++)
        buf_append_char(file, 'Z');
    buf_append(file, member->data.ptr, member->data.len);
}

static void zip_central(struct buf *file, const struct zip_member *member, uint64_t header,
                        bool zip64)
{
    uint64_t size = member->data.len;
    number(file, 0x02014b50, 4);
    number(file, 20, 2);
    number(file, 20, 2);
    number(file, 0x0808, 2);
    number(file, (uint64_t)member->method, 2);
    number(file, 0, 4);
    number(file, 0, 4);
    number(file, zip64 ? UINT32_MAX : size, 4);
    number(file, zip64 ? UINT32_MAX : size, 4);
    number(file, strlen(member->name), 2);
    number(file, zip64 ? 4 + 3 + 4 + 24 : 0, 2);
    number(file, 0, 2 + 2 + 2 + 4);
    number(file, zip64 ? UINT32_MAX : header, 4);
    buf_append(file, member->name, strlen(member->name));
    if (!zip64)
        return;
    number(file, 0x9999, 2); /* a field of another kind */
    number(file, 3, 2);
    number(file, 0, 3);
    number(file, 1, 2);
    number(file, 24, 2);
    number(file, size, 8);
    number(file, size, 8);
    number(file, header, 8);
}

static void zip_end(struct buf *file, size_t count, uint64_t directory, const struct zip_options *o)
{
    uint64_t end = file->len, bytes = end - directory;
    if (o->zip64) {
        number(file, 0x06064b50, 4);
        number(file, 44, 8);
        number(file, 45, 2);
        number(file, 45, 2);
        number(file, 0, 4 + 4);
        number(file, count, 8);
        number(file, count, 8);
        number(file, bytes, 8);
        number(file, directory, 8);
        number(file, 0x07064b50, 4);
        number(file, 0, 4);
        number(file, end, 8);
        number(file, 1, 4);
    }
    number(file, 0x06054b50, 4);
    number(file, 0, 2 + 2);
    number(file, o->zip64 ? UINT16_MAX : count, 2);
    number(file, o->zip64 ? UINT16_MAX : count, 2);
    number(file, o->zip64 ? UINT32_MAX : bytes, 4);
    number(file, o->zip64 ? UINT32_MAX : directory, 4);
    number(file, o->comment ? strlen(o->comment) : 0, 2);
    if (o->comment)
        buf_append(file, o->comment, strlen(o->comment));
}

static void zip_make(struct buf *file, const struct zip_member *members, size_t count,
                     const struct zip_options *options)
{
    uint64_t headers[8];
    buf_init(file, 1 << 20);
    assert_true(count <= 8);
    for (size_t i = 0; i < count; i++) {
        headers[i] = file->len;
        zip_local(file, &members[i], options->padding);
    }
    uint64_t directory = file->len;
    for (size_t i = 0; i < count; i++)
        zip_central(file, &members[i], headers[i], options->zip64);
    zip_end(file, count, directory, options);
}

#define NUMBERS ((struct str){ (const char *)numbers, sizeof numbers })

static void zips_of_every_make_are_read(void **state)
{
    (void)state;
    static const struct zip_options options[] = {
        { 0 },
        { .padding = 37 },
        { .comment = "PK\5\6 is how an end begins, but not this one's" },
        { .zip64 = true, .comment = "x", .padding = 1 },
    };
    static const char *const prefixes[] = { "archive/", "a/b/", "" };
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        for (size_t p = 0; p < ARRAY_LEN(prefixes); p++) {
            char pickle[32], data[32], order[32];
            struct weights *weights = NULL;
            struct err err = { 0 };
            struct buf file;
            snprintf(pickle, sizeof pickle, "%sdata.pkl", prefixes[p]);
            snprintf(data, sizeof data, "%sdata/0", prefixes[p]);
            snprintf(order, sizeof order, "%sbyteorder", prefixes[p]);
            const struct zip_member members[] = {
                { .name = "version", .data = S("3\n"), .method = 8 }, /* not looked at */
                { .name = pickle, .data = S(GOOD) },
                { .name = order, .data = S("little") },
                { .name = data, .data = NUMBERS },
            };
            zip_make(&file, members, ARRAY_LEN(members), &options[i]);
            if (!try_open(buf_str(&file), &weights, &err))
                fail_msg("%s%s", err.detail, err.cause);
            assert_int_equal(weights_format(weights), WEIGHTS_TORCH);
            const struct weight *weight = weights_find(weights, "a");
            assert_numbers(weight, 3, numbers + 1);
            /* In place: the copy's start is found from the data's place in the file. */
            const char *place = memmem(file.ptr, file.len, numbers + 1, 3 * sizeof *numbers);
            close_copy(weights, (const char *)weight->data - (place - file.ptr));
            buf_done(&file);
        }
}

static void refused_zip(const struct zip_member *members, size_t count, const char *words)
{
    struct buf file;
    zip_make(&file, members, count, &(struct zip_options){ 0 });
    refused_file(&file, words);
}

static void broken_zips_are_refused(void **state)
{
    (void)state;
    const struct zip_member pickle = { .name = "x/data.pkl", .data = S(GOOD) };
    const struct zip_member data = { .name = "x/data/0", .data = NUMBERS };
    refused_zip((struct zip_member[]){ data }, 1, "no torch checkpoint");
    refused_zip((struct zip_member[]){ { .name = "xdata.pkl", .data = S(GOOD) } }, 1,
                "no torch checkpoint");
    refused_zip((struct zip_member[]){ pickle }, 1, "lacks the numbers");
    refused_zip(
        (struct zip_member[]){ pickle, { .name = "x/data/0", .data = S("123456789012345") } }, 2,
        "fewer numbers");
    refused_zip(
        (struct zip_member[]){ { .name = "x/data.pkl", .data = S(GOOD), .method = 8 }, data }, 2,
        "\"x/data.pkl\" is compressed");
    refused_zip(
        (struct zip_member[]){ pickle, { .name = "x/data/0", .data = NUMBERS, .method = 8 } }, 2,
        "\"x/data/0\" is compressed");
    refused_zip((struct zip_member[]){ pickle, data, { .name = "x/byteorder", .data = S("big") } },
                3, "big-endian");
    refused_zip(
        (struct zip_member[]){ pickle, data, { .name = "x/constants.pkl", .data = S("N.") } }, 3,
        "TorchScript");
}

/* Every cut, and every byte of the zip's own records turned over: an error or a whole file. */
static void damaged_zips_are_errors(void **state)
{
    (void)state;
    const struct zip_member members[] = {
        { .name = "x/data.pkl", .data = S(GOOD) },
        { .name = "x/data/0", .data = NUMBERS },
    };
    for (int zip64 = 0; zip64 < 2; zip64++) {
        struct buf file;
        size_t opened = 0;
        zip_make(&file, members, 2, &(struct zip_options){ .zip64 = zip64 });
        for (size_t len = 0; len < file.len; len++) {
            struct weights *weights = NULL;
            struct err err = { 0 };
            assert_false(try_open((struct str){ file.ptr, len }, &weights, &err));
            assert_int_equal(err.kind, ERR_INVALID);
        }
        for (size_t i = 0; i < file.len; i++) {
            struct weights *weights = NULL;
            struct err err = { 0 };
            file.ptr[i] = (char)~file.ptr[i];
            if (weights_open_memory(file.ptr, file.len, &weights, &err)) {
                opened++; /* a byte that nobody reads, or one of a number */
                weights_close(weights);
            } else {
                assert_int_equal(err.kind, ERR_INVALID);
            }
            file.ptr[i] = (char)~file.ptr[i];
        }
        assert_true(opened > 0 && opened < file.len / 2);
        buf_done(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_are_read_and_turned),
        cmocka_unit_test(other_values_are_passed_over),
        cmocka_unit_test(broken_pickles_are_refused),
        cmocka_unit_test(hostile_pickles_meet_limits),
        cmocka_unit_test(names_have_an_end),
        cmocka_unit_test(impossible_tensors_are_refused),
        cmocka_unit_test(storages_must_be_as_described),
        cmocka_unit_test(every_cut_of_an_old_file_is_an_error),
        cmocka_unit_test(zips_of_every_make_are_read),
        cmocka_unit_test(broken_zips_are_refused),
        cmocka_unit_test(damaged_zips_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
