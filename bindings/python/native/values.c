/* Arguments and values: what Python passes, as the library takes it. */
#include "native.h"

#include <stdio.h>

/* --- Arguments ------------------------------------------------------------ */
static int take_keyword(const native_names *names, PyObject *keyword,
                        PyObject *value, PyObject **values)
{
    for (int i = 0; names->names[i] != NULL; i++) {
        if (PyUnicode_CompareWithASCIIString(keyword, names->names[i]) == 0) {
            if (values[i] != NULL) {
                PyErr_Format(PyExc_TypeError, "%s() got %s twice",
                             names->function, names->names[i]);
                return -1;
            }
            values[i] = value;
            return 0;
        }
    }
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected argument '%U'",
                 names->function, keyword);
    return -1;
}

int native_arguments(const native_names *names, PyObject *const *words,
                     Py_ssize_t count, PyObject *keywords, PyObject **values)
{
    Py_ssize_t more = keywords != NULL ? PyTuple_Size(keywords) : 0;

    if (count > names->positional) {
        PyErr_Format(PyExc_TypeError,
                     "%s() takes at most %d arguments without names, got %zd",
                     names->function, names->positional, count);
        return -1;
    }
    for (int i = 0; names->names[i] != NULL; i++) {
        values[i] = i < count ? words[i] : NULL;
    }
    for (Py_ssize_t i = 0; i < more; i++) {
        if (take_keyword(names, PyTuple_GetItem(keywords, i),
                         words[count + i], values)
            != 0) {
            return -1;
        }
    }
    for (int i = 0; i < names->required; i++) {
        if (values[i] == NULL) {
            PyErr_Format(PyExc_TypeError, "%s() needs %s", names->function,
                         names->names[i]);
            return -1;
        }
    }
    return 0;
}

int native_text(PyObject *value, const char *field, const char **data,
                size_t *size)
{
    Py_ssize_t length = 0;
    char *bytes = NULL;

    if (value == NULL) {
        return 0;
    }
    if (Py_IS_TYPE(value, &PyUnicode_Type) || PyUnicode_Check(value)) {
        *data = PyUnicode_AsUTF8AndSize(value, &length);
    } else if (PyBytes_Check(value)) {
        PyBytes_AsStringAndSize(value, &bytes, &length);
        *data = bytes;
    } else {
        return native_wrong_type(field, "str or bytes", value);
    }
    *size = (size_t)length;
    return *data != NULL ? 0 : -1;
}

int native_text_or_none(PyObject *value, const char *field, const char **data,
                        size_t *size)
{
    return value == Py_None ? 0 : native_text(value, field, data, size);
}

/* A list as it is: nobody changes it while no code of the caller's runs. */
static PyObject *listed(PyObject *value, const char *field)
{
    PyObject *list = NULL;

    if (PyList_CheckExact(value)) {
        return Py_NewRef(value);
    }
    if (!PyUnicode_Check(value) && !PyBytes_Check(value)) {
        list = PySequence_List(value);
    }
    if (list == NULL) {
        PyErr_Clear();
        native_wrong_type(field, "a sequence of str or bytes", value);
    }
    return list;
}

static int too_many(native_state *state, const char *field)
{
    native_raise_field(state, MET_E_LIMIT, field, "too many for one batch");
    return -1;
}

/* Room for `size` more bytes behind `used`. */
static int grow(native_flat *out, size_t used, size_t size, size_t *room)
{
    size_t wanted = 2 * (used + size) + 16 * out->count;
    char *texts = PyMem_Realloc(out->texts, wanted);
    if (texts == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    out->texts = texts;
    *room = wanted;
    return 0;
}

static int copy_texts(native_state *state, PyObject *list, const char *field,
                      native_take take, native_flat *out)
{
    size_t used = 0;
    size_t room = 0;

    if (grow(out, used, 0, &room) != 0) {
        return -1;
    }
    out->offsets[0] = 0;
    for (size_t i = 0; i < out->count; i++) {
        const char *data = "";
        size_t size = 0;
        if (take(PyList_GetItem(list, (Py_ssize_t)i), field, &data, &size)
            != 0) {
            return -1;
        }
        if (size > UINT32_MAX - used) {
            return too_many(state, field);
        }
        if (size > room - used && grow(out, used, size, &room) != 0) {
            return -1;
        }
        if (size > 0) {
            memcpy(out->texts + used, data, size);
        }
        used += size;
        out->offsets[i + 1] = (uint32_t)used;
    }
    return 0;
}

int native_flatten(native_state *state, PyObject *value, const char *field,
                   native_take take, Py_ssize_t most, native_flat *out)
{
    PyObject *list = listed(value, field);
    int result = -1;

    if (list == NULL) {
        return -1;
    }
    Py_ssize_t count = PyList_Size(list);
    if (count > most) {
        result = too_many(state, field);
    } else {
        out->count = (size_t)count;
        out->offsets =
            PyMem_Malloc((2 * (size_t)count + 1) * sizeof(uint32_t));
        if (out->offsets == NULL) {
            PyErr_NoMemory();
        } else {
            out->numbers = out->offsets + count + 1;
            result = copy_texts(state, list, field, take, out);
        }
    }
    Py_DECREF(list);
    return result;
}

void native_flat_free(native_flat *self)
{
    PyMem_Free(self->texts);
    PyMem_Free(self->offsets);
}

static int is_whole(PyObject *value, const char *field)
{
    if (!PyLong_Check(value) || PyBool_Check(value)) {
        native_wrong_type(field, "int", value);
        return 0;
    }
    return 1;
}

/* A number that C cannot hold is a wrong value, not an OverflowError. */
static int too_large(native_state *state, const char *field,
                     const char *reason)
{
    if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
        PyErr_Clear();
        native_raise_field(state, MET_E_INVALID, field, reason);
    }
    return -1;
}

static int unsigned_of(native_state *state, PyObject *value,
                       const char *field, uint64_t most, const char *bounds,
                       uint64_t *out)
{
    if (value == NULL || value == Py_None) {
        return 0;
    }
    if (!is_whole(value, field)) {
        return -1;
    }
    uint64_t number = PyLong_AsUnsignedLongLong(value);
    if (number == UINT64_MAX && PyErr_Occurred()) {
        return too_large(state, field, bounds);
    }
    if (number > most) {
        native_raise_field(state, MET_E_INVALID, field, bounds);
        return -1;
    }
    *out = number;
    return 0;
}

int native_u64(native_state *state, PyObject *value, const char *field,
               uint64_t *out)
{
    return unsigned_of(state, value, field, UINT64_MAX,
                       "must be 0 to 2^64 - 1", out);
}

int native_u32(native_state *state, PyObject *value, const char *field,
               uint32_t *out)
{
    uint64_t number = *out;

    if (unsigned_of(state, value, field, UINT32_MAX, "must be 0 to 2^32 - 1",
                    &number)
        != 0) {
        return -1;
    }
    *out = (uint32_t)number;
    return 0;
}

int native_i64(native_state *state, PyObject *value, const char *field,
               int64_t *out)
{
    if (value == NULL || value == Py_None) {
        return 0;
    }
    if (!is_whole(value, field)) {
        return -1;
    }
    int64_t number = PyLong_AsLongLong(value);
    if (number == -1 && PyErr_Occurred()) {
        return too_large(state, field, "must be -2^63 to 2^63 - 1");
    }
    *out = number;
    return 0;
}

int native_moment(native_state *state, PyObject *value, const char *field,
                  int64_t *out)
{
    if (value == NULL || value == Py_None || PyLong_Check(value)) {
        return native_i64(state, value, field, out);
    }
    PyObject *number =
        PyObject_CallFunction(state->moment_of, "Os", value, field);
    int result = number ? native_i64(state, number, field, out) : -1;
    Py_XDECREF(number);
    return result;
}

/* --- Decimals ------------------------------------------------------------- */
/* str(Decimal) and str(int) as the library reads them: "e", not "E+". */
static met_error parse_decimal(const char *text, Py_ssize_t size,
                               met_decimal *out)
{
    char copy[192];

    if (size >= (Py_ssize_t)sizeof copy) {
        return MET_E_OVERFLOW;
    }
    for (Py_ssize_t i = 0; i <= size; i++) {
        copy[i] = text[i] == 'E' ? 'e' : text[i];
    }
    return met_decimal_parse(copy, (size_t)size, out);
}

static int decimal_of_text(native_state *state, PyObject *text,
                           const char *field, met_decimal *out)
{
    Py_ssize_t size = 0;
    const char *data = PyUnicode_AsUTF8AndSize(text, &size);

    if (data == NULL) {
        return -1;
    }
    met_error error = parse_decimal(data, size, out);
    if (error != MET_OK) {
        native_raise_field(state, error, field,
                           error == MET_E_INVALID
                               ? "must be a finite number"
                               : "must have at most 34 digits");
        return -1;
    }
    return 0;
}

int native_decimal(native_state *state, PyObject *value, const char *field,
                   met_decimal *out)
{
    PyObject *text = NULL;

    if (PyLong_Check(value) && !PyBool_Check(value)) {
        int over = 0;
        long long number = PyLong_AsLongLongAndOverflow(value, &over);
        if (over == 0) {
            char room[32];
            int size = snprintf(room, sizeof room, "%lld", number);
            return met_decimal_parse(room, (size_t)size, out) == MET_OK ? 0
                                                                        : -1;
        }
        native_raise_field(state, MET_E_OVERFLOW, field,
                           "must be below 2^63: use a Decimal");
        return -1;
    }
    if (!PyType_IsSubtype(Py_TYPE(value), (PyTypeObject *)state->decimal)) {
        return native_wrong_type(field, "int or Decimal", value);
    }
    text = PyObject_CallFunctionObjArgs(state->decimal_str, value, NULL);
    int result = text ? decimal_of_text(state, text, field, out) : -1;
    Py_XDECREF(text);
    return result;
}

PyObject *native_decimal_object(native_state *state, const met_decimal *value)
{
    char text[MET_DECIMAL_TEXT_SIZE];
    met_error error = met_decimal_format(value, text, NULL);

    if (error != MET_OK) {
        return native_raise(state, error, NULL);
    }
    return PyObject_CallFunction(state->decimal, "s", text);
}

PyObject *native_buffer_text(met_buffer *buffer)
{
    PyObject *text =
        PyUnicode_DecodeUTF8(buffer->data ? buffer->data : "",
                             (Py_ssize_t)buffer->size, "replace");

    met_buffer_release(buffer);
    return text;
}

/* --- Pairs ---------------------------------------------------------------- */
static int take_pair(PyObject *key, PyObject *value, const char *field,
                     met_pair *pair)
{
    return native_text(key, field, &pair->key, &pair->key_size) != 0
                   || native_text(value, field, &pair->value,
                                  &pair->value_size) != 0
               ? -1
               : 0;
}

static Py_ssize_t listed_pairs(PyObject *value, const char *field,
                               met_pair *pairs, Py_ssize_t count)
{
    int is_list = PyList_Check(value);

    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item =
            is_list ? PyList_GetItem(value, i) : PyTuple_GetItem(value, i);
        PyObject *key = NULL;
        PyObject *text = NULL;
        if (PyTuple_Check(item) && PyTuple_Size(item) == 2) {
            key = PyTuple_GetItem(item, 0);
            text = PyTuple_GetItem(item, 1);
        } else if (PyList_Check(item) && PyList_Size(item) == 2) {
            key = PyList_GetItem(item, 0);
            text = PyList_GetItem(item, 1);
        } else {
            return native_wrong_type(field, "pairs of texts", item);
        }
        if (take_pair(key, text, field, &pairs[i]) != 0) {
            return -1;
        }
    }
    return count;
}

Py_ssize_t native_pairs(PyObject *value, const char *field, met_pair *pairs,
                        Py_ssize_t room)
{
    PyObject *key = NULL;
    PyObject *text = NULL;
    Py_ssize_t at = 0;
    Py_ssize_t count = 0;

    if (value == NULL || value == Py_None) {
        return 0;
    }
    if (PyDict_Check(value)) {
        count = PyDict_Size(value);
    } else if (PyList_Check(value)) {
        count = PyList_Size(value);
    } else if (PyTuple_Check(value)) {
        count = PyTuple_Size(value);
    } else {
        return native_wrong_type(field, "a dict or a list of pairs", value);
    }
    if (count > room) {
        PyErr_Format(PyExc_ValueError, "%s: must be at most %zd pairs", field,
                     room);
        return -1;
    }
    if (!PyDict_Check(value)) {
        return listed_pairs(value, field, pairs, count);
    }
    count = 0;
    while (PyDict_Next(value, &at, &key, &text)) {
        if (take_pair(key, text, field, &pairs[count++]) != 0) {
            return -1;
        }
    }
    return count;
}

/* --- Header lines --------------------------------------------------------- */
PyObject *native_header_list(const char *lines, const char *form)
{
    PyObject *out = PyList_New(0);

    for (const char *at = lines; out != NULL && *at != '\0';) {
        const char *end = strstr(at, "\r\n");
        const char *colon = form ? strstr(at, ": ") : NULL;
        PyObject *item = NULL;
        if (end == NULL) {
            break;
        }
        if (form == NULL) {
            item = PyBytes_FromStringAndSize(at, end - at);
        } else if (colon != NULL && colon < end) {
            item = Py_BuildValue(form, at, (Py_ssize_t)(colon - at), colon + 2,
                                 (Py_ssize_t)(end - colon - 2));
        }
        if (item == NULL || PyList_Append(out, item) != 0) {
            Py_CLEAR(out);
        }
        Py_XDECREF(item);
        at = end + 2;
    }
    return out;
}
