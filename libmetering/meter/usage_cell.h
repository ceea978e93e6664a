/* Cells of hours and days: the usage of one shape, folded from parts that can
 * never change. HOUR and DAY[minute:4 shape:8], the minute the first one of
 * the hour or day (UTC), so that both are written and read in order of time.
 *
 * The value is words as of a part (usage_part.h), but: in place of the
 * sequence the span, in place of the plan 0; behind the quantities two words
 * for each, generation and epoch << 32 | cell of the part that brought its
 * latest value. A span is (last minute + 1) << 32 | first minute with usage;
 * every quantity has its own, 0 when no part had it. */
#ifndef MET_METER_USAGE_CELL_H
#define MET_METER_USAGE_CELL_H

#include "meter/usage_part.h"

#define MET__HOUR_MINUTES 60
#define MET__DAY_MINUTES 1440
#define MET__CELL_KEY_SIZE 12
#define MET__CELL_ORIGIN_WORDS 2
#define MET__CELL_WORDS_MAX \
    (MET__PART_WORDS_MAX + MET__QUANTITIES_MAX * MET__CELL_ORIGIN_WORDS)

/* Usage as it lies in one of the three tables. */
typedef struct met__usage_item {
    met__part_key key; /* of a cell only the minute */
    uint32_t minutes;  /* that it is of: 1 is a part */
    uint32_t reserved;
    uint64_t words[MET__CELL_WORDS_MAX];
} met__usage_item;

met__table met__usage_table(uint32_t minutes);
/* out has MET__PART_KEY_SIZE bytes; how many it took. */
size_t met__usage_item_key(const met__usage_item *item, unsigned char *out);
/* As it lies in the table of this grain. MET_E_CORRUPT */
met_error met__usage_item_read(met__text key, met__text value,
                               uint32_t minutes, met__usage_item *item_out);
/* The first and last minute with usage, by a quantity of a shape or by
 * MET__MATCH_COUNTS; 0: no part had it. */
int met__usage_item_span(const met__usage_item *item, uint32_t quantity,
                         int64_t *first_out, int64_t *last_out);
/* The part that brought the latest value of a quantity. */
met__part_key met__usage_item_origin(const met__usage_item *item,
                                     uint32_t quantity);

/* How many words a cell of so many quantities has. */
size_t met__cell_size(uint64_t quantities);
/* An item as the words of a cell; words_out has MET__CELL_WORDS_MAX. */
void met__cell_of(const met__usage_item *item, uint64_t *words_out);
/* Cells of one shape become one, in any order. 0, and nothing has changed: a
 * sum would have more digits than a decimal, or they are not of one shape. */
int met__cell_join(uint64_t *words, const uint64_t *more);

met_error met__cell_put(met__txn *txn, uint32_t minute, uint32_t minutes,
                        const uint64_t *words);
/* MET_E_NOT_FOUND · MET_E_CORRUPT */
met_error met__cell_get(met__txn *txn, uint32_t minute, uint32_t minutes,
                        uint64_t shape, uint64_t *words_out);

#endif
