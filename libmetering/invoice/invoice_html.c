/* An invoice for a customer: one HTML page. In: an invoice document of ours or
 * of anybody. Out: HTML 5 that stands alone; the same document gives the same
 * bytes. */
#include "invoice/invoice.h"
#include "invoice/invoice_page.h"

#include "base/decimal.h"

static const met__node *part(const met__node *node, const char *name)
{
    return met__view_member(node, name);
}

/* --- Head ----------------------------------------------------------------- */
static const char *title_of(const met__node *invoice)
{
    return met__view_is_credit_note(invoice) ? "Credit note" : "Invoice";
}

static void write_document_head(met__buffer *page, const met__node *invoice)
{
    met__page_raw(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
                        "<meta charset=\"utf-8\">\n"
                        "<meta name=\"viewport\" content=\"width=device-"
                        "width, initial-scale=1\">\n"
                        "<meta http-equiv=\"Content-Security-Policy\" "
                        "content=\"default-src 'none'; style-src "
                        "'unsafe-inline'\">\n<title>");
    met__page_raw(page, title_of(invoice));
    met__page_raw(page, " ");
    met__page_text(page, met__view_text(invoice, "number"));
    met__page_raw(page, "</title>\n<style>\n");
    for (size_t i = 0; met__invoice_style[i] != NULL; i++) {
        met__page_raw(page, met__invoice_style[i]);
    }
    met__page_raw(page, "</style>\n</head>\n<body>\n");
}

static void write_mark(met__buffer *page, const met__node *invoice)
{
    met__text mark = met__view_mark(invoice);

    if (mark.size > 0) {
        met__page_raw(page, "<div class=\"mark\" aria-hidden=\"true\">");
        met__page_text(page, mark);
        met__page_raw(page, "</div>\n");
    }
}

/* A text, or the texts of an object or a list, each on a row of its own. */
static void write_rows(met__buffer *page, const met__node *node)
{
    if (node == NULL) {
        return;
    }
    if (node->kind == MET__NODE_TEXT) {
        met__page_raw(page, "<br>");
        met__page_name(page, node->as.text);
    } else if (node->kind == MET__NODE_OBJECT) {
        for (uint32_t i = 0; i < node->count; i++) {
            write_rows(page, node->as.members[i].node);
        }
    } else if (node->kind == MET__NODE_ARRAY) {
        for (uint32_t i = 0; i < node->count; i++) {
            write_rows(page, node->as.items[i]);
        }
    }
}

static void write_header(met__buffer *page, const met__node *invoice)
{
    const met__node *supplier =
        part(part(invoice, "billing_profile"), "supplier");
    met__text number = met__view_text(invoice, "number");
    met__text tax_id = met__view_text(supplier, "tax_id");

    met__page_raw(page, "<header>\n<div><h1>");
    met__page_raw(page, title_of(invoice));
    met__page_raw(page, "</h1><p class=\"number\">");
    met__page_text(page, number.size > 0 ? number
                                         : MET__TEXT("Draft, not issued"));
    met__page_raw(page, "</p></div>\n");
    if (supplier != NULL) {
        met__page_raw(page, "<div class=\"by\"><b>");
        met__page_name(page, met__view_text(supplier, "name"));
        met__page_raw(page, "</b>");
        write_rows(page, part(supplier, "address"));
        if (tax_id.size > 0) {
            met__page_raw(page, "<br>Tax ID ");
            met__page_name(page, tax_id);
        }
        met__page_raw(page, "</div>\n");
    }
    met__page_raw(page, "</header>\n");
}

static void write_fact(met__buffer *page, const char *name, met__text time)
{
    if (time.size > 0) {
        met__page_raw(page, "<tr><th>");
        met__page_raw(page, name);
        met__page_raw(page, "</th><td>");
        met__page_day(page, time);
        met__page_raw(page, "</td></tr>\n");
    }
}

static void write_facts(met__buffer *page, const met__node *invoice)
{
    const met__node *customer = part(invoice, "customer");
    const met__node *period = part(invoice, "service_period");
    met__text of = met__view_text(part(invoice, "invoice"), "number");

    met__page_raw(page, "<section class=\"facts\">\n<div class=\"to\">"
                        "<span class=\"label\">");
    met__page_raw(page, met__view_is_credit_note(invoice) ? "Credit to"
                                                          : "Bill to");
    met__page_raw(page, "</span><br><b>");
    met__page_name(page, met__view_text(customer, "name"));
    met__page_raw(page, "</b><br><span class=\"of\">");
    met__page_name(page, met__view_text(customer, "key"));
    met__page_raw(page, "</span></div>\n<div><table>\n");
    if (of.size > 0) {
        met__page_raw(page, "<tr><th>For invoice</th><td>");
        met__page_text(page, of);
        met__page_raw(page, "</td></tr>\n");
    }
    write_fact(page, "Issued", met__view_text(invoice, "issued_at"));
    if (!met__view_is_credit_note(invoice)
        && met__view_mark(invoice).size == 0) {
        write_fact(page, "Due", met__view_text(invoice, "due_at"));
    }
    write_fact(page, "Paid", met__view_text(invoice, "paid_at"));
    write_fact(page, "Voided", met__view_text(invoice, "voided_at"));
    if (period != NULL) {
        met__page_raw(page, "<tr><th>Period</th><td>");
        met__page_period(page, period);
        met__page_raw(page, "</td></tr>\n");
    }
    met__page_raw(page, "</table></div>\n</section>\n");
}

static void write_money(met__buffer *page, const met__node *invoice,
                        met__text amount)
{
    met__text currency = met__view_text(invoice, "currency");

    met__page_number(page, amount);
    if (currency.size > 0) {
        met__page_raw(page, "\xc2\xa0");
        met__page_text(page, currency);
    }
}

/* What it comes to, before anybody reads a line. */
static void write_owed(met__buffer *page, const met__node *invoice)
{
    met__text total = met__view_text(part(invoice, "totals"), "total");
    met__text reason = met__view_text(invoice, "reason");
    met__text status = met__view_text(invoice, "status");
    met__text due = met__view_text(invoice, "due_at");
    const char *label = "Total";

    if (met__view_is_credit_note(invoice)) {
        label = "Credited";
    } else if (met__text_equal(status, MET__TEXT("paid"))) {
        label = "Total, paid";
    } else if (met__text_equal(status, MET__TEXT("voided"))) {
        label = "Total, voided: nothing is to be paid";
    } else if (met__text_equal(status, MET__TEXT("draft"))) {
        label = "Total so far";
    } else if (due.size > 0) {
        label = "Total, due ";
    }
    met__page_raw(page, "<p class=\"owed\"><span>");
    if (reason.size > 0) {
        met__page_name(page, reason);
    } else {
        met__page_raw(page, label);
        if (label[strlen(label) - 1] == ' ') {
            met__page_day(page, due);
        }
    }
    met__page_raw(page, "</span><b>");
    write_money(page, invoice, total);
    met__page_raw(page, "</b></p>\n");
}

/* --- Lines ---------------------------------------------------------------- */
static void write_cell(met__buffer *page, met__text number, const char *kind)
{
    met__page_raw(page, "<td class=\"n");
    met__page_raw(page, kind);
    met__page_raw(page, "\">");
    met__page_number(page, number);
    met__page_raw(page, "</td>");
}

static void write_how(met__buffer *page, const met__node *line)
{
    met__buffer rows;
    size_t begin = 0;

    met__buffer_init(&rows, page->platform);
    met__view_explain(line, &rows);
    if (rows.size > 0) {
        met__page_raw(page, "<ul class=\"how\">");
        for (size_t i = 0; i < rows.size; i++) {
            if (rows.data[i] == '\n') {
                met__page_raw(page, "<li>");
                met__page_name(page,
                               met__text_of(rows.data + begin, i - begin));
                met__page_raw(page, "</li>");
                begin = i + 1;
            }
        }
        met__page_raw(page, "</ul>");
    }
    met__page_release(page, &rows);
}

static void write_tag(met__buffer *page, const char *text)
{
    met__page_raw(page, "<span class=\"tag\">");
    met__page_raw(page, text);
    met__page_raw(page, "</span>");
}

static int is_same_number(met__text a, met__text b)
{
    met_decimal one;
    met_decimal other;

    return met__decimal_parse(a, &one) == MET_OK
           && met__decimal_parse(b, &other) == MET_OK
           && met__decimal_compare(one, other) == 0;
}

/* A line with one part that says the same needs no row for it: its price stands
 * beside the quantity. NULL when there is more to say. */
static const met__node *only_part(const met__node *line)
{
    const met__node *details = part(line, "detailed_lines");
    const met__node *detail =
        met__view_count(details) == 1 ? details->as.items[0] : NULL;

    return detail != NULL && met__view_count(part(detail, "discounts")) == 0
                   && is_same_number(met__view_text(detail, "quantity"),
                                     met__view_text(line, "quantity"))
                   && is_same_number(
                       met__view_amount(part(detail, "totals")),
                       met__view_text(part(line, "totals"), "total"))
               ? detail
               : NULL;
}

static void write_line_head(met__buffer *page, const met__node *line)
{
    met__text plan = met__view_plan(line);
    int is_bare = met__view_has_no_quantity(line);

    met__page_raw(page, "<tr><td class=\"name\"><b>");
    met__page_name(page, met__view_name(line));
    met__page_raw(page, "</b>");
    if (met__view_is_true(line, "is_correction")) {
        write_tag(page, "late usage");
    }
    if (met__view_is_true(line, "is_open")) {
        write_tag(page, "still running");
    }
    met__page_raw(page, "</td>");
    write_cell(page, is_bare ? met__text_of("", 0)
                             : met__view_text(line, "quantity"), "");
    write_cell(page, is_bare ? met__text_of("", 0)
                             : met__view_text(only_part(line),
                                              "per_unit_amount"), "");
    write_cell(page, met__view_text(part(line, "totals"), "total"),
               " total");
    met__page_raw(page, "</tr>\n<tr><td colspan=\"4\"><div class=\"of\">");
    met__page_name(page, plan);
    if (plan.size > 0 && part(line, "period") != NULL) {
        met__page_raw(page, " \xc2\xb7 ");
    }
    met__page_period(page, part(line, "period"));
    if (part(line, "full_period") != NULL) {
        met__page_raw(page, met__view_is_true(line, "is_billed_in_full")
                                ? ", in full, of "
                                : ", the share of ");
        met__page_period(page, part(line, "full_period"));
    }
    met__page_raw(page, "</div>");
    write_how(page, line);
    met__page_raw(page, "</td></tr>\n");
}

/* "API calls: usage in period" of the line "API calls" is "usage in period". */
static met__text detail_name(const met__node *line, const met__node *detail)
{
    met__text whole = met__view_text(line, "name");
    met__text name = met__view_text(detail, "name");
    size_t skip = whole.size + 2;

    return name.size > skip && memcmp(name.data, whole.data, whole.size) == 0
                   && memcmp(name.data + whole.size, ": ", 2) == 0
               ? met__text_of(name.data + skip, name.size - skip)
               : name;
}

static void write_discounts(met__buffer *page, const met__node *detail)
{
    const met__node *discounts = part(detail, "discounts");
    met__buffer reason;

    met__buffer_init(&reason, page->platform);
    for (size_t i = 0; i < met__view_count(discounts); i++) {
        const met__node *discount = discounts->as.items[i];
        met__text amount = met__view_text(discount, "amount");
        reason.size = 0;
        met__view_reason(&reason, met__view_text(discount, "reason"));
        met__page_raw(page, "<tr class=\"detail\"><td class=\"name off\" "
                            "colspan=\"3\">less ");
        met__page_name(page, met__page_piece(&reason));
        met__page_raw(page, "</td><td class=\"n\">");
        if (!met__view_is_negative(amount)) {
            met__page_raw(page, "\xe2\x88\x92");
        } else {
            amount = met__text_of(amount.data + 1, amount.size - 1);
        }
        met__page_number(page, amount);
        met__page_raw(page, "</td></tr>\n");
    }
    met__page_release(page, &reason);
}

/* "900 x 0.02" beside 900 and 0.02, or "10" beside 10.00, says nothing. */
static int says_more(met__text explanation, const met__node *detail)
{
    met__text amount = met__view_amount(part(detail, "totals"));
    size_t at = 0;

    while (at + 3 <= explanation.size
           && memcmp(explanation.data + at, " x ", 3) != 0) {
        at++;
    }
    if (at + 3 > explanation.size) {
        return !is_same_number(explanation, amount);
    }
    return !is_same_number(met__text_of(explanation.data, at),
                           met__view_text(detail, "quantity"))
           || !is_same_number(met__text_of(explanation.data + at + 3,
                                           explanation.size - at - 3),
                              met__view_text(detail, "per_unit_amount"));
}

/* "tier 1: 10000 x 0.01" behind "Usage price for tier 1" is the second half. */
static met__text explanation_of(const met__node *line,
                                const met__node *detail, met__text name)
{
    met__text all = met__view_explanation(line, detail);
    size_t size = 0;

    while (size < all.size && all.data[size] != ':') {
        size++;
    }
    return size > 0 && size + 2 < all.size && size <= name.size
                   && memcmp(all.data, name.data + name.size - size, size) == 0
               ? met__text_of(all.data + size + 2, all.size - size - 2)
               : all;
}

static void write_detail(met__buffer *page, const met__node *line,
                         const met__node *detail)
{
    met__text name = detail_name(line, detail);
    met__text explanation = explanation_of(line, detail, name);

    met__page_raw(page, "<tr class=\"detail\"><td class=\"name\">");
    met__page_name(page, name);
    if (explanation.size > 0 && says_more(explanation, detail)) {
        met__page_raw(page, ": ");
        met__page_name(page, explanation);
    }
    met__page_raw(page, "</td>");
    write_cell(page, met__view_text(detail, "quantity"), "");
    write_cell(page, met__view_text(detail, "per_unit_amount"), "");
    write_cell(page, met__view_amount(part(detail, "totals")), "");
    met__page_raw(page, "</tr>\n");
    write_discounts(page, detail);
}

/* What comes on top of the parts above. */
static void write_tax(met__buffer *page, const met__node *line)
{
    met__text tax =
        met__view_text(part(line, "totals"), "taxes_exclusive_total");
    met__buffer name;

    if (met__view_is_zero(tax)) {
        return;
    }
    met__buffer_init(&name, page->platform);
    met__view_tax(line, &name);
    met__page_raw(page, "<tr class=\"detail\"><td class=\"name\" colspan="
                        "\"3\">");
    met__page_name(page, met__page_piece(&name));
    met__page_raw(page, "</td>");
    write_cell(page, tax, "");
    met__page_raw(page, "</tr>\n");
    met__page_release(page, &name);
}

static void write_lines(met__buffer *page, const met__node *lines)
{
    if (met__view_count(lines) == 0) {
        met__page_raw(page, "<p class=\"none\">Nothing to pay.</p>\n");
        return;
    }
    met__page_raw(page, "<table class=\"lines\">\n<thead><tr><th>Description"
                        "</th><th class=\"n\">Quantity</th><th class=\"n\">"
                        "Price</th><th class=\"n\">Amount</th></tr></thead>"
                        "\n");
    for (size_t i = 0; i < met__view_count(lines); i++) {
        const met__node *line = lines->as.items[i];
        const met__node *details = part(line, "detailed_lines");
        met__page_raw(page, "<tbody>\n");
        write_line_head(page, line);
        for (size_t j = 0; only_part(line) == NULL
                           && j < met__view_count(details); j++) {
            write_detail(page, line, details->as.items[j]);
        }
        write_tax(page, line);
        met__page_raw(page, "</tbody>\n");
    }
    met__page_raw(page, "</table>\n");
}

/* --- Sums ----------------------------------------------------------------- */
static void write_sum(met__buffer *page, const char *name, int is_off,
                      met__text amount)
{
    met__page_raw(page, "<tr><td>");
    met__page_raw(page, name);
    met__page_raw(page, "</td><td class=\"n\">");
    met__page_raw(page, is_off && !met__view_is_negative(amount)
                            ? "\xe2\x88\x92"
                            : "");
    met__page_number(page, amount);
    met__page_raw(page, "</td></tr>\n");
}

static void write_sums(met__buffer *page, const met__node *invoice)
{
    static const struct {
        const char *name;
        const char *member;
        int is_off;
    } sums[] = {{"Commitments", "charges_total", 0},
                {"Discounts", "discounts_total", 1},
                {"Credits", "credits_total", 1},
                {"Taxes", "taxes_exclusive_total", 0}};
    const met__node *totals = part(invoice, "totals");
    met__text included = met__view_text(totals, "taxes_inclusive_total");
    int count = 0;

    met__page_raw(page, "<div class=\"sums\"><table>\n");
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        met__text amount = met__view_text(totals, sums[i].member);
        if (met__view_is_zero(amount)) {
            continue;
        }
        if (count++ == 0) {
            write_sum(page, "Subtotal", 0, met__view_text(totals, "amount"));
        }
        write_sum(page, sums[i].name, sums[i].is_off, amount);
    }
    met__page_raw(page, count > 0 ? "<tr class=\"gap\"><td></td><td></td>"
                                    "</tr>\n<tr class=\"all after\">"
                                  : "<tr class=\"all\">");
    met__page_raw(page, "<td>Total</td><td class=\"n\">");
    write_money(page, invoice, met__view_text(totals, "total"));
    met__page_raw(page, "</td></tr>\n");
    if (!met__view_is_zero(included)) {
        write_sum(page, "Taxes in it", 0, included);
    }
    met__page_raw(page, "</table></div>\n");
}

/* --- The page ------------------------------------------------------------- */
static void write_usage(met__buffer *page, const met__node *lines)
{
    int has_usage = 0;

    for (size_t i = 0; i < met__view_count(lines); i++) {
        const met__node *line = lines->as.items[i];
        if (part(line, "usage") == NULL) {
            continue;
        }
        if (!has_usage) {
            met__page_raw(page, "<section>\n<h2>Usage</h2>\n");
            has_usage = 1;
        }
        met__page_usage(page, line);
    }
    met__page_raw(page, has_usage ? "</section>\n" : "");
}

static void write_footer(met__buffer *page, const met__node *invoice)
{
    met__text number = met__view_text(invoice, "number");

    met__page_raw(page, "<footer>");
    met__page_raw(page, title_of(invoice));
    met__page_raw(page, " ");
    met__page_text(page, number.size > 0 ? number : MET__TEXT("draft"));
    met__page_raw(page, " \xc2\xb7 ");
    met__page_name(page,
                   met__view_text(part(invoice, "customer"), "name"));
    met__page_raw(page, " \xc2\xb7 days and times are UTC</footer>\n");
}

void met__invoice_html(const met__node *invoice, met__buffer *buffer)
{
    const met__node *lines = part(invoice, "lines");

    write_document_head(buffer, invoice);
    write_mark(buffer, invoice);
    met__page_raw(buffer, "<main>\n");
    write_header(buffer, invoice);
    write_facts(buffer, invoice);
    write_owed(buffer, invoice);
    write_lines(buffer, lines);
    write_sums(buffer, invoice);
    write_usage(buffer, lines);
    write_footer(buffer, invoice);
    met__page_raw(buffer, "</main>\n</body>\n</html>\n");
}
