/* What needs no handle: decimal.h, time.h, error.h, types.h, version.h,
 * fault.h, and met_entitlement_simulate. */
#include "contract/world.h"
#include "metering/fault.h"

static const met_decimal *number(void)
{
    static met_decimal value;

    assert_ok(met_decimal_parse(T("2.5"), &value));
    return &value;
}

static met_decimal sum;
static int32_t order;
static int64_t instant;
static char text[MET_DECIMAL_TEXT_SIZE];

CALL(decimal_parse, T("1.5"), &sum)
CALL(decimal_format, number(), text, NULL)
CALL(decimal_add, number(), number(), &sum)
CALL(decimal_subtract, number(), number(), &sum)
CALL(decimal_multiply, number(), number(), &sum)
CALL(decimal_divide, number(), number(), 2, MET_ROUND_HALF_EVEN, &sum)
CALL(decimal_round, number(), 0, MET_ROUND_UP, &sum)
CALL(decimal_compare, number(), number(), &order)
CALL(time_parse, T("2026-01-31T12:00:00Z"), &instant)
CALL(time_format, 0, text)
CALL(entitlement_simulate,
     J("{'entitlement':{'usage_period':{'interval':'P1M'},"
       "'measure_usage_from':'2026-01-01T00:00:00Z','issue_after_reset':'5'},"
       "'grants':[{'amount':'3','recurrence':{'interval':'P1D'}}],'usage':["
       "{'at':'2026-01-03T00:00:00Z','value':'2'}],'at':"
       "'2026-01-20T00:00:00Z'}"),
     &w.platform, OUT)

static met_error call_error_name(void)
{
    assert_string_equal(met_error_name(MET_E_IO), "MET_E_IO");
    return MET_OK;
}
static met_error call_error_message(void)
{
    assert_true(strlen(met_error_message(MET_E_IO)) > 0);
    return MET_OK;
}
static met_error call_version_number(void)
{
    assert_int_equal(met_version_number(), MET_VERSION_NUMBER);
    return MET_OK;
}
static met_error call_version_string(void)
{
    assert_string_equal(met_version_string(), MET_VERSION_STRING);
    return MET_OK;
}
static met_error call_buffer_release(void)
{
    met_buffer_release(&w.out);
    return MET_OK;
}
static met_error call_fault_handle(void)
{
    static int of_the_host;

    assert_int_equal(met_fault_handle(&of_the_host), MET_E_NOT_FOUND);
    return MET_OK;
}
CALL(fault_guard_install, )
static void fill_buffer(void)
{
    assert_ok(call_entitlement_simulate());
}

const contract_row pure_rows[] = {
    ROW(decimal_parse, NULL, ROW_PURE),
    ROW(decimal_format, NULL, ROW_PURE),
    ROW(decimal_add, NULL, ROW_PURE),
    ROW(decimal_subtract, NULL, ROW_PURE),
    ROW(decimal_multiply, NULL, ROW_PURE),
    ROW(decimal_divide, NULL, ROW_PURE),
    ROW(decimal_round, NULL, ROW_PURE),
    ROW(decimal_compare, NULL, ROW_PURE),
    ROW(time_parse, NULL, ROW_PURE),
    ROW(time_format, NULL, ROW_PURE),
    ROW(entitlement_simulate, NULL, ROW_PURE),
    ROW(error_name, NULL, ROW_PURE),
    ROW(error_message, NULL, ROW_PURE),
    ROW(fault_handle, NULL, ROW_PURE),
    ROW(fault_guard_install, NULL, ROW_PURE),
    ROW(version_number, NULL, ROW_PURE),
    ROW(version_string, NULL, ROW_PURE),
    ROW(buffer_release, fill_buffer, ROW_PURE),
};
const size_t pure_row_count = sizeof pure_rows / sizeof *pure_rows;
