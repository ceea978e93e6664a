/* The currencies of ISO 4217: the standard's list one (active codes, with its
 * minor units), as of 2026-01-01, and the codes that left it since 2018, so
 * that old invoices can still be read. Symbols and marks: Unicode CLDR, and
 * only where a symbol is not shared by several currencies. */
#include "rating/currency_table.h"

static const met__currency_row rows[] = {
    {"AED", 2, 0, ""},  {"AFN", 2, 0, ""},  {"ALL", 2, 0, ""},
    {"AMD", 2, 0, ""},  {"ANG", 2, 0, ""},  {"AOA", 2, 0, ""},
    {"ARS", 2, 1, ""},  {"AUD", 2, 0, ""},  {"AWG", 2, 0, ""},
    {"AZN", 2, 0, ""},  {"BAM", 2, 1, ""},  {"BBD", 2, 0, ""},
    {"BDT", 2, 0, ""},  {"BGN", 2, 0, ""},  {"BHD", 3, 0, ""},
    {"BIF", 0, 0, ""},  {"BMD", 2, 0, ""},  {"BND", 2, 0, ""},
    {"BOB", 2, 0, ""},  {"BOV", 2, 0, ""},  {"BRL", 2, 1, "R$"},
    {"BSD", 2, 0, ""},  {"BTN", 2, 0, ""},  {"BWP", 2, 0, ""},
    {"BYN", 2, 0, ""},  {"BZD", 2, 0, ""},  {"CAD", 2, 0, ""},
    {"CDF", 2, 0, ""},  {"CHE", 2, 0, ""},  {"CHF", 2, 0, ""},
    {"CHW", 2, 0, ""},  {"CLF", 4, 0, ""},  {"CLP", 0, 1, ""},
    {"CNY", 2, 0, ""},  {"COP", 2, 1, ""},  {"COU", 2, 0, ""},
    {"CRC", 2, 1, ""},  {"CUC", 2, 0, ""},  {"CUP", 2, 0, ""},
    {"CVE", 2, 0, ""},  {"CZK", 2, 0, ""},  {"DJF", 0, 0, ""},
    {"DKK", 2, 1, ""},  {"DOP", 2, 0, ""},  {"DZD", 2, 0, ""},
    {"EGP", 2, 0, ""},  {"ERN", 2, 0, ""},  {"ETB", 2, 0, ""},
    {"EUR", 2, 1, "€"}, {"FJD", 2, 0, ""},  {"FKP", 2, 0, ""},
    {"GBP", 2, 0, "£"}, {"GEL", 2, 0, ""},  {"GHS", 2, 0, ""},
    {"GIP", 2, 0, ""},  {"GMD", 2, 0, ""},  {"GNF", 0, 0, ""},
    {"GTQ", 2, 0, ""},  {"GYD", 2, 0, ""},  {"HKD", 2, 0, ""},
    {"HNL", 2, 0, ""},  {"HRK", 2, 0, ""},  {"HTG", 2, 0, ""},
    {"HUF", 2, 0, ""},  {"IDR", 2, 1, ""},  {"ILS", 2, 0, "₪"},
    {"INR", 2, 0, "₹"}, {"IQD", 3, 0, ""},  {"IRR", 2, 0, ""},
    {"ISK", 0, 1, ""},  {"JMD", 2, 0, ""},  {"JOD", 3, 0, ""},
    {"JPY", 0, 0, "¥"}, {"KES", 2, 0, ""},  {"KGS", 2, 0, ""},
    {"KHR", 2, 0, ""},  {"KMF", 0, 0, ""},  {"KPW", 2, 0, ""},
    {"KRW", 0, 0, "₩"}, {"KWD", 3, 0, ""},  {"KYD", 2, 0, ""},
    {"KZT", 2, 0, "₸"}, {"LAK", 2, 0, ""},  {"LBP", 2, 0, ""},
    {"LKR", 2, 0, ""},  {"LRD", 2, 0, ""},  {"LSL", 2, 0, ""},
    {"LYD", 3, 0, ""},  {"MAD", 2, 0, ""},  {"MDL", 2, 0, ""},
    {"MGA", 2, 0, ""},  {"MKD", 2, 1, ""},  {"MMK", 2, 0, ""},
    {"MNT", 2, 0, ""},  {"MOP", 2, 0, ""},  {"MRU", 2, 0, ""},
    {"MUR", 2, 0, ""},  {"MVR", 2, 0, ""},  {"MWK", 2, 0, ""},
    {"MXN", 2, 0, ""},  {"MXV", 2, 0, ""},  {"MYR", 2, 0, ""},
    {"MZN", 2, 0, ""},  {"NAD", 2, 0, ""},  {"NGN", 2, 0, "₦"},
    {"NIO", 2, 0, ""},  {"NOK", 2, 0, ""},  {"NPR", 2, 0, ""},
    {"NZD", 2, 0, ""},  {"OMR", 3, 0, ""},  {"PAB", 2, 0, ""},
    {"PEN", 2, 0, ""},  {"PGK", 2, 0, ""},  {"PHP", 2, 0, "₱"},
    {"PKR", 2, 0, ""},  {"PLN", 2, 0, ""},  {"PYG", 0, 0, ""},
    {"QAR", 2, 0, ""},  {"RON", 2, 1, ""},  {"RSD", 2, 1, ""},
    {"RUB", 2, 0, ""},  {"RWF", 0, 0, ""},  {"SAR", 2, 0, ""},
    {"SBD", 2, 0, ""},  {"SCR", 2, 0, ""},  {"SDG", 2, 0, ""},
    {"SEK", 2, 0, ""},  {"SGD", 2, 0, ""},  {"SHP", 2, 0, ""},
    {"SLE", 2, 0, ""},  {"SLL", 2, 0, ""},  {"SOS", 2, 0, ""},
    {"SRD", 2, 0, ""},  {"SSP", 2, 0, ""},  {"STN", 2, 0, ""},
    {"SVC", 2, 0, ""},  {"SYP", 2, 0, ""},  {"SZL", 2, 0, ""},
    {"THB", 2, 0, ""},  {"TJS", 2, 0, ""},  {"TMT", 2, 0, ""},
    {"TND", 3, 0, ""},  {"TOP", 2, 0, ""},  {"TRY", 2, 1, "₺"},
    {"TTD", 2, 0, ""},  {"TWD", 2, 0, ""},  {"TZS", 2, 0, ""},
    {"UAH", 2, 0, "₴"}, {"UGX", 0, 0, ""},  {"USD", 2, 0, "$"},
    {"USN", 2, 0, ""},  {"UYI", 0, 0, ""},  {"UYU", 2, 1, ""},
    {"UYW", 4, 0, ""},  {"UZS", 2, 0, ""},  {"VED", 2, 0, ""},
    {"VES", 2, 0, ""},  {"VND", 0, 1, "₫"}, {"VUV", 0, 0, ""},
    {"WST", 2, 0, ""},  {"XAF", 0, 0, ""},  {"XAG", 0, 0, ""},
    {"XAU", 0, 0, ""},  {"XBA", 0, 0, ""},  {"XBB", 0, 0, ""},
    {"XBC", 0, 0, ""},  {"XBD", 0, 0, ""},  {"XCD", 2, 0, ""},
    {"XCG", 2, 0, ""},  {"XDR", 0, 0, ""},  {"XOF", 0, 0, ""},
    {"XPD", 0, 0, ""},  {"XPF", 0, 0, ""},  {"XPT", 0, 0, ""},
    {"XSU", 0, 0, ""},  {"XTS", 0, 0, ""},  {"XUA", 0, 0, ""},
    {"XXX", 0, 0, ""},  {"YER", 2, 0, ""},  {"ZAR", 2, 0, ""},
    {"ZMW", 2, 0, ""},  {"ZWG", 2, 0, ""},  {"ZWL", 2, 0, ""},
};

const met__currency_row *met__currency_find(met__text code)
{
    size_t low = 0;
    size_t high = sizeof rows / sizeof *rows;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = met__text_compare(code, met__text_z(rows[middle].code));
        if (order == 0) {
            return &rows[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}
