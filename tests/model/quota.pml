/* One side of a quota cell: requests that are admitted, completed or released,
 * slices of time that pass, settlement that overwrites base (the cell keeps
 * LIMIT - base, which is one word as base is here), and the next period
 * that is prepared in the same place. Checked: the last unit is never given
 * twice (at every admission, and taken is never below what was recorded); what
 * dead requests leave behind is at most their costs; without a kill, when all is
 * over, nothing is left behind.
 *
 * A compare-and-swap that is tried until it succeeds is one step. A process may
 * die wherever MAY_DIE stands. A request does not outlive two slices. tag:
 * which period a word belongs to; number 2 stands for the one two later.
 *
 * -D switches that plant one bug each:
 *   BUG_BUCKET_FIRST       admit adds to the bucket, then to taken
 *   BUG_RAISE_AFTER        complete records more than taken holds, then raises
 *   BUG_SUBTRACT_FIRST     expiry takes from taken, then empties the bucket
 *   BUG_BUCKET_EARLY       a bucket one slice old counts as over
 *   BUG_NO_TAG             words do not say which period they belong to
 *   BUG_BASE_ADDED         settlement adds to base instead of overwriting */
#ifndef DEATHS
#define DEATHS 2
#endif
/* ROLL: the next period comes; else: slices pass and base changes. */
#ifdef ROLL
#define SLICES 0
#define IS_CURRENT (number == period && !preparing)
#define PERIOD if :: period = 1 :: period = 2 fi
#define PASSES 0
#else
#define SLICES 2
#define IS_CURRENT true
#define PERIOD period = 1
#define PASSES 2
#endif
#define LIMIT 2
#ifndef REQUESTS
#define REQUESTS 2
#endif
#ifdef BUG_NO_TAG
#define IS_OURS(tag) true
#else
#define IS_OURS(tag) (tag == period)
#endif
#ifdef BUG_BUCKET_EARLY
#define IS_OVER(x) (bucket_slice[x] + 1 <= born)
#else
#define IS_OVER(x) (bucket_slice[x] + 2 <= born)
#endif

/* The cell. */
byte number = 1;
bit preparing;
byte base_tag = 1, base, taken_tag = 1;
short taken;
byte bucket_tag[2] = 1, bucket_slice[2];
short bucket[2];

/* The books: by period. */
byte used[3], held[3], excess[3], lost[3];
byte outside; /* settled usage of period 1 that was not admitted */

byte slice, living[SLICES + 1], deaths = DEATHS, ended;

#define MAY_DIE if :: deaths > 0 -> deaths--; goto dead :: true fi

inline give_back(amount)
{
    d_step {
        if
        :: IS_OURS(taken_tag) -> taken = taken - amount
        :: else -> skip
        fi;
        amount = 0
    }
}

inline empty_bucket(x)
{
#ifdef BUG_SUBTRACT_FIRST
    atomic {
        if
        :: IS_OURS(bucket_tag[x]) && bucket[x] != 0 && IS_OVER(x) ->
           dropped = bucket[x]; taken = taken - dropped; MAY_DIE
        :: else -> skip
        fi
    };
    d_step { if :: dropped > 0 -> bucket[x] = 0 :: else fi; dropped = 0 }
#else
    atomic {
        if
        :: IS_OURS(bucket_tag[x]) && bucket[x] != 0 && IS_OVER(x) ->
           dropped = bucket[x]; bucket[x] = 0; MAY_DIE
        :: else -> skip
        fi
    };
    if
    :: dropped > 0 -> give_back(dropped)
    :: else -> skip
    fi
#endif
}

inline add_to_bucket()
{
    atomic {
        x = born % 2;
        if
        :: IS_OURS(bucket_tag[x]) ->
           if
           :: bucket[x] == 0 || IS_OVER(x) ->
              dropped = bucket[x]; bucket[x] = 0; bucket_slice[x] = born
           :: else -> skip
           fi;
           bucket[x] = bucket[x] + cost;
           at = bucket_slice[x]; in_bucket = 1
        :: else -> skip
        fi;
        x = 0;
        MAY_DIE
    };
    if
    :: dropped > 0 -> give_back(dropped)
    :: else -> skip
    fi
}

/* has: what taken still holds for us. */
inline take_out()
{
    atomic {
        x = at % 2;
        if
        :: !in_bucket -> has = cost
        :: (in_bucket && IS_OURS(bucket_tag[x]) && bucket_slice[x] == at
             && bucket[x] >= cost) ->
           bucket[x] = bucket[x] - cost; has = cost
        :: else -> has = 0
        fi;
        x = 0; in_bucket = 0;
        MAY_DIE
    }
}

/* Every word goes on from the tag before; whoever comes later changes nothing
 * but base, and only settlement. */
inline prepare(is_settlement)
{
    atomic {
        if :: number == 1 -> number = 2; preparing = 1 :: else fi;
        MAY_DIE
    };
    atomic {
        if
        :: base_tag == 1 || is_settlement -> base_tag = 2; base = 0
        :: else -> skip
        fi;
        MAY_DIE
    };
    atomic {
        if :: taken_tag == 1 -> taken_tag = 2; taken = 0 :: else fi;
        MAY_DIE
    };
    d_step {
        if
        :: bucket_tag[0] == 1 ->
           bucket_tag[0] = 2; bucket[0] = 0; bucket_slice[0] = 0
        :: else -> skip
        fi
    };
    d_step {
        if
        :: bucket_tag[1] == 1 ->
           bucket_tag[1] = 2; bucket[1] = 0; bucket_slice[1] = 1
        :: else -> skip
        fi
    };
    preparing = 0
}

inline decide()
{
    do
    :: true ->
       d_step {
           seen_base = base; has = 0;
           if :: base_tag != period -> has = 1 :: else fi
       };
       if
       :: has -> has = 0; goto gone
       :: else -> skip
       fi;
       d_step {
           seen_taken = taken;
           if :: taken_tag != period -> has = 1 :: else fi
       };
       if
       :: has -> has = 0; goto gone
       :: else -> skip
       fi;
       if
       :: seen_taken + cost > LIMIT - seen_base -> goto refused
       :: else -> skip
       fi;
       atomic {
           if
           :: taken == seen_taken && IS_OURS(taken_tag) ->
              taken = seen_taken + cost; is_held = 1;
              held[period] = held[period] + cost;
              assert(held[period] + used[period]
                     <= LIMIT - seen_base + excess[period]);
              MAY_DIE
           :: else -> skip
           fi
       };
       if :: is_held -> break :: else -> skip fi
    od
}

inline record()
{
    atomic {
        used[period] = used[period] + truth;
        held[period] = held[period] - cost;
        if
        :: truth > cost -> excess[period] = excess[period] + truth - cost
        :: else -> skip
        fi;
        is_held = 0;
        assert(!IS_CURRENT || taken >= used[period]);
        MAY_DIE
    }
}

proctype request(byte cost)
{
    byte period, truth, born, at, x, has, dropped, seen_base;
    short seen_taken;
    bit in_bucket, is_held, is_alive = 1;

    atomic { born = slice; living[born]++ };
    PERIOD;
#ifdef ROLL
    if
    :: period == 2 && !IS_CURRENT -> prepare(0)
    :: else -> skip
    fi;
#endif
#ifdef ROLL
    if :: IS_CURRENT -> skip :: else -> goto gone fi;
#endif
    empty_bucket(0);
    empty_bucket(1);
#ifdef BUG_BUCKET_FIRST
    add_to_bucket();
#endif
    decide();
#ifndef BUG_BUCKET_FIRST
    add_to_bucket();
#endif
    if
    :: truth = 0 :: truth = cost + 1
    :: goto release
    fi;
#ifdef ROLL
    if
    :: !IS_CURRENT -> record(); goto gone
    :: else -> skip
    fi;
#endif
    take_out();
#ifdef BUG_RAISE_AFTER
    record();
#endif
    if
    :: truth > has ->
       atomic {
           if
           :: IS_OURS(taken_tag) -> taken = taken + truth - has
           :: else -> skip
           fi;
           has = truth;
           MAY_DIE
       }
    :: else -> skip
    fi;
#ifndef BUG_RAISE_AFTER
    record();
#endif
    has = has - truth;
    if :: IS_CURRENT -> give_back(has) :: else -> skip fi;
    goto gone;
release: skip;
    d_step { held[period] = held[period] - cost; is_held = 0 };
    if
    :: IS_CURRENT -> take_out(); give_back(has)
    :: else -> skip
    fi;
    goto gone;
refused: skip;
#ifdef BUG_BUCKET_FIRST
    take_out();
#endif
    goto gone;
dead:
    is_alive = 0;
gone: skip;
    d_step {
        if
        :: is_held -> held[period] = held[period] - cost
        :: else -> skip
        fi;
        if
        :: !is_alive ->
           lost[period] = lost[period] + (truth > cost -> truth : cost)
        :: else -> skip
        fi;
        living[born]--;
        period = 0; cost = 0; truth = 0; born = 0; at = 0; has = 0;
        dropped = 0; seen_base = 0; seen_taken = 0; in_bucket = 0;
        is_held = 0; is_alive = 0;
        ended++
    }
}

proctype clock()
{
    do
    :: atomic {
           slice < SLICES && (slice == 0 || living[slice - 1] == 0) -> slice++
       }
    :: break
    od;
    ended++
}

proctype settlement()
{
    byte period = 1, passes = PASSES;

    do
    :: passes > 0 ->
       passes--;
       d_step {
           outside = 1;
           if
           :: base_tag == 1 ->
#ifdef BUG_BASE_ADDED
              base = base + outside
#else
              base = outside
#endif
           :: else -> skip
           fi
       }
#ifdef ROLL
    :: true -> prepare(1); break
#endif
    :: passes == 0 -> break
    od;
dead: skip;
    d_step { passes = 0; ended++ }
}

/* Two slices later somebody meets what is left in the buckets. */
proctype audit()
{
    byte p;

    ended == REQUESTS + 2;
    d_step {
        if
        :: !preparing && taken_tag == number ->
           p = number;
           taken = taken - bucket[0] - bucket[1];
           assert(held[p] == 0);
           assert(taken >= used[p]);
           assert(taken <= used[p] + lost[p]);
           assert(p == 2 || base <= outside)
        :: else -> skip
        fi
    }
}

init
{
    atomic {
        run request(1); run request(2);
#if REQUESTS == 3
        run request(1);
#endif
        run clock(); run settlement();
        run audit()
    }
}
