/* What the tests of base share: cmocka, a platform, texts of results. */
#ifndef TESTS_UNIT_BASE_SUPPORT_H
#define TESTS_UNIT_BASE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "support/faults.h"
#include "support/temp_directory.h"

static inline met_error_info empty_info(void)
{
    return (met_error_info){.struct_size = sizeof(met_error_info)};
}

#endif
