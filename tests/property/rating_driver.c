/* Answers one question a line: the calls of rating, for the oracle in Python.
 *   P CARD                the card that is rated from now on (JSON)
 *   R CURRENCY Q BEFORE FLAGS BILLED WORD…     its lines; flags: first 1,
 *                         last 2, no minimum 4, converted apart 8, rounded at
 *                         the line 16 or total 32, mode * 64, a first tier
 *                         without usage is free 512, below 0 is refused 1024;
 *                         words: e:EVENTS:BEFORE, g:VALUE:QUANTITY, or a credit
 *   S CURRENCY Q…         a series of runs: cumulative quantities, each run
 *                         less what was booked; the minimum in the last
 *   T CURRENCY Q… / Q Q… / …  the same, each line on its own period: every run
 *                         has the quantities up to the end of all so far
 *   A CURRENCY FLAGS AMOUNT KEY WEIGHT…        shares
 *   F CURRENCY AMOUNT SERVICE FULL             prorated, nanoseconds
 *   M CURRENCY AMOUNT     rounded, and written for people
 * Lines: name~child~category~term~quantity~unit~amount~charges~discounts~
 * credits~total, each ended by ";", then the total; runs are ended by "/".
 * Answers "= RESULT" or "! ERROR". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rating/rating.h"

#define WORDS_MAX 512

static met__platform platform;
static met__arena card_memory;
static met__arena arena; /* of one question */
static met__price *price;
static met__discounts *discounts;
static met__unit_config *config;
static met__buffer out;

/* The first word that is no number is found by the answer ! BAD. */
static int is_bad;

static met_decimal number(const char *word)
{
    met_decimal value = met__decimal_zero();

    if (word == NULL
        || met__decimal_parse(met__text_z(word), &value) != MET_OK) {
        is_bad = 1;
    }
    return value;
}

static met__currency currency_of(const char *word)
{
    met__currency currency = {.places = 2};

    /* A digit: a custom currency of that many decimals, TOKENS. */
    if (word[0] >= '0' && word[0] <= '9') {
        currency = (met__currency){.code = MET__TEXT("TOKENS"),
                                   .places = (uint32_t)atoi(word),
                                   .is_custom = 1};
    } else if (met__currency_of(met__text_z(word), &currency) != MET_OK) {
        is_bad = 1;
    }
    return currency;
}

static met_error read_card(const char *json)
{
    met__node *node = NULL;
    met_error_info info = {.struct_size = sizeof info};

    met__arena_release(&card_memory);
    price = NULL;
    discounts = NULL;
    config = NULL;
    met_error error =
        met__json_parse(&card_memory, met__text_z(json), &node, &info);
    if (error == MET_OK) {
        error = met__price_read(met__node_get(node, "price"), NULL,
                                &card_memory, &price, &info);
    }
    if (error == MET_OK && met__node_get(node, "discounts") != NULL) {
        error = met__discounts_read(met__node_get(node, "discounts"), NULL,
                                    &card_memory, &discounts, &info);
    }
    if (error == MET_OK && met__node_get(node, "unit_config") != NULL) {
        error = met__unit_config_read(met__node_get(node, "unit_config"), NULL,
                                      &card_memory, &config, &info);
    }
    return error;
}

static void say(met_decimal value, char end)
{
    if (met__decimal_print(value, &out) != MET_OK) {
        is_bad = 1;
    }
    met__buffer_byte(&out, end);
}

static void say_lines(const met__line *lines, size_t count,
                      const met__totals *totals)
{
    for (size_t i = 0; i < count; i++) {
        const met__line *line = &lines[i];
        met__buffer_append(&out, line->name.data, line->name.size);
        met__buffer_byte(&out, '~');
        met__buffer_append(&out, line->child_id.data, line->child_id.size);
        met__buffer_print(&out, "~%u~%u~", line->category, line->term);
        say(line->quantity, '~');
        say(line->per_unit_amount, '~');
        say(line->totals.amount, '~');
        say(line->totals.charges_total, '~');
        say(line->totals.discounts_total, '~');
        say(line->totals.credits_total, '~');
        say(line->totals.total, ';');
    }
    say(totals->total, ' ');
}

static met__rate_input input_of(const char *currency, met_decimal quantity)
{
    return (met__rate_input){.name = MET__TEXT("L"),
                             .price = price,
                             .discounts = discounts,
                             .unit_config = config,
                             .currency = currency_of(currency),
                             .quantity = quantity,
                             .quantity_before = met__decimal_zero(),
                             .is_first = 1,
                             .is_last = 1,
                             .already_billed = met__decimal_zero()};
}

/* The second and third of FIRST:SECOND:THIRD. */
static void cut(char *word, char **second, char **third)
{
    *second = word + 2;
    *third = strchr(*second, ':');
    *(*third)++ = '\0';
}

static void set_policies(met__rate_policies *policies, int flags)
{
    policies->is_converted_apart = (flags & 8) != 0;
    policies->round_at = (unsigned)flags >> 4 & 3;
    policies->rounding = (unsigned)flags >> 6 & 7;
    policies->zero_usage = (unsigned)flags >> 9 & 1;
    policies->negative = (unsigned)flags >> 10 & 1;
}

static met_error ask_rate(char **words, int count)
{
    met_decimal credits[WORDS_MAX];
    met__rate_group groups[WORDS_MAX];
    char *second;
    char *third;
    met__rate_input input = input_of(words[1], number(words[2]));
    int flags = atoi(words[4]);
    met__rated *rated = NULL;

    input.quantity_before = number(words[3]);
    input.is_first = (flags & 1) != 0;
    input.is_last = (flags & 2) != 0;
    input.is_minimum_ignored = (flags & 4) != 0;
    set_policies(&input.policies, flags);
    input.groups = groups;
    input.already_billed = number(words[5]);
    for (int i = 6; i < count; i++) {
        if (words[i][0] == 'e') {
            cut(words[i], &second, &third);
            input.has_events = 1;
            input.events = number(second);
            input.events_before = number(third);
        } else if (words[i][0] == 'g') {
            cut(words[i], &second, &third);
            groups[input.group_count++] =
                (met__rate_group){met__text_z(second), number(third)};
        } else {
            credits[input.credit_count++] = number(words[i]);
        }
    }
    input.credits = credits;
    met_error error = met__rate(&input, &arena, &rated, NULL);
    if (error == MET_OK) {
        say_lines(rated->lines, rated->line_count, &rated->totals);
    }
    return error;
}

/* Every run's lines get an id and stay booked. */
static met_error ask_series(char **words, int count)
{
    met__line booked[4096];
    size_t booked_count = 0;
    met_error error = MET_OK;

    for (int run = 2; error == MET_OK && run < count; run++) {
        met__rate_input input = input_of(words[1], number(words[run]));
        met__rated *rated = NULL;
        input.is_minimum_ignored = run + 1 < count;
        error = met__rate(&input, &arena, &rated, NULL);
        if (error == MET_OK) {
            error = met__rate_delta(rated, booked, booked_count,
                                    &input.currency, &arena, &rated);
        }
        if (error != MET_OK) {
            break;
        }
        say_lines(rated->lines, rated->line_count, &rated->totals);
        met__buffer_byte(&out, '/');
        for (size_t i = 0; i < rated->line_count && booked_count < 4096; i++) {
            met__line *line = &booked[booked_count++];
            *line = rated->lines[i];
            line->id =
                met__text_z(met__arena_print(&arena, "%d.%zu", run - 2, i));
        }
    }
    return error;
}

/* Runs of a day each, as the quantities are known in the last of them. */
static size_t read_runs(char **words, int *at, int count,
                        met__rated_run *runs)
{
    const int64_t day = 24 * 3600 * INT64_C(1000000000);
    size_t run_count = 0;

    for (; *at < count && words[*at][0] != '/'; (*at)++) {
        runs[run_count] = (met__rated_run){
            .period = {(int64_t)run_count * day,
                       (int64_t)(run_count + 1) * day},
            .quantity = number(words[*at])};
        run_count++;
    }
    (*at)++;
    return run_count;
}

static met_error ask_by_period(char **words, int count)
{
    met__line booked[4096];
    met__rated_run runs[WORDS_MAX];
    size_t booked_count = 0;
    met_error error = MET_OK;
    met__rate_input input = input_of(words[1], met__decimal_zero());

    for (int at = 2, run = 0; error == MET_OK && at < count; run++) {
        met__rated *rated = NULL;
        size_t run_count = read_runs(words, &at, count, runs);
        input.is_minimum_ignored = at < count;
        error = met__rate_by_period(&input, runs, run_count, booked,
                                    booked_count, &arena, &rated, NULL);
        if (error != MET_OK) {
            break;
        }
        say_lines(rated->lines, rated->line_count, &rated->totals);
        met__buffer_byte(&out, '/');
        for (size_t i = 0; i < rated->line_count && booked_count < 4096; i++) {
            met__line *line = &booked[booked_count++];
            *line = rated->lines[i];
            line->id = met__text_z(met__arena_print(&arena, "%d.%zu", run, i));
        }
    }
    return error;
}

static met_error ask_shares(char **words, int count)
{
    met__share shares[WORDS_MAX];
    met__currency currency = currency_of(words[1]);
    size_t share_count = 0;

    for (int i = 4; i + 1 < count; i += 2) {
        shares[share_count].key = met__text_z(words[i]);
        shares[share_count++].weight = number(words[i + 1]);
    }
    met_error error = met__allocate_amount(&currency, number(words[3]),
                                           (unsigned)atoi(words[2]), shares,
                                           share_count, &arena, NULL);
    for (size_t i = 0; error == MET_OK && i < share_count; i++) {
        say(shares[i].amount, ' ');
    }
    return error;
}

static met_error ask_money(char **words)
{
    met__currency currency = currency_of(words[1]);
    met_decimal amount = number(words[2]);
    met_decimal rounded;
    met_error error = met__currency_round(&currency, amount, &rounded);

    if (words[0][0] == 'F') {
        error = met__prorate(amount, strtoll(words[3], NULL, 10),
                             strtoll(words[4], NULL, 10), &currency, &rounded);
    }
    if (error == MET_OK) {
        say(rounded, ' ');
    }
    if (error == MET_OK && words[0][0] == 'M') {
        error = met__currency_format(&currency, amount, &out);
    }
    return error;
}

static void answer(char *line)
{
    char *words[WORDS_MAX] = {0};
    int count = 0;
    met_error error = MET_E_BUG;

    is_bad = 0;
    out.size = 0;
    out.error = MET_OK;
    if (line[0] == 'P') {
        met_error read = read_card(line + 2);
        printf(read == MET_OK ? "=\n" : "! %s\n", met_error_name(read));
        return;
    }
    for (char *word = strtok(line, " "); word != NULL && count < WORDS_MAX;
         word = strtok(NULL, " ")) {
        words[count++] = word;
    }
    met__arena_init(&arena, &platform);
    if (count > 5 && words[0][0] == 'R') {
        error = ask_rate(words, count);
    } else if (count > 2 && words[0][0] == 'S') {
        error = ask_series(words, count);
    } else if (count > 2 && words[0][0] == 'T') {
        error = ask_by_period(words, count);
    } else if (count > 3 && words[0][0] == 'A') {
        error = ask_shares(words, count);
    } else if (count > 2 && strchr("FM", words[0][0]) != NULL) {
        error = ask_money(words);
    }
    if (is_bad) {
        printf("! BAD\n");
    } else if (error != MET_OK) {
        printf("! %s\n", met_error_name(error));
    } else {
        printf("= %.*s\n", (int)out.size, out.size ? out.data : "");
    }
    met__arena_release(&arena);
}

int main(void)
{
    static char line[1 << 20];

    if (met__platform_init(&platform, NULL, NULL) != MET_OK) {
        return 2;
    }
    met__arena_init(&card_memory, &platform);
    met__buffer_init(&out, &platform);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0') {
            answer(line);
        }
    }
    met__arena_release(&card_memory);
    met__buffer_release(&out);
    return 0;
}
