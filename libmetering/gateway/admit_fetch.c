/* Memory that a request will read, asked for before it is needed: of one
 * consumer among many, and of a batch's next requests while the ones before
 * are decided. In: a snapshot. Out: nothing but warm caches. */
#include "gateway/admission.h"

/* Fewer consumers than this are in the processor's caches anyway. */
#define FETCH_FROM 512u
#define LINE 64u

static inline void fetch(const void *from, size_t size)
{
    const char *line = from;

    for (size_t at = 0; at < size; at += LINE) {
        met__prefetch(line + at);
    }
}

int met__admit_are_many(const met__snapshot *snapshot)
{
    return snapshot->count[MET__SECTION_CONSUMER] >= FETCH_FROM;
}

void met__admit_fetch_consumer(const met__snapshot *snapshot, uint32_t number)
{
    const met__snapshot_consumer *consumer =
        met__snapshot_consumer_at(snapshot, number);

    if (consumer != NULL) {
        fetch(consumer, sizeof *consumer);
    }
}

/* The request's consumer; NULL: nobody, or of a few. */
static const met__snapshot_consumer *one_of_many(
    const met__admission *admission)
{
    const met__snapshot *snapshot = admission->snapshot;

    return met__admit_are_many(snapshot)
               ? met__snapshot_consumer_at(snapshot, admission->consumer)
               : NULL;
}

void met__admit_fetch(const met__admission *admission)
{
    const met__snapshot *snapshot = admission->snapshot;
    const met__snapshot_consumer *consumer = one_of_many(admission);

    if (consumer == NULL) {
        return;
    }
    const met__snapshot_row *row =
        met__snapshot_row_at(snapshot, consumer->rows.first);
    const met__snapshot_scope *scope =
        met__snapshot_scope_at(snapshot, consumer->scopes.first);
    if (consumer->rows.count > 0 && row != NULL) {
        fetch(row, sizeof *row);
    }
    if (consumer->scopes.count > 0 && scope != NULL) {
        fetch(scope, sizeof *scope);
    }
    /* Texts of one consumer lie one behind the other, mostly. */
    fetch(met__snapshot_text(snapshot, consumer->id).data, LINE);
    fetch(met__snapshot_text(snapshot, consumer->subject).data, LINE);
    met__text headers = met__snapshot_text(snapshot, consumer->headers);
    fetch(headers.data, headers.size + LINE);
}

void met__admit_fetch_quota(const met__admission *admission)
{
    const met__snapshot *snapshot = admission->snapshot;
    const met__snapshot_consumer *consumer = one_of_many(admission);

    if (consumer == NULL) {
        return;
    }
    met__range rows = met__snapshot_range(snapshot, MET__SECTION_ROW,
                                          consumer->rows);
    for (uint32_t i = 0; i < rows.count && i < MET_GATEWAY_QUOTAS_MAX; i++) {
        met__quota_fetch(
            admission->gateway->quota,
            met__snapshot_row_at(snapshot, rows.first + i)->row.key);
    }
}
