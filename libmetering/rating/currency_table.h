/* The currencies of ISO 4217. */
#ifndef MET_RATING_CURRENCY_TABLE_H
#define MET_RATING_CURRENCY_TABLE_H

#include "base/bytes.h"

typedef struct met__currency_row {
    char code[4];
    uint8_t places;    /* minor unit; 0 where the standard has none */
    uint8_t has_comma; /* its people write 1.234,50 */
    char symbol[6];    /* only where it means this one currency to most */
} met__currency_row;

/* NULL: no such code. */
const met__currency_row *met__currency_find(met__text code);

#endif
