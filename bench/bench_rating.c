/* What a line costs: every price by the batch call and by request, and random
 * invoices of five lines; beside the multiplication that no rating can do
 * without. */
#include "bench.h"

#include <metering/decimal.h>
#include <metering/rating.h>

#define BATCH 256
#define LINES 5

typedef struct rated {
    met_price *price;
    met_decimal quantities[BATCH];
    met_decimal totals[BATCH];
    const char *request;
} rated;

typedef struct invoices {
    met_price *prices[LINES];
    uint64_t seed;
} invoices;

static const char *const prices[][2] = {
    {"unit", "{\"type\": \"unit\", \"amount\": \"0.0123\"}"},
    {"package", "{\"type\": \"package\", \"amount\": \"1\", "
                "\"quantity_per_package\": \"5000\"}"},
    {"graduated, 3 tiers",
     "{\"type\": \"graduated\", \"tiers\": [{\"up_to\": \"100\", \"unit\": "
     "\"0.5\", \"flat\": \"5\"}, {\"up_to\": \"1000\", \"unit\": \"0.25\"}, "
     "{\"unit\": \"0.1\"}]}"},
    {"volume, 2 tiers",
     "{\"type\": \"volume\", \"tiers\": [{\"up_to\": \"1000\", \"unit\": "
     "\"0.5\"}, {\"unit\": \"0.25\", \"flat\": \"10\"}]}"},
    {"dynamic", "{\"type\": \"dynamic\", \"multiplier\": \"1.15\"}"},
    {"percentage", "{\"type\": \"percentage\", \"percentage\": \"2.9\", "
                   "\"free_units\": \"100\"}"},
    {"stair-step", "{\"type\": \"stairstep\", \"tiers\": [{\"up_to\": "
                   "\"1000\", \"flat\": \"5\"}, {\"flat\": \"50\"}]}"},
    {"unit, discounts, maximum",
     "{\"price\": {\"type\": \"unit\", \"amount\": \"0.0123\", "
     "\"commitments\": {\"maximum\": \"100\"}}, \"discounts\": "
     "{\"percentage\": \"10\", \"usage\": \"500\"}}"},
};

static met_price *open_price(const char *json)
{
    met_price *price = NULL;

    if (met_price_create(json, strlen(json), NULL, &price, NULL) != MET_OK) {
        abort();
    }
    return price;
}

static met_decimal random_quantity(uint64_t *seed)
{
    char text[24];
    met_decimal value;
    int size = snprintf(text, sizeof text, "%u",
                        (unsigned)(bench_random(seed) % 100000));

    if (met_decimal_parse(text, (size_t)size, &value) != MET_OK) {
        abort();
    }
    return value;
}

/* count quantities; a last block that is not full still rates whole. */
static void rate_batch(void *context, uint64_t count)
{
    rated *r = context;

    for (uint64_t done = 0; done < count; done += BATCH) {
        uint64_t left = count - done;
        if (met_price_rate_batch(r->price, r->quantities,
                                 left < BATCH ? (size_t)left : BATCH,
                                 r->totals, NULL)
            != MET_OK) {
            abort();
        }
    }
    bench_keep(r->totals[0].bits[0]);
}

static void multiply(void *context, uint64_t count)
{
    rated *r = context;
    met_decimal unit = r->quantities[1];

    for (uint64_t i = 0; i < count; i++) {
        met_decimal *out = &r->totals[i % BATCH];
        if (met_decimal_multiply(&r->quantities[i % BATCH], &unit, out)
                != MET_OK
            || met_decimal_round(out, 2, MET_ROUND_HALF_AWAY, out) != MET_OK) {
            abort();
        }
    }
    bench_keep(r->totals[0].bits[0]);
}

static void rate_request(void *context, uint64_t count)
{
    rated *r = context;

    for (uint64_t i = 0; i < count; i++) {
        met_buffer out = {0};
        if (met_price_rate(r->price, r->request, strlen(r->request), &out,
                           NULL)
            != MET_OK) {
            abort();
        }
        bench_keep(out.size);
        met_buffer_release(&out);
    }
}

static void bill(void *context, uint64_t count)
{
    invoices *all = context;

    for (uint64_t i = 0; i < count; i++) {
        met_decimal sum;
        for (int line = 0; line < LINES; line++) {
            met_decimal total = random_quantity(&all->seed);
            if (met_price_rate_batch(all->prices[line], &total, 1, &total,
                                     NULL)
                != MET_OK) {
                abort();
            }
            if (line == 0) {
                sum = total;
            } else if (met_decimal_add(&sum, &total, &sum) != MET_OK) {
                abort();
            }
        }
        bench_keep(sum.bits[0]);
    }
}

int main(void)
{
    static rated r;
    static invoices all;
    uint64_t seed = 1;
    char name[96];

    for (int i = 0; i < BATCH; i++) {
        r.quantities[i] = random_quantity(&seed);
    }
    r.request = "{\"quantity\": \"51234\"}";
    for (size_t i = 0; i < sizeof prices / sizeof *prices; i++) {
        r.price = open_price(prices[i][1]);
        snprintf(name, sizeof name, "rating: %s, in batches", prices[i][0]);
        bench_case(name, rate_batch, &r, "decimal multiply and round",
                   multiply, &r);
        if (i == 0) {
            bench_case("rating: unit, JSON to JSON", rate_request, &r,
                       "the same in a batch", rate_batch, &r);
        }
        if (i < LINES) {
            all.prices[i] = r.price;
        } else {
            met_price_destroy(r.price);
        }
    }
    all.seed = seed;
    bench_case("rating: invoice of 5 lines", bill, &all,
               "decimal multiply and round", multiply, &r);
    for (int i = 0; i < LINES; i++) {
        met_price_destroy(all.prices[i]);
    }
    return 0;
}
