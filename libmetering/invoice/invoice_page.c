/* Pieces of a page: text escaped, figures, times. In: texts of anybody. Out:
 * HTML in which they are only text. */
#include "invoice/invoice_page.h"

#include "base/calendar.h"

#define REPLACEMENT "\xef\xbf\xbd"

void met__page_raw(met__buffer *page, const char *markup)
{
    met__buffer_text(page, markup);
}

met__text met__page_piece(const met__buffer *piece)
{
    return met__text_of(piece->size > 0 ? piece->data : "", piece->size);
}

void met__page_release(met__buffer *page, met__buffer *piece)
{
    if (page->error == MET_OK) {
        page->error = piece->error;
    }
    met__buffer_release(piece);
}

static const char *escape_of(char byte)
{
    switch (byte) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void met__page_text(met__buffer *page, met__text text)
{
    while (text.size > 0) {
        size_t size = met__view_character(text);
        const char *escape = size == 1 ? escape_of(text.data[0]) : NULL;
        if (escape != NULL) {
            met__buffer_text(page, escape);
        } else if (met__view_is_harmful(text.data, size)) {
            met__buffer_text(page, REPLACEMENT);
        } else {
            met__buffer_append(page, text.data, size);
        }
        text = met__text_of(text.data + size, text.size - size);
    }
}

void met__page_name(met__buffer *page, met__text text)
{
    met__page_raw(page, "<bdi>");
    met__page_text(page, text);
    met__page_raw(page, "</bdi>");
}

void met__page_number(met__buffer *page, met__text number)
{
    met__buffer figure;

    if (number.size > 1 && number.data[0] == '-' && number.data[1] >= '0'
        && number.data[1] <= '9') {
        met__page_raw(page, "\xe2\x88\x92");
        number = met__text_of(number.data + 1, number.size - 1);
    }
    met__buffer_init(&figure, page->platform);
    met__view_number(&figure, number);
    met__page_text(page, met__page_piece(&figure));
    met__page_release(page, &figure);
}

/* --- Times ---------------------------------------------------------------- */
static const char *const months[] = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};

static void print_day(met__buffer *page, const met__civil *at)
{
    met__buffer_print(page, "%d %s %d", (int)at->day, months[at->month - 1],
                      (int)at->year);
}

static void print_clock(met__buffer *page, const met__civil *at)
{
    met__buffer_print(page, ", %02d:%02d", (int)at->hour, (int)at->minute);
    if (at->second != 0 || at->nanosecond != 0) {
        met__buffer_print(page, ":%02d", (int)at->second);
    }
    met__page_raw(page, " UTC");
}

static int read_time(met__text text, int64_t *ns, met__civil *at)
{
    return met__time_parse(text, ns) == MET_OK
           && met__civil_from_ns(*ns, at) == MET_OK;
}

void met__page_day(met__buffer *page, met__text time)
{
    met__civil at;
    int64_t ns;

    if (read_time(time, &ns, &at)) {
        print_day(page, &at);
    } else {
        met__page_text(page, time);
    }
}

/* Where one end of a period is inside a day both say when. */
static void print_ends(met__buffer *page, met__text from, met__text to)
{
    const met__text ends[2] = {from, to};
    met__civil at[2];
    int64_t ns[2];
    int is_time[2];
    int is_inside = 0;

    for (int i = 0; i < 2; i++) {
        is_time[i] = read_time(ends[i], &ns[i], &at[i]);
        is_inside |= is_time[i] && ns[i] % MET__DAY_NS != 0;
    }
    for (int i = 0; i < 2; i++) {
        met__page_raw(page, i == 0 ? "" : " \xe2\x80\x93 ");
        met__page_day(page, ends[i]);
        if (is_time[i] && is_inside) {
            print_clock(page, &at[i]);
        }
    }
}

void met__page_period(met__buffer *page, const met__node *period)
{
    met__text from = met__view_text(period, "from");
    met__text to = met__view_text(period, "to");
    met__civil first;
    met__civil last;
    int64_t from_ns;
    int64_t to_ns;

    if (from.size == 0 || to.size == 0) {
        return;
    }
    if (!read_time(from, &from_ns, &first) || !read_time(to, &to_ns, &last)
        || from_ns % MET__DAY_NS != 0 || to_ns % MET__DAY_NS != 0
        || from_ns >= to_ns) {
        print_ends(page, from, to);
        return;
    }
    /* Whole days: the last one is in it. */
    (void)met__civil_from_ns(to_ns - MET__DAY_NS, &last);
    if (first.year != last.year) {
        print_day(page, &first);
    } else if (first.month != last.month) {
        met__buffer_print(page, "%d %s", (int)first.day,
                          months[first.month - 1]);
    } else if (first.day != last.day) {
        met__buffer_print(page, "%d", (int)first.day);
    }
    if (from_ns + MET__DAY_NS < to_ns) {
        met__page_raw(page, " \xe2\x80\x93 ");
    }
    print_day(page, &last);
}
