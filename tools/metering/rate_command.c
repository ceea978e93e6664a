/* metering rate: what a price makes of quantities, without a store. In: a price
 * as YAML or JSON; quantities, or requests as NDJSON. Out: lines and totals, or
 * one total a line. */
#include "rate_curve.h"
#include "yaml.h"

#include <stdlib.h>
#include <string.h>

/* The price of a file. TOOL_OK or an exit status. */
static int read_price(const tool *self, const char *name, met_price **price_out)
{
    met_error_info info = {.struct_size = sizeof info};
    char *text = yaml_read_text(self, name);

    if (text == NULL) {
        return TOOL_FAILED;
    }
    met_error error = met_price_create(text, strlen(text), NULL, price_out,
                                       &info);
    free(text);
    return error == MET_OK ? TOOL_OK : tool_error(self, error, &info);
}

/* One line for each broken rule; a status of failure when there is one. */
static int check(const tool *self, const char *name)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    size_t index;
    json_t *issue;
    char *text = yaml_read_text(self, name);

    if (text == NULL) {
        return TOOL_FAILED;
    }
    met_error error =
        met_price_check(text, strlen(text), NULL, &answer, &info);
    free(text);
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    json_t *root = json_loadb(answer.data, answer.size, 0, NULL);
    json_t *issues = json_object_get(root, "issues");
    int status = json_array_size(issues) == 0 ? TOOL_OK : TOOL_FAILED;
    met_buffer_release(&answer);
    json_array_foreach(issues, index, issue) {
        if (self->is_json) {
            tool_print_line(self, json_incref(issue));
        } else {
            printf("%s: %s (%s)\n",
                   json_string_value(json_object_get(issue, "field")),
                   json_string_value(json_object_get(issue, "message")),
                   json_string_value(json_object_get(issue, "code")));
        }
    }
    json_decref(root);
    return status;
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

/* Quantities beside another price, a line each. */
static int compare(const tool *self, const rate_curve *curve)
{
    int status = TOOL_OK;

    for (int i = 1; status == TOOL_OK && i < self->argument_count; i++) {
        const char *text = self->arguments[i];
        met_decimal quantity, total, other;
        int order = 0;
        met_decimal zero = {{0}};
        if (met_decimal_parse(text, strlen(text), &quantity) != MET_OK
            || met_decimal_parse("0", 1, &zero) != MET_OK
            || met_decimal_compare(&quantity, &zero, &order) != MET_OK
            || order < 0) {
            return tool_fail(self, "quantity: \"%.40s\" is not a decimal from "
                                   "0 up", text);
        }
        status = rate_curve_totals(self, curve, &quantity, 1, &total, &other);
        if (status == TOOL_OK) {
            status = rate_curve_row(self, &quantity, &total, &other);
        }
    }
    return status;
}

/* What is asked of the prices. */
static int run(const tool *self, const rate_curve *curve)
{
    const char *file = tool_option(self, "requests", 0);
    int status = TOOL_OK;

    if (tool_flag(self, "plot")) {
        return rate_curve_plot(self, curve);
    }
    if (tool_flag(self, "sweep")) {
        return rate_curve_sweep(self, curve);
    }
    if (file != NULL) {
        requests asked = {curve->price, file};
        return tool_input_lines(self, file, &asked, rate_request);
    }
    if (curve->other != NULL) {
        return compare(self, curve);
    }
    for (int i = 1; status == TOOL_OK && i < self->argument_count; i++) {
        json_t *rated = rate_one(self, curve->price, self->arguments[i]);
        status = rated ? print_rated(self, rated, self->arguments[i])
                       : TOOL_FAILED;
        json_decref(rated);
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

    if (tool_flag(self, "check")) {
        return self->option_count == 1 && self->argument_count == 1
                   ? check(self, self->arguments[0])
                   : tool_usage(self, "--check goes alone");
    }
    if (is_sweep + (self->argument_count > 1) + (file != NULL) != 1) {
        return tool_usage(self, "give either quantities, --requests or "
                                "--sweep");
    }
    if (file != NULL && tool_option(self, "currency", 0) != NULL) {
        return tool_usage(self, "--currency: each of the requests has its own");
    }
    if (compared != NULL && file != NULL) {
        return tool_usage(self, "--compare goes with quantities or --sweep");
    }
    if (tool_flag(self, "plot") && (!is_sweep || self->is_json)) {
        return tool_usage(self, "--plot goes with --sweep, without --json");
    }
    int status = read_price(self, self->arguments[0], &price);
    if (status == TOOL_OK && compared != NULL) {
        status = read_price(self, compared, &other);
    }
    if (status == TOOL_OK) {
        rate_curve curve = {price, other};
        status = run(self, &curve);
    }
    met_price_destroy(other);
    met_price_destroy(price);
    return status;
}
