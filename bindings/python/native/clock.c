/* Clock: a time that stands still until it is set, for tests of what happens
 * at the end of a month. A store reads it without asking Python. */
#include "native.h"

typedef struct native_clock_object {
    PyObject_HEAD
    int64_t utc_ns; /* also of the monotonic clock; atomic */
} native_clock_object;

static int64_t read_clock(void *context)
{
    return __atomic_load_n((int64_t *)context, __ATOMIC_RELAXED);
}

int native_clock(native_state *state, PyObject *value, met_clock *out)
{
    if (value == Py_None) {
        return 0;
    }
    if (!Py_IS_TYPE(value, (PyTypeObject *)state->clock_type)) {
        return native_wrong_type("clock", "a Clock", value);
    }
    /* Stores of one directory share the clock of the first, and nobody knows
     * when the last one is closed. */
    native_clock_object *clock = native_keep(value);
    *out = (met_clock){&clock->utc_ns, read_clock, read_clock};
    return 0;
}

static PyObject *clock_new(PyTypeObject *type, PyObject *words,
                           PyObject *named)
{
    native_state *state = PyType_GetModuleState(type);
    PyObject *value = NULL;
    int64_t utc_ns = 0;

    if (named != NULL || !PyArg_ParseTuple(words, "O", &value)
        || native_moment(state, value, "at", &utc_ns) != 0) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "Clock() takes one time");
        }
        return NULL;
    }
    native_clock_object *self = native_new((PyObject *)type);
    if (self != NULL) {
        __atomic_store_n(&self->utc_ns, utc_ns, __ATOMIC_RELAXED);
    }
    return (PyObject *)self;
}

static PyObject *clock_get(PyObject *object, void *nothing)
{
    (void)nothing;
    return PyLong_FromLongLong(
        read_clock(&((native_clock_object *)object)->utc_ns));
}

static PyObject *clock_set(PyObject *object, PyObject *value)
{
    native_clock_object *self = (native_clock_object *)object;
    native_state *state = native_state_of(self);
    int64_t utc_ns = 0;

    if (native_moment(state, value, "at", &utc_ns) != 0) {
        return NULL;
    }
    if (utc_ns < read_clock(&self->utc_ns)) {
        return native_raise_field(state, MET_E_INVALID, "at",
                                  "must not be earlier than the clock");
    }
    __atomic_store_n(&self->utc_ns, utc_ns, __ATOMIC_RELAXED);
    Py_RETURN_NONE;
}

static PyMethodDef clock_methods[] = {
    {"set", clock_set, METH_O, "Set it to a later time."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef clock_getters[] = {
    {"utc_ns", clock_get, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot clock_slots[] = {
    {Py_tp_new, (void *)clock_new},
    {Py_tp_dealloc, (void *)native_free},
    {Py_tp_methods, clock_methods},
    {Py_tp_getset, clock_getters},
    {0, NULL},
};

int native_add_clock(PyObject *module, native_state *state)
{
    static PyType_Spec spec = {"metering.Clock", sizeof(native_clock_object),
                               0, Py_TPFLAGS_DEFAULT, clock_slots};

    state->clock_type = native_add_type(module, &spec);
    return state->clock_type == NULL ? -1 : 0;
}
