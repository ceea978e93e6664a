/* An invoice as rows. */
#include "unit/invoice/render_support.h"

#define HEADER                                                               \
    "type,number,status,issued_at,due_at,customer_key,customer_name,"         \
    "currency,line,key,name,feature_key,subscription_id,plan_key,"            \
    "period_from,period_to,is_correction,quantity,price_type,amount,"         \
    "charges_total,discounts_total,credits_total,taxes_total,total\r\n"

static const char *rows_of(const char *json)
{
    return render_by(met__invoice_csv, json);
}

static void a_line_is_a_row(void **state)
{
    (void)state;
    assert_string_equal(
        rows_of(RICH),
        HEADER "standard,INV-7,issued,2026-02-01T00:05:00Z,"
               "2026-03-03T00:05:00Z,k,Name,USD,1,api,API,,,p,"
               "2026-01-01T00:00:00Z,2026-02-01T00:00:00Z,true,1234567,"
               "graduated,12.00,,,,,13.97\r\n");
    assert_string_equal(rows_of("{\"lines\":[],\"totals\":{}}"), HEADER);
    assert_string_equal(rows_of("7"), HEADER);
}

static void texts_are_quoted(void **state)
{
    const char *rows = rows_of(
        "{\"customer\":{\"name\":\"a,\\\"b\\\"\\nc\"},\"lines\":[{\"name\":"
        "\"=1+2\",\"key\":\"-x\",\"feature_key\":\"@x\",\"quantity\":\"-5\","
        "\"plan\":{\"key\":\"+1\"},\"totals\":{\"total\":\"-5+2\"}}]}");

    (void)state;
    assert_non_null(strstr(rows, ",\"a,\"\"b\"\"\nc\","));
    assert_non_null(strstr(rows, ",1,\"'-x\",\"'=1+2\",\"'@x\",,\"'+1\","));
    assert_non_null(strstr(rows, ",-5,")); /* a number is none */
    assert_non_null(strstr(rows, ",\"'-5+2\"\r\n"));
}

static void memory_runs_out(void **state)
{
    (void)state;
    sweep_render(met__invoice_csv, RICH);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, render_setup)
    const struct CMUnitTest tests[] = {
        CASE(a_line_is_a_row),
        CASE(texts_are_quoted),
        CASE(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
