/* What the tests of meters share: a store with a clock of its own, meters out
 * of one line of JSON. */
#ifndef TESTS_UNIT_METER_SUPPORT_H
#define TESTS_UNIT_METER_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "meter/meter_def.h"
#include "store/store_open.h"
#include "support/faults.h"
#include "support/temp_directory.h"

#define MAP_SIZE (UINT64_C(256) << 20)
/* 2026-03-01T00:00:00Z */
#define START_NS INT64_C(1772323200000000000)

static met_error_info last_info;
static int64_t test_now_ns = START_NS;

static inline int64_t test_clock(void *context)
{
    (void)context;
    return test_now_ns;
}

static inline met__platform test_platform(faulty_memory *memory,
                                          faulty_disk *disk)
{
    met__platform platform = faulty_platform(memory, disk);

    platform.clock = (met_clock){NULL, test_clock, test_clock};
    return platform;
}

static inline met_store *test_store(const char *path)
{
    met__platform platform = test_platform(NULL, NULL);
    met_store *store = NULL;

    last_info = (met_error_info){.struct_size = sizeof last_info};
    met_error error = met__store_open(&platform, path, MAP_SIZE, 1, &store,
                                      &last_info);
    if (error != MET_OK) {
        fail_msg("%s: %s, \"%s\" \"%s\"", path, met_error_name(error),
                 last_info.field, last_info.reason);
    }
    return store;
}

/* Puts one meter; the error, with last_info filled. */
static inline met_error try_meter(met_store *store, const char *json,
                                  uint32_t *change_out)
{
    met__arena arena;
    met__node *node = NULL;
    met__txn *txn = NULL;
    met__path path = {NULL, "meter", 0};

    last_info = (met_error_info){.struct_size = sizeof last_info};
    met__arena_init(&arena, met__store_platform(store));
    met_error error = met__json_parse(&arena, met__text_z(json), &node,
                                      &last_info);
    if (error == MET_OK) {
        error = met__txn_begin(store, 1, &txn);
    }
    if (error == MET_OK) {
        error = met__meter_put(txn, node, &path, change_out, &last_info);
        if (error == MET_OK) {
            error = met__txn_commit(txn);
        } else {
            met__txn_abort(txn);
        }
    }
    met__arena_release(&arena);
    return error;
}

static inline void must_meter(met_store *store, const char *json)
{
    met_error error = try_meter(store, json, NULL);

    if (error != MET_OK) {
        fail_msg("%s: %s, \"%s\" \"%s\"", json, met_error_name(error),
                 last_info.field, last_info.reason);
    }
}

/* The stored document as JSON; "" when there is none. */
static inline const char *meter_json(met_store *store, const char *key)
{
    static char text[8192];
    met__arena arena;
    met__buffer buffer;
    met__node *node = NULL;
    met__txn *txn = NULL;

    met__arena_init(&arena, met__store_platform(store));
    met__buffer_init(&buffer, met__store_platform(store));
    text[0] = '\0';
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    if (met__meter_document(txn, met__text_z(key), &arena, &node) == MET_OK) {
        met__json_write(node, 0, &buffer);
        snprintf(text, sizeof text, "%s", buffer.data);
    }
    met__txn_abort(txn);
    met__buffer_release(&buffer);
    met__arena_release(&arena);
    return text;
}

#endif
