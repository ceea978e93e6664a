/* Batches of Policy: over flat buffers, and over a list of keys. */
#include "native.h"

#define BATCH_KEEPS_GIL 50
#define KEYS_MAX ((Py_ssize_t)1 << 24)

/* --- Batches -------------------------------------------------------------- */
static met_error run_batch(native_handle *limiter,
                           const met_limiter_batch *batch,
                           const met_limiter_verdicts *verdicts,
                           met_error_info *info)
{
    met_limiter *object = limiter->object;
    met_error error;

    if (batch->count <= BATCH_KEEPS_GIL) {
        return met_limiter_check_batch(object, batch, verdicts, info);
    }
    NATIVE_WITHOUT_GIL(limiter, error = met_limiter_check_batch(
                                    object, batch, verdicts, info));
    return error;
}

enum {
    B_KEYS, B_OFFSETS, B_COSTS, B_KIND, B_MONOTONIC, B_UTC, B_ALLOWED,
    B_REASON, B_REFUSED, B_REMAINING, B_RESET, B_WAIT, B_TICKETS, B_COUNT
};

static const char *const batch_names[] = {
    "keys", "offsets", "costs", "kind", "monotonic_ns", "utc_ns", "allowed",
    "reason", "refused", "remaining", "reset_ns", "wait_ns", "tickets", NULL};

static const Py_ssize_t batch_sizes[B_COUNT] = {1, 4, 8, 0, 0, 0,
                                                4, 4, 4, 8, 8, 8, 1};
/* Bytes of one entry, and what its address is a multiple of. */
static const size_t entry_sizes[B_COUNT] = {
    1, 4, 8, 0, 0, 0, 4, 4, 4, 8, 8, 8, sizeof(met_limiter_ticket)};

static size_t alignment(int i)
{
    return i == B_TICKETS ? _Alignof(met_limiter_ticket)
                          : (size_t)batch_sizes[i];
}

/* The buffers of a batch; `open` says which must be released. */
typedef struct batch_buffers {
    Py_buffer views[B_COUNT];
    int open[B_COUNT];
    void *copy; /* of what the library checks first and reads later */
    size_t count;
} batch_buffers;

static void release_buffers(batch_buffers *self)
{
    for (int i = 0; i < B_COUNT; i++) {
        if (self->open[i]) {
            PyBuffer_Release(&self->views[i]);
        }
    }
    PyMem_Free(self->copy);
}

/* One buffer of integers of the right size, and for results writable. */
static int take_buffer(native_state *state, batch_buffers *self, int i,
                       PyObject *value)
{
    const char *name = batch_names[i];
    Py_buffer *view = &self->views[i];
    int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT
                | (i >= B_ALLOWED ? PyBUF_WRITABLE : 0);

    if (value == NULL || value == Py_None) {
        return 0;
    }
    if (PyObject_GetBuffer(value, view, flags) != 0) {
        PyErr_Clear();
        return native_wrong_type(name,
                                 i >= B_ALLOWED ? "a writable buffer"
                                                : "a buffer",
                                 value);
    }
    self->open[i] = 1;
    const char *format = view->format ? view->format : "B";
    if (view->len > 0 && (uintptr_t)view->buf % alignment(i) != 0) {
        PyErr_Format(PyExc_TypeError,
                     "%s: must begin at a multiple of %zu bytes", name,
                     alignment(i));
        return -1;
    }
    if (view->itemsize != batch_sizes[i] || strpbrk(format, "efdgOPs?")) {
        PyErr_Format(PyExc_TypeError,
                     "%s: must be a buffer of integers of %zd bytes", name,
                     batch_sizes[i]);
        return -1;
    }
    if (i >= B_COSTS && (size_t)view->len / entry_sizes[i] < self->count) {
        native_raise_field(state, MET_E_INVALID, name,
                           "must have room for every key");
        return -1;
    }
    return 0;
}

/* The library checks offsets and costs before it reads them again: others may
 * write to them meanwhile, so it gets copies. */
static int copy_inputs(native_state *state, batch_buffers *self,
                       met_limiter_batch *batch)
{
    size_t offsets = (self->count + 1) * sizeof(uint32_t);
    size_t begin = (offsets + 7) & ~(size_t)7;
    size_t costs = self->open[B_COSTS] ? self->count * sizeof(uint64_t) : 0;
    char *copy = PyMem_Malloc(begin + costs);

    if (copy == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->copy = copy;
    memcpy(copy, self->views[B_OFFSETS].buf, offsets);
    batch->key_offsets = (const uint32_t *)(void *)copy;
    if (costs > 0) {
        memcpy(copy + begin, self->views[B_COSTS].buf, costs);
        batch->costs = (const uint64_t *)(void *)(copy + begin);
    }
    if (batch->key_offsets[self->count] > (size_t)self->views[B_KEYS].len) {
        native_raise_field(state, MET_E_INVALID, "offsets", "end beyond keys");
        return -1;
    }
    return 0;
}

static int read_batch(native_policy *self, PyObject **values,
                      batch_buffers *buffers, met_limiter_batch *batch)
{
    native_state *state = native_state_of(self);

    if (take_buffer(state, buffers, B_KEYS, values[B_KEYS]) != 0
        || take_buffer(state, buffers, B_OFFSETS, values[B_OFFSETS]) != 0) {
        return -1;
    }
    if (!buffers->open[B_KEYS] || !buffers->open[B_OFFSETS]
        || buffers->views[B_OFFSETS].len < 4) {
        native_raise_field(state, MET_E_INVALID, "offsets",
                           "must be one more than keys");
        return -1;
    }
    buffers->count = (size_t)buffers->views[B_OFFSETS].len / 4 - 1;
    for (int i = B_COSTS; i < B_COUNT; i++) {
        if (batch_sizes[i] != 0
            && take_buffer(state, buffers, i, values[i]) != 0) {
            return -1;
        }
    }
    batch->keys = buffers->views[B_KEYS].buf;
    batch->count = buffers->count;
    batch->policy = self->number;
    return native_u32(state, values[B_KIND], "kind", &batch->kind) != 0
                   || native_i64(state, values[B_MONOTONIC], "monotonic_ns",
                                 &batch->monotonic_ns) != 0
                   || native_i64(state, values[B_UTC], "utc_ns",
                                 &batch->utc_ns) != 0
                   || copy_inputs(state, buffers, batch) != 0
               ? -1
               : 0;
}

PyObject *native_policy_check_batch(PyObject *object,
                                    PyObject *const *words,
                                    Py_ssize_t count, PyObject *keywords)
{
    static const native_names names = {"check_batch", batch_names, 2, 3};
    native_policy *self = (native_policy *)object;
    PyObject *values[B_COUNT];
    batch_buffers buffers = {.copy = NULL};
    met_limiter_batch batch = {.struct_size = sizeof batch};
    met_error_info info = {.struct_size = sizeof info};
    met_error error = MET_OK;
    int is_read =
        native_arguments(&names, words, count, keywords, values) == 0
        && read_batch(self, values, &buffers, &batch) == 0
        && native_handle_ready(self->limiter, "limiter") == 0;

    if (is_read && !buffers.open[B_ALLOWED]) {
        PyErr_SetString(PyExc_TypeError, "check_batch() needs allowed");
        is_read = 0;
    }
    if (is_read) {
        met_limiter_verdicts verdicts = {
            .struct_size = sizeof verdicts,
            .is_allowed = buffers.views[B_ALLOWED].buf,
            .reason = buffers.views[B_REASON].buf,
            .refused = buffers.views[B_REFUSED].buf,
            .remaining = buffers.views[B_REMAINING].buf,
            .reset_ns = buffers.views[B_RESET].buf,
            .wait_ns = buffers.views[B_WAIT].buf,
            .tickets = buffers.views[B_TICKETS].buf};
        error = run_batch(self->limiter, &batch, &verdicts, &info);
    }
    release_buffers(&buffers);
    if (!is_read) {
        return NULL;
    }
    if (error != MET_OK) {
        return native_raise(native_state_of(self), error, &info);
    }
    return PyLong_FromSize_t(batch.count);
}

/* --- What a batch counted, given back ------------------------------------- */
/* Where the ticket `index` of a buffer is, which stays open on success. */
static char *ticket_at(native_state *state, PyObject *value,
                                     PyObject *index, Py_buffer *view)
{
    uint64_t at = 0;

    if (index == Py_None) {
        native_wrong_type("index", "int", index);
        return NULL;
    }
    if (native_u64(state, index, "index", &at) != 0) {
        return NULL;
    }
    if (PyObject_GetBuffer(value, view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)
        != 0) {
        PyErr_Clear();
        native_wrong_type("tickets", "a writable buffer", value);
        return NULL;
    }
    if (at >= (size_t)view->len / sizeof(met_limiter_ticket)) {
        PyBuffer_Release(view);
        return native_raise_field(state, MET_E_INVALID, "index",
                                  "is beyond the tickets");
    }
    return (char *)view->buf + at * sizeof(met_limiter_ticket);
}

static PyObject *give_back(PyObject *object, const native_names *names,
                           PyObject *const *words, Py_ssize_t count,
                           PyObject *keywords)
{
    native_policy *self = (native_policy *)object;
    native_state *state = native_state_of(self);
    PyObject *values[3] = {NULL, NULL, NULL};
    Py_buffer view;
    uint64_t cost = 0;
    uint32_t withheld = 0;
    met_limiter_ticket ticket;
    met_error error = MET_E_INVALID;

    if (native_arguments(names, words, count, keywords, values) != 0
        || native_u64(state, values[2], "cost", &cost) != 0
        || native_handle_ready(self->limiter, "limiter") != 0) {
        return NULL;
    }
    char *place = ticket_at(state, values[0], values[1], &view);
    if (place == NULL) {
        return NULL;
    }
    if (native_handle_is_open(self->limiter, "limiter") != 0) {
        PyBuffer_Release(&view);
        return NULL;
    }
    memcpy(&ticket, place, sizeof ticket);
    error = names->names[2] != NULL
                ? met_limiter_refund(self->limiter->object, &ticket, cost,
                                     &withheld)
                : met_limiter_release(self->limiter->object, &ticket,
                                      &withheld);
    memcpy(place, &ticket, sizeof ticket);
    PyBuffer_Release(&view);
    return error == MET_OK ? PyLong_FromUnsignedLong(withheld)
                           : native_raise_of(state, error, "tickets",
                                             "has no such ticket of this "
                                             "limiter at index");
}

PyObject *native_policy_refund(PyObject *object, PyObject *const *words,
                               Py_ssize_t count, PyObject *keywords)
{
    static const char *const all[] = {"tickets", "index", "cost", NULL};
    static const native_names names = {"refund", all, 2, 3};

    return give_back(object, &names, words, count, keywords);
}

PyObject *native_policy_release(PyObject *object, PyObject *const *words,
                                Py_ssize_t count, PyObject *keywords)
{
    static const char *const all[] = {"tickets", "index", NULL};
    static const native_names names = {"release", all, 2, 2};

    return give_back(object, &names, words, count, keywords);
}

/* --- A list of keys ------------------------------------------------------- */
static const char *const many_names[] = {"keys", "kind", "monotonic_ns",
                                         "utc_ns", NULL};

PyObject *native_policy_check_many(PyObject *object, PyObject *const *words,
                                   Py_ssize_t count, PyObject *keywords)
{
    static const native_names names = {"check_many", many_names, 1, 1};
    native_policy *self = (native_policy *)object;
    native_state *state = native_state_of(self);
    met_limiter_batch batch = {.struct_size = sizeof batch,
                               .policy = self->number};
    met_limiter_verdicts verdicts = {.struct_size = sizeof verdicts};
    met_error_info info = {.struct_size = sizeof info};
    native_flat flat = {NULL, NULL, NULL, 0};
    PyObject *values[4];
    PyObject *out = NULL;

    if (native_arguments(&names, words, count, keywords, values) != 0
        || native_u32(state, values[1], "kind", &batch.kind) != 0
        || native_i64(state, values[2], "monotonic_ns", &batch.monotonic_ns)
               != 0
        || native_i64(state, values[3], "utc_ns", &batch.utc_ns) != 0) {
        return NULL;
    }
    if (native_flatten(state, values[0], "keys", native_text, KEYS_MAX, &flat)
            == 0
        && native_handle_ready(self->limiter, "limiter") == 0) {
        batch.keys = flat.texts;
        batch.key_offsets = flat.offsets;
        batch.count = flat.count;
        verdicts.is_allowed = flat.numbers;
        met_error error =
            run_batch(self->limiter, &batch, &verdicts, &info);
        out = error == MET_OK ? PyList_New((Py_ssize_t)flat.count)
                              : native_raise(state, error, &info);
    }
    for (size_t i = 0; out != NULL && i < flat.count; i++) {
        PyObject *flag = flat.numbers[i] ? Py_True : Py_False;
        (void)PyList_SetItem(out, (Py_ssize_t)i, Py_NewRef(flag));
    }
    native_flat_free(&flat);
    return out;
}
