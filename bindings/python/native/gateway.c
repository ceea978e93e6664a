/* Gateway and Admission: one call before a request is served, one after. Both
 * keep the GIL, so that threads may share a gateway; tick gives it away. */
#include "native.h"

#define HEADERS_ROOM 64
#define HEADERS_MAX 4096

/* Texts of a decision that are kept; bytes, or NULL when empty. */
enum {
    A_BODY, A_RESPONSE_HEADERS, A_DROP_HEADERS, A_UPSTREAM_HEADERS,
    A_UPSTREAM_QUERY, A_CONSUMER, A_SERVICE, A_ROUTE, A_TEXTS
};

typedef struct admission {
    PyObject_HEAD
    native_handle *gateway;
    PyObject *texts[A_TEXTS];
    const char *reason_name; /* of the library, static */
    int64_t wait_ns;
    uint32_t status;
    uint32_t reason;
    uint32_t failure;
    uint32_t is_admitted;
    uint32_t is_completed;
    met_error error; /* of one request of a batch */
    PyObject *block; /* bytes in which the ticket lies, of a whole batch */
    met_gateway_ticket *ticket;
} admission;

/* --- Gateway -------------------------------------------------------------- */
static void close_gateway(void *gateway)
{
    met_gateway_close(gateway);
}

/* gateway(fail_policy, header_style, limiter_capacity, flags) */
PyObject *native_store_gateway(PyObject *object, PyObject *words)
{
    native_handle *self = (native_handle *)object;
    native_state *state = native_state_of(self);
    met_gateway_config config = {.struct_size = sizeof config};
    met_error_info info = {.struct_size = sizeof info};
    PyObject *values[4] = {NULL, NULL, NULL, NULL};
    met_gateway *gateway = NULL;
    met_error error;

    if (!PyArg_ParseTuple(words, "|OOOO", &values[0], &values[1], &values[2],
                          &values[3])
        || native_u32(state, values[0], "fail", &config.fail_policy) != 0
        || native_u32(state, values[1], "headers", &config.header_style) != 0
        || native_u64(state, values[2], "limiter_capacity",
                      &config.limiter_capacity) != 0
        || native_u64(state, values[3], "flags", &config.flags) != 0
        || native_handle_ready(self, "store") != 0) {
        return NULL;
    }
    met_store *store = self->object;
    NATIVE_WITHOUT_GIL(self, error = met_gateway_open(store, &config, &gateway,
                                                      &info));
    if (error != MET_OK) {
        return native_raise(state, error, &info);
    }
    return native_handle_new(state->gateway_type, gateway, close_gateway, self,
                             NATIVE_ALONE);
}

static PyObject *gateway_tick(PyObject *object, PyObject *nothing)
{
    native_handle *self = (native_handle *)object;
    met_error error;

    (void)nothing;
    if (native_handle_ready(self, "gateway") != 0) {
        return NULL;
    }
    met_gateway *gateway = self->object;
    NATIVE_WITHOUT_GIL(self, error = met_gateway_tick(gateway));
    if (error != MET_OK) {
        return native_raise(native_state_of(self), error, NULL);
    }
    Py_RETURN_NONE;
}

static PyObject *gateway_stats(PyObject *object, PyObject *nothing)
{
    native_handle *self = (native_handle *)object;
    met_error_info info = {.struct_size = sizeof info};
    met_buffer out = {NULL, 0, NULL};

    (void)nothing;
    if (native_handle_ready(self, "gateway") != 0) {
        return NULL;
    }
    met_error error = met_gateway_stats(self->object, &out, &info);
    native_state *state = native_state_of(self);
    return error == MET_OK ? PyObject_CallFunction(state->decode, "N",
                                                   native_buffer_text(&out))
                           : native_raise(state, error, &info);
}

/* --- Admit ---------------------------------------------------------------- */
static const char *const admit_names[] = {
    "method",  "path",    "headers",    "client_ip", "host",
    "query",   "form",    "user_agent", "service",   "route",
    "attributes", "cost", "utc_ns",     "monotonic_ns",
    "subject", "key",     "groups",     "feature",   "json", NULL};

enum {
    Q_METHOD, Q_PATH, Q_HEADERS, Q_CLIENT_IP, Q_HOST, Q_QUERY, Q_FORM,
    Q_USER_AGENT, Q_SERVICE, Q_ROUTE, Q_ATTRIBUTES, Q_COST, Q_UTC, Q_MONOTONIC,
    Q_SUBJECT, Q_KEY, Q_GROUPS, Q_FEATURE, Q_JSON, Q_COUNT
};

static int read_texts(PyObject **values, met_gateway_request *request)
{
    const struct {
        int which;
        const char **data;
        size_t *size;
    } rows[] = {
        {Q_METHOD, &request->method, &request->method_size},
        {Q_PATH, &request->path, &request->path_size},
        {Q_CLIENT_IP, &request->client_ip, &request->client_ip_size},
        {Q_HOST, &request->host, &request->host_size},
        {Q_QUERY, &request->query, &request->query_size},
        {Q_FORM, &request->form, &request->form_size},
        {Q_USER_AGENT, &request->user_agent, &request->user_agent_size},
        {Q_SERVICE, &request->service, &request->service_size},
        {Q_ROUTE, &request->route, &request->route_size},
        {Q_SUBJECT, &request->subject, &request->subject_size},
        {Q_KEY, &request->key, &request->key_size},
        {Q_GROUPS, &request->groups, &request->groups_size},
        {Q_FEATURE, &request->feature, &request->feature_size},
        {Q_JSON, &request->json, &request->json_size},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        PyObject *value = values[rows[i].which];
        if (value != NULL
            && native_text_or_none(value, admit_names[rows[i].which],
                                   rows[i].data, rows[i].size) != 0) {
            return -1;
        }
    }
    return 0;
}

static int read_numbers(native_state *state, PyObject **values,
                        met_gateway_request *request)
{
    if (native_u64(state, values[Q_COST], "cost", &request->cost) != 0
        || native_i64(state, values[Q_UTC], "utc_ns", &request->utc_ns) != 0
        || native_i64(state, values[Q_MONOTONIC], "monotonic_ns",
                      &request->monotonic_ns) != 0) {
        return -1;
    }
    if (values[Q_COST] != NULL && values[Q_COST] != Py_None
        && request->cost == 0) {
        native_raise_field(state, MET_E_INVALID, "cost", "must be at least 1");
        return -1;
    }
    return 0;
}

static PyObject *keep_text(const char *data, size_t size, int *is_failed)
{
    PyObject *out = NULL;

    if (size > 0) {
        out = PyBytes_FromStringAndSize(data, (Py_ssize_t)size);
        *is_failed |= out == NULL;
    }
    return out;
}

/* Texts of the decision are the gateway's until its next call. */
static int keep_decision(admission *out, const met_gateway_decision *decision)
{
    int is_failed = 0;

#define KEEP(which, name)                                                     \
    out->texts[which] =                                                       \
        keep_text(decision->name, decision->name##_size, &is_failed)
    KEEP(A_BODY, body);
    KEEP(A_RESPONSE_HEADERS, response_headers);
    KEEP(A_DROP_HEADERS, drop_headers);
    KEEP(A_UPSTREAM_HEADERS, upstream_headers);
    KEEP(A_UPSTREAM_QUERY, upstream_query);
    KEEP(A_CONSUMER, consumer);
    KEEP(A_SERVICE, service);
    KEEP(A_ROUTE, route);
#undef KEEP
    out->reason_name = decision->reason_name;
    out->wait_ns = decision->wait_ns;
    out->status = decision->status;
    out->reason = decision->reason;
    out->failure = decision->failure;
    out->is_admitted = decision->is_admitted;
    return is_failed ? -1 : 0;
}

/* Where the pairs of a request lie. */
typedef struct pair_room {
    met_pair *many; /* to free; NULL: they have room in headers */
    met_pair headers[HEADERS_ROOM];
    met_pair attributes[MET_GATEWAY_ATTRIBUTES_MAX];
} pair_room;

/* The request of a call but for what only one of them has. It may wait: texts
 * are borrowed afterwards. */
static int read_call(native_handle *self, PyObject **values,
                     met_gateway_request *request, pair_room *room)
{
    met_pair *headers = room->headers;
    PyObject *list = values[Q_HEADERS];
    Py_ssize_t size = list != NULL && PyList_Check(list) ? PyList_Size(list)
                                                         : 0;

    room->many = NULL;
    if (native_handle_ready(self, "gateway") != 0
        || read_texts(values, request) != 0
        || read_numbers(native_state_of(self), values, request) != 0) {
        return -1;
    }
    if (size > HEADERS_ROOM && size <= HEADERS_MAX) {
        room->many = PyMem_Malloc((size_t)size * sizeof *headers);
        if (room->many == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        headers = room->many;
    }
    Py_ssize_t pairs = native_pairs(list, "headers", headers,
                                    room->many ? size : HEADERS_ROOM);
    Py_ssize_t more = pairs < 0 ? -1
                                : native_pairs(values[Q_ATTRIBUTES],
                                               "attributes", room->attributes,
                                               MET_GATEWAY_ATTRIBUTES_MAX);
    if (more < 0 || native_handle_is_open(self, "gateway") != 0) {
        return -1;
    }
    request->headers = headers;
    request->header_count = (size_t)pairs;
    request->attributes = room->attributes;
    request->attribute_count = (size_t)more;
    return 0;
}

static PyObject *admit(native_handle *self, const met_gateway_request *request)
{
    native_state *state = native_state_of(self);
    met_gateway_decision *decision;
    admission *out = native_new(state->admission_type);
    if (out == NULL
        || (out->block = native_block(1, sizeof *decision)) == NULL) {
        native_drop(out);
        return NULL;
    }
    decision = (met_gateway_decision *)(void *)PyBytes_AsString(out->block);
    decision->struct_size = sizeof *decision;
    met_error error = met_gateway_admit(self->object, request, decision);
    if (error != MET_OK) {
        Py_DECREF(out);
        return native_raise_of(state, error, "request",
                               "is not valid: a text, a time or the cost");
    }
    out->gateway = native_keep(self);
    out->ticket = &decision->ticket;
    if (keep_decision(out, decision) != 0) {
        Py_DECREF(out);
        return NULL;
    }
    return (PyObject *)out;
}

static PyObject *gateway_admit(PyObject *object, PyObject *const *words,
                               Py_ssize_t count, PyObject *keywords)
{
    static const native_names names = {"admit", admit_names, 0, 4};
    native_handle *self = (native_handle *)object;
    met_gateway_request request = {.struct_size = sizeof request};
    pair_room room = {.many = NULL};
    PyObject *values[Q_COUNT];
    PyObject *out = NULL;

    if (native_arguments(&names, words, count, keywords, values) == 0
        && read_call(self, values, &request, &room) == 0) {
        out = admit(self, &request);
    }
    PyMem_Free(room.many);
    return out;
}

/* --- Admit many ----------------------------------------------------------- */
/* As the library calls them, by number. */
static const char *const reason_names[] = {
    "", "NO_ROUTE", "NO_KEY", "DUPLICATE_KEY", "BAD_KEY", "NOT_ALLOWED",
    "RATE_LIMITED", "USAGE_LIMIT_REACHED", "FEATURE_UNAVAILABLE",
    "CUSTOMER_NOT_FOUND", "COST_NEVER", "FAILURE", "FEATURE_NOT_FOUND",
    "NO_CREDIT_AVAILABLE"};

static PyObject *admission_of(native_handle *self, PyObject *block,
                              met_gateway_batch_result *result)
{
    admission *out = native_new(native_state_of(self)->admission_type);

    if (out != NULL) {
        out->gateway = native_keep(self);
        out->error = result->error;
        out->wait_ns = result->wait_ns;
        out->status = result->status;
        out->reason = result->reason;
        out->reason_name =
            result->reason < sizeof reason_names / sizeof reason_names[0]
                ? reason_names[result->reason]
                : "";
        out->failure = result->failure;
        out->is_admitted = result->is_admitted;
        out->block = native_keep(block);
        out->ticket = &result->ticket;
    }
    return (PyObject *)out;
}

/* What was admitted is not counted when there is no memory to say so. */
static PyObject *admit_all(native_handle *self,
                           const met_gateway_request *request,
                           const native_flat *keys)
{
    met_gateway_batch_result *results;
    PyObject *block = native_block(keys->count, sizeof *results);
    PyObject *out = NULL;

    if (block == NULL) {
        return NULL;
    }
    results = (met_gateway_batch_result *)(void *)PyBytes_AsString(block);
    met_error error =
        met_gateway_admit_batch(self->object, request, keys->texts,
                                keys->offsets, keys->count, results);
    out = error == MET_OK ? PyList_New((Py_ssize_t)keys->count)
                          : native_raise_of(native_state_of(self), error,
                                            "request", "is not valid");
    for (size_t i = 0; out != NULL && i < keys->count; i++) {
        PyObject *item = admission_of(self, block, &results[i]);
        if (item == NULL) {
            Py_CLEAR(out);
        } else {
            (void)PyList_SetItem(out, (Py_ssize_t)i, item);
        }
    }
    Py_DECREF(block);
    return out;
}

static PyObject *gateway_admit_many(PyObject *object, PyObject *const *words,
                                    Py_ssize_t count, PyObject *keywords)
{
    native_names names = {"admit_many", admit_names, 0, 4};
    native_handle *self = (native_handle *)object;
    met_gateway_request request = {.struct_size = sizeof request};
    native_flat keys = {NULL, NULL, NULL, 0};
    pair_room room = {.many = NULL};
    PyObject *values[Q_COUNT];
    PyObject *out = NULL;

    if (count < 1) {
        PyErr_SetString(PyExc_TypeError, "admit_many() needs keys");
        return NULL;
    }
    if (native_arguments(&names, words + 1, count - 1, keywords, values) != 0) {
        return NULL;
    }
    if (values[Q_KEY] != NULL) {
        PyErr_SetString(PyExc_TypeError,
                        "admit_many() takes keys in place of key");
        return NULL;
    }
    if (native_flatten(native_state_of(self), words[0], "keys",
                       native_text_or_none, MET_GATEWAY_BATCH_MAX, &keys)
            == 0
        && read_call(self, values, &request, &room) == 0) {
        out = admit_all(self, &request, &keys);
    }
    PyMem_Free(room.many);
    native_flat_free(&keys);
    return out;
}

/* --- Admission ------------------------------------------------------------ */
static void admission_dealloc(PyObject *object)
{
    admission *self = (admission *)object;

    if (self->is_admitted && !self->is_completed) {
        PyObject *type, *value, *trace;
        PyErr_Fetch(&type, &value, &trace);
        if (PyErr_WarnEx(PyExc_ResourceWarning,
                         "an admitted request was never completed: it is not "
                         "counted", 1) != 0) {
            PyErr_WriteUnraisable(NULL);
        }
        PyErr_Restore(type, value, trace);
    }
    for (int i = 0; i < A_TEXTS; i++) {
        native_drop(self->texts[i]);
    }
    native_drop(self->block);
    native_drop(self->gateway);
    native_free(object);
}

static PyObject *admission_complete(PyObject *object, PyObject *const *words,
                                    Py_ssize_t count, PyObject *keywords)
{
    static const char *const all[] = {"status", "upstream_status",
                                      "request_size", "response_size",
                                      "quantity", "served", NULL};
    static const native_names names = {"complete", all, 0, 1};
    admission *self = (admission *)object;
    native_state *state = native_state_of(self);
    met_gateway_outcome outcome = {.struct_size = sizeof outcome};
    PyObject *values[6];

    if (native_arguments(&names, words, count, keywords, values) != 0
        || native_u32(state, values[0], "status", &outcome.status) != 0
        || native_u32(state, values[1], "upstream_status",
                      &outcome.upstream_status) != 0
        || native_u64(state, values[2], "request_size",
                      &outcome.request_size_bytes) != 0
        || native_u64(state, values[3], "response_size",
                      &outcome.response_size_bytes) != 0
        || native_u64(state, values[4], "quantity", &outcome.quantity) != 0) {
        return NULL;
    }
    if (values[5] != NULL && !PyBool_Check(values[5])) {
        native_wrong_type("served", "bool", values[5]);
        return NULL;
    }
    if (!self->is_admitted || self->is_completed) {
        return native_raise_field(state, MET_E_INVALID, "admission",
                                  self->is_admitted ? "is completed already"
                                                    : "was refused");
    }
    if (native_handle_ready(self->gateway, "gateway") != 0) {
        return NULL;
    }
    outcome.flags = values[5] == Py_False ? MET_GATEWAY_NOT_SERVED : 0;
    met_error error = met_gateway_complete(self->gateway->object,
                                           self->ticket, &outcome);
    /* After a wrong number it may be tried again. */
    self->is_completed = error != MET_E_INVALID && error != MET_E_FORKED;
    if (error != MET_OK) {
        return native_raise_of(state, error, "outcome",
                               "has a number of more than 15 digits");
    }
    Py_RETURN_NONE;
}

static PyObject *admission_bytes(PyObject *object, void *which)
{
    PyObject *text = ((admission *)object)->texts[(intptr_t)which];

    return text ? Py_NewRef(text) : PyBytes_FromStringAndSize("", 0);
}

static PyObject *admission_text(PyObject *object, void *which)
{
    PyObject *text = ((admission *)object)->texts[(intptr_t)which];

    return text ? PyUnicode_DecodeUTF8(PyBytes_AsString(text),
                                       PyBytes_Size(text), "replace")
                : PyUnicode_FromString("");
}

static PyObject *admission_headers(PyObject *object, void *which)
{
    intptr_t i = (intptr_t)which;
    PyObject *text = ((admission *)object)->texts[i];

    return native_header_list(text ? PyBytes_AsString(text) : "",
                              i == A_DROP_HEADERS ? NULL : "(y#y#)");
}

enum { N_ADMITTED, N_STATUS, N_REASON, N_FAILURE, N_WAIT, N_COMPLETED };

static PyObject *admission_number(PyObject *object, void *which)
{
    admission *self = (admission *)object;

    switch ((intptr_t)which) {
    case N_ADMITTED:
        return PyBool_FromLong((long)self->is_admitted);
    case N_COMPLETED:
        return PyBool_FromLong((long)self->is_completed);
    case N_STATUS:
        return PyLong_FromUnsignedLong(self->status);
    case N_REASON:
        return PyUnicode_FromString(self->reason_name ? self->reason_name
                                                      : "");
    case N_FAILURE:
        return PyLong_FromUnsignedLong(self->failure);
    default:
        return PyLong_FromLongLong(self->wait_ns);
    }
}

/* None, or what went wrong with one request of a batch. */
static PyObject *admission_error(PyObject *object, void *nothing)
{
    met_error error = ((admission *)object)->error;

    (void)nothing;
    return error == MET_OK
               ? Py_NewRef(Py_None)
               : native_error(native_state_of(object), error, "", "");
}

static int admission_bool(PyObject *object)
{
    return ((admission *)object)->is_admitted != 0;
}

static PyObject *admission_repr(PyObject *object)
{
    admission *self = (admission *)object;

    return PyUnicode_FromFormat("<metering.Admission %u%s%s>", self->status,
                                self->is_admitted ? "" : " ",
                                self->reason_name ? self->reason_name : "");
}

/* --- Types ---------------------------------------------------------------- */
static PyMethodDef gateway_methods[] = {
    NATIVE_HANDLE_METHODS,
    NATIVE_METHOD("admit", gateway_admit, "Decide a request."),
    NATIVE_METHOD("admit_many", gateway_admit_many,
                  "Decide requests that differ in their keys only."),
    {"tick", gateway_tick, METH_NOARGS, "Housekeeping, once a second."},
    {"stats", gateway_stats, METH_NOARGS, "Counters of this handle."},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef admission_methods[] = {
    NATIVE_METHOD("complete", admission_complete, "Count it."),
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef admission_getters[] = {
    {"is_admitted", admission_number, NULL, NULL, (void *)N_ADMITTED},
    {"is_completed", admission_number, NULL, NULL, (void *)N_COMPLETED},
    {"status", admission_number, NULL, NULL, (void *)N_STATUS},
    {"reason", admission_number, NULL, NULL, (void *)N_REASON},
    {"failure", admission_number, NULL, NULL, (void *)N_FAILURE},
    {"wait_ns", admission_number, NULL, NULL, (void *)N_WAIT},
    {"error", admission_error, NULL, NULL, NULL},
    {"body", admission_bytes, NULL, NULL, (void *)A_BODY},
    {"upstream_query", admission_bytes, NULL, NULL, (void *)A_UPSTREAM_QUERY},
    {"consumer", admission_text, NULL, NULL, (void *)A_CONSUMER},
    {"service", admission_text, NULL, NULL, (void *)A_SERVICE},
    {"route", admission_text, NULL, NULL, (void *)A_ROUTE},
    {"response_headers", admission_headers, NULL, NULL,
     (void *)A_RESPONSE_HEADERS},
    {"upstream_headers", admission_headers, NULL, NULL,
     (void *)A_UPSTREAM_HEADERS},
    {"drop_headers", admission_headers, NULL, NULL, (void *)A_DROP_HEADERS},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot gateway_slots[] = {
    {Py_tp_dealloc, (void *)native_handle_dealloc},
    {Py_tp_methods, gateway_methods},
    {Py_tp_getset, native_handle_getters},
    {0, NULL},
};

static PyType_Slot admission_slots[] = {
    {Py_tp_dealloc, (void *)admission_dealloc},
    {Py_tp_repr, (void *)admission_repr},
    {Py_tp_methods, admission_methods},
    {Py_tp_getset, admission_getters},
    {Py_nb_bool, (void *)admission_bool},
    {0, NULL},
};

int native_add_gateway(PyObject *module, native_state *state)
{
    enum { MADE = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION };
    static PyType_Spec specs[] = {
        {"metering.Gateway", sizeof(native_handle), 0, MADE, gateway_slots},
        {"metering.Admission", sizeof(admission), 0, MADE, admission_slots},
    };

    state->gateway_type = native_add_type(module, &specs[0]);
    state->admission_type = native_add_type(module, &specs[1]);
    return state->gateway_type == NULL || state->admission_type == NULL ? -1
                                                                        : 0;
}
