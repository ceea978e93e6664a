/* A snapshot while it is compiled: sections that grow in memory, and the
 * layout of the file at the end. */
#ifndef MET_GATEWAY_SNAPSHOT_WRITER_H
#define MET_GATEWAY_SNAPSHOT_WRITER_H

#include "gateway/snapshot.h"

typedef struct met__snapshot_writer {
    met__buffer sections[MET__SECTION_COUNT];
    met__snapshot_plugins global;
} met__snapshot_writer;

void met__snapshot_writer_init(met__snapshot_writer *writer,
                               const met__platform *platform);
void met__snapshot_writer_release(met__snapshot_writer *writer);
/* Appends a record; its number. Errors stay in the buffers. */
uint32_t met__snapshot_add(met__snapshot_writer *writer, uint32_t section,
                           const void *record);
uint32_t met__snapshot_count(const met__snapshot_writer *writer,
                             uint32_t section);
/* A record that was added, to be changed; valid until the next one. NULL when
 * an append failed. */
void *met__snapshot_get(met__snapshot_writer *writer, uint32_t section,
                        uint32_t index);
met__ref met__snapshot_add_text(met__snapshot_writer *writer, met__text text);
/* The first error of any section. */
met_error met__snapshot_writer_error(const met__snapshot_writer *writer);
/* Bytes of the whole file. MET_E_LIMIT: more than a snapshot can have. */
met_error met__snapshot_writer_size(const met__snapshot_writer *writer,
                                    uint64_t *size_out);
/* Fills a file's memory of exactly that size, behind the file's header. */
void met__snapshot_writer_fill(const met__snapshot_writer *writer,
                               uint64_t number, int64_t now_ns,
                               unsigned char *memory, uint64_t size);

#endif
