/* Our own rating of the invoices that the peers rate: five prices of
 * bench/prices, each one line; quantities are the same in every peer. */
#include "../peer.h"

#include <metering/decimal.h>
#include <metering/rating.h>

#define LINES 5
#define QUANTITIES 4096 /* a power of two, not a multiple of LINES */

static const char *const names[LINES] = {"unit", "package", "graduated",
                                         "volume", "dynamic"};
static met_price *prices[LINES];
static met_decimal quantities[QUANTITIES];

static void must(int is_true, const char *what)
{
    if (!is_true) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

static void load_price(const char *folder, int line)
{
    char path[512];
    char json[1024];

    snprintf(path, sizeof path, "%s/%s.json", folder, names[line]);
    FILE *file = fopen(path, "r");
    must(file != NULL, path);
    size_t size = fread(json, 1, sizeof json, file);
    fclose(file);
    must(met_price_create(json, size, NULL, &prices[line], NULL) == MET_OK,
         path);
}

/* 0 to 99999.99. */
static void make_quantities(void)
{
    uint64_t random = 1;

    for (int i = 0; i < QUANTITIES; i++) {
        char text[32];
        uint64_t hundredths = bench_random(&random) % 10000000;
        int size = snprintf(text, sizeof text, "%llu.%02llu",
                            (unsigned long long)(hundredths / 100),
                            (unsigned long long)(hundredths % 100));
        must(met_decimal_parse(text, (size_t)size, &quantities[i]) == MET_OK,
             text);
    }
}

static met_decimal rate(int line, uint64_t i)
{
    met_decimal total;

    must(met_price_rate_batch(prices[line], &quantities[i % QUANTITIES], 1,
                              &total, NULL)
             == MET_OK,
         names[line]);
    return total;
}

static met_decimal rate_invoice(uint64_t i)
{
    met_decimal sum = rate(0, i * LINES);

    for (int line = 1; line < LINES; line++) {
        met_decimal total = rate(line, i * LINES + (uint64_t)line);
        must(met_decimal_add(&sum, &total, &sum) == MET_OK, "sum");
    }
    return sum;
}

/* NULL: whole invoices. */
static met_decimal rate_one(const int *line, uint64_t i)
{
    return line != NULL ? rate(*line, i) : rate_invoice(i);
}

static double run_one(const peer_case *c, uint64_t count,
                      uint64_t *allowed_out)
{
    uint64_t began = peer_cpu_ns();

    (void)allowed_out;
    for (uint64_t i = 0; i < count; i++) {
        met_decimal total = rate_one(c->context, i);
        bench_keep(total.bits[0]);
    }
    return (double)(peer_cpu_ns() - began);
}

/* As many quantities in one call as there are. */
static double run_batch(const peer_case *c, uint64_t count,
                        uint64_t *allowed_out)
{
    static met_decimal totals[QUANTITIES];
    const int *line = c->context;
    uint64_t began = peer_cpu_ns();

    (void)allowed_out;
    for (uint64_t done = 0; done < count; done += QUANTITIES) {
        uint64_t left = count - done;
        must(met_price_rate_batch(prices[*line], quantities,
                                  left < QUANTITIES ? left : QUANTITIES,
                                  totals, NULL)
                 == MET_OK,
             names[*line]);
        bench_keep(totals[0].bits[0]);
    }
    return (double)(peer_cpu_ns() - began);
}

static void print_results(const peer_case *c, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        met_decimal total = rate_one(c->context, i);
        char text[MET_DECIMAL_TEXT_SIZE];
        must(met_decimal_format(&total, text, NULL) == MET_OK, "format");
        printf("%s\"%s\"", i ? ", " : "", text);
    }
}

int main(int count, char **words)
{
    static const char base[] = ", \"is_base\": true";
    static char titles[LINES][32];
    static int numbers[LINES];
    peer_case cases[2 * LINES + 1];
    size_t case_count = 0;

    must(count == 2, "usage: peer_rating FOLDER-OF-PRICES");
    make_quantities();
    cases[case_count++] = (peer_case){"invoice of 5 lines", "libmetering",
                                      base, run_one, print_results, NULL};
    for (int line = 0; line < LINES; line++) {
        load_price(words[1], line);
        numbers[line] = line;
        snprintf(titles[line], sizeof titles[line], "line: %s", names[line]);
        cases[case_count++] = (peer_case){titles[line], "libmetering", base,
                                          run_one, print_results,
                                          &numbers[line]};
        cases[case_count++] = (peer_case){titles[line],
                                          "libmetering, in batches", "",
                                          run_batch, NULL, &numbers[line]};
    }
    int status = peer_serve(cases, case_count);
    for (int line = 0; line < LINES; line++) {
        met_price_destroy(prices[line]);
    }
    return status;
}
