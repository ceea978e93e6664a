/* Reading and writing META. In: a path. Out: the store's identity and secrets,
 * or why the file is not what it should be. */
#include "store/superblock.h"

#include <string.h>

#include "base/check.h"
#include "base/error.h"

#define MAGIC "METSTORE"
#define BYTE_ORDER_MARK 0x01020304u

static uint64_t checksum_of(const met__superblock *block)
{
    return met__checksum(block, offsetof(met__superblock, checksum));
}

met_error met__superblock_create(const met__platform *platform,
                                 uint32_t lmdb_version,
                                 met__superblock *block_out)
{
    const met__os *os = platform->os;
    met__superblock block;

    MET__ASSERT(block_out != NULL);
    memset(&block, 0, sizeof block);
    memcpy(block.magic, MAGIC, sizeof block.magic);
    block.format = MET__STORE_FORMAT;
    block.byte_order = BYTE_ORDER_MARK;
    block.lmdb_version = lmdb_version;
    block.created_at_ns = met__now_utc_ns(platform);
    int result = os->random(os->context, block.store_id,
                            sizeof block.store_id);
    if (result >= 0) {
        result = os->random(os->context, block.credential_key,
                            sizeof block.credential_key);
    }
    if (result < 0) {
        return met__os_error(result);
    }
    met_error error = met__secret_create(platform, &block.secret);
    if (error != MET_OK) {
        return error;
    }
    block.checksum = checksum_of(&block);
    *block_out = block;
    return MET_OK;
}

met_error met__superblock_change_key(const met__platform *platform,
                                     met__superblock *block)
{
    int result = platform->os->random(platform->os->context,
                                      block->credential_key,
                                      sizeof block->credential_key);

    block->checksum = checksum_of(block);
    return result < 0 ? met__os_error(result) : MET_OK;
}

met_error met__store_io_fail(met_error_info *info, const char *path,
                             const char *what, int64_t result)
{
    met_error error = met__os_error(result);
    return met__fail(info, error, path, "%s (%s)", what,
                     strerror((int)-result));
}

met_error met__superblock_write(const met__platform *platform,
                                const char *path,
                                const met__superblock *block,
                                met_error_info *info)
{
    const met__os *os = platform->os;
    int file = os->open(os->context, path, MET__OS_CREATE | MET__OS_EXCLUSIVE);

    if (file < 0) {
        return met__store_io_fail(info, path, "cannot be created", file);
    }
    int64_t result = os->allocate(os->context, file, sizeof *block);
    if (result >= 0) {
        result = os->write_at(os->context, file, block, sizeof *block, 0);
    }
    if (result >= 0) {
        result = os->sync(os->context, file);
    }
    int closed = os->close(os->context, file);
    if (result >= 0) {
        result = closed;
    }
    return result < 0
               ? met__store_io_fail(info, path, "cannot be written", result)
               : MET_OK;
}

/* The order of these tests is part of the format: what a newer version keeps
 * for ever are magic, byte order and format, in their places. */
static met_error check(const met__superblock *block, int64_t got,
                       const char *path, met_error_info *info)
{
    if (got >= (int64_t)sizeof block->magic
        && memcmp(block->magic, MAGIC, sizeof block->magic) != 0) {
        return met__fail(info, MET_E_FOREIGN, path,
                         "is not the META file of a store");
    }
    if (got < (int64_t)offsetof(met__superblock, store_id)) {
        return met__fail(info, MET_E_CORRUPT, path, "is cut short at %lld",
                         (long long)got);
    }
    if (block->byte_order != BYTE_ORDER_MARK) {
        return met__fail(info, MET_E_LAYOUT, path, "has another byte order");
    }
    if (block->format != MET__STORE_FORMAT) {
        return met__fail(info, MET_E_LAYOUT, path, "has format %u, this "
                         "version knows %u", block->format,
                         MET__STORE_FORMAT);
    }
    if (got != (int64_t)sizeof *block) {
        return met__fail(info, MET_E_CORRUPT, path, "has not %zu bytes",
                         sizeof *block);
    }
    if (block->checksum != checksum_of(block)) {
        return met__fail(info, MET_E_CORRUPT, path, "has a wrong checksum");
    }
    return MET_OK;
}

met_error met__superblock_read(const met__platform *platform,
                               const char *path, met__superblock *block_out,
                               met_error_info *info)
{
    const met__os *os = platform->os;
    struct {
        met__superblock block;
        char more; /* a longer file is not ours either */
    } found;
    int file = os->open(os->context, path, MET__OS_READ);

    MET__ASSERT(block_out != NULL);
    if (file < 0) {
        return met__store_io_fail(info, path, "cannot be opened", file);
    }
    int64_t got = os->read_at(os->context, file, &found,
                              sizeof found.block + 1, 0);
    os->close(os->context, file);
    if (got < 0) {
        return met__store_io_fail(info, path, "cannot be read", got);
    }
    met_error error = check(&found.block, got, path, info);
    if (error == MET_OK) {
        *block_out = found.block;
    }
    return error;
}
