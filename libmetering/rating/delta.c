/* What is to be billed now: the lines of the whole period so far, less all
 * that was booked for it. Late usage, corrections and the rounding of earlier
 * parts come right by themselves.
 *
 * Rule: OpenMeter, billing/charges/usagebased/service/rating/delta. Lines
 * match by price part, category and payment term, then by equal per-unit
 * amount; booked lines that match are first summed. A difference whose totals
 * are all 0 is dropped, even with a quantity. Order: index, then child id.
 * rating/service/subtract is the same with other ids of what is turned round,
 * and the order of price parts. */
#include "base/check.h"
#include "rating/rating_parts.h"

/* Lines being collected. */
typedef struct list {
    met__line *lines;
    size_t count;
} list;

static int is_same_part(const met__line *a, const met__line *b)
{
    return a->category == b->category && a->term == b->term
           && met__text_equal(a->pricer_id, b->pricer_id)
           && met__decimal_compare(a->per_unit_amount, b->per_unit_amount) == 0;
}

static met__line *find(const list *lines, const met__line *like)
{
    for (size_t i = 0; i < lines->count; i++) {
        if (is_same_part(&lines->lines[i], like)) {
            return &lines->lines[i];
        }
    }
    return NULL;
}

/* --- Discounts of a difference -------------------------------------------- */
static met__line_discount *find_discount(met__line *line,
                                         const met__line_discount *like)
{
    for (size_t i = 0; i < line->discount_count; i++) {
        if (met__text_equal(line->discounts[i].child_id, like->child_id)
            && met__text_equal(line->discounts[i].reason, like->reason)) {
            return &line->discounts[i];
        }
    }
    return NULL;
}

/* line's discounts plus sign times other's, without those that are 0. */
static met_error combine_discounts(met__line *line, const met__line *other,
                                   int sign, met__arena *arena)
{
    size_t room = line->discount_count + other->discount_count;
    met__line_discount *sum = NULL;
    met_error error = MET_OK;

    if (room == 0) {
        return MET_OK;
    }
    sum = met__arena_allocate(arena, room * sizeof *sum);
    if (sum == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (line->discount_count > 0) {
        memcpy(sum, line->discounts, line->discount_count * sizeof *sum);
    }
    line->discounts = sum;
    for (size_t i = 0; error == MET_OK && i < other->discount_count; i++) {
        met__line_discount more = other->discounts[i];
        met__line_discount *there = find_discount(line, &more);
        if (sign < 0) {
            more.amount = met__decimal_negate(more.amount);
        }
        if (there == NULL) {
            sum[line->discount_count++] = more;
        } else {
            error =
                met__decimal_add(there->amount, more.amount, &there->amount);
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < line->discount_count; i++) {
        if (!met__decimal_is_zero(sum[i].amount)) {
            sum[kept++] = sum[i];
        }
    }
    line->discount_count = kept;
    return error;
}

/* line plus sign times other. */
static met_error combine(met__line *line, const met__line *other, int sign,
                         met__arena *arena)
{
    met_error error =
        sign < 0 ? met__decimal_subtract(line->quantity, other->quantity,
                                         &line->quantity)
                 : met__decimal_add(line->quantity, other->quantity,
                                    &line->quantity);

    if (error == MET_OK) {
        error = met__totals_combine(&line->totals, &other->totals, sign);
    }
    return error == MET_OK ? combine_discounts(line, other, sign, arena)
                           : error;
}

/* --- The steps ------------------------------------------------------------ */
/* Lines without their credits, equal ones summed. */
static met_error sum_equal(const met__line *lines, size_t count,
                           met__arena *arena, list *out)
{
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        met__line line = lines[i];
        line.credits = NULL;
        line.credit_count = 0;
        line.totals.credits_total = met__decimal_zero();
        error = met__totals_settle(&line.totals);
        met__line *there = find(out, &line);
        if (error != MET_OK) {
            break;
        }
        if (there == NULL) {
            out->lines[out->count++] = line;
        } else {
            error = combine(there, &line, 1, arena);
        }
    }
    return error;
}

/* What a line is called that takes another back; NULL when memory is out. */
static char *name_reversal(const met__line *line, uint32_t ids,
                           met__arena *arena)
{
    met__buffer amount;
    char *name = NULL;

    if (ids == MET__REVERSE_UNNAMED) {
        return met__arena_copy(arena, line->child_id.data,
                               line->child_id.size);
    }
    if (ids == MET__REVERSE_BY_LINE) {
        return met__arena_print(
            arena, "%.*s#correction:detailed_line_id=%.*s",
            (int)line->pricer_id.size, line->pricer_id.data,
            (int)line->id.size, line->id.size ? line->id.data : "");
    }
    met__buffer_init(&amount, arena->platform);
    if (met__decimal_print(line->per_unit_amount, &amount) == MET_OK) {
        name = met__arena_print(
            arena,
            "%.*s#reversal:category=%s:payment_term=%s:per_unit_amount=%s",
            (int)line->child_id.size, line->child_id.data,
            line->category == MET__LINE_REGULAR ? "regular" : "commitment",
            line->term == MET__TERM_IN_ADVANCE ? "in_advance" : "in_arrears",
            amount.data);
    }
    met__buffer_release(&amount);
    return name;
}

/* A previous line that is no longer there, turned round. */
static met_error reverse(const met__line *previous, uint32_t ids,
                         met__arena *arena, met__line *out)
{
    met__line line = *previous;

    line.quantity = met__decimal_zero();
    met__totals_clear(&line.totals);
    line.discounts = NULL;
    line.discount_count = 0;
    met_error error = combine(&line, previous, -1, arena);
    if (error != MET_OK) {
        return error;
    }
    const char *child_id = name_reversal(previous, ids, arena);
    if (child_id == NULL) {
        return MET_E_NO_MEMORY;
    }
    line.explanation = MET__TEXT("correction: billed before, no longer due");
    line.child_id = met__text_z(child_id);
    line.id = (met__text){NULL, 0};
    *out = line;
    return MET_OK;
}

/* Every current line less what was booked for it, then the reversals. */
static met_error subtract(const list *current, const list *previous,
                          uint32_t ids, met__arena *arena, list *out)
{
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < current->count; i++) {
        met__line line = current->lines[i];
        const met__line *there = find(previous, &line);
        if (there != NULL) {
            error = combine(&line, there, -1, arena);
        }
        if (error == MET_OK && !met__totals_are_zero(&line.totals)) {
            out->lines[out->count++] = line;
        }
    }
    for (size_t i = 0; error == MET_OK && i < previous->count; i++) {
        const met__line *line = &previous->lines[i];
        if (find(current, line) == NULL
            && !met__totals_are_zero(&line->totals)) {
            error = reverse(line, ids, arena, &out->lines[out->count++]);
        }
    }
    return error;
}

static int compare_index(const met__line *a, const met__line *b)
{
    if (a->period.from_ns != b->period.from_ns) {
        return a->period.from_ns < b->period.from_ns ? -1 : 1;
    }
    if (a->index != b->index) {
        return a->index < b->index ? -1 : 1;
    }
    return met__text_compare(a->child_id, b->child_id);
}

static int compare_part(const met__line *a, const met__line *b)
{
    int order = met__text_compare(a->pricer_id, b->pricer_id);

    if (order == 0 && a->category != b->category) {
        order = a->category == MET__LINE_COMMITMENT ? -1 : 1;
    }
    if (order == 0 && a->term != b->term) {
        order = a->term == MET__TERM_IN_ADVANCE ? -1 : 1;
    }
    return order ? order
                 : met__decimal_compare(a->per_unit_amount, b->per_unit_amount);
}

/* Few lines: insertion sort. */
met_error met__lines_arrange(met__line *lines, size_t count, uint32_t ids)
{
    int (*compare)(const met__line *, const met__line *) =
        ids == MET__REVERSE_BY_VALUES ? compare_part : compare_index;

    for (size_t i = 1; i < count; i++) {
        met__line moved = lines[i];
        size_t j = i;
        while (j > 0 && compare(&lines[j - 1], &moved) > 0) {
            lines[j] = lines[j - 1];
            j--;
        }
        lines[j] = moved;
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (met__text_equal(lines[i].child_id, lines[j].child_id)) {
                return MET_E_CONFLICT;
            }
        }
        lines[i].index = (uint32_t)i;
    }
    return MET_OK;
}

met_error met__lines_difference(const met__line *current, size_t current_count,
                                const met__line *previous,
                                size_t previous_count, uint32_t ids,
                                met__arena *arena, met__line **lines_out,
                                size_t *count_out)
{
    list now = {0};
    list before = {0};
    list after = {0};
    size_t room = current_count + previous_count;

    now.lines = met__arena_allocate(arena, room * sizeof *now.lines);
    before.lines = met__arena_allocate(arena, room * sizeof *before.lines);
    after.lines = met__arena_allocate(arena, room * sizeof *after.lines);
    if (now.lines == NULL || before.lines == NULL || after.lines == NULL) {
        return MET_E_NO_MEMORY;
    }
    met_error error = sum_equal(current, current_count, arena, &now);
    if (error == MET_OK) {
        error = sum_equal(previous, previous_count, arena, &before);
    }
    if (error == MET_OK) {
        error = subtract(&now, &before, ids, arena, &after);
    }
    if (error == MET_OK) {
        *lines_out = after.lines;
        *count_out = after.count;
    }
    return error;
}

met_error met__lines_subtract(const met__line *current, size_t current_count,
                              const met__line *previous, size_t previous_count,
                              uint32_t ids, met__arena *arena,
                              met__line **lines_out, size_t *count_out)
{
    met__line *lines = NULL;
    size_t count = 0;
    met_error error =
        met__lines_difference(current, current_count, previous, previous_count,
                              ids, arena, &lines, &count);

    if (error == MET_OK) {
        error = met__lines_arrange(lines, count, ids);
    }
    if (error == MET_OK) {
        *lines_out = lines;
        *count_out = count;
    }
    return error;
}

met_error met__rate_delta(const met__rated *current, const met__line *booked,
                          size_t booked_count, const met__currency *currency,
                          met__arena *arena, met__rated **rated_out)
{
    met__rated *rated = met__arena_allocate(arena, sizeof *rated);

    MET__ASSERT(current != NULL && currency != NULL && rated_out != NULL);
    if (rated == NULL) {
        return MET_E_NO_MEMORY;
    }
    *rated = *current;
    met__totals_clear(&rated->totals);
    met_error error = met__lines_subtract(
        current->lines, current->line_count, booked, booked_count,
        MET__REVERSE_BY_LINE, arena, &rated->lines, &rated->line_count);
    for (size_t i = 0; error == MET_OK && i < rated->line_count; i++) {
        error = met__totals_add(&rated->totals, &rated->lines[i].totals);
    }
    if (error == MET_OK) {
        *rated_out = rated;
    }
    return error;
}
