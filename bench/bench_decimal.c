/* What exact money costs: decimal arithmetic beside plain doubles. */
#include "bench.h"

#include <metering/decimal.h>

typedef struct numbers {
    met_decimal price;
    met_decimal quantity;
    met_decimal out;
    double plain_price;
    double plain_quantity;
} numbers;

static void multiply_and_round(void *context, uint64_t count)
{
    numbers *n = context;

    for (uint64_t i = 0; i < count; i++) {
        if (met_decimal_multiply(&n->price, &n->quantity, &n->out) != MET_OK
            || met_decimal_round(&n->out, 2, MET_ROUND_HALF_AWAY, &n->out)
                   != MET_OK) {
            abort();
        }
    }
    bench_keep(n->out.bits[0]);
}

static void add(void *context, uint64_t count)
{
    numbers *n = context;

    for (uint64_t i = 0; i < count; i++) {
        if (met_decimal_add(&n->price, &n->quantity, &n->out) != MET_OK) {
            abort();
        }
    }
    bench_keep(n->out.bits[0]);
}

static void parse(void *context, uint64_t count)
{
    numbers *n = context;

    for (uint64_t i = 0; i < count; i++) {
        if (met_decimal_parse("1234.5678", 9, &n->out) != MET_OK) {
            abort();
        }
    }
    bench_keep(n->out.bits[0]);
}

static void doubles(void *context, uint64_t count)
{
    numbers *n = context;
    double sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        sum += n->plain_price * n->plain_quantity;
        __asm__ volatile("" : "+x"(sum));
    }
    bench_keep((uint64_t)sum);
}

int main(void)
{
    numbers n = {.plain_price = 0.0123, .plain_quantity = 51234};

    if (met_decimal_parse("0.0123", 6, &n.price) != MET_OK
        || met_decimal_parse("51234", 5, &n.quantity) != MET_OK) {
        return 1;
    }
    bench_case("decimal: multiply and round to cents", multiply_and_round, &n,
               "double multiply-add", doubles, &n);
    bench_case("decimal: add", add, &n, "double multiply-add", doubles, &n);
    bench_case("decimal: parse", parse, &n, "double multiply-add", doubles,
               &n);
    return 0;
}
