/* The files that workers map, with any bytes changed: what a limiter, quotas,
 * a compiled catalog, or a signal of plans is kept in. The input: a byte that
 * names the file, a byte of flags, then changes of six bytes: where (2, in
 * 8-byte words, modulo the file's size), what (4 bytes of the word's lower or,
 * by the place's highest bit, upper half). Flag 1: whoever wrote this knew the
 * checksum of a compiled catalog. Flag 2: the file is cut in half.
 *
 * A gateway is opened on it, admits, completes; usage is settled. Answers,
 * never a signal. */
#include <fcntl.h>
#include <glob.h>

#include "base/hash.h"
#include "fuzz_store.h"
#include "gateway/snapshot.h"

#define FILES 5
#define CHANGE 6
#define PAGE 4096

static const char *const patterns[FILES] = {
    "gateway/snapshot-*.map", "limits-*.map", "quota-*.map",
    "tally/plan.map", "gateway/current-*.map"};

typedef struct kept_file { /* as a healthy gateway left it */
    char path[256];
    unsigned char *bytes;
    size_t size;
} kept_file;

static kept_file files[FILES];

static met_gateway_request request_of(void)
{
    static const met_pair header = {"apikey", 6, "secret", 6};

    return (met_gateway_request){.struct_size = sizeof(met_gateway_request),
                                 .method = "GET",
                                 .method_size = 3,
                                 .path = "/a",
                                 .path_size = 2,
                                 .headers = &header,
                                 .header_count = 1};
}

static void an_answer(met_error error)
{
    must(strcmp(met_error_name(error), "MET_E_UNKNOWN") != 0
         && error != MET_E_BUG);
}

/* Whatever the files hold: an answer. */
static void serve(int must_serve)
{
    met_gateway_config config = {.struct_size = sizeof config,
                                 .limiter_capacity = 256};
    met_gateway_decision decision = {.struct_size = sizeof decision};
    met_gateway_request request = request_of();
    met_gateway *gateway = NULL;
    met_buffer text = {0};
    met_error_info info = {.struct_size = sizeof info};
    met_error error = met_gateway_open(store, &config, &gateway, &info);

    must(error == MET_OK || (!must_serve && info.reason[0] != '\0'));
    if (error != MET_OK) {
        return;
    }
    an_answer(met_gateway_tick(gateway));
    for (int i = 0; i < 2; i++) {
        error = met_gateway_admit(gateway, &request, &decision);
        must(error == MET_OK || !must_serve);
        if (error == MET_OK && decision.is_admitted) {
            an_answer(met_gateway_complete(gateway, &decision.ticket, NULL));
        }
    }
    if (met_gateway_stats(gateway, &text, NULL) == MET_OK) {
        met_buffer_release(&text);
    }
    met_gateway_close(gateway);
}

static void keep(int number)
{
    kept_file *file = &files[number];
    char pattern[256];
    glob_t found;

    snprintf(pattern, sizeof pattern, "%s/s/%s", home, patterns[number]);
    must(glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc == 1);
    snprintf(file->path, sizeof file->path, "%s", found.gl_pathv[0]);
    globfree(&found);
    FILE *from = fopen(file->path, "rb");
    must(from != NULL && fseek(from, 0, SEEK_END) == 0);
    file->size = (size_t)ftell(from);
    rewind(from);
    file->bytes = malloc(file->size);
    must(file->bytes != NULL
         && fread(file->bytes, 1, file->size, from) == file->size);
    fclose(from);
}

static void release(void)
{
    for (int i = 0; i < FILES; i++) {
        free(files[i].bytes);
    }
}

/* As it was: most of these files is pages of zeros, which cost nothing. */
static int put(const kept_file *file)
{
    static const unsigned char nothing[PAGE];
    int to = open(file->path, O_RDWR | O_CREAT | O_TRUNC, 0600);

    must(to >= 0 && ftruncate(to, (off_t)file->size) == 0);
    for (size_t at = 0; at < file->size; at += PAGE) {
        size_t size = file->size - at < PAGE ? file->size - at : PAGE;
        if (memcmp(file->bytes + at, nothing, size) != 0) {
            must(pwrite(to, file->bytes + at, size, (off_t)at)
                 == (ssize_t)size);
        }
    }
    return to;
}

static void change(int to, size_t size, const uint8_t *data, size_t data_size)
{
    for (; data_size >= CHANGE; data += CHANGE, data_size -= CHANGE) {
        unsigned place = data[0] | (unsigned)data[1] << 8;
        size_t at = (place & 0x7fff) % (size / 8) * 8 + (place >> 15) * 4;
        must(pwrite(to, data + 2, 4, (off_t)at) == 4);
    }
}

/* As its writer would have it. */
static void seal(int to, size_t size)
{
    const size_t body = MET__FILE_HEADER_SIZE;
    unsigned char *bytes = malloc(size);

    must(bytes != NULL && pread(to, bytes, size, 0) == (ssize_t)size);
    uint64_t checksum = met__checksum(bytes + body + 8, size - body - 8);
    must(pwrite(to, &checksum, sizeof checksum, (off_t)body)
         == sizeof checksum);
    free(bytes);
}

static void start(void)
{
    start_store(FUZZ_CATALOG);
    serve(1);
    for (int i = 0; i < FILES; i++) {
        keep(i);
    }
    atexit(release);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (store == NULL) {
        start();
    }
    if (size < 2) {
        return 0;
    }
    const kept_file *file = &files[data[0] % FILES];
    int to = put(file);
    change(to, file->size, data + 2, size - 2);
    if ((data[1] & 1) && file == files) {
        seal(to, file->size);
    }
    if (data[1] & 2) {
        must(ftruncate(to, (off_t)file->size / 2) == 0);
    }
    close(to);
    serve(0);
    an_answer(met_store_settle(store, NULL, NULL, NULL));
    close(put(file));
    return 0;
}
