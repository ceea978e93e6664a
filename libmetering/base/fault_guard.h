/* Memory that is a file's, and what becomes of it when somebody cuts that file
 * short: who touches a page that is gone gets SIGBUS. Whoever handles that
 * signal puts pages of the process's own in their place, and the file is
 * remembered as lost, so that nobody goes on counting there. */
#ifndef MET_BASE_FAULT_GUARD_H
#define MET_BASE_FAULT_GUARD_H

#include <stdint.h>

#include "base/atomic.h"
#include "metering/error.h"

/* Mappings of a process that are known at once; a later one goes without. */
#define MET__FAULT_WATCHES 4096

/* One mapping. A sequence that is odd or has changed says that begin and end
 * do not belong together. */
typedef struct met__fault_watch {
    met__atomic_u64 sequence;
    met__atomic_u64 begin; /* 0: free */
    met__atomic_u64 end;
    met__atomic_u64 faults; /* pages that were gone when they were touched */
} met__fault_watch;

/* From right after the map to right before the unmap. NULL: too many. */
met__fault_watch *met__fault_watch_begin(const void *memory, uint64_t size);
void met__fault_watch_end(met__fault_watch *watch); /* may be NULL */

/* Whether something of it is not the file's any more. */
static inline int met__fault_is_lost(const met__fault_watch *watch)
{
    return watch != NULL && met__load_relaxed(&watch->faults) != 0;
}

/* Zero pages from the one with `address` to the end of its mapping: behind a
 * page that is gone all are. For handlers of signals: takes no lock, allocates
 * nothing, leaves errno alone. MET_E_NOT_FOUND · MET_E_NO_MEMORY */
met_error met__fault_cover(const void *address);
/* How often it did, in this process. */
uint64_t met__fault_count(void);

/* A handler of SIGBUS for the process, once, in front of the one there is.
 * MET_E_NO_MEMORY · MET_E_IO */
met_error met__fault_guard_install(void);

#endif
