/* Runs a fuzz target over every file of the directories given, then over every
 * one of them cut short and with single bits changed: a plain test, with any
 * compiler. With --once the files as they are, no more. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define SIZE_MAX_HERE 65536

static unsigned runs;
static int is_once;

/* From an exact copy, so that a sanitizer sees one byte too many. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);

    if (exact == NULL) {
        abort();
    }
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    runs++;
}

static int run_file(const char *path)
{
    static uint8_t data[SIZE_MAX_HERE];
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        return 0;
    }
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    run(data, size);
    size_t step = size / 200 + 1;
    for (size_t cut = 0; !is_once && cut < size; cut += step) {
        run(data, cut);
    }
    for (size_t at = 0; !is_once && at < size; at += step) {
        for (int bit = 0; bit < 8; bit++) {
            data[at] ^= (uint8_t)(1 << bit);
            run(data, size);
            data[at] ^= (uint8_t)(1 << bit);
        }
    }
    return 1;
}

int main(int argc, char **argv)
{
    int files = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--once") == 0) {
            is_once = 1;
            continue;
        }
        DIR *directory = opendir(argv[i]);
        const struct dirent *entry;
        if (directory == NULL) {
            perror(argv[i]);
            return 1;
        }
        while ((entry = readdir(directory)) != NULL) {
            char path[4096];
            if (entry->d_name[0] != '.') {
                snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
                files += run_file(path);
            }
        }
        closedir(directory);
    }
    printf("%d files, %u runs\n", files, runs);
    return files > 0 ? 0 : 1;
}
