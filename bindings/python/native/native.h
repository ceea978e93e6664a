/* What the files of the extension share. It is built against the limited API
 * of CPython 3.11, so that one binary serves every later version. */
#ifndef METERING_NATIVE_H
#define METERING_NATIVE_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <string.h>

#include <metering/metering.h>

/* What the module keeps: reached through any of its types. */
typedef struct native_state {
    PyObject *make_error;  /* metering.errors.error_of */
    PyObject *moment_of;   /* metering.values.moment_of */
    PyObject *decode;      /* metering.values.decode */
    PyObject *decimal;     /* decimal.Decimal */
    PyObject *decimal_str; /* decimal.Decimal.__str__: runs no other code */
    PyObject *limiter_type;
    PyObject *policy_type;
    PyObject *decision_type;
    PyObject *window_type;
    PyObject *store_type;
    PyObject *cursor_type;
    PyObject *ingest_type;
    PyObject *price_type;
    PyObject *recorder_type;
    PyObject *prepared_type;
    PyObject *gateway_type;
    PyObject *admission_type;
    PyObject *clock_type;
    PyObject *billing_run_type;
} native_state;

static inline native_state *native_state_of(void *object)
{
    return PyType_GetModuleState(Py_TYPE((PyObject *)object));
}

static inline void *native_keep(void *object)
{
    Py_INCREF((PyObject *)object);
    return object;
}

static inline void native_drop(void *object)
{
    Py_XDECREF((PyObject *)object);
}

/* A zeroed object of a type of ours, or NULL. */
void *native_new(PyObject *type);

/* Memory that objects of ours share, as bytes: nothing is in it yet. */
PyObject *native_block(size_t count, size_t size);

/* --- Handles --------------------------------------------------------------
 * An object of the library behind a Python object. It is closed when nobody is
 * in a call on it and nothing that needs it is open; until then a close waits
 * without blocking. All fields are guarded by the GIL. */
typedef struct native_handle {
    PyObject_HEAD
    void *object; /* NULL: closed */
    void (*close)(void *object);
    struct native_handle *parent; /* kept open by this one; may be NULL */
    long users;                   /* calls without the GIL, children */
    unsigned long born;           /* forks before it was opened */
    int is_closing;
    int is_busy;              /* a call that must be alone is running */
    PyThread_type_lock alone; /* held while is_busy; NULL: never alone */
} native_handle;

/* Bits of native_handle_new. */
enum {
    NATIVE_SURVIVES_FORK = 1,
    NATIVE_ALONE = 2 /* one call at a time */
};

/* Takes over `object`: closes it when there is no memory. */
void *native_handle_new(PyObject *type, void *object, void (*close)(void *),
                        native_handle *parent, int flags);
void native_handle_close(native_handle *self);
void native_handle_dealloc(PyObject *self);
/* Before a call: 0, or -1 with an exception (closed, forked). Waits for a call
 * that must be alone. */
int native_handle_ready(native_handle *self, const char *name);
/* 0, or -1 with an exception when it was closed meanwhile. Never waits. */
int native_handle_is_open(native_handle *self, const char *name);
/* It stays open until it is left as often as it was held. */
void native_handle_hold(native_handle *self);
void native_handle_leave(native_handle *self);
/* Around a call without the GIL. */
void native_handle_begin(native_handle *self);
void native_handle_end(native_handle *self);
PyObject *native_handle_method_close(PyObject *self, PyObject *nothing);
PyObject *native_handle_method_enter(PyObject *self, PyObject *nothing);
PyObject *native_handle_method_exit(PyObject *self, PyObject *what);
extern PyGetSetDef native_handle_getters[]; /* closed */

#define NATIVE_HANDLE_METHODS                                                 \
    {"close", native_handle_method_close, METH_NOARGS,                        \
     "Let go of it. Calling it again does nothing."},                         \
        {"__enter__", native_handle_method_enter, METH_NOARGS, NULL},         \
        {"__exit__", native_handle_method_exit, METH_VARARGS, NULL}

/* The GIL is given away: other threads run, close() waits. */
#define NATIVE_WITHOUT_GIL(handle, statement)                                 \
    do {                                                                      \
        native_handle_begin(handle);                                          \
        Py_BEGIN_ALLOW_THREADS                                                \
        statement;                                                            \
        Py_END_ALLOW_THREADS                                                  \
        native_handle_end(handle);                                            \
    } while (0)

/* --- Errors --------------------------------------------------------------- */
PyObject *native_error(native_state *state, met_error error,
                       const char *field, const char *reason);
/* Sets the exception of an error of the library; returns NULL. */
void *native_raise(native_state *state, met_error error,
                   const met_error_info *info);
void *native_raise_field(native_state *state, met_error error,
                         const char *field, const char *reason);
/* Of a call that gives no reason: what is wrong with `field` when anything is
 * that the caller gave. */
void *native_raise_of(native_state *state, met_error error, const char *field,
                      const char *reason);
/* TypeError "field: must be …, not <type>"; returns -1. */
int native_wrong_type(const char *field, const char *wanted, PyObject *got);

/* --- Arguments ------------------------------------------------------------ */
typedef struct native_names {
    const char *function;
    const char *const *names; /* ends with NULL */
    int required;             /* of the first */
    int positional;           /* of the first */
} native_names;

#define NATIVE_ARGUMENTS_MAX 20

/* Puts borrowed arguments into values, NULL where none is given. */
int native_arguments(const native_names *names, PyObject *const *words,
                     Py_ssize_t count, PyObject *keywords, PyObject **values);

/* Each takes `value` as the argument `field`; NULL and (but for texts) None
 * leave the default in *out. 0, or -1 with an exception. */
int native_text(PyObject *value, const char *field, const char **data,
                size_t *size);
int native_text_or_none(PyObject *value, const char *field, const char **data,
                        size_t *size);
int native_u64(native_state *state, PyObject *value, const char *field,
               uint64_t *out);
int native_i64(native_state *state, PyObject *value, const char *field,
               int64_t *out);
int native_u32(native_state *state, PyObject *value, const char *field,
               uint32_t *out);
/* A datetime with a zone, or nanoseconds. May run code of the caller's: comes
 * before pointers are borrowed. */
int native_moment(native_state *state, PyObject *value, const char *field,
                  int64_t *out);
/* native_text or native_text_or_none. */
typedef int (*native_take)(PyObject *value, const char *field,
                           const char **data, size_t *size);

/* The texts of a sequence, one behind the other. */
typedef struct native_flat {
    char *texts;
    uint32_t *offsets; /* count + 1 */
    uint32_t *numbers; /* room for one of each; not set */
    size_t count;
} native_flat;

/* Copies them; frees nothing on failure: native_flat_free does. */
int native_flatten(native_state *state, PyObject *value, const char *field,
                   native_take take, Py_ssize_t most, native_flat *out);
void native_flat_free(native_flat *self);
/* An int or a Decimal. Runs no code of the caller's. */
int native_decimal(native_state *state, PyObject *value, const char *field,
                   met_decimal *out);
/* A dict, or a list or tuple of pairs, of texts. Borrowed from it: valid while
 * no code of the caller's runs. Returns how many, or -1. */
Py_ssize_t native_pairs(PyObject *value, const char *field, met_pair *pairs,
                        Py_ssize_t room);
PyObject *native_decimal_object(native_state *state, const met_decimal *value);
PyObject *native_buffer_text(met_buffer *buffer); /* and releases it */

typedef struct native_policy {
    PyObject_HEAD
    native_handle *limiter;
    PyObject *name;
    uint32_t number; /* in the library */
} native_policy;

typedef struct native_decision {
    PyObject_HEAD
    native_handle *limiter;
    met_limiter_result result;
} native_decision;

PyObject *native_policy_check_batch(PyObject *self, PyObject *const *words,
                                    Py_ssize_t count, PyObject *keywords);
PyObject *native_policy_refund(PyObject *self, PyObject *const *words,
                               Py_ssize_t count, PyObject *keywords);
PyObject *native_policy_release(PyObject *self, PyObject *const *words,
                                Py_ssize_t count, PyObject *keywords);
PyObject *native_policy_check_many(PyObject *self, PyObject *const *words,
                                   Py_ssize_t count, PyObject *keywords);

/* Methods that other files define. */
PyObject *native_store_recorder(PyObject *self, PyObject *words);
PyObject *native_store_gateway(PyObject *self, PyObject *words);
/* The clock of a Clock, which then lives for ever; nothing for None. */
int native_clock(native_state *state, PyObject *value, met_clock *out);
PyObject *native_limiter_key(PyObject *module, PyObject *const *words,
                             Py_ssize_t count, PyObject *keywords);
PyObject *native_store_billing_run(PyObject *self, PyObject *as_of);
PyObject *native_metrics(PyObject *module, PyObject *words);
PyObject *native_price_check(PyObject *module, PyObject *json);
PyObject *native_entitlement_simulate(PyObject *module, PyObject *json);
PyObject *native_invoice_render(PyObject *module, PyObject *words);

/* "Name: value" lines as a list of what Py_BuildValue makes of form, like
 * "(s#s#)"; names alone as bytes when it is NULL. */
PyObject *native_header_list(const char *lines, const char *form);

/* --- The rooms of the module ---------------------------------------------- */
int native_add_limiter(PyObject *module, native_state *state);
int native_add_decision(PyObject *module, native_state *state);
int native_add_documents(PyObject *module, native_state *state);
int native_add_recorder(PyObject *module, native_state *state);
int native_add_gateway(PyObject *module, native_state *state);
int native_add_billing(PyObject *module, native_state *state);
int native_add_clock(PyObject *module, native_state *state);
PyObject *native_add_type(PyObject *module, PyType_Spec *spec);
void native_free(PyObject *self); /* the end of every dealloc */

/* CPython's tables hold functions as void pointers. */
#define NATIVE_FAST(function) ((PyCFunction)(void (*)(void))(function))
#define NATIVE_METHOD(name, function, text)                                   \
    {name, NATIVE_FAST(function), METH_FASTCALL | METH_KEYWORDS, text}

#endif
