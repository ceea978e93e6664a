/* Rate limits in one shared table: sliding windows that never let more than
 * the limit through, for any number of threads and processes, decided in
 * nanoseconds without a lock. Works alone: no store is needed. */
#ifndef METERING_LIMITER_H
#define METERING_LIMITER_H

#include <stddef.h>
#include <stdint.h>

#include "metering/error.h"
#include "metering/export.h"
#include "metering/limiter_key.h"
#include "metering/platform.h"
#include "metering/types.h"

MET_BEGIN_DECLS

#define MET_LIMITER_WINDOWS_MAX 6
#define MET_LIMITER_LIMIT_MAX 1048576 /* of one window, also of a cost */
#define MET_LIMITER_WINDOW_NS_MIN 1000000 /* 1 ms */
#define MET_LIMITER_WINDOW_NS_MAX 31622400000000000 /* 366 days */
#define MET_LIMITER_POLICIES_MAX 1024 /* at the same time */
#define MET_LIMITER_SHAPES_MAX 255 /* distinct (limit, length, algorithm) */
#define MET_LIMITER_POLICY_NAME_SIZE_MAX 128
#define MET_LIMITER_HEADERS_SIZE 2560 /* room for the lines of any result */
#define MET_LIMITER_PARTITION_KEY_SIZE_MAX 32

/* How a window counts. */
enum {
    /* Every hit weighs until it is older than the window: at most `limit` hits
     * in any window, wherever it begins. The default. Up to 24 it refuses only
     * what would pass the limit; above, up to about 1 % earlier. */
    MET_LIMITER_SLIDING = 1,
    /* Two buckets, the older one weighted by what is left of it. What Kong and
     * Cloudflare call a sliding window; can let almost 2 * limit through. The
     * buckets begin at multiples of the length of monotonic_ns. */
    MET_LIMITER_SLIDING_COUNTER = 2,
    /* Windows begin at multiples of their length since 1970 in UTC. Can let
     * 2 * limit through around such a moment. */
    MET_LIMITER_FIXED_EPOCH = 3,
    /* Seconds, minutes, hours, days, months and years of the calendar in UTC:
     * 1 s, 60 s, 3,600 s, 86,400 s, 30 days, 365 days, which name them; a
     * month has its own number of days, and so has a year. */
    MET_LIMITER_CALENDAR_UTC = 4,
    /* Pacing: every hit is a debt, paid off evenly at limit / window_ns; the
     * debt has room for `limit` hits at once. Bursts of 10 at 100 a second are
     * limit 10 in 100 ms. Can let almost 2 * limit through in a window. */
    MET_LIMITER_GCRA = 5,
    /* Not how often but how many at once: what is allowed is held until
     * met_limiter_release gives it back, or, when its holder was killed, until
     * the lease window_ns is over, at the latest after two of them. Never more
     * than `limit` are held whose lease is not over. Cannot be charged. */
    MET_LIMITER_IN_FLIGHT = 6
};

/* What to do with a key for which the table has no room: nothing live is ever
 * thrown out, so this is a choice. Either way it is counted. */
enum {
    MET_LIMITER_FULL_OPEN = 1,  /* let it through uncounted; the default */
    MET_LIMITER_FULL_CLOSED = 2 /* refuse it */
};

/* Which clock is read for requests that bring no time. */
enum {
    /* The platform's: one clock for all users of the table; the default. */
    MET_LIMITER_CLOCK_EXACT = 1,
    /* The processor's counter, set by the system's clock every millisecond and
     * within 2 microseconds of it, for less than half of the price. What is
     * promised of a window then holds for one that is 4 microseconds shorter.
     * Where there is no steady counter, or the host has brought its own clock,
     * it means EXACT. Opening takes a millisecond longer. */
    MET_LIMITER_CLOCK_CHEAP = 2
};

/* Flags of a policy. */
enum {
    /* A refused request weighs like an admitted one in the windows that
     * refused it: a client that keeps hammering stays out. */
    MET_LIMITER_COUNT_DENIED = 1,
    /* Nobody is refused: is_allowed is 1, and reason, refused and wait_ns say
     * what would have been. A request that would have been refused counts as
     * it would have: not at all, unless refused ones count. */
    MET_LIMITER_WARN_ONLY = 2
};

/* Flags of a request. */
enum {
    /* Leave reset_ns and wait_ns at 0: saves the search for the oldest hit. */
    MET_LIMITER_BRIEF = 1
};

/* Why a request is not allowed, or allowed without being counted. */
enum {
    MET_LIMITER_REASON_NONE = 0,
    MET_LIMITER_REASON_LIMIT = 1, /* a window has no room: wait wait_ns */
    MET_LIMITER_REASON_NEVER = 2, /* cost is above a limit: waiting is no use */
    MET_LIMITER_REASON_TABLE_FULL = 3 /* is_allowed says what full_policy did */
};

/* Which lines met_limiter_headers_write writes; bits. Retry-After is always
 * among them when waiting helps. */
enum {
    MET_LIMITER_HEADERS_WINDOWS = 1,  /* X-RateLimit-Limit-<Name>, … */
    MET_LIMITER_HEADERS_REPORTED = 2, /* RateLimit-Limit, -Remaining, -Reset */
    MET_LIMITER_HEADERS_KONG = 3,     /* both; the default */
    /* RateLimit-Policy and RateLimit, structured fields after the tenth draft
     * of the IETF's HTTPAPI group. */
    MET_LIMITER_HEADERS_IETF = 4
};

/* Zero means default for every field; give path or memory. */
typedef struct met_limiter_config {
    size_t struct_size;
    /* A file, made when it is missing; NUL-terminated. On a memory file system
     * (/dev/shm) it costs no disk traffic. */
    const char *path;
    /* Or memory that all users share, aligned to 64 bytes, zeroed before its
     * first use, for example an nginx zone. Must outlive the limiter. */
    void *memory;
    size_t memory_size;
    /* Records: one per live key and window, 65 bytes each. 0 = 65,536 for a
     * new file, what is there for an existing one; memory: all that fits. */
    uint64_t capacity;
    uint32_t full_policy; /* MET_LIMITER_FULL_… */
    uint32_t clock;       /* MET_LIMITER_CLOCK_… */
    const met_platform *platform; /* copied; NULL: the library's own */
} met_limiter_config;

/* One window of a policy. Frozen; reserved must be 0. */
typedef struct met_limiter_window {
    uint64_t limit;     /* 1 … MET_LIMITER_LIMIT_MAX */
    int64_t window_ns;  /* MET_LIMITER_WINDOW_NS_MIN … _MAX */
    uint32_t algorithm; /* 0 = MET_LIMITER_SLIDING */
    uint32_t reserved;
    uint64_t reserved_more[2];
} met_limiter_window;

/* The windows that one kind of consumer is held to. */
typedef struct met_limiter_policy {
    size_t struct_size;
    const char *name; /* borrowed; 1 … MET_LIMITER_POLICY_NAME_SIZE_MAX bytes */
    size_t name_size;
    const met_limiter_window *windows; /* borrowed; any order */
    size_t window_count;               /* 1 … MET_LIMITER_WINDOWS_MAX */
    uint32_t flags; /* MET_LIMITER_COUNT_DENIED, MET_LIMITER_WARN_ONLY */
    uint32_t reserved;
} met_limiter_policy;

/* One request to decide. Keys of one policy and kind that have the same bytes
 * share their windows; other kinds never do, so that a header whose value
 * looks like an address is not that address. */
typedef struct met_limiter_request {
    size_t struct_size;
    uint32_t policy; /* number from met_limiter_policy_set */
    uint32_t kind;   /* the host's own number for what the key identifies:
                        consumer, credential, address, header, … */
    const char *key;
    size_t key_size; /* any, also 0 */
    uint64_t cost;   /* 0 = 1 */
    int64_t monotonic_ns; /* 0 = the library reads the platform's clock */
    int64_t utc_ns;       /* 0 = the library reads it where it needs it */
    uint32_t flags;       /* MET_LIMITER_BRIEF */
    uint32_t reserved;
    /* Limits of this request in place of the policy's, found by length and
     * algorithm; windows that are not named keep theirs. The policy's limit is
     * the ceiling: a greater one means that. What a key has used is the same
     * whatever limit a request brings: it is allowed when what was counted and
     * its cost are within its own limit. Borrowed; 0 … WINDOWS_MAX of them. */
    const met_limiter_window *own_windows;
    size_t own_window_count;
} met_limiter_request;

/* What one window says, after the decision. Frozen. */
typedef struct met_limiter_window_result {
    uint64_t limit;     /* that the request was held to */
    uint64_t remaining; /* cost that would still be admitted now */
    int64_t window_ns;
    int64_t reset_ns; /* until the oldest counted hit is forgotten; 0: none */
    int64_t wait_ns;  /* until this window would admit the same cost; 0: now;
                         -1: never */
    uint32_t algorithm;
    uint32_t is_refusing;
} met_limiter_window_result;

/* Many requests of one policy, kind and moment. */
typedef struct met_limiter_batch {
    size_t struct_size;
    const char *keys;            /* one after the other; borrowed */
    const uint32_t *key_offsets; /* where each begins, and where the last one
                                    ends: count + 1 of them, none smaller than
                                    the one before */
    const uint64_t *costs;       /* count of them, 0 = 1; NULL: all are 1 */
    size_t count;                /* any, also 0 */
    uint32_t policy;             /* number from met_limiter_policy_set */
    uint32_t kind;
    int64_t monotonic_ns; /* 0 = the library reads the platform's clock, once */
    int64_t utc_ns;       /* 0 = the library reads it where it needs it */
    uint32_t flags;       /* must be 0 */
    uint32_t reserved;
} met_limiter_batch;

/* What was counted for one decision, to give it back with met_limiter_refund:
 * plain data that names no memory, void when the table is emptied. Frozen;
 * private. */
typedef struct met_limiter_ticket {
    uint64_t private_[12];
} met_limiter_ticket;

/* Set struct_size; the rest is written by the library. */
typedef struct met_limiter_result {
    size_t struct_size;
    uint32_t is_allowed;
    uint32_t reason;       /* MET_LIMITER_REASON_… */
    uint32_t window_count; /* entries of windows that are written */
    uint32_t refused;      /* bit i: windows[i] has no room */
    /* The window to tell the client about: the smallest remaining, of equal
     * ones the longest. */
    uint32_t reported;
    uint32_t reserved;
    /* The earliest moment at which the same request would be allowed if
     * nothing else arrived; 0 when there is room, -1 for never. */
    int64_t wait_ns;
    met_limiter_window_result windows[MET_LIMITER_WINDOWS_MAX]; /* shortest
                                                                   first */
    met_limiter_ticket ticket; /* of what was counted */
} met_limiter_result;

/* Where a batch's answers go: arrays of the caller with room for its count, one
 * entry per request in its order. NULL: not wanted; without reset_ns and
 * wait_ns the search for the oldest hit is saved. Fields mean what they mean in
 * met_limiter_result; remaining and reset_ns are those of the reported
 * window. */
typedef struct met_limiter_verdicts {
    size_t struct_size;
    uint32_t *is_allowed; /* always wanted */
    uint32_t *reason;
    uint32_t *refused;
    uint64_t *remaining;
    int64_t *reset_ns;
    int64_t *wait_ns;
    met_limiter_ticket *tickets;
} met_limiter_verdicts;

/* How a decision is told. Zero means default for every field. */
typedef struct met_limiter_headers_options {
    size_t struct_size;
    uint32_t styles; /* MET_LIMITER_HEADERS_…, together; 0 = _KONG */
    /* Retry-After is up to so many seconds later, so that clients who were
     * refused together do not come back together; 0 = exact. */
    uint32_t jitter_max_s;
    uint64_t jitter_seed; /* the same seed gives the same: a hash of the client,
                             a number that counts */
    /* Of the IETF's fields: whose quota it is. Clients see it, so no name, but
     * for example a hash; at most MET_LIMITER_PARTITION_KEY_SIZE_MAX bytes,
     * 0 = none. Borrowed. */
    const char *partition_key;
    size_t partition_key_size;
} met_limiter_headers_options;

/* Set struct_size. Counters run since the table was made and are shared by
 * all who use it. */
typedef struct met_limiter_stats {
    size_t struct_size;
    uint64_t capacity;     /* records */
    uint64_t records_used; /* claimed at least once; idle ones are reused */
    uint64_t records_live; /* of these, not idle now */
    uint64_t policies;
    uint64_t shapes;
    uint64_t inserted;
    uint64_t reclaimed;      /* idle records given to another key */
    uint64_t full_allowed;   /* let through because the table was full */
    uint64_t full_refused;   /* refused because the table was full */
    uint64_t undone;         /* hits given back after a race */
    uint64_t withheld;       /* hits that could not be given back */
    uint64_t contended;      /* decisions that gave up after many races */
    uint64_t duplicates;     /* records given up for an earlier twin */
    /* Of this handle since it was opened; no shared word is written. */
    uint64_t decisions; /* of met_limiter_check, and of batches */
    uint64_t refusals;  /* of these */
} met_limiter_stats;

/**
 * Open the table of windows, creating it when it is not there.
 *
 * A table that was written before this boot is emptied: its clock has started
 * anew. A file that was cut short is made anew, with empty windows and no
 * policies; who has it open already gets MET_E_CORRUPT, and must close and open
 * it (fault.h). May be opened before a fork and used in parent and children.
 *
 * @param config       path or memory, capacity, what to do when full
 * @param limiter_out  written only on MET_OK; close with met_limiter_close
 * @param info         may be NULL
 * @return MET_OK · MET_E_INVALID · MET_E_UNSUPPORTED · MET_E_NO_MEMORY ·
 *         MET_E_FOREIGN (not a limiter table) · MET_E_LAYOUT (another version
 *         or capacity) · MET_E_CORRUPT · MET_E_CONFLICT (memory of another
 *         boot: zero it) · MET_E_DISK_FULL · MET_E_IO · MET_E_NOT_FOUND (no
 *         such directory) · MET_E_BUSY · MET_E_BUG
 * @owner the caller keeps config and memory      @blocks for file operations
 * @thread any      @fork any      @since 0.1
 */
MET_API MET_NODISCARD met_error met_limiter_open(
    const met_limiter_config *config, met_limiter **limiter_out,
    met_error_info *info);

/**
 * Let go of a table. The file, its counts and other users stay.
 *
 * @param limiter  may be NULL
 * @blocks unmaps a file
 * @thread one      @fork any      @since 0.1
 */
MET_API void met_limiter_close(met_limiter *limiter);

/**
 * Make a policy known under its name, or replace its windows, for everybody
 * who uses the table.
 *
 * Calling it again with the same windows changes nothing and gives the same
 * number: every worker may do it at its start. Replacing windows keeps the
 * usage of the windows that stay; a window whose limit or length changed
 * begins with what its predecessor counted: for one length of the old window
 * the old hits weigh in the new one. The change is timed by the platform's
 * clock: requests that bring monotonic_ns bring readings of that clock.
 *
 * @param limiter     open limiter
 * @param policy      name and windows; no two windows of the same length and
 *                    algorithm
 * @param number_out  for met_limiter_request; the same in all processes
 * @param info        may be NULL
 * @return MET_OK · MET_E_INVALID (a field and its reason) · MET_E_UNSUPPORTED
 *         (unknown algorithm, or not with this limit) ·
 *         MET_E_LIMIT (MET_LIMITER_POLICIES_MAX or MET_LIMITER_SHAPES_MAX
 *         reached) · MET_E_BUSY (too many changes at the same time) ·
 *         MET_E_CORRUPT (the file was cut short) · MET_E_IO ·
 *         MET_E_DISK_FULL · MET_E_BUG
 * @alloc none      @blocks never      @thread any      @fork any
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_limiter_policy_set(
    met_limiter *limiter, const met_limiter_policy *policy,
    uint32_t *number_out, met_error_info *info);

/**
 * Remove a policy for everybody who uses the table; there is room for another
 * name then. What it counted is forgotten.
 *
 * Its number is never used again (but after four million removals in one
 * place): who still asks with it gets MET_E_NOT_FOUND. The same name set again
 * is a new policy with another number.
 *
 * @param limiter  open limiter
 * @param number   from met_limiter_policy_set
 * @param info     may be NULL
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND (no such policy) ·
 *         MET_E_BUSY (too many changes at the same time) · MET_E_CORRUPT (the
 *         file was cut short) · MET_E_IO · MET_E_DISK_FULL
 * @alloc none      @blocks never      @thread any      @fork any
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_limiter_policy_remove(
    met_limiter *limiter, uint32_t number, met_error_info *info);

/**
 * Decide one request against all windows of its policy: all of them count it,
 * or none.
 *
 * The promise of sliding windows: in every stretch of time as long as the
 * window, at most `limit` requests whose whole call lies in it are allowed,
 * whatever threads and processes do and whenever they are killed.
 *
 * @param limiter     open limiter
 * @param request     borrowed during the call
 * @param result_out  set its struct_size; written only on MET_OK
 * @return MET_OK (allowed or not: see is_allowed) · MET_E_INVALID ·
 *         MET_E_UNSUPPORTED (an unknown flag) · MET_E_NOT_FOUND (no such
 *         policy, or it has no such window as one of own_windows) ·
 *         MET_E_CORRUPT (the table holds what nobody wrote; or its file was
 *         cut short: nothing is decided, and result_out, when it is written
 *         at all, does not allow it)
 * @units  nanoseconds; clock readings of all users are of one clock
 * @alloc none      @blocks never      @thread any      @fork any
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_limiter_check(
    met_limiter *limiter, const met_limiter_request *request,
    met_limiter_result *result_out);

/**
 * Decide many requests of one policy as met_limiter_check would, one after the
 * other in their order.
 *
 * Over many keys it is several times as fast: while one request is decided,
 * the memory of the next ones is on its way.
 *
 * @param limiter   open limiter
 * @param batch     borrowed during the call
 * @param verdicts  borrowed during the call; its arrays are written on MET_OK,
 *                  and when the table went wrong under way
 * @param info      may be NULL; names the first bad key offset or cost
 * @return MET_OK · MET_E_INVALID · MET_E_UNSUPPORTED (a flag) ·
 *         MET_E_NOT_FOUND (no such policy) · MET_E_CORRUPT (the table holds
 *         what nobody wrote) · MET_E_BUG. A policy that is removed under way,
 *         and MET_E_CORRUPT: requests that could not be decided are not
 *         allowed, with MET_LIMITER_REASON_NONE.
 * @units  nanoseconds; clock readings of all users are of one clock
 * @alloc none      @blocks never      @thread any      @fork any
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_limiter_check_batch(
    met_limiter *limiter, const met_limiter_batch *batch,
    const met_limiter_verdicts *verdicts, met_error_info *info);

/**
 * What met_limiter_check would answer now, without counting anything.
 *
 * `remaining` is before the request: a check of this cost would leave it
 * smaller by the cost. The ticket is empty. Whether a full table has room for a
 * new key only a check can tell: the answer is as if it had.
 *
 * @param limiter     open limiter
 * @param request     as for met_limiter_check
 * @param result_out  set its struct_size; written only on MET_OK
 * @return MET_OK · MET_E_INVALID · MET_E_UNSUPPORTED (an unknown flag) ·
 *         MET_E_NOT_FOUND (no such policy or own window) · MET_E_CORRUPT
 * @alloc none      @blocks never      @thread any      @fork any
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_limiter_peek(
    met_limiter *limiter, const met_limiter_request *request,
    met_limiter_result *result_out);

/**
 * Count what has happened already, whether there is room or not: the cost that
 * is known only afterwards, or what another table has let through.
 *
 * All windows count it; of a cost above a window's limit as much as its limit,
 * which fills it. The result says what is left then: is_allowed is 1 when the
 * request was within all limits, else the reason is MET_LIMITER_REASON_LIMIT,
 * or _NEVER for a cost above a limit, and `refused` names the windows that had
 * no room. MET_LIMITER_REASON_TABLE_FULL: not counted in some window. The
 * ticket is of what was counted, allowed or not. Who is charged beyond a limit
 * is refused until enough is forgotten.
 *
 * @param limiter     open limiter
 * @param request     as for met_limiter_check
 * @param result_out  set its struct_size; written only on MET_OK
 * @return MET_OK · MET_E_INVALID · MET_E_UNSUPPORTED (an unknown flag, or an
 *         algorithm that cannot) · MET_E_NOT_FOUND (no such policy or own
 *         window) · MET_E_BUSY (a crowd without end; nothing is counted) ·
 *         MET_E_CORRUPT
 * @alloc none      @blocks never      @thread any      @fork any
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_limiter_charge(
    met_limiter *limiter, const met_limiter_request *request,
    met_limiter_result *result_out);

/**
 * Give back what a decision counted, all of it or a part, in every window in
 * which that is provably the newest hit.
 *
 * Where others were counted since, it is withheld: taking an older hit out
 * would let a window have more than its limit. Fixed windows and the buckets of
 * MET_LIMITER_SLIDING_COUNTER do not tell their hits apart: they give back as
 * long as they last. What was counted before a met_limiter_reset is withheld
 * after it (unless the key was reset 64 times meanwhile, or a multiple of it);
 * and so is what was counted before a charge beyond a limit.
 *
 * @param limiter       open limiter
 * @param ticket        of a result; what is given back or withheld leaves it,
 *                      so that calling again gives back the rest or nothing.
 *                      Of a copy it would be given back twice
 * @param cost          0 = all that is left in the ticket, else at most that
 * @param withheld_out  bit i: windows[i] of the result kept it; written only
 *                      on MET_OK
 * @return MET_OK (also for an empty ticket: nothing to give back) ·
 *         MET_E_INVALID (NULL, a cost above the ticket's, a ticket of another
 *         table) · MET_E_CORRUPT (the file was cut short)
 * @alloc none      @blocks never      @thread any      @fork any
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_limiter_refund(
    met_limiter *limiter, met_limiter_ticket *ticket, uint64_t cost,
    uint32_t *withheld_out);

/**
 * The request is served: give back what it held in windows of
 * MET_LIMITER_IN_FLIGHT. Other windows keep what they counted; a request that
 * was not served at all is refunded instead.
 *
 * @param limiter       open limiter
 * @param ticket        of a result; what was held leaves it, so that calling
 *                      again gives back nothing. Of a copy it would be given
 *                      back twice
 * @param withheld_out  bit i: windows[i] did not hold it any more, its lease
 *                      was over; written only on MET_OK
 * @return MET_OK (also when nothing was held) · MET_E_INVALID (NULL, a ticket
 *         of another table) · MET_E_CORRUPT (the file was cut short)
 * @alloc none      @blocks never      @thread any      @fork any
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_limiter_release(
    met_limiter *limiter, met_limiter_ticket *ticket,
    uint32_t *withheld_out);

/**
 * Forget what a key has used in all windows of a policy, also in windows that
 * were replaced.
 *
 * Each window is emptied at one moment; who is being decided meanwhile is
 * counted before or after it.
 *
 * @param limiter  open limiter
 * @param request  policy, kind and key; the rest has no effect
 * @return MET_OK (also when nothing was counted) · MET_E_INVALID ·
 *         MET_E_UNSUPPORTED (an unknown flag) · MET_E_NOT_FOUND (no such
 *         policy) · MET_E_BUSY (the policy changes again and again) ·
 *         MET_E_CORRUPT (the file was cut short)
 * @alloc none      @blocks never      @thread any      @fork any
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_limiter_reset(
    met_limiter *limiter, const met_limiter_request *request);

/**
 * Counters of the table. Reads every record: for operators, not for requests.
 *
 * @param limiter    open limiter
 * @param stats_out  set its struct_size; written only on MET_OK
 * @return MET_OK · MET_E_INVALID · MET_E_CORRUPT (the file was cut short, by
 *         its size already) · MET_E_IO · MET_E_DISK_FULL · MET_E_BUG
 * @alloc none      @blocks never      @thread any      @fork any
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_limiter_stats_get(
    met_limiter *limiter, met_limiter_stats *stats_out);

/**
 * The header lines of a decision, in the manner of Kong's plugin or of the
 * IETF's draft.
 *
 * Kong's: per window X-RateLimit-Limit-<Name> and X-RateLimit-Remaining-<Name>,
 * with Second, Minute, Hour, Day, Month (30 days), Year (365 days), or the
 * length in seconds; RateLimit-Limit, -Remaining and -Reset for the reported
 * window. In both styles Retry-After when waiting helps. Times are whole
 * seconds, rounded up so that a retry then succeeds, at least 1; the reset of
 * an allowed request is at most its window.
 *
 * The IETF's: RateLimit-Policy has every window's limit (q) and length in whole
 * seconds (w), RateLimit what remains (r) and the seconds (t) until there is
 * more: of a refusing window until the request has room, of others until their
 * oldest hit is forgotten. Windows are "second", "minute", "hour", "day",
 * "month", "year", or "30s". A pure function.
 *
 * @param result     as met_limiter_check wrote it, without MET_LIMITER_BRIEF
 * @param options    NULL for the defaults: Kong's lines
 * @param text_out   "Name: value\r\n" lines and a NUL
 * @param text_size  room, MET_LIMITER_HEADERS_SIZE is always enough
 * @param size_out   length without the NUL; may be NULL
 * @param info       may be NULL
 * @return MET_OK · MET_E_INVALID (NULL, not a result, partition_key too long)
 *         · MET_E_UNSUPPORTED (an unknown style, or a field of a newer
 *         version) · MET_E_LIMIT (no room)
 * @alloc none      @blocks never      @thread any      @fork any
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_limiter_headers_write(
    const met_limiter_result *result,
    const met_limiter_headers_options *options, char *text_out,
    size_t text_size, size_t *size_out, met_error_info *info);

MET_END_DECLS

#endif
