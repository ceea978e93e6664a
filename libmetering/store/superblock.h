/* META: the file beside LMDB that says which store this is. LMDB re-creates an
 * emptied data file without a word; this file makes that an error. */
#ifndef MET_STORE_SUPERBLOCK_H
#define MET_STORE_SUPERBLOCK_H

#include "base/check.h"
#include "base/hash.h"
#include "base/platform.h"
#include "metering/error.h"

#define MET__STORE_FORMAT 1u
#define MET__CREDENTIAL_KEY_SIZE 32

/* On disk, native byte order (proved by byte_order). */
typedef struct met__superblock {
    char magic[8]; /* "METSTORE" */
    uint32_t format;
    uint32_t byte_order;
    uint8_t store_id[16];
    met__secret secret;
    uint8_t credential_key[MET__CREDENTIAL_KEY_SIZE];
    uint32_t lmdb_version; /* major << 24 | minor << 16 | patch, at creation */
    uint32_t flags;        /* reserved, 0 */
    int64_t created_at_ns;
    uint64_t checksum; /* of everything before */
} met__superblock;

MET__STATIC_ASSERT(sizeof(met__superblock) == 280, superblock_size);

/* "path: what (reason of the operating system)", -errno as an error. */
met_error met__store_io_fail(met_error_info *info, const char *path,
                             const char *what, int64_t result);
/* Fresh identity and secrets. */
met_error met__superblock_create(const met__platform *platform,
                                 uint32_t lmdb_version,
                                 met__superblock *block_out);
/* path is the file; written, synced. */
/* Another key for API keys: no hash of the one before means anything. */
met_error met__superblock_change_key(const met__platform *platform,
                                     met__superblock *block);
met_error met__superblock_write(const met__platform *platform,
                                const char *path,
                                const met__superblock *block,
                                met_error_info *info);
/* MET_E_NOT_FOUND · MET_E_FOREIGN · MET_E_LAYOUT · MET_E_CORRUPT · MET_E_IO */
met_error met__superblock_read(const met__platform *platform,
                               const char *path, met__superblock *block_out,
                               met_error_info *info);

#endif
