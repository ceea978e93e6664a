/* Three recorders, two settlers and one ingester on one store, killed at any
 * instruction, again and again; settlers are also frozen, the clock is set
 * forward and back, and now and then the power goes: the slot files come back
 * with sectors of several times. Acknowledgements are kept in memory that the
 * processes share with their parent. After every round all that was
 * acknowledged is there, each event once, and beyond that at most the event
 * that each killed recorder had in hand.
 *
 *     meter_torture [--kills N] [--seed N] [--planted]
 *
 * --planted: this build has a bug (plant.py), and the test is that it is seen.
 * Settlers compact all that is settled, however young: some bugs show only
 * when parts are gone. */
#include "unit/meter/event_support.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "base/atomic.h"
#include "meter/compaction.h"

#define RECORDERS 3
#define SETTLERS 2
#define CHILDREN (RECORDERS + SETTLERS + 1)
#define SUBJECTS 3
#define BATCH 16
#define STEPS 50 /* of a round */
#define SLOTS 16
#define SNAPSHOTS 4
#define SECTOR 512

static char home[64];
static unsigned kills_wanted = 2000;
static uint64_t seed = 4711;
static int is_planted;

/* In memory that every process shares. */
typedef struct shared {
    met__atomic_u64 acknowledged[RECORDERS][SUBJECTS];
    met__atomic_u64 next; /* ingested events below are acknowledged */
    met__atomic_u64 steps[CHILDREN]; /* of this life */
    met__atomic_u64 now_ns;
    met__atomic_u64 boot;
    met__atomic_u64 is_fast; /* recorders move the clock */
    met__atomic_u64 is_cut;  /* the round ends with a power cut */
    met__atomic_u64 passes;
    met__atomic_u64 folds;
    met__atomic_u64 failures;
} shared;

static shared *all;

static uint64_t next_random(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

static void pause_us(uint64_t us)
{
    struct timespec some = {0, (long)(us * 1000)};

    nanosleep(&some, NULL);
}

/* --- The store, as every process opens it --------------------------------- */
static int64_t shared_clock(void *context)
{
    (void)context;
    return (int64_t)met__load_relaxed(&all->now_ns);
}

static int boot_id(void *context, char text_out[64])
{
    (void)context;
    snprintf(text_out, 64, "boot %u", (unsigned)met__load_relaxed(&all->boot));
    return 0;
}

static met_error open_store(met_store **store_out)
{
    static faulty_disk disk;
    met__platform platform;

    faulty_disk_init(&disk);
    disk.table.boot_id = boot_id;
    platform = test_platform(NULL, &disk);
    platform.clock = (met_clock){NULL, shared_clock, shared_clock};
    return met__store_open(&platform, temp_path(home, "s"), MAP_SIZE, 1,
                           store_out, NULL);
}

static met_store *must_open(void)
{
    met_store *store = NULL;

    assert_int_equal(open_store(&store), MET_OK);
    return store;
}

/* --- The children --------------------------------------------------------- */
static void fail_child(int code, met_error error)
{
    fprintf(stderr, "child: step %d: %s\n", code, met_error_name(error));
    met__fetch_add(&all->failures, 1);
    _exit(code);
}

static void must(int code, met_error error)
{
    if (error != MET_OK) {
        fail_child(code, error);
    }
}

/* Ticks come often in one life and seldom in another, so that epochs are short
 * and long; very long when the power will go in one. */
static void record_for_ever(int number)
{
    met_store *store = NULL;
    met_recorder *recorder = NULL;
    uint64_t pace = UINT64_C(16) << next_random(9)
                    << (met__load_relaxed(&all->is_cut) ? 12 : 0);

    must(2, open_store(&store));
    must(3, met__recorder_open(store, 64, &recorder, NULL));
    for (uint64_t turn = 1;; turn++) {
        int subject = (int)(turn % SUBJECTS);
        char text[2] = {(char)('0' + subject), 0};
        test_event event = {.type = "t", .subject = text, .a = "x",
                            .quantity = "3"};
        if (turn % 7 == 0) { /* an event of a minute ago */
            event.utc_ns = shared_clock(NULL) - MET__MINUTE_NS;
        }
        met_error error = add_event(recorder, &event);
        if (error == MET_OK) {
            met__fetch_add(&all->acknowledged[number][subject], 1);
            met__fetch_add(&all->steps[number], 1);
        } else if (error != MET_E_TALLY_FULL) {
            fail_child(4, error);
        }
        if (turn % pace == 0 || error != MET_OK) {
            if (met__load_relaxed(&all->is_fast)) {
                met__fetch_add(&all->now_ns, 25 * MET__SECOND_NS);
            }
            must(5, met__recorder_tick(recorder));
        }
        if (error != MET_OK || turn % 64 == 0) { /* others want to run */
            pause_us(400);
        }
        if (turn % (64 * pace) == 0) { /* and a life that ends well */
            met__recorder_close(recorder);
            recorder = NULL;
            must(6, met__recorder_open(store, 64, &recorder, NULL));
        }
    }
}

/* All that can never change again, into hours and days. */
static met_error compact(met_store *store)
{
    return met__compact(store, START_NS + 3000 * MET__DAY_NS, 0, 64, NULL,
                        NULL, NULL);
}

static void settle_for_ever(int number)
{
    met_store *store = NULL;

    must(7, open_store(&store));
    for (uint64_t turn = 1;; turn++) {
        must(8, met__settle(store, NULL, 0, 0, NULL, NULL));
        met__fetch_add(&all->passes, 1);
        if (turn % 4 == 0) {
            must(9, compact(store));
            met__fetch_add(&all->folds, 1);
        }
        met__fetch_add(&all->steps[number], 1);
    }
}

/* Begins a little before what is acknowledged. */
static void ingest_for_ever(int number)
{
    met_store *store = NULL;
    met__ingest *ingest = NULL;

    must(10, open_store(&store));
    must(11, met__ingest_open(store, NULL, 0, &ingest, NULL));
    for (;;) {
        uint64_t next = met__load_acquire(&all->next);
        uint64_t first = next < 5 ? 0 : next - 5;
        must(12, ingest_numbers(ingest, first, BATCH, NULL, NULL));
        met__store_release(&all->next, first + BATCH);
        met__fetch_add(&all->steps[number], 1);
    }
}

static pid_t start(int number)
{
    met__store_relaxed(&all->steps[number], 0);
    (void)next_random(2);
    fflush(NULL);
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody outlives the test */
        if (number < RECORDERS) {
            record_for_ever(number);
        } else if (number < RECORDERS + SETTLERS) {
            settle_for_ever(number);
        } else {
            ingest_for_ever(number);
        }
    }
    return child;
}

/* --- The power ------------------------------------------------------------ */
typedef struct snapshot {
    unsigned char *bytes;
    size_t size;
} snapshot;

static snapshot snapshots[SNAPSHOTS][SLOTS];

static const char *slot_path(int slot)
{
    char name[32];

    snprintf(name, sizeof name, "s/tally/%04d.map", slot);
    return temp_path(home, name);
}

static void take_snapshot(int number)
{
    for (int slot = 0; slot < SLOTS; slot++) {
        snapshot *taken = &snapshots[number][slot];
        FILE *file = fopen(slot_path(slot), "rb");
        taken->size = 0;
        if (file != NULL) {
            fseek(file, 0, SEEK_END);
            taken->size = (size_t)ftell(file);
            rewind(file);
            free(taken->bytes);
            taken->bytes = malloc(taken->size + 1);
            assert_non_null(taken->bytes);
            taken->size = fread(taken->bytes, 1, taken->size, file);
            fclose(file);
        }
    }
}

/* Every sector of a slot file is one of the snapshots', or as it is now; only
 * the header was flushed when the file was made. */
static void cut_power(void)
{
    take_snapshot(SNAPSHOTS - 1);
    for (int slot = 0; slot < SLOTS; slot++) {
        const snapshot *last = &snapshots[SNAPSHOTS - 1][slot];
        FILE *file = fopen(slot_path(slot), "r+b");
        if (file == NULL) {
            continue;
        }
        uint64_t chance = 1 + next_random(4); /* of sectors that are new */
        for (size_t at = SECTOR; at < last->size; at += SECTOR) {
            const snapshot *from = next_random(4) < chance - 1
                ? last : &snapshots[next_random(SNAPSHOTS)][slot];
            size_t size = last->size - at < SECTOR ? last->size - at : SECTOR;
            if (at + size <= from->size) {
                fseek(file, (long)at, SEEK_SET);
                fwrite(from->bytes + at, 1, size, file);
            }
        }
        assert_int_equal(fclose(file), 0);
    }
    met__fetch_add(&all->boot, 1);
}

/* --- What is there -------------------------------------------------------- */
typedef struct tallies {
    uint64_t counts[SUBJECTS];
    met__wide sums[SUBJECTS];
    uint64_t ingested;
    met__wide ingested_sum;
} tallies;

static void note_part(void *context, uint32_t minute,
                      const met__usage_shape *shape, const uint64_t *words)
{
    tallies *found = context;
    met__wide sum = met__amount_get(words + MET__PART_QUANTITIES
                                    + MET__QUANTITY_SUM);

    (void)minute;
    if (shape->subject.data[0] == 'u') {
        found->ingested += words[MET__PART_COUNT];
        found->ingested_sum += sum;
    } else {
        found->counts[shape->subject.data[0] - '0'] += words[MET__PART_COUNT];
        found->sums[shape->subject.data[0] - '0'] += sum;
    }
}

static tallies read_parts(met_store *store)
{
    tallies found = {0};

    each_part(store, &found, note_part);
    return found;
}

static uint64_t acknowledged(int subject)
{
    uint64_t count = 0;

    for (int r = 0; r < RECORDERS; r++) {
        count += met__load_relaxed(&all->acknowledged[r][subject]);
    }
    return count;
}

static char verdict[200]; /* "": nothing is wrong */

/* floors: what must be there at least. */
static void compare(const tallies *found, const uint64_t *floors,
                    uint64_t in_hand)
{
    uint64_t more = 0;
    uint64_t next = met__load_relaxed(&all->next);
    met__wide n = (met__wide)found->ingested;

    for (int s = 0; s < SUBJECTS; s++) {
        uint64_t least = floors[s];
        uint64_t most = acknowledged(s) + in_hand;
        if (found->counts[s] < least || found->counts[s] > most) {
            snprintf(verdict, sizeof verdict,
                     "subject %d: %lld %s (%llu settled)", s,
                     found->counts[s] < least
                         ? (long long)(least - found->counts[s])
                         : (long long)(found->counts[s] - most),
                     found->counts[s] < least ? "lost" : "counted twice",
                     (unsigned long long)found->counts[s]);
        } else if (found->sums[s]
                   != (met__wide)found->counts[s] * 3000000000) {
            snprintf(verdict, sizeof verdict, "subject %d: a wrong sum", s);
        } else if (found->counts[s] > acknowledged(s)) {
            more += found->counts[s] - acknowledged(s);
        }
        met__store_relaxed(&all->acknowledged[0][s], found->counts[s]);
        for (int r = 1; r < RECORDERS; r++) {
            met__store_relaxed(&all->acknowledged[r][s], 0);
        }
    }
    if (more > in_hand) {
        snprintf(verdict, sizeof verdict, "%llu more than in hand",
                 (unsigned long long)(more - in_hand));
    }
    if (found->ingested < next || found->ingested > next + BATCH
        || found->ingested_sum != n * (n - (n > 0)) / 2 * 1000000000) {
        snprintf(verdict, sizeof verdict, "%llu of %llu events ingested",
                 (unsigned long long)found->ingested,
                 (unsigned long long)next);
    }
}

/* All are dead. */
static void check(uint64_t in_hand, int is_cut)
{
    uint64_t floors[SUBJECTS];
    met_store *store = must_open();
    tallies found = read_parts(store);

    for (int s = 0; s < SUBJECTS; s++) {
        floors[s] = is_cut ? found.counts[s] : acknowledged(s);
    }
    if (is_cut) {
        met_store_close(store);
        cut_power();
        store = must_open();
        must_settle(store);
    }
    met__settle_report report = must_settle(store);
    uint32_t cells = must_settle(store).cells > 0;
    found = read_parts(store);
    compare(&found, floors, in_hand);
    if (verdict[0] == '\0'
        && (report.slots_live != 0 || report.cells_unreadable != 0
            || report.slots_damaged != 0 || cells != 0)) {
        snprintf(verdict, sizeof verdict,
                 "after all is settled: %llu live, %llu unreadable, "
                 "%llu damaged",
                 (unsigned long long)report.slots_live,
                 (unsigned long long)report.cells_unreadable,
                 (unsigned long long)report.slots_damaged);
    }
    assert_int_equal(compact(store), MET_OK);
    met_store_close(store);
}

/* --- Rounds --------------------------------------------------------------- */
static pid_t children[CHILDREN];
static unsigned kills;
static unsigned stops;
static unsigned cuts;

static void reap(int which)
{
    int status = 0;

    kill(children[which], SIGKILL);
    assert_int_equal(waitpid(children[which], &status, 0), children[which]);
    kills++;
}

/* Three of four are killed in the middle of their work, not while they open;
 * on a busy machine that may be a while. */
static void wait_for_work(int which)
{
    uint64_t least = next_random(4) == 0 ? 0 : 1 + next_random(3);

    for (int i = 0; i < 2000; i++) {
        if (met__load_relaxed(&all->steps[which]) >= least) {
            return;
        }
        pause_us(500);
    }
}

/* So many settlements more; the last ones began after this call. */
static void wait_for_passes(uint64_t count)
{
    uint64_t enough = met__load_relaxed(&all->passes) + count;

    for (int i = 0; i < 4000 && met__load_relaxed(&all->passes) < enough;
         i++) {
        pause_us(500);
    }
}

/* 1: it goes on, and is not to be killed yet. */
static int freeze(int which)
{
    if (which < RECORDERS || next_random(4) != 0) {
        return 0;
    }
    stops++;
    kill(children[which], SIGSTOP);
    pause_us(next_random(3000));
    if (next_random(2) == 0) {
        return 0;
    }
    kill(children[which], SIGCONT);
    return 1;
}

static void step(uint64_t *in_hand)
{
    int which = (int)next_random(CHILDREN);

    pause_us(next_random(2500));
    if (!met__load_relaxed(&all->is_fast)) {
        uint64_t by = next_random(40) * MET__SECOND_NS;
        met__fetch_add(&all->now_ns,
                       next_random(8) == 0 ? (uint64_t)0 - by : by);
    }
    wait_for_work(which);
    if (!freeze(which)) {
        reap(which);
        *in_hand += which < RECORDERS;
        children[which] = start(which);
    }
}

static void run_round(unsigned number)
{
    uint64_t in_hand = 0;
    int is_cut = number % 3 == 1;

    met__store_relaxed(&all->now_ns, (uint64_t)START_NS);
    met__store_relaxed(&all->is_fast, number % 3 == 0);
    met__store_relaxed(&all->is_cut, (uint64_t)is_cut);
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = start(i);
    }
    for (int i = 0; i < STEPS && kills + CHILDREN < kills_wanted; i++) {
        if (is_cut && i % (STEPS / SNAPSHOTS) == 5) {
            take_snapshot(i / (STEPS / SNAPSHOTS) % (SNAPSHOTS - 1));
        }
        step(&in_hand);
    }
    if (is_cut) { /* of epochs that are being settled when the power goes */
        wait_for_passes(SETTLERS + 1);
        take_snapshot(0);
        take_snapshot(1);
        wait_for_passes(SETTLERS + 1);
    }
    cuts += (unsigned)is_cut;
    for (int i = 0; i < CHILDREN; i++) {
        reap(i);
        in_hand += i < RECORDERS;
    }
    check(in_hand, is_cut);
}

static void test_torture(void **state)
{
    uint64_t events = 0;

    (void)state;
    for (unsigned i = 0; kills < kills_wanted && verdict[0] == '\0'
                         && met__load_relaxed(&all->failures) == 0; i++) {
        run_round(i);
    }
    for (int s = 0; s < SUBJECTS; s++) {
        events += acknowledged(s);
    }
    print_message("%u kills, %u frozen, %u power cuts: %llu events recorded, "
                  "%llu ingested, %llu passes, %llu folds: %s\n",
                  kills, stops, cuts, (unsigned long long)events,
                  (unsigned long long)met__load_relaxed(&all->next),
                  (unsigned long long)met__load_relaxed(&all->passes),
                  (unsigned long long)met__load_relaxed(&all->folds),
                  verdict[0] != '\0' ? verdict : "0 lost, 0 counted twice");
    /* A call that sees damage and refuses has seen a planted bug, too. */
    int is_refused = met__load_relaxed(&all->failures) != 0;
    assert_true(is_planted || !is_refused);
    if (is_planted ? verdict[0] == '\0' && !is_refused : verdict[0] != '\0') {
        fail_msg("%s", is_planted ? "the bug was not seen" : verdict);
    }
    /* A bug may be seen before anything was folded. */
    assert_true(events > kills
                && (is_planted || met__load_relaxed(&all->folds) > 0));
}

static int setup(void **state)
{
    met_store *store = NULL;

    (void)state;
    temp_directory_fast(home, sizeof home);
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(all != MAP_FAILED);
    met__store_relaxed(&all->now_ns, (uint64_t)START_NS);
    store = must_open();
    must_meter(store, COUNT_METER("c", "t", "\"x\":\"$.a\""));
    must_meter(store, NUMBERS_METER);
    met_store_close(store);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < SNAPSHOTS; i++) {
        for (int slot = 0; slot < SLOTS; slot++) {
            free(snapshots[i][slot].bytes);
        }
    }
    munmap(all, sizeof *all);
    temp_remove(home);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_torture, setup, teardown),
    };

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--planted") == 0) {
            is_planted = 1;
        } else if (strcmp(argv[i], "--kills") == 0 && i + 1 < argc) {
            kills_wanted = (unsigned)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            seed = strtoull(argv[++i], NULL, 10) * 2 + 1;
        } else {
            fprintf(stderr, "meter_torture [--kills N] [--seed N] "
                            "[--planted]\n");
            return 2;
        }
    }
    return cmocka_run_group_tests_name("meter_torture", tests, NULL, NULL);
}
