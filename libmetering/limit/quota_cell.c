/* The quota cell's protocol. Every change of a word is one compare-and-swap
 * that names the period's tag; nothing is locked, so whoever is killed or
 * frozen between two steps leaves at worst a reservation that nobody can use
 * any more, never a unit that is given twice. */
#include "limit/quota_cell.h"

#include "limit/quota_word.h"

/* Lost races in a row after which a call gives up: never seen. */
#define TRIES 65536

/* ticket.in_bucket */
#define HELD_OUTSIDE 0u
#define HELD_IN_BUCKET 1u
#define HELD_COMPLETED 2u /* complete_begin is done */

/* --- The period a side holds ---------------------------------------------- */
static int is_ready(const met__quota_side *side, uint64_t number,
                    uint32_t *tag_out)
{
    uint64_t control = met__load_acquire(&side->control);

    *tag_out = control_tag(control);
    return control_number(control) == number
           && (control & CONTROL_PREPARING) == 0;
}

typedef struct side_view {
    uint64_t taken_word;
    int64_t limit;
    int64_t taken;
    int64_t sealed; /* SEAL or 0 */
    uint64_t flags; /* the whole word */
} side_view;

/* taken is read last: a decision made with it is confirmed by its CAS. */
static int read_side(const met__quota_side *side, uint32_t tag,
                     side_view *view_out)
{
    uint64_t flags = met__load_acquire(&side->flags);
    uint64_t limit = met__load_acquire(&side->limit);
    uint64_t taken = met__load_acquire(&side->taken);

    if (tag_of(flags) != tag || tag_of(limit) != tag || tag_of(taken) != tag) {
        return 0;
    }
    *view_out = (side_view){.taken_word = taken,
                            .limit = value_of(limit),
                            .taken = value_of(taken) & (SEAL - 1),
                            .sealed = value_of(taken) & SEAL,
                            .flags = flags & VALUE_MASK};
    return 1;
}

static void fill_state(const met__quota_side *side, uint32_t tag,
                       const side_view *view, met__quota_state *state_out)
{
    int64_t left = view->limit - view->taken;

    *state_out = (met__quota_state){.limit = view->limit,
                                    .taken = view->taken,
                                    .left = left > 0 && !view->sealed ? left
                                                                      : 0,
                                    .flags = (uint32_t)(view->flags & FLAGS),
                                    .is_over = left < 0,
                                    .is_sealed = view->sealed != 0,
                                    .next_at_ns = later_minute_ns(view->flags),
                                    .next_limit = later_limit(view->flags)};
    for (int i = 0; i < 2; i++) {
        uint64_t word = met__load_acquire(&side->bucket[i]);

        if (tag_of(word) == tag) {
            state_out->reserved_in_flight += bucket_amount(word);
        }
    }
}

/* --- taken ---------------------------------------------------------------- */
/* Below 0 only in a file that somebody else wrote to. */
static void give_back(met__quota_side *side, uint32_t tag, int64_t amount)
{
    uint64_t word = met__load_acquire(&side->taken);

    for (int i = 0; i < TRIES && tag_of(word) == tag; i++) {
        int64_t sealed = value_of(word) & SEAL;
        int64_t value = (value_of(word) & (SEAL - 1)) - amount;

        if (met__cas(&side->taken, &word,
                     tagged(tag, (value > 0 ? value : 0) | sealed))) {
            return;
        }
    }
}

static met_error raise_taken(met__quota_side *side, uint32_t tag,
                             int64_t amount)
{
    uint64_t word = met__load_acquire(&side->taken);

    for (int i = 0; i < TRIES; i++) {
        if (tag_of(word) != tag) {
            return MET_OK; /* the period has gone */
        }
        if ((value_of(word) & (SEAL - 1)) > MET__QUOTA_AMOUNT_MAX - amount) {
            return MET_E_LIMIT;
        }
        if (met__cas(&side->taken, &word,
                     tagged(tag, value_of(word) + amount))) {
            return MET_OK;
        }
    }
    return MET_E_BUSY;
}

/* --- Buckets: what dead requests left behind is found by its slice -------- */
/* Empties a bucket that is over by one swap, then gives its amount back: the
 * other way round two could give it back. */
static void expire(met__quota_side *side, uint32_t tag, uint64_t now)
{
    for (int i = 0; i < 2; i++) {
        uint64_t word = met__load_acquire(&side->bucket[i]);

        if (tag_of(word) == tag && bucket_amount(word) != 0
            && is_over(bucket_slice(word), now)
            && met__cas(&side->bucket[i], &word,
                        bucket_word(tag, bucket_slice(word), 0))) {
            give_back(side, tag, bucket_amount(word));
        }
    }
}

/* Puts cost into the bucket of `slice`, or of the later slice that it has
 * gone on to. 0: it does not fit, or the period has gone. */
static uint32_t bucket_add(met__quota_side *side, uint32_t tag,
                           uint64_t slice, int64_t cost, uint64_t *slice_out)
{
    met__atomic_u64 *bucket = &side->bucket[slice & 1];
    uint64_t word = met__load_acquire(bucket);

    for (int i = 0; i < TRIES && tag_of(word) == tag; i++) {
        uint64_t there = bucket_slice(word);
        int64_t held = bucket_amount(word);
        int64_t dead = 0;

        if (held == 0 || is_over(there, slice)) {
            there = slice;
            dead = held;
            held = 0;
        }
        if (cost > MET__QUOTA_BUCKET_MAX - held) {
            return HELD_OUTSIDE;
        }
        if (met__cas(bucket, &word, bucket_word(tag, there, held + cost))) {
            if (dead != 0) {
                give_back(side, tag, dead);
            }
            *slice_out = there;
            return HELD_IN_BUCKET;
        }
    }
    return HELD_OUTSIDE;
}

/* What taken still holds for the ticket after this: its cost, or nothing when
 * its bucket was emptied before. */
static int64_t take_out(met__quota_side *side,
                        const met__quota_ticket *ticket)
{
    met__atomic_u64 *bucket = &side->bucket[ticket->slice & 1];
    uint64_t word;

    if (ticket->in_bucket != HELD_IN_BUCKET) {
        return ticket->cost;
    }
    word = met__load_acquire(bucket);
    for (int i = 0; i < TRIES; i++) {
        int64_t held = bucket_amount(word);

        if (tag_of(word) != ticket->tag || bucket_slice(word) != ticket->slice
            || held < ticket->cost) {
            return 0;
        }
        if (met__cas(bucket, &word,
                     bucket_word(ticket->tag, ticket->slice,
                                 held - ticket->cost))) {
            return ticket->cost;
        }
    }
    return 0; /* it stays in the bucket and is given back from there */
}

/* --- A request ------------------------------------------------------------ */
/* What is in flight, and what holds later, nobody asks who is let in. */
static inline void allow(const side_view *view, met__quota_state *state_out)
{
    int64_t left = view->limit - view->taken;

    *state_out = (met__quota_state){.limit = view->limit,
                                    .taken = view->taken,
                                    .left = left > 0 && !view->sealed ? left
                                                                      : 0,
                                    .flags = (uint32_t)(view->flags & FLAGS),
                                    .is_allowed = 1,
                                    .is_over = left < 0,
                                    .is_sealed = view->sealed != 0};
}

met_error met__quota_cell_admit(met__quota_cell *cell, uint64_t number,
                                int64_t cost, int64_t now_ns, int64_t utc_ns,
                                met__quota_ticket *ticket_out,
                                met__quota_state *state_out)
{
    met__quota_side *side = &cell->side[number & 1];
    uint64_t slice = (uint64_t)(now_ns / MET__QUOTA_SLICE_NS) & SLICES;
    side_view view;
    uint32_t tag;

    *ticket_out = (met__quota_ticket){0};
    if (!is_ready(side, number, &tag)) {
        return MET_E_NOT_FOUND;
    }
    /* Before the decision, else a cell full of dead reservations would
     * refuse until the period ends. */
    expire(side, tag, slice);
    for (int i = 0; i < TRIES; i++) {
        if (!read_side(side, tag, &view)) {
            return MET_E_NOT_FOUND;
        }
        int64_t later_ns = later_minute_ns(view.flags);
        if (later_ns != 0 && utc_ns >= later_ns) {
            view.limit = later_limit(view.flags);
        }
        int64_t left = view.limit - view.taken;
        if ((view.flags & MET__QUOTA_SOFT) == 0
            && (left <= 0 || cost > left || view.sealed)) {
            fill_state(side, tag, &view, state_out);
            return MET_OK;
        }
        if (view.taken > MET__QUOTA_AMOUNT_MAX - cost) {
            return MET_E_LIMIT;
        }
        if (met__cas(&side->taken, &view.taken_word,
                     tagged(tag, (view.taken + cost) | view.sealed))) {
            view.taken += cost;
            ticket_out->number = number;
            ticket_out->cost = cost;
            ticket_out->tag = tag;
            ticket_out->place = (number & 1) + 1;
            /* taken first: a bucket must never hold what taken does not. */
            if (cost > 0) {
                ticket_out->in_bucket = bucket_add(side, tag, slice, cost,
                                                   &ticket_out->slice);
            }
            allow(&view, state_out);
            return MET_OK;
        }
    }
    return MET_E_BUSY;
}

/* Whether the ticket's period is still the one it was admitted to. */
static int is_current(const met__quota_side *side,
                      const met__quota_ticket *ticket)
{
    uint32_t tag;

    return is_ready(side, ticket->number, &tag) && tag == ticket->tag;
}

met_error met__quota_cell_complete_begin(met__quota_side *side,
                                         met__quota_ticket *ticket,
                                         int64_t true_cost)
{
    if (ticket->in_bucket == HELD_COMPLETED) {
        return MET_E_INVALID;
    }
    if (!is_current(side, ticket)) {
        *ticket = (met__quota_ticket){0};
        return MET_OK;
    }
    /* Out of the bucket first: from here on nobody gives it back for us. */
    int64_t held = take_out(side, ticket);
    if (true_cost > held) {
        met_error error = raise_taken(side, ticket->tag, true_cost - held);
        if (error != MET_OK) {
            ticket->cost = held;
            ticket->in_bucket = held == 0
                                    ? HELD_OUTSIDE
                                    : bucket_add(side, ticket->tag,
                                                 ticket->slice, held,
                                                 &ticket->slice);
            return error;
        }
    }
    ticket->in_bucket = HELD_COMPLETED;
    ticket->owed = held > true_cost ? held - true_cost : 0;
    ticket->cost = held > true_cost ? held : true_cost;
    return MET_OK;
}

met_error met__quota_cell_complete_end(met__quota_side *side,
                                       met__quota_ticket *ticket)
{
    if (ticket->in_bucket != HELD_COMPLETED) {
        return MET_E_INVALID;
    }
    if (ticket->owed > 0 && is_current(side, ticket)) {
        give_back(side, ticket->tag, ticket->owed);
    }
    *ticket = (met__quota_ticket){0};
    return MET_OK;
}

met_error met__quota_cell_release(met__quota_side *side,
                                  met__quota_ticket *ticket)
{
    if (is_current(side, ticket)) {
        int64_t held = take_out(side, ticket);

        if (held > 0) {
            give_back(side, ticket->tag, held);
        }
    }
    *ticket = (met__quota_ticket){0};
    return MET_OK;
}

/* --- Periods -------------------------------------------------------------- */
/* Gives a word its value in the period of `tag`. From the tag before it only
 * while the period is being prepared; a value that is there already stays
 * unless overwrite is set. 0: another period's word. */
static int set_word(met__atomic_u64 *word, uint32_t tag, int is_preparing,
                    uint64_t desired, int overwrite)
{
    uint64_t there = met__load_acquire(word);

    for (int i = 0; i < TRIES; i++) {
        if (tag_of(there) == tag) {
            if (!overwrite) {
                return 1;
            }
        } else if (!is_preparing
                   || tag_of(there) != ((tag - 1) & (uint32_t)TAGS)) {
            return 0;
        }
        if (met__cas(word, &there, desired)) {
            return 1;
        }
    }
    return 0;
}

static int fill(met__quota_side *side, uint64_t control,
                const met__quota_period *period)
{
    uint32_t tag = control_tag(control);
    int is_new = (control & CONTROL_PREPARING) != 0;
    int over = (period->flags & MET__QUOTA_PROVISIONAL) == 0;

    uint64_t flags = (uint64_t)period->flags | later_word(period);

    /* The limit before what comes later: who sees the new word of flags sees
     * the new limit too. The other way round a minute that has passed would be
     * forgotten before the limit knows of it. */
    return set_word(&side->limit, tag, is_new, tagged(tag, period->limit),
                    over)
           && set_word(&side->flags, tag, is_new, tagged(tag, (int64_t)flags),
                       over)
           && set_word(&side->taken, tag, is_new, tagged(tag, period->taken),
                       0)
           && set_word(&side->bucket[0], tag, is_new, bucket_word(tag, 0, 0),
                       0)
           && set_word(&side->bucket[1], tag, is_new, bucket_word(tag, 1, 0),
                       0);
}

met_error met__quota_cell_prepare(met__quota_cell *cell,
                                  const met__quota_period *period)
{
    static const met__quota_period nothing;
    met__quota_side *side = &cell->side[period->number & 1];

    for (int i = 0; i < TRIES; i++) {
        uint64_t control = met__load_acquire(&side->control);
        uint64_t there = control_number(control);
        const met__quota_period *values = period;

        if (there > period->number) {
            return MET_E_CONFLICT;
        }
        if (there == period->number) {
            if ((control & CONTROL_PREPARING) == 0
                && (period->flags & MET__QUOTA_PROVISIONAL) != 0) {
                return MET_OK;
            }
        } else if ((control & CONTROL_PREPARING) != 0) {
            /* Somebody died over an older period: its words must all reach
             * its tag before they can go on to the next. */
            values = &nothing;
        } else {
            uint64_t next =
                CONTROL_PREPARING
                | ((control_tag(control) + 1) & TAGS) << CONTROL_TAG_SHIFT
                | period->number;
            if (!met__cas(&side->control, &control, next)) {
                continue;
            }
            control = next;
        }
        if (!fill(side, control, values)) {
            /* The period moved on meanwhile, or nobody of us wrote this. */
            if (met__load_acquire(&side->control) == control) {
                return MET_E_CORRUPT;
            }
            continue;
        }
        if ((control & CONTROL_PREPARING) != 0) {
            uint64_t expected = control;

            /* If it fails, another helper has done it. */
            met__cas(&side->control, &expected,
                     control & ~CONTROL_PREPARING);
        }
        if (values == period) {
            return MET_OK;
        }
    }
    return MET_E_BUSY;
}

/* --- Sealing, reading ----------------------------------------------------- */
met_error met__quota_cell_seal(met__quota_cell *cell, uint64_t number,
                               int64_t now_ns, int64_t *taken_out)
{
    met__quota_side *side = &cell->side[number & 1];
    uint32_t tag;

    if (!is_ready(side, number, &tag)) {
        return MET_E_NOT_FOUND;
    }
    expire(side, tag, (uint64_t)(now_ns / MET__QUOTA_SLICE_NS) & SLICES);
    uint64_t word = met__load_acquire(&side->taken);
    for (int i = 0; i < TRIES && tag_of(word) == tag; i++) {
        int64_t value = value_of(word);
        /* An admit that read taken before us fails at its exchange. */
        if (value < 0 || (value & SEAL) != 0
            || met__cas(&side->taken, &word, tagged(tag, value | SEAL))) {
            *taken_out = value & (SEAL - 1);
            return MET_OK;
        }
    }
    return MET_E_NOT_FOUND;
}

met_error met__quota_cell_read(met__quota_cell *cell, uint64_t number,
                               met__quota_state *state_out)
{
    met__quota_side *side = &cell->side[number & 1];
    side_view view;
    uint32_t tag;

    if (!is_ready(side, number, &tag) || !read_side(side, tag, &view)) {
        return MET_E_NOT_FOUND;
    }
    fill_state(side, tag, &view, state_out);
    return MET_OK;
}
