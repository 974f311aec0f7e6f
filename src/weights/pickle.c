#include "weights/pickle.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* Values made by one pickle. A tensor takes about 22, so this is enough for WEIGHTS_COUNT_MAX of
 * them, and costs a hostile file's reader 100 MB. */
#define PICKLE_VALUES_MAX ((size_t)1 << 21)

/* Values waiting on the stack. Python's pickler sends containers in runs of 1,000. */
#define PICKLE_STACK_MAX ((size_t)1 << 16)

/* Containers open at once. Real ones nest below 20. */
#define PICKLE_MARKS_MAX 256

#define PICKLE_PROTOCOL_MAX 5

struct pickle_machine {
    struct str rest;
    struct arena *arena;
    struct err *err;
    struct pickle_value **stack; /* PICKLE_STACK_MAX */
    size_t height;
    size_t marks[PICKLE_MARKS_MAX]; /* heights */
    size_t marks_count;
    struct pickle_value **memo;
    size_t memo_capacity, memo_count;
    size_t values;
    const struct pickle_value **persistent;
    size_t persistent_count, persistent_capacity;
};

static bool broken(struct pickle_machine *machine)
{
    return err_set(machine->err, ERR_INVALID, "The pickle is broken or cut short.");
}

static bool no_memory(struct pickle_machine *machine)
{
    return err_set(machine->err, ERR_NO_MEMORY, "There is no memory for the pickle's values.");
}

static bool take(struct pickle_machine *machine, uint64_t len, struct str *ret_bytes)
{
    if (len > machine->rest.len)
        return broken(machine);
    *ret_bytes = (struct str){ machine->rest.ptr, (size_t)len };
    machine->rest = str_skip(machine->rest, (size_t)len);
    return true;
}

static bool take_number(struct pickle_machine *machine, size_t len, uint64_t *ret_number)
{
    struct str bytes = { NULL, 0 };
    uint64_t number = 0;
    if (!take(machine, len, &bytes))
        return false;
    memcpy(&number, bytes.ptr, len);
    *ret_number = number;
    return true;
}

/* Bytes behind a length of `length_bytes` bytes. */
static bool take_counted(struct pickle_machine *machine, size_t length_bytes, struct str *ret_bytes)
{
    uint64_t len = 0;
    return take_number(machine, length_bytes, &len) && take(machine, len, ret_bytes);
}

/* Up to a newline. */
static bool take_line(struct pickle_machine *machine, struct str *ret_line)
{
    struct str line, tail;
    if (!str_cut(machine->rest, '\n', &line, &tail))
        return broken(machine);
    machine->rest = tail;
    *ret_line = line;
    return true;
}

/* The stack. */

static size_t stack_floor(const struct pickle_machine *machine)
{
    return machine->marks_count ? machine->marks[machine->marks_count - 1] : 0;
}

static bool push(struct pickle_machine *machine, struct pickle_value *value)
{
    if (machine->height == PICKLE_STACK_MAX)
        return err_set(machine->err, ERR_INVALID, "The pickle piles up too many values.");
    machine->stack[machine->height++] = value;
    return true;
}

/* NULL when there is nothing above the last mark. */
static struct pickle_value *pop(struct pickle_machine *machine)
{
    return machine->height > stack_floor(machine) ? machine->stack[--machine->height] : NULL;
}

static struct pickle_value *top(struct pickle_machine *machine)
{
    return machine->height > stack_floor(machine) ? machine->stack[machine->height - 1] : NULL;
}

/* A new value on the stack; NULL, and the error set, when it cannot be. */
static struct pickle_value *push_new(struct pickle_machine *machine, enum pickle_kind kind)
{
    if (machine->values++ == PICKLE_VALUES_MAX) {
        err_set(machine->err, ERR_INVALID, "The pickle has more than %zu values.",
                PICKLE_VALUES_MAX);
        return NULL;
    }
    struct pickle_value *value = arena_alloc(machine->arena, sizeof *value);
    if (!value) {
        no_memory(machine);
        return NULL;
    }
    value->kind = kind;
    return push(machine, value) ? value : NULL;
}

static bool items_add(struct pickle_machine *machine, struct pickle_value *value,
                      struct pickle_value *const *items, size_t count)
{
    size_t needed = value->count + count, capacity = value->capacity;
    if (needed > UINT32_MAX / 2)
        return broken(machine);
    if (needed > capacity) {
        capacity = needed > 2 * capacity ? needed : 2 * capacity;
        const struct pickle_value **grown = arena_alloc(machine->arena, capacity * sizeof *grown);
        if (!grown)
            return no_memory(machine);
        if (value->count)
            memcpy(grown, value->items, value->count * sizeof *grown);
        value->items = grown;
        value->capacity = (uint32_t)capacity;
    }
    if (count)
        memcpy(value->items + value->count, items, count * sizeof *items);
    value->count = (uint32_t)needed;
    return true;
}

/* The values above the last mark, which goes; they stay in the stack's memory until the next push.
 */
static bool pop_mark(struct pickle_machine *machine, struct pickle_value *const **ret_items,
                     size_t *ret_count)
{
    if (machine->marks_count == 0)
        return broken(machine);
    size_t from = machine->marks[--machine->marks_count];
    *ret_items = machine->stack + from;
    *ret_count = machine->height - from;
    machine->height = from;
    return true;
}

/* The operations. `argument` is what the table below says. */

static bool op_protocol(struct pickle_machine *machine, int argument)
{
    uint64_t version = 0;
    if (!take_number(machine, (size_t)argument, &version))
        return false;
    return version <= PICKLE_PROTOCOL_MAX ||
           err_set(machine->err, ERR_INVALID, "The pickle's protocol is not supported.");
}

static bool op_frame(struct pickle_machine *machine, int argument)
{
    uint64_t len = 0; /* a hint for readers of streams */
    return take_number(machine, (size_t)argument, &len);
}

static bool op_mark(struct pickle_machine *machine, int argument)
{
    (void)argument;
    if (machine->marks_count == PICKLE_MARKS_MAX)
        return err_set(machine->err, ERR_INVALID, "The pickle is nested too deep.");
    machine->marks[machine->marks_count++] = machine->height;
    return true;
}

static bool op_pop(struct pickle_machine *machine, int argument)
{
    (void)argument;
    return pop(machine) || broken(machine);
}

static bool op_pop_mark(struct pickle_machine *machine, int argument)
{
    struct pickle_value *const *items = NULL;
    size_t count = 0;
    (void)argument;
    return pop_mark(machine, &items, &count);
}

static bool op_duplicate(struct pickle_machine *machine, int argument)
{
    struct pickle_value *value = top(machine);
    (void)argument;
    return value ? push(machine, value) : broken(machine);
}

/* `argument`: the kind of an empty value. */
static bool op_empty(struct pickle_machine *machine, int argument)
{
    return push_new(machine, (enum pickle_kind)argument) != NULL;
}

static bool op_bool(struct pickle_machine *machine, int argument)
{
    struct pickle_value *value = push_new(machine, PICKLE_BOOL);
    if (value)
        value->integer = argument;
    return value != NULL;
}

/* A two's complement number of `len` <= 8 bytes. */
static bool push_signed(struct pickle_machine *machine, struct str bytes)
{
    struct pickle_value *value = push_new(machine, PICKLE_INTEGER);
    if (!value)
        return false;
    uint64_t bits = bytes.len && (bytes.ptr[bytes.len - 1] & 0x80) ? UINT64_MAX : 0;
    if (bytes.len)
        memcpy(&bits, bytes.ptr, bytes.len);
    value->integer = (int64_t)bits;
    return true;
}

static bool op_signed(struct pickle_machine *machine, int argument)
{
    struct str bytes = { NULL, 0 };
    return take(machine, (uint64_t)argument, &bytes) && push_signed(machine, bytes);
}

static bool op_unsigned(struct pickle_machine *machine, int argument)
{
    uint64_t number = 0;
    if (!take_number(machine, (size_t)argument, &number))
        return false;
    struct pickle_value *value = push_new(machine, PICKLE_INTEGER);
    if (value)
        value->integer = (int64_t)number;
    return value != NULL;
}

static bool op_long(struct pickle_machine *machine, int argument)
{
    struct str bytes = { NULL, 0 };
    if (!take_counted(machine, (size_t)argument, &bytes))
        return false;
    return bytes.len <= 8 ? push_signed(machine, bytes) : push_new(machine, PICKLE_OTHER) != NULL;
}

static bool op_float(struct pickle_machine *machine, int argument)
{
    struct str bytes = { NULL, 0 };
    return take(machine, (uint64_t)argument, &bytes) && push_new(machine, PICKLE_OTHER);
}

static bool op_text(struct pickle_machine *machine, int argument)
{
    struct str text = { NULL, 0 };
    if (!take_counted(machine, (size_t)argument, &text))
        return false;
    struct pickle_value *value = push_new(machine, PICKLE_TEXT);
    if (value)
        value->text = text;
    return value != NULL;
}

static bool op_bytes(struct pickle_machine *machine, int argument)
{
    struct str bytes = { NULL, 0 };
    return take_counted(machine, (size_t)argument, &bytes) && push_new(machine, PICKLE_OTHER);
}

/* `argument`: the kind of container made of all above the mark. */
static bool op_gather(struct pickle_machine *machine, int argument)
{
    struct pickle_value *const *items = NULL;
    size_t count = 0;
    if (!pop_mark(machine, &items, &count))
        return false;
    if (argument == PICKLE_DICT && count % 2 != 0)
        return broken(machine);
    /* The new value takes the first one's place on the stack. */
    struct pickle_value *first = count ? items[0] : NULL;
    struct pickle_value *value = push_new(machine, (enum pickle_kind)argument);
    if (!value || argument == PICKLE_OTHER || count == 0)
        return value != NULL;
    return items_add(machine, value, &first, 1) && items_add(machine, value, items + 1, count - 1);
}

/* `argument`: how many values go into the tuple. */
static bool op_tuple(struct pickle_machine *machine, int argument)
{
    struct pickle_value *items[3];
    for (int i = argument - 1; i >= 0; i--)
        if (!(items[i] = pop(machine)))
            return broken(machine);
    struct pickle_value *value = push_new(machine, PICKLE_TUPLE);
    return value && items_add(machine, value, items, (size_t)argument);
}

/* Into a list `argument` is 1, into a dictionary 2: the values of one item. What is put into a set
 * or appended to what a call made is dropped. */
static bool put_items(struct pickle_machine *machine, int argument,
                      struct pickle_value *const *items, size_t count)
{
    struct pickle_value *into = top(machine);
    if (!into || count % (size_t)argument != 0)
        return broken(machine);
    if (into->kind == PICKLE_OTHER || (into->kind == PICKLE_CALL && argument == 1))
        return true;
    if (into->kind != PICKLE_CALL && into->kind != (argument == 1 ? PICKLE_LIST : PICKLE_DICT))
        return broken(machine);
    return items_add(machine, into, items, count);
}

static bool op_put_one(struct pickle_machine *machine, int argument)
{
    struct pickle_value *items[2];
    for (int i = argument - 1; i >= 0; i--)
        if (!(items[i] = pop(machine)))
            return broken(machine);
    return put_items(machine, argument, items, (size_t)argument);
}

static bool op_put_many(struct pickle_machine *machine, int argument)
{
    struct pickle_value *const *items = NULL;
    size_t count = 0;
    return pop_mark(machine, &items, &count) && put_items(machine, argument, items, count);
}

static bool push_global(struct pickle_machine *machine, struct str module, struct str name)
{
    struct pickle_value *value = push_new(machine, PICKLE_GLOBAL);
    if (value) {
        value->text = module;
        value->name = name;
    }
    return value != NULL;
}

static bool op_global(struct pickle_machine *machine, int argument)
{
    struct str module = { NULL, 0 }, name = { NULL, 0 };
    (void)argument;
    return take_line(machine, &module) && take_line(machine, &name) &&
           push_global(machine, module, name);
}

static bool op_stack_global(struct pickle_machine *machine, int argument)
{
    struct pickle_value *name = pop(machine), *module = pop(machine);
    (void)argument;
    if (!name || !module || name->kind != PICKLE_TEXT || module->kind != PICKLE_TEXT)
        return broken(machine);
    return push_global(machine, module->text, name->text);
}

/* `argument`: how many values lie above the callee; the first of them are its arguments. */
static bool op_call(struct pickle_machine *machine, int argument)
{
    struct pickle_value *arguments = NULL;
    for (int i = 0; i < argument; i++)
        arguments = pop(machine);
    struct pickle_value *callee = pop(machine);
    if (!callee || !arguments || arguments->kind != PICKLE_TUPLE)
        return broken(machine);
    struct pickle_value *value = push_new(machine, PICKLE_CALL);
    if (value) {
        value->callee = callee;
        value->arguments = arguments;
    }
    return value != NULL;
}

/* An object's own state: hooks and metadata, nothing that a tensor's values depend on. */
static bool op_build(struct pickle_machine *machine, int argument)
{
    (void)argument;
    return (pop(machine) && top(machine)) || broken(machine);
}

static bool op_persistent(struct pickle_machine *machine, int argument)
{
    struct pickle_value *id = pop(machine);
    (void)argument;
    if (!id)
        return broken(machine);
    if (machine->persistent_count == machine->persistent_capacity) {
        size_t capacity = machine->persistent_capacity ? 2 * machine->persistent_capacity : 256;
        const struct pickle_value **grown = arena_alloc(machine->arena, capacity * sizeof *grown);
        if (!grown)
            return no_memory(machine);
        if (machine->persistent_count)
            memcpy(grown, machine->persistent, machine->persistent_count * sizeof *grown);
        machine->persistent = grown;
        machine->persistent_capacity = capacity;
    }
    struct pickle_value *value = push_new(machine, PICKLE_PERSISTENT);
    if (!value)
        return false;
    value->arguments = id;
    machine->persistent[machine->persistent_count++] = value;
    return true;
}

/* The memo: values by number. Numbers are given out from 0, so none is beyond the values there can
 * be. */

static bool memo_put(struct pickle_machine *machine, uint64_t number)
{
    struct pickle_value *value = top(machine);
    if (!value || number >= PICKLE_VALUES_MAX)
        return broken(machine);
    if (number >= machine->memo_capacity) {
        size_t capacity = machine->memo_capacity ? 2 * machine->memo_capacity : 1024;
        while (capacity <= number)
            capacity *= 2;
        struct pickle_value **grown = reallocarray(machine->memo, capacity, sizeof *grown);
        if (!grown)
            return no_memory(machine);
        memset(grown + machine->memo_capacity, 0,
               (capacity - machine->memo_capacity) * sizeof *grown);
        machine->memo = grown;
        machine->memo_capacity = capacity;
    }
    machine->memo_count += !machine->memo[number];
    machine->memo[number] = value;
    return true;
}

static bool op_memo_put(struct pickle_machine *machine, int argument)
{
    uint64_t number = 0;
    return take_number(machine, (size_t)argument, &number) && memo_put(machine, number);
}

static bool op_memoize(struct pickle_machine *machine, int argument)
{
    (void)argument;
    return memo_put(machine, machine->memo_count);
}

static bool op_memo_get(struct pickle_machine *machine, int argument)
{
    uint64_t number = 0;
    if (!take_number(machine, (size_t)argument, &number))
        return false;
    if (number >= machine->memo_capacity || !machine->memo[number])
        return broken(machine);
    return push(machine, machine->memo[number]);
}

#define PICKLE_STOP '.'

/* Protocols 1 to 5 but for the extension registry and buffers outside the pickle; of protocol 0,
 * what the others share. */
static const struct {
    bool (*run)(struct pickle_machine *machine, int argument);
    int argument;
} operations[256] = {
    [0x80] = { op_protocol, 1 },
    [0x95] = { op_frame, 8 },
    ['('] = { op_mark, 0 },
    ['0'] = { op_pop, 0 },
    ['1'] = { op_pop_mark, 0 },
    ['2'] = { op_duplicate, 0 },
    ['N'] = { op_empty, PICKLE_NONE },
    [0x88] = { op_bool, 1 },
    [0x89] = { op_bool, 0 },
    ['J'] = { op_signed, 4 },
    ['K'] = { op_unsigned, 1 },
    ['M'] = { op_unsigned, 2 },
    [0x8a] = { op_long, 1 },
    [0x8b] = { op_long, 4 },
    ['G'] = { op_float, 8 },
    ['X'] = { op_text, 4 },
    [0x8c] = { op_text, 1 },
    [0x8d] = { op_text, 8 },
    ['T'] = { op_text, 4 }, /* Python 2's strings, which were its dictionaries' keys */
    ['U'] = { op_text, 1 },
    ['B'] = { op_bytes, 4 },
    ['C'] = { op_bytes, 1 },
    [0x8e] = { op_bytes, 8 },
    [0x96] = { op_bytes, 8 },
    [']'] = { op_empty, PICKLE_LIST },
    [')'] = { op_empty, PICKLE_TUPLE },
    ['}'] = { op_empty, PICKLE_DICT },
    [0x8f] = { op_empty, PICKLE_OTHER },
    ['l'] = { op_gather, PICKLE_LIST },
    ['t'] = { op_gather, PICKLE_TUPLE },
    ['d'] = { op_gather, PICKLE_DICT },
    [0x91] = { op_gather, PICKLE_OTHER },
    [0x85] = { op_tuple, 1 },
    [0x86] = { op_tuple, 2 },
    [0x87] = { op_tuple, 3 },
    ['a'] = { op_put_one, 1 },
    ['e'] = { op_put_many, 1 },
    [0x90] = { op_put_many, 1 },
    ['s'] = { op_put_one, 2 },
    ['u'] = { op_put_many, 2 },
    ['c'] = { op_global, 0 },
    [0x93] = { op_stack_global, 0 },
    ['R'] = { op_call, 1 },
    [0x81] = { op_call, 1 },
    [0x92] = { op_call, 2 },
    ['b'] = { op_build, 0 },
    ['Q'] = { op_persistent, 0 },
    ['q'] = { op_memo_put, 1 },
    ['r'] = { op_memo_put, 4 },
    [0x94] = { op_memoize, 0 },
    ['h'] = { op_memo_get, 1 },
    ['j'] = { op_memo_get, 4 },
};

static bool machine_run(struct pickle_machine *machine)
{
    for (;;) {
        uint64_t code = 0;
        if (!take_number(machine, 1, &code))
            return false;
        if (code == PICKLE_STOP)
            return machine->height == 1 && machine->marks_count == 0 ? true : broken(machine);
        if (!operations[code].run)
            return err_set(machine->err, ERR_INVALID,
                           "The pickle uses the operation 0x%02x, which is not supported.",
                           (unsigned)code);
        if (!operations[code].run(machine, operations[code].argument))
            return false;
    }
}

bool pickle_read(struct str *rest, struct arena *arena, struct pickle *ret_pickle, struct err *err)
{
    struct pickle_machine machine = { .rest = *rest, .arena = arena, .err = err };
    machine.stack = calloc(PICKLE_STACK_MAX, sizeof *machine.stack);
    bool ok = machine.stack ? machine_run(&machine) : no_memory(&machine);
    if (ok) {
        *rest = machine.rest;
        *ret_pickle = (struct pickle){ .root = machine.stack[0],
                                       .persistent = machine.persistent,
                                       .persistent_count = machine.persistent_count };
    }
    free(machine.stack);
    free(machine.memo);
    return ok;
}

bool pickle_is_global(const struct pickle_value *value, const char *module, const char *name)
{
    return value->kind == PICKLE_GLOBAL && str_equal(value->text, str_from(module)) &&
           str_equal(value->name, str_from(name));
}
