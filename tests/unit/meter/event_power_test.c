/* The power goes while events are taken in: everything that was written to the
 * store is logged, and the disk comes back with what a flush had covered, and
 * of the rest any sectors of 512 bytes. What was acknowledged is there, each
 * event counts once, and sent again they are known. */
#include "event_support.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "meter/event_state.h"

#define SECTOR 512u
#define BATCH 24u
#define BATCHES 40u
#define OPS_MAX 4096u

static char home[64];
static unsigned states_wanted = 120;
static uint64_t random_state = 4711;
static const char *boot;

/* --- The log -------------------------------------------------------------- */
typedef struct log_op {
    unsigned char *bytes; /* NULL: a flush */
    size_t size;
    uint64_t offset;
    int is_flushed;        /* by itself: the file was opened so */
    uint64_t acknowledged; /* events, when it was made */
} log_op;

static log_op ops[OPS_MAX];
static unsigned op_count;
static int is_logging;
static ino_t data_inode;
static uint64_t acknowledged;

static int is_data(int file)
{
    struct stat found;

    return is_logging && fstat(file, &found) == 0
           && found.st_ino == data_inode;
}

static void log_write(int file, const void *bytes, size_t size, off_t offset)
{
    if (op_count == OPS_MAX) {
        abort();
    }
    log_op *op = &ops[op_count++];
    *op = (log_op){.bytes = malloc(size),
                   .size = size,
                   .offset = (uint64_t)offset,
                   .is_flushed = (fcntl(file, F_GETFL) & O_DSYNC) != 0,
                   .acknowledged = acknowledged};
    memcpy(op->bytes, bytes, size);
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t offset)
{
    if (is_data(file)) {
        log_write(file, bytes, size, offset);
    }
    return syscall(SYS_pwrite64, file, bytes, size, offset);
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    if (is_data(file)) {
        off_t at = lseek(file, 0, SEEK_CUR);
        for (int i = 0; i < count; i++) {
            log_write(file, parts[i].iov_base, parts[i].iov_len, at);
            at += (off_t)parts[i].iov_len;
        }
    }
    return syscall(SYS_writev, file, parts, count);
}

static void log_flush(int file)
{
    if (is_data(file)) {
        if (op_count == OPS_MAX) {
            abort();
        }
        ops[op_count++] = (log_op){.acknowledged = acknowledged};
    }
}

int fdatasync(int file)
{
    int result = (int)syscall(SYS_fdatasync, file);

    log_flush(file);
    return result;
}

int fsync(int file)
{
    int result = (int)syscall(SYS_fsync, file);

    log_flush(file);
    return result;
}

/* --- The store ------------------------------------------------------------ */
static uint64_t next_random(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

static int boot_id(void *context, char text_out[64])
{
    (void)context;
    snprintf(text_out, 64, "%s", boot);
    return 0;
}

static faulty_disk disk;

static met_store *open_store(const char *path, const char *boot_name)
{
    met__platform platform;
    met_store *store = NULL;

    boot = boot_name;
    faulty_disk_init(&disk);
    disk.table.boot_id = boot_id;
    platform = test_platform(NULL, &disk);
    last_info = (met_error_info){.struct_size = sizeof last_info};
    met_error error = met__store_open(&platform, path, UINT64_C(16) << 20, 1,
                                      &store, &last_info);
    if (error != MET_OK) {
        fail_msg("%s: %s \"%s\" \"%s\"", path, met_error_name(error),
                 last_info.field, last_info.reason);
    }
    return store;
}

typedef struct image {
    unsigned char *bytes;
    size_t size;
    size_t room;
} image;

static image read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    image out = {0};

    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    out.size = (size_t)ftell(file);
    out.room = out.size + (UINT64_C(16) << 20);
    rewind(file);
    out.bytes = calloc(1, out.room);
    assert_int_equal(fread(out.bytes, 1, out.size, file), out.size);
    fclose(file);
    return out;
}

static void write_file(const char *path, const image *from)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(from->bytes, 1, from->size, file), from->size);
    assert_int_equal(fclose(file), 0);
}

static void apply(image *to, const log_op *op, size_t from, size_t size)
{
    size_t end = (size_t)op->offset + from + size;

    assert_true(end <= to->room);
    memcpy(to->bytes + op->offset + from, op->bytes + from, size);
    to->size = end > to->size ? end : to->size;
}

/* The file after a cut behind `end` operations. */
static image cut_at(const image *begin, unsigned end)
{
    image out = {malloc(begin->room), begin->size, begin->room};
    unsigned flushed = 0;

    memcpy(out.bytes, begin->bytes, begin->room);
    for (unsigned i = 0; i < end; i++) {
        flushed = ops[i].bytes == NULL ? i : flushed;
    }
    uint64_t chance = next_random(4); /* none, some, most, all of the rest */
    for (unsigned i = 0; i < end; i++) {
        const log_op *op = &ops[i];
        if (op->bytes == NULL) {
            continue;
        }
        if (i < flushed || op->is_flushed) {
            apply(&out, op, 0, op->size);
            continue;
        }
        for (size_t at = 0; at < op->size; at += SECTOR) {
            size_t size = op->size - at < SECTOR ? op->size - at : SECTOR;
            if (chance == 3 || next_random(3) < chance) {
                apply(&out, op, at, size);
            }
        }
    }
    return out;
}

/* --- Cutting -------------------------------------------------------------- */
static void record_run(const char *path, image *begin_out)
{
    met_store *store = open_store(path, "one");
    struct stat found;

    must_meter(store, NUMBERS_METER);
    met__ingest *ingest = must_ingest(store);
    assert_int_equal(ingest_numbers(ingest, 0, BATCH, NULL, NULL), MET_OK);
    acknowledged = BATCH;
    *begin_out = read_file(temp_path(path, "data.mdb"));
    assert_int_equal(stat(temp_path(path, "data.mdb"), &found), 0);
    data_inode = found.st_ino;
    is_logging = 1;
    for (unsigned i = 1; i < BATCHES; i++) { /* each half sent before */
        assert_int_equal(ingest_numbers(ingest, acknowledged - BATCH / 2,
                                        BATCH, NULL, NULL),
                         MET_OK);
        acknowledged += BATCH / 2;
    }
    is_logging = 0;
    met__ingest_close(ingest);
    met_store_close(store);
}

static void check_state(const char *path, uint64_t least, unsigned end)
{
    static unsigned boots;
    char boot_name[32];

    snprintf(boot_name, sizeof boot_name, "boot %u", boots++);
    met_store *store = open_store(path, boot_name);
    uint64_t count = totals_of(store).count;

    if (count < least || count > least + BATCH) {
        fail_msg("cut behind %u of %u: %llu acknowledged, %llu there", end,
                 op_count, (unsigned long long)least,
                 (unsigned long long)count);
    }
    assert_numbers(store, count);
    met__ingest *ingest = must_ingest(store);
    assert_int_equal(ingest_numbers(ingest, least - BATCH, 2 * BATCH, NULL,
                                    NULL),
                     MET_OK);
    assert_numbers(store, least + BATCH);
    assert_int_equal(ingest->dedupe.rebuilds, 1);
    met__ingest_close(ingest);
    met_store_close(store);
}

static void test_event_power__cuts(void **state)
{
    image begin;
    char path[128];

    snprintf(path, sizeof path, "%s/s", home);
    record_run(path, &begin);
    print_message("%u operations\n", op_count);
    assert_true(op_count > 3 * (BATCHES - 1));
    for (unsigned i = 0; i < states_wanted; i++) {
        unsigned end = 1 + (unsigned)next_random(op_count);
        uint64_t least = end < op_count ? ops[end].acknowledged
                                        : acknowledged;
        image cut = cut_at(&begin, end);
        write_file(temp_path(path, "data.mdb"), &cut);
        free(cut.bytes);
        check_state(path, least, end);
    }
    for (unsigned i = 0; i < op_count; i++) {
        free(ops[i].bytes);
    }
    free(begin.bytes);
}

static int setup(void **state)
{
    temp_directory_fast(home, sizeof home);
    test_now_ns = START_NS;
    return 0;
}

static int teardown(void **state)
{
    temp_remove(home);
    return 0;
}

/* event_power_test [STATES [SEED]] */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_event_power__cuts, setup,
                                        teardown),
    };

    if (argc > 1) {
        states_wanted = (unsigned)strtoul(argv[1], NULL, 10);
    }
    if (argc > 2) {
        random_state = strtoull(argv[2], NULL, 10) * 2 + 1;
    }
    return cmocka_run_group_tests_name("event_power", tests, NULL, NULL);
}
