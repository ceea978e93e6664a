/* For tests of calls that speak documents: a store with a clock that stands
 * still, the last answer as a tree, and checks of refusals. One per program. */
#ifndef TESTS_SUPPORT_DOCUMENTS_H
#define TESTS_SUPPORT_DOCUMENTS_H

#include "unit/store/store_support.h"

#include "document/document.h"
#include "meter/meter_def.h"
#include "metering/store.h"
#include "metering/time.h"
#include "store/object.h"

static char home[64];
static met_store *store;
static int64_t clock_now_ns;
static faulty_memory memory;

/* Runs when a call has answered, before the answer is looked at: tests that let
 * memory fail stop it here. */
static void (*when_answered)(void);

/* The last answer. */
static met_error_info told;
static met__arena answer_arena;
static met__node *answer;

static inline int64_t stopped_utc_ns(void *context)
{
    (void)context;
    return clock_now_ns;
}

static inline int64_t time_of(const char *text)
{
    int64_t utc_ns = 0;

    assert_int_equal(met__time_parse(met__text_z(text), &utc_ns), MET_OK);
    return utc_ns;
}

static inline met_error open_documents(const char *name, int create,
                                       met_store **store_out)
{
    met_platform platform = {.struct_size = sizeof platform};
    char path[128];

    platform.allocator = (met_allocator){&memory, faulty_allocate,
                                         faulty_reallocate, faulty_release};
    platform.clock =
        (met_clock){NULL, stopped_utc_ns, stopped_utc_ns};
    met_store_config config = {.struct_size = sizeof config,
                               .platform = &platform,
                               .map_size_bytes = SMALL_MAP,
                               .flags = create ? MET_STORE_CREATE : 0};
    snprintf(path, sizeof path, "%s/%s", home, name);
    told = (met_error_info){.struct_size = sizeof told};
    return met_store_open(path, strlen(path), &config, store_out, &told);
}

/* The handle is over after a failed write, unless the disk was only full. */
static inline void open_again_if_over(void)
{
    if (met__store_check_handle(store) != MET_OK) {
        met_store_close(store);
        store = NULL;
        assert_int_equal(open_documents("s", 0, &store), MET_OK);
    }
}

static inline int documents_setup(void **state)
{
    met__platform platform = faulty_platform(NULL, NULL);
    static met__platform kept;

    (void)state;
    kept = platform;
    met__arena_init(&answer_arena, &kept);
    temp_directory_fast(home, sizeof home);
    clock_now_ns = time_of("2026-03-15T10:30:00Z");
    memset(&memory, 0, sizeof memory);
    answer = NULL;
    assert_int_equal(open_documents("s", 1, &store), MET_OK);
    return 0;
}

static inline int documents_teardown(void **state)
{
    (void)state;
    met_store_close(store);
    met__arena_release(&answer_arena);
    temp_remove(home);
    assert_int_equal(memory.live, 0);
    return 0;
}

/* Every call gets a fresh info and an empty buffer; what it leaves in them is
 * checked here. */
static inline met_buffer *fresh(void)
{
    static met_buffer buffer;

    met_buffer_release(&buffer);
    told = (met_error_info){.struct_size = sizeof told};
    return &buffer;
}

static inline met_error keep(met_error error, met_buffer *buffer)
{
    answer = NULL;
    if (when_answered != NULL) {
        when_answered();
    }
    if (error != MET_OK) {
        assert_null(buffer->data);
        assert_int_equal(told.code, error);
        assert_true(strlen(told.reason) > 0);
        return error;
    }
    assert_int_equal(told.code, 0);
    if (buffer->data != NULL) {
        met__arena_release(&answer_arena);
        assert_int_equal(met__json_parse(&answer_arena,
                                         met__text_of(buffer->data,
                                                      buffer->size),
                                         &answer, NULL),
                         MET_OK);
        met_buffer_release(buffer);
    }
    return error;
}

/* "items.0.key" of the last answer as text; "" when there is none. */
static inline const char *shown(const char *path)
{
    static char texts[4][512];
    static unsigned turn;
    char *text = texts[turn++ % 4];
    const met__node *node = answer;
    char step[64];

    while (node != NULL && *path != '\0') {
        size_t size = strcspn(path, ".");
        snprintf(step, sizeof step, "%.*s", (int)size, path);
        path += size + (path[size] == '.');
        if (node->kind == MET__NODE_ARRAY) {
            uint32_t index = (uint32_t)strtoul(step, NULL, 10);
            node = index < node->count ? node->as.items[index] : NULL;
        } else {
            node = met__node_get(node, step);
        }
    }
    met__buffer buffer;
    met__buffer_init(&buffer, answer_arena.platform);
    if (node != NULL && node->kind == MET__NODE_TEXT) {
        met__buffer_append(&buffer, node->as.text.data, node->as.text.size);
    } else if (node != NULL) {
        met__json_write(node, 0, &buffer);
    }
    snprintf(text, 512, "%s", buffer.data != NULL ? buffer.data : "");
    met__buffer_release(&buffer);
    return text;
}

static inline void assert_shown(const char *path, const char *expected)
{
    const char *found = shown(path);

    if (strcmp(found, expected) != 0) {
        fail_msg("%s is \"%s\", not \"%s\"", path, found, expected);
    }
}

/* The last call was refused with this code, field and part of the reason. */
static inline void assert_told(met_error error, met_error expected,
                               const char *field, const char *reason)
{
    if (error != expected || strcmp(told.field, field) != 0
        || strstr(told.reason, reason) == NULL) {
        fail_msg("%s at \"%s\": \"%s\"; not %s at \"%s\": \"%s\"",
                 met_error_name(error), told.field, told.reason,
                 met_error_name(expected), field, reason);
    }
}

static inline void assert_ok(met_error error)
{
    if (error != MET_OK) {
        fail_msg("%s at \"%s\": \"%s\"", met_error_name(error), told.field,
                 told.reason);
    }
}

/* Everything stored, as one number: equal when nothing has changed. */
static inline uint64_t stored_digest(void)
{
    uint64_t number = 0;

    assert_int_equal(digest(store, &number), MET_OK);
    return number;
}

static inline void must_put_meter(const char *json)
{
    static const met__path path = {NULL, "meter", 0};
    met__arena arena;
    met__node *node = NULL;
    met__txn *txn = NULL;

    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(
        met__json_parse(&arena, met__text_z(json), &node, NULL), MET_OK);
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    fresh();
    assert_ok(met__meter_put(txn, node, &path, NULL, &told));
    assert_int_equal(met__txn_commit(txn), MET_OK);
    met__arena_release(&arena);
}

/* The meter of the get-started story. */
static inline void must_put_requests_meter(void)
{
    must_put_meter("{\"key\":\"api_requests\",\"name\":\"API requests\","
                   "\"event_type\":\"kong.api_request\","
                   "\"aggregation\":\"count\",\"dimensions\":{"
                   "\"service_name\":\"$.service_name\","
                   "\"route_name\":\"$.route_name\"}}");
}

#endif
