/* A log of writes. In: what a read transaction puts and reads. Out: the same,
 * put by a write transaction. It knows no kind of record. */
#include "store/write_log.h"

#include <stdio.h>

#include "base/check.h"
#include "store/store_env.h"

#define NO_HOLE UINT32_MAX
#define CHECKSUM_SIZE 8
#define NUMBERED_SIZE_MAX 255
/* No text of a document has a control character. */
#define NUMBER_TO_COME MET__TEXT("\x01")

MET__STATIC_ASSERT(MET__TABLE_COUNT <= 64, a_table_is_one_bit);

enum { ENTRY_PUT = 1, ENTRY_READ, ENTRY_NUMBER };

/* Followed by key and value. */
typedef struct entry {
    uint16_t kind;
    uint16_t table;
    uint16_t is_append;
    uint16_t is_key_number; /* the key is the number */
    uint32_t key_size;
    uint32_t value_size;
    uint32_t hole; /* of the value: here is the number; or NO_HOLE */
    uint32_t digits;
    uint64_t checksum; /* of a value as it is stored; read: 0, none */
} entry;

/* --- Writing it ----------------------------------------------------------- */
void met__write_log_init(met__write_log *log, const met__platform *platform)
{
    *log = (met__write_log){.hole = SIZE_MAX};
    met__buffer_init(&log->entries, platform);
}

void met__write_log_release(met__write_log *log)
{
    met__buffer_release(&log->entries);
}

void met__write_log_clear(met__write_log *log)
{
    log->entries.size = 0;
    log->entries.error = MET_OK;
    met__write_log_begin(log);
}

void met__txn_log(met__txn *txn, met__write_log *log)
{
    txn->log = log;
}

met__write_log *met__txn_log_of(const met__txn *txn)
{
    return txn->log;
}

void met__write_log_begin(met__write_log *log)
{
    log->begin = log->entries.size;
    log->tables = 0;
    log->hole = SIZE_MAX;
    log->has_number = 0;
    log->is_refused = 0;
}

met_error met__write_log_end(met__write_log *log, int is_wanted,
                             size_t *from_out, size_t *to_out)
{
    met_error error = log->entries.error;

    if (error != MET_OK || log->is_refused || !is_wanted) {
        log->entries.size = log->begin;
        log->entries.error = MET_OK;
        return error != MET_OK ? error : MET_E_UNSUPPORTED;
    }
    *from_out = log->begin;
    *to_out = log->entries.size;
    return MET_OK;
}

met_error met__log_refuse(met__write_log *log)
{
    log->is_refused = 1;
    return MET_E_UNSUPPORTED;
}

static met_error add(met__write_log *log, entry *what, met__text key,
                     met__text value)
{
    what->key_size = (uint32_t)key.size;
    what->value_size = (uint32_t)value.size;
    met__buffer_append(&log->entries, what, sizeof *what);
    met__buffer_append(&log->entries, key.data, key.size);
    met__buffer_append(&log->entries, value.data, value.size);
    return log->entries.error;
}

int met__log_is_number(met__text text)
{
    return met__text_equal(text, NUMBER_TO_COME);
}

void met__log_hole(met__write_log *log, size_t at)
{
    if (log->hole != SIZE_MAX) {
        (void)met__log_refuse(log);
    }
    log->hole = at;
}

met_error met__log_put(met__write_log *log, met__table table, met__text key,
                       met__text value, int is_append)
{
    entry what = {.kind = ENTRY_PUT,
                  .table = (uint16_t)table,
                  .is_append = (uint16_t)is_append,
                  .is_key_number = (uint16_t)met__log_is_number(key),
                  .hole = NO_HOLE};

    if (table == MET__TABLE_META || key.size == 0
        || key.size > MET__LMDB_KEY_SIZE_MAX
        || value.size > MET__STORE_VALUE_SIZE_MAX / 2) {
        return met__log_refuse(log);
    }
    if (log->hole != SIZE_MAX) {
        what.hole = (uint32_t)log->hole;
        log->hole = SIZE_MAX;
    } else if (!what.is_key_number) {
        what.checksum = met__checksum_pair(key.data, key.size, value.data,
                                           value.size);
    }
    log->tables |= UINT64_C(1) << table;
    return add(log, &what, key, value);
}

/* What cannot change while the catalog number is the same, or is allowed to:
 * usage and its marks are of a moment, whoever reads them. */
static int is_noted(met__table table)
{
    switch (table) {
    case MET__TABLE_META:
    case MET__TABLE_PLAN_REC:
    case MET__TABLE_SHAPE:
    case MET__TABLE_SHAPE_ID:
    case MET__TABLE_SHAPE_OF:
    case MET__TABLE_PART:
    case MET__TABLE_HOUR:
    case MET__TABLE_DAY:
    case MET__TABLE_CHANGED:
    case MET__TABLE_METER:
    case MET__TABLE_FEATURE:
    case MET__TABLE_PLAN:
    case MET__TABLE_CUSTOMER:
    case MET__TABLE_SUBJECT:
    case MET__TABLE_SUBSCRIPTION:
    case MET__TABLE_SUBSCRIPTION_OF:
        return 0;
    default:
        return 1;
    }
}

static int is_put_into(const met__write_log *log, met__table table)
{
    return (log->tables >> table & 1) != 0;
}

void met__log_read(met__write_log *log, met__table table, met__text key,
                   met_error error, const void *stored)
{
    entry what = {.kind = ENTRY_READ, .table = (uint16_t)table};

    if (is_put_into(log, table)
        || (error != MET_OK && error != MET_E_NOT_FOUND)) {
        (void)met__log_refuse(log);
    } else if (is_noted(table)) {
        if (stored != NULL) {
            memcpy(&what.checksum, stored, sizeof what.checksum);
        }
        (void)add(log, &what, key, MET__TEXT(""));
    }
}

void met__log_scan(met__write_log *log, met__table table)
{
    if (is_noted(table) || is_put_into(log, table)) {
        (void)met__log_refuse(log);
    }
}

/* --- Numbers -------------------------------------------------------------- */
static size_t print_number(char out[NUMBERED_SIZE_MAX + 1], met__text before,
                           uint32_t digits, uint64_t number)
{
    return (size_t)snprintf(out, NUMBERED_SIZE_MAX + 1, "%.*s%0*llu",
                            (int)before.size, before.data, (int)digits,
                            (unsigned long long)number);
}

static int is_long(met__text before, int digits)
{
    return before.size + MET__DIGITS_MAX > NUMBERED_SIZE_MAX
           || digits > MET__DIGITS_MAX;
}

met_error met__txn_numbered(met__txn *txn, const char *sequence,
                            met__text before, int digits, met__arena *arena,
                            met__text *text_out)
{
    char text[NUMBERED_SIZE_MAX + 1];
    uint64_t number;
    met_error error;

    MET__ASSERT(digits >= 1);
    if (is_long(before, digits)) {
        return MET_E_LIMIT;
    }
    if (txn->log != NULL) {
        entry what = {.kind = ENTRY_NUMBER, .digits = (uint32_t)digits};
        if (txn->log->has_number) {
            return met__log_refuse(txn->log);
        }
        txn->log->has_number = 1;
        *text_out = NUMBER_TO_COME;
        return add(txn->log, &what,
                   met__text_of(sequence, strlen(sequence) + 1), before);
    }
    error = met__txn_sequence(txn, sequence, &number);
    if (error != MET_OK) {
        return error;
    }
    size_t size = print_number(text, before, (uint32_t)digits, number);
    const char *copy = met__arena_copy(arena, text, size);
    if (copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    *text_out = met__text_of(copy, size);
    return MET_OK;
}

/* --- Reading it ----------------------------------------------------------- */
typedef struct log_walk {
    const char *at;
    const char *end;
    entry what;
    met__text key;
    met__text value;
} log_walk;

static log_walk walk_of(const met__write_log *log, size_t from, size_t to)
{
    return (log_walk){.at = log->entries.data + from,
                      .end = log->entries.data + to};
}

static int step(log_walk *walk)
{
    if (walk->at == walk->end) {
        return 0;
    }
    memcpy(&walk->what, walk->at, sizeof walk->what);
    walk->at += sizeof walk->what;
    walk->key = met__text_of(walk->at, walk->what.key_size);
    walk->at += walk->what.key_size;
    walk->value = met__text_of(walk->at, walk->what.value_size);
    walk->at += walk->what.value_size;
    return 1;
}

met_error met__write_log_holds(met__txn *txn, const met__write_log *log,
                               size_t from, size_t to, int *holds_out)
{
    log_walk walk = walk_of(log, from, to);
    int holds = 1;

    while (holds && step(&walk)) {
        uint64_t checksum = 0;
        MDB_val stored;
        MDB_val key = {walk.key.size, (void *)(uintptr_t)walk.key.data};
        if (walk.what.kind != ENTRY_READ) {
            continue;
        }
        int result = mdb_get(txn->txn, txn->store->tables[walk.what.table],
                             &key, &stored);
        if (result != MDB_SUCCESS && result != MDB_NOTFOUND) {
            return met__lmdb_error(txn->store, result);
        }
        if (result == MDB_SUCCESS) {
            if (stored.mv_size < CHECKSUM_SIZE) {
                return MET_E_CORRUPT;
            }
            memcpy(&checksum, stored.mv_data, sizeof checksum);
        }
        holds = checksum == walk.what.checksum;
    }
    *holds_out = holds;
    return MET_OK;
}

/* A text of msgpack of up to 255 bytes. */
static size_t text_head(unsigned char out[2], size_t size)
{
    if (size < 32) {
        out[0] = (unsigned char)(0xa0 | size);
        return 1;
    }
    out[0] = 0xd9;
    out[1] = (unsigned char)size;
    return 2;
}

/* The value, with the number in it, behind its checksum. */
static void fill(char *room, const log_walk *walk, met__text key,
                 met__text number)
{
    char *value = room + CHECKSUM_SIZE;
    uint64_t checksum = walk->what.checksum;
    size_t size = walk->value.size;

    if (walk->what.hole != NO_HOLE) {
        unsigned char head[2];
        size_t head_size = text_head(head, number.size);
        size_t hole = walk->what.hole;
        memcpy(value, walk->value.data, hole);
        memcpy(value + hole, head, head_size);
        memcpy(value + hole + head_size, number.data, number.size);
        memcpy(value + hole + head_size + number.size,
               walk->value.data + hole, size - hole);
        size += head_size + number.size;
    } else if (size > 0) {
        memcpy(value, walk->value.data, size);
    }
    if (walk->what.hole != NO_HOLE || walk->what.is_key_number) {
        checksum = met__checksum_pair(key.data, key.size, value, size);
    }
    memcpy(room, &checksum, sizeof checksum);
}

static int reserve(MDB_cursor *cursor, MDB_val *key, MDB_val *room,
                   int is_append)
{
    int result = is_append ? mdb_cursor_put(cursor, key, room,
                                            MDB_RESERVE | MDB_APPEND)
                           : MDB_KEYEXIST;

    return result == MDB_KEYEXIST
               ? mdb_cursor_put(cursor, key, room, MDB_RESERVE)
               : result;
}

static met_error put(met__txn *txn, const log_walk *walk, met__text number,
                     met__log_cursors *cursors)
{
    size_t table = walk->what.table;
    met__text key = walk->what.is_key_number ? number : walk->key;
    size_t size = walk->value.size;
    MDB_cursor *cursor = cursors->at[table];
    unsigned char head[2];
    int result = MDB_SUCCESS;

    if (walk->what.hole != NO_HOLE) {
        size += text_head(head, number.size) + number.size;
    }
    if (cursor == NULL) {
        result = mdb_cursor_open(txn->txn, txn->store->tables[table],
                                 &cursor);
        cursors->at[table] = cursor;
    }
    MDB_val k = {key.size, (void *)(uintptr_t)key.data};
    MDB_val room = {size + CHECKSUM_SIZE, NULL};
    if (result == MDB_SUCCESS) {
        result = reserve(cursor, &k, &room, walk->what.is_append);
    }
    if (result != MDB_SUCCESS) {
        txn->error = met__lmdb_error(txn->store, result);
        return txn->error;
    }
    fill(room.mv_data, walk, key, number);
    txn->writes++;
    return MET_OK;
}

met_error met__write_log_apply(met__txn *txn, const met__write_log *log,
                               size_t from, size_t to,
                               met__log_cursors *cursors)
{
    char text[NUMBERED_SIZE_MAX + 1];
    met__text number = {text, 0};
    log_walk walk = walk_of(log, from, to);
    met_error error = txn->error;

    MET__ASSERT(txn->is_write && from <= to && to <= log->entries.size);
    while (error == MET_OK && step(&walk)) {
        uint64_t value;
        switch (walk.what.kind) {
        case ENTRY_NUMBER:
            error = met__txn_sequence(txn, walk.key.data, &value);
            if (error == MET_OK) {
                number = met__text_of(text,
                                      print_number(text, walk.value,
                                                   walk.what.digits, value));
            }
            break;
        case ENTRY_PUT:
            error = put(txn, &walk, number, cursors);
            break;
        default:
            break;
        }
    }
    return error;
}
