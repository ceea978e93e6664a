/* The module: errors, handles, forks. */
#include "native.h"

#include <limits.h>

/* Forks that this process is away from the one that loaded the module. */
static unsigned long forks;

/* --- Errors --------------------------------------------------------------- */
PyObject *native_error(native_state *state, met_error error,
                       const char *field, const char *reason)
{
    return PyObject_CallFunction(
        state->make_error, "issy#y#", (int)error, met_error_name(error),
        met_error_message(error), field, (Py_ssize_t)strlen(field), reason,
        (Py_ssize_t)strlen(reason));
}

void *native_raise_field(native_state *state, met_error error,
                         const char *field, const char *reason)
{
    PyObject *made = native_error(state, error, field, reason);

    if (made != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(made), made);
        Py_DECREF(made);
    }
    return NULL;
}

void *native_raise(native_state *state, met_error error,
                   const met_error_info *info)
{
    int is_told = info != NULL && info->code == error;

    return native_raise_field(state, error, is_told ? info->field : "",
                              is_told ? info->reason : "");
}

void *native_raise_of(native_state *state, met_error error, const char *field,
                      const char *reason)
{
    return error == MET_E_INVALID || error == MET_E_LIMIT
               ? native_raise_field(state, error, field, reason)
               : native_raise(state, error, NULL);
}

int native_wrong_type(const char *field, const char *wanted, PyObject *got)
{
    PyObject *name = PyType_GetName(Py_TYPE(got));

    if (name != NULL) {
        PyErr_Format(PyExc_TypeError, "%s: must be %s, not %U", field, wanted,
                     name);
        Py_DECREF(name);
    }
    return -1;
}

/* --- Handles -------------------------------------------------------------- */
void *native_new(PyObject *type)
{
    return PyType_GenericAlloc((PyTypeObject *)type, 0);
}

PyObject *native_block(size_t count, size_t size)
{
    return PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(count * size));
}

void native_free(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_Free(self); /* no type of ours can be subclassed or collected */
    Py_DECREF(type);
}

void *native_handle_new(PyObject *type, void *object, void (*close)(void *),
                        native_handle *parent, int flags)
{
    native_handle *self = native_new(type);

    if (self == NULL) {
        close(object);
        return NULL;
    }
    self->object = object;
    self->close = close;
    self->born = flags & NATIVE_SURVIVES_FORK ? ULONG_MAX : forks;
    if (parent != NULL) {
        native_handle_hold(parent);
        self->parent = native_keep(parent);
    }
    if (flags & NATIVE_ALONE) {
        self->alone = PyThread_allocate_lock();
        if (self->alone == NULL) {
            Py_DECREF(self);
            return PyErr_NoMemory();
        }
    }
    return self;
}

static int is_of_this_process(const native_handle *self)
{
    return self->born == ULONG_MAX || self->born == forks;
}

static void finish(native_handle *self)
{
    void *object = self->object;
    native_handle *parent = self->parent;

    self->object = NULL;
    self->parent = NULL;
    if (object != NULL) {
        self->close(object);
    }
    if (parent != NULL) {
        native_handle_leave(parent);
        native_drop(parent);
    }
}

void native_handle_close(native_handle *self)
{
    if (self->object != NULL && !self->is_closing) {
        self->is_closing = 1;
        if (self->users == 0) {
            finish(self);
        }
    }
}

void native_handle_dealloc(PyObject *object)
{
    native_handle *self = (native_handle *)object;

    /* In a forked child a call of another thread may have been under way: what
     * it used is left alone. */
    if (self->users == 0) {
        finish(self);
    }
    if (self->alone != NULL && !self->is_busy) {
        PyThread_free_lock(self->alone);
    }
    native_free(object);
}

int native_handle_ready(native_handle *self, const char *name)
{
    if (!is_of_this_process(self)) {
        native_raise_field(native_state_of(self), MET_E_FORKED, name,
                           "was opened before the fork: open one in the "
                           "process that uses it");
        return -1;
    }
    while (self->is_busy) {
        native_handle_hold(self);
        Py_BEGIN_ALLOW_THREADS
        PyThread_acquire_lock(self->alone, WAIT_LOCK);
        PyThread_release_lock(self->alone);
        Py_END_ALLOW_THREADS
        native_handle_leave(self);
    }
    return native_handle_is_open(self, name);
}

int native_handle_is_open(native_handle *self, const char *name)
{
    if (self->object == NULL || self->is_closing) {
        native_raise_field(native_state_of(self), MET_OK, name, "is closed");
        return -1;
    }
    return 0;
}

void native_handle_hold(native_handle *self)
{
    self->users++;
}

void native_handle_leave(native_handle *self)
{
    if (--self->users == 0 && self->is_closing) {
        finish(self);
    }
}

void native_handle_begin(native_handle *self)
{
    native_handle_hold(self);
    if (self->alone != NULL) {
        /* Only waiters may hold it now, and they need no GIL to let go. */
        PyThread_acquire_lock(self->alone, WAIT_LOCK);
        self->is_busy = 1;
    }
}

void native_handle_end(native_handle *self)
{
    if (self->alone != NULL) {
        self->is_busy = 0;
        PyThread_release_lock(self->alone);
    }
    native_handle_leave(self);
}

PyObject *native_handle_method_close(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    native_handle_close((native_handle *)self);
    Py_RETURN_NONE;
}

PyObject *native_handle_method_enter(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    return native_handle_ready((native_handle *)self, "handle") == 0
               ? Py_NewRef(self)
               : NULL;
}

PyObject *native_handle_method_exit(PyObject *self, PyObject *what)
{
    (void)what;
    native_handle_close((native_handle *)self);
    Py_RETURN_NONE;
}

static PyObject *handle_closed(PyObject *self, void *nothing)
{
    native_handle *handle = (native_handle *)self;

    (void)nothing;
    return PyBool_FromLong(handle->object == NULL || handle->is_closing);
}

PyGetSetDef native_handle_getters[] = {
    {"closed", handle_closed, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* --- The module ----------------------------------------------------------- */
static PyObject *module_forked(PyObject *module, PyObject *nothing)
{
    (void)module;
    (void)nothing;
    forks++;
    Py_RETURN_NONE;
}

static PyObject *module_version(PyObject *module, PyObject *nothing)
{
    (void)module;
    (void)nothing;
    return PyUnicode_FromString(met_version_string());
}

static PyObject *module_guard_faults(PyObject *module, PyObject *nothing)
{
    (void)nothing;
    met_error error = met_fault_guard_install();

    if (error != MET_OK) {
        return native_raise(PyModule_GetState(module), error, NULL);
    }
    Py_RETURN_NONE;
}

static PyObject *module_error_numbers(PyObject *module, PyObject *nothing)
{
    PyObject *out = PyDict_New();

    (void)module;
    (void)nothing;
#define ADD_ERROR(name, number, text)                                         \
    if (out != NULL) {                                                        \
        PyObject *value = PyLong_FromLong(number);                            \
        if (value == NULL || PyDict_SetItemString(out, #name, value) != 0) {  \
            Py_CLEAR(out);                                                    \
        }                                                                     \
        Py_XDECREF(value);                                                    \
    }
    MET_ERROR_MAP(ADD_ERROR)
#undef ADD_ERROR
    return out;
}

PyObject *native_add_type(PyObject *module, PyType_Spec *spec)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);

    if (type != NULL && PyModule_AddType(module, (PyTypeObject *)type) != 0) {
        Py_CLEAR(type);
    }
    return type;
}

static PyObject *imported(const char *module_name, const char *name)
{
    PyObject *module = PyImport_ImportModule(module_name);
    PyObject *found = module ? PyObject_GetAttrString(module, name) : NULL;

    Py_XDECREF(module);
    return found;
}

/* The library that is loaded may be another build than the headers. */
static int check_version(void)
{
    if (met_version_number() < MET_VERSION_NUMBER) {
        PyErr_Format(PyExc_ImportError,
                     "metering was built for libmetering %s or later, but %s "
                     "is loaded",
                     MET_VERSION_STRING, met_version_string());
        return -1;
    }
    return 0;
}

static int module_execute(PyObject *module)
{
    native_state *state = PyModule_GetState(module);

    if (check_version() != 0) {
        return -1;
    }
    state->make_error = imported("metering.errors", "error_of");
    state->moment_of = imported("metering.values", "moment_of");
    state->decode = imported("metering.values", "decode");
    state->decimal = imported("decimal", "Decimal");
    if (state->make_error == NULL || state->moment_of == NULL
        || state->decode == NULL || state->decimal == NULL) {
        return -1;
    }
    state->decimal_str = PyObject_GetAttrString(state->decimal, "__str__");
    return state->decimal_str == NULL
                   || native_add_limiter(module, state) != 0
                   || native_add_decision(module, state) != 0
                   || native_add_documents(module, state) != 0
                   || native_add_recorder(module, state) != 0
                   || native_add_gateway(module, state) != 0
                   || native_add_billing(module, state) != 0
                   || native_add_clock(module, state) != 0
               ? -1
               : 0;
}

static PyObject **state_objects(native_state *state, size_t *count)
{
    *count = sizeof *state / sizeof(PyObject *);
    return (PyObject **)state;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    size_t count;
    PyObject **objects = state_objects(PyModule_GetState(module), &count);

    for (size_t i = 0; i < count; i++) {
        Py_VISIT(objects[i]);
    }
    return 0;
}

static int module_clear(PyObject *module)
{
    size_t count;
    PyObject **objects = state_objects(PyModule_GetState(module), &count);

    for (size_t i = 0; i < count; i++) {
        Py_CLEAR(objects[i]);
    }
    return 0;
}

static void module_free(void *module)
{
    module_clear(module);
}

static PyMethodDef module_methods[] = {
    {"_forked", module_forked, METH_NOARGS, NULL},
    {"version", module_version, METH_NOARGS, NULL},
    {"guard_faults", module_guard_faults, METH_NOARGS,
     "Live on when a mapped file is cut short: whoever touches what is gone\n"
     "gets StorageError or CorruptError, and the next tick goes on with\n"
     "another file. Without it the process ends with SIGBUS. For the whole\n"
     "process; other handlers of SIGBUS get what is not of these files."},
    {"error_numbers", module_error_numbers, METH_NOARGS, NULL},
    NATIVE_METHOD("limiter_key", native_limiter_key, NULL),
    {"metrics", native_metrics, METH_VARARGS, NULL},
    {"entitlement_simulate", native_entitlement_simulate, METH_O, NULL},
    {"price_check", native_price_check, METH_O, NULL},
    {"invoice_render", native_invoice_render, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, (void *)module_execute},
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "metering._native",
    .m_size = sizeof(native_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__native(void);
PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&module_definition);
}
