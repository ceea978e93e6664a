/* Which shapes a subject has: SHAPE_OF[hash of the subject:8 number:8]. Who
 * asks for one subject need not look at the usage of all others.
 *
 * Shapes up to a number are in it. It is extended in batches, in the order of
 * its keys, which costs less than an entry with every new shape. */
#ifndef MET_METER_SUBJECT_INDEX_H
#define MET_METER_SUBJECT_INDEX_H

#include "meter/usage_scan.h"

/* Takes in the next shapes, shapes_max at most; *is_done_out: that were all.
 * MET_E_CORRUPT, and as a write. */
met_error met__subject_index_extend(met__txn *txn, size_t shapes_max,
                                    int *is_done_out);
/* The shapes of these subjects, and perhaps some of others whose hash is the
 * same; in the arena. *is_known_out = 0: nothing is in the index yet, or they
 * are more than shapes_max. MET_E_CORRUPT · MET_E_NO_MEMORY */
met_error met__subject_index_find(met__txn *txn, const met__text *subjects,
                                  size_t subject_count, size_t shapes_max,
                                  met__arena *arena, met__shape_set *set_out,
                                  int *is_known_out);
/* The same for many, one by one. First what is in the index, a set that names
 * none; known 0: nothing. Then each number of a subject, until visit fails.
 * MET_E_CORRUPT */
met_error met__subject_index_known(met__txn *txn, met__shape_set *set_out);
met_error met__subject_index_each(met__txn *txn, met__text subject,
                                  met_error (*visit)(void *context,
                                                     uint64_t number),
                                  void *context);
/* Whether these subjects have no shape at all, and so no usage. Asks for no
 * memory of its own. MET_E_CORRUPT */
met_error met__subject_index_is_empty(met__txn *txn,
                                      const met__text *subjects,
                                      size_t subject_count,
                                      int *is_empty_out);

#endif
