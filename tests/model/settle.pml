/* Settlement: one slot file, recorders that claim it one
 * after the other, settlers that race. Checked: when all is over, the parts
 * hold every acknowledged event exactly once.
 *
 * Every process may stop for good wherever MAY_DIE stands (a kill; DEATHS of
 * them), and may stand still anywhere for as long as it likes (Spin does that
 * by itself). -D switches that plant one bug each:
 *   BUG_CELLS_FIRST       closed_epoch is loaded after the cells
 *   BUG_RECYCLE_CLOSED    the recorder takes cells again once they are closed
 *   BUG_EPOCHS_RESTART    a new generation begins at epoch 1
 */
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef EVENTS
#define EVENTS 2
#endif
#define CELLS 2
#define EPOCHS 6
#define PART(g, e, c) (((g) * EPOCHS + (e)) * CELLS + (c))
#define PARTS 36 /* generations 1 and 2 */
#define FORCE(c) (2 * (c) + sequence[c] % 2)

/* The slot file. A copy that is being written is not whole. */
byte generation, closed, published;
byte sequence[CELLS];
byte copy_generation[4], copy_epoch[4], copy_count[4], copy_sequence[4];
bit torn[4];
bit slot_lock, store_lock;

/* The store. */
byte part[PARTS], part_sequence[PARTS], settled[3];
bit retired[3];

byte acknowledged, deaths = DEATHS, ended;

#define MAY_DIE if :: deaths > 0 -> deaths--; goto dead :: true fi

inline read_cell(c)
{
    was = sequence[c];
    d_step { /* a torn or changing copy is seen by its checksum */
        k = 2 * c + was % 2;
        g[c] = copy_generation[k]; e[c] = copy_epoch[k];
        n[c] = copy_count[k]; s[c] = copy_sequence[k];
        is_torn = torn[k]; k = 0
    }
    d_step {
        if
        :: is_torn || sequence[c] != was -> whole = 0; g[c] = 0
        :: else -> skip
        fi;
        was = 0; is_torn = 0
    }
}

#define IS_OVER(c) (g[c] == 0 || retired[g[c]] || e[c] <= settled[g[c]])

/* In a transaction: nobody sees it before the commit, so it is one step. */
inline write_part(c)
{
    if
    :: IS_OVER(c) -> skip
    :: else ->
       if
       :: s[c] > part_sequence[PART(g[c], e[c], c) - 12] ->
          part[PART(g[c], e[c], c) - 12] = n[c];
          part_sequence[PART(g[c], e[c], c) - 12] = s[c]
       :: else -> skip
       fi
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

/* One pass; adopted: the caller holds the slot's lock. */
inline settle_pass()
{
    whole = 1;
    atomic { store_lock == 0 -> store_lock = 1 };
#ifndef BUG_CELLS_FIRST
    seen = closed;
#endif
    read_cell(0); read_cell(1);
#ifdef BUG_CELLS_FIRST
    seen = closed;
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
    :: whole && seen > published -> published = seen /* two steps */
    :: else -> skip
    fi;
    d_step { seen = 0; whole = 0 }
}

#define SETTLER_LOCALS byte was, k, seen, g[2], e[2], n[2], s[2]; \
    bit is_torn, whole, adopted

proctype settler()
{
    SETTLER_LOCALS;

    atomic { if :: slot_lock == 0 -> slot_lock = 1; adopted = 1 :: true fi };
    settle_pass();
dead: skip;
    d_step {
        if :: adopted -> slot_lock = 0; adopted = 0 :: else fi;
        ended++
    }
}

/* Recorder `me` is also the number of its generation. */
#ifdef BUG_RECYCLE_CLOSED
#define REUSABLE closed
#else
#define REUSABLE published
#endif
#define IS_FREE(c) (copy_generation[FORCE(c)] == 0 \
    || copy_epoch[FORCE(c)] <= REUSABLE)

proctype recorder(byte me)
{
    SETTLER_LOCALS;
    byte epoch = 1, mine = CELLS, i, events = EVENTS, closings = 1;

    atomic {
        slot_lock == 0 && (me == 1 || ended > 0) -> slot_lock = 1
    };
    if
    :: generation > 0 && !retired[generation] ->
       adopted = 1; settle_pass(); adopted = 0
    :: else -> skip
    fi;
    if
    :: generation > 0 && !retired[generation] -> goto dead /* not whole */
    :: else -> skip
    fi;
#ifndef BUG_EPOCHS_RESTART
    d_step {
        do
        :: i < 4 ->
           if :: copy_epoch[i] >= epoch -> epoch = copy_epoch[i] + 1
           :: else fi;
           i++
        :: else -> break
        od;
        if :: closed >= epoch -> epoch = closed + 1 :: else fi;
        if :: published >= epoch -> epoch = published + 1 :: else fi
    };
#endif
    generation = me;
#ifdef BUG_EPOCHS_RESTART
    closed = 0;
#endif
    do
    :: events > 0 ->
       events--;
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
          d_step {
              was = 2 * mine + (sequence[mine] + 1) % 2;
              torn[was] = 1
          };
          MAY_DIE;
          d_step {
              copy_count[was] = (k -> 1 : copy_count[FORCE(mine)] + 1);
              copy_generation[was] = me; copy_epoch[was] = epoch;
              copy_sequence[was] = sequence[mine] + 1;
              torn[was] = 0; k = 0
          };
          MAY_DIE;
          d_step { /* published, and so acknowledged */
              sequence[mine] = sequence[mine] + 1;
              acknowledged++; was = 0
          }
       :: else /* the tally is full: refused, not counted */
       fi
    :: closings > 0 && mine < CELLS && epoch < EPOCHS - 1 ->
       closings--; mine = CELLS;
       closed = epoch;
       epoch++
    :: break
    od;
dead: skip;
    d_step { slot_lock = 0; ended++ }
}

/* Afterwards one more settler adopts the slot; then everything is counted. */
proctype audit()
{
    SETTLER_LOCALS;
    byte i, total;

    ended == 4;
    d_step { deaths = 0; adopted = 1 };
    settle_pass();
dead: skip;
    d_step {
        do
        :: i < PARTS -> total = total + part[i]; i++
        :: else -> break
        od
    };
    assert(total == acknowledged)
}

init
{
    atomic {
        run recorder(1); run recorder(2); run settler(); run settler();
        run audit()
    }
}
