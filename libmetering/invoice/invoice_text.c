/* An invoice for a person: 80 columns of plain text.
 * In: an invoice document of ours or of anybody. Out: text. What is missing or
 * of another kind is left out; control characters become '?', so that no name
 * can move a terminal's cursor. */
#include "base/decimal.h"
#include "invoice/invoice.h"

#define WIDTH 80
#define INDENT 2

/* --- Reading a document that may be anything ------------------------------ */
static const met__node *member(const met__node *node, const char *name)
{
    return node != NULL && node->kind == MET__NODE_OBJECT
               ? met__node_get(node, name)
               : NULL;
}

static met__text text_of(const met__node *node, const char *name)
{
    const met__node *found = member(node, name);

    return found != NULL && found->kind == MET__NODE_TEXT
               ? found->as.text
               : met__text_of("", 0);
}

static size_t count_of(const met__node *array)
{
    return array != NULL && array->kind == MET__NODE_ARRAY ? array->count : 0;
}

static int is_true(const met__node *node, const char *name)
{
    const met__node *found = member(node, name);

    return found != NULL && found->kind == MET__NODE_BOOLEAN
           && found->as.boolean;
}

static int is_zero(met__text amount)
{
    met_decimal value;

    return amount.size == 0
           || (met__decimal_parse(amount, &value) == MET_OK
               && met__decimal_is_zero(value));
}

/* --- Columns -------------------------------------------------------------- */
/* A line under construction: bytes, and columns counted as code points. */
typedef struct text_row {
    met__buffer *buffer;
    size_t column;
} text_row;

static size_t code_point_size(const char *at, size_t left)
{
    size_t size = 1;

    while (size < left && ((unsigned char)at[size] & 0xc0) == 0x80) {
        size++;
    }
    return size;
}

static size_t width_of(met__text text)
{
    size_t width = 0;

    for (size_t at = 0; at < text.size; width++) {
        at += code_point_size(text.data + at, text.size - at);
    }
    return width;
}

static int is_control(const char *at, size_t size)
{
    unsigned char first = (unsigned char)at[0];

    return first < 0x20 || first == 0x7f
           || (size == 2 && first == 0xc2 && (unsigned char)at[1] < 0xa0);
}

/* At most `width` columns of text; a longer one ends in "...". */
static void put(text_row *row, met__text text, size_t width)
{
    size_t needed = width_of(text);
    size_t shown = needed <= width ? needed : width > 3 ? width - 3 : width;

    for (size_t i = 0, at = 0; i < shown; i++) {
        size_t size = code_point_size(text.data + at, text.size - at);
        if (is_control(text.data + at, size)) {
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
/* "2026-01-31" of a time at midnight, else "2026-01-31 10:15:00". */
static void append_time(met__buffer *buffer, met__text time)
{
    static const char midnight[] = "T00:00:00";
    size_t part = sizeof midnight - 1;

    if (time.size < 10 + part || time.data[10] != 'T') {
        met__buffer_append(buffer, time.data, time.size);
        return;
    }
    met__buffer_append(buffer, time.data, 10);
    if (memcmp(time.data + 10, midnight, part) != 0
        || (time.size > 10 + part && time.data[10 + part] == '.')) {
        met__buffer_byte(buffer, ' ');
        met__buffer_append(buffer, time.data + 11, 8);
    }
}

static void append_period(met__buffer *buffer, const met__node *period)
{
    met__text from = text_of(period, "from");
    met__text to = text_of(period, "to");

    if (from.size > 0 && to.size > 0) {
        append_time(buffer, from);
        met__buffer_text(buffer, " to ");
        append_time(buffer, to);
    }
}

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
static void write_head(const met__node *invoice, met__buffer *buffer,
                       met__buffer *left, met__buffer *right)
{
    met__text number = text_of(invoice, "number");
    const met__node *customer = member(invoice, "customer");
    met__text issued = text_of(invoice, "issued_at");

    begin(left);
    begin(right);
    met__buffer_text(left, "INVOICE ");
    append(left, number.size > 0 ? number : MET__TEXT("(draft)"));
    if (issued.size > 0) {
        met__buffer_text(right, "issued ");
        append_time(right, issued);
    } else {
        append(right, text_of(invoice, "status"));
    }
    put_row(buffer, 0, view(left), view(right));
    begin(left);
    begin(right);
    append(left, text_of(customer, "name"));
    if (text_of(customer, "key").size > 0) {
        met__buffer_text(left, " (");
        append(left, text_of(customer, "key"));
        met__buffer_byte(left, ')');
    }
    append_period(right, member(invoice, "service_period"));
    put_row(buffer, 0, view(left), view(right));
    put_rule(buffer);
}

static met__text plan_name(const met__node *line)
{
    const met__node *plan = member(line, "plan");
    met__text name = text_of(plan, "name");

    return name.size > 0 ? name : text_of(plan, "key");
}

/* "Example service (Premium)" and what it comes to. */
static void write_line_head(const met__node *line, met__buffer *buffer,
                            met__buffer *left)
{
    met__text plan = plan_name(line);

    begin(left);
    append(left, text_of(line, "name"));
    if (plan.size > 0) {
        met__buffer_text(left, " (");
        append(left, plan);
        met__buffer_byte(left, ')');
    }
    put_row(buffer, 0, view(left),
            text_of(member(line, "totals"), "total"));
}

/* "2026-01-01 to 2026-02-01, quantity 5001" */
static void write_line_period(const met__node *line, met__buffer *buffer,
                              met__buffer *left)
{
    met__text type = text_of(member(line, "price"), "type");
    met__text quantity = text_of(line, "quantity");

    begin(left);
    append_period(left, member(line, "period"));
    if (quantity.size > 0 && !met__text_equal(type, MET__TEXT("flat"))) {
        met__buffer_text(left, left->size > 0 ? ", quantity " : "quantity ");
        append(left, quantity);
    }
    if (left->size > 0) {
        put_row(buffer, INDENT, view(left), met__text_of("", 0));
    }
    if (is_true(line, "is_open")) {
        put_row(buffer, INDENT, MET__TEXT("still running"),
                met__text_of("", 0));
    }
    if (is_true(line, "is_correction")) {
        begin(left);
        met__buffer_text(left, "late usage: ");
        append(left, text_of(line, "quantity_total"));
        met__buffer_text(left, " in all, ");
        append(left, text_of(line, "quantity_billed_before"));
        met__buffer_text(left, " billed before");
        put_row(buffer, INDENT, view(left), met__text_of("", 0));
    }
}

/* The amount before discounts: a line has either of the two. */
static met__text amount_of(const met__node *totals)
{
    met__text charges = text_of(totals, "charges_total");

    return is_zero(charges) ? text_of(totals, "amount") : charges;
}

static void write_discounts(const met__node *detail, met__buffer *buffer,
                            met__buffer *left, met__buffer *right)
{
    const met__node *discounts = member(detail, "discounts");

    for (size_t i = 0; i < count_of(discounts); i++) {
        const met__node *discount = discounts->as.items[i];
        begin(left);
        begin(right);
        met__buffer_text(left, "discount: ");
        append(left, text_of(discount, "reason"));
        met__buffer_byte(right, '-');
        append(right, text_of(discount, "amount"));
        put_row(buffer, 2 * INDENT, view(left), view(right));
    }
}

static void write_line(const met__node *line, met__buffer *buffer,
                       met__buffer *left, met__buffer *right)
{
    const met__node *details = member(line, "detailed_lines");
    size_t count = count_of(details);

    write_line_head(line, buffer, left);
    write_line_period(line, buffer, left);
    for (size_t i = 0; i < count; i++) {
        const met__node *detail = details->as.items[i];
        const met__node *discounts = member(detail, "discounts");
        met__text explanation = text_of(detail, "explanation");
        met__text amount = amount_of(member(detail, "totals"));
        if (explanation.size == 0) {
            explanation = text_of(detail, "name");
        }
        /* A single part that is the whole line needs no sum of its own. */
        if (count == 1 && count_of(discounts) == 0) {
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
    if (!is_zero(amount)) {
        begin(right);
        met__buffer_text(right, sign);
        append(right, amount);
        put_row(buffer, 0, met__text_z(name), view(right));
    }
}

static void write_totals(const met__node *invoice, met__buffer *buffer,
                         met__buffer *right)
{
    const met__node *totals = member(invoice, "totals");
    met__text currency = text_of(invoice, "currency");
    met__text charges = text_of(totals, "charges_total");
    met__text discounts = text_of(totals, "discounts_total");
    met__text credits = text_of(totals, "credits_total");

    if (!is_zero(charges) || !is_zero(discounts) || !is_zero(credits)) {
        write_sum(buffer, "Subtotal", "", text_of(totals, "amount"), right);
        write_sum(buffer, "Commitments", "", charges, right);
        write_sum(buffer, "Discounts", "-", discounts, right);
        write_sum(buffer, "Credits", "-", credits, right);
    }
    begin(right);
    append(right, text_of(totals, "total"));
    if (currency.size > 0) {
        met__buffer_byte(right, ' ');
        append(right, currency);
    }
    put_row(buffer, 0, MET__TEXT("Total"), view(right));
}

void met__invoice_text(const met__node *invoice, met__buffer *buffer)
{
    const met__node *lines = member(invoice, "lines");
    met__buffer left;
    met__buffer right;

    met__buffer_init(&left, buffer->platform);
    met__buffer_init(&right, buffer->platform);
    write_head(invoice, buffer, &left, &right);
    for (size_t i = 0; i < count_of(lines); i++) {
        write_line(lines->as.items[i], buffer, &left, &right);
    }
    if (count_of(lines) == 0) {
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
