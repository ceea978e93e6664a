/* billing.h, invoice.h, rating.h. */
#include "contract/world.h"

/* --- Invoices ------------------------------------------------------------- */
CALL(invoice_preview, w.store, T("ada"), 0, MET_INVOICE_OPEN_PERIOD, OUT)
CALL(invoice_finalize, w.store, T("ada"), 0, OUT)
CALL(invoice_interim, w.store, T("ada"), 0, OUT)
CALL(invoice_act, w.store, ID(draft), T("approve"), OUT)
CALL(invoice_credit, w.store, T("INV-0001"), J("{'reason':'r'}"), OUT)
CALL(invoice_recompute, w.store, T("INV-0001"), MET_INVOICE_USAGE, OUT)
CALL(invoice_get, w.store, T("INV-0001"), OUT)
CALL(invoice_usage, w.store, T("INV-0001"), OUT)
CALL(invoice_list, w.store, NULL, 0, OUT)
CALL(invoice_render,
     J("{'type':'standard','status':'issued','number':'INV-1','currency':"
       "'USD','customer':{'key':'a','name':'A'},'lines':[],'totals':{"
       "'total':'0'}}"),
     MET_INVOICE_HTML, OUT)

/* --- Runs and profiles ---------------------------------------------------- */
CALL(billing_profile_put, w.store, T("ada"),
     J("{'late_usage':'credit_note'}"), OUT)
CALL(billing_profile_get, w.store, T("ada"), OUT)
CALL(billing_profile_remove, w.store, NULL, 0, INFO)
CALL(billing_run_open, w.store, 0, &w.run, INFO)
static met_error call_billing_run_step(void)
{
    met_billing_report report = {.struct_size = sizeof report};

    return met_billing_run_step(w.run, &report, INFO);
}
static met_error call_billing_run_close(void)
{
    met_billing_run_close(w.run);
    w.run = NULL;
    return MET_OK;
}
static void open_run(void)
{
    assert_ok(call_billing_run_open());
}

/* --- Prices --------------------------------------------------------------- */
#define PRICE                                                          \
    J("{'price':{'type':'graduated','tiers':[{'up_to':'10','unit':"   \
      "'0.1'},{'unit':'0.05','flat':'1'}]},'discounts':{'percentage':" \
      "'10'}}")

CALL(price_create, PRICE, &w.platform, &w.price, INFO)
CALL(price_check, PRICE, &w.platform, OUT)
CALL(price_rate, w.price, J("{'quantity':'25'}"), OUT)
static met_error call_price_rate_batch(void)
{
    met_decimal amounts[2] = {{{0, 0}}, {{0, 0}}};

    assert_ok(met_decimal_parse(T("5"), &amounts[0]));
    assert_ok(met_decimal_parse(T("25"), &amounts[1]));
    return met_price_rate_batch(w.price, amounts, 2, amounts, INFO);
}
static met_error call_price_destroy(void)
{
    met_price_destroy(w.price);
    w.price = NULL;
    return MET_OK;
}
static void make_price(void)
{
    assert_ok(call_price_create());
}

const contract_row billing_rows[] = {
    ROW(invoice_preview, NULL, 0),
    ROW(invoice_finalize, NULL, LATER),
    ROW(invoice_interim, NULL, LATER),
    ROW(invoice_act, NULL, LATER),
    ROW(invoice_credit, NULL, LATER),
    ROW(invoice_recompute, NULL, 0),
    ROW(invoice_get, NULL, 0),
    ROW(invoice_usage, NULL, 0),
    ROW(invoice_list, NULL, 0),
    ROW(invoice_render, NULL, ROW_PURE),
    ROW(billing_profile_put, NULL, ROW_WRITES),
    ROW(billing_profile_get, NULL, 0),
    ROW(billing_profile_remove, NULL, ROW_WRITES),
    ROW(billing_run_open, NULL, 0),
    ROW(billing_run_step, open_run, ROW_STEPS),
    ROW(billing_run_close, open_run, 0),
    ROW(price_create, NULL, ROW_PURE),
    ROW(price_check, NULL, ROW_PURE),
    ROW(price_rate, make_price, ROW_PURE),
    ROW(price_rate_batch, make_price, ROW_PURE),
    ROW(price_destroy, make_price, ROW_PURE),
};
const size_t billing_row_count = sizeof billing_rows / sizeof *billing_rows;
