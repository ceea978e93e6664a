/* Asks subscriptions and invoices whether a customer may go. */
#include "api/customer_guard.h"

#include "customer/customer.h"
#include "entitlement/entitled.h"
#include "invoice/invoice.h"

static int begins_with(met__text text, met__text start)
{
    return text.size >= start.size
           && memcmp(text.data, start.data, start.size) == 0;
}

/* Until it is issued, an invoice may still be changed. */
static int is_open_invoice(const met__node *invoice)
{
    const met__node *status = met__node_get(invoice, "status");

    return status != NULL && status->kind == MET__NODE_TEXT
           && (begins_with(status->as.text, MET__TEXT("draft"))
               || begins_with(status->as.text, MET__TEXT("issuing")));
}

met_error met__call_check_invoices(met__call *call, met__text key)
{
    met__node *list = NULL;
    met_error error =
        met__invoice_list(call->txn, key, &call->arena, &list);

    for (uint32_t i = 0; error == MET_OK && i < list->count; i++) {
        if (is_open_invoice(list->as.items[i])) {
            error = met__fail(&call->why, MET_E_CONFLICT, "key",
                              "deleting_customer_with_open_invoices: one of "
                              "its invoices is not issued yet");
        }
    }
    return error;
}

/* What is owed up to now could never be billed afterwards. */
static met_error check_bill(met__call *call, met__text key)
{
    int64_t now_ns = met__txn_now_ns(call->txn);
    met__invoice_request request = {.customer_key = key,
                                    .as_of_ns = now_ns,
                                    .now_ns = now_ns};
    met__node *bill = NULL;
    met_decimal total = met__decimal_zero();
    met_error error = met__invoice_preview(call->txn, &request, &call->arena,
                                           &bill, &call->why);

    if (error != MET_OK) {
        return error;
    }
    const met__node *text =
        met__node_get(met__node_get(bill, "totals"), "total");
    if (text != NULL && text->kind == MET__NODE_TEXT) {
        error = met__decimal_parse(text->as.text, &total);
    }
    if (error == MET_OK && !met__decimal_is_zero(total)) {
        error = met__fail(&call->why, MET_E_CONFLICT, "key",
                          "deleting_customer_with_unbilled_usage: %.*s of it "
                          "are not billed yet",
                          (int)text->as.text.size, text->as.text.data);
    }
    return error;
}

static met_error check_entitlements(met__call *call, met__text key)
{
    int64_t now_ns = met__txn_now_ns(call->txn);
    met__customer *customer = NULL;
    met__entitled found;
    met_error error =
        met__customer_get(call->txn, key, &call->arena, &customer);

    if (error == MET_OK) {
        error = met__entitled_each(call->txn, customer->id, &call->arena,
                                   &found);
    }
    for (size_t i = 0; error == MET_OK && i < found.lone_count; i++) {
        const met__lone *lone = &found.lones[i];
        if (lone->active_to_ns > now_ns
            && lone->active_to_ns > lone->active_from_ns) {
            error = met__fail(&call->why, MET_E_CONFLICT, "key",
                              "deleting_customer_with_active_entitlements: "
                              "one to %.*s is in force",
                              (int)lone->owner.feature_key.size,
                              lone->owner.feature_key.data);
        }
    }
    return error;
}

met_error met__call_check_removal(met__call *call, met__text customer_key)
{
    met_error error = met__customer_check_removal(
        call->txn, customer_key, met__txn_now_ns(call->txn), &call->arena,
        &call->why);

    if (error == MET_OK) {
        error = check_entitlements(call, customer_key);
    }
    if (error == MET_OK) {
        error = met__call_check_invoices(call, customer_key);
    }
    return error == MET_OK ? check_bill(call, customer_key) : error;
}
