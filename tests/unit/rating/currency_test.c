/* Currencies out of documents: which codes there are. */
#include "unit/rating/rating_support.h"

#define CUSTOM(code)                                                           \
    "{'type': 'custom', 'code': '" code "', 'name': 'N', 'precision': 12}"

static void reads_codes(void **state)
{
    static const struct {
        const char *json;
        const char *field; /* of the refusal; NULL: read */
        uint32_t places;
    } rows[] = {
        {"{'type': 'fiat', 'code': 'JPY'}", NULL, 0},
        {"{'type': 'fiat', 'code': 'KWD'}", NULL, 3},
        {"{'type': 'fiat', 'code': 'XXY'}", "currency.code", 0},
        {"{'type': 'fiat', 'code': 'usd'}", "currency.code", 0},
        {"{'type': 'coin', 'code': 'USD'}", "currency.type", 0},
        {CUSTOM("ABC"), "currency.code", 0},
        {CUSTOM("ABCD"), NULL, 12},
        {CUSTOM("ABCDEFGHIJKLMNOPQRSTUVWX"), NULL, 12},
        {CUSTOM("ABCDEFGHIJKLMNOPQRSTUVWXY"), "currency.code", 0},
        {CUSTOM("AB|CD"), "currency.code", 0},
        {CUSTOM(" ABCD"), "currency.code", 0},
        {CUSTOM("ABCD "), "currency.code", 0},
        {CUSTOM("AB CD"), NULL, 12},
        {"{'type': 'custom', 'code': 'ABCD', 'name': 'N', 'precision': 13}",
         "currency.precision", 0},
        {"{'type': 'custom', 'code': 'ABCD', 'name': '', 'precision': 1}",
         "currency.name", 0},
    };
    static const met__path path = {NULL, "currency", 0};
    met__currency none;

    (void)state;
    assert_int_equal(met__currency_read(NULL, &path, &none, NULL),
                     MET_E_INVALID);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__currency currency = {.places = 77};
        met_error_info info = {.struct_size = sizeof info};
        met_error error =
            met__currency_read(node_of(rows[i].json), &path, &currency, &info);
        if (rows[i].field == NULL) {
            assert_int_equal(error, MET_OK);
            assert_int_equal(currency.places, rows[i].places);
        } else if (error != MET_E_INVALID
                   || strcmp(info.field, rows[i].field) != 0) {
            fail_msg("%s: %s %s", rows[i].json, info.field, info.reason);
        } else {
            assert_int_equal(currency.places, 77);
        }
    }
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, begin_memory, end_memory)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(reads_codes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
