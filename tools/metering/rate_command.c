/* metering rate: what a price makes of quantities, without a store. In: a price
 * as YAML or JSON; quantities, or requests as NDJSON. Out: lines and totals, or
 * one total a line. */
#include "tool.h"
#include "yaml.h"

#include <stdlib.h>
#include <string.h>

/* The price of a file. TOOL_OK or an exit status. */
static int read_price(const tool *self, const char *name, met_price **price_out)
{
    met_error_info info = {.struct_size = sizeof info};
    char reason[320];
    FILE *file = tool_input_open(self, name);

    if (file == NULL) {
        return TOOL_FAILED;
    }
    json_t *document = yaml_load(file, reason, sizeof reason);
    tool_input_close(file);
    if (document == NULL) {
        return tool_fail(self, "%s: %s", name, reason);
    }
    char *text = json_dumps(document, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(document);
    if (text == NULL) {
        return tool_fail(self, "out of memory");
    }
    met_error error = met_price_create(text, strlen(text), NULL, price_out,
                                       &info);
    free(text);
    return error == MET_OK ? TOOL_OK : tool_error(self, error, &info);
}

/* {"quantity", "currency"?} rated: the answer as a tree, or NULL. */
static json_t *rate_one(const tool *self, const met_price *price,
                        const char *quantity)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    json_t *input = json_pack("{s:s}", "quantity", quantity);
    const char *currency = tool_option(self, "currency", 0);

    if (input == NULL) {
        tool_fail(self, "a quantity is not valid UTF-8");
        return NULL;
    }
    if (currency != NULL) {
        json_object_set_new(input, "currency", json_string(currency));
    }
    char *text = json_dumps(input, JSON_COMPACT);
    json_decref(input);
    met_error error = text ? met_price_rate(price, text, strlen(text), &answer,
                                            &info)
                           : MET_E_NO_MEMORY;
    free(text);
    if (error != MET_OK) {
        tool_error(self, error, &info);
        return NULL;
    }
    json_t *root = json_loadb(answer.data, answer.size, 0, NULL);
    met_buffer_release(&answer);
    if (json_object_get(root, "unrated") != NULL) {
        tool_fail(self, "quantity: \"%s\" is below 0", quantity);
        json_decref(root);
        root = NULL;
    }
    return root;
}

static int print_rated(const tool *self, json_t *rated, const char *quantity)
{
    size_t index;
    json_t *line;
    json_t *totals = json_object_get(rated, "totals");
    const char *total = json_string_value(json_object_get(totals, "total"));
    const char *currency = json_string_value(json_object_get(rated,
                                                             "currency"));

    if (self->is_json) {
        return tool_print_line(self, json_incref(rated));
    }
    printf("%s -> %s %s\n", quantity, total ? total : "?",
           currency ? currency : "");
    json_array_foreach(json_object_get(rated, "lines"), index, line) {
        const char *name = json_string_value(json_object_get(line, "name"));
        const char *how = json_string_value(json_object_get(line,
                                                            "explanation"));
        const char *sum = json_string_value(
            json_object_get(json_object_get(line, "totals"), "total"));
        if (name != NULL && strncmp(name, ": ", 2) == 0) {
            name += 2; /* a price without a name */
        }
        printf("  %-36s %14s  %s\n", name && *name ? name : "-",
               sum ? sum : "?", how ? how : "");
    }
    return TOOL_OK;
}

typedef struct requests {
    const met_price *price;
    const char *file;
} requests;

/* One line of a file is what met_price_rate takes; its answer, one line too. */
static int rate_request(const tool *self, void *context, long long line,
                        json_t *object)
{
    const requests *asked = context;
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    char *text = json_dumps(object, JSON_COMPACT);

    if (text == NULL) {
        return tool_fail(self, "out of memory");
    }
    met_error error = met_price_rate(asked->price, text, strlen(text), &answer,
                                     &info);
    free(text);
    if (error != MET_OK) {
        return tool_fail(self, "%s line %lld: %s: %s: %s", asked->file, line,
                         met_error_name(error), info.field, info.reason);
    }
    int is_written = fwrite(answer.data, 1, answer.size, stdout) == answer.size
                     && putchar('\n') != EOF;
    met_buffer_release(&answer);
    return is_written ? TOOL_OK : tool_fail(self, "stdout: cannot be written");
}

/* "A..B" or "A..B:STEP", whole numbers. */
static int read_sweep(const tool *self, long long *from, long long *to,
                      long long *step)
{
    const char *text = tool_option(self, "sweep", 0);
    int used = 0;

    *step = 1;
    if (sscanf(text, "%lld..%lld%n", from, to, &used) == 2 && used > 0) {
        const char *rest = text + used;
        int more = 0;
        if (*rest == '\0'
            || (sscanf(rest, ":%lld%n", step, &more) == 1
                && rest[more] == '\0')) {
            if (*from >= 0 && *to >= *from && *step > 0
                && (*to - *from) / *step < 10000000) {
                return TOOL_OK;
            }
        }
    }
    return tool_usage(self, "--sweep: \"%s\" is not FROM..TO or "
                            "FROM..TO:STEP, whole numbers from 0 up, at most "
                            "10,000,000 of them", text);
}

enum { BLOCK = 256 };

/* The quantities of one block; how many. */
static size_t fill(met_decimal quantities[BLOCK], long long from, long long to,
                   long long step)
{
    size_t count = 0;

    for (; count < BLOCK && from <= to; from += step) {
        char text[32];
        int size = snprintf(text, sizeof text, "%lld", from);
        if (met_decimal_parse(text, (size_t)size, &quantities[count++])
            != MET_OK) {
            return 0; /* not for a whole number */
        }
    }
    return count;
}

/* "quantity  total", and with another price its total and what it is more. */
static int print_row(const tool *self, long long quantity,
                     const met_decimal *total, const met_decimal *other)
{
    char texts[3][MET_DECIMAL_TEXT_SIZE] = {"", "", ""};
    met_decimal more;

    if (met_decimal_format(total, texts[0], NULL) != MET_OK
        || (other != NULL
            && (met_decimal_format(other, texts[1], NULL) != MET_OK
                || met_decimal_subtract(other, total, &more) != MET_OK
                || met_decimal_format(&more, texts[2], NULL) != MET_OK))) {
        return tool_fail(self, "a total is too long");
    }
    if (self->is_json) {
        char number[32];
        snprintf(number, sizeof number, "%lld", quantity);
        json_t *row = json_pack("{s:s, s:s}", "quantity", number, "total",
                                texts[0]);
        if (row != NULL && other != NULL) {
            json_object_set_new(row, "compared", json_string(texts[1]));
            json_object_set_new(row, "difference", json_string(texts[2]));
        }
        return tool_print_line(self, row);
    }
    if (other != NULL) {
        printf("%lld\t%s\t%s\t%s\n", quantity, texts[0], texts[1], texts[2]);
    } else {
        printf("%lld\t%s\n", quantity, texts[0]);
    }
    return TOOL_OK;
}

/* One line a quantity; blocks of the flat batch call. other may be NULL. */
static int sweep(const tool *self, const met_price *price,
                 const met_price *other)
{
    met_error_info info = {.struct_size = sizeof info};
    met_decimal quantities[BLOCK], totals[BLOCK], others[BLOCK];
    long long from, to, step;
    int status = read_sweep(self, &from, &to, &step);

    while (status == TOOL_OK && from <= to) {
        size_t count = fill(quantities, from, to, step);
        met_error error = met_price_rate_batch(price, quantities, count,
                                               totals, &info);
        if (error == MET_OK && other != NULL) {
            error = met_price_rate_batch(other, quantities, count, others,
                                         &info);
        }
        if (error != MET_OK) {
            return tool_error(self, error, &info);
        }
        for (size_t i = 0; i < count && status == TOOL_OK; i++, from += step) {
            status = print_row(self, from, &totals[i],
                               other != NULL ? &others[i] : NULL);
        }
    }
    return status;
}

int command_rate(tool *self)
{
    met_price *price = NULL;
    met_price *other = NULL;
    int is_sweep = tool_flag(self, "sweep");
    const char *compared = tool_option(self, "compare", 0);

    const char *file = tool_option(self, "requests", 0);

    if (is_sweep + (self->argument_count > 1) + (file != NULL) != 1) {
        return tool_usage(self, "give either quantities, --requests or "
                                "--sweep");
    }
    if (file != NULL && tool_option(self, "currency", 0) != NULL) {
        return tool_usage(self, "--currency: each of the requests has its own");
    }
    if (compared != NULL && !is_sweep) {
        return tool_usage(self, "--compare goes with --sweep");
    }
    int status = read_price(self, self->arguments[0], &price);
    if (status == TOOL_OK && compared != NULL) {
        status = read_price(self, compared, &other);
    }
    if (status == TOOL_OK && is_sweep) {
        status = sweep(self, price, other);
    }
    if (status == TOOL_OK && file != NULL) {
        requests asked = {price, file};
        status = tool_input_lines(self, file, &asked, rate_request);
    }
    for (int i = 1; status == TOOL_OK && i < self->argument_count; i++) {
        json_t *rated = rate_one(self, price, self->arguments[i]);
        status = rated ? print_rated(self, rated, self->arguments[i])
                       : TOOL_FAILED;
        json_decref(rated);
    }
    met_price_destroy(other);
    met_price_destroy(price);
    return status;
}
