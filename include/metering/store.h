/* The store: one directory that any number of processes use at once.
 *
 * What a call promises:
 *  - Counted (met_recorder_add, met_gateway_complete returned MET_OK):
 *    survives the death of any or all processes, by any signal, at any
 *    instruction. A power cut before the next settlement may lose it; settling
 *    every second bounds that loss to a second.
 *  - Stored (every other call that changes something, and met_store_settle,
 *    returned MET_OK): survives a power cut, provided the disk honours flushes
 *    and writes sectors of 512 bytes whole.
 *  - Any error of a call that stores means "not stored": it may be repeated.
 *    Only MET_E_IO and MET_E_DISK_FULL of a commit mean "possibly stored".
 *  - The store is never corrupt after a crash and nothing is counted twice.
 * Not promised: disks that lie about flushes, repair of bit rot (it is
 * detected), network file systems, use from several pid namespaces. */
#ifndef METERING_STORE_H
#define METERING_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "metering/error.h"
#include "metering/export.h"
#include "metering/platform.h"
#include "metering/types.h"

MET_BEGIN_DECLS

enum {
    MET_STORE_CREATE = 1 /* make the store when there is none */
};

/* Zero means default for every field. */
typedef struct met_store_config {
    size_t struct_size;
    const met_platform *platform; /* copied; NULL: the library's own */
    uint64_t map_size_bytes;      /* address space; 0: 1 TiB */
    uint64_t flags;               /* MET_STORE_* */
} met_store_config;

/**
 * Open the store in a directory, or create it.
 *
 * Opening a directory that this process has open already gives the same store
 * with one more reference. A new store is built beside the directory and
 * renamed into place; an empty directory is taken, any other is refused. A
 * missing or emptied data file of an existing store is an error, never a new
 * store.
 *
 * @param path       directory, not necessarily NUL-terminated
 * @param path_size  bytes, 1 to 3,900
 * @param config     NULL for the defaults; platform and map size of a store
 *                   that is open already stay as they are
 * @param store_out  written only on MET_OK
 * @param info       optional
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND (no store there, and
 *         MET_STORE_CREATE not given) · MET_E_EXISTS (not empty, not a store)
 *         · MET_E_CORRUPT · MET_E_FOREIGN · MET_E_LAYOUT (made by a newer
 *         version) · MET_E_IO · MET_E_DISK_FULL · MET_E_NO_MEMORY ·
 *         MET_E_UNSUPPORTED · MET_E_BUSY
 * @owner close with met_store_close      @blocks on the disk
 * @thread any      @fork open after the fork, in the process that uses it
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_store_open(const char *path,
                                               size_t path_size,
                                               const met_store_config *config,
                                               met_store **store_out,
                                               met_error_info *info);

/**
 * Give up one reference; the last one closes the store.
 *
 * @param store  may be NULL; no call on it may be running
 * @thread any      @fork in a forked child it does nothing: the store belongs
 * to the parent      @since 0.1
 */
MET_API void met_store_close(met_store *store);

/**
 * Copy the store while it is in use: a consistent moment of LMDB and META.
 *
 * Contains everything, also the secrets under which API keys are hashed; what
 * is counted and not yet settled is not in it, so settle first.
 *
 * @param store      open store
 * @param path       a directory that does not exist or is empty
 * @param path_size  bytes, 1 to 3,900
 * @param info       optional
 * @return MET_OK · MET_E_INVALID · MET_E_EXISTS · MET_E_FORKED · MET_E_IO ·
 *         MET_E_DISK_FULL · MET_E_NO_MEMORY
 * @blocks as long as copying takes      @thread any      @fork no
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_store_backup(met_store *store,
                                                 const char *path,
                                                 size_t path_size,
                                                 met_error_info *info);

/**
 * Read every record and verify its checksum.
 *
 * @param store       open store
 * @param report_out  JSON: records, damaged, first_damaged {table, key}, and
 *                    tables {name: records}; also filled on MET_E_CORRUPT
 * @param info        optional
 * @return MET_OK · MET_E_INVALID · MET_E_CORRUPT (something is damaged) ·
 *         MET_E_FORKED · MET_E_IO · MET_E_NO_MEMORY · MET_E_BUSY
 * @owner release the report with met_buffer_release
 * @blocks as long as reading everything takes      @thread any      @fork no
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_store_check(met_store *store,
                                                met_buffer *report_out,
                                                met_error_info *info);

/**
 * How the store is: sizes, readers, and whether billing is alive.
 *
 * @param store       open store
 * @param report_out  JSON: store_id, format, path, map_size_bytes,
 *                    used_bytes, readers, tables {name: records}, and recorder
 *                    {slots, slots_full_percent, oldest_unsettled_seconds,
 *                    blocked_by}
 * @param info        optional
 * @return MET_OK · MET_E_INVALID · MET_E_FORKED · MET_E_IO · MET_E_NO_MEMORY ·
 *         MET_E_BUSY · MET_E_CORRUPT
 * @owner release the report with met_buffer_release
 * @blocks briefly on the disk      @thread any      @fork no      @since 0.1
 */
MET_API MET_NODISCARD met_error met_store_stats(met_store *store,
                                                met_buffer *report_out,
                                                met_error_info *info);

MET_END_DECLS

#endif
