/* Names of members that most records have, each as a number below 128: one byte
 * where the name would be a dozen, and nothing to copy when it is read. */
#ifndef MET_STORE_RECORD_NAMES_H
#define MET_STORE_RECORD_NAMES_H

#include "base/bytes.h"

#define MET__RECORD_NAMES_MAX 128
#define MET__RECORD_NAME_SLOTS 512

/* Where a name's number is found. */
typedef struct met__record_names {
    uint8_t slots[MET__RECORD_NAME_SLOTS]; /* number + 1; 0: free */
} met__record_names;

void met__record_names_init(met__record_names *names);
/* -1: it is none of them, and written as a text. */
int met__record_name_number(const met__record_names *names, met__text name);
/* Of size 0: no name has this number. */
met__text met__record_name(uint64_t number);

#endif
