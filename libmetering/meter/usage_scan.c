/* Reading usage of every grain as one sequence. In: the three tables. Out:
 * items in order of the minutes in which they begin. */
#include "meter/usage_scan.h"

#include "base/check.h"

static const uint32_t grain_minutes[MET__GRAINS] = {1, MET__HOUR_MINUTES,
                                                    MET__DAY_MINUTES};

/* --- One table ------------------------------------------------------------ */
met_error met__grain_scan_seek(met__grain_scan *scan, int64_t minute)
{
    unsigned char start[4];

    MET__ASSERT(minute >= 0 && minute <= UINT32_MAX);
    met__put_u32(start, (uint32_t)minute);
    return met__scan_seek(&scan->scan, start, sizeof start);
}

met_error met__grain_scan_begin(met__txn *txn, uint32_t minutes, int64_t from,
                                int64_t to, met__grain_scan *scan_out)
{
    scan_out->minutes = minutes;
    scan_out->to = to;
    met_error error = met__scan_begin(txn, met__usage_table(minutes), NULL, 0,
                                      &scan_out->scan);
    return error == MET_OK ? met__grain_scan_seek(scan_out, from) : error;
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
    met_error error = met__scan_next(&scan->scan, &key, &value);

    if (error != MET_OK) {
        return error;
    }
    if (key.size >= 4
        && met__get_u32((const unsigned char *)key.data) >= scan->to) {
        return MET_E_NOT_FOUND;
    }
    return met__usage_item_read(key, value, scan->minutes, item_out);
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
        error = met__grain_scan_seek(&scan->grains[i],
                                     minute - minute % grain_minutes[i]);
        if (error == MET_OK) {
            error = load(scan, i);
        }
    }
    return error;
}

met_error met__usage_scan_begin(met__txn *txn, int64_t from, int64_t to,
                                met__usage_scan *scan_out)
{
    met_error error = MET_OK;

    for (int i = 0; i < MET__GRAINS; i++) {
        met_error begun = met__grain_scan_begin(txn, grain_minutes[i], from,
                                                to, &scan_out->grains[i]);
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

void met__usage_scan_end(met__usage_scan *scan)
{
    for (int i = 0; i < MET__GRAINS; i++) {
        met__grain_scan_end(&scan->grains[i]);
    }
}
