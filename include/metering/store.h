/* The store: one directory that any number of processes use at once.
 *
 * What a call promises:
 *  - Counted (met_recorder_add, met_gateway_complete returned MET_OK): no
 *    death of any or all processes, by any signal at any instruction, loses
 *    it. A power cut before the next settlement may; who settles every second
 *    loses at most a second. Even then the store is whole, and nothing is
 *    counted twice.
 *  - Stored (every other call that changes something, and met_store_settle,
 *    returned MET_OK): a power cut does not lose it either, provided the disk
 *    honours flushes and writes sectors of 512 bytes whole.
 *  - An error means "not stored": the call may be repeated. Only MET_E_IO and
 *    MET_E_DISK_FULL mean "possibly stored": look, or repeat with the same id
 *    or key, which counts once. After MET_E_IO of a call that stores, every
 *    call on the store answers MET_E_IO, because nobody can know what a disk
 *    holds that refused a flush: close all references and open it again.
 *    After MET_E_DISK_FULL the store works on when there is space (unless the
 *    disk refused to overwrite a page it had: then it is as MET_E_IO).
 *  - Windows of a limiter survive the end of all processes while the machine
 *    runs; after a reboot they begin empty.
 * Not promised: disks that lie about flushes, repair of bit rot (it is found:
 * met_store_check), network file systems, use from several pid namespaces. */
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

enum {
    /* Without the hashes of API keys, and the key they are made with. */
    MET_BACKUP_WITHOUT_SECRETS = 1
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
 * with one more reference. A new store is made under another name beside the
 * directory and renamed into place, so the directory must be missing or empty
 * and no mount point; of several processes that create it at once one wins and
 * all open the same. A missing, emptied or exchanged file of an existing store
 * is an error, never a new store. Readers of dead processes are cleared.
 *
 * @param path       directory, not necessarily NUL-terminated
 * @param path_size  bytes, 1 to 3,900
 * @param config     NULL for the defaults; platform and map size of a store
 *                   that is open already stay as they are
 * @param store_out  written only on MET_OK
 * @param info       optional; names the file and what is wrong with it
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND (no store there, and
 *         MET_STORE_CREATE not given) · MET_E_EXISTS (not empty, not a store)
 *         · MET_E_CORRUPT · MET_E_FOREIGN (of another store or program) ·
 *         MET_E_LAYOUT (made by a newer version) · MET_E_MAP_FULL (others use
 *         a larger map) · MET_E_IO · MET_E_DISK_FULL · MET_E_NO_MEMORY ·
 *         MET_E_UNSUPPORTED · MET_E_BUSY
 * @owner close with met_store_close      @alloc yes      @blocks on the disk
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
 * @alloc none      @blocks briefly      @thread any
 * @fork in a forked child it frees memory and leaves the files to the parent
 * @since 0.1
 */
MET_API void met_store_close(met_store *store);

/**
 * Copy the store while it is in use: one moment of all stored objects.
 *
 * The copy is a store of its own, with the same identity and the secrets under
 * which API keys are hashed: keep it as safe as the store. With
 * MET_BACKUP_WITHOUT_SECRETS nothing of any API key is in it: consumers have no
 * keys there, and keys that are given to it are hashed in another way. It is
 * written record by record, so it takes longer and is denser or less dense than
 * the store. What can be told of customers and their usage is in it all the
 * same, and so is the secret that only keeps others from choosing names whose
 * hashes collide. What is counted and
 * not yet settled is not in it, so settle first. It appears under its name
 * when it is complete and on stable storage.
 *
 * @param store      open store
 * @param path       a directory that does not exist or is empty
 * @param path_size  bytes, 1 to 3,900
 * @param flags      0 or MET_BACKUP_WITHOUT_SECRETS
 * @param info       optional
 * @return MET_OK · MET_E_INVALID · MET_E_EXISTS · MET_E_BUSY · MET_E_MAP_FULL ·
 *         MET_E_FORKED · MET_E_IO · MET_E_NOT_FOUND (no such parent) ·
 *         MET_E_DISK_FULL · MET_E_NO_MEMORY · MET_E_CORRUPT ·
 *         MET_E_UNSUPPORTED (an unknown flag)
 * @alloc yes      @blocks as long as copying takes; writers wait only briefly
 * @thread any      @fork no      @since 0.1
 */
MET_API MET_NODISCARD met_error met_store_backup(met_store *store,
                                                 const char *path,
                                                 size_t path_size,
                                                 uint64_t flags,
                                                 met_error_info *info);

/**
 * Read everything and verify it: every page of LMDB (without LMDB, which
 * trusts them), then the checksum of every record.
 *
 * @param store       open store
 * @param report_out  JSON: pages, records, damaged, tables {name: records},
 *                    and when something is damaged first_damaged {table, key
 *                    in hexadecimal} or {page, reason}; also filled on
 *                    MET_E_CORRUPT
 * @param info        optional
 * @return MET_OK · MET_E_INVALID · MET_E_CORRUPT (something is damaged) ·
 *         MET_E_FORKED · MET_E_IO · MET_E_DISK_FULL · MET_E_NO_MEMORY ·
 *         MET_E_BUSY · MET_E_MAP_FULL
 * @owner release the report with met_buffer_release      @alloc yes
 * @blocks as long as reading everything takes; pages that writers free in the
 *         meantime are used again only afterwards
 * @thread any      @fork no      @since 0.1
 */
MET_API MET_NODISCARD met_error met_store_check(met_store *store,
                                                met_buffer *report_out,
                                                met_error_info *info);

/**
 * How the store is: sizes, tables, who reads; and whether billing is alive:
 * the oldest usage that nobody has settled, and who holds settlement up.
 *
 * @param store       open store
 * @param report_out  JSON: store_id, path, format, schema, created_at,
 *                    map_size_bytes, used_bytes, transactions,
 *                    tables {name: records}, readers (how many are reading
 *                    now), and when there is one oldest_reader {process_id,
 *                    transactions_behind}, who keeps freed pages from use;
 *                    writer {process_id} when another process is changing the
 *                    store now: when it stays the same one, all writers wait
 *                    for it;
 *                    tally {slots, slots_live, slots_dead, slots_damaged,
 *                    cells_unsettled, cells_unreadable, oldest_unsettled?,
 *                    oldest_unsettled_seconds?, full_percent (of the fullest
 *                    recorder), overflowed, refused, files_lost (slot files
 *                    of recorders that live, cut short under them),
 *                    events_lost_most (what was not settled of them, at
 *                    most), held_up_by? [{slot, process_id, reason}]};
 *                    limiter {capacity, records_used, policies, inserted,
 *                    reclaimed, full_allowed, full_refused, undone, withheld,
 *                    contended, duplicates}, as met_limiter_stats: the
 *                    gateway's windows since the system was started, when
 *                    there are any
 * @param info        optional
 * @return MET_OK · MET_E_INVALID · MET_E_FORKED · MET_E_IO · MET_E_DISK_FULL ·
 *         MET_E_NO_MEMORY · MET_E_BUSY · MET_E_CORRUPT · MET_E_MAP_FULL
 * @owner release the report with met_buffer_release      @alloc yes
 * @blocks briefly on the disk      @thread any      @fork no      @since 0.1
 */
MET_API MET_NODISCARD met_error met_store_stats(met_store *store,
                                                met_buffer *report_out,
                                                met_error_info *info);

MET_END_DECLS

#endif
