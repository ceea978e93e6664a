/* Answers one question a line: the calls of base, for the oracle in Python.
 *   add A B · subtract A B · multiply A B · divide A B PLACES MODE ·
 *   multiply_rounded A B PLACES MODE · round A PLACES MODE · compare A B ·
 *   divide_whole A B · parse TEXT · fixed A PLACES · scaled A PLACES MODE ·
 *   time TEXT · print NS · duration TEXT · add_duration NS TEXT COUNT ·
 *   period ANCHOR TEXT NS · divides TEXT TEXT
 * Answers "= RESULT" or "! ERROR". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/decimal.h"

static met__platform platform;

static met__text text_of(char **words, int at)
{
    return met__text_z(words[at]);
}

static met_error number(char **words, int at, met_decimal *out)
{
    return met__decimal_parse(text_of(words, at), out);
}

static uint32_t count_of(char **words, int at)
{
    return (uint32_t)strtoul(words[at], NULL, 10);
}

static void say_error(met_error error)
{
    printf("! %s\n", met_error_name(error));
}

static void say_decimal(met_error error, met_decimal value)
{
    met__buffer buffer;

    met__buffer_init(&buffer, &platform);
    if (error == MET_OK) {
        error = met__decimal_print(value, &buffer);
    }
    if (error == MET_OK) {
        printf("= %s\n", buffer.data);
    } else {
        say_error(error);
    }
    met__buffer_release(&buffer);
}

static int decimal_question(char **words)
{
    met_decimal a = met__decimal_zero();
    met_decimal b = met__decimal_zero();
    met_decimal out = met__decimal_zero();
    met_decimal rest = met__decimal_zero();
    int64_t scaled = 0;
    const char *what = words[0];
    met_error error = number(words, 1, &a);

    if (strcmp(what, "parse") == 0) {
        say_decimal(error, a);
        return 1;
    }
    if (strcmp(what, "round") == 0) {
        error = met__decimal_round(a, count_of(words, 2), count_of(words, 3),
                                   &out);
        say_decimal(error, out);
        return 1;
    }
    if (strcmp(what, "scaled") == 0) {
        error = met__decimal_to_scaled(a, count_of(words, 2),
                                       count_of(words, 3), &scaled);
        if (error == MET_OK) {
            printf("= %lld\n", (long long)scaled);
        } else {
            say_error(error);
        }
        return 1;
    }
    if (strcmp(what, "fixed") == 0) {
        met__buffer buffer;
        met__buffer_init(&buffer, &platform);
        error = met__decimal_print_fixed(a, count_of(words, 2), &buffer);
        if (error == MET_OK) {
            printf("= %s\n", buffer.data);
        } else {
            say_error(error);
        }
        met__buffer_release(&buffer);
        return 1;
    }
    if (words[2] == NULL || number(words, 2, &b) != MET_OK) {
        return 0;
    }
    if (strcmp(what, "add") == 0) {
        say_decimal(met__decimal_add(a, b, &out), out);
    } else if (strcmp(what, "subtract") == 0) {
        say_decimal(met__decimal_subtract(a, b, &out), out);
    } else if (strcmp(what, "multiply") == 0) {
        say_decimal(met__decimal_multiply(a, b, &out), out);
    } else if (strcmp(what, "compare") == 0) {
        printf("= %d\n", met__decimal_compare(a, b));
    } else if (strcmp(what, "divide_peer") == 0) {
        say_decimal(met__decimal_divide_peer(a, b, &out), out);
    } else if (strcmp(what, "divide_whole") == 0) {
        error = met__decimal_divide_whole(a, b, &out, &rest);
        if (error != MET_OK) {
            say_error(error);
            return 1;
        }
        say_decimal(MET_OK, out);
        say_decimal(MET_OK, rest);
    } else if (strcmp(what, "divide") == 0) {
        error = met__decimal_divide(a, b, count_of(words, 3),
                                    count_of(words, 4), &out);
        say_decimal(error, out);
    } else if (strcmp(what, "multiply_rounded") == 0) {
        error = met__decimal_multiply_rounded(a, b, count_of(words, 3),
                                              count_of(words, 4), &out);
        say_decimal(error, out);
    } else {
        return 0;
    }
    return 1;
}

static void say_number(met_error error, int64_t value)
{
    if (error == MET_OK) {
        printf("= %lld\n", (long long)value);
    } else {
        say_error(error);
    }
}

static int64_t ns_of(char **words, int at)
{
    return strtoll(words[at], NULL, 10);
}

static void say_buffer(met_error error, const met__buffer *buffer)
{
    if (error == MET_OK) {
        printf("= %s\n", buffer->data);
    } else {
        say_error(error);
    }
}

static int calendar_question(char **words)
{
    met__duration duration;
    met__duration other;
    met__buffer buffer;
    int64_t ns = 0;
    const char *what = words[0];
    met_error error;

    met__buffer_init(&buffer, &platform);
    if (strcmp(what, "time") == 0) {
        error = met__time_parse(text_of(words, 1), &ns);
        say_number(error, ns);
    } else if (strcmp(what, "print") == 0) {
        say_buffer(met__time_print(ns_of(words, 1), &buffer), &buffer);
    } else if (strcmp(what, "duration") == 0) {
        error = met__duration_parse(text_of(words, 1), &duration);
        if (error == MET_OK) {
            error = met__duration_print(&duration, &buffer);
        }
        say_buffer(error, &buffer);
    } else if (strcmp(what, "add_duration") == 0) {
        error = met__duration_parse(text_of(words, 2), &duration);
        if (error == MET_OK) {
            error = met__duration_add(ns_of(words, 1), &duration,
                                      ns_of(words, 3), &ns);
        }
        say_number(error, ns);
    } else if (strcmp(what, "period") == 0) {
        met__recurrence recurrence = {.anchor_ns = ns_of(words, 1)};
        met__period period = {0, 0};
        int64_t n = 0;
        error = met__duration_parse(text_of(words, 2), &recurrence.interval);
        if (error == MET_OK) {
            error = met__recurrence_period_at(&recurrence, ns_of(words, 3),
                                              &period, &n);
        }
        if (error == MET_OK) {
            printf("= %lld %lld %lld\n", (long long)period.from_ns,
                   (long long)period.to_ns, (long long)n);
        } else {
            say_error(error);
        }
    } else if (strcmp(what, "divides") == 0) {
        error = met__duration_parse(text_of(words, 1), &duration);
        if (error == MET_OK) {
            error = met__duration_parse(text_of(words, 2), &other);
        }
        say_number(error, error == MET_OK
                              ? met__duration_divides(&duration, &other)
                              : 0);
    } else {
        met__buffer_release(&buffer);
        return 0;
    }
    met__buffer_release(&buffer);
    return 1;
}

int main(void)
{
    char line[4096];

    if (met__platform_init(&platform, NULL, NULL) != MET_OK) {
        return 1;
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *words[8] = {NULL};
        int count = 0;
        line[strcspn(line, "\n")] = '\0';
        for (char *at = line; at != NULL && count < 8;) {
            words[count++] = at;
            at = strchr(at, ' ');
            if (at != NULL) {
                *at++ = '\0';
            }
        }
        if (count < 2
            || !(calendar_question(words) || decimal_question(words))) {
            fprintf(stderr, "no such question: %s\n", words[0]);
            return 1;
        }
    }
    return 0;
}
