/* One pass over usage for many bills. In: wishes of customers, terms and
 * periods. Out: sums. What it does not know the store is asked for, one by
 * one: other aggregations than sum and count, and periods whose bounds lie in
 * usage that is no longer kept by the minute.
 *
 * Subjects are known by 128 keyed bits: two of a million have equal ones once
 * in 10^26 stores. Shapes are numbered from 1 without gaps, so what one is to
 * the wishes is found in a plain list. */
#include "invoice/usage_gather.h"

#include <stdlib.h>

#include "base/index_map.h"
#include "entitlement/allowance.h"
#include "invoice/usage_terms.h"
#include "invoice/value_sums.h"
#include "meter/subject_index.h"
#include "meter/usage_match.h"

#define NOTHING UINT32_MAX
#define SUBJECTS_MAX (1u << 22)
#define IN_PART 1  /* usage lies across a bound */
#define HAS_MANY 2 /* more values than a price has, whatever their usage */

typedef struct wish {
    union {
        met__wide whole;
        uint32_t values; /* the first value's, or 0 */
    } sum;
    uint32_t from; /* minutes */
    uint32_t to;
    uint32_t next; /* of the owner, from 1; 0: the last */
    uint16_t term;
    uint16_t is_unknown; /* IN_PART, HAS_MANY: the store has to be asked */
} wish;

typedef struct subject {
    uint64_t check; /* the other half of its hash */
    uint32_t owner;
    uint32_t reserved;
} subject;

typedef struct owner {
    uint64_t check; /* a hash of the customer's id and subjects */
    uint32_t first; /* wish, from 1 */
    uint32_t reserved;
} owner;

/* A shape counts for a wish. */
typedef struct use {
    uint32_t wish;
    uint32_t value;    /* its place, or 0 */
    uint32_t quantity; /* or MET__MATCH_COUNTS */
    uint32_t next;     /* from 1; 0: the last */
} use;

struct met__usage_gather {
    met_store *store;
    const met__platform *platform;
    met__arena arena;
    met__index_map subject_map;
    met__usage_terms terms;
    met__value_sums values;
    uint32_t turn; /* the owner who wishes, from 1; 0: a new one */
    uint32_t reserved_too;
    met__long_list wishes;
    met__long_list subjects;
    met__long_list owners;
    met__long_list uses;
    met__long_list shapes;  /* by number: 0 not looked at, NOTHING, or a use
                               from 1 */
    met__long_list numbers; /* of shapes that the subjects are known to have */
    met__shape_set only; /* known 0: all shapes are looked at */
    met__txn *txn;
    met__usage_scan scan;
    int is_begun; /* there is something to read */
    int is_scanning;
};

/* --- From create to destroy ----------------------------------------------- */
static met__long_list *list_at(met__usage_gather *self, int index)
{
    met__long_list *all[] = {&self->wishes, &self->subjects, &self->owners,
                             &self->uses,   &self->shapes,   &self->numbers};

    return index < (int)(sizeof all / sizeof *all) ? all[index] : NULL;
}

met_error met__usage_gather_create(met_store *store,
                                   met__usage_gather **gather_out)
{
    static const size_t sizes[] = {sizeof(wish),     sizeof(subject),
                                   sizeof(owner),    sizeof(use),
                                   sizeof(uint32_t), sizeof(uint64_t)};
    const met__platform *platform = met__store_platform(store);
    met__usage_gather *self = met__allocate(platform, sizeof *self);

    if (self == NULL) {
        return MET_E_NO_MEMORY;
    }
    self->store = store;
    self->platform = platform;
    for (int i = 0; list_at(self, i) != NULL; i++) {
        list_at(self, i)->size = sizes[i];
    }
    met__arena_init(&self->arena, platform);
    met__index_map_init(&self->subject_map, &self->arena, SUBJECTS_MAX);
    met__usage_terms_init(&self->terms, &self->arena);
    met__value_sums_init(&self->values, &self->arena);
    *gather_out = self;
    return MET_OK;
}

void met__usage_gather_clear(met__usage_gather *self)
{
    met__usage_gather_end(self);
    self->turn = 0;
    self->only = (met__shape_set){0};
    for (int i = 0; list_at(self, i) != NULL; i++) {
        met__long_list_drop(self->platform, list_at(self, i));
    }
    met__usage_terms_drop(&self->terms);
    met__value_sums_drop(&self->values);
    met__arena_release(&self->arena);
    met__arena_init(&self->arena, self->platform);
    met__index_map_init(&self->subject_map, &self->arena, SUBJECTS_MAX);
}

void met__usage_gather_destroy(met__usage_gather *self)
{
    if (self != NULL) {
        met__usage_gather_clear(self);
        met__arena_release(&self->arena);
        met__release(self->platform, self, sizeof *self);
    }
}

/* --- Noting wishes -------------------------------------------------------- */
static met__hash128 hash_of(const met__usage_gather *self, met__text text)
{
    return met__hash128_of(met__store_secret(self->store), text.data,
                           text.size);
}

/* A customer, as long as its subjects are the same. */
static uint64_t check_of_owner(const met__usage_gather *self,
                               const met__customer *customer)
{
    const met__secret *secret = met__store_secret(self->store);
    met__hash128 both[2] = {hash_of(self, customer->id)};

    for (size_t i = 0; i < customer->subject_count; i++) {
        both[1] = hash_of(self, customer->subjects[i]);
        both[0] = met__hash128_of(secret, both, sizeof both);
    }
    return both[0].high;
}

static met_error add_number(void *context, uint64_t number)
{
    met__usage_gather *self = context;
    void *item;
    met_error error = met__long_list_add(self->platform, &self->numbers, &item);

    if (error == MET_OK) {
        *(uint64_t *)item = number;
    }
    return error;
}

static met_error add_subject(met__usage_gather *self, met__text name,
                             uint32_t index)
{
    met__hash128 hash = hash_of(self, name);
    void *item;
    met_error error =
        met__long_list_add(self->platform, &self->subjects, &item);

    if (error == MET_OK) {
        *(subject *)item = (subject){hash.high, index, 0};
        error = met__index_map_add(&self->subject_map, hash.low,
                                   self->subjects.count - 1);
    }
    if (error == MET_OK && self->only.known > 0) {
        error = met__subject_index_each(self->txn, name, add_number, self);
    }
    return error;
}

static met_error add_owner(met__usage_gather *self,
                           const met__customer *customer)
{
    void *item;
    met_error error = self->owners.count == 0
                          ? met__subject_index_known(self->txn, &self->only)
                          : MET_OK;

    if (error == MET_OK) {
        error = met__long_list_add(self->platform, &self->owners, &item);
    }
    if (error != MET_OK) {
        return error;
    }
    ((owner *)item)->check = check_of_owner(self, customer);
    self->turn = (uint32_t)self->owners.count;
    for (size_t i = 0; error == MET_OK && i < customer->subject_count; i++) {
        error = add_subject(self, customer->subjects[i], self->turn - 1);
    }
    return error;
}

uint32_t met__usage_gather_turn(const met__usage_gather *self)
{
    return self->turn;
}

void met__usage_gather_next(met__usage_gather *self)
{
    self->turn = 0;
}

static wish *find_wish(const met__usage_gather *self, const owner *of,
                       uint32_t term_index, met__period period)
{
    uint32_t at = of->first;

    while (at != 0) {
        wish *found = met__long_list_at(&self->wishes, at - 1);
        if (found->term == term_index
            && found->from == period.from_ns / MET__MINUTE_NS
            && found->to == period.to_ns / MET__MINUTE_NS) {
            return found;
        }
        at = found->next;
    }
    return NULL;
}

static met_error note(met__usage_gather *self, const met__usage_wish *wanted)
{
    uint32_t term_index = 0;
    void *item;
    met_error error = MET_OK;

    if (!met__meter_is_additive(wanted->meter)
        || wanted->period.from_ns >= wanted->period.to_ns) {
        return MET_OK;
    }
    if (self->wishes.count == MET__WISHES_MAX) {
        return MET_E_LIMIT;
    }
    error = met__usage_terms_need(&self->terms, self->txn, wanted,
                                  &term_index);
    if (error == MET_OK && self->turn == 0) {
        error = add_owner(self, wanted->customer);
    }
    if (error != MET_OK
        || find_wish(self, met__long_list_at(&self->owners, self->turn - 1),
                     term_index, wanted->period)
               != NULL) {
        return error;
    }
    error = met__long_list_add(self->platform, &self->wishes, &item);
    if (error == MET_OK) {
        owner *of = met__long_list_at(&self->owners, self->turn - 1);
        *(wish *)item = (wish){
            .from = (uint32_t)(wanted->period.from_ns / MET__MINUTE_NS),
            .to = (uint32_t)(wanted->period.to_ns / MET__MINUTE_NS),
            .term = (uint16_t)term_index,
            .next = of->first};
        of->first = (uint32_t)self->wishes.count;
    }
    return error;
}

static met_error note_quantity(void *context, uint32_t turn,
                               const met__usage_wish *wanted,
                               met_decimal *quantity_out)
{
    (void)turn;
    *quantity_out = met__decimal_zero();
    return note(context, wanted);
}

static met_error note_values(void *context, uint32_t turn,
                             const met__usage_wish *wanted,
                             met__arena *arena, met__value_usage **usage_out,
                             size_t *count_out)
{
    (void)turn;
    (void)arena;
    *usage_out = NULL;
    *count_out = 0;
    /* What the meter does not have, the bill says. */
    return met__meter_dimension(wanted->meter, wanted->dimension) != NULL
               ? note(context, wanted)
               : MET_OK;
}

met__usage_source met__usage_gather_wishes(met__usage_gather *self,
                                           met__txn *txn)
{
    self->txn = txn;
    return (met__usage_source){self, note_quantity, note_values, 0, 0};
}

/* --- The pass ------------------------------------------------------------- */
static int compare_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void met__usage_gather_begin(met__usage_gather *self)
{
    if (self->numbers.count > 0) {
        qsort(self->numbers.items, self->numbers.count, sizeof(uint64_t),
              compare_number);
    }
    self->only.numbers = self->numbers.items;
    self->only.count = self->numbers.count;
    self->is_begun = self->wishes.count > 0;
}

static met_error begin_scan(met__usage_gather *self)
{
    int64_t from = INT64_MAX;
    int64_t to = 0;

    for (size_t i = 0; i < self->wishes.count; i++) {
        wish *one = met__long_list_at(&self->wishes, i);
        from = one->from < from ? one->from : from;
        to = one->to > to ? one->to : to;
        if (met__usage_term_at(&self->terms, one->term)->dimension
            == MET__TERM_WHOLE) {
            one->sum.whole = 0;
        }
        one->is_unknown &= HAS_MANY;
    }
    met__value_sums_clear(&self->values);
    self->is_scanning = 1;
    return met__usage_scan_begin(self->txn, from, to,
                                 self->only.known > 0 ? &self->only : NULL,
                                 &self->scan);
}

static void end_scan(met__usage_gather *self)
{
    if (self->is_scanning) {
        met__usage_scan_end(&self->scan);
        self->is_scanning = 0;
    }
}

void met__usage_gather_end(met__usage_gather *self)
{
    end_scan(self);
    self->is_begun = 0;
    self->txn = NULL;
}

/* Adds the use of a shape by a wish. */
static met_error add_use(met__usage_gather *self, uint32_t at,
                         const met__usage_match *match, uint32_t *first)
{
    wish *one = met__long_list_at(&self->wishes, at - 1);
    const met__usage_term *what = met__usage_term_at(&self->terms, one->term);
    uint32_t value = 0;
    void *item;
    met_error error = MET_OK;

    if (what->dimension != MET__TERM_WHOLE) {
        error = met__value_sums_place(&self->values, &one->sum.values,
                                      match->values[what->dimension], &value);
        if (error == MET_E_LIMIT) {
            one->is_unknown |= HAS_MANY;
            return MET_OK;
        }
    }
    if (error == MET_OK) {
        error = met__long_list_add(self->platform, &self->uses, &item);
    }
    if (error == MET_OK) {
        *(use *)item = (use){at - 1, value, match->quantity, *first};
        *first = (uint32_t)self->uses.count;
    }
    return error;
}

/* Adds the wishes of one subject that a shape counts for. */
static met_error add_uses(met__usage_gather *self, uint32_t owner_index,
                          const met__usage_shape *shape, uint32_t *first)
{
    const owner *of = met__long_list_at(&self->owners, owner_index);
    met_error error = MET_OK;

    for (uint32_t at = of->first; error == MET_OK && at != 0;) {
        const wish *one = met__long_list_at(&self->wishes, at - 1);
        const met__usage_term *what =
            met__usage_term_at(&self->terms, one->term);
        met__usage_match match;
        if (met__usage_matches(&what->meter, shape, &match)
            && met__filters_hold(&what->meter, what->feature.filters,
                                 what->feature.filter_count, match.values)) {
            error = add_use(self, at, &match, first);
        }
        at = one->next;
    }
    return error;
}

static met_error look_up(met__usage_gather *self, uint64_t number,
                         uint32_t *first_out)
{
    met__index_cursor place = {0};
    met__usage_shape shape;
    uint32_t first = 0;
    met_error error = met__usage_shape_get(self->txn, number, &shape);

    if (error != MET_OK) {
        return error;
    }
    met__hash128 hash = hash_of(self, shape.subject);
    while (error == MET_OK
           && met__index_map_next(&self->subject_map, hash.low, &place)) {
        const subject *known = met__long_list_at(&self->subjects, place.index);
        if (known->check == hash.high) {
            error = add_uses(self, known->owner, &shape, &first);
        }
    }
    if (error == MET_OK) {
        *first_out = first == 0 ? NOTHING : first;
    }
    return error;
}

static met_error uses_of(met__usage_gather *self, uint64_t number,
                         uint32_t *first_out)
{
    uint32_t *known;
    met_error error;

    if (number >= UINT32_MAX) {
        return MET_E_LIMIT;
    }
    error = met__long_list_reach(self->platform, &self->shapes,
                                 (size_t)number + 1);
    if (error != MET_OK) {
        return error;
    }
    known = met__long_list_at(&self->shapes, number);
    if (*known == 0) {
        error = look_up(self, number, known);
    }
    *first_out = *known;
    return error;
}

/* What lies across a bound of the wish makes it one for the store, which says
 * why it cannot be answered. */
static met_error add_item(met__usage_gather *self,
                          const met__usage_item *item, const use *of)
{
    wish *to = met__long_list_at(&self->wishes, of->wish);
    const met__usage_term *what = met__usage_term_at(&self->terms, to->term);
    int64_t begin = met__usage_first_minute(&what->meter);
    int64_t first = 0;
    int64_t last = 0;
    met__wide value = (int64_t)item->words[MET__PART_COUNT];

    begin = begin > to->from ? begin : to->from;
    if (!met__usage_item_span(item, of->quantity, &first, &last)
        || last < begin || first >= to->to) {
        return MET_OK;
    }
    if (first < begin || last >= to->to) {
        to->is_unknown |= IN_PART;
        return MET_OK;
    }
    if (of->quantity != MET__MATCH_COUNTS) {
        value = met__amount_get(item->words + MET__PART_QUANTITIES
                                + of->quantity * MET__QUANTITY_WORDS
                                + MET__QUANTITY_SUM);
    }
    if (of->value != 0) {
        return met__value_sums_add(&self->values, of->value, value);
    }
    return met__amount_add(&to->sum.whole, value) ? MET_OK : MET_E_OVERFLOW;
}

static met_error add_next(met__usage_gather *self)
{
    const met__usage_item *item;
    uint32_t at = 0;
    met_error error = met__usage_scan_next(&self->scan, &item);

    if (error == MET_OK) {
        error = uses_of(self, item->words[MET__PART_SHAPE], &at);
        error = error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
    }
    while (error == MET_OK && at != 0 && at != NOTHING) {
        const use *one = met__long_list_at(&self->uses, at - 1);
        error = add_item(self, item, one);
        at = one->next;
    }
    return error;
}

met_error met__usage_gather_pass(met__usage_gather *self, size_t items_max,
                                 size_t *count_out, int *is_done)
{
    met_error error = MET_OK;

    *is_done = 0;
    *count_out = 0;
    if (self->is_begun && !self->is_scanning) {
        error = begin_scan(self);
    }
    while (error == MET_OK && self->is_begun && *count_out < items_max) {
        error = add_next(self);
        *count_out += error == MET_OK;
        self->is_begun = error != MET_E_NOT_FOUND;
    }
    if (error == MET_OK || error == MET_E_NOT_FOUND) {
        *is_done = !self->is_begun;
        return MET_OK;
    }
    end_scan(self);
    return error;
}

/* --- Answers -------------------------------------------------------------- */
/* NULL: the store has to be asked. */
static const wish *known_wish(const met__usage_gather *self, uint32_t turn,
                              const met__usage_wish *wanted)
{
    uint32_t term_index;
    const owner *of;
    const wish *found;

    if (!met__meter_is_additive(wanted->meter) || turn == 0
        || !met__usage_terms_find(&self->terms, wanted, &term_index)) {
        return NULL;
    }
    of = met__long_list_at(&self->owners, turn - 1);
    if (of->check != check_of_owner(self, wanted->customer)) {
        return NULL;
    }
    found = find_wish(self, of, term_index, wanted->period);
    return found != NULL && !found->is_unknown ? found : NULL;
}

static uint32_t places_of(const met__meter *meter)
{
    return meter->aggregation == MET__AGGREGATION_COUNT ? 0
                                                        : MET__AMOUNT_PLACES;
}

static met_error answer_quantity(void *context, uint32_t turn,
                                 const met__usage_wish *wanted,
                                 met_decimal *quantity_out)
{
    const wish *found = known_wish(context, turn, wanted);
    uint64_t words[2];

    if (found == NULL) {
        return MET_E_NOT_FOUND;
    }
    met__amount_set(words, found->sum.whole);
    return met__decimal_from_wide(words, places_of(wanted->meter),
                                  quantity_out);
}

static met_error answer_values(void *context, uint32_t turn,
                               const met__usage_wish *wanted,
                               met__arena *arena, met__value_usage **usage_out,
                               size_t *count_out)
{
    const met__usage_gather *self = context;
    const wish *found =
        met__meter_dimension(wanted->meter, wanted->dimension) != NULL
            ? known_wish(self, turn, wanted)
            : NULL;

    return found != NULL
               ? met__value_sums_collect(&self->values, found->sum.values,
                                         places_of(wanted->meter), arena,
                                         usage_out, count_out)
               : MET_E_NOT_FOUND;
}

met__usage_source met__usage_gather_answers(const met__usage_gather *self,
                                            uint32_t turn)
{
    /* It is only read. */
    return (met__usage_source){(void *)(uintptr_t)self, answer_quantity,
                               answer_values, turn, 0};
}
