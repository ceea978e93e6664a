/* What the meters in force want of a request's event: only that is carried
 * from admit to complete. A meter that comes in between counts from a later
 * minute on, so nothing is missed. In: the recorder's meters. Out: which of
 * the known attributes, and the names of quantities, in the handle. */
#include "gateway/event.h"
#include "gateway/gateway_handle.h"

#define TYPE MET__TEXT(MET__EVENT_TYPE_REQUEST)

static uint32_t wanted_attributes(met_gateway *gateway)
{
    uint32_t wanted = 0;

    for (uint32_t i = 0; i < MET__ATTRIBUTE_CUSTOM; i++) {
        if (met__recorder_keeps(gateway->recorder, TYPE,
                                met__text_z(met__attribute_names[i]))) {
            wanted |= UINT32_C(1) << i;
        }
    }
    if (met__recorder_keeps(gateway->recorder, TYPE,
                            MET__TEXT("request_size_bytes"))) {
        wanted |= MET__WANTS_REQUEST_SIZE;
    }
    if (met__recorder_keeps(gateway->recorder, TYPE,
                            MET__TEXT("response_size_bytes"))) {
        wanted |= MET__WANTS_RESPONSE_SIZE;
    }
    return wanted;
}

/* Copies: a recorder that takes up other meters forgets the names of these. */
static void follow(met_gateway *gateway)
{
    const met__text *names;
    uint32_t count =
        met__recorder_quantities(gateway->recorder, TYPE, &names);

    gateway->has_quantities = count > 0;
    gateway->value_count = 0;
    for (uint32_t i = 0; i < count && i < MET__QUANTITIES_MAX; i++) {
        if (names[i].size <= MET__ATTRIBUTE_SIZE_MAX
            && !met__text_equal(names[i], MET__TEXT("request_size_bytes"))
            && !met__text_equal(names[i], MET__TEXT("response_size_bytes"))) {
            uint32_t at = gateway->value_count++;
            memcpy(gateway->value_texts[at], names[i].data, names[i].size);
            gateway->values[at] = met__text_of(gateway->value_texts[at],
                                               names[i].size);
        }
    }
    gateway->wanted = wanted_attributes(gateway);
}

void met__gateway_follow_meters(met_gateway *gateway)
{
    uint64_t plan = met__recorder_plan(gateway->recorder);

    if (plan != gateway->value_plan) {
        gateway->value_plan = plan;
        follow(gateway);
    }
}
