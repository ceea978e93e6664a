#!/usr/bin/env python3
"""Plants a known bug into copies of a few source files.

    plant.py BUG OUT_DIRECTORY

Writes the files that the bug changes. Every text that is replaced must be in
its file exactly once: a bug that no longer fits the code fails the build."""
import pathlib
import sys

LIBRARY = pathlib.Path(__file__).resolve().parents[2] / "libmetering"

BUGS = {
    # A settler forgets which epochs are settled and folded.
    "no_settled": [
        ("meter/settle_slot.c",
         """    if (error != MET_OK
        || copy[MET__COPY_EPOCH] >> 32 <= state->settled_epoch) {
        return error;
    }
""", """    if (error != MET_OK) {
        return error;
    }
""")],
    # Slots are read before the write transaction begins.
    "read_before_lock": [
        ("meter/settlement.c",
         """    if (error == MET_OK) {
        error = fill(run, numbers, count, next);
    }
    if (error == MET_OK) {
        error = met__settle_write(run);
    }
""", """    if (error == MET_OK) {
        error = met__settle_write(run);
    }
"""),
        ("meter/settlement.c",
         """    met_error error = met__txn_begin(run->store, 1, &run->txn);
""", """    met_error error = met__txn_begin(run->store, 0, &run->txn);
    if (error == MET_OK) {
        error = fill(run, numbers, count, next);
        met__txn_abort(run->txn);
    }
    if (error == MET_OK) {
        error = met__txn_begin(run->store, 1, &run->txn);
    }
""")],
    # The closed epoch is looked at after the cells.
    "cells_first": [
        ("meter/settle_slot.c",
         """    slot->is_read = 1;
    return MET_OK;
""", """    slot->is_read = 1;
    (void)met__slot_refresh(&slot->slot);
    slot->closed_epoch = met__load_acquire(
        &met__slot_owner_of(&slot->slot)->closed_epoch);
    return MET_OK;
""")],
    # An older copy, back after a power cut, replaces a newer part.
    "lower_sequence": [
        ("meter/settle_batch.c",
         "cell->sequence <= stored[MET__PART_SEQUENCE]",
         "cell->sequence == stored[MET__PART_SEQUENCE]")],
    # A commit is acknowledged before it is on the disk.
    "no_sync": [
        ("store/store_open.c", "path, MDB_NOTLS, 0600)",
         "path, MDB_NOTLS | MDB_NOSYNC, 0600)")],
    # What was taken before is taken again.
    "no_ids": [
        ("meter/event_ingest.c",
         "if (error == MET_OK && is_duplicate) {",
         "if (error == MET_OK && is_duplicate && utc_ns < 0) {")],
    # One request of many is forgotten when it is completed.
    "forgotten": [
        ("gateway/complete.c", "        error = record(c);\n    } else {",
         """        static uint64_t turn;
        error = ++turn % 64 == 0 ? MET_OK : record(c);
    } else {""")],
    # A settler takes cells away and adds them to what is stored; the owner
    # counts on from what it finds.
    "swap_to_zero": [
        ("meter/settle_slot.c",
         """            error = keep_cell(run, slot_index, copy);
        }
        if (found""", """            error = keep_cell(run, slot_index, copy);
            met__atomic_u64 *taken = met__slot_copy(
                &slot->slot, slot->segment, cell_class, slot->index, 0);
            for (uint32_t i = 0; i < 2 * met__cell_class_words(cell_class);
                 i++) {
                met__store_relaxed(taken + i, 0);
            }
        }
        if (found"""),
        ("meter/settle_batch.c",
         "    words[MET__PART_COUNT] = cell->count;\n",
         """    words[MET__PART_COUNT] =
        cell->count + (found == MET_OK ? stored[MET__PART_COUNT] : 0);
"""),
        ("meter/settle_batch.c",
         " * MET__QUANTITY_WORDS * sizeof *words);\n    }\n",
         """ * MET__QUANTITY_WORDS * sizeof *words);
        if (found == MET_OK) {
            uint64_t *sum = words + MET__PART_QUANTITIES + MET__QUANTITY_SUM;
            met__amount_set(sum, met__amount_get(sum)
                                     + met__amount_get(
                                         stored + MET__PART_QUANTITIES
                                         + MET__QUANTITY_SUM));
        }
    }
"""),
        ("meter/settle_batch.c", '#include "base/check.h"\n',
         '#include "base/check.h"\n#include "meter/amount.h"\n'),
        ("meter/recorder.c",
         "    words[MET__COPY_COUNT] = record->count + 1;\n",
         """    words[MET__COPY_COUNT] =
        1 + (record->count == 0
                 ? 0
                 : met__load_relaxed(
                     met__slot_copy(&recorder->slot, segment,
                                    type->cell_class, index,
                                    record->sequence & 1)
                     + MET__COPY_COUNT));
""")],
}


def main():
    bug, out = sys.argv[1], pathlib.Path(sys.argv[2])
    texts = {}
    for name, old, new in BUGS[bug]:
        text = texts.get(name) or (LIBRARY / name).read_text()
        if text.count(old) != 1:
            sys.exit(f"plant.py: {bug}: {name} has this {text.count(old)} "
                     f"times:\n{old}")
        texts[name] = text.replace(old, new)
    out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (out / pathlib.Path(name).name).write_text(text)


if __name__ == "__main__":
    main()
