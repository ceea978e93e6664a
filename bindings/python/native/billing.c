/* BillingRun: a run that bills everybody who is due, part by part. Every part
 * waits for the disk, and so gives the GIL away. */
#include "native.h"

static void close_run(void *run)
{
    met_billing_run_close(run);
}

PyObject *native_store_billing_run(PyObject *object, PyObject *as_of)
{
    native_handle *self = (native_handle *)object;
    native_state *state = native_state_of(self);
    met_error_info info = {.struct_size = sizeof info};
    met_billing_run *run = NULL;
    int64_t at = 0;
    met_error error;

    if (native_moment(state, as_of, "as_of", &at) != 0
        || native_handle_ready(self, "store") != 0) {
        return NULL;
    }
    met_store *store = self->object;
    NATIVE_WITHOUT_GIL(
        self, error = met_billing_run_open(store, at, &run, &info));
    if (error != MET_OK) {
        return native_raise(state, error, &info);
    }
    return native_handle_new(state->billing_run_type, run, close_run, self,
                             NATIVE_ALONE);
}

static PyObject *run_step(PyObject *object, PyObject *nothing)
{
    native_handle *self = (native_handle *)object;
    met_billing_report report = {.struct_size = sizeof report};
    met_error_info info = {.struct_size = sizeof info};
    met_error error;

    (void)nothing;
    if (native_handle_ready(self, "run") != 0) {
        return NULL;
    }
    met_billing_run *run = self->object;
    NATIVE_WITHOUT_GIL(self,
                       error = met_billing_run_step(run, &report, &info));
    if (error != MET_OK) {
        return native_raise(native_state_of(self), error, &info);
    }
#define NUMBER(name) #name, (unsigned long long)report.name
    return Py_BuildValue(
        "{sL sO sK sK sK sK sK sK sK sK sK sK sK sK ss ss}", "as_of_ns",
        (long long)report.as_of_ns, "is_done",
        report.stage == MET_BILLING_DONE ? Py_True : Py_False,
        NUMBER(customers), NUMBER(measured), NUMBER(usage), NUMBER(drafts),
        NUMBER(interim), NUMBER(collected), NUMBER(issued),
        NUMBER(credit_notes),
        NUMBER(deleted), NUMBER(overdue), NUMBER(waiting), NUMBER(failed),
        "failed_name", report.failed_name, "failed_reason",
        report.failed_reason);
#undef NUMBER
}

static PyMethodDef run_methods[] = {
    NATIVE_HANDLE_METHODS,
    {"step", run_step, METH_NOARGS, "Do a part; is_done at the end."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot run_slots[] = {
    {Py_tp_dealloc, (void *)native_handle_dealloc},
    {Py_tp_methods, run_methods},
    {Py_tp_getset, native_handle_getters},
    {0, NULL},
};

int native_add_billing(PyObject *module, native_state *state)
{
    static PyType_Spec spec = {
        "metering._native.BillingRun", sizeof(native_handle), 0,
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, run_slots};

    state->billing_run_type = native_add_type(module, &spec);
    return state->billing_run_type == NULL ? -1 : 0;
}

/* --- Metrics -------------------------------------------------------------- */
/* One source: its type, or None. */
static int take_source(PyObject *value, PyObject *type, const char *name,
                       void **out)
{
    if (value == Py_None) {
        return 0;
    }
    if (!Py_IS_TYPE(value, (PyTypeObject *)type)) {
        return native_wrong_type(name, name, value);
    }
    if (native_handle_ready((native_handle *)value, name) != 0) {
        return -1;
    }
    *out = ((native_handle *)value)->object;
    return 0;
}

static void around(PyObject **values, void (*call)(native_handle *))
{
    for (int i = 0; i < 3; i++) {
        if (values[i] != Py_None) {
            call((native_handle *)values[i]);
        }
    }
}

/* metrics(store, gateway, limiter, flags) -> text */
PyObject *native_metrics(PyObject *module, PyObject *words)
{
    native_state *state = PyModule_GetState(module);
    met_stats_sources sources = {.struct_size = sizeof sources};
    met_error_info info = {.struct_size = sizeof info};
    met_buffer out = {NULL, 0, NULL};
    PyObject *values[3];
    PyObject *flags;
    void *found[3] = {NULL, NULL, NULL};
    met_error error;

    if (!PyArg_ParseTuple(words, "OOOO", &values[0], &values[1], &values[2],
                          &flags)
        || native_u64(state, flags, "flags", &sources.flags) != 0
        || take_source(values[1], state->gateway_type, "gateway", &found[1])
               != 0
        || take_source(values[0], state->store_type, "store", &found[0]) != 0
        || take_source(values[2], state->limiter_type, "limiter", &found[2])
               != 0) {
        return NULL;
    }
    sources.store = found[0];
    sources.gateway = found[1];
    sources.limiter = found[2];
    around(values, native_handle_begin);
    Py_BEGIN_ALLOW_THREADS
    error = met_stats_write(&sources, &out, &info);
    Py_END_ALLOW_THREADS
    around(values, native_handle_end);
    return error == MET_OK ? native_buffer_text(&out)
                           : native_raise(state, error, &info);
}
