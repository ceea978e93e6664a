/* What the parts of the model checker share: the state of the one execution
 * that is running, and of the search that it belongs to. */
#ifndef TESTS_SUPPORT_ATOMIC_ENGINE_H
#define TESTS_SUPPORT_ATOMIC_ENGINE_H

#undef _FORTIFY_SOURCE /* its longjmp refuses another stack */
#include "atomic_model.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define THREADS 4
#define WORDS 64  /* atomic words changed, weak searches */
#define WRITES 60 /* of one word, weak searches */
#define DEPTH 65536
#define LENGTH 700 /* choices; nothing in the library goes on that long */
#define STACK 131072
#define PLACES 8192 /* of words: a power of two */

typedef struct view {
    uint8_t seen[WORDS];
} view;

typedef struct write {
    uint64_t value;
    view view;
} write;

typedef struct weak_word {
    const uint64_t *address;
    write write[WRITES];
} weak_word;

/* A word that some thread has changed in this search. */
typedef struct known_word {
    const uint64_t *address;
    unsigned writers; /* a bit a thread */
    unsigned weak;    /* its number, if the weak word there has its address */
} known_word;

typedef struct thread {
    jmp_buf here;
    char *low; /* of its stack: nothing below is in use */
    uint64_t history; /* hash of what it was answered */
    uint64_t place;   /* hash of its stack and registers */
    uint64_t numbers; /* got from counters */
    view now;
    view acquired; /* what an acquire fence would make visible */
    view released; /* what relaxed stores carry since the last fence */
    int is_started;
    int is_done;
} thread;

/* How far an execution has come. With the threads' stacks, the books and the
 * memory as it was then, it can be gone on from there once more. */
typedef struct moment {
    thread thread[THREADS];
    view full; /* what full fences have passed on */
    uint8_t writes[WORDS];
    unsigned words;
    unsigned changes;
    uint64_t sum; /* of the changed words */
    int current;  /* -1: outside of the threads */
    int last;     /* thread that ran last; -1: none, or it has ended */
    int switches;
    int kills;
} moment;

typedef struct change {
    uint64_t *address;
    uint64_t old;
} change;

typedef struct engine {
    const model_spec *spec;
    model_result *result;
    moment now;
    weak_word word[WORDS];
    known_word known[PLACES];
    unsigned knowns;
    change change[DEPTH];
    int is_searching;
    int is_new;  /* a word got a writer it had not: begin anew */
    int is_loud; /* prints the operations of a failed execution */
    int is_weakened;
} engine;

extern engine model;

static inline uint64_t model_mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= hash >> 32;
    hash *= UINT64_C(0xd6e8feb86659fd93);
    return hash ^ hash >> 29;
}

_Noreturn void model_die(const char *what);

/* --- atomic_search.c ------------------------------------------------------ */
/* One of 0 ... count - 1, all of them in turn; no part of the state. */
unsigned model_pick(unsigned count);

/* --- atomic_memory.c ------------------------------------------------------ */
/* All words as they were after so many changes. */
void model_change_back(unsigned changes);
/* What older values are there, and who may still see which. */
uint64_t model_memory_hash(void);

/* --- atomic_sites.c ------------------------------------------------------- */
/* The orders this site is to have. */
int model_orders_at(const model_site *site, int orders);
void model_say(const model_site *site, const char *what, const void *address,
               uint64_t value);

#endif
