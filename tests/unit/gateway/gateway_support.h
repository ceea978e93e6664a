/* What the tests of the gateway share: a store in a directory of its own,
 * documents applied from JSON, golden files. */
#ifndef TESTS_UNIT_GATEWAY_SUPPORT_H
#define TESTS_UNIT_GATEWAY_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "gateway/entity.h"
#include "store/store_open.h"
#include "support/faults.h"
#include "support/temp_directory.h"

#define SMALL_MAP (UINT64_C(64) << 20)
#define NOW INT64_C(1767225600000000000) /* 2026-01-01T00:00:00Z */

static met_error_info last_info;

static inline met_store *open_store_on(const met__platform *platform,
                                       const char *path)
{
    met_store *store = NULL;

    last_info = (met_error_info){.struct_size = sizeof last_info};
    if (met__store_open(platform, path, SMALL_MAP, 1, &store, &last_info)
        != MET_OK) {
        fail_msg("%s: %s", last_info.field, last_info.reason);
    }
    return store;
}

static inline met_store *open_store(const char *path)
{
    met__platform platform = faulty_platform(NULL, NULL);
    return open_store_on(&platform, path);
}

/* --- Notes of an apply, one line each ------------------------------------- */
typedef struct notes {
    char text[8192];
    size_t size;
} notes;

static inline met_error take_note(void *context, const met__entity_note *note)
{
    static const char *const changes[] = {"unchanged", "created", "updated"};
    notes *all = context;
    int put = snprintf(
        all->text + all->size, sizeof all->text - all->size,
        "%.*s %.*s %s%s%.*s\n", (int)note->kind.size, note->kind.data,
        (int)note->name.size, note->name.data,
        note->is_ignored ? "ignored" : changes[note->change],
        note->reason.size > 0 ? " " : "", (int)note->reason.size,
        note->reason.size > 0 ? note->reason.data : "");
    all->size += put > 0 ? (size_t)put : 0;
    return all->size < sizeof all->text ? MET_OK : MET_E_LIMIT;
}

/* Applies a document in a transaction of its own. */
static inline met_error apply_at(met_store *store, const char *json,
                                 int is_strict, int64_t now_ns,
                                 notes *notes_out)
{
    met__arena arena;
    met__node *node;
    met__txn *txn = NULL;

    last_info = (met_error_info){.struct_size = sizeof last_info};
    memset(notes_out, 0, sizeof *notes_out);
    met__arena_init(&arena, met__store_platform(store));
    met_error error =
        met__json_parse(&arena, met__text_z(json), &node, &last_info);
    if (error == MET_OK) {
        error = met__txn_begin(store, 1, &txn);
    }
    if (error == MET_OK) {
        error = met__gateway_apply(txn, node, NULL, now_ns, is_strict, &arena,
                                   notes_out, take_note, &last_info);
        if (error == MET_OK) {
            error = met__txn_commit(txn);
        } else {
            met__txn_abort(txn);
        }
    }
    met__arena_release(&arena);
    return error;
}

static inline met_error apply(met_store *store, const char *json,
                              notes *notes_out)
{
    return apply_at(store, json, 0, NOW, notes_out);
}

static inline void must_apply(met_store *store, const char *json)
{
    notes all;
    met_error error = apply(store, json, &all);

    if (error != MET_OK) {
        fail_msg("%s: %s, \"%s\" \"%s\"", json, met_error_name(error),
                 last_info.field, last_info.reason);
    }
}

/* --- Golden files --------------------------------------------------------- */
#ifdef METERING_GOLDEN
/* One section of a golden file: the rest has doubles our reader refuses. */
static inline met__node *read_golden(met__arena *arena, const char *name,
                                     const char *section)
{
    char path[512];
    char label[64];
    met__node *node = NULL;
    long size;
    int depth = 0;

    snprintf(path, sizeof path, "%s/%s", METERING_GOLDEN, name);
    snprintf(label, sizeof label, "\"%s\": [", section);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);
    char *text = calloc(1, (size_t)size + 1);
    assert_int_equal(fread(text, 1, (size_t)size, file), (size_t)size);
    fclose(file);
    char *start = strstr(text, label);
    assert_non_null(start);
    start = strchr(start, '[');
    char *end = start;
    int in_text = 0;
    do {
        if (*end == '"' && end[-1] != '\\') {
            in_text = !in_text;
        }
        depth += !in_text && *end == '[';
        depth -= !in_text && *end == ']';
        end++;
    } while (depth > 0 && *end != '\0');
    last_info = (met_error_info){.struct_size = sizeof last_info};
    if (met__json_parse(arena, met__text_of(start, (size_t)(end - start)),
                        &node, &last_info)
        != MET_OK) {
        fail_msg("%s %s: %s", path, section, last_info.reason);
    }
    free(text);
    return node;
}

/* "" when missing. */
static inline met__text golden_text(const met__node *node, const char *name)
{
    const met__node *member = node ? met__node_get(node, name) : NULL;

    return member != NULL && member->kind == MET__NODE_TEXT
               ? member->as.text
               : (met__text){"", 0};
}

static inline int64_t golden_integer(const met__node *node, const char *name,
                                     int64_t standard)
{
    const met__node *member = node ? met__node_get(node, name) : NULL;

    if (member == NULL) {
        return standard;
    }
    return member->kind == MET__NODE_BOOLEAN ? member->as.boolean
           : member->kind == MET__NODE_INTEGER ? member->as.integer
                                               : standard;
}
#endif

#endif
