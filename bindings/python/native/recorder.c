/* Recorder and Prepared: counting on the request path. It takes less than a
 * microsecond and keeps the GIL, so that threads may share a recorder; only
 * tick gives it away. */
#include "native.h"

#include <stdio.h>

#define PAIRS_MAX 64
#define CHUNK 64

/* One event and room for what it points at. */
typedef struct event_room {
    met_event event;
    met_pair pairs[PAIRS_MAX];
    met_quantity quantities[PAIRS_MAX];
} event_room;

/* --- Events --------------------------------------------------------------- */
static int read_value(native_state *state, PyObject *key, PyObject *number,
                      met_decimal *out)
{
    const char *name = NULL;
    size_t size = 0;
    char field[128];

    if (native_text(key, "quantities", &name, &size) != 0) {
        return -1;
    }
    snprintf(field, sizeof field, "quantities.%.*s",
             (int)(size < 100 ? size : 100), name);
    Py_INCREF(number);
    int result = native_decimal(state, number, field, out);
    Py_DECREF(number);
    return result;
}

/* Numbers come first: writing one as text may collect garbage, and that may
 * run code that changes what is given. Names and texts are borrowed when
 * nothing runs any more. Returns how many, or -1. */
static Py_ssize_t read_numbers(native_state *state, PyObject *value,
                               met_quantity *out)
{
    PyObject *key = NULL;
    PyObject *number = NULL;
    Py_ssize_t at = 0;
    Py_ssize_t count = 0;

    if (value == NULL || value == Py_None) {
        return 0;
    }
    if (!PyDict_Check(value)) {
        return native_wrong_type("quantities", "a dict", value);
    }
    while (PyDict_Next(value, &at, &key, &number)) {
        if (count == PAIRS_MAX) {
            native_raise_field(state, MET_E_LIMIT, "quantities",
                               "must be at most 64");
            return -1;
        }
        if (read_value(state, key, number, &out[count++].value) != 0) {
            return -1;
        }
    }
    return count;
}

/* Names of `count` numbers; fewer when the dict has shrunk. */
static Py_ssize_t read_names(PyObject *value, met_quantity *out,
                             Py_ssize_t count)
{
    PyObject *key = NULL;
    Py_ssize_t at = 0;
    Py_ssize_t named = 0;

    while (named < count && PyDict_Next(value, &at, &key, NULL)) {
        if (native_text(key, "quantities", &out[named].key,
                        &out[named].key_size)
            != 0) {
            return -1;
        }
        named++;
    }
    return named;
}

/* values: type, subject, attributes, quantities, at. */
enum { E_TYPE, E_SUBJECT, E_ATTRIBUTES, E_QUANTITIES, E_AT, E_COUNT };

/* What may run code of the caller's: the time, the numbers. */
static int begin_event(native_state *state, PyObject **values,
                       event_room *room)
{
    met_event *event = &room->event;

    *event = (met_event){.struct_size = sizeof *event,
                         .attributes = room->pairs,
                         .quantities = room->quantities};
    if (native_moment(state, values[E_AT], "at", &event->utc_ns) != 0) {
        return -1;
    }
    Py_ssize_t count =
        read_numbers(state, values[E_QUANTITIES], room->quantities);
    event->quantity_count = count > 0 ? (size_t)count : 0;
    return count < 0 ? -1 : 0;
}

/* What is borrowed: from here to the call nothing may run or wait. */
static int end_event(PyObject **values, event_room *room)
{
    met_event *event = &room->event;
    Py_ssize_t named = read_names(values[E_QUANTITIES], room->quantities,
                                  (Py_ssize_t)event->quantity_count);
    Py_ssize_t pairs = named < 0
                           ? -1
                           : native_pairs(values[E_ATTRIBUTES], "attributes",
                                          room->pairs, PAIRS_MAX);

    if (pairs < 0
        || native_text(values[E_TYPE], "type", &event->type, &event->type_size)
               != 0
        || native_text(values[E_SUBJECT], "subject", &event->subject,
                       &event->subject_size) != 0) {
        return -1;
    }
    event->attribute_count = (size_t)pairs;
    event->quantity_count = (size_t)named;
    return 0;
}

/* One event for a call on a recorder. */
static int read_event(native_handle *recorder, PyObject **values,
                      event_room *room)
{
    return begin_event(native_state_of(recorder), values, room) != 0
                   || native_handle_ready(recorder, "recorder") != 0
                   || end_event(values, room) != 0
               ? -1
               : 0;
}

/* --- Recorder ------------------------------------------------------------- */
static void close_recorder(void *recorder)
{
    met_recorder_close(recorder);
}

PyObject *native_store_recorder(PyObject *object, PyObject *words)
{
    native_handle *self = (native_handle *)object;
    native_state *state = native_state_of(self);
    met_recorder_config config = {.struct_size = sizeof config};
    met_error_info info = {.struct_size = sizeof info};
    met_recorder *recorder = NULL;
    PyObject *shapes = NULL;
    met_error error;

    if (!PyArg_ParseTuple(words, "|O", &shapes)
        || native_u64(state, shapes, "shapes_max", &config.shapes_max) != 0
        || native_handle_ready(self, "store") != 0) {
        return NULL;
    }
    met_store *store = self->object;
    NATIVE_WITHOUT_GIL(self, error = met_recorder_open(store, &config,
                                                       &recorder, &info));
    if (error != MET_OK) {
        return native_raise(state, error, &info);
    }
    return native_handle_new(state->recorder_type, recorder, close_recorder,
                             self, NATIVE_ALONE);
}

static const char *const event_names[] = {"type",       "subject",
                                          "attributes", "quantities",
                                          "at",         NULL};

static PyObject *recorder_add(PyObject *object, PyObject *const *words,
                              Py_ssize_t count, PyObject *keywords)
{
    static const native_names names = {"add", event_names, 2, 5};
    native_handle *self = (native_handle *)object;
    native_state *state = native_state_of(self);
    met_error_info info;
    PyObject *values[E_COUNT];
    event_room room;

    if (native_arguments(&names, words, count, keywords, values) != 0
        || read_event(self, values, &room) != 0) {
        return NULL;
    }
    info.struct_size = sizeof info;
    met_error error = met_recorder_add(self->object, &room.event, &info);
    if (error != MET_OK) {
        return native_raise(state, error, &info);
    }
    Py_RETURN_NONE;
}

/* The reason of the first of a chunk that was not counted, without its place;
 * of the others the error's own words. */
static int note_failures(native_state *state, PyObject *out, Py_ssize_t first,
                         const met_error *errors, Py_ssize_t count,
                         const met_error_info *info)
{
    int is_first = 1;

    for (Py_ssize_t i = 0; i < count; i++) {
        if (errors[i] == MET_OK) {
            continue;
        }
        const char *dot = is_first ? strchr(info->field, '.') : NULL;
        PyObject *error = native_error(state, errors[i], dot ? dot + 1 : "",
                                       is_first ? info->reason : "");
        PyObject *index = PyLong_FromSsize_t(first + i);
        int is_set = error != NULL && index != NULL
                     && PyDict_SetItem(out, index, error) == 0;
        Py_XDECREF(error);
        Py_XDECREF(index);
        if (!is_set) {
            return -1;
        }
        is_first = 0;
    }
    return 0;
}

/* The words of an event of a list: a tuple. */
static int split_event(PyObject *item, PyObject **values)
{
    if (!PyTuple_Check(item) || PyTuple_Size(item) < 2
        || PyTuple_Size(item) > E_AT) {
        return native_wrong_type(
            "events", "tuples of 2 to 4: type, subject, attributes, "
                      "quantities", item);
    }
    memset(values, 0, E_COUNT * sizeof *values);
    for (Py_ssize_t i = 0; i < PyTuple_Size(item); i++) {
        values[i] = PyTuple_GetItem(item, i);
    }
    return 0;
}

/* Events of a list from `first` on, at most a chunk. */
static Py_ssize_t add_chunk(native_handle *self, PyObject *list,
                            Py_ssize_t first, event_room *rooms, PyObject *out)
{
    native_state *state = native_state_of(self);
    met_error_info info = {.struct_size = sizeof info};
    met_event events[CHUNK];
    met_error errors[CHUNK] = {MET_OK};
    PyObject *values[CHUNK][E_COUNT];
    Py_ssize_t count = PyList_Size(list) - first;

    count = count < CHUNK ? count : CHUNK;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (split_event(PyList_GetItem(list, first + i), values[i]) != 0
            || begin_event(state, values[i], &rooms[i]) != 0) {
            return -1;
        }
    }
    if (native_handle_ready(self, "recorder") != 0) {
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (end_event(values[i], &rooms[i]) != 0) {
            return -1;
        }
        events[i] = rooms[i].event;
    }
    met_error error = met_recorder_add_batch(self->object, events,
                                             (size_t)count, errors, &info);
    if (error == MET_E_FORKED) {
        native_raise(state, error, &info);
        return -1;
    }
    return error == MET_OK
                   || note_failures(state, out, first, errors, count, &info)
                          == 0
               ? count
               : -1;
}

static PyObject *recorder_add_many(PyObject *object, PyObject *events)
{
    PyObject *list = PySequence_List(events);
    PyObject *out = PyDict_New();
    event_room *rooms = PyMem_Malloc(CHUNK * sizeof *rooms);
    Py_ssize_t at = 0;

    if (rooms == NULL && list != NULL && out != NULL) {
        PyErr_NoMemory();
    }
    while (list != NULL && out != NULL && rooms != NULL
           && at < PyList_Size(list)) {
        Py_ssize_t done =
            add_chunk((native_handle *)object, list, at, rooms, out);
        if (done < 0) {
            Py_CLEAR(out);
        }
        at += done;
    }
    if (list == NULL || rooms == NULL) {
        Py_CLEAR(out);
    }
    PyMem_Free(rooms);
    Py_XDECREF(list);
    return out;
}

static PyObject *recorder_tick(PyObject *object, PyObject *nothing)
{
    native_handle *self = (native_handle *)object;
    met_error error;

    (void)nothing;
    if (native_handle_ready(self, "recorder") != 0) {
        return NULL;
    }
    met_recorder *recorder = self->object;
    NATIVE_WITHOUT_GIL(self, error = met_recorder_tick(recorder));
    if (error != MET_OK) {
        return native_raise(native_state_of(self), error, NULL);
    }
    Py_RETURN_NONE;
}

/* --- Prepared ------------------------------------------------------------- */
static void close_prepared(void *prepared)
{
    met_prepared_close(prepared);
}

static PyObject *recorder_prepare(PyObject *object, PyObject *const *words,
                                  Py_ssize_t count, PyObject *keywords)
{
    static const char *const some[] = {"type", "subject", "attributes", NULL};
    static const native_names names = {"prepare", some, 2, 3};
    native_handle *self = (native_handle *)object;
    native_state *state = native_state_of(self);
    met_error_info info = {.struct_size = sizeof info};
    PyObject *values[E_COUNT] = {NULL};
    met_prepared *prepared = NULL;
    event_room room;

    if (native_arguments(&names, words, count, keywords, values) != 0
        || read_event(self, values, &room) != 0) {
        return NULL;
    }
    met_error error =
        met_prepared_open(self->object, &room.event, &prepared, &info);
    if (error != MET_OK) {
        return native_raise(state, error, &info);
    }
    return native_handle_new(state->prepared_type, prepared, close_prepared,
                             self, 0);
}

/* It waits for a tick of its recorder; both may be closed meanwhile. */
static int wait_for_recorder(native_handle *self)
{
    if (native_handle_ready(self, "prepared") != 0) {
        return -1;
    }
    native_handle *recorder = native_keep(self->parent);
    int result = native_handle_ready(recorder, "recorder") != 0
                         || native_handle_is_open(self, "prepared") != 0
                     ? -1
                     : 0;
    native_drop(recorder);
    return result;
}

static PyObject *prepared_add(PyObject *object, PyObject *const *words,
                              Py_ssize_t count, PyObject *keywords)
{
    static const char *const some[] = {"quantities", "at", NULL};
    static const native_names names = {"add", some, 0, 2};
    native_handle *self = (native_handle *)object;
    native_state *state = native_state_of(self);
    met_error_info info;
    met_quantity quantities[PAIRS_MAX];
    Py_ssize_t size = 0;
    PyObject *values[2] = {NULL, NULL};
    int64_t at = 0;

    if ((count > 0 || keywords != NULL)
        && (native_arguments(&names, words, count, keywords, values) != 0
            || native_moment(state, values[1], "at", &at) != 0
            || (size = read_numbers(state, values[0], quantities)) < 0)) {
        return NULL;
    }
    if (wait_for_recorder(self) != 0
        || (size = read_names(values[0], quantities, size)) < 0) {
        return NULL;
    }
    info.struct_size = sizeof info;
    met_error error = met_prepared_add(self->object, quantities, (size_t)size,
                                       at, &info);
    if (error != MET_OK) {
        return native_raise(state, error, &info);
    }
    Py_RETURN_NONE;
}

/* --- Types ---------------------------------------------------------------- */
static PyMethodDef recorder_methods[] = {
    NATIVE_HANDLE_METHODS,
    NATIVE_METHOD("add", recorder_add, "Count one event."),
    {"add_many", recorder_add_many, METH_O,
     "Count many events: a dict of the errors of those not counted."},
    NATIVE_METHOD("prepare", recorder_prepare, "An event that comes again."),
    {"tick", recorder_tick, METH_NOARGS, "Housekeeping, once a second."},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef prepared_methods[] = {
    NATIVE_HANDLE_METHODS,
    NATIVE_METHOD("add", prepared_add, "Count it once more."),
    {NULL, NULL, 0, NULL},
};

static PyType_Slot recorder_slots[] = {
    {Py_tp_dealloc, (void *)native_handle_dealloc},
    {Py_tp_methods, recorder_methods},
    {Py_tp_getset, native_handle_getters},
    {0, NULL},
};

static PyType_Slot prepared_slots[] = {
    {Py_tp_dealloc, (void *)native_handle_dealloc},
    {Py_tp_methods, prepared_methods},
    {Py_tp_getset, native_handle_getters},
    {0, NULL},
};

int native_add_recorder(PyObject *module, native_state *state)
{
    enum { MADE = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION };
    static PyType_Spec specs[] = {
        {"metering.Recorder", sizeof(native_handle), 0, MADE, recorder_slots},
        {"metering.Prepared", sizeof(native_handle), 0, MADE, prepared_slots},
    };

    state->recorder_type = native_add_type(module, &specs[0]);
    state->prepared_type = native_add_type(module, &specs[1]);
    return state->recorder_type == NULL || state->prepared_type == NULL ? -1
                                                                        : 0;
}
