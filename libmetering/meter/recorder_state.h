/* The inside of a recorder: private memory beside its slot file. Nothing here
 * survives a kill; everything that must is in the slot. */
#ifndef MET_METER_RECORDER_STATE_H
#define MET_METER_RECORDER_STATE_H

#include "base/check.h"
#include "base/hash.h"
#include "meter/amount.h"
#include "meter/plan_signal.h"
#include "meter/recorder.h"
#include "meter/recorder_key.h"
#include "meter/recording_plan.h"
#include "meter/slot_file.h"

#define MET__NO_SHAPE UINT32_MAX
#define MET__MINUTE_PLACES 4096u /* of the table of other minutes */
/* Every attribute there can be at its longest; a shape must be shorter. */
#define MET__KEY_ROOM 8448
#define MET__OVERFLOW_SIZE 12u /* of "__overflow__" */
MET__STATIC_ASSERT(8 + (MET__ATTRIBUTES_MAX + 1) * (MET__VALUE_SIZE_MAX + 1)
                       <= MET__KEY_ROOM,
                   key_room);

/* One shape: what is equal in many events. 64 bytes, one cache line. */
typedef struct met__shape_record {
    met__hash128 hash;   /* of the key, keyed: who has it has the key */
    uint64_t entry_hash; /* what cells name the key by */
    uint64_t count;      /* of the cell in use */
    uint64_t sequence;   /* of the cell in use */
    uint32_t cell;       /* not in use: the next such record */
    uint32_t cell_epoch; /* 0: no cell in use; another epoch: forgotten */
    uint32_t cell_minute;
    uint32_t last_epoch; /* greatest epoch of a cell that names this shape */
    uint32_t entry;      /* in the slot file */
    uint16_t type;
    uint8_t entry_class;
    uint8_t is_used;
} met__shape_record;
MET__STATIC_ASSERT(sizeof(met__shape_record) == 64, shape_record);

/* An event type of the plan in use. hints: where in the caller's list a name
 * stood the last time. */
typedef struct met__recorder_type {
    met__name type;
    const met__name *attributes;
    const uint8_t *is_free;
    const met__name *quantities;
    const met__text *quantity_texts;
    uint8_t *hints;
    uint8_t *quantity_hints;
    uint32_t attribute_count;
    uint32_t quantity_count;
    uint32_t cell_class;
    uint32_t counts;
    uint32_t times;
    uint32_t has_free;
} met__recorder_type;

/* An event as it was read. */
typedef struct met__reading {
    const met__recorder_type *type;
    unsigned char *key; /* room for MET__KEY_ROOM bytes; reading fills it */
    uint32_t key_size;
    uint32_t flags;
    met__hash128 hash;
    int64_t utc_ns;
    uint64_t quantity_mask; /* which of the type's quantities it brings */
    met__wide values[MET__QUANTITIES_MAX];
} met__reading;

/* Cells of one class: those nobody uses, and those in use in the order they
 * were taken, which is the order of their epochs. */
typedef struct met__cell_pool {
    uint32_t *idle;
    uint64_t *used; /* ring: epoch << 32 | cell */
    uint64_t head;
    uint64_t tail;
    uint32_t idle_count;
    uint32_t total;
    uint32_t room; /* of both lists: a power of two */
    uint32_t taken; /* since the last tick */
    uint32_t most;  /* taken between two ticks, lately */
    uint32_t reserved;
} met__cell_pool;

/* Shape entries of one class that nobody uses. */
typedef struct met__entry_pool {
    uint32_t *idle;
    uint32_t idle_count;
    uint32_t room;
    uint32_t total;
    uint32_t wanted;
} met__entry_pool;

/* A cell of a minute that is not the one its shape counts in right now. */
typedef struct met__other_minute {
    uint32_t shape; /* + 1; 0 is empty */
    uint32_t minute;
    uint32_t cell;
} met__other_minute;

struct met_recorder {
    met_store *store;
    const met__platform *platform;
    const met__secret *secret;
    const met__atomic_u64 *plan_word;
    uint64_t plan_seen; /* the word when a plan was last asked for */
    uint64_t plan_number;
    uint64_t generation;
    uint32_t fork_generation;
    uint32_t epoch;
    uint32_t minute; /* of the clock, as far as it was looked at */
    uint32_t epoch_cells;
    met__recorder_type *types;
    size_t type_count;
    size_t last_type;
    uint64_t *table; /* high half of the hash, record number + 1 */
    uint64_t table_mask;
    met__shape_record *shapes;
    uint32_t shape_limit;  /* all values are kept up to here */
    uint32_t shape_room;   /* records there are */
    uint32_t shape_count;  /* in use */
    uint32_t shape_top;    /* ever used */
    uint32_t shape_idle;   /* list of records not in use, MET__NO_SHAPE ends */
    uint32_t hand;         /* where the search for an old shape goes on */
    met__slot slot;
    met__cell_pool cells[MET__CELL_CLASSES];
    met__entry_pool entries[MET__SHAPE_CLASSES];
    met__other_minute *minutes;
    uint32_t minute_count;
    uint32_t cells_ever; /* a cell was taken since the claim */
    uint64_t events;
    uint64_t events_ticked;
    int64_t recorded_ns; /* of the last event that asked for it */
    uint64_t overflowed;
    uint64_t full;
    met__atomic_u64 busy; /* debug builds: somebody is inside */
    met__arena plan_arena;
    met__plan_signal signal;
    /* Of the event that is read, or of a group of them. */
    unsigned char key[MET__KEY_ROOM + MET__GROUP_MAX * 256];
};

/* --- recorder_event.c ----------------------------------------------------- */
/* NULL: no meter counts events of this type. */
met__recorder_type *met__recorder_find_type(met_recorder *recorder,
                                            met__text wanted);
/* The whole event; reading->key and ->flags are given.
 * MET_E_INVALID · MET_E_LIMIT · MET_E_NOT_FOUND */
met_error met__recorder_read(met_recorder *recorder, const met_event *event,
                             met__reading *reading, met_error_info *info);
/* Only the shape of the event. */
met_error met__recorder_read_shape(met_recorder *recorder,
                                   const met_event *event,
                                   met__reading *reading,
                                   met_error_info *info);
/* Only time and quantities, of an event whose shape is known. MET_E_INVALID */
met_error met__recorder_read_values(const met_recorder *recorder,
                                    const met_event *event,
                                    met__reading *reading,
                                    met_error_info *info);
/* The key anew, with what is free put together. */
met_error met__recorder_read_overflow(const met_recorder *recorder,
                                      const met_event *event,
                                      met__reading *reading,
                                      met_error_info *info);

/* --- recorder.c ----------------------------------------------------------- */
/* Counts an event that was read. `shape` is a guess, or MET__NO_SHAPE. */
met_error met__recorder_count(met_recorder *recorder, const met_event *event,
                              met__reading *reading, uint32_t shape,
                              met_error_info *info);
/* In and out of every call that counts; enter learns of new meters.
 * MET_E_FORKED: a child, not entered. */
met_error met__recorder_enter(met_recorder *recorder, met_error_info *info);
void met__recorder_leave(met_recorder *recorder);

/* --- recorder_cell.c ------------------------------------------------------ */
/* Turns to the cell of this shape and minute, taking a new one if there is
 * none in this epoch. MET_E_TALLY_FULL */
met_error met__recorder_turn(met_recorder *recorder, uint32_t shape,
                             uint32_t minute);
void met__recorder_close_epoch(met_recorder *recorder);
/* Segments ahead of need. Never on the request path. MET_E_NO_MEMORY ·
 * MET_E_DISK_FULL · MET_E_IO: what is there stays in use. */
met_error met__recorder_provide(met_recorder *recorder);
void met__recorder_release_cells(met_recorder *recorder);
/* The lists of a freshly claimed slot: nothing in it is in use. */
met_error met__recorder_list_segments(met_recorder *recorder);

/* --- recorder_shape.c ----------------------------------------------------- */
/* The record of a key, or MET__NO_SHAPE. */
uint32_t met__recorder_find(const met_recorder *recorder, met__hash128 hash);
/* The record that it most likely is, without looking at any. */
static inline uint32_t met__recorder_guess(const met_recorder *recorder,
                                           met__hash128 hash)
{
    uint64_t place = recorder->table[hash.low & recorder->table_mask];

    return place >> 32 == hash.low >> 32 ? (uint32_t)place - 1
                                         : MET__NO_SHAPE;
}
/* A new shape of a key that was read. `reserve`: also beyond the limit.
 * MET_E_INVALID (a text is not clean) · MET_E_TALLY_FULL */
met_error met__recorder_add_shape(met_recorder *recorder,
                                  const met__reading *reading, int reserve,
                                  uint32_t *shape_out, met_error_info *info);
/* Gives up to `tries` shapes back that no unsettled cell names. */
void met__recorder_sweep(met_recorder *recorder, uint32_t tries);

/* --- recorder_open.c ------------------------------------------------------ */
/* Ends the epoch and goes on with the plan in force. */
met_error met__recorder_take_plan(met_recorder *recorder);

/* The greatest epoch whose cells may be used again. */
static inline uint64_t met__recorder_settled(const met_recorder *recorder)
{
    return met__load_acquire(
        &met__slot_settlers_of(&recorder->slot)->settled_epoch);
}

#endif
