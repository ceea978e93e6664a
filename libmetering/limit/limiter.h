/* The limiter behind its public calls (arguments are checked by api). */
#ifndef MET_LIMIT_LIMITER_H
#define MET_LIMIT_LIMITER_H

#include "base/platform.h"
#include "metering/limiter.h"

/* Of a table's memory. A gateway's file has it in its name. */
#define MET__LIMIT_LAYOUT 3

/* Of a request's flags, beside the public ones: of an admitted request only the
 * times of the window that is reported are sure to be told. */
#define MET__LIMITER_REPORTED 0x80000000u
/* Nothing will be given back: the ticket may stay empty. */
#define MET__LIMITER_NO_TICKET 0x40000000u

/* config is complete (read through the growable-struct reader). */
met_error met__limiter_open(const met__platform *platform,
                            const met_limiter_config *config,
                            met_limiter **limiter_out, met_error_info *info);
void met__limiter_close(met_limiter *limiter);
/* MET_E_CORRUPT: its file was cut short. Every call answers so, too, once it
 * has met the damage: close it and open it anew. */
met_error met__limiter_check_file(const met_limiter *limiter);
met_error met__limiter_policy_set(met_limiter *limiter,
                                  const met_limiter_policy *policy,
                                  uint32_t *number_out, met_error_info *info);
met_error met__limiter_policy_remove(met_limiter *limiter, uint32_t number,
                                     met_error_info *info);
/* result_out->struct_size is ignored: all fields are written. */
met_error met__limiter_check(met_limiter *limiter,
                             const met_limiter_request *request,
                             met_limiter_result *result_out);
/* Where a key of a policy lies in this limiter's table: the same for all its
 * requests. Only limiter.c knows what it is; checks keep in it where they found
 * the key's records. */
typedef struct met__limiter_key {
    uint64_t words[19];
} met__limiter_key;
void met__limiter_key_of(const met_limiter *limiter,
                         const met_limiter_request *request,
                         met__limiter_key *key_out);
/* Asks for the memory that a check of the key will read: where its records are
 * said to be, then the records. */
void met__limiter_fetch(const met_limiter *limiter,
                        const met__limiter_key *key);
void met__limiter_fetch_records(met_limiter *limiter,
                                const met_limiter_request *request,
                                const met__limiter_key *key);
/* As met__limiter_check; key: of the request, or NULL. */
met_error met__limiter_check_key(met_limiter *limiter,
                                 const met_limiter_request *request,
                                 met__limiter_key *key,
                                 met_limiter_result *result_out);
/* What was found along the way: only limiter.c knows what it is. */
typedef struct met__limiter_room {
    uint64_t words[76];
} met__limiter_room;
/* 1: all windows of a policy have room for sure, and nothing is counted; 0:
 * nothing is known. key: of the request, or NULL. */
int met__limiter_has_room(met_limiter *limiter,
                          const met_limiter_request *request,
                          met__limiter_key *key,
                          met__limiter_room *room_out);
/* As met__limiter_check, soon after there was room for the same request but
 * for its flags. */
met_error met__limiter_check_room(met__limiter_room *room,
                                  const met_limiter_request *request,
                                  met_limiter_result *result_out);
/* batch and verdicts are checked. MET_E_NOT_FOUND, MET_E_CORRUPT: of some
 * requests, which are not allowed. */
met_error met__limiter_check_batch(met_limiter *limiter,
                                   const met_limiter_batch *batch,
                                   const met_limiter_verdicts *verdicts);
/* Whether there is such a policy now. MET_E_NOT_FOUND · MET_E_CORRUPT */
met_error met__limiter_knows(met_limiter *limiter, uint32_t policy);
met_error met__limiter_peek(met_limiter *limiter,
                            const met_limiter_request *request,
                            met_limiter_result *result_out);
/* Counts in any case. MET_E_BUSY: a crowd without end, nothing is counted. */
met_error met__limiter_charge(met_limiter *limiter,
                              const met_limiter_request *request,
                              met_limiter_result *result_out);
met_error met__limiter_refund(met_limiter *limiter,
                              met_limiter_ticket *ticket, uint64_t cost,
                              uint32_t *withheld_out);
met_error met__limiter_release(met_limiter *limiter,
                               met_limiter_ticket *ticket,
                               uint32_t *withheld_out);
met_error met__limiter_reset(met_limiter *limiter,
                             const met_limiter_request *request);
met_error met__limiter_stats(met_limiter *limiter,
                             met_limiter_stats *stats_out);
/* Counters of the table at a path, without its records, and without making or
 * changing it. MET_E_NOT_FOUND: there is none of this boot. */
met_error met__limiter_look(const met__platform *platform, const char *path,
                            met_limiter_stats *stats_out);
/* options: complete, styles set. */
met_error met__limiter_headers(const met_limiter_result *result,
                               const met_limiter_headers_options *options,
                               char *text_out, size_t text_size,
                               size_t *size_out);
/* identity: complete, prefixes set. */
met_error met__limiter_key_build(const met_limiter_identity *identity,
                                 char *key_out, size_t key_room,
                                 size_t *key_size_out, met_error_info *info);

#endif
