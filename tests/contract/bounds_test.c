/* Bounds of what is stored and billed, and files that are not what they should
 * be: errors that take more than one call to come by, for census.py. */
#include "contract/world.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- Bills ---------------------------------------------------------------- */
/* A plan of so many fees, and a customer who had it from December to April. */
static void subscribe(const char *key, int fees, const char *amount,
                      const char *cadence)
{
    static char json[1 << 16];
    size_t size = (size_t)snprintf(
        json, sizeof json,
        "{\"plans\":[{\"key\":\"%s\",\"name\":\"P\",\"publish\":true,"
        "\"currency\":\"USD\",\"billing_cadence\":\"%s\",\"phases\":[{"
        "\"key\":\"p\",\"name\":\"P\",\"rate_cards\":[",
        key, cadence);

    for (int i = 0; i < fees; i++) {
        size += (size_t)snprintf(
            json + size, sizeof json - size,
            "%s{\"key\":\"f%d\",\"name\":\"F\",\"billing_cadence\":\"%s\","
            "\"price\":{\"type\":\"flat\",\"amount\":\"%s\"}}",
            i > 0 ? "," : "", i, cadence, amount);
    }
    size += (size_t)snprintf(
        json + size, sizeof json - size,
        "]}]}],\"customers\":[{\"key\":\"%s\",\"name\":\"C\"}],"
        "\"subscriptions\":[{\"customer\":{\"key\":\"%s\"},\"plan\":{"
        "\"key\":\"%s\"},\"active_from\":\"2025-12-01T00:00:00Z\","
        "\"active_to\":\"2026-04-09T00:00:00Z\"}]}",
        key, key, key);
    assert_true(size < sizeof json);
    assert_ok(met_catalog_apply(w.store, json, size, 0, MET_ALLOW_PAST, NULL,
                                INFO));
}

/* What one invoice cannot say: the customer stays, and what is due. */
static void expect_no_bill(const char *key, met_error error)
{
    size_t size = strlen(key);

    EXPECT(error, met_invoice_preview(w.store, key, size, 0, 0, OUT));
    EXPECT(error, met_invoice_finalize(w.store, key, size, 0, OUT));
    EXPECT(error, met_invoice_interim(w.store, key, size, 0, OUT));
    EXPECT(error, met_customer_remove(w.store, key, size, INFO));
    EXPECT(error, met_customer_erase(w.store, key, size,
                                     J("{'reason':'r','actor':'a'}"), OUT));
    EXPECT(MET_OK, met_customer_get(w.store, key, size, OUT));
}

static void test_amounts_of_a_bill(void **state)
{
    (void)state;
    subscribe("rich", 2, "9999999999999999999999999999999999", "P1M");
    expect_no_bill("rich", MET_E_OVERFLOW);
}

/* 18 weeks of 250 fees are 4,500 lines. */
static void test_lines_of_a_bill(void **state)
{
    (void)state;
    subscribe("busy", 250, "1", "P1W");
    expect_no_bill("busy", MET_E_LIMIT);
}

/* --- Versions of a plan --------------------------------------------------- */
static void test_versions_of_a_plan(void **state)
{
    (void)state;
    EXPECT(MET_OK,
           met_catalog_apply(
               w.store,
               J("{'_export_version':1,'plans':[{'key':'last','name':'L',"
                 "'version':4294967295,'id':'01M8PWJS342Y4W9R6Y9MHFAPWY',"
                 "'created_at':'2026-01-01T00:00:00Z','updated_at':"
                 "'2026-01-01T00:00:00Z','effective_from':"
                 "'2026-01-01T00:00:00Z','currency':'USD',"
                 "'billing_cadence':'P1M','pro_rating_enabled':true,"
                 "'settlement_mode':'credit_then_invoice','phases':[{'key':"
                 "'p','name':'P','rate_cards':[{'key':'fee','name':'F',"
                 "'billing_cadence':'P1M','price':{'type':'flat','amount':"
                 "'1','payment_term':'in_advance'}}]}]}]}"),
               0, MET_ALLOW_PAST, OUT));
    EXPECT(MET_E_LIMIT, met_plan_next(w.store, T("last"), OUT));
    assert_string_equal(w.told.field, "version");
    EXPECT(MET_E_LIMIT,
           met_plan_put(w.store,
                        J("{'key':'last','name':'M','currency':'USD',"
                          "'billing_cadence':'P1M','phases':[{'key':'p',"
                          "'name':'P','rate_cards':[{'key':'fee','name':'F',"
                          "'billing_cadence':'P1M','price':{'type':'flat',"
                          "'amount':'2'}}]}]}"),
                        OUT));
    assert_string_equal(w.told.field, "plan.version");
}

/* --- Files of a store ----------------------------------------------------- */
/* Turns one bit of META round, and back with the next call. */
static void flip(const char *meta, size_t bit)
{
    unsigned char byte;
    int file = open(meta, O_RDWR);

    assert_true(file >= 0);
    assert_int_equal(pread(file, &byte, 1, (off_t)(bit / 8)), 1);
    byte ^= (unsigned char)(1 << bit % 8);
    assert_int_equal(pwrite(file, &byte, 1, (off_t)(bit / 8)), 1);
    assert_int_equal(close(file), 0);
}

static void test_files_of_a_store(void **state)
{
    char one[128];
    char other[128];
    char from[160];
    char to[160];
    char meta[160];
    (void)state;

    snprintf(one, sizeof one, "%s/one", w.home);
    snprintf(other, sizeof other, "%s/other", w.home);
    snprintf(from, sizeof from, "%s/data.mdb", other);
    snprintf(to, sizeof to, "%s/data.mdb", one);
    snprintf(meta, sizeof meta, "%s/META", one);
    EXPECT(MET_OK, open_at(one, MET_STORE_CREATE));
    EXPECT(MET_OK, open_at(other, MET_STORE_CREATE));
    flip(meta, 3);
    EXPECT(MET_E_FOREIGN, open_at(one, 0)); /* its magic number */
    flip(meta, 3);
    flip(meta, 64);
    EXPECT(MET_E_LAYOUT, open_at(one, 0)); /* its format */
    flip(meta, 64);
    EXPECT(MET_OK, open_at(one, 0));
    assert_int_equal(rename(from, to), 0);
    EXPECT(MET_E_FOREIGN, open_at(one, 0));
    EXPECT(MET_E_CORRUPT, open_at(other, 0));
}

/* --- Memory of a limiter -------------------------------------------------- */
static void test_memory_of_another_boot(void **state)
{
    size_t size = (size_t)1 << 20;
    uint64_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    met_limiter_config config = {.struct_size = sizeof config,
                                 .memory = memory, .memory_size = size};
    met_limiter *limiter = NULL;
    (void)state;

    assert_true(memory != MAP_FAILED);
    EXPECT(MET_OK, met_limiter_open(&config, &limiter, INFO));
    met_limiter_close(limiter);
    memory[2] ^= 1; /* which boot it is of */
    EXPECT(MET_E_CONFLICT, met_limiter_open(&config, &limiter, INFO));
    assert_int_equal(munmap(memory, size), 0);
}

static int restore(void **state)
{
    (void)state;
    world_restore();
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, restore)
    const struct CMUnitTest tests[] = {
        TEST(test_amounts_of_a_bill), TEST(test_lines_of_a_bill),
        TEST(test_versions_of_a_plan), TEST(test_files_of_a_store),
        TEST(test_memory_of_another_boot),
    };

    return cmocka_run_group_tests(tests, world_make, world_remove);
}
