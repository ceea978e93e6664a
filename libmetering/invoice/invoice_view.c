/* Reading an invoice document leniently, and its figures and times for
 * people. In: any document. Out: texts. */
#include "invoice/invoice_view.h"

#include "base/decimal.h"

/* --- Members -------------------------------------------------------------- */
const met__node *met__view_member(const met__node *node, const char *name)
{
    return node != NULL && node->kind == MET__NODE_OBJECT
               ? met__node_get(node, name)
               : NULL;
}

met__text met__view_text(const met__node *node, const char *name)
{
    const met__node *found = met__view_member(node, name);

    return found != NULL && found->kind == MET__NODE_TEXT
               ? found->as.text
               : met__text_of("", 0);
}

size_t met__view_count(const met__node *array)
{
    return array != NULL && array->kind == MET__NODE_ARRAY ? array->count : 0;
}

int met__view_is_true(const met__node *node, const char *name)
{
    const met__node *found = met__view_member(node, name);

    return found != NULL && found->kind == MET__NODE_BOOLEAN
           && found->as.boolean;
}

int met__view_is_zero(met__text amount)
{
    met_decimal value;

    return amount.size == 0
           || (met__decimal_parse(amount, &value) == MET_OK
               && met__decimal_is_zero(value));
}

int met__view_is_negative(met__text amount)
{
    met_decimal value;

    return met__decimal_parse(amount, &value) == MET_OK
           && met__decimal_is_negative(value);
}

met__text met__view_amount(const met__node *totals)
{
    met__text charges = met__view_text(totals, "charges_total");

    return met__view_is_zero(charges) ? met__view_text(totals, "amount")
                                      : charges;
}

met__text met__view_plan(const met__node *line)
{
    const met__node *plan = met__view_member(line, "plan");
    met__text name = met__view_text(plan, "name");

    return name.size > 0 ? name : met__view_text(plan, "key");
}

int met__view_is_minimum(const met__node *line)
{
    return met__text_equal(met__view_text(line, "key"),
                           MET__TEXT("$minimum"));
}

met__text met__view_name(const met__node *line)
{
    return met__view_is_minimum(line) ? MET__TEXT("Minimum of the plan")
                                      : met__view_text(line, "name");
}

met__text met__view_explanation(const met__node *line,
                                const met__node *detail)
{
    return met__view_is_minimum(line)
               ? MET__TEXT("what it asks beyond all other lines")
               : met__view_text(detail, "explanation");
}

int met__view_has_no_quantity(const met__node *line)
{
    return met__view_is_minimum(line)
           || met__text_equal(
               met__view_text(met__view_member(line, "price"), "type"),
               MET__TEXT("flat"));
}

int met__view_is_credit_note(const met__node *invoice)
{
    return met__text_equal(met__view_text(invoice, "type"),
                           MET__TEXT("credit_note"));
}

met__text met__view_mark(const met__node *invoice)
{
    met__text status = met__view_text(invoice, "status");

    return met__text_equal(status, MET__TEXT("draft"))
                   || met__text_equal(status, MET__TEXT("voided"))
                   || met__text_equal(status, MET__TEXT("deleted"))
               ? status
               : met__text_of("", 0);
}

/* --- Characters ----------------------------------------------------------- */
size_t met__view_character(met__text text)
{
    size_t size = 1;

    while (size < text.size
           && ((unsigned char)text.data[size] & 0xc0) == 0x80) {
        size++;
    }
    return size;
}

int met__view_is_harmful(const char *character, size_t size)
{
    const unsigned char *at = (const unsigned char *)character;

    if (at[0] < 0x20 || at[0] == 0x7f
        || (size == 2 && at[0] == 0xc2 && at[1] < 0xa0)) {
        return 1;
    }
    /* U+2028 to U+202E, U+2066 to U+2069 */
    return size == 3 && at[0] == 0xe2
           && ((at[1] == 0x80 && at[2] >= 0xa8 && at[2] <= 0xae)
               || (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9));
}

/* --- Figures and times ---------------------------------------------------- */
static int is_digit(char at)
{
    return at >= '0' && at <= '9';
}

void met__view_number(met__buffer *buffer, met__text number)
{
    size_t at = number.size > 0 && number.data[0] == '-' ? 1 : 0;
    size_t end = at;

    while (end < number.size && is_digit(number.data[end])) {
        end++;
    }
    met__buffer_append(buffer, number.data, at);
    for (; at < end; at++) {
        met__buffer_byte(buffer, number.data[at]);
        if ((end - at) % 3 == 1 && at + 1 < end) {
            met__buffer_byte(buffer, ',');
        }
    }
    met__buffer_append(buffer, number.data + end, number.size - end);
}

void met__view_time(met__buffer *buffer, met__text time)
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

void met__view_period(met__buffer *buffer, const met__node *period)
{
    met__text from = met__view_text(period, "from");
    met__text to = met__view_text(period, "to");

    if (from.size > 0 && to.size > 0) {
        met__view_time(buffer, from);
        met__buffer_text(buffer, " to ");
        met__view_time(buffer, to);
    }
}

void met__view_reason(met__buffer *buffer, met__text reason)
{
    static const char *const known[][2] = {
        {"ratecard_percentage", "discount"},
        {"ratecard_usage", "free usage"},
        {"maximum_spend", "more than the maximum"},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (met__text_equal(reason, met__text_z(known[i][0]))) {
            met__buffer_text(buffer, known[i][1]);
            return;
        }
    }
    for (size_t i = 0; i < reason.size; i++) {
        met__buffer_byte(buffer,
                         reason.data[i] == '_' ? ' ' : reason.data[i]);
    }
}
