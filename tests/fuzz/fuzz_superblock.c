/* Any bytes as META: refused with a reason, or exactly what was written. */
#include <stdlib.h>

#include "fuzz.h"
#include "store/superblock.h"
#include "support/faults.h"

typedef struct memory_file {
    const uint8_t *data;
    size_t size;
} memory_file;

static int open_memory(void *context, const char *path, unsigned flags)
{
    return flags == MET__OS_READ ? 3 : -EACCES;
}

static int close_memory(void *context, int file)
{
    return 0;
}

static int64_t read_memory(void *context, int file, void *bytes, size_t size,
                           uint64_t offset)
{
    const memory_file *from = context;

    if (offset >= from->size) {
        return 0;
    }
    size_t left = from->size - (size_t)offset;
    size_t count = size < left ? size : left;
    memcpy(bytes, from->data + offset, count);
    return (int64_t)count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memory_file file = {data, size};
    met__os table = {.context = &file,
                     .open = open_memory,
                     .close = close_memory,
                     .read_at = read_memory};
    met__platform platform = faulty_platform(NULL, NULL);
    met_error_info info = {.struct_size = sizeof info};
    met__superblock block;

    platform.os = &table;
    met_error error = met__superblock_read(&platform, "META", &block, &info);
    if (error == MET_OK) {
        if (size != sizeof block || memcmp(&block, data, size) != 0) {
            abort();
        }
    } else if (info.code != error || info.reason[0] == '\0'
               || (error != MET_E_CORRUPT && error != MET_E_FOREIGN
                   && error != MET_E_LAYOUT)) {
        abort();
    }
    return 0;
}
