/* fault.h: pages that are gone. */
#include "metering/fault.h"

#include "base/fault_guard.h"

met_error met_fault_handle(const void *address)
{
    return met__fault_cover(address);
}

met_error met_fault_guard_install(void)
{
    return met__fault_guard_install();
}
