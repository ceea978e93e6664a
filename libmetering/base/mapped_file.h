/* Files that are mapped and shared: superblock with magic, layout, byte order,
 * size, owner and checksum; blocks allocated before the first write, so a full
 * disk is an error and never a signal. */
#ifndef MET_BASE_MAPPED_FILE_H
#define MET_BASE_MAPPED_FILE_H

#include <stdint.h>

#include "base/fault_guard.h"
#include "base/platform.h"

#define MET__FILE_HEADER_SIZE 4096

/* On disk; native byte order, which the field byte_order proves. Never
 * changes after creation, so the checksum stays true. */
typedef struct met__file_header {
    char magic[8];
    uint32_t layout;     /* version of what follows */
    uint32_t byte_order; /* 0x01020304 */
    uint64_t file_size;  /* of the whole file at creation */
    uint8_t store_id[16];
    uint64_t boot_hash;   /* of the boot id at creation */
    uint64_t config_hash; /* of what the creator chose, 0 when not used */
    uint64_t parameters[8];
    uint64_t checksum;
} met__file_header;

typedef struct met__mapped_file {
    unsigned char *memory;
    uint64_t size;
    met__fault_watch *watch;
    int file;
    uint32_t is_new;
} met__mapped_file;

typedef struct met__mapped_spec {
    const char *magic; /* 8 characters */
    uint32_t layout;
    uint32_t reserved;
    uint64_t size; /* for a new file; whole, header included */
    uint8_t store_id[16];
    uint64_t config_hash;
    uint64_t parameters[8];
    /* NULL or: fill the new file's body before it becomes visible */
    met_error (*prepare)(void *context, unsigned char *memory, uint64_t size);
    void *context;
} met__mapped_spec;

/* Opens path, creating it (under a temporary name, then renamed in) when it is
 * missing and create is set. An existing file is checked: magic, layout, byte
 * order, checksum, size against the real size, store id.
 * MET_E_NOT_FOUND · MET_E_FOREIGN · MET_E_LAYOUT · MET_E_CORRUPT ·
 * MET_E_DISK_FULL · MET_E_IO · MET_E_NO_MEMORY; info names the path. */
met_error met__mapped_file_open(const met__platform *platform,
                                const char *path,
                                const met__mapped_spec *spec, int create,
                                met__mapped_file *file_out,
                                met_error_info *info);
/* As met__mapped_file_open with create; a file of this kind that was cut short
 * is taken away first, because nothing that is needed was in it. Its bytes from
 * the header to wipe_end, if that is beyond, become zeros, for those who have
 * it mapped still. MET_E_BUSY: somebody else is at it. */
met_error met__mapped_file_open_whole(const met__platform *platform,
                                      const char *path,
                                      const met__mapped_spec *spec,
                                      uint64_t wipe_end,
                                      met__mapped_file *file_out,
                                      met_error_info *info);
/* Takes the name of an open file away, unless it is another's by now: only who
 * holds its lock may. MET_E_BUSY · MET_E_IO */
met_error met__mapped_file_unlink(const met__platform *platform, int file,
                                  const char *path);
/* Grows the file to size (blocks first) and maps it anew; memory may move. */
met_error met__mapped_file_grow(const met__platform *platform,
                                met__mapped_file *file, uint64_t size);
/* MET_E_CORRUPT: it is shorter by now than what is mapped of it, and whoever
 * touches what is gone gets a signal; or somebody did, and it is_lost.
 * MET_E_IO */
met_error met__mapped_file_check(const met__platform *platform,
                                 const met__mapped_file *file);
/* Something that is mapped was gone when it was touched: what is written goes
 * nowhere, and what was read may have been zeros. Costs nothing. */
static inline int met__mapped_file_is_lost(const met__mapped_file *file)
{
    return met__fault_is_lost(file->watch);
}
void met__mapped_file_close(const met__platform *platform,
                            met__mapped_file *file);
/* In a child of a fork that does not have the descriptor any more. */
void met__mapped_file_forget(const met__platform *platform,
                             met__mapped_file *file);
const met__file_header *met__mapped_file_header(const met__mapped_file *file);
/* XXH3-64 of this boot's id. */
met_error met__boot_hash(const met__platform *platform, uint64_t *hash_out);

#endif
