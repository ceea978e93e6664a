/* A counter that grows by one in every forked child. A handle remembers its
 * value at open and answers MET_E_FORKED when it has changed: about 1 ns,
 * where getpid() costs 250. */
#ifndef MET_BASE_FORK_GUARD_H
#define MET_BASE_FORK_GUARD_H

#include <stdint.h>

#include "metering/error.h"

/* Registers the pthread_atfork handler once; call at every open. */
met_error met__fork_guard_start(uint32_t *generation_out);
uint32_t met__fork_generation(void);

/* The one lock of the process: guards the registry of open stores. Held for a
 * moment, never on the request path; free in a forked child. */
void met__process_lock(void);
void met__process_unlock(void);

/* Child-side cleanup: file descriptors that the child of a fork must not keep
 * (slot locks) are registered here and closed in the child. Hold the process
 * lock from the open to the registration, and from forgetting to the close: a
 * fork waits for it, so no child keeps a descriptor that is not listed. At most
 * 1,024 at once: MET_E_LIMIT. */
met_error met__fork_close_in_child(int file);
void met__fork_forget(int file);

#endif
