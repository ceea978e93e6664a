/* A slot file with any bytes changed. The input: a byte of flags, then changes
 * of four words each in 16 bits: where (in 8-byte words; with flag 1 of the
 * cells' segment, else of the file's head), two that say what, and how often.
 * Flag 2: whoever wrote this knew the checksum of cells. It is settled, looked
 * at and claimed: answers, never a signal, and everything that is read is
 * within its bounds. */
#include <fcntl.h>
#include <stdlib.h>

#include "fuzz.h"
#include "meter/meter_def.h"
#include "meter/recorder.h"
#include "meter/settlement.h"
#include "meter/slot_file.h"
#include "meter/tally_report.h"
#include "meter/usage_part.h"
#include "store/store_open.h"
#include "support/faults.h"
#include "support/temp_directory.h"

#define NOW_NS INT64_C(1772323200000000000)
#define CHANGE 8 /* bytes of one in the input */

static char home[64];
static met_store *store;
static uint64_t *base; /* the file as its recorder left it */
static uint64_t *image;
static size_t size; /* of it, in words */
static uint64_t generation;

static void must(int is_so)
{
    if (!is_so) {
        abort();
    }
}

static int64_t fixed_clock(void *context)
{
    (void)context;
    return NOW_NS;
}

static const char *slot_path(int number)
{
    static char path[2][512];

    snprintf(path[number], sizeof path[0], "%s/s/tally/%04d.map", home,
             number);
    return path[number];
}

static void put_meter(const char *json)
{
    static const met__path path = {NULL, "meter", 0};
    met__arena arena;
    met__node *node = NULL;
    met__txn *txn = NULL;

    met__arena_init(&arena, met__store_platform(store));
    must(met__json_parse(&arena, met__text_z(json), &node, NULL) == MET_OK);
    must(met__txn_begin(store, 1, &txn) == MET_OK);
    must(met__meter_put(txn, node, &path, NULL, NULL) == MET_OK);
    must(met__txn_commit(txn) == MET_OK);
    met__arena_release(&arena);
}

static void add(met_recorder *recorder, const char *subject,
                const char *value)
{
    met_pair pair = {"a", 1, value, strlen(value)};
    met_quantity quantity = {"v", 1, met__decimal_from_i64(5)};
    met_event event = {.struct_size = sizeof event,
                       .type = "t",
                       .type_size = 1,
                       .subject = subject,
                       .subject_size = strlen(subject),
                       .attributes = &pair,
                       .attribute_count = 1,
                       .quantities = &quantity,
                       .quantity_count = 1};

    must(met__recorder_add(recorder, &event, 0, NULL) == MET_OK);
}

static void read_base(void)
{
    FILE *file = fopen(slot_path(0), "rb");

    must(file != NULL && fseek(file, 0, SEEK_END) == 0);
    size = (size_t)ftell(file) / sizeof *base;
    rewind(file);
    base = malloc(size * sizeof *base);
    image = malloc(size * sizeof *image);
    must(base != NULL && image != NULL
         && fread(base, sizeof *base, size, file) == size);
    fclose(file);
    generation = base[4096 / 8];
    must(generation >= MET__GENERATION_FIRST);
}

static void finish(void)
{
    met_store_close(store);
    temp_remove(home);
    free(base);
    free(image);
}

static void start(void)
{
    char path[128];
    met__platform platform = faulty_platform(NULL, NULL);
    met_recorder *recorder = NULL;

    platform.clock = (met_clock){NULL, fixed_clock, fixed_clock};
    if (access("/dev/shm", W_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 0); /* nobody's power goes here */
    }
    temp_directory_fast(home, sizeof home);
    snprintf(path, sizeof path, "%s/s", home);
    must(met__store_open(&platform, path, UINT64_C(1) << 30, 1, &store, NULL)
         == MET_OK);
    put_meter("{\"key\":\"s\",\"name\":\"n\",\"event_type\":\"t\","
              "\"aggregation\":\"sum\",\"value_property\":\"$.v\","
              "\"dimensions\":{\"a\":\"$.a\"}}");
    must(met__recorder_open(store, 16, &recorder, NULL) == MET_OK);
    for (int i = 0; i < 3; i++) {
        add(recorder, "s", "x");
        add(recorder, "s", "y");
    }
    add(recorder, "u", "x");
    met__recorder_close(recorder);
    read_base();
    atexit(finish);
}

/* --- The file ------------------------------------------------------------- */
/* Where the first segment of cells begins, in words. */
static size_t cells_at(uint32_t *class_out)
{
    size_t segment = 0;

    while (base[12288 / 8 + segment] >> 8 != MET__SEGMENT_CELLS) {
        must(base[12288 / 8 + segment++] != 0);
    }
    *class_out = base[12288 / 8 + segment] & 0xff;
    return met__segment_offset((uint32_t)segment) / 8;
}

static void fix_checksums(size_t cells, uint32_t cell_class)
{
    size_t words = met__cell_class_words(cell_class);
    uint64_t *copy = image + cells + met__cell_class_head(cell_class) / 8;

    for (int i = 0; i < 16; i++, copy += words) {
        uint64_t quantities = copy[MET__COPY_PLAN] & UINT32_MAX;
        if (quantities <= met__cell_class_room(cell_class)) {
            copy[MET__COPY_QUANTITIES + quantities * MET__QUANTITY_WORDS] =
                met__copy_checksum(copy, quantities);
        }
    }
}

static void change(const uint8_t *data, size_t data_size)
{
    uint32_t cell_class = 0;
    size_t cells = cells_at(&cell_class);
    unsigned flags = data_size > 0 ? data[0] : 0;
    size_t from = flags & 1 ? cells : 4096 / 8;
    int file = open(slot_path(0), O_WRONLY | O_CREAT | O_TRUNC, 0600);

    memcpy(image, base, size * sizeof *image);
    for (size_t at = 1; at + CHANGE <= data_size; at += CHANGE) {
        uint16_t words[4];
        memcpy(words, data + at, sizeof words);
        uint64_t what = words[1] == UINT16_MAX
                            ? UINT64_MAX - words[2]
                            : (uint64_t)words[1] << 32 | words[2];
        for (size_t i = 0; i <= words[3] % 32u; i++) {
            image[(from + words[0] + i) % size] = what;
        }
    }
    if (flags & 2) {
        fix_checksums(cells, cell_class);
    }
    must(file >= 0
         && write(file, image, size * sizeof *image)
                == (ssize_t)(size * sizeof *image));
    close(file);
    unlink(slot_path(1));
}

/* --- What is done with it ------------------------------------------------- */
static int is_refusal(met_error error)
{
    return error == MET_E_CORRUPT || error == MET_E_LAYOUT
           || error == MET_E_FOREIGN;
}

static void look_at_cells(const met__slot *slot)
{
    uint64_t copy[MET__COPY_WORDS_MAX];
    unsigned char key[MET__SHAPE_SIZE_MAX];
    size_t key_size = 0;

    for (uint32_t i = 0; i < MET__SLOT_SEGMENTS_MAX; i++) {
        uint32_t kind = met__slot_segment_kind(slot, i);
        if (kind >> 8 != MET__SEGMENT_CELLS
            || met__slot_fetch(slot, i) != MET_OK) {
            continue;
        }
        for (uint32_t k = 0; k < met__cell_class_count(kind & 0xff); k++) {
            if (met__slot_read_cell(slot, i, kind & 0xff, k, copy)
                != MET__CELL_READ) {
                continue;
            }
            met_error error = met__slot_read_shape(
                slot, met__store_secret(store),
                (uint32_t)copy[MET__COPY_CELL], copy[MET__COPY_SHAPE_HASH],
                key, &key_size);
            must(error == MET_E_CORRUPT
                 || (error == MET_OK && key_size <= MET__SHAPE_KEY_SIZE_MAX));
        }
    }
}

static void look(void)
{
    met__slot slot = {0};
    met__arena arena;
    met_error error = met__slot_look(store, 0, &slot, NULL);

    must(error == MET_OK || is_refusal(error));
    if (error == MET_OK) {
        error = met__slot_reach(&slot,
                                met__load_acquire(
                                    &met__slot_owner_of(&slot)
                                         ->segment_count));
        must(error == MET_OK || error == MET_E_CORRUPT);
        look_at_cells(&slot);
        met__slot_close(&slot);
    }
    met__arena_init(&arena, met__store_platform(store));
    error = met__tally_describe(store, &arena, met__node_object(&arena));
    if (error != MET_OK) {
        fprintf(stderr, "tally: %s\n", met_error_name(error));
        abort();
    }
    met__arena_release(&arena);
}

/* The recorder's generation as if nobody had settled it. */
static void forget(void)
{
    static const met__generation_state nothing;
    met__txn *txn = NULL;

    must(met__txn_begin(store, 1, &txn) == MET_OK);
    must(met__generation_put(txn, generation, &nothing) == MET_OK);
    must(met__txn_commit(txn) == MET_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_size)
{
    met_recorder *recorder = NULL;

    if (store == NULL) {
        start();
    }
    forget();
    change(data, data_size);
    look();
    met_error error = met__settle(store, NULL, 0, 0, NULL, NULL);
    must(error == MET_OK || error == MET_E_CORRUPT);
    look();
    must(met__recorder_open(store, 16, &recorder, NULL) == MET_OK);
    add(recorder, "s", "x");
    must(met__recorder_tick(recorder) == MET_OK);
    met__recorder_close(recorder);
    look();
    return 0;
}
