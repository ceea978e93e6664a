/* Slot files: DIR/tally/SLOT.map, the cells of one recorder. All layout is
 * here; docs/protocol.md has the order of steps.
 *
 *   0      header of every mapped file
 *   4096   owner's words: written by whoever holds the lock
 *   8192   settlers' words
 *   12288  directory: one word per segment
 *   49152  segments of 128 KiB, each with cells of one width or with shapes of
 *          one size
 *
 * A segment of cells: sequence words of all its cells, then two copies per
 * cell; the copy in force is sequence & 1. A zero file is an empty slot.
 * Everything is 64-bit words, read and written one by one. */
#ifndef MET_METER_SLOT_FILE_H
#define MET_METER_SLOT_FILE_H

#include "base/atomic.h"
#include "base/limits.h"
#include "base/mapped_file.h"
#include "store/store.h"

#define MET__SLOT_MAGIC "METTALLY"
#define MET__SLOT_LAYOUT 1u
#define MET__SLOTS_MAX 1000
#define MET__SEGMENT_SIZE (UINT64_C(128) << 10)
#define MET__SLOT_SEGMENTS_MAX 4096
#define MET__SEGMENTS_OFFSET UINT64_C(49152)
#define MET__SEGMENT_ITEMS_MAX 1024 /* item number = segment * this + index */

/* Owner's words. */
typedef struct met__slot_owner {
    met__atomic_u64 generation; /* random, new with every claim; 0: never */
    met__atomic_u64 boot_hash;  /* of the claim */
    met__atomic_u64 closed_epoch;
    met__atomic_u64 plan; /* number in use; MET__PLAN_UNKNOWN while claiming */
    met__atomic_u64 segment_count;
    met__atomic_u64 process_id;
    met__atomic_u64 opened_ns;
    met__atomic_u64 beat_ns; /* of the last tick */
    met__atomic_u64 events;  /* counters since the claim, for reports */
    met__atomic_u64 overflowed;
    met__atomic_u64 full;
    met__atomic_u64 cells; /* in use; of cells_room */
    met__atomic_u64 cells_room;
    met__atomic_u64 files_lost;  /* earlier ones that were cut short, */
    met__atomic_u64 events_lost; /* and what was not settled, at most */
} met__slot_owner;
#define MET__PLAN_UNKNOWN UINT64_MAX

/* Settlers' words. */
typedef struct met__slot_settlers {
    met__atomic_u64 settled_epoch;
    met__atomic_u64 freed_generation; /* settled, retired: free to claim */
    met__atomic_u64 freed_boot;
    met__atomic_u64 settled_ns; /* when a pass last went through */
} met__slot_settlers;

/* Directory word: kind << 8 | class; 0 is no segment. */
enum {
    MET__SEGMENT_CELLS = 1, /* class c: room for 0, 1, 2, 4, 8, 16 quantities */
    MET__SEGMENT_SHAPES = 2 /* class c: entries of 128 << c bytes */
};
#define MET__CELL_CLASSES 6
#define MET__SHAPE_CLASSES 7
#define MET__SHAPE_SIZE_MAX 8192

/* One copy of a cell, in words. */
enum {
    MET__COPY_SEQUENCE,
    MET__COPY_GENERATION,
    MET__COPY_EPOCH,  /* epoch << 32 | minute */
    MET__COPY_CELL,   /* cell number << 32 | shape entry number */
    MET__COPY_SHAPE_HASH,
    MET__COPY_COUNT,
    MET__COPY_PLAN,   /* plan << 32 | quantities */
    MET__COPY_QUANTITIES /* then the checksum of all before it */
};
/* A quantity of a cell or part, in words; amounts are 128-bit integers of
 * 10^-9, low word first. */
enum {
    MET__QUANTITY_COUNT, /* events that had it */
    MET__QUANTITY_SUM,
    MET__QUANTITY_MIN = 3,
    MET__QUANTITY_MAX = 5,
    MET__QUANTITY_LATEST = 7,
    MET__QUANTITY_EVENT_NS = 9, /* of the latest: when it happened, */
    MET__QUANTITY_RECORDED_NS,  /* and when it was recorded */
    MET__QUANTITY_SPAN, /* of cells of hours and days (usage_cell.h); else 0 */
    MET__QUANTITY_WORDS
};
#define MET__COPY_WORDS_MAX \
    (MET__COPY_QUANTITIES + MET__QUANTITIES_MAX * MET__QUANTITY_WORDS + 1)

/* A shape entry: one word with the size of the key, then the key:
 * plan:4 type:2 flags:2, then the subject and each attribute of the plan's
 * type in its order, as length:1 bytes. The key's hash is in the cells. */
#define MET__SHAPE_KEY_OFFSET 8
#define MET__SHAPE_KEY_SIZE_MAX (MET__SHAPE_SIZE_MAX - MET__SHAPE_KEY_OFFSET)

/* --- Geometry ------------------------------------------------------------- */
#define MET__ROOM_WORDS(room) (MET__COPY_QUANTITIES + 1 \
                               + (room) * MET__QUANTITY_WORDS)
#define MET__ROOM_COUNT(room) ((uint32_t)((MET__SEGMENT_SIZE - 64) \
                                          / (8 + 16 * MET__ROOM_WORDS(room))))
#define MET__PER_CLASS(of) {of(0), of(1), of(2), of(4), of(8), of(16)}

/* Words of one copy in a segment of this class, checksum included. */
static inline uint32_t met__cell_class_words(uint32_t cell_class)
{
    static const uint32_t words[] = MET__PER_CLASS(MET__ROOM_WORDS);
    return words[cell_class];
}

/* Cells in a segment. */
static inline uint32_t met__cell_class_count(uint32_t cell_class)
{
    static const uint32_t counts[] = MET__PER_CLASS(MET__ROOM_COUNT);
    return counts[cell_class];
}

/* Quantities a cell has room for. */
static inline uint32_t met__cell_class_room(uint32_t cell_class)
{
    return cell_class == 0 ? 0 : 1u << (cell_class - 1);
}

/* Bytes of the sequence words, on a cache line. */
static inline uint32_t met__cell_class_head(uint32_t cell_class)
{
    return (met__cell_class_count(cell_class) * 8 + 63) & ~63u;
}

static inline uint32_t met__shape_class_size(uint32_t shape_class)
{
    return 128u << shape_class;
}

static inline uint32_t met__shape_class_count(uint32_t shape_class)
{
    return MET__SEGMENT_ITEMS_MAX >> shape_class;
}

static inline uint64_t met__segment_offset(uint32_t segment)
{
    return MET__SEGMENTS_OFFSET + segment * MET__SEGMENT_SIZE;
}

/* --- An open slot file ---------------------------------------------------- */
/* What somebody who is not the owner has read of it (slot_copy.c). */
typedef struct met__slot_copies {
    unsigned char head[MET__SEGMENTS_OFFSET];
    unsigned char cells[MET__SEGMENT_SIZE];
    unsigned char shapes[MET__SEGMENT_SIZE];
    uint64_t later[MET__SEGMENT_ITEMS_MAX]; /* the cells' sequences, read once
                                               more behind them */
    uint32_t shape_segment; /* + 1; 0: none */
    uint32_t reserved;
} met__slot_copies;

typedef struct met__slot {
    const met__platform *platform; /* NULL: not open */
    met__mapped_file file;
    unsigned char *head; /* what lies before the segments: mapped, or copied */
    met__slot_copies *copies; /* NULL: everything is read where it is mapped */
    uint32_t number;
    uint32_t is_locked;
} met__slot;

static inline met__slot_owner *met__slot_owner_of(const met__slot *slot)
{
    return (met__slot_owner *)(void *)(slot->head + 4096);
}

static inline met__slot_settlers *met__slot_settlers_of(const met__slot *slot)
{
    return (met__slot_settlers *)(void *)(slot->head + 8192);
}

static inline met__atomic_u64 *met__slot_directory(const met__slot *slot)
{
    return (met__atomic_u64 *)(void *)(slot->head + 12288);
}

static inline met__atomic_u64 *met__slot_sequence(const met__slot *slot,
                                                  uint32_t segment,
                                                  uint32_t index)
{
    return (met__atomic_u64 *)(void *)(slot->file.memory
                                       + met__segment_offset(segment))
           + index;
}

static inline met__atomic_u64 *met__slot_copy(const met__slot *slot,
                                              uint32_t segment,
                                              uint32_t cell_class,
                                              uint32_t index, uint32_t which)
{
    uint64_t words = met__cell_class_words(cell_class);

    return (met__atomic_u64 *)(void *)(slot->file.memory
                                       + met__segment_offset(segment)
                                       + met__cell_class_head(cell_class))
           + (index * 2 + which) * words;
}

static inline met__atomic_u64 *met__slot_shape(const met__slot *slot,
                                               uint32_t segment,
                                               uint32_t shape_class,
                                               uint32_t index)
{
    return (met__atomic_u64 *)(void *)(slot->file.memory
                                       + met__segment_offset(segment)
                                       + (uint64_t)index
                                             * met__shape_class_size(
                                                 shape_class));
}

/* Opens the file of a slot, making it when create is set. A child of a fork
 * does not keep it. MET_E_NOT_FOUND, and as met__mapped_file_open. */
met_error met__slot_open(met_store *store, uint32_t number, int create,
                         met__slot *slot_out, met_error_info *info);
/* Frees the lock, too. Right for a slot that is not open. */
void met__slot_close(met__slot *slot);
/* *is_locked_out = 0 when somebody else owns it. */
met_error met__slot_try_lock(met__slot *slot, int *is_locked_out);
/* Room for segments more, blocks first, and their directory words: kinds[i] is
 * kind << 8 | class. Only the owner. Memory may move. */
met_error met__slot_grow(met__slot *slot, const uint32_t *kinds,
                         uint32_t count);
/* Maps what the owner added since, so that `segments` of them can be read;
 * MET_E_CORRUPT when the file is shorter than that. */
met_error met__slot_reach(met__slot *slot, uint64_t segments);
/* A directory word that can be used: kind and class, 0 otherwise. */
uint32_t met__slot_segment_kind(const met__slot *slot, uint32_t segment);
/* Nothing is left in it: every generation in it is settled and retired. */
int met__slot_is_freed(const met__slot *slot, uint64_t boot_hash);

/* --- Reading, from any process -------------------------------------------- */
/* Opens a slot to read it by copies: whatever happens to the file, reading is
 * an error and never a signal. Its owner's and settlers' words and its
 * directory are those of the moment. As met__slot_open without create. */
met_error met__slot_look(met_store *store, uint32_t number,
                         met__slot *slot_out, met_error_info *info);
/* Copies these words anew. closed_epoch is read before all else: what closes
 * later is not taken for closed. MET_E_CORRUPT: the file is too short. */
met_error met__slot_refresh(met__slot *slot);
/* Copies a segment, whose kind is known, before its cells are read; of a slot
 * that is open to be read by copies. MET_E_CORRUPT */
met_error met__slot_fetch(const met__slot *slot, uint32_t segment);
/* Copies one cell and the sequences around it anew. MET_E_CORRUPT */
met_error met__slot_fetch_cell(const met__slot *slot, uint32_t segment,
                               uint32_t cell_class, uint32_t index);
enum {
    MET__CELL_EMPTY = 0,
    MET__CELL_READ = 1,
    MET__CELL_UNREADABLE = 2
};

/* The copy in force, checked, of a segment that was fetched; copy_out has room
 * for MET__COPY_WORDS_MAX. */
int met__slot_read_cell(const met__slot *slot, uint32_t segment,
                        uint32_t cell_class, uint32_t index,
                        uint64_t *copy_out);
/* One of the two copies as it stands: 1 when it is whole. */
int met__slot_read_copy(const met__slot *slot, uint32_t segment,
                        uint32_t cell_class, uint32_t index, uint32_t which,
                        uint64_t *copy_out);
/* The key of a shape entry whose hash is `hash`, into key_out, which has
 * MET__SHAPE_SIZE_MAX bytes; of a slot that is read by copies.
 * MET_E_CORRUPT. */
met_error met__slot_read_shape(const met__slot *slot,
                               const met__secret *secret, uint32_t shape,
                               uint64_t hash, unsigned char *key_out,
                               size_t *key_size_out);
uint64_t met__copy_checksum(const uint64_t *words, uint64_t quantities);

/* --- All slots of a store ------------------------------------------------- */
/* The numbers of all slot files, ascending, in the arena. */
met_error met__slots_list(met_store *store, met__arena *arena,
                          uint32_t **numbers_out, size_t *count_out);
/* Whether every live recorder has taken this plan or a later one. */
met_error met__slots_have_published(met_store *store, uint64_t plan,
                                    int *published_out);
/* Whether usage recorded under this plan or a later one may be in a slot. */
met_error met__slots_may_hold(met_store *store, uint64_t plan,
                              int *may_hold_out);

#endif
