/* How a line came to its amount, in sentences. In: a line of an invoice, with
 * the price as the rate card had it. Out: rows of text. A price of a kind that
 * is not known gives none. */
#include "invoice/invoice_view.h"

#define ROWS_MAX 20 /* of tiers, or of values with a price */

static void say(met__buffer *out, const char *text)
{
    met__buffer_text(out, text);
}

static void number(met__buffer *out, const met__node *node, const char *name)
{
    const met__node *found = met__view_member(node, name);

    if (found != NULL && found->kind == MET__NODE_INTEGER) {
        met__buffer_print(out, "%lld", (long long)found->as.integer);
    } else {
        met__view_number(out, met__view_text(node, name));
    }
}

static int has(const met__node *node, const char *name)
{
    const met__node *found = met__view_member(node, name);

    return found != NULL
           && ((found->kind == MET__NODE_TEXT
                && !met__view_is_zero(found->as.text))
               || (found->kind == MET__NODE_INTEGER
                   && found->as.integer != 0));
}

static void append(met__buffer *out, met__text text)
{
    met__buffer_append(out, text.data, text.size);
}

/* --- Tiers ---------------------------------------------------------------- */
/* "Up to 1,000", "Above 1,000 up to 10,000", "Above 10,000", "All". */
static void tier_range(met__buffer *out, const met__node *before,
                       const met__node *tier)
{
    int is_bounded = met__view_member(tier, "up_to") != NULL;

    if (before == NULL) {
        say(out, is_bounded ? "Up to " : "All");
    } else {
        say(out, "Above ");
        number(out, before, "up_to");
        say(out, is_bounded ? " up to " : "");
    }
    if (is_bounded) {
        number(out, tier, "up_to");
    }
}

/* "2 % and 5 once", "0.004 each", "free" */
static void tier_price(met__buffer *out, const met__node *tier)
{
    static const char *const parts[][2] = {
        {"percentage", " %"}, {"unit", " each"}, {"flat", " once"}};
    int count = 0;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (has(tier, parts[i][0])) {
            say(out, count++ > 0 ? " and " : "");
            number(out, tier, parts[i][0]);
            say(out, parts[i][1]);
        }
    }
    say(out, count == 0 ? "free" : "");
}

/* A price may have hundreds of rows, a reader's patience has not. */
static int is_enough(met__buffer *out, const met__node *list, size_t shown)
{
    size_t count = met__view_count(list);

    if (shown < ROWS_MAX || count == ROWS_MAX + 1) {
        return 0;
    }
    met__buffer_print(out, "%zu more.\n", count - shown);
    return 1;
}

static void tiers(met__buffer *out, const met__node *price)
{
    const met__node *list = met__view_member(price, "tiers");

    for (size_t i = 0; i < met__view_count(list); i++) {
        if (is_enough(out, list, i)) {
            return;
        }
        tier_range(out, i > 0 ? list->as.items[i - 1] : NULL,
                   list->as.items[i]);
        say(out, ": ");
        tier_price(out, list->as.items[i]);
        say(out, ".\n");
    }
}

/* --- Kinds of prices ------------------------------------------------------ */
static void explain_flat(met__buffer *out, const met__node *price)
{
    met__text term = met__view_text(price, "payment_term");

    say(out, "A fee of ");
    number(out, price, "amount");
    say(out, met__text_equal(term, MET__TEXT("in_advance"))
                 ? ", billed in advance.\n"
                 : ", billed in arrears.\n");
}

static void explain_unit(met__buffer *out, const met__node *price)
{
    number(out, price, "amount");
    say(out, " for each unit.\n");
}

static void explain_package(met__buffer *out, const met__node *price)
{
    number(out, price, "amount");
    say(out, " for each package of ");
    number(out, price, "quantity_per_package");
    say(out, " that is begun.\n");
}

static void explain_graduated(met__buffer *out, const met__node *price)
{
    say(out, "Each tier at its own price:\n");
    tiers(out, price);
}

static void explain_volume(met__buffer *out, const met__node *price)
{
    say(out, "Everything at the price of the tier that the total reaches:\n");
    tiers(out, price);
}

static void explain_stairstep(met__buffer *out, const met__node *price)
{
    say(out, "One amount for the step that the total reaches:\n");
    tiers(out, price);
}

static void explain_dynamic(met__buffer *out, const met__node *price)
{
    say(out, "The metered amount times ");
    number(out, price, "multiplier");
    say(out, ".\n");
}

static void explain_percentage(met__buffer *out, const met__node *price)
{
    number(out, price, "percentage");
    say(out, " % of the metered amount");
    if (has(price, "fixed_amount")) {
        say(out, ", and ");
        number(out, price, "fixed_amount");
        say(out, " for each event");
    }
    say(out, ".\n");
    if (has(price, "free_units")) {
        say(out, "The first ");
        number(out, price, "free_units");
        say(out, " of the amount are free.\n");
    }
    if (has(price, "free_events")) {
        say(out, "The first ");
        number(out, price, "free_events");
        say(out, " events are free of the fixed amount.\n");
    }
}

static void explain_matrix(met__buffer *out, const met__node *price)
{
    const met__node *values = met__view_member(price, "values");

    say(out, "By ");
    append(out, met__view_text(price, "dimension"));
    say(out, ":\n");
    for (size_t i = 0; i < met__view_count(values); i++) {
        if (is_enough(out, values, i)) {
            break;
        }
        append(out, met__view_text(values->as.items[i], "value"));
        say(out, ": ");
        number(out, values->as.items[i], "amount");
        say(out, " each.\n");
    }
    if (met__view_member(price, "default_amount") != NULL) {
        say(out, "Others: ");
        number(out, price, "default_amount");
        say(out, " each.\n");
    }
}

static const struct kind {
    const char *type;
    void (*explain)(met__buffer *out, const met__node *price);
} kinds[] = {{"flat", explain_flat},
             {"unit", explain_unit},
             {"package", explain_package},
             {"graduated", explain_graduated},
             {"graduated_percentage", explain_graduated},
             {"volume", explain_volume},
             {"stairstep", explain_stairstep},
             {"dynamic", explain_dynamic},
             {"percentage", explain_percentage},
             {"matrix", explain_matrix}};

static void explain_price(met__buffer *out, const met__node *price)
{
    met__text type = met__view_text(price, "type");

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (met__text_equal(type, met__text_z(kinds[i].type))) {
            kinds[i].explain(out, price);
        }
    }
}

/* --- What goes with a price ----------------------------------------------- */
static void explain_unit_config(met__buffer *out, const met__node *config)
{
    met__text unit = met__view_text(config, "display_unit");
    met__text rounding = met__view_text(config, "rounding");
    int divides = met__text_equal(met__view_text(config, "operation"),
                                  MET__TEXT("divide"));

    if (config == NULL) {
        return;
    }
    say(out, "Counted in ");
    append(out, unit.size > 0 ? unit : MET__TEXT("other units"));
    say(out, divides ? ": what is metered, divided by "
                     : ": what is metered, times ");
    number(out, config, "conversion_factor");
    if (met__text_equal(rounding, MET__TEXT("ceiling"))) {
        say(out, ", rounded up");
    } else if (met__text_equal(rounding, MET__TEXT("floor"))) {
        say(out, ", rounded down");
    } else if (met__text_equal(rounding, MET__TEXT("half_up"))) {
        say(out, ", rounded");
    }
    say(out, ".\n");
}

static void explain_discounts(met__buffer *out, const met__node *discounts)
{
    if (has(discounts, "usage")) {
        say(out, "The first ");
        number(out, discounts, "usage");
        say(out, " units are free.\n");
    }
    if (has(discounts, "percentage")) {
        number(out, discounts, "percentage");
        say(out, " % off.\n");
    }
}

static void explain_commitments(met__buffer *out, const met__node *price)
{
    const met__node *commitments = met__view_member(price, "commitments");
    int has_least = has(commitments, "minimum");
    int has_most = has(commitments, "maximum");

    if (has_least) {
        say(out, "At least ");
        number(out, commitments, "minimum");
    }
    if (has_most) {
        say(out, has_least ? ", at most " : "At most ");
        number(out, commitments, "maximum");
    }
    say(out, has_least || has_most ? " in a full period.\n" : "");
}

static void explain_before(met__buffer *out, const met__node *line)
{
    if (met__view_text(line, "quantity_total").size == 0) {
        return;
    }
    say(out, met__view_is_true(line, "is_correction")
                 ? "Usage that came in late: "
                 : "Billed in parts: ");
    number(out, line, "quantity_total");
    say(out, " in all, ");
    number(out, line, "quantity_billed_before");
    say(out, " billed before.\n");
}

void met__view_tax(const met__node *line, met__buffer *buffer)
{
    const met__node *tax = met__view_member(line, "tax");
    met__text name = met__view_text(tax, "name");

    append(buffer, name.size > 0 ? name : met__view_text(tax, "code"));
    if (name.size == 0 && met__view_text(tax, "code").size == 0) {
        say(buffer, "Tax");
    }
    if (met__view_text(tax, "rate").size > 0) {
        say(buffer, " of ");
        number(buffer, tax, "rate");
        say(buffer, " %");
    }
}

static void explain_tax(met__buffer *out, const met__node *line)
{
    if (!met__view_is_zero(met__view_text(met__view_member(line, "totals"),
                                          "taxes_inclusive_total"))) {
        met__view_tax(line, out);
        say(out, " is included.\n");
    }
}

void met__view_explain(const met__node *line, met__buffer *buffer)
{
    const met__node *price = met__view_member(line, "price");

    if (met__view_is_minimum(line)) {
        say(buffer, "What the plan's minimum asks beyond all other lines of "
                    "the billing period.\n");
        explain_tax(buffer, line);
        return;
    }
    explain_before(buffer, line);
    explain_unit_config(buffer, met__view_member(line, "unit_config"));
    explain_price(buffer, price);
    explain_discounts(buffer, met__view_member(line, "discounts"));
    explain_commitments(buffer, price);
    explain_tax(buffer, line);
}
