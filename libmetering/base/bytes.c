/* Texts and the growing buffer. A buffer's first failure sticks, so writers
 * append without checking and look once, at the end. */
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>

int met__text_compare(met__text a, met__text b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;

    if (order != 0) {
        return order < 0 ? -1 : 1;
    }
    return (a.size > b.size) - (a.size < b.size);
}

size_t met__utf8_sequence(const unsigned char *s, size_t left)
{
    size_t size = s[0] < 0x80                     ? 1
                  : s[0] >= 0xc2 && s[0] <= 0xdf ? 2
                  : s[0] >= 0xe0 && s[0] <= 0xef ? 3
                  : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                                 : 0;
    if (size == 0 || size > left) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)
        || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) {
        return 0;
    }
    return size;
}

int met__text_is_clean(met__text text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;

    for (size_t at = 0; at < text.size;) {
        size_t size = met__utf8_sequence(bytes + at, text.size - at);
        if (size == 0 || bytes[at] < 0x20 || bytes[at] == 0x7f) {
            return 0;
        }
        at += size;
    }
    return 1;
}

void met__buffer_init(met__buffer *buffer, const met__platform *platform)
{
    *buffer = (met__buffer){.platform = platform};
}

/* Room for `more` bytes and a NUL. */
static int reserve(met__buffer *buffer, size_t more)
{
    if (buffer->error != MET_OK) {
        return 0;
    }
    if (more > SIZE_MAX / 4 || buffer->size > SIZE_MAX / 4) {
        buffer->error = MET_E_NO_MEMORY;
        return 0;
    }
    size_t needed = buffer->size + more + 1;
    if (needed <= buffer->capacity) {
        return 1;
    }
    size_t capacity = buffer->capacity ? buffer->capacity * 2 : 256;
    while (capacity < needed) {
        capacity *= 2;
    }
    char *data = met__reallocate(buffer->platform, buffer->data,
                                 buffer->capacity, capacity);
    if (data == NULL) {
        buffer->error = MET_E_NO_MEMORY;
        return 0;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return 1;
}

void met__buffer_append(met__buffer *buffer, const void *data, size_t size)
{
    if (reserve(buffer, size)) {
        if (size > 0) {
            memcpy(buffer->data + buffer->size, data, size);
        }
        buffer->size += size;
        buffer->data[buffer->size] = '\0';
    }
}

void met__buffer_text(met__buffer *buffer, const char *text)
{
    met__buffer_append(buffer, text, strlen(text));
}

void met__buffer_byte(met__buffer *buffer, char byte)
{
    met__buffer_append(buffer, &byte, 1);
}

void met__buffer_print(met__buffer *buffer, const char *format, ...)
{
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0 && buffer->error == MET_OK) {
        buffer->error = MET_E_INVALID;
    }
    if (size >= 0 && reserve(buffer, (size_t)size)) {
        va_start(arguments, format);
        vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format,
                  arguments);
        va_end(arguments);
        buffer->size += (size_t)size;
    }
}

void met__buffer_release(met__buffer *buffer)
{
    met__release(buffer->platform, buffer->data, buffer->capacity);
    met__buffer_init(buffer, buffer->platform);
}

/* What a public buffer needs to find its way back. */
typedef struct owner {
    met__platform platform;
    size_t capacity;
} owner;

met_error met__buffer_give(met__buffer *buffer, met_buffer *buffer_out)
{
    if (buffer->error == MET_OK && buffer->data == NULL) {
        met__buffer_append(buffer, "", 0);
    }
    if (buffer->error != MET_OK) {
        return buffer->error;
    }
    owner *back = met__allocate(buffer->platform, sizeof *back);
    if (back == NULL) {
        return MET_E_NO_MEMORY;
    }
    back->platform = *buffer->platform;
    back->capacity = buffer->capacity;
    *buffer_out = (met_buffer){buffer->data, buffer->size, back};
    met__buffer_init(buffer, buffer->platform);
    return MET_OK;
}

void met__buffer_take_back(met_buffer *buffer)
{
    if (buffer == NULL || buffer->owner == NULL) {
        return;
    }
    owner *back = buffer->owner;
    met__platform platform = back->platform;
    met__release(&platform, buffer->data, back->capacity);
    met__release(&platform, back, sizeof *back);
    *buffer = (met_buffer){0};
}
