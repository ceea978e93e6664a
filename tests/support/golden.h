/* Reads a file of tests/golden with the library's own JSON reader and walks
 * its sections. GOLDEN_DIRECTORY comes from CMake. */
#ifndef TESTS_SUPPORT_GOLDEN_H
#define TESTS_SUPPORT_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "document/document.h"
#include "support/faults.h"

static met__platform golden_platform;
static met__arena golden_arena;
static met__node *golden;

static inline void golden_open(const char *name)
{
    char path[512];

    golden_platform = faulty_platform(NULL, NULL);
    met__arena_init(&golden_arena, &golden_platform);
    snprintf(path, sizeof path, "%s/%s", GOLDEN_DIRECTORY, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("%s is missing", path);
    }
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, size, file), size);
    fclose(file);
    met_error_info info = {.struct_size = sizeof info};
    if (met__json_parse(&golden_arena, met__text_of(text, size), &golden,
                        &info)
        != MET_OK) {
        fail_msg("%s: %s", path, info.reason);
    }
    free(text);
}

static inline void golden_close(void)
{
    met__arena_release(&golden_arena);
}

/* The cases of a section; one without any is an error. */
static inline const met__node *golden_section(const char *name)
{
    const met__node *section = met__node_get(golden, name);

    assert_non_null(section);
    assert_int_equal(section->kind, MET__NODE_ARRAY);
    assert_true(section->count > 0);
    return section;
}

static inline const met__node *golden_member(const met__node *object,
                                             const char *name)
{
    const met__node *node = met__node_get(object, name);

    return node != NULL && node->kind != MET__NODE_NULL ? node : NULL;
}

/* A text member; "" when it is missing or null. */
static inline const char *golden_text(const met__node *object,
                                      const char *name)
{
    const met__node *node = golden_member(object, name);

    if (node == NULL) {
        return "";
    }
    assert_int_equal(node->kind, MET__NODE_TEXT);
    return node->as.text.data; /* with a NUL, as all texts of an arena */
}

static inline int golden_boolean(const met__node *object, const char *name)
{
    const met__node *node = golden_member(object, name);

    assert_non_null(node);
    assert_int_equal(node->kind, MET__NODE_BOOLEAN);
    return (int)node->as.boolean;
}

/* An instant; 0 when it is missing or null. */
static inline int64_t golden_time(const met__node *object, const char *name)
{
    const met__node *node = golden_member(object, name);
    int64_t utc_ns = 0;

    if (node != NULL) {
        assert_int_equal(met__time_parse(node->as.text, &utc_ns), MET_OK);
    }
    return utc_ns;
}

#endif
