/* SQLite as a store of events beside met_event_ingest: write-ahead log, flushed
 * at every commit (synchronous=FULL), one transaction for 1,000 events, each
 * known by source and id, added to one row a subject, service and minute. Its
 * cache is large and checkpoints are rare, which favours it. */
#include "../events.h"

#include <sqlite3.h>
#include <unistd.h>

typedef struct store {
    sqlite3 *db;
    sqlite3_stmt *begin;
    sqlite3_stmt *commit;
    sqlite3_stmt *remember;
    sqlite3_stmt *count;
    events events;
    uint64_t accepted;
} store;

static store the_store;

static void must(int is_true, const char *what)
{
    if (!is_true) {
        fprintf(stderr, "%s: %s\n", what,
                the_store.db ? sqlite3_errmsg(the_store.db) : "");
        exit(1);
    }
}

static void run_sql(store *s, const char *sql)
{
    must(sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK, sql);
}

static sqlite3_stmt *prepare(store *s, const char *sql)
{
    sqlite3_stmt *statement = NULL;

    must(sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
                            &statement, NULL)
             == SQLITE_OK,
         sql);
    return statement;
}

static void step(sqlite3_stmt *statement, const char *what)
{
    must(sqlite3_step(statement) == SQLITE_DONE, what);
    sqlite3_reset(statement);
}

static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

static void count_usage(store *s, const event *e, uint32_t bytes)
{
    bind_text(s->count, 1, e->subject);
    bind_text(s->count, 2, e->service);
    sqlite3_bind_int64(s->count, 3, e->utc_ns / INT64_C(60000000000));
    sqlite3_bind_int64(s->count, 4, bytes);
    step(s->count, "count");
}

static void take_in(store *s, const event *e)
{
    bind_text(s->remember, 1, EVENTS_SOURCE);
    bind_text(s->remember, 2, e->id);
    sqlite3_bind_int64(s->remember, 3, e->utc_ns);
    step(s->remember, "remember");
    if (sqlite3_changes(s->db) == 0) {
        return;
    }
    s->accepted++;
    count_usage(s, e, e->byte_count);
}

/* Ids in the order of the table: a random one would take hours. */
static int order(const void *a, const void *b)
{
    return memcmp(a, b, EVENTS_ID_SIZE + 1);
}

static void fill(store *s)
{
    char (*ids)[EVENTS_ID_SIZE + 1] = malloc(s->events.known * sizeof *ids);

    must(ids != NULL, "no memory");
    step(s->begin, "begin");
    for (uint64_t i = 0; i < s->events.known; i++) {
        event known;
        events_fill(&s->events, i, &known);
        memcpy(ids[i], known.id, sizeof known.id);
        count_usage(s, &known, 0);
    }
    qsort(ids, s->events.known, sizeof *ids, order);
    for (uint64_t i = 0; i < s->events.known; i++) {
        bind_text(s->remember, 1, EVENTS_SOURCE);
        bind_text(s->remember, 2, ids[i]);
        sqlite3_bind_int64(s->remember, 3, s->events.begin_ns);
        step(s->remember, "fill");
    }
    step(s->commit, "commit");
    run_sql(s, "PRAGMA wal_checkpoint(TRUNCATE)");
    free(ids);
}

static void open_store(store *s, const char *folder)
{
    char path[512];

    snprintf(path, sizeof path, "%s/events-%ld.db", folder, (long)getpid());
    must(sqlite3_open(path, &s->db) == SQLITE_OK, path);
    run_sql(s, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
               "PRAGMA cache_size=-1048576; PRAGMA mmap_size=4294967296;"
               "PRAGMA wal_autocheckpoint=65536;"
               "CREATE TABLE seen (source TEXT, id TEXT, utc_ns INTEGER,"
               " PRIMARY KEY (source, id)) WITHOUT ROWID;"
               "CREATE TABLE usage (subject TEXT, service TEXT,"
               " minute INTEGER, bytes INTEGER, events INTEGER,"
               " PRIMARY KEY (subject, service, minute)) WITHOUT ROWID;");
    s->begin = prepare(s, "BEGIN IMMEDIATE");
    s->commit = prepare(s, "COMMIT");
    s->remember = prepare(s, "INSERT INTO seen VALUES (?, ?, ?)"
                             " ON CONFLICT DO NOTHING");
    s->count = prepare(s, "INSERT INTO usage VALUES (?, ?, ?, ?, 1)"
                          " ON CONFLICT DO UPDATE SET"
                          " bytes = bytes + excluded.bytes,"
                          " events = events + 1");
    s->events = events_begin();
    fill(s);
}

static double run(const peer_case *c, uint64_t count, uint64_t *allowed_out)
{
    uint64_t (*clock_ns)(void) = c->context == NULL ? bench_now_ns
                                                    : peer_cpu_ns;
    static event batch[EVENTS_BATCH];
    store *s = &the_store;
    uint64_t took = 0;

    (void)allowed_out;
    for (uint64_t done = 0; done < count; done += EVENTS_BATCH) {
        for (int i = 0; i < EVENTS_BATCH; i++) {
            events_next(&s->events, &batch[i]);
        }
        uint64_t began = clock_ns();
        step(s->begin, "begin");
        for (int i = 0; i < EVENTS_BATCH; i++) {
            take_in(s, &batch[i]);
        }
        step(s->commit, "commit");
        took += clock_ns() - began;
    }
    must(s->accepted == s->events.made - s->events.duplicates,
         "what was sent before was counted");
    return (double)took;
}

/* What is stored of the rounds so far. */
static void print_results(const peer_case *c, uint64_t count)
{
    sqlite3_stmt *sums = prepare(&the_store,
                                 "SELECT sum(bytes) FROM usage");

    (void)c;
    (void)count;
    must(sqlite3_step(sums) == SQLITE_ROW, "sums");
    printf("\"%lld bytes\"", (long long)sqlite3_column_int64(sums, 0));
    sqlite3_finalize(sums);
}

static void close_store(store *s, const char *folder)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char path[512];

    sqlite3_finalize(s->begin);
    sqlite3_finalize(s->commit);
    sqlite3_finalize(s->remember);
    sqlite3_finalize(s->count);
    sqlite3_close(s->db);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/events-%ld.db%s", folder,
                 (long)getpid(), ends[i]);
        remove(path);
    }
}

int main(int count, char **words)
{
    const peer_case cases[] = {
        {"durable event, wall clock", "SQLite",
         ", \"count\": 20000", run, print_results, NULL},
        {"durable event, processor time", "SQLite", ", \"count\": 20000", run,
         NULL, &the_store},
    };

    must(count == 2, "usage: ingest FOLDER");
    open_store(&the_store, words[1]);
    int status = peer_serve(cases, 2);
    close_store(&the_store, words[1]);
    return status;
}
