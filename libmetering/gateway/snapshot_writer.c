/* Collects the sections of a snapshot and lays them out as a file. In: records
 * and texts. Out: bytes. It knows the layout and nothing of what is in it. */
#include "gateway/snapshot_writer.h"

void met__snapshot_writer_init(met__snapshot_writer *writer,
                               const met__platform *platform)
{
    for (uint32_t i = 0; i < MET__SECTION_COUNT; i++) {
        met__buffer_init(&writer->sections[i], platform);
    }
    for (uint32_t i = 0; i < MET__PLUGIN_COUNT; i++) {
        writer->global.record[i] = MET__NONE;
        writer->global.rank[i] = MET__RANK_NONE;
    }
}

void met__snapshot_writer_release(met__snapshot_writer *writer)
{
    for (uint32_t i = 0; i < MET__SECTION_COUNT; i++) {
        met__buffer_release(&writer->sections[i]);
    }
}

uint32_t met__snapshot_count(const met__snapshot_writer *writer,
                             uint32_t section)
{
    return (uint32_t)(writer->sections[section].size
                      / met__snapshot_record_size(section));
}

uint32_t met__snapshot_add(met__snapshot_writer *writer, uint32_t section,
                           const void *record)
{
    uint32_t index = met__snapshot_count(writer, section);

    if (writer->sections[section].size > MET__SNAPSHOT_SIZE_MAX) {
        writer->sections[section].error = MET_E_LIMIT;
    }
    met__buffer_append(&writer->sections[section], record,
                       met__snapshot_record_size(section));
    return index;
}

void *met__snapshot_get(met__snapshot_writer *writer, uint32_t section,
                        uint32_t index)
{
    if (writer->sections[section].error != MET_OK
        || index >= met__snapshot_count(writer, section)) {
        return NULL;
    }
    return writer->sections[section].data
           + (size_t)index * met__snapshot_record_size(section);
}

met__ref met__snapshot_add_text(met__snapshot_writer *writer, met__text text)
{
    met__buffer *bytes = &writer->sections[MET__SECTION_TEXT];
    met__ref ref = {(uint32_t)bytes->size, (uint32_t)text.size};

    if (bytes->size > MET__SNAPSHOT_SIZE_MAX
        || text.size > MET__SNAPSHOT_SIZE_MAX) {
        bytes->error = MET_E_LIMIT;
    }
    met__buffer_append(bytes, text.data, text.size);
    met__buffer_byte(bytes, '\0'); /* decisions hand texts out as they lie */
    return ref;
}

met_error met__snapshot_writer_error(const met__snapshot_writer *writer)
{
    for (uint32_t i = 0; i < MET__SECTION_COUNT; i++) {
        if (writer->sections[i].error != MET_OK) {
            return writer->sections[i].error;
        }
    }
    return MET_OK;
}

static uint64_t aligned(uint64_t size)
{
    return (size + 7) & ~UINT64_C(7);
}

met_error met__snapshot_writer_size(const met__snapshot_writer *writer,
                                    uint64_t *size_out)
{
    uint64_t size = MET__FILE_HEADER_SIZE + sizeof(met__snapshot_directory);

    for (uint32_t i = 0; i < MET__SECTION_COUNT; i++) {
        size = aligned(size) + writer->sections[i].size;
    }
    *size_out = aligned(size);
    return *size_out <= MET__SNAPSHOT_SIZE_MAX ? MET_OK : MET_E_LIMIT;
}

void met__snapshot_writer_fill(const met__snapshot_writer *writer,
                               uint64_t number, int64_t now_ns,
                               unsigned char *memory, uint64_t size)
{
    unsigned char *body = memory + MET__FILE_HEADER_SIZE;
    met__snapshot_directory directory = {
        .number = number, .made_at_ns = now_ns, .global = writer->global};
    uint64_t at = MET__FILE_HEADER_SIZE + sizeof directory;

    for (uint32_t i = 0; i < MET__SECTION_COUNT; i++) {
        const met__buffer *section = &writer->sections[i];
        at = aligned(at);
        directory.sections[i] = (met__snapshot_section){
            at, section->size / met__snapshot_record_size(i)};
        if (section->size > 0) {
            memcpy(memory + at, section->data, section->size);
        }
        at += section->size;
    }
    memcpy(body, &directory, sizeof directory);
    directory.checksum = met__checksum(
        body + sizeof directory.checksum,
        (size_t)(size - MET__FILE_HEADER_SIZE - sizeof directory.checksum));
    memcpy(body, &directory, sizeof directory);
}
