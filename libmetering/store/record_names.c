/* The table of names. In: a name or its number. Out: the other. Numbers are
 * stored: a name is only ever added, and at the end. */
#include "store/record_names.h"

#include "base/check.h"

#define NAME(literal) {(literal), sizeof(literal) - 1}

static const met__text list[] = {
    NAME("id"), NAME("key"), NAME("name"), NAME("type"), NAME("from"),
    NAME("to"), NAME("at"), NAME("value"), NAME("amount"), NAME("total"),
    NAME("totals"), NAME("charges_total"), NAME("discounts_total"),
    NAME("credits_total"), NAME("taxes_total"), NAME("taxes_inclusive_total"),
    NAME("taxes_exclusive_total"), NAME("quantity"), NAME("period"),
    NAME("lines"), NAME("number"), NAME("status"), NAME("extended_status"),
    NAME("currency"), NAME("customer"), NAME("service_period"), NAME("as_of"),
    NAME("created_at"), NAME("updated_at"), NAME("collection_at"),
    NAME("quantity_snapshotted_at"), NAME("draft_until"), NAME("issued_at"),
    NAME("due_at"), NAME("paid_at"), NAME("voided_at"), NAME("deleted_at"),
    NAME("feature_key"), NAME("subscription_id"), NAME("plan"),
    NAME("version"), NAME("price"), NAME("detailed_lines"), NAME("child_id"),
    NAME("explanation"), NAME("category"), NAME("payment_term"), NAME("index"),
    NAME("per_unit_amount"), NAME("tiers"), NAME("unit"), NAME("flat"),
    NAME("up_to"), NAME("discounts"), NAME("unit_config"), NAME("tax"),
    NAME("basis"), NAME("billing_profile"), NAME("full_period"),
    NAME("is_correction"), NAME("quantity_billed_before"),
    NAME("quantity_total"), NAME("is_open"), NAME("usage_to"),
    NAME("billed_before"), NAME("booked_from"), NAME("applied_at"),
    NAME("values"), NAME("events"), NAME("usage"), NAME("open"),
    NAME("invoices"), NAME("interim_to"), NAME("was_interim_to"),
    NAME("reason"), NAME("invoice"), NAME("is_interim"), NAME("rate"),
    NAME("rates"), NAME("behavior"), NAME("code"), NAME("percentage"),
    NAME("description"), NAME("labels"), NAME("metadata"),
    NAME("usage_attribution"), NAME("subject_keys"), NAME("active_from"),
    NAME("active_to"), NAME("billing_anchor"), NAME("plan_version"),
    NAME("phases"), NAME("rate_cards"), NAME("feature"),
    NAME("billing_cadence"), NAME("duration"), NAME("commitments"),
    NAME("minimum"), NAME("maximum"), NAME("dimensions"), NAME("dimension"),
    NAME("meter"), NAME("filters"), NAME("priority"), NAME("effective_at"),
    NAME("expiration"), NAME("expires_at"), NAME("entitlement"),
    NAME("customer_id"), NAME("starting_phase"), NAME("subject"),
    NAME("source"), NAME("time"), NAME("attributes"), NAME("consumer"),
    NAME("credential"), NAME("username"), NAME("groups"), NAME("config"),
    NAME("enabled"), NAME("tags"),
};

#define COUNT (sizeof list / sizeof *list)
_Static_assert(COUNT <= MET__RECORD_NAMES_MAX, "a number is one byte");

static size_t slot_of(met__text name)
{
    const unsigned char *s = (const unsigned char *)name.data;
    size_t hash = s[0] * 31u + s[name.size - 1] * 17u + s[name.size / 2] * 7u
                  + name.size * 127u;

    return hash % MET__RECORD_NAME_SLOTS;
}

void met__record_names_init(met__record_names *names)
{
    memset(names, 0, sizeof *names);
    for (size_t i = 0; i < COUNT; i++) {
        size_t at = slot_of(list[i]);
        while (names->slots[at] != 0) {
            at = (at + 1) % MET__RECORD_NAME_SLOTS;
        }
        names->slots[at] = (uint8_t)(i + 1);
    }
}

int met__record_name_number(const met__record_names *names, met__text name)
{
    size_t at;

    if (name.size == 0) {
        return -1;
    }
    for (at = slot_of(name); names->slots[at] != 0;
         at = (at + 1) % MET__RECORD_NAME_SLOTS) {
        int number = names->slots[at] - 1;
        if (met__text_equal(list[number], name)) {
            return number;
        }
    }
    return -1;
}

met__text met__record_name(uint64_t number)
{
    return number < COUNT ? list[number] : met__text_of(NULL, 0);
}
