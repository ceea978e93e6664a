/* The table of names. In: a name or its number. Out: the other. Numbers are
 * stored: a name is only ever added, and at the end. */
#include "store/record_names.h"

#include "base/check.h"

static const char *const list[] = {
    "id", "key", "name", "type", "from", "to", "at", "value",
    "amount", "total", "totals", "charges_total", "discounts_total",
    "credits_total", "taxes_total", "taxes_inclusive_total",
    "taxes_exclusive_total", "quantity", "period", "lines", "number",
    "status", "extended_status", "currency", "customer", "service_period",
    "as_of", "created_at", "updated_at", "collection_at",
    "quantity_snapshotted_at", "draft_until", "issued_at", "due_at",
    "paid_at", "voided_at", "deleted_at", "feature_key", "subscription_id",
    "plan", "version", "price", "detailed_lines", "child_id",
    "explanation", "category", "payment_term", "index", "per_unit_amount",
    "tiers", "unit", "flat", "up_to", "discounts", "unit_config", "tax",
    "basis", "billing_profile", "full_period", "is_correction",
    "quantity_billed_before", "quantity_total", "is_open", "usage_to",
    "billed_before", "booked_from", "applied_at", "values", "events",
    "usage", "open", "invoices", "interim_to", "was_interim_to", "reason",
    "invoice", "is_interim", "rate", "rates", "behavior", "code",
    "percentage", "description", "labels", "metadata",
    "usage_attribution", "subject_keys", "active_from", "active_to",
    "billing_anchor", "plan_version", "phases", "rate_cards", "feature",
    "billing_cadence", "duration", "commitments", "minimum", "maximum",
    "dimensions", "dimension", "meter", "filters", "priority",
    "effective_at", "expiration", "expires_at", "entitlement",
    "customer_id", "starting_phase", "subject", "source", "time",
    "attributes", "consumer", "credential", "username", "groups", "config",
    "enabled", "tags",
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
        size_t at = slot_of(met__text_z(list[i]));
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
        if (met__text_equal(met__text_z(list[number]), name)) {
            return number;
        }
    }
    return -1;
}

met__text met__record_name(uint64_t number)
{
    return number < COUNT ? met__text_z(list[number])
                          : met__text_of(NULL, 0);
}
