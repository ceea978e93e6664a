/* Settlement: one slot file, recorders that claim it one after the other,
 * settlers that race, a compactor that folds parts nobody may write again.
 * Checked: when all is over, the parts hold every acknowledged event exactly
 * once.
 *
 * Every process may stop for good wherever MAY_DIE stands (a kill; DEATHS of
 * them), a recorder between any two events, and everybody may stand still
 * anywhere for as long as he likes (Spin does that by itself).
 *
 * POWER: the first recorder and its settlement end in a power cut, which leaves
 * of every word and copy any state it ever had, or a torn copy. Then all that
 * was settled must still be there, all that was acknowledged later, and nothing
 * twice.
 *
 * -D switches that plant one bug each:
 *   BUG_CELLS_FIRST       closed_epoch is loaded after the cells
 *   BUG_RECYCLE_CLOSED    the recorder takes cells again once they are closed
 *   BUG_EPOCHS_RESTART    a new generation begins at epoch 1
 *   BUG_NO_SETTLED        cells of settled epochs are written again
 *   BUG_NO_RETIRE         cells of retired generations are written again
 *   BUG_READ_BEFORE_LOCK  the slot is read, then the transaction begins
 *   BUG_LOWER_SEQUENCE    a part is written whatever its sequence (POWER)
 *   BUG_OTHER_COPY_FIRST  the copy in force is the one written (POWER) */
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef EVENTS
#define EVENTS 2
#endif
#define CELLS 2
#define EPOCHS 6
#define PART(g, e, c) ((((g) - 1) * EPOCHS + (e)) * CELLS + (c))
#define PARTS 24 /* generations 1 and 2 */
#define FORCE(c) (2 * (c) + sequence[c] % 2)

/* The slot file. A copy that is being written is not whole. */
byte generation, closed, published, freed;
byte sequence[CELLS];
byte copy_generation[4], copy_epoch[4], copy_count[4], copy_sequence[4];
bit torn[4];
bit slot_lock, store_lock;

#define IS_FREED (freed == generation && freed_boot == boot)
#ifdef POWER
bit boot, file_boot, freed_boot;
/* What of it is on the disk: whether a write gets there is chosen when it is
 * made, so in the end every word has any of its values. */
byte disk_generation, disk_closed, disk_published, disk_sequence[CELLS];
byte disk_copy_generation[4], disk_epoch[4], disk_count[4];
byte disk_copy_sequence[4];
byte settled_then, acknowledged_then;
bit in_flight, in_flight_then;
#define FLUSH(word) if :: !boot -> disk_##word = word :: true fi
#define OTHERS 2 /* processes beside the second recorder */
#define IS_OTHER_BOOT (adopted && file_boot != boot)
#else
#define OTHERS 3
#define boot 0
#define freed_boot 0
#define FLUSH(word) skip
#define IS_OTHER_BOOT false
#endif

/* The store. */
byte part[PARTS], part_sequence[PARTS], settled[3], folded;
bit retired[3];

byte acknowledged, deaths = DEATHS, ended;

#define MAY_DIE if :: deaths > 0 -> deaths--; goto dead :: true fi

/* --- Settlement ------------------------------------------------------------ */
inline take_copy(c)
{
    g[c] = copy_generation[k]; e[c] = copy_epoch[k];
    n[c] = copy_count[k]; s[c] = copy_sequence[k]
}

inline read_cell(c)
{
    was = sequence[c];
    d_step { /* a torn or changing copy is seen by its checksum */
        k = 2 * c + was % 2;
        take_copy(c);
        is_torn = torn[k]; k = 0
    }
    d_step {
        if
        :: is_torn && IS_OTHER_BOOT -> /* the other one, if it is whole */
           k = 2 * c + 1 - was % 2;
           if :: torn[k] -> g[c] = 0 :: else -> take_copy(c) fi;
           k = 0
        :: else ->
           if
           :: is_torn || sequence[c] != was -> whole = 0; g[c] = 0
           :: else -> skip
           fi
        fi;
        was = 0; is_torn = 0
    }
}

#ifdef BUG_NO_SETTLED
#define IS_OVER(g, e) retired[g]
#elif defined(BUG_NO_RETIRE)
#define IS_OVER(g, e) ((e) <= settled[g])
#else
#define IS_OVER(g, e) (retired[g] || (e) <= settled[g])
#endif
#ifdef BUG_LOWER_SEQUENCE
#define IS_NEW(c) true
#else
#define IS_NEW(c) (s[c] > part_sequence[PART(g[c], e[c], c)])
#endif

/* In a transaction: nobody sees it before the commit, so it is one step. */
inline write_part(c)
{
    if
    :: g[c] > 0 && !IS_OVER(g[c], e[c]) && IS_NEW(c) ->
       part[PART(g[c], e[c], c)] = n[c];
       part_sequence[PART(g[c], e[c], c)] = s[c]
    :: else -> skip
    fi
}

inline mark(which)
{
    if
    :: which > 0 && !retired[which] ->
       if :: seen > settled[which] -> settled[which] = seen :: else fi;
       retired[which] = adopted
    :: else -> skip
    fi
}

inline begin_transaction()
{
    atomic { store_lock == 0 -> store_lock = 1 };
    if
    :: IS_FREED -> store_lock = 0; goto dead
    :: else -> skip
    fi;
    atomic {
        if :: slot_lock == 0 -> slot_lock = 1; adopted = 1 :: else fi
    }
}

inline read_slot()
{
    whole = 1;
#ifndef BUG_CELLS_FIRST
    seen = closed;
#endif
    read_cell(0); read_cell(1);
#ifdef BUG_CELLS_FIRST
    seen = closed;
#endif
}

inline settle_pass()
{
#ifdef BUG_READ_BEFORE_LOCK
    read_slot();
    begin_transaction();
#else
    begin_transaction();
    read_slot();
#endif
    if
    :: deaths > 0 -> atomic { deaths--; store_lock = 0; goto dead }
    :: true
    fi;
    d_step { /* the commit */
        write_part(0); write_part(1);
        if
        :: whole ->
           mark(g[0]); mark(g[1]);
           if :: adopted -> mark(generation) :: else fi
        :: else -> skip
        fi;
        store_lock = 0;
        g[0] = 0; g[1] = 0; e[0] = 0; e[1] = 0;
        n[0] = 0; n[1] = 0; s[0] = 0; s[1] = 0
    };
    MAY_DIE;
    if
    :: whole ->
       atomic {
           if :: seen > published -> published = seen; FLUSH(published)
           :: else fi
       };
       if
       :: adopted ->
          MAY_DIE;
#ifdef POWER
          freed_boot = boot;
#endif
          freed = generation
       :: else -> skip
       fi
    :: else -> skip
    fi;
    d_step { seen = 0; whole = 0 }
}

#define SETTLER_LOCALS byte was, k, seen, g[2], e[2], n[2], s[2]; \
    bit is_torn, whole, adopted

inline let_go()
{
    d_step {
        if :: adopted -> slot_lock = 0; adopted = 0 :: else fi;
        was = 0; k = 0; seen = 0; is_torn = 0; whole = 0;
        g[0] = 0; g[1] = 0; e[0] = 0; e[1] = 0;
        n[0] = 0; n[1] = 0; s[0] = 0; s[1] = 0;
        ended++
    }
}

proctype settler()
{
    SETTLER_LOCALS;

    settle_pass();
dead: skip;
    let_go()
}

/* One transaction: parts that nobody may write again become one sum. */
inline fold()
{
    d_step {
        i = 0;
        do
        :: i < PARTS ->
           if
           :: (retired[i / (EPOCHS * CELLS) + 1]
                || i / CELLS % EPOCHS <= settled[i / (EPOCHS * CELLS) + 1]) ->
              folded = folded + part[i];
              part[i] = 0; part_sequence[i] = 0
           :: else -> skip
           fi;
           i++
        :: else -> break
        od;
        i = 0
    }
}

proctype compactor()
{
    byte i;

    atomic { store_lock == 0 -> fold() }
}

/* --- Recorders ------------------------------------------------------------- */
#ifdef BUG_RECYCLE_CLOSED
#define REUSABLE closed
#else
#define REUSABLE published
#endif
#define IS_FREE(c) (copy_generation[FORCE(c)] != me \
    || copy_epoch[FORCE(c)] <= REUSABLE)
#ifdef BUG_OTHER_COPY_FIRST
#define WRITTEN(c) FORCE(c)
#else
#define WRITTEN(c) (2 * (c) + (sequence[c] + 1) % 2)
#endif

inline find_first_epoch()
{
    d_step {
#ifndef BUG_EPOCHS_RESTART
        do
        :: i < 4 ->
           if :: !torn[i] && copy_epoch[i] >= epoch -> epoch = copy_epoch[i] + 1
           :: else fi;
           i++
        :: else -> break
        od;
        if :: closed >= epoch -> epoch = closed + 1 :: else fi;
        if :: published >= epoch -> epoch = published + 1 :: else fi;
#endif
        i = 0;
        do /* cells that cannot be read are wiped */
        :: i < CELLS ->
           if
           :: torn[FORCE(i)] ->
              k = 2 * i;
              copy_generation[k] = 0; copy_epoch[k] = 0; torn[k] = 0;
              copy_generation[k + 1] = 0; copy_epoch[k + 1] = 0;
              torn[k + 1] = 0; k = 0
           :: else -> skip
           fi;
           i++
        :: else -> break
        od;
        i = 0
    }
}

inline count_event()
{
    d_step {
        if
        :: mine < CELLS
        :: mine == CELLS && IS_FREE(0) -> mine = 0; k = 1
        :: mine == CELLS && !IS_FREE(0) && IS_FREE(1) -> mine = 1; k = 1
        :: else -> skip
        fi
    };
    if
    :: mine < CELLS ->
       d_step { was = WRITTEN(mine); torn[was] = 1 };
       MAY_DIE;
       atomic {
           copy_count[was] = (k -> 1 : copy_count[FORCE(mine)] + 1);
           copy_generation[was] = me; copy_epoch[was] = epoch;
           copy_sequence[was] = sequence[mine] + 1;
           torn[was] = 0; k = 0;
#ifdef POWER
           in_flight = 1;
           if
           :: !boot ->
              disk_copy_generation[was] = me; disk_epoch[was] = epoch;
              disk_count[was] = copy_count[was];
              disk_copy_sequence[was] = copy_sequence[was]
           :: true
           fi
#endif
       };
       MAY_DIE;
       atomic { /* published, and so acknowledged */
           sequence[mine] = sequence[mine] + 1;
           FLUSH(sequence[mine]);
           acknowledged++; was = 0;
#ifdef POWER
           in_flight = 0
#endif
       }
    :: else /* the tally is full: refused, not counted */
    fi
}

#ifdef POWER
inline load_copy(which)
{
    torn[which] = 0;
    if
    :: true
    :: disk_copy_generation[which] > 0 ->
       torn[which] = 1;
       disk_epoch[which] = 0; disk_count[which] = 0;
       disk_copy_sequence[which] = 0; disk_copy_generation[which] = 0
    fi;
    copy_generation[which] = disk_copy_generation[which];
    copy_epoch[which] = disk_epoch[which];
    copy_count[which] = disk_count[which];
    copy_sequence[which] = disk_copy_sequence[which];
    disk_copy_generation[which] = 0; disk_epoch[which] = 0;
    disk_count[which] = 0; disk_copy_sequence[which] = 0
}

inline cut_power()
{
    atomic {
        boot = 1; store_lock = 0; deaths = 0;
        load_copy(0); load_copy(1); load_copy(2); load_copy(3);
        sequence[0] = disk_sequence[0]; sequence[1] = disk_sequence[1];
        closed = disk_closed; published = disk_published;
        generation = disk_generation; freed = 0;
        acknowledged_then = acknowledged; in_flight_then = in_flight;
        do
        :: i < PARTS -> settled_then = settled_then + part[i]; i++
        :: else -> break
        od;
        settled_then = settled_then + folded;
        i = 0;
        disk_sequence[0] = 0; disk_sequence[1] = 0; disk_closed = 0;
        disk_published = 0; disk_generation = 0;
        run recorder(2); run settler(); run audit()
    }
}
#endif

/* Recorder `me` is also the number of its generation. */
proctype recorder(byte me)
{
    SETTLER_LOCALS;
    byte epoch = 1, mine = CELLS, i, events = EVENTS, closings = 1;
    byte passes = 2;

    if
    :: atomic {
           slot_lock == 0 && IS_FREED && (me == 1 || ended > 0) ->
           slot_lock = 1
       }
    :: ended == OTHERS -> goto nothing /* it goes to another slot */
    fi;
    find_first_epoch();
#ifdef POWER
    file_boot = boot;
#endif
    atomic { generation = me; FLUSH(generation) };
#ifdef BUG_EPOCHS_RESTART
    closed = 0;
#endif
    do
    :: events > 0 -> events--; count_event()
    :: closings > 0 && mine < CELLS && epoch < EPOCHS - 1 ->
       closings--; mine = CELLS;
       atomic { closed = epoch; FLUSH(closed) };
       epoch++
#ifdef POWER
    :: me == 1 && passes > 0 -> passes--; settle_pass()
    :: me == 1 -> fold()
#endif
    :: break
    od;
dead: skip;
    d_step { slot_lock = 0 };
nothing: skip;
    d_step {
        epoch = 0; mine = 0; i = 0; events = 0; closings = 0; passes = 0
    };
    let_go();
#ifdef POWER
    if :: me == 1 -> cut_power() :: else fi
#endif
}

/* Afterwards one more settler adopts the slot; then everything is counted. */
proctype audit()
{
    SETTLER_LOCALS;
    byte i, total;

    ended == OTHERS + 1;
    deaths = 0;
    settle_pass();
dead: skip;
    d_step {
        do
        :: i < PARTS -> total = total + part[i]; i++
        :: else -> break
        od;
        total = total + folded
    };
#ifdef POWER
    assert(total >= settled_then + acknowledged - acknowledged_then);
    assert(total <= acknowledged + in_flight_then)
#else
    assert(total == acknowledged)
#endif
}

init
{
    atomic {
#ifdef POWER
        run recorder(1)
#else
        run recorder(1); run recorder(2); run settler(); run settler();
        run compactor(); run audit()
#endif
    }
}
