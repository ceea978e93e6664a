/* Any text as what people write in fields: a decimal, an instant, a duration,
 * the rule of a time zone, an address. Refused, or printed as text that reads
 * as the same value. */
#include <stdlib.h>

#include "base/calendar.h"
#include "base/decimal.h"
#include "base/zone_rule.h"
#include "fuzz.h"
#include "metering/decimal.h"
#include "metering/limiter_key.h"
#include "support/faults.h"

static void must(int is_so)
{
    if (!is_so) {
        abort();
    }
}

static void try_decimal(met__text text)
{
    char printed[MET_DECIMAL_TEXT_SIZE];
    met_decimal value;
    met_decimal again;
    size_t size = 0;

    if (met_decimal_parse(text.data, text.size, &value) != MET_OK) {
        return;
    }
    must(met__decimal_is_valid(value));
    must(met_decimal_format(&value, printed, &size) == MET_OK);
    must(size == strlen(printed));
    must(met_decimal_parse(printed, size, &again) == MET_OK);
    must(met__decimal_compare(value, again) == 0);
}

static void try_time(met__text text, const met__platform *platform)
{
    met__buffer buffer;
    int64_t at_ns = 0;
    int64_t again_ns = -1;

    if (met__time_parse(text, &at_ns) != MET_OK) {
        return;
    }
    met__buffer_init(&buffer, platform);
    must(met__time_print(at_ns, &buffer) == MET_OK);
    must(met__time_parse(met__text_of(buffer.data, buffer.size), &again_ns)
         == MET_OK);
    must(at_ns == again_ns);
    met__buffer_release(&buffer);
}

static void try_duration(met__text text, const met__platform *platform)
{
    met__buffer buffer;
    met__duration duration;
    met__duration again;
    int64_t later_ns = 0;

    if (met__duration_parse(text, &duration) != MET_OK) {
        return;
    }
    met__buffer_init(&buffer, platform);
    must(met__duration_print(&duration, &buffer) == MET_OK);
    must(met__duration_parse(met__text_of(buffer.data, buffer.size), &again)
         == MET_OK);
    must(memcmp(&duration, &again, sizeof again) == 0);
    must(met__duration_add(0, &duration, 1, &later_ns) != MET_OK
         || later_ns >= 0);
    met__buffer_release(&buffer);
}

static void try_rule(met__text text)
{
    met__zone_rule rule;

    if (met__zone_rule_read(text, &rule) != MET_OK) {
        return;
    }
    for (int64_t at_s = 0; at_s < INT64_C(8000000000);
         at_s += INT64_C(777777777)) {
        int32_t offset = met__zone_rule_offset_at(&rule, at_s);
        must(offset == rule.standard
             || (rule.has_saving && offset == rule.saving));
    }
}

static void try_address(met__text text)
{
    met_limiter_identity who = {.struct_size = sizeof who,
                                .kind = 1,
                                .form = MET_LIMITER_FORM_ADDRESS,
                                .value = text.data,
                                .value_size = text.size};
    char key[128];
    size_t size = 0;
    met_error error = met_limiter_key_build(&who, key, sizeof key, &size,
                                            NULL);

    must(error == MET_E_INVALID || error == MET_E_LIMIT
         || (error == MET_OK && size > 0 && size <= sizeof key));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__text text = met__text_of((const char *)data, size);

    try_decimal(text);
    try_time(text, &platform);
    try_duration(text, &platform);
    try_rule(text);
    try_address(text);
    return 0;
}
