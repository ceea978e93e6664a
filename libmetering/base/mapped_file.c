/* Mapped files with a superblock. A new file is made complete under a name of
 * its own and linked in, so that nobody ever sees half of one and two creators
 * end with the same file. What is read is checked before it is believed. */
#include "base/mapped_file.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/hash.h"

#define BYTE_ORDER_MARK 0x01020304u
#define PATH_SIZE_MAX 4096

MET__STATIC_ASSERT(sizeof(met__file_header) <= MET__FILE_HEADER_SIZE,
                   header_fits);

static uint64_t header_checksum(const met__file_header *header)
{
    return met__checksum(header, offsetof(met__file_header, checksum));
}

met_error met__boot_hash(const met__platform *platform, uint64_t *hash_out)
{
    char text[64] = {0};

    MET__ASSERT(platform != NULL && hash_out != NULL);
    int result = platform->os->boot_id(platform->os->context, text);
    if (result < 0) {
        return met__os_error(result);
    }
    *hash_out = met__checksum(text, strlen(text));
    return MET_OK;
}

static met_error io_fail(met_error_info *info, const char *path,
                         const char *what, int64_t result)
{
    return met__fail(info, met__os_error(result), path, "%s: %s", what,
                     strerror((int)-result));
}

static met_error fill_header(const met__platform *platform,
                             const met__mapped_spec *spec,
                             met__file_header *header)
{
    memcpy(header->magic, spec->magic, sizeof header->magic);
    header->layout = spec->layout;
    header->byte_order = BYTE_ORDER_MARK;
    header->file_size = spec->size;
    memcpy(header->store_id, spec->store_id, sizeof header->store_id);
    header->config_hash = spec->config_hash;
    memcpy(header->parameters, spec->parameters, sizeof header->parameters);
    met_error error = met__boot_hash(platform, &header->boot_hash);
    header->checksum = header_checksum(header);
    return error;
}

static met_error map_it(const met__platform *platform, int file, uint64_t size,
                        met__mapped_file *out, const char *path,
                        met_error_info *info)
{
    void *memory;
    int result = platform->os->map(platform->os->context, file, size, &memory);

    if (result < 0) {
        return io_fail(info, path, "cannot be mapped", result);
    }
    *out = (met__mapped_file){
        .memory = memory,
        .size = size,
        .watch = met__fault_watch_begin(memory, size),
        .file = file,
    };
    return MET_OK;
}

static void unmap(const met__platform *platform, const met__mapped_file *file)
{
    met__fault_watch_end(file->watch);
    platform->os->unmap(platform->os->context, file->memory, file->size);
}

/* A complete new file at `temporary`: blocks, body, then the header. */
static met_error build(const met__platform *platform, const char *temporary,
                       const char *path, const met__mapped_spec *spec,
                       met_error_info *info)
{
    const met__os *os = platform->os;
    met__mapped_file made = {0};
    met__file_header header = {0};
    int file = os->open(os->context, temporary,
                        MET__OS_CREATE | MET__OS_EXCLUSIVE);
    if (file < 0) {
        return io_fail(info, path, "cannot be created", file);
    }
    int result = os->allocate(os->context, file, spec->size);
    met_error error = result < 0
                          ? io_fail(info, path, "no room for it", result)
                          : map_it(platform, file, spec->size, &made, path,
                                   info);
    if (error == MET_OK) {
        error = fill_header(platform, spec, &header);
        if (error == MET_OK && spec->prepare != NULL) {
            error = spec->prepare(spec->context, made.memory, spec->size);
        }
        memcpy(made.memory, &header, sizeof header);
        int is_lost = met__mapped_file_is_lost(&made);
        unmap(platform, &made);
        error = error == MET_OK && is_lost ? MET_E_CORRUPT : error;
        /* Else a power cut could leave the name and a header of zeros. */
        if (error != MET_OK) {
            met__fail(info, error, path, "cannot be prepared");
        } else if ((result = os->sync(os->context, file)) < 0) {
            error = io_fail(info, path, "cannot be flushed", result);
        }
    }
    os->close(os->context, file);
    if (error != MET_OK) {
        os->unlink(os->context, temporary);
    }
    return error;
}

static met_error check_header(const met__platform *platform,
                              const met__mapped_file *file, const char *path,
                              const met__mapped_spec *spec,
                              met_error_info *info)
{
    met__file_header header;
    static const uint8_t none[sizeof header.store_id];

    /* One private copy: the file is shared, its bytes may change, and so may
     * its size: what is mapped is not touched. */
    int64_t got = platform->os->read_at(platform->os->context, file->file,
                                        &header, sizeof header, 0);
    if (got < 0) {
        return io_fail(info, path, "cannot be read", got);
    }
    if (got != (int64_t)sizeof header) {
        return met__fail(info, MET_E_CORRUPT, path, "is shorter than its "
                         "header");
    }
    if (memcmp(header.magic, spec->magic, sizeof header.magic) != 0) {
        return met__fail(info, MET_E_FOREIGN, path,
                         "is not a file of this kind");
    }
    if (header.byte_order != BYTE_ORDER_MARK) {
        return met__fail(info, MET_E_LAYOUT, path, "has another byte order");
    }
    if (header.checksum != header_checksum(&header)) {
        return met__fail(info, MET_E_CORRUPT, path, "offset 0: the header's "
                         "checksum is wrong");
    }
    if (header.layout != spec->layout) {
        return met__fail(info, MET_E_LAYOUT, path,
                         "has layout %u, this version knows %u",
                         header.layout, spec->layout);
    }
    if (memcmp(spec->store_id, none, sizeof none) != 0
        && memcmp(header.store_id, spec->store_id, sizeof none) != 0) {
        return met__fail(info, MET_E_FOREIGN, path,
                         "belongs to another store");
    }
    if (header.file_size > file->size) {
        return met__fail(info, MET_E_CORRUPT, path,
                         "has %llu bytes, was made with %llu",
                         (unsigned long long)file->size,
                         (unsigned long long)header.file_size);
    }
    if (header.config_hash != spec->config_hash && spec->config_hash != 0) {
        return met__fail(info, MET_E_LAYOUT, path,
                         "was made with another configuration");
    }
    return MET_OK;
}

/* may_miss: that there is no such file is nothing to tell. */
static met_error open_existing(const met__platform *platform, const char *path,
                               const met__mapped_spec *spec, int may_miss,
                               met__mapped_file *file_out,
                               met_error_info *info)
{
    const met__os *os = platform->os;
    met__os_stat found;
    met__mapped_file mapped = {0};
    int file = os->open(os->context, path, 0);
    int result;
    met_error error;

    if (file < 0) {
        error = met__os_error(file);
        return may_miss && error == MET_E_NOT_FOUND
                   ? error
                   : io_fail(info, path, "cannot be opened", file);
    }
    result = os->fstat(os->context, file, &found);
    if (result < 0) {
        error = io_fail(info, path, "cannot be examined", result);
    } else if (!found.is_file) {
        error = met__fail(info, MET_E_FOREIGN, path, "is not a plain file");
    } else if (found.size < MET__FILE_HEADER_SIZE) {
        error = met__fail(info, MET_E_CORRUPT, path, "is shorter than its "
                          "header");
    } else {
        error = map_it(platform, file, found.size, &mapped, path, info);
    }
    if (error == MET_OK) {
        error = check_header(platform, &mapped, path, spec, info);
        /* A copy of a file may have holes; a write to one on a full disk
         * would be a signal. */
        if (error == MET_OK) {
            result = os->allocate(os->context, file, mapped.size);
            if (result < 0) {
                error = io_fail(info, path, "no room for it", result);
            }
        }
        if (error == MET_OK) {
            *file_out = mapped;
            return MET_OK;
        }
        unmap(platform, &mapped);
    }
    os->close(os->context, file);
    return error;
}

/* path.XXXXXXXXXXXXXXXX: a name nobody else uses. */
static met_error temporary_name(const met__platform *platform,
                                const char *path, char *name_out)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bits[8];
    size_t size = strlen(path);

    if (size + 18 > PATH_SIZE_MAX) {
        return MET_E_INVALID;
    }
    int result = platform->os->random(platform->os->context, bits,
                                      sizeof bits);
    if (result < 0) {
        return met__os_error(result);
    }
    memcpy(name_out, path, size);
    name_out[size++] = '.';
    for (size_t i = 0; i < sizeof bits; i++) {
        name_out[size++] = hex[bits[i] >> 4];
        name_out[size++] = hex[bits[i] & 15];
    }
    name_out[size] = '\0';
    return MET_OK;
}

met_error met__mapped_file_open(const met__platform *platform,
                                const char *path,
                                const met__mapped_spec *spec, int create,
                                met__mapped_file *file_out,
                                met_error_info *info)
{
    const met__os *os = platform->os;
    char temporary[PATH_SIZE_MAX];

    MET__ASSERT(path != NULL && spec != NULL && file_out != NULL);
    MET__ASSERT(!create || spec->size >= MET__FILE_HEADER_SIZE);
    met_error error = open_existing(platform, path, spec, create, file_out,
                                    info);
    if (error != MET_E_NOT_FOUND || !create) {
        return error;
    }
    error = temporary_name(platform, path, temporary);
    if (error != MET_OK) {
        return met__fail(info, error, path, "no temporary name");
    }
    error = build(platform, temporary, path, spec, info);
    if (error != MET_OK) {
        return error;
    }
    /* link refuses an existing name: the first creator wins. */
    int result = os->link(os->context, temporary, path);
    os->unlink(os->context, temporary);
    if (result < 0 && result != -EEXIST) {
        return io_fail(info, path, "cannot be put in place", result);
    }
    error = open_existing(platform, path, spec, 0, file_out, info);
    if (error == MET_OK) {
        file_out->is_new = result == 0;
    }
    return error;
}

/* --- Files that were cut short -------------------------------------------- */
/* Of this kind, as far as it can be told, and shorter than it was made. */
static int is_short(const met__platform *platform, int file,
                    const met__mapped_spec *spec, uint64_t *size_out)
{
    const met__os *os = platform->os;
    met__file_header header = {.magic = {0}};
    met__os_stat found;
    int64_t got = os->read_at(os->context, file, &header, sizeof header, 0);
    size_t known = got < 0 ? 0
                   : got < (int64_t)sizeof header.magic
                       ? (size_t)got
                       : sizeof header.magic;

    if (got < 0 || os->fstat(os->context, file, &found) < 0 || !found.is_file
        || memcmp(header.magic, spec->magic, known) != 0) {
        return 0;
    }
    *size_out = found.size;
    return got < (int64_t)sizeof header
           || (found.size < header.file_size
               && header.checksum == header_checksum(&header));
}

static int wipe(const met__os *os, int file, uint64_t end)
{
    static const unsigned char zeros[4096];
    int64_t result = 0;

    for (uint64_t at = MET__FILE_HEADER_SIZE; at < end && result >= 0;
         at += sizeof zeros) {
        size_t size = end - at < sizeof zeros ? end - at : sizeof zeros;
        result = os->write_at(os->context, file, zeros, size, at);
    }
    return result < 0 ? (int)result : 0;
}

static met_error remove_short(const met__platform *platform, const char *path,
                              const met__mapped_spec *spec, uint64_t wipe_end)
{
    const met__os *os = platform->os;
    uint64_t size = 0;
    int file = os->open(os->context, path, 0);

    if (file < 0) {
        return met__os_error(file);
    }
    met_error error = MET_E_CORRUPT;
    if (is_short(platform, file, spec, &size)) {
        error = met__mapped_file_unlink(platform, file, path);
        int result = error == MET_OK
                         ? wipe(os, file, size < wipe_end ? size : wipe_end)
                         : 0;
        error = result < 0 ? met__os_error(result) : error;
    }
    os->close(os->context, file);
    return error;
}

met_error met__mapped_file_unlink(const met__platform *platform, int file,
                                  const char *path)
{
    const met__os *os = platform->os;
    met__os_stat mine;
    met__os_stat there;
    int result = os->lock(os->context, file, MET__OS_LOCK_TRY, 0);

    if (result < 0) {
        return met__os_error(result);
    }
    result = os->fstat(os->context, file, &mine);
    if (result == 0) {
        result = os->stat(os->context, path, &there);
    }
    if (result == 0 && mine.device == there.device
        && mine.inode == there.inode) {
        result = os->unlink(os->context, path);
    }
    os->lock(os->context, file, MET__OS_LOCK_FREE, 0);
    return result < 0 && met__os_error(result) != MET_E_NOT_FOUND
               ? met__os_error(result)
               : MET_OK;
}

met_error met__mapped_file_open_whole(const met__platform *platform,
                                      const char *path,
                                      const met__mapped_spec *spec,
                                      uint64_t wipe_end,
                                      met__mapped_file *file_out,
                                      met_error_info *info)
{
    met_error error = met__mapped_file_open(platform, path, spec, 1, file_out,
                                            info);

    if (error != MET_E_CORRUPT) {
        return error;
    }
    met_error removed = remove_short(platform, path, spec, wipe_end);
    if (removed == MET_E_CORRUPT) {
        return error; /* damaged in another way */
    }
    if (removed != MET_OK && removed != MET_E_NOT_FOUND) {
        return met__fail(info, removed, path,
                         "was cut short and cannot be replaced");
    }
    return met__mapped_file_open(platform, path, spec, 1, file_out, info);
}

met_error met__mapped_file_grow(const met__platform *platform,
                                met__mapped_file *file, uint64_t size)
{
    const met__os *os = platform->os;
    void *memory;

    MET__ASSERT(file != NULL && file->memory != NULL && size >= file->size);
    /* Of one that was cut short growing would make zeros of what is gone. */
    met_error error = met__mapped_file_check(platform, file);
    if (error != MET_OK) {
        return error;
    }
    int result = os->allocate(os->context, file->file, size);
    if (result < 0) {
        return met__os_error(result);
    }
    /* The old map stays until the new one is there. */
    result = os->map(os->context, file->file, size, &memory);
    if (result < 0) {
        return met__os_error(result);
    }
    unmap(platform, file);
    file->memory = memory;
    file->size = size;
    file->watch = met__fault_watch_begin(memory, size);
    return MET_OK;
}

met_error met__mapped_file_check(const met__platform *platform,
                                 const met__mapped_file *file)
{
    met__os_stat found;

    if (met__mapped_file_is_lost(file)) {
        return MET_E_CORRUPT;
    }
    int result = platform->os->fstat(platform->os->context, file->file,
                                     &found);
    if (result < 0) {
        return met__os_error(result);
    }
    return found.size < file->size ? MET_E_CORRUPT : MET_OK;
}

void met__mapped_file_close(const met__platform *platform,
                            met__mapped_file *file)
{
    if (file->memory != NULL) {
        unmap(platform, file);
        platform->os->close(platform->os->context, file->file);
    }
    *file = (met__mapped_file){0};
}

void met__mapped_file_forget(const met__platform *platform,
                             met__mapped_file *file)
{
    if (file->memory != NULL) {
        unmap(platform, file);
    }
    *file = (met__mapped_file){0};
}

const met__file_header *met__mapped_file_header(const met__mapped_file *file)
{
    return (const met__file_header *)file->memory;
}
