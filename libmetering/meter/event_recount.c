/* Taking an event out of the part that it was counted in, by counting the
 * others of that part again. In: a retained event. Out: the part without it,
 * as if it had never come. Only a part that is what its retained events come
 * to is changed: then nothing else can be in it. */
#include "base/check.h"
#include "meter/correction.h"
#include "meter/event_recount.h"
#include "meter/quantity.h"

/* A part, counted anew. */
typedef struct recount {
    const met__logged_event *event; /* that goes */
    uint32_t quantities;
    uint32_t reserved;
    uint64_t with[MET__PART_WORDS_MAX];
    uint64_t without[MET__PART_WORDS_MAX];
} recount;

met_error met__recount_add(uint64_t *words, const met__logged_event *event,
                           uint32_t quantities)
{
    words[MET__PART_COUNT]++;
    for (uint32_t i = 0; i < quantities; i++) {
        /* Recorded one by one, in the order of their places in the batch. */
        if ((event->mask >> i & 1) != 0
            && !met__quantity_add(words + MET__PART_QUANTITIES
                                      + i * MET__QUANTITY_WORDS,
                                  event->values[i], event->utc_ns,
                                  (int64_t)event->index + 1)) {
            return MET_E_CORRUPT;
        }
    }
    return MET_OK;
}

/* Events of the batch and shape in this minute, but those taken back. */
static met_error count_events(met__txn *txn, recount *r)
{
    const met__logged_event *gone = r->event;
    met__logged_event event;
    unsigned char start[8];
    met__scan scan;
    met__text key;
    met__text value;
    int64_t from_ns = gone->utc_ns - gone->utc_ns % MET__MINUTE_NS;
    met_error error = met__scan_begin(txn, MET__TABLE_EVENT, NULL, 0, &scan);

    met__put_u64(start, (uint64_t)from_ns);
    if (error == MET_OK) {
        error = met__scan_seek(&scan, start, sizeof start);
    }
    while (error == MET_OK) {
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            error = met__event_log_read(key, value, &event);
        }
        if (error == MET_OK && event.utc_ns >= from_ns + MET__MINUTE_NS) {
            error = MET_E_NOT_FOUND;
        }
        if (error != MET_OK || event.batch != gone->batch
            || event.shape != gone->shape || event.retracted_ns != 0) {
            continue;
        }
        error = met__recount_add(r->with, &event, r->quantities);
        if (error == MET_OK && event.index != gone->index) {
            error = met__recount_add(r->without, &event, r->quantities);
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* MET_E_NOT_FOUND: it is folded. */
static met_error find_part(met__txn *txn, const met__logged_event *event,
                           met__part_key *key_out, uint64_t *words_out)
{
    unsigned char prefix[MET__PART_KEY_SIZE];
    met__scan scan;
    met__text key;
    met__text value;

    *key_out = (met__part_key){
        .minute = (uint32_t)(event->utc_ns / MET__MINUTE_NS),
        .generation = event->batch >> 32,
        .epoch = (uint32_t)event->batch,
    };
    met__part_key_put(key_out, prefix);
    met_error error = met__scan_begin(txn, MET__TABLE_PART, prefix,
                                      sizeof prefix - sizeof key_out->cell,
                                      &scan);
    do {
        error = error == MET_OK ? met__scan_next(&scan, &key, &value) : error;
        if (error == MET_OK && key.size != sizeof prefix) {
            error = MET_E_CORRUPT;
        }
        if (error == MET_OK) {
            key_out->cell = met__get_u32((const unsigned char *)key.data
                                         + sizeof prefix
                                         - sizeof key_out->cell);
            error = met__part_read(value, words_out);
        }
    } while (error == MET_OK && words_out[MET__PART_SHAPE] != event->shape);
    met__scan_end(&scan);
    return error;
}

static uint64_t *quantity_of(uint64_t *words, uint32_t index)
{
    return words + MET__PART_QUANTITIES + index * MET__QUANTITY_WORDS;
}

int met__recount_fits(const uint64_t *part, const uint64_t *counted,
                      uint32_t quantities, int64_t *shift_out)
{
    *shift_out = 0;
    if (part[MET__PART_COUNT] != counted[MET__PART_COUNT]
        || (part[MET__PART_PLAN] & UINT32_MAX) != quantities) {
        return 0;
    }
    for (uint32_t i = 0; i < quantities; i++) {
        const uint64_t *a = part + MET__PART_QUANTITIES
                            + i * MET__QUANTITY_WORDS;
        const uint64_t *b = counted + MET__PART_QUANTITIES
                            + i * MET__QUANTITY_WORDS;
        if (memcmp(a, b, MET__QUANTITY_RECORDED_NS * sizeof *a) != 0) {
            return 0;
        }
        if (a[MET__QUANTITY_COUNT] > 0) {
            *shift_out = (int64_t)(a[MET__QUANTITY_RECORDED_NS]
                                   - b[MET__QUANTITY_RECORDED_NS]);
        }
    }
    return 1;
}

void met__recount_shift(uint64_t *words, uint32_t quantities, int64_t shift)
{
    for (uint32_t i = 0; i < quantities; i++) {
        uint64_t *quantity = quantity_of(words, i);
        if (quantity[MET__QUANTITY_COUNT] > 0) {
            quantity[MET__QUANTITY_RECORDED_NS] += (uint64_t)shift;
        }
    }
}

met_error met__event_take_out(met__txn *txn, const met__steps *steps,
                              const met__logged_event *event,
                              uint32_t quantities, met__arena *arena,
                              const char **hindrance_out)
{
    uint64_t stored[MET__PART_WORDS_MAX];
    met__part_key key;
    met__telling telling;
    int64_t shift = 0;
    recount *r = met__arena_allocate(arena, sizeof *r);

    *hindrance_out = NULL;
    if (r == NULL) {
        return MET_E_NO_MEMORY;
    }
    r->event = event;
    r->quantities = quantities;
    met_error error = find_part(txn, event, &key, stored);
    if (error == MET_E_NOT_FOUND) {
        *hindrance_out = "its minute is folded into an hour";
        return MET_OK;
    }
    if (error == MET_OK) {
        error = count_events(txn, r);
    }
    if (error == MET_OK
        && !met__recount_fits(stored, r->with, quantities, &shift)) {
        *hindrance_out = "what was counted beside it is not all retained";
        return MET_OK;
    }
    if (error != MET_OK) {
        return error;
    }
    met__recount_shift(r->without, quantities, shift);
    r->without[MET__PART_SEQUENCE] = stored[MET__PART_SEQUENCE];
    r->without[MET__PART_SHAPE] = stored[MET__PART_SHAPE];
    r->without[MET__PART_PLAN] = stored[MET__PART_PLAN];
    error = r->without[MET__PART_COUNT] > 0
                ? met__part_put(txn, &key, r->without)
                : met__part_remove(txn, &key, stored);
    met__telling_begin(&telling, steps, txn, arena);
    return error == MET_OK ? met__steps_tell(&telling, event->shape,
                                             key.minute, stored, r->without)
                           : error;
}
