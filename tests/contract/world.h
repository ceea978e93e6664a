/* A store with something of everything in it, for the sweeps over every public
 * call (sweep_test.c): made once, and given back as it was made for each row.
 * And one row for each call. */
#ifndef TESTS_CONTRACT_WORLD_H
#define TESTS_CONTRACT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "metering/metering.h"

/* Linked with --wrap=met__os_default: every handle has the failing disk. */
const struct met__os *__real_met__os_default(void);
#define FAULTY_REAL __real_met__os_default()
#include "support/faults.h"
#include "support/temp_directory.h"

#define SWEEP_MAP_SIZE (UINT64_C(64) << 20)

typedef struct world {
    char home[64];
    char path[96]; /* of the store in use */
    int64_t now_ns;
    int64_t made_ns; /* when it was ready */
    faulty_memory memory;
    faulty_disk disk;
    met_platform platform;
    uint64_t map_size; /* of the store when it is opened */

    /* What calls use and fill. */
    met_store *store;
    met_recorder *recorder;
    met_prepared *prepared;
    met_ingest *ingest;
    met_gateway *gateway;
    met_gateway_decision decision;
    met_limiter *limiter;
    met_limiter_result result;
    uint32_t policy;
    met_usage_cursor *cursor;
    met_billing_run *run;
    met_price *price;
    met_buffer out;
    met_error_info told;

    /* Ids of what is in it. */
    char running[32], canceled[32], scheduled[32]; /* subscriptions */
    char grant[32], draft[32], notice[32];
} world;

extern world w;

int world_make(void **state); /* set-up and tear-down of cmocka's */
int world_remove(void **state);
/* The store as it was made, open; handles closed. */
void world_restore(void);
void world_close(void); /* handles and store */
void world_close_handles(void);
void world_open(void);
/* What opening a store of no world answers; it is closed again. */
met_error open_at(const char *path, uint64_t flags);
uint64_t world_digest(void);

void assert_ok(met_error error);

/* 'x' as "x" in one of eight texts in turn. */
const char *quoted(const char *text);
#define J(text) quoted(text), sizeof text - 1
#define T(text) text, sizeof text - 1
#define ID(name) w.name, strlen(w.name)
#define OUT &w.out, &w.told
#define INFO &w.told

/* The guard looks at the rest: that there is a reason, and that no output is
 * written. */
#define EXPECT(code, call)                                                  \
    do {                                                                    \
        w.told = (met_error_info){.struct_size = sizeof w.told};            \
        met_error seen = (call);                                            \
        if (seen != (code)) {                                               \
            fail_msg("%d: %s at \"%s\": \"%s\", not %s", __LINE__,          \
                     met_error_name(seen), w.told.field, w.told.reason,     \
                     met_error_name(code));                                 \
        }                                                                   \
        met_buffer_release(&w.out);                                         \
    } while (0)

/* --- Rows ----------------------------------------------------------------- */
enum {
    ROW_PURE = 1,     /* asks no store, and so works in a child, too */
    ROW_WRITES = 2,   /* one transaction: all of it or nothing */
    ROW_LATER = 4,    /* what follows the commit may fail, and is made up for */
    ROW_COPES = 8,    /* may do without what fails */
    ROW_AGAIN = 16,   /* before() makes ready for one attempt only */
    ROW_STEPS = 32    /* several transactions: what is done is done */
};
#define LATER (ROW_WRITES | ROW_LATER)

typedef struct contract_row {
    const char *function;
    met_error (*run)(void);
    void (*before)(void); /* NULL, or: makes a restored world ready */
    unsigned kind;
} contract_row;

/* CALL(plan_get, ARGUMENTS): call_plan_get makes that call. */
#define CALL(name, ...)                   \
    static met_error call_##name(void)    \
    {                                     \
        return met_##name(__VA_ARGS__);   \
    }
#define ROW(name, before, kind) {"met_" #name, call_##name, before, kind}

/* Every row, or the one of that function. */
extern const char *only_function;
void each_row(void (*check)(const contract_row *row));
void begin_row(const contract_row *row);
met_error attempt_row(const contract_row *row);

extern const contract_row catalog_rows[], usage_rows[], billing_rows[],
    gateway_rows[], pure_rows[];
extern const size_t catalog_row_count, usage_row_count, billing_row_count,
    gateway_row_count, pure_row_count;

#endif
