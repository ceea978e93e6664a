/* Assertions that stay on in release. A failed one is our bug, never the
 * caller's: the function answers MET_E_BUG and the host lives on. */
#ifndef MET_BASE_CHECK_H
#define MET_BASE_CHECK_H

#include "metering/error.h"

/* For functions that return met_error. */
#define MET__ASSERT(condition)      \
    do {                            \
        if (!(condition)) {         \
            return MET_E_BUG;       \
        }                           \
    } while (0)

/* For the rest: says what to answer instead. */
#define MET__ASSERT_OR(condition, answer) \
    do {                                  \
        if (!(condition)) {               \
            return answer;                \
        }                                 \
    } while (0)

#define MET__STATIC_ASSERT(condition, name) \
    _Static_assert(condition, #name)

#endif
