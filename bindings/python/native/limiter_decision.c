/* Decision: what a limiter says of one request, and its ticket. */
#include "native.h"

static void decision_dealloc(PyObject *object)
{
    native_drop(((native_decision *)object)->limiter);
    native_free(object);
}

static const met_limiter_result *result_of(PyObject *object)
{
    return &((native_decision *)object)->result;
}

static PyObject *window_state(native_state *state,
                              const met_limiter_window_result *window)
{
    PyObject *out = PyStructSequence_New((PyTypeObject *)state->window_type);

    if (out != NULL) {
        PyStructSequence_SetItem(out, 0,
                                 PyLong_FromUnsignedLongLong(window->limit));
        PyStructSequence_SetItem(
            out, 1, PyLong_FromUnsignedLongLong(window->remaining));
        PyStructSequence_SetItem(out, 2,
                                 PyLong_FromLongLong(window->window_ns));
        PyStructSequence_SetItem(out, 3, PyLong_FromLongLong(window->reset_ns));
        PyStructSequence_SetItem(out, 4, PyLong_FromLongLong(window->wait_ns));
        PyStructSequence_SetItem(out, 5, PyLong_FromLong(window->algorithm));
        PyStructSequence_SetItem(out, 6,
                                 PyBool_FromLong(window->is_refusing != 0));
    }
    return out;
}

static PyObject *decision_windows(PyObject *object, void *nothing)
{
    const met_limiter_result *result = result_of(object);
    PyObject *out = PyTuple_New((Py_ssize_t)result->window_count);

    (void)nothing;
    for (uint32_t i = 0; out != NULL && i < result->window_count; i++) {
        PyObject *item =
            window_state(native_state_of(object), &result->windows[i]);
        if (item == NULL) {
            Py_CLEAR(out);
        } else {
            (void)PyTuple_SetItem(out, (Py_ssize_t)i, item);
        }
    }
    return out;
}

enum { D_ALLOWED, D_REASON, D_LIMIT, D_REMAINING, D_RESET, D_WAIT };

static PyObject *decision_get(PyObject *object, void *which)
{
    const met_limiter_result *result = result_of(object);
    const met_limiter_window_result *told =
        &result->windows[result->reported % MET_LIMITER_WINDOWS_MAX];

    switch ((intptr_t)which) {
    case D_ALLOWED:
        return PyBool_FromLong((long)result->is_allowed);
    case D_REASON:
        return PyLong_FromLong((long)result->reason);
    case D_LIMIT:
        return PyLong_FromUnsignedLongLong(told->limit);
    case D_REMAINING:
        return PyLong_FromUnsignedLongLong(told->remaining);
    case D_RESET:
        return PyLong_FromLongLong(told->reset_ns);
    default:
        return PyLong_FromLongLong(result->wait_ns);
    }
}

static int decision_bool(PyObject *object)
{
    return result_of(object)->is_allowed != 0;
}

static PyObject *decision_repr(PyObject *object)
{
    const met_limiter_result *result = result_of(object);
    const met_limiter_window_result *told =
        &result->windows[result->reported % MET_LIMITER_WINDOWS_MAX];

    return PyUnicode_FromFormat(
        "<metering.Decision %s, %llu of %llu left>",
        result->is_allowed ? "allowed" : "refused",
        (unsigned long long)told->remaining, (unsigned long long)told->limit);
}

#define NOTHING_LEFT "has nothing that can be given back"

static PyObject *decision_refund(PyObject *object, PyObject *words)
{
    native_decision *self = (native_decision *)object;
    PyObject *value = NULL;
    uint64_t cost = 0;
    uint32_t withheld = 0;

    if (!PyArg_ParseTuple(words, "|O", &value)
        || native_u64(native_state_of(self), value, "cost", &cost) != 0
        || native_handle_ready(self->limiter, "limiter") != 0) {
        return NULL;
    }
    met_error error = met_limiter_refund(
        self->limiter->object, &self->result.ticket, cost, &withheld);
    return error == MET_OK ? PyLong_FromUnsignedLong(withheld)
                           : native_raise_of(native_state_of(self), error,
                                             "decision", NOTHING_LEFT);
}

static PyObject *decision_release(PyObject *object, PyObject *nothing)
{
    native_decision *self = (native_decision *)object;
    uint32_t withheld = 0;

    (void)nothing;
    if (native_handle_ready(self->limiter, "limiter") != 0) {
        return NULL;
    }
    met_error error = met_limiter_release(
        self->limiter->object, &self->result.ticket, &withheld);
    return error == MET_OK ? PyLong_FromUnsignedLong(withheld)
                           : native_raise_of(native_state_of(self), error,
                                             "decision", NOTHING_LEFT);
}

static PyObject *decision_headers(PyObject *object, PyObject *const *words,
                                  Py_ssize_t count, PyObject *keywords)
{
    static const char *const all[] = {"styles", "jitter_max_s", "jitter_seed",
                                      "partition_key", NULL};
    static const native_names names = {"headers", all, 0, 1};
    native_state *state = native_state_of(object);
    met_limiter_headers_options options = {.struct_size = sizeof options};
    met_error_info info = {.struct_size = sizeof info};
    char text[MET_LIMITER_HEADERS_SIZE];
    PyObject *values[4];

    if (native_arguments(&names, words, count, keywords, values) != 0
        || native_u32(state, values[0], "styles", &options.styles) != 0
        || native_u32(state, values[1], "jitter_max_s", &options.jitter_max_s)
               != 0
        || native_u64(state, values[2], "jitter_seed", &options.jitter_seed)
               != 0
        || native_text_or_none(values[3], "partition_key",
                               &options.partition_key,
                               &options.partition_key_size) != 0) {
        return NULL;
    }
    met_error error = met_limiter_headers_write(result_of(object), &options,
                                                text, sizeof text, NULL,
                                                &info);
    return error == MET_OK ? native_header_list(text, "(s#s#)")
                           : native_raise(state, error, &info);
}

static PyMethodDef decision_methods[] = {
    {"refund", decision_refund, METH_VARARGS, "Give back what was counted."},
    {"release", decision_release, METH_NOARGS, "Served: nothing in flight."},
    NATIVE_METHOD("headers", decision_headers, "The lines to send."),
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef decision_getters[] = {
    {"is_allowed", decision_get, NULL, NULL, (void *)D_ALLOWED},
    {"reason", decision_get, NULL, NULL, (void *)D_REASON},
    {"limit", decision_get, NULL, NULL, (void *)D_LIMIT},
    {"remaining", decision_get, NULL, NULL, (void *)D_REMAINING},
    {"reset_ns", decision_get, NULL, NULL, (void *)D_RESET},
    {"wait_ns", decision_get, NULL, NULL, (void *)D_WAIT},
    {"windows", decision_windows, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot decision_slots[] = {
    {Py_tp_dealloc, (void *)decision_dealloc},
    {Py_tp_repr, (void *)decision_repr},
    {Py_tp_methods, decision_methods},
    {Py_tp_getset, decision_getters},
    {Py_nb_bool, (void *)decision_bool},
    {0, NULL},
};

static PyStructSequence_Field window_fields[] = {
    {"limit", NULL},    {"remaining", NULL}, {"window_ns", NULL},
    {"reset_ns", NULL}, {"wait_ns", NULL},   {"algorithm", NULL},
    {"is_refusing", NULL}, {NULL, NULL},
};

int native_add_decision(PyObject *module, native_state *state)
{
    static PyStructSequence_Desc window = {"metering.WindowState", NULL,
                                           window_fields, 7};
    static PyType_Spec spec = {
        "metering.Decision", sizeof(native_decision), 0,
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
        decision_slots};

    state->decision_type = native_add_type(module, &spec);
    state->window_type = (PyObject *)PyStructSequence_NewType(&window);
    return state->decision_type == NULL || state->window_type == NULL
                   || PyModule_AddObjectRef(module, "WindowState",
                                            state->window_type) != 0
               ? -1
               : 0;
}
