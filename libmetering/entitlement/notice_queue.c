/* The queue of notices. In: notices. Out: records of NOTICE in the order of
 * their ids, and one of META that counts them. It does not know what they say.
 */
#include "entitlement/notice_queue.h"

#include "base/check.h"
#include "base/ulid.h"

#define STATE_KEY "notice_queue"

typedef struct queue_state {
    met__text last; /* the greatest id ever given; empty: none */
    int64_t waiting;
    int64_t dropped;
} queue_state;

/* --- State ---------------------------------------------------------------- */
static met_error read_state(met__txn *txn, met__arena *arena,
                            queue_state *state_out)
{
    met__path path = {NULL, STATE_KEY, 0};
    met__node *node = NULL;
    met__fields fields;
    met_error error = met__record_get(txn, MET__TABLE_META, STATE_KEY,
                                      sizeof STATE_KEY - 1, arena, &node);

    *state_out = (queue_state){0};
    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    (void)met__fields_begin(&fields, node, &path, NULL);
    (void)met__fields_text(&fields, "last", MET__OPTIONAL, MET__ULID_SIZE,
                           MET__ULID_SIZE, &state_out->last);
    (void)met__fields_integer(&fields, "waiting", MET__REQUIRED, 0, INT64_MAX,
                              &state_out->waiting);
    (void)met__fields_integer(&fields, "dropped", MET__REQUIRED, 0, INT64_MAX,
                              &state_out->dropped);
    error = met__fields_end(&fields);
    return error == MET_E_INVALID ? MET_E_CORRUPT : error;
}

static met_error write_state(met__txn *txn, const queue_state *state,
                             met__arena *arena)
{
    met__builder builder;
    met__node *node;

    met__builder_begin(&builder, arena);
    met__build_text(&builder, "last", state->last);
    met__build_integer(&builder, "waiting", state->waiting);
    met__build_integer(&builder, "dropped", state->dropped);
    met_error error = met__builder_end(&builder, &node);
    return error == MET_OK
               ? met__record_put(txn, MET__TABLE_META, STATE_KEY,
                                 sizeof STATE_KEY - 1, node)
               : error;
}

/* --- Walking -------------------------------------------------------------- */
/* A lease that ends later than any could comes from a clock that ran ahead. */
static int is_held(const met__node *notice, int64_t now_ns)
{
    const met__node *node = met__node_get(notice, "leased_until");
    int64_t until_ns = 0;

    return node != NULL && node->kind == MET__NODE_TEXT
           && met__time_parse(node->as.text, &until_ns) == MET_OK
           && until_ns > now_ns
           && until_ns - now_ns <= MET__NOTICE_LEASE_MAX_NS;
}

/* In memory of its own: many may be held. */
static met_error look_at(met__text value, int64_t free_at_ns,
                         const met__platform *platform, int *is_free_out)
{
    met__arena arena;
    met__node *notice;

    met__arena_init(&arena, platform);
    met_error error = met__record_unpack(&arena, value, &notice);
    *is_free_out = error == MET_OK && !is_held(notice, free_at_ns);
    met__arena_release(&arena);
    return error;
}

/* What the walk is told of every notice, oldest first. MET_E_NOT_FOUND ends it
 * without an error. */
typedef met_error (*notice_visit)(void *context, met__text id,
                                  met__node *notice);

/* free_at_ns: only those that nobody holds then; 0: all. */
static met_error walk(met__txn *txn, int64_t free_at_ns, met__arena *arena,
                      void *context, notice_visit visit)
{
    met__scan scan;
    met__text key;
    met__text value;
    met__node *notice;
    met_error error = met__scan_begin(txn, MET__TABLE_NOTICE, NULL, 0, &scan);

    while (error == MET_OK) {
        int is_free = 1;
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK && free_at_ns != 0) {
            error = look_at(value, free_at_ns, arena->platform, &is_free);
        }
        if (error != MET_OK || !is_free) {
            continue;
        }
        const char *id = met__arena_copy(arena, key.data, key.size);
        error = id == NULL ? MET_E_NO_MEMORY
                           : met__record_unpack(arena, value, &notice);
        if (error == MET_OK) {
            error = visit(context, met__text_of(id, key.size), notice);
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* --- Making --------------------------------------------------------------- */
/* The next text of 26 digits of Crockford's base 32. */
static met_error next_id(met__text last, met__arena *arena, met__text *id_out)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    char *id = met__arena_copy(arena, last.data, last.size);

    if (id == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = last.size; i-- > 0;) {
        const char *digit = memchr(digits, id[i], 32);
        if (digit == NULL) {
            return MET_E_CORRUPT;
        }
        id[i] = digits[(digit - digits + 1) % 32];
        if (id[i] != '0') {
            break;
        }
    }
    *id_out = met__text_of(id, last.size);
    return MET_OK;
}

static met_error drop_oldest(met__txn *txn, queue_state *state)
{
    met__scan scan;
    met__text key;
    met__text value;
    unsigned char copy[MET__LMDB_KEY_SIZE_MAX];
    size_t size = 0;
    met_error error = met__scan_begin(txn, MET__TABLE_NOTICE, NULL, 0, &scan);

    if (error == MET_OK) {
        error = met__scan_next(&scan, &key, &value);
    }
    if (error == MET_OK) {
        size = key.size;
        memcpy(copy, key.data, size);
    }
    met__scan_end(&scan);
    if (error == MET_OK) {
        error = met__txn_remove(txn, MET__TABLE_NOTICE, copy, size);
        state->waiting--;
        state->dropped++;
    }
    return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
}

static met_error build_notice(const met__node *members, met__text id,
                              int64_t now_ns, met__arena *arena,
                              met__node **node_out)
{
    met__builder builder;

    met__builder_begin(&builder, arena);
    met__build_text(&builder, "id", id);
    met__build_time(&builder, "created_at", now_ns);
    for (uint32_t i = 0; i < members->count; i++) {
        const met__member *member = &members->as.members[i];
        met_error error = met__node_add(arena, builder.object, member->name,
                                        member->node);
        if (error != MET_OK) {
            return error;
        }
    }
    met__build_integer(&builder, "deliveries", 0);
    return met__builder_end(&builder, node_out);
}

met_error met__notice_append(met__txn *txn, const met__node *members,
                             met__arena *arena)
{
    int64_t now_ns = met__txn_now_ns(txn);
    met__node *node = NULL;
    queue_state state;
    met__text id;
    met_error error = read_state(txn, arena, &state);

    if (error == MET_OK) {
        error = met__object_id(txn, now_ns, arena, &id);
    }
    if (error == MET_OK && met__text_compare(id, state.last) <= 0) {
        error = next_id(state.last, arena, &id);
    }
    while (error == MET_OK && state.waiting >= MET__NOTICES_MAX) {
        error = drop_oldest(txn, &state);
    }
    if (error == MET_OK) {
        error = build_notice(members, id, now_ns, arena, &node);
    }
    if (error == MET_OK) {
        error = met__record_put(txn, MET__TABLE_NOTICE, id.data, id.size,
                                node);
    }
    state.last = id;
    state.waiting++;
    return error == MET_OK ? write_state(txn, &state, arena) : error;
}

/* --- Draining ------------------------------------------------------------- */
typedef struct drain {
    met__txn *txn;
    met__arena *arena;
    met__node *array; /* NULL: one is enough, and is not taken */
    size_t count_max;
    int64_t now_ns;
    int64_t lease_ns;
    int is_waiting;
    int reserved;
} drain;

static met_error hand_out(drain *self, met__text id, met__node *notice)
{
    const met__node *count = met__node_get(notice, "deliveries");
    int64_t before = count != NULL && count->kind == MET__NODE_INTEGER
                         ? count->as.integer
                         : 0;
    met_error error =
        met__node_set(self->arena, notice, "deliveries",
                      met__node_integer(self->arena, before + 1));

    if (error == MET_OK) {
        error = met__node_set(
            self->arena, notice, "leased_until",
            met__node_time(self->arena, self->now_ns + self->lease_ns));
    }
    if (error == MET_OK) {
        error = met__record_put(self->txn, MET__TABLE_NOTICE, id.data,
                                id.size, notice);
    }
    return error == MET_OK
               ? met__node_append(self->arena, self->array, notice)
               : error;
}

static met_error drain_visit(void *context, met__text id, met__node *notice)
{
    drain *self = context;

    self->is_waiting = 1;
    if (self->array == NULL) {
        return MET_E_NOT_FOUND;
    }
    met_error error = hand_out(self, id, notice);
    return error == MET_OK && self->array->count == self->count_max
               ? MET_E_NOT_FOUND
               : error;
}

met_error met__notice_is_waiting(met__txn *txn, met__arena *arena,
                                 int *is_waiting_out)
{
    drain self = {.arena = arena, .now_ns = met__txn_now_ns(txn)};
    met_error error = walk(txn, self.now_ns, arena, &self, drain_visit);

    *is_waiting_out = self.is_waiting;
    return error;
}

met_error met__notice_next(met__txn *txn, size_t count_max, int64_t lease_ns,
                           met__arena *arena, met__node **array_out)
{
    drain self = {txn,       arena,    met__node_array(arena),
                  count_max, met__txn_now_ns(txn),
                  lease_ns,  0,        0};

    MET__ASSERT(count_max > 0);
    *array_out = self.array;
    return self.array == NULL
               ? MET_E_NO_MEMORY
               : walk(txn, self.now_ns, arena, &self, drain_visit);
}

static met_error remove_older(met__txn *txn, met__text id,
                              int64_t *removed_out)
{
    met__scan scan;
    met__text key;
    met__text value;
    met_error error = met__scan_begin(txn, MET__TABLE_NOTICE, NULL, 0, &scan);

    while (error == MET_OK) {
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK && met__text_compare(key, id) >= 0) {
            break;
        }
        if (error == MET_OK) {
            unsigned char copy[MET__LMDB_KEY_SIZE_MAX];
            memcpy(copy, key.data, key.size);
            error = met__txn_remove(txn, MET__TABLE_NOTICE, copy, key.size);
            ++*removed_out;
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__notice_ack(met__txn *txn, met__text id, int and_older,
                          met__arena *arena)
{
    queue_state state;
    int64_t removed = 1;
    met_error error = met__txn_remove(txn, MET__TABLE_NOTICE, id.data,
                                      id.size);

    if (error == MET_OK && and_older) {
        error = remove_older(txn, id, &removed);
    }
    if (error == MET_OK) {
        error = read_state(txn, arena, &state);
    }
    if (error == MET_OK) {
        state.waiting -= removed;
        error = state.waiting < 0 ? MET_E_CORRUPT
                                  : write_state(txn, &state, arena);
    }
    return error;
}

/* --- Looking -------------------------------------------------------------- */
static met_error list_visit(void *context, met__text id, met__node *notice)
{
    drain *self = context;

    (void)id;
    met_error error = met__node_append(self->arena, self->array, notice);
    return error == MET_OK && self->array->count == self->count_max
               ? MET_E_NOT_FOUND
               : error;
}

met_error met__notice_list(met__txn *txn, size_t count_max, met__arena *arena,
                           met__node **node_out)
{
    drain self = {.arena = arena,
                  .array = met__node_array(arena),
                  .count_max = count_max};
    met__builder builder;
    queue_state state;
    met_error error = self.array == NULL
                          ? MET_E_NO_MEMORY
                          : walk(txn, 0, arena, &self, list_visit);

    if (error == MET_OK) {
        error = read_state(txn, arena, &state);
    }
    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&builder, arena);
    met__build_node(&builder, "items", self.array);
    met__build_integer(&builder, "waiting", state.waiting);
    met__build_integer(&builder, "dropped", state.dropped);
    return met__builder_end(&builder, node_out);
}
