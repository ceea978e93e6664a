/* One quota cell whose grants change inside a period, and what is left of the
 * period given in the next: requests with kills, grants and voids by one writer
 * at a time, a minute that comes, the seal of a period that is over.
 * quota.pml has what is common to all: slices, releases, true costs. Checked, at
 * every admission: no more is held and used than was granted at some moment of
 * the request, and both periods together never give more than there was.
 *
 * -D switches that plant one bug each:
 *   BUG_LATER_FIRST    the writer sets what comes later before what is now
 *   BUG_NO_SEAL        the old period only has its granted taken away
 *   BUG_READ_THEN_SEAL taken is read first, and the seal set by another step
 *   BUG_OTHER_WAY      what is left over is given without what is under way */
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef REQUESTS
#define REQUESTS 3
#endif
#define WHOLE 4
#define LESS 2

/* The first period: granted now, and from the minute on (0: nothing changes);
 * taken with its seal. The second: granted when it is ready. */
byte granted = WHOLE, later;
byte taken;
bit is_sealed;
byte granted_next, taken_next;
bit is_ready;

/* The books. */
byte held, used, held_next, used_next, settled;
/* What is granted by right, changed before the cell is told of less and after
 * it was told of more. */
byte right = WHOLE, right_later = WHOLE;
bit minute; /* it has come */
byte deaths = DEATHS, ended;

#define MAY_DIE if :: deaths > 0 -> deaths--; goto dead :: true fi

proctype request(byte cost; bit in_next)
{
    byte seen_granted, seen_later, seen_taken, bound;
    bit after, is_held, sealed;

    /* By its clock the minute has come, or not. */
    d_step {
        after = minute;
        bound = right;
        if :: after && right_later < bound -> bound = right_later :: else fi
    };
    if :: in_next -> goto next :: else -> skip fi;
    do
    :: true ->
       seen_later = later;
       seen_granted = granted;
       if :: after && seen_later > 0 -> seen_granted = seen_later - 1
          :: else -> skip fi;
       d_step { seen_taken = taken; sealed = is_sealed };
       if
       :: sealed || seen_taken + cost > seen_granted -> goto gone
       :: else -> skip
       fi;
       atomic {
           if
           :: taken == seen_taken && is_sealed == sealed ->
              taken = taken + cost; held = held + cost; is_held = 1;
              assert(held + used <= bound);
              assert(held + used + held_next + used_next <= WHOLE);
              MAY_DIE
           :: else -> skip
           fi
       };
       if :: is_held -> break :: else -> skip fi
    od;
    if
    :: atomic { held = held - cost; used = used + cost; MAY_DIE }
    :: atomic { held = held - cost; MAY_DIE }; /* released */
       taken = taken - cost
    fi;
    goto gone;
next: skip;
    is_ready == 1 || ended >= REQUESTS - 1;
    do
    :: true ->
       if :: !is_ready -> goto gone :: else -> skip fi;
       seen_taken = taken_next;
       if :: seen_taken + cost > granted_next -> goto gone :: else -> skip fi;
       atomic {
           if
           :: taken_next == seen_taken ->
              taken_next = taken_next + cost; used_next = used_next + cost;
              assert(held + used + held_next + used_next <= WHOLE);
              break
           :: else -> skip
           fi
       }
    od;
    goto gone;
dead: skip;
gone: skip;
    d_step {
        /* The dead one's cost is withheld: it can be given to nobody. */
        seen_granted = 0; seen_later = 0; seen_taken = 0; bound = 0;
        after = 0; is_held = 0; sealed = 0;
        ended++
    }
}

/* The store's one writer: at any moment it may be killed, and another one does
 * its work again from what is stored. */
inline tell(now, then)
{
#ifdef BUG_LATER_FIRST
    later = then;
    atomic { granted = now; MAY_DIE }
#else
    granted = now;
    atomic { later = then; MAY_DIE }
#endif
}

proctype writer()
{
    byte seen, given;
    bit again;

begin: skip;
#ifdef CARRY
#ifdef BUG_NO_SEAL
    granted = 0;
    seen = taken;
#else
#ifdef BUG_READ_THEN_SEAL
    seen = taken;
    is_sealed = 1;
#else
    atomic { seen = taken; is_sealed = 1; MAY_DIE };
#endif
#endif
#ifdef BUG_OTHER_WAY
    seen = used;
#endif
    given = WHOLE - seen;
    atomic { granted_next = given; is_ready = 1; MAY_DIE };
#else
    /* A grant that ends at the minute is known ahead; whoever does the work
     * again goes by his clock. */
    if
    :: !minute -> right_later = LESS; tell(WHOLE, LESS + 1); minute = 1
    :: else -> skip
    fi;
    /* The settlement of that minute. */
    right = LESS;
    tell(LESS, 0);
#endif
    goto over;
dead: skip;
    if :: !again -> again = 1; goto begin :: else -> skip fi;
over: skip;
    d_step { seen = 0; given = 0; again = 0 }
}

init
{
    atomic {
#ifdef CARRY
        run request(1, 0); run request(2, 0); run request(3, 1);
#else
        run request(1, 0); run request(2, 0);
#if REQUESTS > 2
        run request(1, 0);
#endif
#endif
        run writer()
    }
}
