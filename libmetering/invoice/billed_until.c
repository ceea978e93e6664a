/* How far a subscription is billed. In and out: an instant, a number, a hash of
 * terms. Records of BOOKED, "subscription's id 0", before those of its rate
 * cards: what a bill changes lies in one place. */
#include "invoice/billed_until.h"

#include "base/check.h"
#include "base/ulid.h"

#define VALUE_SIZE 24

/* --- Terms ---------------------------------------------------------------- */
static uint64_t mix(const met__secret *secret, uint64_t before,
                    const void *data, size_t size)
{
    const uint64_t both[2] = {before, met__hash64(secret, data, size)};

    return met__hash64(secret, both, sizeof both);
}

uint64_t met__billed_terms(met__txn *txn, const met__customer *customer,
                           const met__rate_policies *policies,
                           const met__subscription *subscription)
{
    const met__secret *secret = met__store_secret(met__txn_store(txn));
    const int64_t numbers[] = {subscription->active_from_ns,
                               subscription->active_to_ns,
                               subscription->billing_anchor_ns,
                               subscription->plan_version,
                               policies->round_at,
                               policies->rounding,
                               policies->negative,
                               policies->zero_usage,
                               policies->proration,
                               policies->is_converted_apart,
                               policies->is_billed_gross};
    const met__text texts[] = {subscription->plan_key,
                               subscription->starting_phase};
    uint64_t hash = met__hash64(secret, numbers, sizeof numbers);

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        hash = mix(secret, hash, texts[i].data, texts[i].size);
    }
    for (size_t i = 0; i < customer->subject_count; i++) {
        hash = mix(secret, hash, customer->subjects[i].data,
                   customer->subjects[i].size);
    }
    return hash;
}

/* --- Records -------------------------------------------------------------- */
#define KEY_SIZE (MET__ULID_SIZE + 1)

static void make_key(met__text subscription_id, char key[KEY_SIZE])
{
    memcpy(key, subscription_id.data, MET__ULID_SIZE);
    key[MET__ULID_SIZE] = '\0';
}

/* Of whatever terms; all 0 when there is none. */
static met_error load(met__txn *txn, met__text subscription_id,
                      met__billed_until *out)
{
    char key[KEY_SIZE];
    met__text value;

    MET__ASSERT(subscription_id.size == MET__ULID_SIZE);
    *out = (met__billed_until){0};
    make_key(subscription_id, key);
    met_error error = met__txn_get(txn, MET__TABLE_BOOKED, key, sizeof key,
                                   &value);
    if (error == MET_OK && value.size != VALUE_SIZE) {
        return MET_E_CORRUPT;
    }
    if (error == MET_OK) {
        const unsigned char *bytes = (const unsigned char *)value.data;
        out->to_ns = (int64_t)met__get_u64(bytes);
        out->number = met__get_u64(bytes + 8);
        out->terms = met__get_u64(bytes + 16);
    }
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__billed_until_get(met__txn *txn, met__text subscription_id,
                                uint64_t terms, met__billed_until *out)
{
    met_error error = load(txn, subscription_id, out);

    if (error == MET_OK && out->terms != terms) {
        *out = (met__billed_until){0};
    }
    return error;
}

met_error met__billed_to_end(met__txn *txn,
                             const met__subscription *subscription,
                             met__arena *arena, int *is_billed_out)
{
    met__billed_until until = {0};
    met__customer *customer = NULL;
    met_error error = load(txn, subscription->id, &until);

    *is_billed_out = subscription->active_to_ns != 0
                     && until.to_ns >= subscription->active_to_ns;
    if (error == MET_OK && !*is_billed_out) {
        error = met__customer_get(txn, subscription->customer_key, arena,
                                  &customer);
        *is_billed_out = error == MET_E_NOT_FOUND;
    }
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__billed_until_put(met__txn *txn, met__text subscription_id,
                                const met__billed_until *until)
{
    unsigned char bytes[VALUE_SIZE];
    char key[KEY_SIZE];

    MET__ASSERT(until->to_ns > 0 && until->number > 0
                && subscription_id.size == MET__ULID_SIZE);
    met__put_u64(bytes, (uint64_t)until->to_ns);
    met__put_u64(bytes + 8, until->number);
    met__put_u64(bytes + 16, until->terms);
    make_key(subscription_id, key);
    return met__txn_put(txn, MET__TABLE_BOOKED, key, sizeof key, bytes,
                        sizeof bytes);
}
