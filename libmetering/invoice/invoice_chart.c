/* Usage as a picture: bars by day as inline SVG, values of dimensions as a
 * table with bars. In: "usage" of a line. Out: HTML. Figures stay decimals:
 * only heights are cut to whole hundredths. */
#include "invoice/invoice_page.h"

#include "base/calendar.h"
#include "base/decimal.h"

#define DAYS_MAX 400
/* Of the picture, in its own units. */
#define WIDTH 720
#define LEFT 58
#define TOP 10
#define BOTTOM 112
#define HEIGHT 132

typedef struct bars {
    int64_t from_ns;
    size_t count;
    met_decimal values[DAYS_MAX];
    met_decimal top; /* of the scale, at least the greatest value */
} bars;

static met_decimal number_of(const met__node *node)
{
    met_decimal value;

    return node != NULL && node->kind == MET__NODE_TEXT
                   && met__decimal_parse(node->as.text, &value) == MET_OK
               ? value
               : met__decimal_zero();
}

static void print_number(met__buffer *page, met_decimal value)
{
    met__buffer text;

    met__buffer_init(&text, page->platform);
    if (met__decimal_print(value, &text) == MET_OK) {
        met__page_number(page, met__page_piece(&text));
    }
    met__page_release(page, &text);
}

/* part / whole of `scale`, rounded, 0 … scale. */
static int64_t share_of(met_decimal part, met_decimal whole, int64_t scale)
{
    met_decimal share;
    int64_t units = 0;

    if (met__decimal_is_zero(whole) || met__decimal_is_negative(part)
        || met__decimal_multiply(part, met__decimal_from_i64(scale), &share)
               != MET_OK
        || met__decimal_divide(share, whole, 0, MET_ROUND_HALF_AWAY, &share)
               != MET_OK
        || met__decimal_to_scaled(share, 0, MET_ROUND_HALF_AWAY, &units)
               != MET_OK) {
        return 0;
    }
    return units > scale ? scale : units;
}

/* --- By day --------------------------------------------------------------- */
/* So many times a power of ten, not below the greatest; half of it is a round
 * number, too. */
static met_decimal scale_above(met_decimal greatest)
{
    static const int64_t steps[] = {1, 2, 3, 4, 6, 8};

    for (int places = 9; places > -25; places--) {
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            met_decimal step = met__decimal_from_scaled(
                steps[i], (uint32_t)(places > 0 ? places : 0));
            for (int j = places; j < 0; j++) {
                (void)met__decimal_multiply(step, met__decimal_from_i64(10),
                                            &step);
            }
            if (met__decimal_compare(step, greatest) >= 0) {
                return step;
            }
        }
    }
    return greatest;
}

static int read_bars(const met__node *by_day, bars *out)
{
    const met__node *quantities = met__view_member(by_day, "quantities");
    met_decimal greatest = met__decimal_zero();

    out->count = met__view_count(quantities);
    if (out->count == 0 || out->count > DAYS_MAX
        || met__time_parse(met__view_text(by_day, "from"), &out->from_ns)
               != MET_OK) {
        return 0;
    }
    for (size_t i = 0; i < out->count; i++) {
        out->values[i] = number_of(quantities->as.items[i]);
        if (met__decimal_compare(out->values[i], greatest) > 0) {
            greatest = out->values[i];
        }
    }
    out->top = met__decimal_is_zero(greatest) ? met__decimal_from_i64(1)
                                              : scale_above(greatest);
    return 1;
}

static void print_day(met__buffer *page, int64_t ns, int with_year)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    met__civil at;

    if (met__civil_from_ns(ns, &at) == MET_OK) {
        met__buffer_print(page, "%d %.3s", (int)at.day,
                          names + 3 * (at.month - 1));
        if (with_year) {
            met__buffer_print(page, " %d", (int)at.year);
        }
    }
}

/* Lines at nothing, half and all of the scale, with their figures. */
static void draw_scale(met__buffer *page, const bars *chart)
{
    met_decimal half;

    if (met__decimal_multiply(chart->top, met__decimal_from_scaled(5, 1),
                              &half)
        != MET_OK) {
        half = chart->top;
    }
    const met_decimal marks[] = {met__decimal_zero(), half, chart->top};
    for (int i = 0; i < 3; i++) {
        int y = BOTTOM - (BOTTOM - TOP) * i / 2;
        met__buffer_print(page,
                          "<path d=\"M%d %d.5H%d\" stroke=\"%s\"/>"
                          "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">",
                          LEFT, y, WIDTH, i == 0 ? "#16202c" : "#dfe4ea",
                          LEFT - 8, y + 4);
        print_number(page, marks[i]);
        met__page_raw(page, "</text>\n");
    }
}

/* In hundredths of a unit, so that no figure depends on rounding of floats. */
static void print_hundredths(met__buffer *page, int64_t value)
{
    met__buffer_print(page, "%lld.%02lld", (long long)(value / 100),
                      (long long)(value % 100));
}

static void draw_bars(met__buffer *page, const bars *chart)
{
    int64_t room = (int64_t)(WIDTH - LEFT) * 100;
    int64_t step = room / (int64_t)chart->count;
    int64_t width = step > 3600 ? 2700 : step * 3 / 4;

    for (size_t i = 0; i < chart->count; i++) {
        int64_t height = share_of(chart->values[i], chart->top,
                                  (BOTTOM - TOP) * 100);
        if (height == 0) {
            if (met__decimal_is_zero(chart->values[i])
                || met__decimal_is_negative(chart->values[i])) {
                continue;
            }
            height = 40; /* little is not nothing */
        }
        met__page_raw(page, "<rect x=\"");
        print_hundredths(page, LEFT * 100 + step * (int64_t)i
                                   + (step - width) / 2);
        met__page_raw(page, "\" y=\"");
        print_hundredths(page, BOTTOM * 100 - height);
        met__page_raw(page, "\" width=\"");
        print_hundredths(page, width);
        met__page_raw(page, "\" height=\"");
        print_hundredths(page, height);
        met__page_raw(page, "\"><title>");
        print_day(page, chart->from_ns + (int64_t)i * MET__DAY_NS, 1);
        met__page_raw(page, ": ");
        print_number(page, chart->values[i]);
        met__page_raw(page, "</title></rect>\n");
    }
}

/* Days below the bars: about five. */
static void draw_days(met__buffer *page, const bars *chart)
{
    size_t every = chart->count <= 8    ? 1
                   : chart->count <= 16 ? 3
                   : chart->count <= 62 ? 7
                   : chart->count <= 124 ? 21
                                         : 61;
    int64_t step =
        (int64_t)(WIDTH - LEFT) * 100 / (int64_t)chart->count;

    for (size_t i = 0; i < chart->count; i += every) {
        met__page_raw(page, "<text text-anchor=\"middle\" x=\"");
        print_hundredths(page, LEFT * 100 + step * (int64_t)i + step / 2);
        met__buffer_print(page, "\" y=\"%d\">", BOTTOM + 16);
        print_day(page, chart->from_ns + (int64_t)i * MET__DAY_NS, 0);
        met__page_raw(page, "</text>\n");
    }
}

static void draw_chart(met__buffer *page, const met__node *by_day)
{
    bars chart;

    if (!read_bars(by_day, &chart)) {
        return;
    }
    met__buffer_print(page,
                      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 "
                      "0 %d %d\" role=\"img\" aria-label=\"Usage by day\">"
                      "\n<g fill=\"#566273\" font-size=\"10.5\">\n",
                      WIDTH, HEIGHT);
    draw_scale(page, &chart);
    draw_days(page, &chart);
    met__page_raw(page, "</g>\n<g fill=\"#2457a6\">\n");
    draw_bars(page, &chart);
    met__page_raw(page, "</g>\n</svg>\n");
}

/* --- By dimension --------------------------------------------------------- */
static void write_value(met__buffer *page, const met__node *item,
                        met_decimal whole)
{
    met_decimal quantity = number_of(met__view_member(item, "quantity"));
    const met__node *count = met__view_member(item, "values");
    met__text value = met__view_text(item, "value");
    int64_t share = share_of(quantity, whole, 1000);

    met__page_raw(page, "<tr><td>");
    if (count != NULL && count->kind == MET__NODE_INTEGER) {
        met__buffer_print(page, "%lld others", (long long)count->as.integer);
    } else if (value.size == 0) {
        met__page_raw(page, "(none)");
    } else {
        met__page_name(page, value);
    }
    met__page_raw(page, "</td><td class=\"n\">");
    print_number(page, quantity);
    met__buffer_print(page,
                      "</td><td class=\"n\">%lld.%lld\xc2\xa0%%</td>"
                      "<td class=\"share\"><i style=\"width:%lld.%lld%%\">"
                      "</i></td></tr>\n",
                      (long long)(share / 10), (long long)(share % 10),
                      (long long)(share / 10), (long long)(share % 10));
}

static void write_dimension(met__buffer *page, const met__node *dimension)
{
    const met__node *values = met__view_member(dimension, "values");
    const met__node *others = met__view_member(dimension, "others");
    met_decimal whole = number_of(met__view_member(others, "quantity"));

    for (size_t i = 0; i < met__view_count(values); i++) {
        met_decimal one =
            number_of(met__view_member(values->as.items[i], "quantity"));
        (void)met__decimal_add(whole, one, &whole);
    }
    met__page_raw(page, "<div class=\"values\"><table class=\"by-value\">"
                        "<thead><tr><th>");
    met__page_name(page, met__view_text(dimension, "dimension"));
    met__page_raw(page, "</th><th class=\"n\">Quantity</th><th class=\"n\">"
                        "Share</th><th class=\"share\"></th></tr></thead>"
                        "<tbody>\n");
    for (size_t i = 0; i < met__view_count(values); i++) {
        write_value(page, values->as.items[i], whole);
    }
    if (others != NULL) {
        write_value(page, others, whole);
    }
    met__page_raw(page, "</tbody></table></div>\n");
}

/* --- Both ----------------------------------------------------------------- */
void met__page_usage(met__buffer *page, const met__node *line)
{
    const met__node *usage = met__view_member(line, "usage");
    const met__node *dimensions = met__view_member(usage, "by_dimension");
    met__text quantity = met__view_text(line, "quantity_total");

    if (usage == NULL) {
        return;
    }
    if (quantity.size == 0) {
        quantity = met__view_text(line, "quantity");
    }
    met__page_raw(page, "<div class=\"usage\">\n<h3><bdi>");
    met__page_text(page, met__view_text(line, "name"));
    met__page_raw(page, "</bdi><span>");
    met__page_number(page, quantity);
    met__page_raw(page, " \xc2\xb7 ");
    met__page_period(page, met__view_member(line, "period"));
    if (met__view_text(usage, "as_of").size > 0) {
        met__page_raw(page, " \xc2\xb7 as known on ");
        met__page_day(page, met__view_text(usage, "as_of"));
    }
    met__page_raw(page, "</span></h3>\n");
    draw_chart(page, met__view_member(usage, "by_day"));
    for (size_t i = 0; i < met__view_count(dimensions); i++) {
        write_dimension(page, dimensions->as.items[i]);
    }
    met__page_raw(page, "</div>\n");
}
