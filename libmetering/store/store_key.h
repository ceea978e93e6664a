/* Every table and key layout, on one page. Integers in keys are big-endian.
 * Texts at the end of a key stand as they are; texts before the end are
 * followed by a 0 byte (no text in a key may contain one).
 *
 * Hot tables are written in key order: time first.
 *
 *   META       name                                 schema, counters, sequences
 *   METER      key                                  meter document
 *   PLAN_REC   number:4                             recording plan (compiled)
 *   SHAPE      number:8                             shape: type, subject, pairs
 *   SHAPE_ID   hash:16                              -> shape number
 *   SHAPE_OF   hash of a subject:8 shape:8          index, empty value
 *   PART       minute:4 generation:8 epoch:4 cell:4 usage part of one cell
 *   HOUR       minute:4 shape:8                     usage of an hour, of parts
 *                                                   that can never change
 *   DAY        minute:4 shape:8                     the same of a day
 *   SETTLED    generation:8                         settled epoch, retired mark
 *   FEATURE    key                                  feature document
 *   PLAN       key 0 version:4                      plan version document
 *   CUSTOMER   key                                  customer document
 *   SUBJECT    subject key                          -> customer key
 *   SUBSCRIPTION       id                           subscription document
 *   SUBSCRIPTION_OF    customer key 0 id            index, empty value
 *   INVOICE    id                                   invoice document
 *   INVOICE_OF customer key 0 period from:8 id      index, empty value
 *   INVOICE_NUMBER     number text                  -> id
 *   BOOKED     subscription id 0 rate card key 0 from:8   lines booked so far
 *              subscription id 0                    until when all is billed
 *   BILLING    "profile" | "profile" 0 customer key     how to bill
 *              "credit" 0 invoice id 0 note id      -> what was credited
 *              "run"                                the billing run under way
 *   INVOICE_DUE        time:8 invoice id            its next automatic step
 *   GATEWAY    kind 0 name                          service, route, consumer, …
 *   CREDENTIAL keyed hash:32                        -> consumer name
 *   BALANCE    subscription id 0 feature key 0 from:8   settled usage of one
 *                                                   usage period
 *   EVENT_BATCH        number:8                     hashes of the ids that one
 *                                                   ingest transaction took
 *   EVENT      time:8 batch:8 index:4               raw event, when retained
 *   CURSOR     source's name                        how far it was ingested
 *   ADJUSTMENT id                                   correction of usage
 *   NOTICE_RULE        key                          rule of notices
 *   NOTICE     id                                   notice not acknowledged yet
 *   NOTICE_TOLD        id of subscription or entitlement 0 feature key
 *                                                   what was told last
 *   NOTICE_DUE         at:8 the same                when a usage period begins
 *                                                   -> customer key
 *   ENTITLED   customer id 0 feature key 0 kind:1 id    grant (g), entitlement
 *                                                   that stands alone (e);
 *                                                   reset (r), id is at:8
 *   ENTITLED_ID        id                           -> key in ENTITLED
 *   BURN_STATE customer id 0 feature key 0 at:8     what grants have left
 *   DUE        at:8 customer key                    when its quota cells change
 *                                                   by themselves, empty value
 *   AUDIT      number:8                             who renamed or erased whom
 *   CHANGED    hash of a subject:8 day:4            late usage: -> number:8 of
 *                                                   the moment before it
 */
#ifndef MET_STORE_STORE_KEY_H
#define MET_STORE_STORE_KEY_H

#include <stdint.h>

/* name, LMDB name. Append only: the order is not stored, the names are. */
#define MET__TABLE_MAP(X)                         \
    X(MET__TABLE_META, "meta")                    \
    X(MET__TABLE_METER, "meter")                  \
    X(MET__TABLE_PLAN_REC, "recording_plan")      \
    X(MET__TABLE_SHAPE, "shape")                  \
    X(MET__TABLE_SHAPE_ID, "shape_id")            \
    X(MET__TABLE_PART, "part")                    \
    X(MET__TABLE_SETTLED, "settled")              \
    X(MET__TABLE_FEATURE, "feature")              \
    X(MET__TABLE_PLAN, "plan")                    \
    X(MET__TABLE_CUSTOMER, "customer")            \
    X(MET__TABLE_SUBJECT, "subject")              \
    X(MET__TABLE_SUBSCRIPTION, "subscription")    \
    X(MET__TABLE_SUBSCRIPTION_OF, "subscription_of") \
    X(MET__TABLE_INVOICE, "invoice")              \
    X(MET__TABLE_INVOICE_OF, "invoice_of")        \
    X(MET__TABLE_INVOICE_NUMBER, "invoice_number") \
    X(MET__TABLE_BOOKED, "booked")                \
    X(MET__TABLE_GATEWAY, "gateway")              \
    X(MET__TABLE_CREDENTIAL, "credential")        \
    X(MET__TABLE_BALANCE, "balance")              \
    X(MET__TABLE_EVENT_BATCH, "event_batch")      \
    X(MET__TABLE_EVENT, "event")                  \
    X(MET__TABLE_CURSOR, "cursor")                \
    X(MET__TABLE_ADJUSTMENT, "adjustment")        \
    X(MET__TABLE_HOUR, "hour")                    \
    X(MET__TABLE_DAY, "day")                      \
    X(MET__TABLE_SHAPE_OF, "shape_of")            \
    X(MET__TABLE_NOTICE_RULE, "notice_rule")      \
    X(MET__TABLE_NOTICE, "notice")                \
    X(MET__TABLE_NOTICE_TOLD, "notice_told")      \
    X(MET__TABLE_NOTICE_DUE, "notice_due")        \
    X(MET__TABLE_ENTITLED, "entitled")            \
    X(MET__TABLE_ENTITLED_ID, "entitled_id")      \
    X(MET__TABLE_BURN_STATE, "burn_state")        \
    X(MET__TABLE_DUE, "due")                      \
    X(MET__TABLE_BILLING, "billing")              \
    X(MET__TABLE_INVOICE_DUE, "invoice_due")      \
    X(MET__TABLE_AUDIT, "audit")                  \
    X(MET__TABLE_CHANGED, "changed")             
/* Tables that stores made by earlier builds do not have: opening adds them. */
#define MET__TABLE_FIRST_ADDED MET__TABLE_EVENT_BATCH

typedef enum met__table {
#define MET__TABLE_ENUM(name, text) name,
    MET__TABLE_MAP(MET__TABLE_ENUM)
#undef MET__TABLE_ENUM
        MET__TABLE_COUNT
} met__table;

#endif
