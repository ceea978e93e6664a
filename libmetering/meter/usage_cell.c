/* Cells of hours and days. In: parts and other cells. Out: one that answers
 * as they would together: counts and sums add up, extremes compare, and of the
 * latest value it is kept when it was and which part it came in. */
#include "meter/usage_cell.h"

#include "base/check.h"
#include "meter/amount.h"
#include "meter/usage_match.h"

/* --- Spans ---------------------------------------------------------------- */
static uint64_t span_of(uint64_t first, uint64_t last)
{
    return (last + 1) << 32 | first;
}

static uint64_t span_join(uint64_t a, uint64_t b)
{
    uint64_t first = (uint32_t)a < (uint32_t)b ? (uint32_t)a : (uint32_t)b;
    uint64_t end = a >> 32 > b >> 32 ? a >> 32 : b >> 32;

    return a == 0 ? b : b == 0 ? a : end << 32 | first;
}

static const uint64_t *quantity_of(const uint64_t *words, uint64_t index)
{
    return words + MET__PART_QUANTITIES + index * MET__QUANTITY_WORDS;
}

int met__usage_item_span(const met__usage_item *item, uint32_t quantity,
                         int64_t *first_out, int64_t *last_out)
{
    const uint64_t *words = item->words;
    uint64_t span = span_of(item->key.minute, item->key.minute);

    if (item->minutes == 1) {
        span = quantity == MET__MATCH_COUNTS
                       || quantity_of(words, quantity)[MET__QUANTITY_COUNT] > 0
                   ? span
                   : 0;
    } else {
        span = quantity == MET__MATCH_COUNTS
                   ? words[MET__PART_SEQUENCE]
                   : quantity_of(words, quantity)[MET__QUANTITY_SPAN];
    }
    *first_out = (uint32_t)span;
    *last_out = (int64_t)(span >> 32) - 1;
    return span != 0;
}

/* --- Origins -------------------------------------------------------------- */
static const uint64_t *origin_of(const uint64_t *words, uint64_t index)
{
    return quantity_of(words, words[MET__PART_PLAN] & UINT32_MAX)
           + index * MET__CELL_ORIGIN_WORDS;
}

/* Of two parts with a value of the same instant the minute is the same. */
static met__part_key key_of(const uint64_t *words, uint64_t index)
{
    const uint64_t *origin = origin_of(words, index);

    return (met__part_key){.generation = origin[0],
                           .epoch = (uint32_t)(origin[1] >> 32),
                           .cell = (uint32_t)origin[1]};
}

met__part_key met__usage_item_origin(const met__usage_item *item,
                                     uint32_t quantity)
{
    met__part_key key = item->key;

    if (item->minutes > 1) {
        key = key_of(item->words, quantity);
    }
    key.minute = 0; /* a cell does not know it: instants come first */
    return key;
}

/* --- Records -------------------------------------------------------------- */
met__table met__usage_table(uint32_t minutes)
{
    return minutes == 1                   ? MET__TABLE_PART
           : minutes == MET__HOUR_MINUTES ? MET__TABLE_HOUR
                                          : MET__TABLE_DAY;
}

size_t met__cell_size(uint64_t quantities)
{
    return MET__PART_QUANTITIES
           + (size_t)quantities
                 * (MET__QUANTITY_WORDS + MET__CELL_ORIGIN_WORDS);
}

static void cell_key(uint32_t minute, uint64_t shape, unsigned char *out)
{
    met__put_u32(out, minute);
    met__put_u64(out + 4, shape);
}

size_t met__usage_item_key(const met__usage_item *item, unsigned char *out)
{
    if (item->minutes == 1) {
        met__part_key_put(&item->key, out);
        return MET__PART_KEY_SIZE;
    }
    cell_key(item->key.minute, item->words[MET__PART_SHAPE], out);
    return MET__CELL_KEY_SIZE;
}

static met_error cell_read(met__text value, uint64_t *words_out)
{
    uint64_t plan;

    if (value.size < MET__PART_QUANTITIES * sizeof plan) {
        return MET_E_CORRUPT;
    }
    memcpy(&plan, value.data + MET__PART_PLAN * sizeof plan, sizeof plan);
    if (plan > MET__QUANTITIES_MAX
        || value.size != met__cell_size(plan) * sizeof plan) {
        return MET_E_CORRUPT;
    }
    memcpy(words_out, value.data, value.size);
    return MET_OK;
}

met_error met__usage_item_read(met__text key, met__text value,
                               uint32_t minutes, met__usage_item *item_out)
{
    const unsigned char *bytes = (const unsigned char *)key.data;

    item_out->minutes = minutes;
    if (key.size
        != (minutes == 1 ? MET__PART_KEY_SIZE : MET__CELL_KEY_SIZE)) {
        return MET_E_CORRUPT;
    }
    item_out->key = (met__part_key){.minute = met__get_u32(bytes)};
    if (minutes == 1) {
        item_out->key.generation = met__get_u64(bytes + 4);
        item_out->key.epoch = met__get_u32(bytes + 12);
        item_out->key.cell = met__get_u32(bytes + 16);
        return met__part_read(value, item_out->words);
    }
    met_error error = cell_read(value, item_out->words);
    return error == MET_OK
                   && item_out->words[MET__PART_SHAPE]
                          != met__get_u64(bytes + 4)
               ? MET_E_CORRUPT
               : error;
}

met_error met__cell_put(met__txn *txn, uint32_t minute, uint32_t minutes,
                        const uint64_t *words)
{
    unsigned char key[MET__CELL_KEY_SIZE];

    cell_key(minute, words[MET__PART_SHAPE], key);
    return met__txn_put(txn, met__usage_table(minutes), key, sizeof key, words,
                        met__cell_size(words[MET__PART_PLAN])
                            * sizeof *words);
}

met_error met__cell_get(met__txn *txn, uint32_t minute, uint32_t minutes,
                        uint64_t shape, uint64_t *words_out)
{
    unsigned char key[MET__CELL_KEY_SIZE];
    met__text value;

    cell_key(minute, shape, key);
    met_error error = met__txn_get(txn, met__usage_table(minutes), key,
                                   sizeof key, &value);
    return error == MET_OK ? cell_read(value, words_out) : error;
}

/* --- Folding -------------------------------------------------------------- */
void met__cell_of(const met__usage_item *item, uint64_t *words_out)
{
    uint64_t quantities = item->words[MET__PART_PLAN] & UINT32_MAX;
    int64_t first;
    int64_t last;

    if (item->minutes > 1) {
        memcpy(words_out, item->words,
               met__cell_size(quantities) * sizeof *words_out);
        return;
    }
    memcpy(words_out, item->words,
           (MET__PART_QUANTITIES + quantities * MET__QUANTITY_WORDS)
               * sizeof *words_out);
    words_out[MET__PART_SEQUENCE] = span_of(item->key.minute,
                                            item->key.minute);
    words_out[MET__PART_PLAN] = quantities;
    for (uint32_t i = 0; i < quantities; i++) {
        uint64_t *origin = words_out + (origin_of(words_out, i) - words_out);
        uint64_t *span = words_out + MET__PART_QUANTITIES
                         + i * MET__QUANTITY_WORDS + MET__QUANTITY_SPAN;
        *span = met__usage_item_span(item, i, &first, &last)
                    ? span_of((uint64_t)first, (uint64_t)last)
                    : 0;
        origin[0] = item->key.generation;
        origin[1] = (uint64_t)item->key.epoch << 32 | item->key.cell;
    }
}

static int is_later(const uint64_t *words, const uint64_t *more,
                    uint64_t index)
{
    const uint64_t *a = quantity_of(words, index);
    const uint64_t *b = quantity_of(more, index);
    met__part_key key_a = key_of(words, index);
    met__part_key key_b = key_of(more, index);

    if (a[MET__QUANTITY_EVENT_NS] != b[MET__QUANTITY_EVENT_NS]) {
        return b[MET__QUANTITY_EVENT_NS] > a[MET__QUANTITY_EVENT_NS];
    }
    if (a[MET__QUANTITY_RECORDED_NS] != b[MET__QUANTITY_RECORDED_NS]) {
        return b[MET__QUANTITY_RECORDED_NS] > a[MET__QUANTITY_RECORDED_NS];
    }
    return met__part_key_compare(&key_b, &key_a) > 0;
}

static void copy_wide(uint64_t *to, const uint64_t *from)
{
    to[0] = from[0];
    to[1] = from[1];
}

static void join_quantity(uint64_t *words, const uint64_t *more,
                          uint64_t index)
{
    uint64_t *into = words + MET__PART_QUANTITIES
                     + index * MET__QUANTITY_WORDS;
    const uint64_t *from = quantity_of(more, index);
    int is_first = into[MET__QUANTITY_SPAN] == 0;
    met__wide sum = met__amount_get(into + MET__QUANTITY_SUM);

    if (from[MET__QUANTITY_SPAN] == 0) {
        return;
    }
    if (is_first
        || met__amount_get(from + MET__QUANTITY_MIN)
               < met__amount_get(into + MET__QUANTITY_MIN)) {
        copy_wide(into + MET__QUANTITY_MIN, from + MET__QUANTITY_MIN);
    }
    if (is_first
        || met__amount_get(from + MET__QUANTITY_MAX)
               > met__amount_get(into + MET__QUANTITY_MAX)) {
        copy_wide(into + MET__QUANTITY_MAX, from + MET__QUANTITY_MAX);
    }
    if (is_first || is_later(words, more, index)) {
        uint64_t *origin = words + (origin_of(words, index) - words);
        copy_wide(into + MET__QUANTITY_LATEST, from + MET__QUANTITY_LATEST);
        into[MET__QUANTITY_EVENT_NS] = from[MET__QUANTITY_EVENT_NS];
        into[MET__QUANTITY_RECORDED_NS] = from[MET__QUANTITY_RECORDED_NS];
        copy_wide(origin, origin_of(more, index));
    }
    (void)met__amount_add(&sum, met__amount_get(from + MET__QUANTITY_SUM));
    met__amount_set(into + MET__QUANTITY_SUM, sum);
    into[MET__QUANTITY_COUNT] += from[MET__QUANTITY_COUNT];
    into[MET__QUANTITY_SPAN] = span_join(into[MET__QUANTITY_SPAN],
                                         from[MET__QUANTITY_SPAN]);
}

int met__cell_join(uint64_t *words, const uint64_t *more)
{
    uint64_t quantities = words[MET__PART_PLAN];

    if (more[MET__PART_PLAN] != quantities
        || more[MET__PART_SHAPE] != words[MET__PART_SHAPE]) {
        return 0;
    }
    for (uint64_t i = 0; i < quantities; i++) {
        met__wide sum = met__amount_get(quantity_of(words, i)
                                        + MET__QUANTITY_SUM);
        if (!met__amount_add(&sum, met__amount_get(quantity_of(more, i)
                                                   + MET__QUANTITY_SUM))) {
            return 0;
        }
    }
    for (uint64_t i = 0; i < quantities; i++) {
        join_quantity(words, more, i);
    }
    words[MET__PART_COUNT] += more[MET__PART_COUNT];
    words[MET__PART_SEQUENCE] = span_join(words[MET__PART_SEQUENCE],
                                          more[MET__PART_SEQUENCE]);
    return 1;
}
