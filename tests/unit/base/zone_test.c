/* Zones: names, gaps and doubles by hand, hostile files. The bulk is
 * tests/property/zone_oracle.py. */
#include "base_support.h"

#include "base/zone.h"

static met__zone *open_zone(const char *name)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__zone *zone = NULL;

    assert_int_equal(met__zone_open(&platform, met__text_z(name), &zone,
                                    NULL), MET_OK);
    return zone;
}

static int64_t at(const char *text)
{
    int64_t out;

    assert_int_equal(met__time_parse(met__text_z(text), &out), MET_OK);
    return out;
}

static void assert_wall(const met__zone *zone, const char *wall,
                        const char *instant)
{
    met__civil civil;
    int64_t out;

    assert_int_equal(met__civil_from_ns(at(wall), &civil), MET_OK);
    assert_int_equal(met__zone_civil_to_ns(zone, &civil, &out), MET_OK);
    assert_true(out == at(instant));
}

static void test_gaps_and_doubles(void **state)
{
    met__zone *zone = open_zone("Europe/Budapest");

    /* 2025-03-30 02:00 to 03:00 does not exist. */
    assert_wall(zone, "2025-03-30T02:30:00Z", "2025-03-30T01:30:00Z");
    assert_wall(zone, "2025-03-30T01:59:59Z", "2025-03-30T00:59:59Z");
    assert_wall(zone, "2025-03-30T03:00:00Z", "2025-03-30T01:00:00Z");
    /* 2025-10-26 02:30 exists twice: the earlier one. */
    assert_wall(zone, "2025-10-26T02:30:00Z", "2025-10-26T00:30:00Z");
    assert_int_equal(met__zone_offset_at(zone, at("2025-10-26T00:30:00.5Z")),
                     7200);
    assert_int_equal(met__zone_offset_at(zone, at("2025-10-26T01:30:00.5Z")),
                     3600);
    /* The range of times ends in UTC, wherever the wall clock stands. */
    met__civil first = {1970, 1, 1, 0, 30, 0, 0};
    int64_t out;
    assert_int_equal(met__zone_civil_to_ns(zone, &first, &out),
                     MET_E_INVALID);
    met__zone_close(zone);
    met__zone_close(NULL);
}

static void test_days_keep_the_wall_clock(void **state)
{
    met__zone *zone = open_zone("Europe/Budapest");
    met__duration day = {.days = 1};
    met__duration hours = {.hours = 24};
    met__duration month = {.months = 1};
    int64_t out;

    assert_int_equal(met__zone_add(zone, at("2025-03-29T01:30:00Z"), &day, 2,
                                   &out), MET_OK);
    assert_true(out == at("2025-03-31T00:30:00Z"));
    assert_int_equal(met__zone_add(zone, at("2025-03-29T12:00:00Z"), &hours,
                                   1, &out), MET_OK);
    assert_true(out == at("2025-03-30T12:00:00Z"));
    assert_int_equal(met__zone_add(zone, at("2025-01-31T22:30:00Z"), &month,
                                   1, &out), MET_OK);
    assert_true(out == at("2025-02-28T22:30:00Z"));
    /* Nothing to add: the later of two equal wall clocks stays. */
    assert_int_equal(met__zone_add(zone, at("2025-10-26T01:30:00Z"), &day, 0,
                                   &out), MET_OK);
    assert_true(out == at("2025-10-26T01:30:00Z"));
    assert_int_equal(met__zone_add(NULL, at("2025-03-29T01:30:00Z"), &day, 2,
                                   &out), MET_OK);
    assert_true(out == at("2025-03-31T01:30:00Z"));
    met__zone_close(zone);
}

static void test_names(void **state)
{
    static const struct {
        const char *name;
        met_error error;
    } rows[] = {
        {"", MET_E_INVALID},
        {"/etc/passwd", MET_E_INVALID},
        {"../../etc/passwd", MET_E_INVALID},
        {"Europe/../UTC", MET_E_INVALID},
        {"Europe/", MET_E_INVALID},
        {"Europe//Berlin", MET_E_INVALID},
        {"Europe/Berlin ", MET_E_INVALID},
        {"Europe", MET_E_CORRUPT}, /* a directory */
        {"Europe/Nowhere", MET_E_NOT_FOUND},
        {"Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         MET_E_INVALID},
    };
    met__platform platform = faulty_platform(NULL, NULL);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__zone *zone = NULL;
        met_error_info info = empty_info();
        met_error error = met__zone_open(
            &platform, met__text_z(rows[i].name), &zone, &info);
        if (error != rows[i].error || zone != NULL) {
            fail_msg("\"%s\": %s", rows[i].name, met_error_name(error));
        }
        assert_string_equal(info.field, "time_zone");
    }
    met__zone *zone = NULL;
    assert_int_equal(met__zone_open(&platform, met__text_of("UTC\0", 4),
                                    &zone, NULL), MET_E_INVALID);
}

static size_t read_real(const char *name, char *out, size_t room)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", MET__ZONE_DIRECTORY, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(out, 1, room, file);
    fclose(file);
    return size;
}

/* Whatever a file holds, it is read or refused, and a zone that was read
 * answers for every instant. */
static void try_bytes(const char *bytes, size_t size)
{
    static const int64_t instants[] = {0, 1, INT64_C(1000000000000000000),
                                       MET__TIME_MAX};
    faulty_memory memory = {0};
    met__platform platform = faulty_platform(&memory, NULL);
    met__zone *zone = NULL;
    /* Of exactly this size, so that a sanitizer sees the first byte beyond. */
    char *copy = malloc(size ? size : 1);

    memcpy(copy, bytes, size);
    if (met__zone_read(&platform, met__text_of(copy, size), &zone)
        == MET_OK) {
        for (size_t i = 0; i < 4; i++) {
            met__civil civil;
            int64_t out;
            int32_t offset = met__zone_offset_at(zone, instants[i]);
            assert_true(offset > -7 * 86400 && offset < 7 * 86400);
            if (met__civil_from_ns(instants[i], &civil) == MET_OK) {
                (void)met__zone_civil_to_ns(zone, &civil, &out);
            }
        }
    }
    met__zone_close(zone);
    free(copy);
    assert_int_equal(memory.live, 0);
}

static void test_cut_and_flipped_files(void **state)
{
    static const char *const names[] = {"America/New_York", "UTC",
                                        "Africa/Casablanca", "Asia/Gaza"};
    static char bytes[65536];
    unsigned seed = 1;

    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        size_t size = read_real(names[n], bytes, sizeof bytes);
        for (size_t cut = 0; cut < size; cut += 1 + size / 997) {
            try_bytes(bytes, cut);
        }
        for (int i = 0; i < 3000; i++) {
            seed = seed * 1103515245u + 12345u;
            size_t place = (seed >> 8) % size;
            char old = bytes[place];
            bytes[place] = (char)(old ^ (1 << (seed >> 4 & 7)));
            try_bytes(bytes, size);
            bytes[place] = old;
        }
    }
}

static void test_failing_memory_and_disk(void **state)
{
    for (long k = 1; k < 20; k++) {
        faulty_memory memory = {.fail_at = k};
        faulty_disk disk;
        met__zone *zone = NULL;
        faulty_disk_init(&disk);
        met__platform platform = faulty_platform(&memory, &disk);
        met_error error = met__zone_open(&platform, MET__TEXT("Asia/Tokyo"),
                                         &zone, NULL);
        assert_true(error == MET_OK || error == MET_E_NO_MEMORY);
        met__zone_close(zone);
        assert_true(memory.live == 0 && disk.open_files == 0);
        memory.fail_at = 0;
        disk.fail_at = disk.calls + k;
        zone = NULL;
        error = met__zone_open(&platform, MET__TEXT("Asia/Tokyo"), &zone,
                               NULL);
        assert_true(error == MET_OK || error == MET_E_IO);
        met__zone_close(zone);
        assert_true(memory.live == 0 && disk.open_files == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gaps_and_doubles),
        cmocka_unit_test(test_days_keep_the_wall_clock),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_cut_and_flipped_files),
        cmocka_unit_test(test_failing_memory_and_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
