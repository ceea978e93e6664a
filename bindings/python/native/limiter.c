/* Limiter, Policy, Decision: calls of metering/limiter.h. They take less than
 * a microsecond and keep the GIL, but for batches of more than 50. */
#include "native.h"

#include <stdio.h>

static met_limiter *limiter_of(native_handle *handle)
{
    return handle->object;
}

#define NOT_VALID "is not valid: the key, the cost, the time or own windows"

/* --- Limiter -------------------------------------------------------------- */
static void close_limiter(void *limiter)
{
    met_limiter_close(limiter);
}

static PyObject *limiter_new(PyTypeObject *type, PyObject *words,
                             PyObject *named)
{
    static char *names[] = {"path", "capacity", "full_policy", "clock", NULL};
    native_state *state = PyType_GetModuleState(type);
    met_limiter_config config = {.struct_size = sizeof config};
    met_error_info info = {.struct_size = sizeof info};
    PyObject *path = NULL;
    PyObject *numbers[3] = {NULL, NULL, NULL};
    met_limiter *limiter = NULL;
    met_error error;

    if (!PyArg_ParseTupleAndKeywords(words, named, "O&|OOO", names,
                                     PyUnicode_FSConverter, &path, &numbers[0],
                                     &numbers[1], &numbers[2])) {
        return NULL;
    }
    config.path = PyBytes_AsString(path);
    if (config.path == NULL
        || native_u64(state, numbers[0], "capacity", &config.capacity) != 0
        || native_u32(state, numbers[1], "full", &config.full_policy) != 0
        || native_u32(state, numbers[2], "clock", &config.clock) != 0) {
        Py_DECREF(path);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    error = met_limiter_open(&config, &limiter, &info);
    Py_END_ALLOW_THREADS
    Py_DECREF(path);
    if (error != MET_OK) {
        return native_raise(state, error, &info);
    }
    return native_handle_new((PyObject *)type, limiter, close_limiter, NULL,
                             NATIVE_SURVIVES_FORK);
}

/* Windows: tuples of (limit, window_ns, algorithm). Returns how many. */
static Py_ssize_t read_windows(native_state *state, PyObject *value,
                               const char *field, met_limiter_window *windows)
{
    if (!PyTuple_Check(value)) {
        return native_wrong_type(field, "a tuple of windows", value);
    }
    Py_ssize_t count = PyTuple_Size(value);
    if (count > MET_LIMITER_WINDOWS_MAX) {
        native_raise_field(state, MET_E_INVALID, field,
                           "must be at most 6 windows");
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = PyTuple_GetItem(value, i);
        char name[64];
        windows[i] = (met_limiter_window){0};
        if (!PyTuple_Check(item) || PyTuple_Size(item) != 3) {
            return native_wrong_type(field, "tuples of three numbers", item);
        }
        snprintf(name, sizeof name, "%s[%d]", field, (int)i);
        if (native_u64(state, PyTuple_GetItem(item, 0), name,
                       &windows[i].limit) != 0
            || native_i64(state, PyTuple_GetItem(item, 1), name,
                          &windows[i].window_ns) != 0
            || native_u32(state, PyTuple_GetItem(item, 2), name,
                          &windows[i].algorithm) != 0) {
            return -1;
        }
    }
    return count;
}

static PyObject *limiter_policy(PyObject *object, PyObject *words)
{
    native_handle *self = (native_handle *)object;
    native_state *state = native_state_of(self);
    met_limiter_window windows[MET_LIMITER_WINDOWS_MAX];
    met_limiter_policy wanted = {.struct_size = sizeof wanted};
    met_error_info info = {.struct_size = sizeof info};
    PyObject *name = NULL;
    PyObject *list = NULL;
    PyObject *flags = NULL;
    uint32_t number = 0;

    if (!PyArg_ParseTuple(words, "OO|O", &name, &list, &flags)
        || native_text(name, "name", &wanted.name, &wanted.name_size) != 0
        || native_u32(state, flags, "flags", &wanted.flags) != 0) {
        return NULL;
    }
    Py_ssize_t count = read_windows(state, list, "windows", windows);
    if (count < 0 || native_handle_ready(self, "limiter") != 0) {
        return NULL;
    }
    wanted.windows = windows;
    wanted.window_count = (size_t)count;
    met_error error =
        met_limiter_policy_set(limiter_of(self), &wanted, &number, &info);
    if (error != MET_OK) {
        return native_raise(state, error, &info);
    }
    native_policy *made = native_new(state->policy_type);
    if (made != NULL) {
        made->limiter = native_keep(self);
        made->number = number;
        made->name = Py_NewRef(name);
    }
    return (PyObject *)made;
}

static PyObject *limiter_stats(PyObject *object, PyObject *nothing)
{
    native_handle *self = (native_handle *)object;
    met_limiter_stats stats = {.struct_size = sizeof stats};
    met_error error;

    (void)nothing;
    if (native_handle_ready(self, "limiter") != 0) {
        return NULL;
    }
    met_limiter *limiter = limiter_of(self);
    NATIVE_WITHOUT_GIL(self, error = met_limiter_stats_get(limiter, &stats));
    if (error != MET_OK) {
        return native_raise(native_state_of(self), error, NULL);
    }
#define STAT(name) #name, (unsigned long long)stats.name
    return Py_BuildValue(
        "{sK sK sK sK sK sK sK sK sK sK sK sK sK sK sK}", STAT(capacity),
        STAT(records_used), STAT(records_live), STAT(policies), STAT(shapes),
        STAT(inserted), STAT(reclaimed), STAT(full_allowed),
        STAT(full_refused), STAT(undone), STAT(withheld), STAT(contended),
        STAT(duplicates), STAT(decisions), STAT(refusals));
#undef STAT
}

/* --- Policy --------------------------------------------------------------- */
enum { R_KEY, R_COST, R_KIND, R_MONOTONIC, R_UTC, R_OWN, R_BRIEF, R_COUNT };

static const char *const request_names[] = {
    "key", "cost", "kind", "monotonic_ns", "utc_ns", "own", "brief", NULL};

/* The arguments of one request; `windows` is room for its own limits. */
static int read_request(native_policy *self, const native_names *names,
                        PyObject *const *words, Py_ssize_t count,
                        PyObject *keywords, met_limiter_request *request,
                        met_limiter_window *windows)
{
    PyObject *values[R_COUNT];

    request->struct_size = sizeof *request;
    request->policy = self->number;
    if (count == 1 && keywords == NULL) { /* a key and nothing else */
        return native_text(words[0], "key", &request->key, &request->key_size)
                           != 0
                       || native_handle_ready(self->limiter, "limiter") != 0
                   ? -1
                   : 0;
    }
    native_state *state = native_state_of(self);
    if (native_arguments(names, words, count, keywords, values) != 0
        || native_text(values[R_KEY], "key", &request->key,
                       &request->key_size) != 0
        || native_handle_ready(self->limiter, "limiter") != 0) {
        return -1;
    }
    if (native_u64(state, values[R_COST], "cost", &request->cost) != 0
        || native_u32(state, values[R_KIND], "kind", &request->kind) != 0
        || native_i64(state, values[R_MONOTONIC], "monotonic_ns",
                      &request->monotonic_ns) != 0
        || native_i64(state, values[R_UTC], "utc_ns", &request->utc_ns)
               != 0) {
        return -1;
    }
    if (values[R_COST] != NULL && values[R_COST] != Py_None
        && request->cost == 0) {
        native_raise_field(state, MET_E_INVALID, "cost", "must be at least 1");
        return -1;
    }
    if (values[R_OWN] != NULL && values[R_OWN] != Py_None) {
        Py_ssize_t own = read_windows(state, values[R_OWN], "own", windows);
        if (own < 0) {
            return -1;
        }
        request->own_windows = windows;
        request->own_window_count = (size_t)own;
    }
    if (values[R_BRIEF] == Py_True) {
        request->flags = MET_LIMITER_BRIEF;
    }
    return 0;
}

typedef met_error (*decide)(met_limiter *, const met_limiter_request *,
                            met_limiter_result *);

static PyObject *decided(PyObject *object, const char *function, decide call,
                         PyObject *const *words, Py_ssize_t count,
                         PyObject *keywords)
{
    native_policy *self = (native_policy *)object;
    native_state *state = native_state_of(self);
    native_names names = {function, request_names, 1, 2};
    met_limiter_request request = {0};
    met_limiter_window windows[MET_LIMITER_WINDOWS_MAX];

    if (read_request(self, &names, words, count, keywords, &request, windows)
        != 0) {
        return NULL;
    }
    native_decision *out = native_new(state->decision_type);
    if (out == NULL) {
        return NULL;
    }
    out->result.struct_size = sizeof out->result;
    met_error error =
        call(limiter_of(self->limiter), &request, &out->result);
    if (error != MET_OK) {
        Py_DECREF(out);
        return native_raise_of(state, error, "request", NOT_VALID);
    }
    out->limiter = native_keep(self->limiter);
    return (PyObject *)out;
}

#define DECIDING(name)                                                        \
    static PyObject *policy_##name(PyObject *self, PyObject *const *words,    \
                                   Py_ssize_t count, PyObject *keywords)      \
    {                                                                         \
        return decided(self, #name, met_limiter_##name, words, count,         \
                       keywords);                                             \
    }
DECIDING(check)
DECIDING(peek)
DECIDING(charge)

static PyObject *policy_allow(PyObject *object, PyObject *const *words,
                              Py_ssize_t count, PyObject *keywords)
{
    static const native_names names = {"allow", request_names, 1, 2};
    native_policy *self = (native_policy *)object;
    met_limiter_request request = {0};
    met_limiter_window windows[MET_LIMITER_WINDOWS_MAX];
    met_limiter_result result;

    if (read_request(self, &names, words, count, keywords, &request, windows)
        != 0) {
        return NULL;
    }
    request.flags = MET_LIMITER_BRIEF;
    result.struct_size = sizeof result;
    met_error error = met_limiter_check(limiter_of(self->limiter),
                                        &request, &result);
    if (error != MET_OK) {
        return native_raise_of(native_state_of(self), error, "request",
                               NOT_VALID);
    }
    return PyBool_FromLong((long)result.is_allowed);
}

static PyObject *policy_reset(PyObject *object, PyObject *const *words,
                              Py_ssize_t count, PyObject *keywords)
{
    static const char *const some[] = {"key", "cost", "kind", NULL};
    static const native_names names = {"reset", some, 1, 1};
    native_policy *self = (native_policy *)object;
    PyObject *values[3] = {NULL, NULL, NULL};
    met_limiter_request request = {.struct_size = sizeof request,
                                   .policy = self->number};

    if (native_arguments(&names, words, count, keywords, values) != 0
        || native_text(values[0], "key", &request.key, &request.key_size) != 0
        || native_u32(native_state_of(self), values[2], "kind",
                      &request.kind) != 0
        || native_handle_ready(self->limiter, "limiter") != 0) {
        return NULL;
    }
    met_error error =
        met_limiter_reset(limiter_of(self->limiter), &request);
    if (error != MET_OK) {
        return native_raise_of(native_state_of(self), error, "key", NOT_VALID);
    }
    Py_RETURN_NONE;
}

static PyObject *policy_remove(PyObject *object, PyObject *nothing)
{
    native_policy *self = (native_policy *)object;
    met_error_info info = {.struct_size = sizeof info};

    (void)nothing;
    if (native_handle_ready(self->limiter, "limiter") != 0) {
        return NULL;
    }
    met_error error = met_limiter_policy_remove(
        limiter_of(self->limiter), self->number, &info);
    if (error != MET_OK) {
        return native_raise(native_state_of(self), error, &info);
    }
    Py_RETURN_NONE;
}


/* --- Keys ----------------------------------------------------------------- */
PyObject *native_limiter_key(PyObject *module, PyObject *const *words,
                             Py_ssize_t count, PyObject *keywords)
{
    static const char *const all[] = {"value", "scope", "kind", "form",
                                      "prefix_v4", "prefix_v6", NULL};
    static const native_names names = {"limiter_key", all, 1, 1};
    native_state *state = PyModule_GetState(module);
    met_limiter_identity identity = {.struct_size = sizeof identity};
    met_error_info info = {.struct_size = sizeof info};
    PyObject *values[6];
    size_t size = 0;

    if (native_arguments(&names, words, count, keywords, values) != 0
        || native_text(values[0], "value", &identity.value,
                       &identity.value_size) != 0
        || native_text(values[1], "scope", &identity.scope,
                       &identity.scope_size) != 0
        || native_u32(state, values[2], "kind", &identity.kind) != 0
        || native_u32(state, values[3], "form", &identity.form) != 0
        || native_u32(state, values[4], "prefix_v4", &identity.prefix_v4) != 0
        || native_u32(state, values[5], "prefix_v6", &identity.prefix_v6)
               != 0) {
        return NULL;
    }
    size_t room =
        identity.value_size + identity.scope_size + MET_LIMITER_KEY_EXTRA;
    char *key = PyMem_Malloc(room);
    if (key == NULL) {
        return PyErr_NoMemory();
    }
    met_error error =
        met_limiter_key_build(&identity, key, room, &size, &info);
    PyObject *out = error == MET_OK
                        ? PyBytes_FromStringAndSize(key, (Py_ssize_t)size)
                        : native_raise(state, error, &info);
    PyMem_Free(key);
    return out;
}

/* --- Types ---------------------------------------------------------------- */
static void policy_dealloc(PyObject *object)
{
    native_drop(((native_policy *)object)->limiter);
    native_drop(((native_policy *)object)->name);
    native_free(object);
}

static PyObject *policy_repr(PyObject *object)
{
    return PyUnicode_FromFormat("<metering.Policy %R>",
                                ((native_policy *)object)->name);
}

static PyObject *policy_get(PyObject *object, void *which)
{
    native_policy *self = (native_policy *)object;

    return which != NULL ? PyLong_FromUnsignedLong(self->number)
                         : Py_NewRef(self->name);
}

static PyMethodDef limiter_methods[] = {
    NATIVE_HANDLE_METHODS,
    {"policy", limiter_policy, METH_VARARGS, NULL},
    {"stats", limiter_stats, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef policy_methods[] = {
    NATIVE_METHOD("allow", policy_allow, "True or False; counts when True."),
    NATIVE_METHOD("check", policy_check, "Decide and count: a Decision."),
    NATIVE_METHOD("peek", policy_peek, "What check would say; counts nothing."),
    NATIVE_METHOD("charge", policy_charge, "Count, room or not."),
    NATIVE_METHOD("check_batch", native_policy_check_batch,
                  "Decide over buffers; returns how many."),
    NATIVE_METHOD("check_many", native_policy_check_many,
                  "Decide a list of keys: a list of bool."),
    NATIVE_METHOD("refund", native_policy_refund,
                  "Give back what a batch counted for one key."),
    NATIVE_METHOD("release", native_policy_release,
                  "Served: a key of a batch holds nothing in flight."),
    NATIVE_METHOD("reset", policy_reset, "Forget what a key has used."),
    {"remove", policy_remove, METH_NOARGS, "Remove it for everybody."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef policy_getters[] = {
    {"name", policy_get, NULL, NULL, NULL},
    {"number", policy_get, NULL, NULL, (void *)1},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot limiter_slots[] = {
    {Py_tp_new, (void *)limiter_new},
    {Py_tp_dealloc, (void *)native_handle_dealloc},
    {Py_tp_methods, limiter_methods},
    {Py_tp_getset, native_handle_getters},
    {0, NULL},
};

static PyType_Slot policy_slots[] = {
    {Py_tp_dealloc, (void *)policy_dealloc},
    {Py_tp_repr, (void *)policy_repr},
    {Py_tp_methods, policy_methods},
    {Py_tp_getset, policy_getters},
    {0, NULL},
};

int native_add_limiter(PyObject *module, native_state *state)
{
    static PyType_Spec specs[] = {
        {"metering._native.Limiter", sizeof(native_handle), 0,
         Py_TPFLAGS_DEFAULT, limiter_slots},
        {"metering.Policy", sizeof(native_policy), 0,
         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, policy_slots},
    };

    state->limiter_type = native_add_type(module, &specs[0]);
    state->policy_type = native_add_type(module, &specs[1]);
    return state->limiter_type == NULL || state->policy_type == NULL ? -1 : 0;
}
