/* An invoice for a spreadsheet: RFC 4180, a header and a row for every line.
 * In: an invoice document of ours or of anybody. Out: CSV. A text that a
 * spreadsheet would take for a formula gets an apostrophe in front. */
#include "invoice/invoice.h"
#include "invoice/invoice_view.h"

typedef struct column {
    const char *title;
    const char *parent; /* NULL: a member of the invoice or line itself */
    const char *name;
    int is_number;
    int is_line; /* of the line, else of the invoice */
} column;

static const column columns[] = {
    {"type", NULL, "type", 0, 0},
    {"number", NULL, "number", 0, 0},
    {"status", NULL, "status", 0, 0},
    {"issued_at", NULL, "issued_at", 0, 0},
    {"due_at", NULL, "due_at", 0, 0},
    {"customer_key", "customer", "key", 0, 0},
    {"customer_name", "customer", "name", 0, 0},
    {"currency", NULL, "currency", 0, 0},
    {"line", NULL, NULL, 1, 1}, /* its number */
    {"key", NULL, "key", 0, 1},
    {"name", NULL, "name", 0, 1},
    {"feature_key", NULL, "feature_key", 0, 1},
    {"subscription_id", NULL, "subscription_id", 0, 1},
    {"plan_key", "plan", "key", 0, 1},
    {"period_from", "period", "from", 0, 1},
    {"period_to", "period", "to", 0, 1},
    {"is_correction", NULL, "is_correction", 0, 1},
    {"quantity", NULL, "quantity", 1, 1},
    {"price_type", "price", "type", 0, 1},
    {"amount", "totals", "amount", 1, 1},
    {"charges_total", "totals", "charges_total", 1, 1},
    {"discounts_total", "totals", "discounts_total", 1, 1},
    {"credits_total", "totals", "credits_total", 1, 1},
    {"taxes_total", "totals", "taxes_total", 1, 1},
    {"total", "totals", "total", 1, 1},
};
#define COLUMN_COUNT (sizeof columns / sizeof *columns)

/* "-5" is a number; "-5+2" and "=1" are formulas to a spreadsheet. */
static int is_formula(met__text text)
{
    return text.size > 0
           && memchr("=+-@\t\r", text.data[0], 6) != NULL;
}

static void put_text(met__buffer *out, met__text text, int is_number)
{
    int is_quoted = !is_number && is_formula(text);

    for (size_t i = 0; i < text.size && !is_quoted; i++) {
        is_quoted = memchr("\",\r\n", text.data[i], 4) != NULL;
    }
    met__buffer_text(out, is_quoted ? "\"" : "");
    met__buffer_text(out, !is_number && is_formula(text) ? "'" : "");
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"') {
            met__buffer_byte(out, '"');
        }
        met__buffer_byte(out, text.data[i]);
    }
    met__buffer_text(out, is_quoted ? "\"" : "");
}

static void put_cell(met__buffer *out, const column *which,
                     const met__node *invoice, const met__node *line,
                     size_t number)
{
    const met__node *node = which->is_line ? line : invoice;

    if (which->parent != NULL) {
        node = met__view_member(node, which->parent);
    }
    if (which->name == NULL) {
        met__buffer_print(out, "%zu", number);
        return;
    }
    const met__node *found = met__view_member(node, which->name);
    if (found != NULL && found->kind == MET__NODE_BOOLEAN) {
        met__buffer_text(out, found->as.boolean ? "true" : "false");
    } else {
        met_decimal value;
        met__text text = met__view_text(node, which->name);
        put_text(out, text,
                 which->is_number
                     && met__decimal_parse(text, &value) == MET_OK);
    }
}

void met__invoice_csv(const met__node *invoice, met__buffer *buffer)
{
    const met__node *lines = met__view_member(invoice, "lines");

    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        met__buffer_text(buffer, columns[i].title);
        met__buffer_text(buffer, i + 1 < COLUMN_COUNT ? "," : "\r\n");
    }
    for (size_t i = 0; i < met__view_count(lines); i++) {
        for (size_t j = 0; j < COLUMN_COUNT; j++) {
            put_cell(buffer, &columns[j], invoice, lines->as.items[i],
                     i + 1);
            met__buffer_text(buffer, j + 1 < COLUMN_COUNT ? "," : "\r\n");
        }
    }
}
