/* The inside of one settlement: what its files share. */
#ifndef MET_METER_SETTLE_RUN_H
#define MET_METER_SETTLE_RUN_H

#include "meter/settlement.h"
#include "meter/slot_file.h"
#include "meter/usage_part.h"
#include "meter/usage_shape.h"

#define MET__SETTLE_CELLS_MAX 10000u /* of a transaction: 20 ms at most */
#define MET__SETTLE_SLOTS_MAX 64u    /* open at once */
#define MET__GENERATIONS_KEPT 256u

/* One cell that was read, with values and sequence of one checked copy. */
typedef struct met__settle_cell {
    met__part_key key;
    uint64_t sequence;
    uint64_t count;
    uint64_t hash; /* of the shape */
    uint64_t shape; /* its number in the dictionary; 0: not known yet */
    uint32_t slot;  /* index into run->slots */
    uint32_t entry;
    uint32_t plan;
    uint32_t quantities;
    size_t words; /* where its quantities are in run->words */
} met__settle_cell;

/* A slot while it is settled; it may take several transactions. */
typedef struct met__settle_slot {
    met__slot slot;
    uint64_t closed_epoch; /* loaded once, before the first cell */
    uint64_t segments;
    uint32_t segment; /* where reading goes on */
    uint32_t index;
    uint32_t is_adopted;    /* we hold its lock: the owner is gone */
    uint32_t is_other_boot; /* its pages went through a power cut */
    uint32_t is_read;       /* to the end */
    uint32_t unreadable;
    uint64_t *generations; /* met in copies and not retired */
    size_t generation_count;
    size_t generation_room;
} met__settle_slot;

/* A generation as this transaction sees it. */
typedef struct met__seen_generation {
    uint64_t generation;
    met__generation_state state;
} met__seen_generation;

typedef struct met__settle_run {
    met_store *store;
    const met__platform *platform;
    met__steps steps;
    met__settle_report *report;
    uint64_t boot_hash;
    uint64_t cells_left; /* that bring something new, when it is bounded */
    met__arena arena; /* of the whole run */
    /* of the transaction: */
    met__arena local;
    met__txn *txn;
    met__settle_cell *cells;
    size_t cell_count;
    uint64_t *words;
    size_t word_count;
    size_t word_room;
    met__settle_slot slots[MET__SETTLE_SLOTS_MAX];
    size_t slot_count;
    met__seen_generation seen[MET__GENERATIONS_KEPT];
    met__recording_plan *plan; /* last one used */
    met__telling telling;
    uint64_t new_events;
    uint64_t new_parts;
    uint32_t is_bounded;
    uint32_t reserved;
} met__settle_run;

/* Notes who holds the run up. */
void met__settle_held_up(met__settle_run *run, uint32_t slot,
                         uint64_t process_id, const char *reason);

/* --- settle_slot.c -------------------------------------------------------- */
/* Reads cells into the run until the slot ends or the run is full. */
met_error met__settle_read(met__settle_run *run, uint32_t slot);
/* In the transaction, after all cells of the slot are in: settled epochs, or
 * that its generations are retired. */
met_error met__settle_mark(met__settle_run *run, met__settle_slot *slot);
/* After the commit: tells the owner, or frees the slot. */
void met__settle_publish(met__settle_run *run, met__settle_slot *slot);

/* --- settle_batch.c ------------------------------------------------------- */
/* Writes the cells as parts, in the order of their keys. */
met_error met__settle_write(met__settle_run *run);

#endif
