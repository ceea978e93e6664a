/* Slot files read by copies. Others than the owner never touch what is mapped
 * to read it: a file that somebody cuts short, while it is read or before, is
 * an error then. In: a slot. Out: private copies of its words and segments, in
 * the order that the protocol asks for. */
#include "meter/slot_file.h"

#include "base/check.h"

#define CLOSED_OFFSET (4096 + offsetof(met__slot_owner, closed_epoch))

static met_error read_exactly(const met__slot *slot, void *to, size_t size,
                              uint64_t offset)
{
    const met__os *os = slot->platform->os;
    unsigned char *at = to;

    while (size > 0) {
        int64_t got = os->read_at(os->context, slot->file.file, at, size,
                                  offset);
        if (got <= 0) {
            return got < 0 ? met__os_error(got) : MET_E_CORRUPT;
        }
        at += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    met__fence_acquire(); /* what is read next is read later */
    return MET_OK;
}

met_error met__slot_refresh(met__slot *slot)
{
    uint64_t closed = 0;
    met_error error = read_exactly(slot, &closed, sizeof closed,
                                   CLOSED_OFFSET);

    if (error == MET_OK) {
        error = read_exactly(slot, slot->copies->head,
                             sizeof slot->copies->head, 0);
    }
    if (error == MET_OK) {
        met__store_relaxed(&met__slot_owner_of(slot)->closed_epoch, closed);
    }
    return error;
}

met_error met__slot_look(met_store *store, uint32_t number,
                         met__slot *slot_out, met_error_info *info)
{
    met_error error = met__slot_open(store, number, 0, slot_out, info);

    if (error != MET_OK) {
        return error;
    }
    slot_out->copies = met__allocate(slot_out->platform,
                                     sizeof *slot_out->copies);
    if (slot_out->copies == NULL) {
        error = MET_E_NO_MEMORY;
    } else {
        slot_out->head = slot_out->copies->head;
        error = met__slot_refresh(slot_out);
    }
    if (error != MET_OK) {
        met__slot_close(slot_out);
        return met__fail_code(info, error);
    }
    return MET_OK;
}

static met_error fetch_cells(const met__slot *slot, uint32_t cell_class,
                             uint64_t offset)
{
    met__slot_copies *copies = slot->copies;
    size_t head = met__cell_class_head(cell_class);
    size_t sequences = met__cell_class_count(cell_class) * sizeof(uint64_t);
    met_error error = read_exactly(slot, copies->cells, head, offset);

    if (error == MET_OK) {
        error = read_exactly(slot, copies->cells + head,
                             MET__SEGMENT_SIZE - head, offset + head);
    }
    return error == MET_OK
               ? read_exactly(slot, copies->later, sequences, offset)
               : error;
}

met_error met__slot_fetch(const met__slot *slot, uint32_t segment)
{
    met__slot_copies *copies = slot->copies;
    uint64_t offset = met__segment_offset(segment);
    uint32_t kind = met__slot_segment_kind(slot, segment);

    MET__ASSERT(copies != NULL);
    if (kind >> 8 == MET__SEGMENT_CELLS) {
        return fetch_cells(slot, kind & 0xff, offset);
    }
    copies->shape_segment = 0;
    met_error error = read_exactly(slot, copies->shapes,
                                   sizeof copies->shapes, offset);
    copies->shape_segment = error == MET_OK ? segment + 1 : 0;
    return error;
}

met_error met__slot_fetch_cell(const met__slot *slot, uint32_t segment,
                               uint32_t cell_class, uint32_t index)
{
    met__slot_copies *copies = slot->copies;
    uint64_t offset = met__segment_offset(segment);
    size_t word = index * sizeof(uint64_t);
    size_t size = 2 * met__cell_class_words(cell_class) * sizeof(uint64_t);
    size_t at = met__cell_class_head(cell_class) + index * size;
    met_error error = read_exactly(slot, copies->cells + word,
                                   sizeof(uint64_t), offset + word);

    if (error == MET_OK) {
        error = read_exactly(slot, copies->cells + at, size, offset + at);
    }
    return error == MET_OK
               ? read_exactly(slot, &copies->later[index], sizeof(uint64_t),
                              offset + word)
               : error;
}
