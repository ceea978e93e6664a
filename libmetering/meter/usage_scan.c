/* Reading usage of every grain as one sequence. In: the three tables, and which
 * shapes are wanted. Out: items in order of the minutes in which they begin. */
#include "meter/usage_scan.h"

#include "base/check.h"

static const uint32_t grain_minutes[MET__GRAINS] = {1, MET__HOUR_MINUTES,
                                                    MET__DAY_MINUTES};

/* --- Leaving out ---------------------------------------------------------- */
#define FAR 12 /* records: stepping over more costs more than a leap */

/* The first number from this one on that is wanted; 0: none. */
static uint64_t wanted_from(const met__shape_set *only, uint64_t number)
{
    size_t low = 0;
    size_t high = only->count;

    if (number > only->known) {
        return number;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (only->numbers[middle] < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < only->count) {
        return only->numbers[low];
    }
    return only->has_later ? only->known + 1 : 0;
}

/* Of a record as it lies in the table; 0: it is too short to have one. */
static uint64_t shape_of(const met__grain_scan *scan, met__text key,
                         met__text value)
{
    uint64_t number = 0;

    if (scan->minutes > 1) {
        return key.size == MET__CELL_KEY_SIZE
                   ? met__get_u64((const unsigned char *)key.data + 4)
                   : 0;
    }
    if (value.size >= (MET__PART_SHAPE + 1) * sizeof number) {
        memcpy(&number, value.data + MET__PART_SHAPE * sizeof number,
               sizeof number);
    }
    return number;
}

static met_error leap(met__grain_scan *scan, int64_t minute, uint64_t number)
{
    unsigned char start[MET__CELL_KEY_SIZE];

    if (number == 0) {
        minute += scan->minutes;
        number = wanted_from(scan->only, 0);
    }
    if (number == 0 || minute >= scan->to) {
        return MET_E_NOT_FOUND;
    }
    met__put_u32(start, (uint32_t)minute);
    met__put_u64(start + 4, number);
    scan->is_far = 1;
    scan->number = 0;
    return met__scan_seek(&scan->scan, start, sizeof start);
}

/* Behind a cell that is not wanted: on to the next one that may be, by one
 * step, or by a leap when many records seem to lie between. After a leap comes
 * a step, which tells how close they lie. */
static met_error pass_over(met__grain_scan *scan, int64_t minute,
                           uint64_t number)
{
    uint64_t next = wanted_from(scan->only, number);
    uint64_t before = scan->number;
    int is_far = (int)scan->is_far;

    scan->is_far = 0;
    scan->number = number;
    if (before != 0 && number > before) {
        scan->spread += number - before - scan->spread / 8;
    }
    if (next == 0
        || (!is_far && (next - number) / FAR * 8 > scan->spread)) {
        return leap(scan, minute, next);
    }
    return MET_OK;
}

/* --- One table ------------------------------------------------------------ */
/* Goes back, or on, to the first item of a minute or later. */
static met_error seek_minute(met__grain_scan *scan, int64_t minute)
{
    unsigned char start[4];

    MET__ASSERT(minute >= 0 && minute <= UINT32_MAX);
    scan->is_far = 0;
    scan->number = 0;
    if (scan->only != NULL && scan->minutes > 1) {
        uint64_t first = wanted_from(scan->only, 0);
        if (first != 0 && minute < scan->to) {
            return leap(scan, minute, first);
        }
        minute = UINT32_MAX; /* nothing is wanted */
    }
    met__put_u32(start, (uint32_t)minute);
    return met__scan_seek(&scan->scan, start, sizeof start);
}

met_error met__grain_scan_begin(met__txn *txn, uint32_t minutes, int64_t from,
                                int64_t to, const met__shape_set *only,
                                met__grain_scan *scan_out)
{
    scan_out->only = only;
    scan_out->minutes = minutes;
    scan_out->to = to;
    scan_out->spread = 8;
    scan_out->looked_at = 0;
    met_error error = met__scan_begin(txn, met__usage_table(minutes), NULL, 0,
                                      &scan_out->scan);
    return error == MET_OK ? seek_minute(scan_out, from) : error;
}

met_error met__grain_scan_behind(met__grain_scan *scan,
                                 const met__usage_item *item)
{
    unsigned char key[MET__PART_KEY_SIZE + 1];
    size_t size = met__usage_item_key(item, key);

    key[size] = 0; /* keys of a table have one length: nothing is between */
    return met__scan_seek(&scan->scan, key, size + 1);
}

met_error met__grain_scan_next(met__grain_scan *scan,
                               met__usage_item *item_out)
{
    met__text key;
    met__text value;
    met_error error = MET_OK;

    while (error == MET_OK
           && (error = met__scan_next(&scan->scan, &key, &value)) == MET_OK) {
        int64_t minute = key.size >= 4 ? met__get_u32((const unsigned char *)
                                                          key.data)
                                       : 0;
        uint64_t number = scan->only != NULL ? shape_of(scan, key, value) : 0;
        scan->looked_at++;
        if (minute >= scan->to) {
            return MET_E_NOT_FOUND;
        }
        if (number == 0 || wanted_from(scan->only, number) == number) {
            scan->number = number;
            scan->is_far = 0;
            return met__usage_item_read(key, value, scan->minutes, item_out);
        }
        if (scan->minutes > 1) {
            error = pass_over(scan, minute, number);
        }
    }
    return error;
}

void met__grain_scan_end(met__grain_scan *scan)
{
    met__scan_end(&scan->scan);
}

/* --- All ------------------------------------------------------------------ */
static met_error load(met__usage_scan *scan, int grain)
{
    met_error error = met__grain_scan_next(&scan->grains[grain],
                                           &scan->heads[grain]);

    scan->has_head[grain] = error == MET_OK;
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__usage_scan_seek(met__usage_scan *scan, int64_t minute)
{
    met_error error = MET_OK;

    scan->given = -1;
    for (int i = 0; error == MET_OK && i < MET__GRAINS; i++) {
        error = seek_minute(&scan->grains[i],
                            minute - minute % grain_minutes[i]);
        if (error == MET_OK) {
            error = load(scan, i);
        }
    }
    return error;
}

met_error met__usage_scan_begin(met__txn *txn, int64_t from, int64_t to,
                                const met__shape_set *only,
                                met__usage_scan *scan_out)
{
    met_error error = MET_OK;

    for (int i = 0; i < MET__GRAINS; i++) {
        met_error begun = met__grain_scan_begin(txn, grain_minutes[i], from,
                                                to, only,
                                                &scan_out->grains[i]);
        error = error == MET_OK ? begun : error;
    }
    return error == MET_OK ? met__usage_scan_seek(scan_out, from) : error;
}

met_error met__usage_scan_next(met__usage_scan *scan,
                               const met__usage_item **item_out)
{
    int first = -1;
    met_error error = scan->given >= 0 ? load(scan, scan->given) : MET_OK;

    scan->given = -1;
    if (error != MET_OK) {
        return error;
    }
    for (int i = 0; i < MET__GRAINS; i++) {
        if (scan->has_head[i]
            && (first < 0
                || scan->heads[i].key.minute
                       < scan->heads[first].key.minute)) {
            first = i;
        }
    }
    if (first < 0) {
        return MET_E_NOT_FOUND;
    }
    scan->given = first;
    *item_out = &scan->heads[first];
    return MET_OK;
}

uint64_t met__usage_scan_looked_at(const met__usage_scan *scan)
{
    uint64_t count = 0;

    for (int i = 0; i < MET__GRAINS; i++) {
        count += scan->grains[i].looked_at;
    }
    return count;
}

void met__usage_scan_end(met__usage_scan *scan)
{
    for (int i = 0; i < MET__GRAINS; i++) {
        met__grain_scan_end(&scan->grains[i]);
    }
}
