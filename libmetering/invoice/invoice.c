/* Invoices: a customer's bill as a document, numbered and stored when issued.
 * In: a customer and an instant. Out: documents; records of INVOICE,
 * INVOICE_OF, INVOICE_NUMBER (and of BOOKED, in bill.c). */
#include "invoice/invoice.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/ulid.h"
#include "invoice/bill.h"
#include "store/object.h"

/* --- Making the bill ------------------------------------------------------ */
static met_error fill_bill(met__bill *bill)
{
    met__subscription **subscriptions;
    met__plan *plan;
    size_t count = 0;
    met_error error =
        met__subscription_each(bill->txn, bill->customer->key, bill->arena,
                               &subscriptions, &count);

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        /* A key may have had another owner before. */
        if (!met__text_equal(subscriptions[i]->customer_id,
                             bill->customer->id)) {
            continue;
        }
        error = met__subscription_plan(bill->txn, subscriptions[i],
                                       bill->arena, &plan);
        if (error == MET_OK) {
            error = met__billables_each(subscriptions[i], plan,
                                        bill->request->as_of_ns,
                                        bill->request->is_open_included,
                                        bill->arena, bill, met__bill_add,
                                        bill->info);
        }
        error = error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
    }
    return error;
}

static met_error make_bill(met__txn *txn, const met__invoice_request *request,
                           met__text id, met__arena *arena, met__bill *bill,
                           met_error_info *info)
{
    met__customer *customer;
    met_error error =
        met__customer_get(txn, request->customer_key, arena, &customer);

    if (error == MET_E_NOT_FOUND) {
        return met__fail(info, error, "customer_key",
                         "there is no customer \"%.*s\"",
                         (int)request->customer_key.size,
                         request->customer_key.data);
    }
    if (error != MET_OK) {
        return error;
    }
    *bill = (met__bill){.txn = txn,
                        .request = request,
                        .customer = customer,
                        .arena = arena,
                        .info = info,
                        .invoice_id = id,
                        .lines = met__node_array(arena)};
    met__totals_clear(&bill->totals);
    return bill->lines == NULL ? MET_E_NO_MEMORY : fill_bill(bill);
}

/* --- Document ------------------------------------------------------------- */
static void build_customer(met__builder *builder, met__arena *arena,
                           const met__customer *customer)
{
    met__builder inner;

    met__builder_begin(&inner, arena);
    met__build_text(&inner, "id", customer->id);
    met__build_text(&inner, "key", customer->key);
    met__build_text(&inner, "name", customer->name);
    met__build_object(builder, "customer", &inner);
}

/* number is empty for a draft. Without a line there may be no currency; then
 * amounts are written as those of two decimals. */
static met_error build_invoice(const met__bill *bill, met__text number,
                               met__node **node_out)
{
    met__currency currency = {.code = bill->customer->currency, .places = 2};
    int64_t now = bill->request->now_ns;
    met__builder builder;
    met__builder inner;
    met__node *totals;

    if (bill->has_currency) {
        currency = bill->currency;
    } else if (currency.code.size > 0) {
        (void)met__currency_of(currency.code, &currency);
    }
    met_error error =
        met__totals_document(&bill->totals, &currency, bill->arena, &totals);
    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&builder, bill->arena);
    met__build_text(&builder, "id", bill->invoice_id);
    met__build_text(&builder, "number", number);
    met__build_text(&builder, "status",
                    number.size > 0 ? MET__TEXT("issued")
                                    : MET__TEXT("draft"));
    met__build_text(&builder, "currency", currency.code);
    build_customer(&builder, bill->arena, bill->customer);
    if (bill->service_period.to_ns != 0) {
        met__builder_begin(&inner, bill->arena);
        met__build_time(&inner, "from", bill->service_period.from_ns);
        met__build_time(&inner, "to", bill->service_period.to_ns);
        met__build_object(&builder, "service_period", &inner);
    }
    met__build_time(&builder, "created_at", now);
    met__build_time(&builder, "issued_at", number.size > 0 ? now : 0);
    met__build_node(&builder, "lines", bill->lines);
    met__build_node(&builder, "totals", totals);
    return met__builder_end(&builder, node_out);
}

met_error met__invoice_preview(met__txn *txn,
                               const met__invoice_request *request,
                               met__arena *arena, met__node **node_out,
                               met_error_info *info)
{
    met__bill bill;
    met_error error = make_bill(txn, request, met__text_of(NULL, 0), arena,
                                &bill, info);

    if (error == MET_OK) {
        error = build_invoice(&bill, met__text_of(NULL, 0), node_out);
    }
    return error;
}

/* --- Issuing -------------------------------------------------------------- */
static met_error check_bill(const met__bill *bill, met_error_info *info)
{
    if (bill->lines->count == 0) {
        return met__fail(info, MET_E_CONFLICT, "as_of", "nothing is due");
    }
    if (met__decimal_is_negative(bill->totals.total)) {
        return met__fail(info, MET_E_UNSUPPORTED, "totals.total",
                         "would be negative: corrections wait until they are "
                         "less than what is due");
    }
    return MET_OK;
}

/* "customer key 0 period from:8 id" */
static met_error put_index(const met__bill *bill)
{
    met__text customer = bill->customer->key;
    size_t size = customer.size + 1 + 8 + bill->invoice_id.size;
    char *key = met__arena_allocate(bill->arena, size);

    if (key == NULL) {
        return MET_E_NO_MEMORY;
    }
    memcpy(key, customer.data, customer.size);
    met__put_u64((unsigned char *)key + customer.size + 1,
                 (uint64_t)bill->service_period.from_ns);
    memcpy(key + customer.size + 9, bill->invoice_id.data,
           bill->invoice_id.size);
    return met__txn_put(bill->txn, MET__TABLE_INVOICE_OF, key, size, "", 0);
}

static met_error put_invoice(const met__bill *bill, met__text number,
                             const met__node *node)
{
    met__text id = bill->invoice_id;
    met_error error = met__record_put(bill->txn, MET__TABLE_INVOICE, id.data,
                                      id.size, node);

    if (error == MET_OK) {
        error = met__txn_put(bill->txn, MET__TABLE_INVOICE_NUMBER,
                             number.data, number.size, id.data, id.size);
    }
    return error == MET_OK ? put_index(bill) : error;
}

met_error met__invoice_finalize(met__txn *txn,
                                const met__invoice_request *request,
                                met__arena *arena, met__node **node_out,
                                met_error_info *info)
{
    uint64_t sequence;
    met__text id;
    met__bill bill;
    met__node *node;

    if (request->as_of_ns > request->now_ns) {
        return met__fail(info, MET_E_INVALID, "as_of",
                         "is later than now: its usage is not known yet");
    }
    MET__ASSERT(!request->is_open_included);
    met_error error = met__object_id(txn, request->now_ns, arena, &id);
    if (error == MET_OK) {
        error = make_bill(txn, request, id, arena, &bill, info);
    }
    if (error == MET_OK) {
        error = check_bill(&bill, info);
    }
    if (error == MET_OK) {
        /* Given inside this transaction: an aborted one leaves no gap. */
        error = met__txn_sequence(txn, "invoice", &sequence);
    }
    if (error != MET_OK) {
        return error;
    }
    const char *number = met__arena_print(arena, "INV-%04llu",
                                          (unsigned long long)sequence);
    if (number == NULL) {
        return MET_E_NO_MEMORY;
    }
    error = build_invoice(&bill, met__text_z(number), &node);
    if (error == MET_OK) {
        error = put_invoice(&bill, met__text_z(number), node);
    }
    if (error == MET_OK) {
        *node_out = node;
    }
    return error;
}

/* --- Reading -------------------------------------------------------------- */
met_error met__invoice_document(met__txn *txn, met__text id,
                                met__arena *arena, met__node **node_out)
{
    met__text found;

    if (id.size == MET__ULID_SIZE && met__ulid_is(id.data, id.size)) {
        return met__record_get(txn, MET__TABLE_INVOICE, id.data, id.size,
                               arena, node_out);
    }
    if (id.size == 0 || id.size > MET__KEY_SIZE_MAX) {
        return MET_E_NOT_FOUND;
    }
    met_error error = met__txn_get(txn, MET__TABLE_INVOICE_NUMBER, id.data,
                                   id.size, &found);
    if (error != MET_OK) {
        return error;
    }
    error = met__record_get(txn, MET__TABLE_INVOICE, found.data, found.size,
                            arena, node_out);
    return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
}

static met__text number_of(const met__node *invoice)
{
    const met__node *number = met__node_get(invoice, "number");

    return number != NULL && number->kind == MET__NODE_TEXT
               ? number->as.text
               : met__text_of(NULL, 0);
}

/* "INV-9999" before "INV-10000". */
static int compare_numbers(const void *a, const void *b)
{
    met__text one = number_of(*(met__node *const *)a);
    met__text other = number_of(*(met__node *const *)b);

    if (one.size != other.size) {
        return one.size < other.size ? -1 : 1;
    }
    return met__text_compare(one, other);
}

/* The invoices that a scan of INVOICE, or with id_at of INVOICE_OF, meets.
 * id_at: where in the key the id begins. */
static met_error collect(met__txn *txn, met__table table, met__text prefix,
                         size_t id_at, met__arena *arena, met__node *array)
{
    met__scan scan;
    met__text key;
    met__text value;
    met__node *node;
    met_error error =
        met__scan_begin(txn, table, prefix.data, prefix.size, &scan);

    while (error == MET_OK) {
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK && key.size <= id_at) {
            error = MET_E_CORRUPT;
        }
        if (error == MET_OK) {
            error = met__record_get(txn, MET__TABLE_INVOICE,
                                    key.data + id_at, key.size - id_at, arena,
                                    &node);
            error = error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
            if (error == MET_OK) {
                error = met__node_append(arena, array, node);
            }
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__invoice_list(met__txn *txn, met__text customer_key,
                            met__arena *arena, met__node **array_out)
{
    met__node *array = met__node_array(arena);
    met_error error;

    if (array == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (customer_key.size == 0) {
        error = collect(txn, MET__TABLE_INVOICE, met__text_of(NULL, 0), 0,
                        arena, array);
    } else {
        /* The copy has a NUL behind it: the prefix's end. */
        char *prefix =
            met__arena_copy(arena, customer_key.data, customer_key.size);
        if (prefix == NULL) {
            return MET_E_NO_MEMORY;
        }
        error = collect(txn, MET__TABLE_INVOICE_OF,
                        met__text_of(prefix, customer_key.size + 1),
                        customer_key.size + 9, arena, array);
    }
    if (error == MET_OK && array->count > 1) {
        qsort(array->as.items, array->count, sizeof *array->as.items,
              compare_numbers);
    }
    *array_out = array;
    return error;
}
