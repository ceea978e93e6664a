/* Store, UsageCursor, Ingest, Price: calls that take and give documents. They
 * may wait for the disk, and so give the GIL away. */
#include "native.h"

#include <stdio.h>
#include <string.h>

#include "calls.h"

#define TEXTS_MAX 3
#define NUMBERS_MAX 4

/* --- Calls by name -------------------------------------------------------- */
typedef struct call_arguments {
    const char *text[TEXTS_MAX];
    size_t size[TEXTS_MAX];
    int64_t number[NUMBERS_MAX];
} call_arguments;

typedef met_error (*call_function)(met_store *, const call_arguments *,
                                   met_buffer *, met_error_info *);

#define DEFINE_CALL(name, signature, ...)                                     \
    static met_error call_##name(met_store *store, const call_arguments *a,   \
                                 met_buffer *out, met_error_info *info)       \
    {                                                                         \
        (void)a;                                                              \
        (void)out;                                                            \
        return met_##name(store, __VA_ARGS__);                                \
    }
NATIVE_CALLS(DEFINE_CALL)

/* Calls whose numbers go into a structure. */
static met_error call_store_settle(met_store *store, const call_arguments *a,
                                   met_buffer *out, met_error_info *info)
{
    met_settle_config config = {.struct_size = sizeof config,
                                .cells_max = (uint64_t)a->number[0]};

    return met_store_settle(store, &config, out, info);
}

static met_error call_store_compact(met_store *store, const call_arguments *a,
                                    met_buffer *out, met_error_info *info)
{
    met_compact_config config = {.struct_size = sizeof config,
                                 .records_max = (uint64_t)a->number[0],
                                 .as_of_ns = a->number[1]};

    return met_store_compact(store, &config, out, info);
}

static const struct {
    const char *name;
    const char *signature;
    call_function function;
} calls[] = {
#define CALL_ROW(name, signature, ...) {#name, signature, call_##name},
    NATIVE_CALLS(CALL_ROW)
    {"store_settle", "cells_max#", call_store_settle},
    {"store_compact", "records_max# as_of#", call_store_compact},
};

#define CALLS (sizeof calls / sizeof calls[0])

#define PARAMETER_SIZE 32

/* The next parameter of a signature, without its kind, and where the one after
 * it begins. */
static const char *next_parameter(const char *at, char name[PARAMETER_SIZE],
                                  char *kind)
{
    size_t size = strcspn(at, " ");
    const char *after = at[size] == ' ' ? at + size + 1 : at + size;

    *kind = size > 0 ? at[size - 1] : '\0';
    size -= *kind == '?' || *kind == '#';
    (void)snprintf(name, PARAMETER_SIZE, "%.*s", (int)size, at);
    return after;
}

static int wants(const char *signature)
{
    int count = *signature != '\0';

    for (; *signature != '\0'; signature++) {
        count += *signature == ' ';
    }
    return count;
}

/* Texts stay owned by the tuple of words. */
static int read_call(native_state *state, const char *signature,
                     PyObject *words, call_arguments *a)
{
    Py_ssize_t given = PyTuple_Size(words) - 1;
    int texts = 0;
    int numbers = 0;

    if (given != wants(signature)) {
        PyErr_Format(PyExc_TypeError, "call() needs %d arguments, got %zd",
                     wants(signature), given);
        return -1;
    }
    for (Py_ssize_t i = 0; i < given; i++) {
        PyObject *value = PyTuple_GetItem(words, i + 1);
        char name[PARAMETER_SIZE];
        char kind;
        int is_wrong;
        signature = next_parameter(signature, name, &kind);
        if (kind == '#') {
            is_wrong = native_i64(state, value, name, &a->number[numbers++]);
        } else {
            int (*take)(PyObject *, const char *, const char **, size_t *) =
                kind == '?' ? native_text_or_none : native_text;
            is_wrong = take(value, name, &a->text[texts], &a->size[texts]);
            texts++;
        }
        if (is_wrong) {
            return -1;
        }
    }
    return 0;
}

/* call(name, *arguments) -> the document as text, or None. */
static PyObject *store_call(PyObject *object, PyObject *words)
{
    native_handle *self = (native_handle *)object;
    native_state *state = native_state_of(self);
    met_error_info info = {.struct_size = sizeof info};
    call_arguments arguments = {.text = {NULL, NULL}};
    met_buffer out = {NULL, 0, NULL};
    PyObject *name = PyTuple_Size(words) > 0 ? PyTuple_GetItem(words, 0) : NULL;
    size_t row = 0;
    met_error error;

    while (row < CALLS
           && (name == NULL || !PyUnicode_Check(name)
               || PyUnicode_CompareWithASCIIString(name, calls[row].name)
                      != 0)) {
        row++;
    }
    if (row == CALLS) {
        PyErr_SetString(PyExc_TypeError, "call() needs the name of a call");
        return NULL;
    }
    if (read_call(state, calls[row].signature, words, &arguments) != 0
        || native_handle_ready(self, "store") != 0) {
        return NULL;
    }
    met_store *store = self->object;
    NATIVE_WITHOUT_GIL(self, error = calls[row].function(store, &arguments,
                                                         &out, &info));
    if (error != MET_OK) {
        met_buffer_release(&out);
        return native_raise(state, error, &info);
    }
    if (out.data == NULL) {
        Py_RETURN_NONE;
    }
    return native_buffer_text(&out);
}

/* --- Store ---------------------------------------------------------------- */
static void close_store(void *store)
{
    met_store_close(store);
}

static PyObject *store_new(PyTypeObject *type, PyObject *words,
                           PyObject *named)
{
    static char *names[] = {"path", "flags", "map_size_bytes", "clock", NULL};
    native_state *state = PyType_GetModuleState(type);
    met_store_config config = {.struct_size = sizeof config};
    met_error_info info = {.struct_size = sizeof info};
    PyObject *path = NULL;
    PyObject *numbers[2] = {NULL, NULL};
    PyObject *clock = Py_None;
    met_platform platform = {.struct_size = sizeof platform};
    met_store *store = NULL;
    met_error error;

    if (!PyArg_ParseTupleAndKeywords(words, named, "O&|OOO", names,
                                     PyUnicode_FSConverter, &path, &numbers[0],
                                     &numbers[1], &clock)) {
        return NULL;
    }
    const char *text = PyBytes_AsString(path);
    size_t size = (size_t)PyBytes_Size(path);
    if (text == NULL
        || native_u64(state, numbers[0], "flags", &config.flags) != 0
        || native_u64(state, numbers[1], "map_size_bytes",
                      &config.map_size_bytes) != 0
        || native_clock(state, clock, &platform.clock) != 0) {
        Py_DECREF(path);
        return NULL;
    }
    config.platform = clock != Py_None ? &platform : NULL;
    Py_BEGIN_ALLOW_THREADS
    error = met_store_open(text, size, &config, &store, &info);
    Py_END_ALLOW_THREADS
    Py_DECREF(path);
    if (error != MET_OK) {
        return native_raise(state, error, &info);
    }
    return native_handle_new((PyObject *)type, store, close_store, NULL, 0);
}

/* event_cursor(name) -> (generation, offset) */
static PyObject *store_event_cursor(PyObject *object, PyObject *name)
{
    native_handle *self = (native_handle *)object;
    native_state *state = native_state_of(self);
    met_event_cursor cursor = {.struct_size = sizeof cursor};
    met_error_info info = {.struct_size = sizeof info};
    met_error error;

    if (native_text(name, "name", &cursor.name, &cursor.name_size) != 0
        || native_handle_ready(self, "store") != 0) {
        return NULL;
    }
    met_store *store = self->object;
    NATIVE_WITHOUT_GIL(self, error = met_event_cursor_get(
                                 store, cursor.name, cursor.name_size,
                                 &cursor, &info));
    if (error != MET_OK) {
        return native_raise(state, error, &info);
    }
    return Py_BuildValue("KK", (unsigned long long)cursor.generation,
                         (unsigned long long)cursor.offset);
}

/* --- Usage, row by row ---------------------------------------------------- */
static void close_cursor(void *cursor)
{
    met_usage_query_close(cursor);
}

static PyObject *store_usage_cursor(PyObject *object, PyObject *json)
{
    native_handle *self = (native_handle *)object;
    native_state *state = native_state_of(self);
    met_error_info info = {.struct_size = sizeof info};
    met_usage_cursor *cursor = NULL;
    const char *text = NULL;
    size_t size = 0;
    met_error error;

    if (native_text(json, "query", &text, &size) != 0
        || native_handle_ready(self, "store") != 0) {
        return NULL;
    }
    met_store *store = self->object;
    NATIVE_WITHOUT_GIL(self, error = met_usage_query_open(store, text, size,
                                                          &cursor, &info));
    if (error != MET_OK) {
        return native_raise(state, error, &info);
    }
    return native_handle_new(state->cursor_type, cursor, close_cursor, self,
                             NATIVE_ALONE);
}

/* The next row as text, or None. */
static PyObject *cursor_next(PyObject *object, PyObject *nothing)
{
    native_handle *self = (native_handle *)object;
    met_error_info info = {.struct_size = sizeof info};
    const char *row = NULL;
    size_t size = 0;
    met_error error;
    PyObject *text = NULL;

    (void)nothing;
    if (native_handle_ready(self, "cursor") != 0) {
        return NULL;
    }
    met_usage_cursor *cursor = self->object;
    native_handle_begin(self);
    Py_BEGIN_ALLOW_THREADS
    error = met_usage_query_next(cursor, &row, &size, &info);
    Py_END_ALLOW_THREADS
    if (error == MET_OK) { /* the row lives until somebody asks for another */
        text = PyUnicode_DecodeUTF8(row, (Py_ssize_t)size, "replace");
    } else if (error == MET_E_NOT_FOUND) {
        text = native_keep(Py_None);
    } else {
        native_raise(native_state_of(self), error, &info);
    }
    native_handle_end(self);
    return text;
}

/* --- Events with ids ------------------------------------------------------ */
static void close_ingest(void *ingest)
{
    met_ingest_close(ingest);
}

static PyObject *store_ingest(PyObject *object, PyObject *nothing)
{
    native_handle *self = (native_handle *)object;
    native_state *state = native_state_of(self);
    met_error_info info = {.struct_size = sizeof info};
    met_ingest *ingest = NULL;
    met_error error;

    (void)nothing;
    if (native_handle_ready(self, "store") != 0) {
        return NULL;
    }
    met_store *store = self->object;
    NATIVE_WITHOUT_GIL(
        self, error = met_ingest_open(store, NULL, &ingest, &info));
    if (error != MET_OK) {
        return native_raise(state, error, &info);
    }
    return native_handle_new(state->ingest_type, ingest, close_ingest, self,
                             NATIVE_ALONE);
}

/* json(text, flags, name, generation, offset) -> the report as text */
static PyObject *ingest_json(PyObject *object, PyObject *words)
{
    native_handle *self = (native_handle *)object;
    native_state *state = native_state_of(self);
    met_event_cursor cursor = {.struct_size = sizeof cursor};
    met_error_info info = {.struct_size = sizeof info};
    met_buffer out = {NULL, 0, NULL};
    PyObject *values[5];
    const char *text = NULL;
    size_t size = 0;
    uint64_t flags = 0;
    met_error error;

    if (!PyArg_ParseTuple(words, "OOOOO", &values[0], &values[1], &values[2],
                          &values[3], &values[4])
        || native_text(values[0], "events", &text, &size) != 0
        || native_u64(state, values[1], "flags", &flags) != 0
        || native_text_or_none(values[2], "cursor", &cursor.name,
                               &cursor.name_size) != 0
        || native_u64(state, values[3], "generation", &cursor.generation) != 0
        || native_u64(state, values[4], "offset", &cursor.offset) != 0
        || native_handle_ready(self, "ingest") != 0) {
        return NULL;
    }
    met_ingest *ingest = self->object;
    const met_event_cursor *at = cursor.name != NULL ? &cursor : NULL;
    NATIVE_WITHOUT_GIL(self, error = met_event_ingest_json(
                                 ingest, text, size, flags, at, &out, &info));
    if (error != MET_OK) {
        return native_raise(state, error, &info);
    }
    return native_buffer_text(&out);
}

/* --- Prices --------------------------------------------------------------- */
static void destroy_price(void *price)
{
    met_price_destroy(price);
}

static PyObject *price_new(PyTypeObject *type, PyObject *words,
                           PyObject *named)
{
    native_state *state = PyType_GetModuleState(type);
    met_error_info info = {.struct_size = sizeof info};
    met_price *price = NULL;
    PyObject *json = NULL;
    const char *text = NULL;
    size_t size = 0;

    if (named != NULL || !PyArg_ParseTuple(words, "O", &json)
        || native_text(json, "price", &text, &size) != 0) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "Price() takes one document");
        }
        return NULL;
    }
    met_error error = met_price_create(text, size, NULL, &price, &info);
    if (error != MET_OK) {
        return native_raise(state, error, &info);
    }
    return native_handle_new((PyObject *)type, price, destroy_price, NULL,
                             NATIVE_SURVIVES_FORK);
}

static PyObject *price_rate(PyObject *object, PyObject *json)
{
    native_handle *self = (native_handle *)object;
    native_state *state = native_state_of(self);
    met_error_info info = {.struct_size = sizeof info};
    met_buffer out = {NULL, 0, NULL};
    const char *text = NULL;
    size_t size = 0;

    if (native_text(json, "request", &text, &size) != 0
        || native_handle_ready(self, "price") != 0) {
        return NULL;
    }
    met_error error = met_price_rate(self->object, text, size, &out, &info);
    return error == MET_OK ? native_buffer_text(&out)
                           : native_raise(state, error, &info);
}

/* Quantities of a list into totals, in place. */
static PyObject *rate_list(native_handle *self, PyObject *list,
                           met_decimal *values)
{
    native_state *state = native_state_of(self);
    met_error_info info = {.struct_size = sizeof info};
    Py_ssize_t count = PyList_Size(list);
    const met_price *price;
    met_error error;

    for (Py_ssize_t i = 0; i < count; i++) {
        if (native_decimal(state, PyList_GetItem(list, i), "quantities",
                           &values[i]) != 0) {
            return NULL;
        }
    }
    if (native_handle_ready(self, "price") != 0) {
        return NULL;
    }
    price = self->object;
    NATIVE_WITHOUT_GIL(
        self, error = met_price_rate_batch(price, values, (size_t)count,
                                           values, &info));
    if (error != MET_OK) {
        return native_raise(state, error, &info);
    }
    PyObject *out = PyList_New(count);
    for (Py_ssize_t i = 0; out != NULL && i < count; i++) {
        PyObject *total = native_decimal_object(state, &values[i]);
        if (total == NULL) {
            Py_CLEAR(out);
        } else {
            (void)PyList_SetItem(out, i, total);
        }
    }
    return out;
}

static PyObject *price_totals(PyObject *object, PyObject *quantities)
{
    PyObject *list = PySequence_List(quantities);
    PyObject *out = NULL;

    if (list == NULL) {
        return NULL;
    }
    size_t size = (size_t)PyList_Size(list) * sizeof(met_decimal);
    met_decimal *values = PyMem_Malloc(size + 1);
    out = values ? rate_list((native_handle *)object, list, values)
                 : PyErr_NoMemory();
    PyMem_Free(values);
    Py_DECREF(list);
    return out;
}

/* --- Without a store ------------------------------------------------------ */
typedef met_error (*pure_function)(const char *, size_t, const met_platform *,
                                   met_buffer *, met_error_info *);

static PyObject *call_pure(PyObject *module, PyObject *json,
                           pure_function function)
{
    native_state *state = PyModule_GetState(module);
    met_error_info info = {.struct_size = sizeof info};
    met_buffer out = {NULL, 0, NULL};
    const char *text = NULL;
    size_t size = 0;

    if (native_text(json, "document", &text, &size) != 0) {
        return NULL;
    }
    met_error error = function(text, size, NULL, &out, &info);
    return error == MET_OK ? native_buffer_text(&out)
                           : native_raise(state, error, &info);
}

PyObject *native_price_check(PyObject *module, PyObject *json)
{
    return call_pure(module, json, met_price_check);
}

PyObject *native_entitlement_simulate(PyObject *module, PyObject *json)
{
    return call_pure(module, json, met_entitlement_simulate);
}

PyObject *native_invoice_render(PyObject *module, PyObject *words)
{
    native_state *state = PyModule_GetState(module);
    met_error_info info = {.struct_size = sizeof info};
    met_buffer out = {NULL, 0, NULL};
    PyObject *json = NULL;
    PyObject *value = NULL;
    const char *text = NULL;
    size_t size = 0;
    uint32_t format = 0;

    if (!PyArg_ParseTuple(words, "OO", &json, &value)
        || native_text(json, "invoice", &text, &size) != 0
        || native_u32(state, value, "format", &format) != 0) {
        return NULL;
    }
    met_error error = met_invoice_render(text, size, format, &out, &info);
    return error == MET_OK ? native_buffer_text(&out)
                           : native_raise(state, error, &info);
}

/* --- Types ---------------------------------------------------------------- */
static PyMethodDef store_methods[] = {
    NATIVE_HANDLE_METHODS,
    {"call", store_call, METH_VARARGS, NULL},
    {"event_cursor", store_event_cursor, METH_O, NULL},
    {"usage_cursor", store_usage_cursor, METH_O, NULL},
    {"ingest", store_ingest, METH_NOARGS, NULL},
    {"billing_run", native_store_billing_run, METH_O, NULL},
    {"recorder", native_store_recorder, METH_VARARGS, NULL},
    {"gateway", native_store_gateway, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef cursor_methods[] = {
    NATIVE_HANDLE_METHODS,
    {"next", cursor_next, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef ingest_methods[] = {
    NATIVE_HANDLE_METHODS,
    {"json", ingest_json, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef price_methods[] = {
    NATIVE_HANDLE_METHODS,
    {"rate", price_rate, METH_O, NULL},
    {"totals", price_totals, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

#define HANDLE_SLOTS(name, ...)                                               \
    static PyType_Slot name##_slots[] = {                                     \
        {Py_tp_dealloc, (void *)native_handle_dealloc},                       \
        {Py_tp_methods, name##_methods},                                      \
        {Py_tp_getset, native_handle_getters},                                \
        __VA_ARGS__{0, NULL}}
HANDLE_SLOTS(store, {Py_tp_new, (void *)store_new}, );
HANDLE_SLOTS(price, {Py_tp_new, (void *)price_new}, );
HANDLE_SLOTS(cursor, );
HANDLE_SLOTS(ingest, );

int native_add_documents(PyObject *module, native_state *state)
{
    enum { MADE = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION };
    static PyType_Spec specs[] = {
        {"metering._native.Store", sizeof(native_handle), 0,
         Py_TPFLAGS_DEFAULT, store_slots},
        {"metering._native.Price", sizeof(native_handle), 0,
         Py_TPFLAGS_DEFAULT, price_slots},
        {"metering._native.UsageCursor", sizeof(native_handle), 0, MADE,
         cursor_slots},
        {"metering._native.Ingest", sizeof(native_handle), 0, MADE,
         ingest_slots},
    };

    state->store_type = native_add_type(module, &specs[0]);
    state->price_type = native_add_type(module, &specs[1]);
    state->cursor_type = native_add_type(module, &specs[2]);
    state->ingest_type = native_add_type(module, &specs[3]);
    return state->store_type == NULL || state->price_type == NULL
                   || state->cursor_type == NULL
                   || state->ingest_type == NULL
               ? -1
               : 0;
}
