/* Civil dates in UTC by integer arithmetic, RFC 3339, and adding durations.
 * In: nanoseconds since 1970. Out: dates, instants, texts; anything outside
 * 1970..2200 is an error. Source of the day count: H. Hinnant,
 * "chrono-Compatible Low-Level Date Algorithms". */
#include "base/calendar.h"

#include "base/check.h"

#define YEAR_MIN 1970
#define YEAR_MAX 2200

int64_t met__days_from_civil(int64_t year, int32_t month, int32_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;

    return era * 146097 + day_of_era - 719468;
}

void met__civil_from_days(int64_t days, met__civil *civil)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096)
                   / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;

    civil->day = (int32_t)(of_year - (153 * month + 2) / 5 + 1);
    civil->month = (int32_t)(month < 10 ? month + 3 : month - 9);
    civil->year = (int32_t)(year + era * 400 + (civil->month <= 2));
}

int32_t met__days_in_month(int32_t year, int32_t month)
{
    static const int32_t days[] = {31, 28, 31, 30, 31, 30,
                                   31, 31, 30, 31, 30, 31};

    if (month < 1 || month > 12) {
        return 0;
    }
    if (month == 2
        && (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))) {
        return 29;
    }
    return days[month - 1];
}

met_error met__civil_from_ns(int64_t utc_ns, met__civil *civil_out)
{
    MET__ASSERT(civil_out != NULL);
    if (utc_ns < 0 || utc_ns > MET__TIME_MAX) {
        return MET_E_INVALID;
    }
    int64_t rest = utc_ns % MET__DAY_NS;
    met__civil_from_days(utc_ns / MET__DAY_NS, civil_out);
    civil_out->hour = (int32_t)(rest / MET__HOUR_NS);
    civil_out->minute = (int32_t)(rest % MET__HOUR_NS / MET__MINUTE_NS);
    civil_out->second = (int32_t)(rest % MET__MINUTE_NS / MET__SECOND_NS);
    civil_out->nanosecond = (int32_t)(rest % MET__SECOND_NS);
    return MET_OK;
}

/* Whether there is such a day and time of day, within these years. */
static int is_real(const met__civil *civil, int32_t year_min, int32_t year_max)
{
    return civil->year >= year_min && civil->year <= year_max
           && civil->month >= 1 && civil->month <= 12 && civil->day >= 1
           && civil->day <= met__days_in_month(civil->year, civil->month)
           && civil->hour >= 0 && civil->hour <= 23 && civil->minute >= 0
           && civil->minute <= 59 && civil->second >= 0 && civil->second <= 59
           && civil->nanosecond >= 0 && civil->nanosecond <= 999999999;
}

static int64_t to_ns(const met__civil *civil)
{
    return met__days_from_civil(civil->year, civil->month, civil->day)
               * MET__DAY_NS
           + civil->hour * MET__HOUR_NS + civil->minute * MET__MINUTE_NS
           + civil->second * MET__SECOND_NS + civil->nanosecond;
}

met_error met__civil_to_ns(const met__civil *civil, int64_t *utc_ns_out)
{
    MET__ASSERT(civil != NULL && utc_ns_out != NULL);
    if (!is_real(civil, YEAR_MIN, YEAR_MAX)) {
        return MET_E_INVALID;
    }
    *utc_ns_out = to_ns(civil);
    return MET_OK;
}

/* --- RFC 3339 ------------------------------------------------------------- */
typedef struct cursor {
    const char *at;
    const char *end;
} cursor;

static int take(cursor *c, char wanted)
{
    if (c->at < c->end && *c->at == wanted) {
        c->at++;
        return 1;
    }
    return 0;
}

/* Exactly `count` digits. */
static int take_digits(cursor *c, int count, int32_t *value_out)
{
    int32_t value = 0;

    for (int i = 0; i < count; i++, c->at++) {
        if (c->at >= c->end || *c->at < '0' || *c->at > '9') {
            return 0;
        }
        value = value * 10 + (*c->at - '0');
    }
    *value_out = value;
    return 1;
}

/* Digits after the point; beyond the ninth they must be 0. */
static int take_fraction(cursor *c, int32_t *nanoseconds_out)
{
    int32_t value = 0;
    int count = 0;

    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++, count++) {
        if (count < 9) {
            value = value * 10 + (*c->at - '0');
        } else if (*c->at != '0') {
            return 0;
        }
    }
    for (int i = count; i < 9; i++) {
        value *= 10;
    }
    *nanoseconds_out = value;
    return count > 0;
}

static int take_offset(cursor *c, int64_t *offset_ns_out)
{
    int32_t hours;
    int32_t minutes;

    *offset_ns_out = 0;
    if (take(c, 'Z') || take(c, 'z')) {
        return 1;
    }
    int sign = take(c, '+') ? 1 : take(c, '-') ? -1 : 0;
    if (sign == 0 || !take_digits(c, 2, &hours) || !take(c, ':')
        || !take_digits(c, 2, &minutes) || hours > 23 || minutes > 59) {
        return 0;
    }
    *offset_ns_out = sign * (hours * MET__HOUR_NS + minutes * MET__MINUTE_NS);
    return 1;
}

met_error met__time_parse(met__text text, int64_t *utc_ns_out)
{
    cursor c = {text.data, text.data + text.size};
    met__civil civil = {0};
    int64_t offset_ns;

    MET__ASSERT(utc_ns_out != NULL);
    if (text.size == 0 || !take_digits(&c, 4, &civil.year) || !take(&c, '-')
        || !take_digits(&c, 2, &civil.month) || !take(&c, '-')
        || !take_digits(&c, 2, &civil.day) || !(take(&c, 'T') || take(&c, 't'))
        || !take_digits(&c, 2, &civil.hour) || !take(&c, ':')
        || !take_digits(&c, 2, &civil.minute) || !take(&c, ':')
        || !take_digits(&c, 2, &civil.second)
        || (take(&c, '.') && !take_fraction(&c, &civil.nanosecond))
        || !take_offset(&c, &offset_ns) || c.at != c.end) {
        return MET_E_INVALID;
    }
    /* The local year may lie one beyond the range that the instant is in. */
    if (!is_real(&civil, YEAR_MIN - 1, YEAR_MAX + 1)) {
        return MET_E_INVALID;
    }
    int64_t utc_ns = to_ns(&civil) - offset_ns;
    if (utc_ns < 0 || utc_ns > MET__TIME_MAX) {
        return MET_E_INVALID;
    }
    *utc_ns_out = utc_ns;
    return MET_OK;
}

static void put_pair(char *out, int32_t value)
{
    out[0] = (char)('0' + value / 10);
    out[1] = (char)('0' + value % 10);
}

met_error met__time_print(int64_t utc_ns, met__buffer *buffer)
{
    met__civil civil;
    met_error error = met__civil_from_ns(utc_ns, &civil);

    if (error != MET_OK) {
        return error;
    }
    char text[] = "0000-00-00T00:00:00"; /* a year has four digits */
    put_pair(text, civil.year / 100);
    put_pair(text + 2, civil.year % 100);
    put_pair(text + 5, civil.month);
    put_pair(text + 8, civil.day);
    put_pair(text + 11, civil.hour);
    put_pair(text + 14, civil.minute);
    put_pair(text + 17, civil.second);
    met__buffer_append(buffer, text, sizeof text - 1);
    if (civil.nanosecond != 0) {
        int digits = 9;
        int32_t fraction = civil.nanosecond;
        for (; fraction % 10 == 0; fraction /= 10) {
            digits--;
        }
        met__buffer_print(buffer, ".%0*d", digits, fraction);
    }
    met__buffer_byte(buffer, 'Z');
    return buffer->error;
}
