/* TZif files (RFC 9636): the 64-bit block of version 2 and later, then the
 * rule of the footer. In: a file of the system. Out: an immutable table that
 * is searched by bisection. Nothing in a file is trusted. */
#include "base/zone.h"

#include <stdio.h>

#include "base/check.h"
#include "base/error.h"
#include "base/zone_rule.h"

#define FILE_SIZE_MAX 65536
#define HEADER_SIZE 44
#define TYPES_MAX 256
#define OFFSET_MAX 93599 /* RFC 9636, 3.2: below 26 hours either way */

typedef struct transition {
    int64_t at_s;
    int32_t offset_s; /* from then on */
} transition;

struct met__zone {
    met__platform platform;
    met__zone_rule rule;
    int has_rule;
    int32_t first_offset_s; /* before the first transition */
    uint32_t count;
    transition transitions[];
};

typedef struct counts {
    uint32_t utc_indicators;
    uint32_t standard_indicators;
    uint32_t leap_seconds;
    uint32_t times;
    uint32_t types;
    uint32_t characters;
} counts;

static int read_header(met__text bytes, size_t at, counts *out)
{
    const unsigned char *in = (const unsigned char *)bytes.data + at;

    if (bytes.size < HEADER_SIZE || at > bytes.size - HEADER_SIZE
        || memcmp(in, "TZif", 4) != 0) {
        return 0;
    }
    *out = (counts){met__get_u32(in + 20), met__get_u32(in + 24),
                    met__get_u32(in + 28), met__get_u32(in + 32),
                    met__get_u32(in + 36), met__get_u32(in + 40)};
    return out->utc_indicators <= TYPES_MAX
           && out->standard_indicators <= TYPES_MAX
           && out->leap_seconds < FILE_SIZE_MAX && out->times < FILE_SIZE_MAX
           && out->types >= 1 && out->types <= TYPES_MAX
           && out->characters < FILE_SIZE_MAX;
}

/* Bytes of a block whose times have time_size bytes. */
static size_t block_size(const counts *c, size_t time_size)
{
    return c->times * (time_size + 1) + c->types * (size_t)6 + c->characters
           + c->leap_seconds * (time_size + 4) + c->standard_indicators
           + c->utc_indicators;
}

static int32_t type_offset(const unsigned char *types, uint32_t index)
{
    return (int32_t)met__get_u32(types + index * (size_t)6);
}

/* Transitions of the 64-bit block at `block`. */
static met_error read_block(met__zone *zone, const unsigned char *block,
                            const counts *c)
{
    const unsigned char *indices = block + c->times * (size_t)8;
    const unsigned char *types = indices + c->times;

    for (uint32_t i = 0; i < c->types; i++) {
        int32_t offset = type_offset(types, i);
        if (offset < -OFFSET_MAX || offset > OFFSET_MAX) {
            return MET_E_CORRUPT;
        }
    }
    zone->first_offset_s = type_offset(types, 0);
    for (uint32_t i = 0; i < c->times; i++) {
        int64_t at_s = (int64_t)met__get_u64(block + i * (size_t)8);
        if (indices[i] >= c->types
            || (i > 0 && at_s <= zone->transitions[i - 1].at_s)) {
            return MET_E_CORRUPT;
        }
        zone->transitions[i] = (transition){at_s,
                                            type_offset(types, indices[i])};
    }
    return MET_OK;
}

/* "\nRULE\n" behind the block; an empty rule: the last offset stays. */
static met_error read_footer(met__zone *zone, met__text footer)
{
    if (footer.size < 2 || footer.data[0] != '\n') {
        return MET_E_CORRUPT;
    }
    const char *end = memchr(footer.data + 1, '\n', footer.size - 1);
    if (end == NULL) {
        return MET_E_CORRUPT;
    }
    size_t size = (size_t)(end - footer.data) - 1;
    if (size == 0) {
        return MET_OK;
    }
    zone->has_rule = 1;
    return met__zone_rule_read(met__text_of(footer.data + 1, size),
                               &zone->rule);
}

static size_t zone_size(uint32_t count)
{
    return sizeof(met__zone) + count * sizeof(transition);
}

met_error met__zone_read(const met__platform *platform, met__text bytes,
                         met__zone **zone_out)
{
    counts old;
    counts now;

    MET__ASSERT(platform != NULL && zone_out != NULL);
    if (bytes.size > FILE_SIZE_MAX || !read_header(bytes, 0, &old)
        || bytes.data[4] < '2') {
        return MET_E_CORRUPT;
    }
    size_t second = HEADER_SIZE + block_size(&old, 4);
    if (!read_header(bytes, second, &now)) {
        return MET_E_CORRUPT;
    }
    size_t block = second + HEADER_SIZE;
    size_t size = block_size(&now, 8);
    if (size > bytes.size - block) {
        return MET_E_CORRUPT;
    }
    met__zone *zone = met__allocate(platform, zone_size(now.times));
    if (zone == NULL) {
        return MET_E_NO_MEMORY;
    }
    zone->platform = *platform;
    zone->count = now.times;
    met_error error = read_block(
        zone, (const unsigned char *)bytes.data + block, &now);
    if (error == MET_OK) {
        error = read_footer(zone,
                            met__text_of(bytes.data + block + size,
                                         bytes.size - block - size));
    }
    if (error != MET_OK) {
        met__zone_close(zone);
        return error;
    }
    *zone_out = zone;
    return MET_OK;
}

/* Letters, digits and "+-_/", no part of it empty or made of dots. */
static int is_name(met__text name)
{
    int is_start = 1;

    if (name.size == 0 || name.size > MET__ZONE_NAME_SIZE_MAX) {
        return 0;
    }
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        if (c == '/') {
            if (is_start) {
                return 0;
            }
            is_start = 1;
            continue;
        }
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '+' || c == '-'
              || c == '_')) {
            return 0;
        }
        is_start = 0;
    }
    return !is_start;
}

/* The whole file into memory of FILE_SIZE_MAX + 1 bytes. */
static int64_t read_file(const met__os *os, const char *path, char *memory)
{
    met__os_stat found;
    int result = os->stat(os->context, path, &found);

    if (result < 0) {
        return result;
    }
    if (!found.is_file) {
        return 0;
    }
    int file = os->open(os->context, path,
                        MET__OS_READ | MET__OS_FOLLOW);
    if (file < 0) {
        return file;
    }
    int64_t size = os->read_at(os->context, file, memory, FILE_SIZE_MAX + 1,
                               0);
    os->close(os->context, file);
    return size;
}

met_error met__zone_open(const met__platform *platform, met__text name,
                         met__zone **zone_out, met_error_info *info)
{
    char path[sizeof MET__ZONE_DIRECTORY + MET__ZONE_NAME_SIZE_MAX + 1];

    MET__ASSERT(platform != NULL && zone_out != NULL);
    if (!is_name(name)) {
        return met__fail(info, MET_E_INVALID, "time_zone",
                         "must be a name like Europe/Berlin");
    }
    snprintf(path, sizeof path, "%s/%.*s", MET__ZONE_DIRECTORY,
             (int)name.size, name.data);
    char *memory = met__allocate(platform, FILE_SIZE_MAX + 1);
    if (memory == NULL) {
        return met__fail_code(info, MET_E_NO_MEMORY);
    }
    int64_t size = read_file(platform->os, path, memory);
    met_error error = size < 0 ? met__os_error(size)
                               : met__zone_read(
                                     platform,
                                     met__text_of(memory, (size_t)size),
                                     zone_out);
    met__release(platform, memory, FILE_SIZE_MAX + 1);
    if (error == MET_E_NOT_FOUND) {
        return met__fail(info, error, "time_zone", "this system has no %.*s",
                         (int)name.size, name.data);
    }
    return error == MET_OK ? MET_OK
                           : met__fail(info, error, "time_zone", "%s: %s",
                                       path, met_error_message(error));
}

void met__zone_close(met__zone *zone)
{
    if (zone != NULL) {
        met__platform platform = zone->platform;
        met__release(&platform, zone, zone_size(zone->count));
    }
}

/* --- Offsets -------------------------------------------------------------- */
static int32_t offset_at(const met__zone *zone, int64_t utc_s)
{
    uint32_t low = 0;
    uint32_t high = zone->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (zone->transitions[middle].at_s <= utc_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == zone->count && zone->has_rule) {
        return met__zone_rule_offset_at(&zone->rule, utc_s);
    }
    return low == 0 ? zone->first_offset_s
                    : zone->transitions[low - 1].offset_s;
}

int32_t met__zone_offset_at(const met__zone *zone, int64_t utc_ns)
{
    return offset_at(zone, utc_ns / MET__SECOND_NS
                               - (utc_ns % MET__SECOND_NS < 0));
}

/* The instant of a wall clock that shows local_ns since 1970. Both offsets
 * around it are tried; in a gap the one before it moves the clock forward. */
static int64_t instant_of(const met__zone *zone, int64_t local_ns)
{
    int64_t before = met__zone_offset_at(zone, local_ns - MET__DAY_NS);
    int64_t after = met__zone_offset_at(zone, local_ns + MET__DAY_NS);
    int64_t early = local_ns
                    - (before > after ? before : after) * MET__SECOND_NS;
    int64_t late = local_ns
                   - (before > after ? after : before) * MET__SECOND_NS;

    if (early + met__zone_offset_at(zone, early) * MET__SECOND_NS
        == local_ns) {
        return early;
    }
    if (late + met__zone_offset_at(zone, late) * MET__SECOND_NS == local_ns) {
        return late;
    }
    return local_ns - before * MET__SECOND_NS;
}

static met_error in_range(int64_t utc_ns, int64_t *utc_ns_out)
{
    if (utc_ns < 0 || utc_ns > MET__TIME_MAX) {
        return MET_E_INVALID;
    }
    *utc_ns_out = utc_ns;
    return MET_OK;
}

met_error met__zone_civil_to_ns(const met__zone *zone,
                                const met__civil *civil, int64_t *utc_ns_out)
{
    int64_t local_ns;

    MET__ASSERT(zone != NULL && civil != NULL && utc_ns_out != NULL);
    met_error error = met__civil_to_ns(civil, &local_ns);
    if (error != MET_OK) {
        return error;
    }
    return in_range(instant_of(zone, local_ns), utc_ns_out);
}

met_error met__zone_add(const met__zone *zone, int64_t at_ns,
                        const met__duration *duration, int64_t count,
                        int64_t *utc_ns_out)
{
    met__duration days = *duration;
    met__duration clock = {.hours = duration->hours,
                           .minutes = duration->minutes,
                           .seconds = duration->seconds,
                           .nanoseconds = duration->nanoseconds};
    int64_t local_ns;
    int64_t moved_ns;

    MET__ASSERT(duration != NULL && utc_ns_out != NULL);
    if (zone == NULL) {
        return met__duration_add(at_ns, duration, count, utc_ns_out);
    }
    days.hours = days.minutes = days.seconds = days.nanoseconds = 0;
    local_ns = at_ns + met__zone_offset_at(zone, at_ns) * MET__SECOND_NS;
    met_error error = met__duration_add(local_ns, &days, count, &moved_ns);
    if (error == MET_OK && moved_ns != local_ns) {
        error = in_range(instant_of(zone, moved_ns), &at_ns);
    }
    return error == MET_OK
               ? met__duration_add(at_ns, &clock, count, utc_ns_out)
               : error;
}
