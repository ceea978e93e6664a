/* Files that are cut short while they are in use.
 *
 * Usage, windows and quotas are counted in mapped files. Whoever makes such a
 * file shorter (truncate, "> file", a copy that is put back over it) takes away
 * pages that other processes are about to touch, and the system sends SIGBUS to
 * whoever does. No library can prevent it: nobody but the system knows of it
 * before the page is touched. Unless told otherwise it ends the process, and
 * this library never changes what a signal does by itself.
 *
 * A host that wants to live on has two ways: its own handler of SIGBUS asks
 * met_fault_handle, or it calls met_fault_guard_install once. Then whoever
 * touches what is gone goes on with zeros, the call says that it has failed
 * (met_recorder_add: MET_E_IO; met_limiter_check and quotas: MET_E_CORRUPT;
 * a gateway: by its fail policy), and the next tick goes on with another file,
 * without a restart. What the cut took away is lost; met_store_stats says how
 * much at most.
 *
 * Covered are all files that this library maps itself. Not covered is the
 * database (data.mdb, lock.mdb): who cuts that takes the truth away. */
#ifndef METERING_FAULT_H
#define METERING_FAULT_H

#include "metering/error.h"
#include "metering/export.h"

MET_BEGIN_DECLS

/**
 * For the host's handler of SIGBUS: put zeros in the place of what was cut off
 * of a mapped file, so that the process can go on. errno stays as it is.
 *
 * @param address  si_addr of the signal
 * @return MET_OK (return from the handler: what was interrupted goes on) ·
 *         MET_E_NOT_FOUND (no file of this library is mapped there, or more
 *         than 4,096 of them are: do what was done before) · MET_E_NO_MEMORY
 *         (as MET_E_NOT_FOUND)
 * @alloc none      @blocks never
 * @thread any, also inside a handler of a signal      @fork any
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_fault_handle(const void *address);

/**
 * Install a handler of SIGBUS that calls met_fault_handle, for hosts that have
 * none of their own. What is not of this library goes to the handler that was
 * there before, or ends the process as it would have.
 *
 * It holds for the whole process and cannot be taken back. Called again it does
 * nothing: a handler that was installed since stays in front, and must hand on
 * what is not its own. It runs on the alternate stack of a thread that has one.
 *
 * @return MET_OK · MET_E_NO_MEMORY · MET_E_IO
 * @alloc none      @blocks never      @thread any
 * @fork any: a child has it too, until it executes another program
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_fault_guard_install(void);

MET_END_DECLS

#endif
