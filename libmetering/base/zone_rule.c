/* POSIX TZ rules with the extensions of RFC 9636 (hours -167 to 167). In: the
 * text and an instant. Out: seconds east of UTC. */
#include "base/zone_rule.h"

#include "base/calendar.h"

#define DAY_S 86400

typedef struct cursor {
    const char *at;
    const char *end;
} cursor;

static int peek(const cursor *c)
{
    return c->at < c->end ? *c->at : 0;
}

static int take(cursor *c, char wanted)
{
    if (peek(c) == wanted) {
        c->at++;
        return 1;
    }
    return 0;
}

static int is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* At least three letters, or anything in angle brackets. */
static int take_name(cursor *c)
{
    const char *start = c->at;

    if (take(c, '<')) {
        while (c->at < c->end && *c->at != '>') {
            c->at++;
        }
        return take(c, '>');
    }
    while (is_letter(peek(c))) {
        c->at++;
    }
    return c->at - start >= 3;
}

static int take_number(cursor *c, int32_t maximum, int32_t *out)
{
    const char *start = c->at;
    int32_t value = 0;

    for (; peek(c) >= '0' && peek(c) <= '9'; c->at++) {
        value = value * 10 + (*c->at - '0');
        if (value > maximum) {
            return 0;
        }
    }
    *out = value;
    return c->at > start;
}

#define OFFSET_HOURS_MAX 24 /* POSIX: 0 to 24 */
#define CLOCK_HOURS_MAX 167 /* the extension: of when clocks change */

/* [+-]hours[:minutes[:seconds]] */
static int take_clock(cursor *c, int32_t hours_max, int32_t *seconds_out)
{
    int32_t hours = 0;
    int32_t minutes = 0;
    int32_t seconds = 0;
    int sign = take(c, '-') ? -1 : (take(c, '+'), 1);

    if (!take_number(c, hours_max, &hours)
        || (take(c, ':')
            && (!take_number(c, 59, &minutes)
                || (take(c, ':') && !take_number(c, 59, &seconds))))) {
        return 0;
    }
    *seconds_out = sign * ((hours * 60 + minutes) * 60 + seconds);
    return 1;
}

static int take_day(cursor *c, met__zone_day *out)
{
    int is_good;

    *out = (met__zone_day){.second = 2 * 3600};
    if (take(c, 'M')) {
        out->kind = 'M';
        is_good = take_number(c, 12, &out->month) && out->month >= 1
                  && take(c, '.') && take_number(c, 5, &out->week)
                  && out->week >= 1 && take(c, '.')
                  && take_number(c, 6, &out->day);
    } else if (take(c, 'J')) {
        out->kind = 'J';
        is_good = take_number(c, 365, &out->day) && out->day >= 1;
    } else {
        out->kind = 'N';
        is_good = take_number(c, 365, &out->day);
    }
    return is_good
           && (!take(c, '/') || take_clock(c, CLOCK_HOURS_MAX, &out->second));
}

met_error met__zone_rule_read(met__text text, met__zone_rule *rule_out)
{
    cursor c = {text.data, text.data + text.size};
    met__zone_rule rule = {0};
    int32_t west;

    if (text.size == 0 || !take_name(&c)
        || !take_clock(&c, OFFSET_HOURS_MAX, &west)) {
        return MET_E_CORRUPT;
    }
    rule.standard = -west;
    if (c.at < c.end) {
        rule.has_saving = 1;
        rule.saving = rule.standard + 3600;
        if (!take_name(&c)) {
            return MET_E_CORRUPT;
        }
        if (peek(&c) != ',') {
            if (!take_clock(&c, OFFSET_HOURS_MAX, &west)) {
                return MET_E_CORRUPT;
            }
            rule.saving = -west;
        }
        if (!take(&c, ',') || !take_day(&c, &rule.begin) || !take(&c, ',')
            || !take_day(&c, &rule.end) || c.at != c.end) {
            return MET_E_CORRUPT;
        }
    }
    *rule_out = rule;
    return MET_OK;
}

/* Seconds since 1970 of a day of the year, as if its clock were UTC. */
static int64_t moment(const met__zone_day *rule, int32_t year)
{
    int64_t first = met__days_from_civil(year, 1, 1);
    int64_t day;

    if (rule->kind == 'N') {
        day = first + rule->day;
    } else if (rule->kind == 'J') {
        int is_behind_leap = met__days_in_month(year, 2) == 29
                             && rule->day >= 60;
        day = first + rule->day - 1 + is_behind_leap;
    } else {
        int64_t month = met__days_from_civil(year, rule->month, 1);
        int64_t weekday = ((month + 4) % 7 + 7) % 7; /* 0 is Sunday */
        int64_t of_month = (rule->day - weekday + 7) % 7
                           + (rule->week - 1) * 7;
        if (of_month >= met__days_in_month(year, rule->month)) {
            of_month -= 7;
        }
        day = month + of_month;
    }
    return day * DAY_S + rule->second;
}

int32_t met__zone_rule_offset_at(const met__zone_rule *rule, int64_t utc_s)
{
    met__civil civil = {0};
    int64_t local = utc_s + rule->standard;

    if (!rule->has_saving) {
        return rule->standard;
    }
    met__civil_from_days(local / DAY_S - (local % DAY_S < 0), &civil);
    /* A rule of the neighbouring years may reach into this one. */
    for (int32_t year = civil.year - 1; year <= civil.year + 1; year++) {
        int64_t begin = moment(&rule->begin, year) - rule->standard;
        int64_t end = moment(&rule->end, year) - rule->saving;
        if (begin > end) { /* the southern summer spans the new year */
            end = moment(&rule->end, year + 1) - rule->saving;
        }
        if (utc_s >= begin && utc_s < end) {
            return rule->saving;
        }
    }
    return rule->standard;
}
