/* An invoice for a person: 80 columns of plain text.
 * In: an invoice document of ours or of anybody. Out: text. What is missing or
 * of another kind is left out; control characters become '?', so that no name
 * can move a terminal's cursor. */
#include "invoice/invoice.h"
#include "invoice/invoice_view.h"

#define WIDTH 80
#define INDENT 2

/* --- Columns -------------------------------------------------------------- */
/* A line under construction: bytes, and columns counted as code points. */
typedef struct text_row {
    met__buffer *buffer;
    size_t column;
} text_row;

static size_t width_of(met__text text)
{
    size_t width = 0;

    for (size_t at = 0; at < text.size; width++) {
        at += met__view_character(
            met__text_of(text.data + at, text.size - at));
    }
    return width;
}

/* At most `width` columns of text; a longer one ends in "...". */
static void put(text_row *row, met__text text, size_t width)
{
    size_t needed = width_of(text);
    size_t shown = needed <= width ? needed : width > 3 ? width - 3 : width;

    for (size_t i = 0, at = 0; i < shown; i++) {
        size_t size = met__view_character(
            met__text_of(text.data + at, text.size - at));
        if (met__view_is_harmful(text.data + at, size)) {
            met__buffer_byte(row->buffer, '?');
        } else {
            met__buffer_append(row->buffer, text.data + at, size);
        }
        at += size;
    }
    row->column += shown;
    if (needed > width && width > 3) {
        met__buffer_text(row->buffer, "...");
        row->column += 3;
    }
}

static void pad_to(text_row *row, size_t column)
{
    while (row->column < column) {
        met__buffer_byte(row->buffer, ' ');
        row->column++;
    }
}

/* left from `indent` on, right at the edge; left gives way. */
static void put_row(met__buffer *buffer, size_t indent, met__text left,
                    met__text right)
{
    text_row row = {buffer, 0};
    size_t right_width = width_of(right);

    if (right_width > WIDTH - indent - 8) {
        right_width = WIDTH - indent - 8;
    }
    pad_to(&row, indent);
    if (right_width == 0) {
        put(&row, left, WIDTH - indent);
    } else {
        put(&row, left, WIDTH - indent - right_width - 1);
        pad_to(&row, WIDTH - right_width);
        put(&row, right, right_width);
    }
    met__buffer_byte(buffer, '\n');
}

static void put_rule(met__buffer *buffer)
{
    for (size_t i = 0; i < WIDTH; i++) {
        met__buffer_byte(buffer, '-');
    }
    met__buffer_byte(buffer, '\n');
}

/* --- Pieces of text ------------------------------------------------------- */
static void append(met__buffer *buffer, met__text text)
{
    met__buffer_append(buffer, text.data, text.size);
}

static met__text view(const met__buffer *buffer)
{
    return met__text_of(buffer->size > 0 ? buffer->data : "", buffer->size);
}

/* Empties a piece so that the next one can be made in it. */
static void begin(met__buffer *piece)
{
    piece->size = 0;
}

/* --- Parts of an invoice -------------------------------------------------- */
static void write_title(const met__node *invoice, met__buffer *buffer,
                        met__buffer *left, met__buffer *right)
{
    met__text number = met__view_text(invoice, "number");
    met__text issued = met__view_text(invoice, "issued_at");

    begin(left);
    begin(right);
    met__buffer_text(left, met__view_is_credit_note(invoice) ? "CREDIT NOTE "
                                                             : "INVOICE ");
    append(left, number.size > 0 ? number : MET__TEXT("(draft)"));
    if (issued.size > 0) {
        met__buffer_text(right, "issued ");
        met__view_time(right, issued);
    } else {
        append(right, met__view_text(invoice, "status"));
    }
    put_row(buffer, 0, view(left), view(right));
}

/* What the title does not say: of which invoice, voided, until when to pay. */
static void write_notes(const met__node *invoice, met__buffer *buffer,
                        met__buffer *left)
{
    met__text of =
        met__view_text(met__view_member(invoice, "invoice"), "number");
    met__text due = met__view_text(invoice, "due_at");

    if (of.size > 0) {
        begin(left);
        met__buffer_text(left, "for invoice ");
        append(left, of);
        met__buffer_text(left, ": ");
        append(left, met__view_text(invoice, "reason"));
        put_row(buffer, 0, view(left), met__text_of("", 0));
    }
    if (met__text_equal(met__view_mark(invoice), MET__TEXT("voided"))) {
        put_row(buffer, 0, MET__TEXT("VOIDED: nothing is to be paid"),
                met__text_of("", 0));
    } else if (due.size > 0 && of.size == 0) {
        begin(left);
        met__buffer_text(left, "due ");
        met__view_time(left, due);
        put_row(buffer, 0, met__text_of("", 0), view(left));
    }
}

static void write_head(const met__node *invoice, met__buffer *buffer,
                       met__buffer *left, met__buffer *right)
{
    const met__node *customer = met__view_member(invoice, "customer");

    write_title(invoice, buffer, left, right);
    begin(left);
    begin(right);
    append(left, met__view_text(customer, "name"));
    if (met__view_text(customer, "key").size > 0) {
        met__buffer_text(left, " (");
        append(left, met__view_text(customer, "key"));
        met__buffer_byte(left, ')');
    }
    met__view_period(right, met__view_member(invoice, "service_period"));
    put_row(buffer, 0, view(left), view(right));
    write_notes(invoice, buffer, left);
    put_rule(buffer);
}

/* "Example service (Premium)" and what it comes to. */
static void write_line_head(const met__node *line, met__buffer *buffer,
                            met__buffer *left)
{
    met__text plan = met__view_plan(line);

    begin(left);
    append(left, met__view_name(line));
    if (plan.size > 0) {
        met__buffer_text(left, " (");
        append(left, plan);
        met__buffer_byte(left, ')');
    }
    put_row(buffer, 0, view(left),
            met__view_text(met__view_member(line, "totals"), "total"));
}

/* "2026-01-01 to 2026-02-01, quantity 5001" */
static void write_line_period(const met__node *line, met__buffer *buffer,
                              met__buffer *left)
{
    met__text quantity = met__view_text(line, "quantity");

    begin(left);
    met__view_period(left, met__view_member(line, "period"));
    if (quantity.size > 0 && !met__view_has_no_quantity(line)) {
        met__buffer_text(left, left->size > 0 ? ", quantity " : "quantity ");
        append(left, quantity);
    }
    if (left->size > 0) {
        put_row(buffer, INDENT, view(left), met__text_of("", 0));
    }
    if (met__view_is_true(line, "is_open")) {
        put_row(buffer, INDENT, MET__TEXT("still running"),
                met__text_of("", 0));
    }
    if (met__view_is_true(line, "is_correction")
        && !met__view_is_minimum(line)) {
        begin(left);
        met__buffer_text(left, "late usage: ");
        append(left, met__view_text(line, "quantity_total"));
        met__buffer_text(left, " in all, ");
        append(left, met__view_text(line, "quantity_billed_before"));
        met__buffer_text(left, " billed before");
        put_row(buffer, INDENT, view(left), met__text_of("", 0));
    }
}

static void write_discounts(const met__node *detail, met__buffer *buffer,
                            met__buffer *left, met__buffer *right)
{
    const met__node *discounts = met__view_member(detail, "discounts");

    for (size_t i = 0; i < met__view_count(discounts); i++) {
        const met__node *discount = discounts->as.items[i];
        begin(left);
        begin(right);
        met__buffer_text(left, "less ");
        met__view_reason(left, met__view_text(discount, "reason"));
        met__buffer_byte(right, '-');
        append(right, met__view_text(discount, "amount"));
        put_row(buffer, 2 * INDENT, view(left), view(right));
    }
}

static void write_line(const met__node *line, met__buffer *buffer,
                       met__buffer *left, met__buffer *right)
{
    const met__node *details = met__view_member(line, "detailed_lines");
    size_t count = met__view_count(details);

    write_line_head(line, buffer, left);
    write_line_period(line, buffer, left);
    for (size_t i = 0; i < count; i++) {
        const met__node *detail = details->as.items[i];
        const met__node *discounts = met__view_member(detail, "discounts");
        met__text explanation = met__view_explanation(line, detail);
        met__text amount =
            met__view_amount(met__view_member(detail, "totals"));
        if (explanation.size == 0) {
            explanation = met__view_text(detail, "name");
        }
        /* A single part that is the whole line needs no sum of its own. */
        if (count == 1 && met__view_count(discounts) == 0) {
            amount = met__text_of("", 0);
        }
        put_row(buffer, INDENT, explanation, amount);
        write_discounts(detail, buffer, left, right);
    }
}

/* One of the sums before the total, unless it is zero. */
static void write_sum(met__buffer *buffer, const char *name, const char *sign,
                      met__text amount, met__buffer *right)
{
    if (!met__view_is_zero(amount)) {
        begin(right);
        met__buffer_text(right, sign);
        append(right, amount);
        put_row(buffer, 0, met__text_z(name), view(right));
    }
}

static void write_totals(const met__node *invoice, met__buffer *buffer,
                         met__buffer *right)
{
    static const char *const sums[][3] = {
        {"Commitments", "", "charges_total"},
        {"Discounts", "-", "discounts_total"},
        {"Credits", "-", "credits_total"},
        {"Taxes", "", "taxes_exclusive_total"},
        {"Taxes, included above", "", "taxes_inclusive_total"}};
    const met__node *totals = met__view_member(invoice, "totals");
    met__text currency = met__view_text(invoice, "currency");
    int is_plain = 1;

    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        is_plain =
            is_plain && met__view_is_zero(met__view_text(totals, sums[i][2]));
    }
    if (!is_plain) {
        write_sum(buffer, "Subtotal", "", met__view_text(totals, "amount"),
                  right);
    }
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        write_sum(buffer, sums[i][0], sums[i][1],
                  met__view_text(totals, sums[i][2]), right);
    }
    begin(right);
    append(right, met__view_text(totals, "total"));
    if (currency.size > 0) {
        met__buffer_byte(right, ' ');
        append(right, currency);
    }
    put_row(buffer, 0, MET__TEXT("Total"), view(right));
}

void met__invoice_text(const met__node *invoice, met__buffer *buffer)
{
    const met__node *lines = met__view_member(invoice, "lines");
    met__buffer left;
    met__buffer right;

    met__buffer_init(&left, buffer->platform);
    met__buffer_init(&right, buffer->platform);
    write_head(invoice, buffer, &left, &right);
    for (size_t i = 0; i < met__view_count(lines); i++) {
        write_line(lines->as.items[i], buffer, &left, &right);
    }
    if (met__view_count(lines) == 0) {
        put_row(buffer, 0, MET__TEXT("Nothing to pay."),
                met__text_of("", 0));
    }
    put_rule(buffer);
    write_totals(invoice, buffer, &right);
    if (buffer->error == MET_OK) {
        buffer->error = left.error != MET_OK ? left.error : right.error;
    }
    met__buffer_release(&left);
    met__buffer_release(&right);
}
