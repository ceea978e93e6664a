/* Any JSON as an invoice: every rendering takes it, gives the same twice, and
 * nothing of it is markup in the page or wider than 80 columns in the text. And
 * as a record of one in the store: damaged, or an invoice in some state. */
#include <stdlib.h>

#include "fuzz.h"
#include "invoice/invoice.h"
#include "invoice/invoice_record.h"
#include "support/faults.h"

typedef void (*rendering)(const met__node *invoice, met__buffer *buffer);

/* Every element that the page may have. */
static const char *const elements[] = {
    "!DOCTYPE html", "html", "head",   "meta", "title", "style", "body",
    "div",           "main", "header", "h1",   "h2",    "h3",    "p",
    "b",             "bdi",  "br",     "span", "table", "thead", "tbody",
    "tr",            "th",   "td",     "ul",   "li",    "section", "svg",
    "g",             "path", "rect",   "text", "i",     "footer"};

static void check_page(const char *page, size_t size)
{
    for (size_t at = 0; at < size; at++) {
        if (page[at] != '<') {
            continue;
        }
        const char *name = page + at + 1 + (page[at + 1] == '/');
        size_t i = 0;
        for (; i < sizeof elements / sizeof *elements; i++) {
            size_t length = strlen(elements[i]);
            if (at + 2 + length < size
                && memcmp(name, elements[i], length) == 0
                && strchr(" >", name[length]) != NULL) {
                break;
            }
        }
        if (i == sizeof elements / sizeof *elements) {
            abort();
        }
    }
}

static void check_text(const char *text, size_t size)
{
    size_t column = 0;

    for (size_t at = 0; at < size; at++) {
        unsigned char byte = (unsigned char)text[at];
        if (byte == '\n') {
            column = 0;
        } else if (byte < 0x20 || byte == 0x7f
                   || (column += (byte & 0xc0) != 0x80) > 80) {
            abort();
        }
    }
}

static void render(rendering how, const met__node *invoice,
                   void (*check)(const char *made, size_t size),
                   const met__platform *platform)
{
    met__buffer first;
    met__buffer second;

    met__buffer_init(&first, platform);
    met__buffer_init(&second, platform);
    how(invoice, &first);
    how(invoice, &second);
    if (first.error != MET_OK || first.size != second.size || first.size == 0
        || memcmp(first.data, second.data, first.size) != 0) {
        abort();
    }
    if (check != NULL) {
        check(first.data, first.size);
    }
    met__buffer_release(&first);
    met__buffer_release(&second);
}

static void read_record(const met__node *node, met__arena *arena)
{
    static const met__path path = {NULL, "line", 0};
    met__invoice *invoice = NULL;
    met__line line;
    met_error error = met__invoice_read(node, arena, &invoice);

    if (error != MET_OK) {
        if ((error != MET_E_CORRUPT && error != MET_E_OVERFLOW)
            || invoice != NULL) {
            abort();
        }
        return;
    }
    if (invoice->state == MET__STATE_NONE) {
        abort();
    }
    for (uint32_t i = 0; i < invoice->lines->count; i++) {
        error = met__line_read(invoice->lines->as.items[i], &path, arena,
                               &line, NULL);
        if (error != MET_OK && error != MET_E_INVALID
            && error != MET_E_OVERFLOW && error != MET_E_UNSUPPORTED) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__arena arena;
    met__node *node = NULL;

    met__arena_init(&arena, &platform);
    if (met__json_parse(&arena, met__text_of((const char *)data, size), &node,
                        NULL)
        == MET_OK) {
        render(met__invoice_html, node, check_page, &platform);
        render(met__invoice_text, node, check_text, &platform);
        render(met__invoice_csv, node, NULL, &platform);
        read_record(node, &arena);
    }
    met__arena_release(&arena);
    return 0;
}
