/* Rating: price times quantity gives lines. Pure: no clock, no store.
 * The source of every rule is named in the file that has it. */
#ifndef MET_RATING_RATING_H
#define MET_RATING_RATING_H

#include "base/calendar.h"
#include "base/limits.h"
#include "catalog/price.h"

/* --- Currencies ----------------------------------------------------------- */
typedef struct met__currency {
    met__text code;
    uint32_t places; /* minor units: USD 2, JPY 0; custom 0 to 12 */
    uint32_t is_custom;
    met__text symbol; /* empty: amounts are written with the code */
} met__currency;

/* ISO 4217, upper case. MET_E_NOT_FOUND. */
met_error met__currency_of(met__text code, met__currency *currency_out);
/* A code of ISO 4217, {"type": "fiat", "code"} or {"type": "custom", "code",
 * "name", "precision", "symbol"?}. The texts are borrowed. MET_E_INVALID */
met_error met__currency_read(const met__node *node, const met__path *path,
                             met__currency *currency_out, met_error_info *info);
/* The smallest amount, 10^-places. */
met_decimal met__currency_unit(const met__currency *currency);
/* Half away from zero. MET_E_OVERFLOW */
met_error met__currency_round(const met__currency *currency, met_decimal amount,
                              met_decimal *out);
int met__currency_is_rounded(const met__currency *currency, met_decimal amount);
/* For people: "$1,234.50", "-$3", "CHF 2.05". Whole amounts have no decimals.
 * MET_E_OVERFLOW · MET_E_NO_MEMORY */
met_error met__currency_format(const met__currency *currency,
                               met_decimal amount, met__buffer *buffer);

/* --- Rating one line ------------------------------------------------------ */
/* Where engines disagree. All 0: as OpenMeter does it, but what is billed in
 * parts costs what the whole does. */
enum {
    MET__ROUND_AT_TIER = 0,  /* every line of a tier or charge by itself */
    MET__ROUND_AT_LINE = 1,  /* the tiers of a price together, once: a line
                                takes what rounding moved into it */
    MET__ROUND_AT_TOTAL = 2, /* lines stay exact, only the sum is rounded */
};
enum { MET__NEGATIVE_CLAMPED = 0, MET__NEGATIVE_REFUSED = 1 };
enum { MET__ZERO_USAGE_CHARGED = 0, MET__ZERO_USAGE_FREE = 1 };
/* What a part of a period is counted in. */
enum {
    MET__PRORATE_SECOND = 0,
    MET__PRORATE_DAY_INCLUSIVE = 1, /* days of UTC, the one that is begun too */
    MET__PRORATE_DAY_EXCLUSIVE = 2, /* days of UTC, without it */
    MET__PRORATE_FIXED_30 = 3,      /* the same, out of 30: for months */
};
typedef struct met__rate_policies {
    uint32_t round_at; /* MET__ROUND_AT_* */
    uint32_t rounding; /* MET_ROUND_*; 0: half away from zero */
    uint32_t negative; /* usage below 0: MET__NEGATIVE_* */
    uint32_t zero_usage; /* graduated, flat part of tier 1: MET__ZERO_USAGE_* */
    uint32_t proration; /* of a flat price: MET__PRORATE_* */
    /* A unit conversion rounds this line's and the earlier quantity each by
     * itself, as OpenMeter's split lines do, so that two halves may cost more
     * than the whole. 0: cumulative, both as one. */
    int is_converted_apart;
    /* What was billed before counts for minimum and maximum before its
     * discounts, as on OpenMeter's split lines; else after. Decides between
     * two given amounts; met__rate takes one. */
    int is_billed_gross;
} met__rate_policies;
/* {"preset"?: "openmeter"|"lago"|"stripe", "round_at"?: "tier"|"line"|
 * "total", "rounding"?: "half_away"|"half_even"|"up"|"down"|"ceiling"|"floor",
 * "negative_usage"?: "clamp"|"refuse", "zero_usage_flat"?: "charge"|"free",
 * "unit_conversion"?: "cumulative"|"per_line", "already_billed"?:
 * "net"|"gross", "proration"?: "second"|"day_inclusive"|"day_exclusive"|
 * "fixed_30"}: the preset first, then what is named. MET_E_INVALID */
met_error met__policies_read(const met__node *node, const met__path *path,
                             met__rate_policies *policies_out,
                             met_error_info *info);

/* Usage of one value of a matrix price's dimension. */
typedef struct met__rate_group {
    met__text value;
    met_decimal quantity; /* below 0 counts as 0 */
} met__rate_group;

typedef struct met__rate_input {
    met__text name; /* of the line: begins the names of its parts */
    const met__price *price;
    const met__discounts *discounts;     /* NULL = none */
    const met__unit_config *unit_config; /* NULL = none */
    met__currency currency;
    met_decimal quantity;        /* of this line; below 0 counts as 0 */
    met_decimal quantity_before; /* in the same period, before it */
    int is_first;                /* first and last split of the period */
    int is_last;
    int is_unnamed; /* amounts are asked for alone: lines have no texts */
    met_decimal already_billed; /* net of discounts */
    const char *share; /* of a flat price's period, "15 of 31 days"; NULL: it
                          is whole */
    int is_minimum_ignored;     /* interim runs of the delta engine */
    met__rate_policies policies;
    int has_events;     /* counted: the two below are known */
    met_decimal events; /* behind the quantity; for a price of each event */
    met_decimal events_before;
    const met__rate_group *groups; /* the quantity of a matrix price */
    size_t group_count;
    const met_decimal *credits; /* put over the lines last, in order */
    size_t credit_count;
} met__rate_input;

enum { MET__LINE_REGULAR = 1, MET__LINE_COMMITMENT = 2 };

typedef struct met__line_discount {
    met__text child_id;
    met__text reason; /* "ratecard_percentage", "maximum_spend" */
    met_decimal amount;
} met__line_discount;

typedef struct met__totals {
    met_decimal amount;
    met_decimal charges_total;
    met_decimal discounts_total;
    met_decimal credits_total;
    met_decimal taxes_total;
    met_decimal taxes_inclusive_total;
    met_decimal taxes_exclusive_total;
    met_decimal total;
} met__totals;

typedef struct met__line {
    met__text id; /* given when it is booked; empty before */
    met__text name;
    met__text child_id;    /* unique among the lines; part of the contract */
    met__text pricer_id;   /* which part of the price: child_id, but for
                              corrections what they correct */
    met__text explanation; /* "2 packages of 5000 x 1" */
    uint32_t category;     /* MET__LINE_* */
    uint32_t term;         /* MET__TERM_* */
    uint32_t index;        /* its place among the lines, from 0 */
    int is_full_period;    /* concerns the whole period, not only this split */
    met__period period;    /* whose usage it is; empty: that of the run */
    met__text corrects_run_id; /* the run that billed it; may be empty */
    met_decimal quantity;  /* may be negative: a correction */
    met_decimal per_unit_amount;
    size_t discount_count;
    met__line_discount *discounts;
    size_t credit_count;
    met_decimal *credits; /* applied, in order */
    met__totals totals;
} met__line;

/* What a usage discount took from the quantity of the line. */
typedef struct met__usage_discount {
    met__text child_id;
    met_decimal quantity;        /* 0: none */
    met_decimal quantity_before; /* spent on the earlier quantity */
} met__usage_discount;

typedef struct met__rated {
    size_t line_count;
    met__line *lines;
    met__totals totals;
    met_decimal quantity; /* converted, discounted: what was priced */
    met_decimal quantity_before;
    met__usage_discount usage_discount;
    met_decimal unrated; /* the negative quantity that counted as 0 */
} met__rated;

/* MET_E_INVALID (the code of the rule in the reason) · MET_E_OVERFLOW ·
 * MET_E_NO_MEMORY */
met_error met__rate(const met__rate_input *input, met__arena *arena,
                    met__rated **rated_out, met_error_info *info);
/* Current minus booked: what is to be billed now. Booked
 * lines have ids; credits on them are left aside. MET_E_CONFLICT when two
 * lines would have one child id. */
met_error met__rate_delta(const met__rated *current, const met__line *booked,
                          size_t booked_count, const met__currency *currency,
                          met__arena *arena, met__rated **rated_out);
enum {
    /* "<price part>#correction:detailed_line_id=<id>", in order of index */
    MET__REVERSE_BY_LINE = 1,
    /* "<child id>#reversal:category=…:payment_term=…:per_unit_amount=…", in
     * order of price parts */
    MET__REVERSE_BY_VALUES = 2,
    /* as it was called, in no order: an intermediate result */
    MET__REVERSE_UNNAMED = 3
};
/* The same for any lines; ids is MET__REVERSE_*. */
met_error met__lines_subtract(const met__line *current, size_t current_count,
                              const met__line *previous, size_t previous_count,
                              uint32_t ids, met__arena *arena,
                              met__line **lines_out, size_t *count_out);
/* One run of a charge that is billed in parts. */
typedef struct met__rated_run {
    met__text id;         /* may be empty */
    met__period period;   /* whole seconds */
    met_decimal quantity; /* of the whole charge up to the period's end, as it
                             is known now */
} met__rated_run;
/* What the last of the runs bills, each line on the period whose usage it is:
 * late usage of an earlier period is a line of that period, with the run that
 * it corrects. Runs follow each other in time. The quantity of the input is not
 * read, its minimum is for the last run. Booked lines have ids and periods of
 * runs. MET_E_INVALID (periods) · MET_E_CONFLICT (two lines with one child id)
 * · MET_E_UNSUPPORTED (rounded in total; a price by event or dimension) ·
 * MET_E_OVERFLOW · MET_E_NO_MEMORY */
met_error met__rate_by_period(const met__rate_input *input,
                              const met__rated_run *runs, size_t run_count,
                              const met__line *booked, size_t booked_count,
                              met__arena *arena, met__rated **rated_out,
                              met_error_info *info);
/* The steps by themselves, each with its golden cases. */
met_error met__convert_units(const met__unit_config *config, met_decimal raw,
                             met_decimal *converted_out,
                             met_decimal *billed_out);
met_error met__package_count(met_decimal quantity, met_decimal size,
                             met_decimal *count_out);
/* One tier with the part of a graduated walk that lies in it. */
typedef struct met__tier_part {
    size_t number; /* from 1 */
    const met__tier *tier;
    met_decimal from;
    met_decimal quantity;
    int is_entered; /* the walk comes from below its beginning */
    int has_usage;  /* a usage line, at zero usage of quantity 0 */
} met__tier_part;
/* The tiers that (from, to] touches. */
met_error met__graduated_parts(const met__price *price, met_decimal from,
                               met_decimal to,
                               met__tier_part parts[MET__TIERS_MAX],
                               size_t *count_out);
size_t met__volume_tier(const met__price *price, met_decimal quantity);
/* Puts credits over lines in order. MET_E_CONFLICT: they are more than the
 * lines; nothing is applied then. */
met_error met__apply_credits(met__line *lines, size_t line_count,
                             const met_decimal *credits, size_t credit_count,
                             const met__currency *currency, met__arena *arena);

/* --- Shares --------------------------------------------------------------- */
/* round(amount * service / full), half away from zero; the
 * ratio has 16 decimals. Both are cut to whole seconds. MET_E_INVALID when
 * full is not positive. */
met_error met__prorate(met_decimal amount, int64_t service_ns, int64_t full_ns,
                       const met__currency *currency, met_decimal *out);

/* A flat price on one service period out of a full one. */
typedef struct met__flat_part {
    met_decimal amount;
    met__period service;
    met__period full;
    int is_prorated;    /* the plan's policy */
    int is_full_at_end; /* policy bill_full_period: not for the part that
                           ends with the subscription */
    int64_t ends_at_ns; /* the subscription's end; 0: none known */
    uint32_t unit;      /* MET__PRORATE_* */
} met__flat_part;
/* Both periods in seconds or days, as the unit has it. */
void met__flat_lengths(const met__flat_part *part, int64_t *service_out,
                       int64_t *full_out);
int met__flat_is_prorated(const met__flat_part *part);
/* What is billed, rounded; 0 means no line at all. MET_E_OVERFLOW */
met_error met__flat_amount(const met__flat_part *part,
                           const met__currency *currency, met_decimal *out);

typedef struct met__share {
    met__text key; /* decides ties when asked to; else the position does */
    met_decimal weight;
    met_decimal amount; /* written */
} met__share;
enum {
    MET__ALLOCATE_TIES_BY_KEY = 1,
    MET__ALLOCATE_CAPPED = 2 /* no share above its weight */
};
/* Splits amount by largest remainders; the shares sum to it exactly.
 * MET_E_INVALID · MET_E_OVERFLOW · MET_E_NO_MEMORY */
met_error met__allocate_amount(const met__currency *currency,
                               met_decimal amount, unsigned flags,
                               met__share *shares, size_t count,
                               met__arena *arena, met_error_info *info);

/* --- Documents ------------------------------------------------------------ */
/* Lines as documents and back: what an invoice stores. */
met_error met__line_document(const met__line *line,
                             const met__currency *currency, met__arena *arena,
                             met__node **node_out);
met_error met__line_read(const met__node *node, const met__path *path,
                         met__arena *arena, met__line *line_out,
                         met_error_info *info);
met_error met__totals_document(const met__totals *totals,
                               const met__currency *currency, met__arena *arena,
                               met__node **node_out);
met_error met__totals_read(const met__node *node, const met__path *path,
                           met__totals *totals_out, met_error_info *info);
/* Every field 0: what met__totals_add begins with. */
void met__totals_clear(met__totals *totals);
met_error met__totals_add(met__totals *sum, const met__totals *totals);
/* An amount with the currency's decimals, "1.00"; one that has more keeps
 * them. */
met_error met__amount_document(met_decimal amount,
                               const met__currency *currency, met__arena *arena,
                               met__node **node_out);
/* One step over every field: adds a to out, subtracts with -1. */
met_error met__totals_combine(met__totals *out, const met__totals *other,
                              int sign);
/* Fields rounded to the currency. */
met_error met__totals_round(met__totals *totals, const met__currency *currency);

#endif
