/* Numbers of invoices. Final ones have no gap: they are taken in the
 * transaction that issues, and an aborted one gives them back. */
#include "invoice/invoice_record.h"

#include "base/check.h"
#include "store/write_log.h"

/* --- A customer's letters ------------------------------------------------- */
/* Latin letters with marks, from U+00C0 to U+017F, as they are written
 * without; a space is nothing. */
static const char plain_latin[] =
    "AAAAAAACEEEEIIIIDNOOOOO OUUUUYTsaaaaaaaceeeeiiiidnooooo ouuuuyty"
    "AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIiIiJjKkkLlLlLlL"
    "lLlNnNnNnnNnOoOoOoOoRrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs";

/* The letter of a sequence; 0: none. *size_out is how many bytes it takes. */
static char letter_of(const unsigned char *s, size_t left, size_t *size_out)
{
    size_t size = met__utf8_sequence(s, left);
    unsigned code;

    *size_out = size > 0 ? size : 1;
    if (size == 1) {
        return (char)s[0];
    }
    if (size != 2) {
        return 0;
    }
    code = (unsigned)(s[0] & 0x1f) << 6 | (s[1] & 0x3f);
    if (code < 0xc0 || code - 0xc0 >= sizeof plain_latin - 1) {
        return 0;
    }
    char plain = plain_latin[code - 0xc0];
    return plain == ' ' ? 0 : plain;
}

static char upper(char letter)
{
    return letter >= 'a' && letter <= 'z' ? (char)(letter - 'a' + 'A')
                                          : letter;
}

/* The first letters of the first two words; *count_out words were met. */
static void take_words(met__text name, char words[2][5], size_t sizes[2],
                       size_t *count_out)
{
    size_t word = 0;
    size_t at = 0;

    while (at < name.size) {
        size_t size;
        char letter = letter_of((const unsigned char *)name.data + at,
                                name.size - at, &size);
        at += size;
        if (letter == ' ') {
            word++;
        } else if (letter != 0 && word < 2 && sizes[word] < 4) {
            words[word][sizes[word]++] = upper(letter);
        }
    }
    *count_out = word + 1;
}

void met__customer_prefix(met__text name, char out[5])
{
    char words[2][5] = {{0}, {0}};
    size_t sizes[2] = {0, 0};
    size_t count = 0;
    size_t size = 0;

    take_words(name, words, sizes, &count);
    size_t most = count == 1 ? 4 : 2;
    for (size_t i = 0; i < 2 && i < count; i++) {
        size_t part = sizes[i] < most ? sizes[i] : most;
        memcpy(out + size, words[i], part);
        size += part;
    }
    if (size == 0) {
        memcpy(out, "UNKN", 4);
        size = 4;
    }
    out[size] = '\0';
}

/* --- Sequences ------------------------------------------------------------ */
/* The series INV is the sequence of stores that never knew another. */
static const char *sequence_of(met__text series, met__arena *arena)
{
    return met__text_equal(series, MET__TEXT("INV"))
               ? "invoice"
               : met__arena_print(arena, "invoice:%.*s", (int)series.size,
                                  series.data);
}

met_error met__invoice_number(met__txn *txn,
                              const met__billing_profile *profile,
                              int is_credit_note, met__text customer_name,
                              met__arena *arena, met__text *number_out)
{
    met__text series =
        is_credit_note ? profile->credit_series : profile->series;
    const char *name = sequence_of(series, arena);
    const char *before;
    char prefix[5] = "";

    MET__ASSERT(series.size > 0);
    if (profile->has_customer_prefix) {
        met__customer_prefix(customer_name, prefix);
    }
    before = met__arena_print(arena, "%.*s-%s%s", (int)series.size,
                              series.data, prefix, prefix[0] ? "-" : "");
    if (name == NULL || before == NULL) {
        return MET_E_NO_MEMORY;
    }
    return met__txn_numbered(txn, name, met__text_z(before),
                             profile->has_customer_prefix ? 1 : 4, arena,
                             number_out);
}

met_error met__draft_number(met__txn *txn, met__text customer_name,
                            met__arena *arena, met__text *number_out)
{
    char before[sizeof "DRAFT-" + 5] = "DRAFT-";
    char prefix[5];

    met__customer_prefix(customer_name, prefix);
    strcat(strcat(before, prefix), "-");
    return met__txn_numbered(txn, "draft", met__text_z(before), 1, arena,
                             number_out);
}
