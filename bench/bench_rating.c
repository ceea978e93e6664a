/* What a line costs: every price by the batch call and by request, and random
 * invoices of five lines, quantity by quantity; beside the multiplication that
 * no rating can do without.
 *
 *     bench_rating [--invoices N]
 *
 * The last case is one run over so many invoices, a million unless told. */
#define BENCH_PROCESSOR_TIME
#include "bench.h"

#include <metering/decimal.h>
#include <metering/rating.h>

#define BATCH 256
#define LINES 5

typedef struct rated {
    met_price *price;
    met_decimal quantities[BATCH];
    met_decimal totals[BATCH];
    uint64_t lines; /* that these quantities give */
    const char *request;
} rated;

typedef struct invoices {
    met_price *prices[LINES];
    met_decimal quantities[4096]; /* each line draws one of them */
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
    {"flat", "{\"type\": \"flat\", \"amount\": \"9.99\"}"},
    {"graduated percentage",
     "{\"type\": \"graduated_percentage\", \"tiers\": [{\"up_to\": "
     "\"1000\", \"percentage\": \"2.9\"}, {\"percentage\": \"1.5\"}]}"},
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

/* As many lines as the price makes of all quantities. */
static uint64_t count_lines(const rated *r)
{
    static const char mark[] = "\"per_unit_amount\"";
    uint64_t lines = 0;

    for (int i = 0; i < BATCH; i++) {
        char text[MET_DECIMAL_TEXT_SIZE];
        char request[MET_DECIMAL_TEXT_SIZE + 32];
        met_buffer out = {0};
        if (met_decimal_format(&r->quantities[i], text, NULL) != MET_OK) {
            abort();
        }
        snprintf(request, sizeof request, "{\"quantity\": \"%s\"}", text);
        if (met_price_rate(r->price, request, strlen(request), &out, NULL)
            != MET_OK) {
            abort();
        }
        for (const char *at = out.data; (at = strstr(at, mark)) != NULL;) {
            lines++;
            at += sizeof mark - 1;
        }
        met_buffer_release(&out);
    }
    return lines;
}

/* count lines, in whole batches. */
static void rate_batch(void *context, uint64_t count)
{
    rated *r = context;

    for (uint64_t done = 0; done < count; done += r->lines) {
        if (met_price_rate_batch(r->price, r->quantities, BATCH, r->totals,
                                 NULL)
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
            met_decimal total =
                all->quantities[bench_random(&all->seed) % 4096];
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

/* Every price by the line; the first five stay open, for invoices. */
static void measure_prices(rated *r, invoices *all)
{
    char name[96];

    for (size_t i = 0; i < sizeof prices / sizeof *prices; i++) {
        r->price = open_price(prices[i][1]);
        r->lines = count_lines(r);
        snprintf(name, sizeof name, "rating: a line of %s, in batches",
                 prices[i][0]);
        bench_case(name, rate_batch, r, "decimal multiply and round",
                   multiply, r);
        if (i == 0) {
            bench_case("rating: a line of unit, JSON to JSON", rate_request,
                       r, "the same in a batch", rate_batch, r);
        }
        if (i < LINES) {
            all->prices[i] = r->price;
        } else {
            met_price_destroy(r->price);
        }
    }
}

/* All of them, once. */
static void measure_many(invoices *all, uint64_t count)
{
    double each = bench_once(bill, all, count);

    printf("{\"case\": \"rating: %llu invoices of 5 lines, each\", "
           "\"ns\": %.1f, \"ns_low\": %.1f, \"ns_high\": %.1f, "
           "\"seconds\": %.2f}\n",
           (unsigned long long)count, each, each, each,
           each * (double)count / 1e9);
}

int main(int argc, char **argv)
{
    static rated r;
    static invoices all;
    uint64_t seed = 1;
    uint64_t count = 1000000;

    if (argc > 2 && strcmp(argv[1], "--invoices") == 0) {
        count = strtoull(argv[2], NULL, 10);
    }
    for (int i = 0; i < BATCH; i++) {
        r.quantities[i] = random_quantity(&seed);
    }
    for (int i = 0; i < 4096; i++) {
        all.quantities[i] = random_quantity(&seed);
    }
    r.request = "{\"quantity\": \"51234\"}";
    measure_prices(&r, &all);
    all.seed = seed;
    bench_case("rating: invoice of 5 lines", bill, &all,
               "decimal multiply and round", multiply, &r);
    if (count > 0) {
        measure_many(&all, count);
    }
    for (int i = 0; i < LINES; i++) {
        met_price_destroy(all.prices[i]);
    }
    return 0;
}
