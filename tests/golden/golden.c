/* golden FILE.json ...: runs every case of the files and compares what it
 * asserts. Prints failing ids with expected and got, sections that are not
 * served with the reason, and last "N passed, M failed, K skipped". Exit
 * status 0 only when nothing failed.
 *
 * A row `| id | reason |` of differences.md (beside this file's directory
 * given with --differences) excuses a case that differs on purpose, and a row
 * `| rule.NAME | reason |` all cases that meet this rule, if they fail. */
#include "golden.h"

#include <stdarg.h>
#include <stdlib.h>

static const golden_kind *const section_tables[] = {
    golden_period_sections,
    golden_usage_period_sections,
    golden_catalog_sections,
    golden_event_sections,
    golden_gateway_sections, /* serves what the next one leaves to it */
    golden_limit_sections,
    golden_usage_sections,
    golden_filter_sections,
    golden_grant_sections,
    golden_entitlement_sections,
    golden_lone_sections,
    golden_history_sections,
    NULL,
};
static const golden_kind *const kind_tables[] = {
    golden_proration_kinds,
    golden_rating_kinds,
    golden_runs_kinds,
    golden_steps_kinds,
    golden_money_kinds,
    golden_rule_kinds,
    golden_billing_kinds,
    golden_profile_kinds,
    golden_burn_kinds,
    NULL,
};

#define REASONS_MAX 64

typedef struct runner {
    met__platform platform;
    met__arena arena; /* of the file */
    const met__node *file;
    met__text differences;
    long passed;
    long failed;
    long skipped;
    struct {
        char name[96];
        char reason[160];
        long count;
    } reasons[REASONS_MAX];
    int reason_count;
} runner;

/* --- Reading and judging -------------------------------------------------- */
void golden_fail(golden *self, const char *format, ...)
{
    va_list arguments;

    if (self->failed++ > 0) {
        return; /* the first one says it */
    }
    va_start(arguments, format);
    vsnprintf(self->text, sizeof self->text, format, arguments);
    va_end(arguments);
}

void golden_skip(golden *self, const char *format, ...)
{
    va_list arguments;

    if (self->skipped++ == 0 && self->failed == 0) {
        va_start(arguments, format);
        vsnprintf(self->text, sizeof self->text, format, arguments);
        va_end(arguments);
    }
}

const met__node *golden_get(golden *self, const met__node *node,
                            const char *path)
{
    char name[64];

    while (node != NULL && *path != '\0') {
        size_t size = strcspn(path, ".");
        if (node->kind != MET__NODE_OBJECT || size >= sizeof name) {
            return NULL;
        }
        memcpy(name, path, size);
        name[size] = '\0';
        node = met__node_get(node, name);
        path += size + (path[size] == '.');
    }
    return node;
}

static const met__node *must_get(golden *self, const met__node *node,
                                 const char *path, uint32_t kind)
{
    const met__node *found = golden_get(self, node, path);

    if (found == NULL || (kind != 0 && found->kind != kind)) {
        golden_fail(self, "the case has no usable %s", path);
        return NULL;
    }
    return found;
}

met__text golden_text(golden *self, const met__node *node, const char *path)
{
    const met__node *found = must_get(self, node, path, MET__NODE_TEXT);
    return found ? found->as.text : MET__TEXT("");
}

int golden_flag(golden *self, const met__node *node, const char *path)
{
    const met__node *found = must_get(self, node, path, MET__NODE_BOOLEAN);
    return found ? (int)found->as.boolean : 0;
}

int64_t golden_time(golden *self, const met__node *node, const char *path)
{
    met__text text = golden_text(self, node, path);
    int64_t utc_ns = 0;

    if (text.size > 0 && memchr(text.data, '[', text.size) != NULL) {
        golden_skip(self, "needs a time zone");
    } else if (met__time_parse(text, &utc_ns) != MET_OK) {
        golden_fail(self, "%s: no time", path);
    }
    return utc_ns;
}

int64_t golden_zoned_time(golden *self, const met__node *node,
                          const char *path)
{
    met__text text = golden_text(self, node, path);
    const char *bracket = text.size > 0 && text.data[text.size - 1] == ']'
                              ? memchr(text.data, '[', text.size)
                              : NULL;
    int64_t utc_ns = 0;

    if (bracket == NULL) {
        return golden_time(self, node, path);
    }
    size_t size = (size_t)(bracket - text.data);
    met__zone_close(self->zone);
    self->zone = NULL;
    if (met__zone_open(self->platform,
                       met__text_of(bracket + 1, text.size - size - 2),
                       &self->zone, NULL) != MET_OK
        || met__time_parse(met__text_of(text.data, size), &utc_ns)
               != MET_OK) {
        golden_fail(self, "%s: no time", path);
    }
    return utc_ns;
}

met__duration golden_duration(golden *self, const met__node *node,
                              const char *path)
{
    met__duration duration = {0};

    if (met__duration_parse(golden_text(self, node, path), &duration)
        != MET_OK) {
        golden_fail(self, "%s: no duration", path);
    }
    return duration;
}

static int as_decimal(const met__node *node, met_decimal *out)
{
    switch (node->kind) {
    case MET__NODE_INTEGER:
        *out = met__decimal_from_i64(node->as.integer);
        return 1;
    case MET__NODE_DECIMAL:
        *out = node->as.decimal;
        return 1;
    case MET__NODE_TEXT:
        return met__decimal_parse(node->as.text, out) == MET_OK;
    default:
        return 0;
    }
}

met_decimal golden_decimal(golden *self, const met__node *node,
                           const char *path)
{
    const met__node *found = must_get(self, node, path, 0);
    met_decimal value = met__decimal_zero();

    if (found != NULL && !as_decimal(found, &value)) {
        golden_fail(self, "%s: no number", path);
    }
    return value;
}

static int is_same(const met__node *expected, const met__node *got);

static int is_same_list(const met__node *expected, const met__node *got)
{
    if (expected->count != got->count) {
        return 0;
    }
    for (uint32_t i = 0; i < expected->count; i++) {
        if (!is_same(expected->as.items[i], got->as.items[i])) {
            return 0;
        }
    }
    return 1;
}

static int is_same_object(const met__node *expected, const met__node *got)
{
    for (uint32_t i = 0; i < expected->count; i++) {
        const met__member *member = &expected->as.members[i];
        const met__node *other = NULL;
        for (uint32_t j = 0; j < got->count; j++) {
            if (met__text_equal(got->as.members[j].name, member->name)) {
                other = got->as.members[j].node;
            }
        }
        if (member->node->kind == MET__NODE_NULL && other == NULL) {
            continue; /* null says that it is not there */
        }
        if (other == NULL || !is_same(member->node, other)) {
            return 0;
        }
    }
    return 1;
}

static int is_same(const met__node *expected, const met__node *got)
{
    met_decimal a;
    met_decimal b;
    int64_t one;
    int64_t two;

    if (got == NULL) {
        return 0;
    }
    if (expected->kind == got->kind) {
        if (expected->kind == MET__NODE_ARRAY) {
            return is_same_list(expected, got);
        }
        if (expected->kind == MET__NODE_OBJECT) {
            return is_same_object(expected, got);
        }
    }
    if (as_decimal(expected, &a) && as_decimal(got, &b)) {
        return met__decimal_compare(a, b) == 0;
    }
    if (expected->kind == MET__NODE_TEXT && got->kind == MET__NODE_TEXT
        && met__time_parse(expected->as.text, &one) == MET_OK
        && met__time_parse(got->as.text, &two) == MET_OK) {
        return one == two;
    }
    return met__node_equal(expected, got);
}

void golden_same(golden *self, const met__node *expected,
                 const met__node *got)
{
    met__buffer want;
    met__buffer have;

    if (expected == NULL || is_same(expected, got)) {
        if (expected == NULL) {
            golden_fail(self, "the case asserts nothing");
        }
        return;
    }
    met__buffer_init(&want, self->platform);
    met__buffer_init(&have, self->platform);
    met__json_write(expected, 0, &want);
    if (got != NULL) {
        met__json_write(got, 0, &have);
    }
    golden_fail(self, "expected %.1800s\n    got      %.1800s", want.data,
                have.data ? have.data : "nothing");
    met__buffer_release(&want);
    met__buffer_release(&have);
}

void golden_same_time(golden *self, const met__node *expected,
                      met_error error, int64_t got_ns)
{
    if (error != MET_OK) {
        golden_fail(self, "got %s", met_error_name(error));
        return;
    }
    golden_same(self, expected, met__node_time(self->arena, got_ns));
}

void golden_same_flag(golden *self, const met__node *expected, int got)
{
    golden_same(self, expected, met__node_boolean(self->arena, got != 0));
}

/* --- Differences ---------------------------------------------------------- */
/* The reason of a row "| id | reason |"; size 0: not listed. */
static met__text difference_of(const runner *self, met__text id,
                               int *is_listed)
{
    met__text rest = self->differences;

    *is_listed = 0;
    while (rest.size > 0) {
        const char *end = memchr(rest.data, '\n', rest.size);
        size_t size = end ? (size_t)(end - rest.data) : rest.size;
        const char *line = rest.data;
        if (size > id.size + 4 && line[0] == '|') {
            const char *at = line + 1 + (line[1] == ' ');
            at += *at == '`';
            if ((size_t)(line + size - at) > id.size
                && memcmp(at, id.data, id.size) == 0
                && strchr("` |", at[id.size]) != NULL) {
                const char *bar = memchr(at, '|', (size_t)(line + size - at));
                *is_listed = 1;
                if (bar == NULL) {
                    return MET__TEXT("");
                }
                bar++;
                size_t left = (size_t)(line + size - bar);
                while (left > 0 && strchr(" |\r", bar[left - 1]) != NULL) {
                    left--;
                }
                while (left > 0 && *bar == ' ') {
                    bar++;
                    left--;
                }
                return met__text_of(bar, left);
            }
        }
        rest = met__text_of(rest.data + size + (end != NULL),
                            rest.size - size - (end != NULL));
    }
    return MET__TEXT("");
}

/* --- Running -------------------------------------------------------------- */
static void note_skipped(runner *self, const char *name, const char *reason)
{
    int at = 0;

    self->skipped++;
    while (at < self->reason_count
           && (strcmp(self->reasons[at].name, name) != 0
               || strcmp(self->reasons[at].reason, reason) != 0)) {
        at++;
    }
    if (at == REASONS_MAX) {
        at--;
    } else if (at == self->reason_count) {
        self->reason_count++;
        snprintf(self->reasons[at].name, sizeof self->reasons[at].name, "%s",
                 name);
        snprintf(self->reasons[at].reason, sizeof self->reasons[at].reason,
                 "%s", reason);
    }
    self->reasons[at].count++;
}

static const golden_kind *find_kind(const golden_kind *const *tables,
                                    const char *name)
{
    for (; *tables != NULL; tables++) {
        for (const golden_kind *row = *tables; row->name != NULL; row++) {
            if (strcmp(row->name, name) == 0) {
                return row;
            }
        }
    }
    return NULL;
}

/* A kind that is not served: its table or the row kind.NAME says why. */
static void skip_kind(runner *self, const golden_kind *kind, const char *name)
{
    char row[80];
    int is_listed = 0;

    snprintf(row, sizeof row, "kind.%s", name);
    met__text reason = difference_of(self, met__text_z(row), &is_listed);
    if (kind == NULL || kind->reason != NULL) {
        note_skipped(self, name, kind ? kind->reason : "is not served");
    } else if (reason.size > 0) {
        note_skipped(self, name, "differs on purpose (differences.md)");
    } else {
        self->failed++;
        printf("FAIL %s\n    is not served, and no row %s says why\n", name,
               row);
    }
}

static void run_case(runner *self, const golden_kind *kind, const char *name,
                     const met__node *item)
{
    golden now = {.platform = &self->platform, .file = self->file};
    met__arena arena;
    const met__node *id_node = met__node_get(item, "id");
    met__text id = id_node ? id_node->as.text : MET__TEXT("?");
    int is_listed = 0;

    if (kind == NULL || kind->run == NULL) {
        skip_kind(self, kind, name);
        return;
    }
    met__arena_init(&arena, &self->platform);
    now.arena = &arena;
    kind->run(&now, item);
    met__text reason = difference_of(self, id, &is_listed);
    if (!is_listed && now.failed > 0 && now.rule != NULL) {
        reason = difference_of(self, met__text_z(now.rule), &is_listed);
    }
    if (now.skipped && now.failed == 0) {
        note_skipped(self, name, now.text);
    } else if (now.failed == 0 && !is_listed) {
        self->passed++;
    } else if (now.failed == 0) {
        self->failed++;
        printf("FAIL %s %.*s\n    is listed as a difference, but is none\n",
               name, (int)id.size, id.data);
    } else if (is_listed && reason.size > 0) {
        note_skipped(self, name, "differs on purpose (differences.md)");
    } else {
        self->failed++;
        printf("FAIL %s %.*s\n    %s%s\n", name, (int)id.size, id.data,
               now.text, is_listed ? " (listed without a reason)" : "");
    }
    met__zone_close(now.zone);
    met__arena_release(&arena);
}

static int is_list_of_cases(const met__node *node)
{
    if (node->kind != MET__NODE_ARRAY || node->count == 0) {
        return 0;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        const met__node *item = node->as.items[i];
        const met__node *id = item->kind == MET__NODE_OBJECT
                                  ? met__node_get(item, "id")
                                  : NULL;
        if (id == NULL || id->kind != MET__NODE_TEXT) {
            return 0;
        }
    }
    return 1;
}

static void run_list(runner *self, const char *section,
                     const met__node *list)
{
    int is_flat = strcmp(section, "cases") == 0;

    for (uint32_t i = 0; i < list->count; i++) {
        const met__node *item = list->as.items[i];
        char name[96];
        snprintf(name, sizeof name, "%s", section);
        if (is_flat) {
            const met__node *kind = met__node_get(item, "kind");
            if (kind != NULL && kind->kind == MET__NODE_TEXT) {
                snprintf(name, sizeof name, "%.*s", (int)kind->as.text.size,
                         kind->as.text.data);
            }
        }
        run_case(self, find_kind(is_flat ? kind_tables : section_tables, name),
                 name, item);
    }
}

/* The whole of a file in the arena; size 0 when it cannot be read. */
static met__text read_whole(met__arena *arena, const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t size = 0;
    size_t room = (size_t)1 << 24;
    char *data = file ? met__arena_allocate(arena, room) : NULL;

    if (data != NULL) {
        size = fread(data, 1, room, file);
    }
    if (file != NULL) {
        fclose(file);
    }
    return met__text_of(data, size);
}

/* Number tokens with more digits than documents may have become texts, which
 * compare as decimals all the same. */
static met__text quote_long_numbers(met__arena *arena, met__text text)
{
    char *out = met__arena_allocate(arena, text.size * 2 + 1);
    size_t size = 0;
    int is_inside = 0;

    for (size_t i = 0; out != NULL && i < text.size;) {
        char c = text.data[i];
        size_t end = i;
        while (!is_inside && end < text.size
               && strchr("+-.0123456789eE", text.data[end]) != NULL
               && text.data[end] != '\0') {
            end++;
        }
        if (end > i + 15 && (c == '-' || (c >= '0' && c <= '9'))) {
            out[size++] = '"';
            memcpy(out + size, text.data + i, end - i);
            size += end - i;
            out[size++] = '"';
            i = end;
            continue;
        }
        if (is_inside && c == '\\' && i + 1 < text.size) {
            out[size++] = c;
            c = text.data[++i];
        } else if (c == '"') {
            is_inside = !is_inside;
        }
        out[size++] = c;
        i++;
    }
    return met__text_of(out, size);
}

static void run_file(runner *self, const char *path)
{
    met_error_info info = {.struct_size = sizeof info};
    met__node *file = NULL;

    met__arena_init(&self->arena, &self->platform);
    met__text text = quote_long_numbers(&self->arena,
                                        read_whole(&self->arena, path));
    met_error error = met__json_parse(&self->arena, text, &file, &info);
    if (error != MET_OK || file->kind != MET__NODE_OBJECT) {
        printf("FAIL %s\n    cannot be read: %s\n", path, info.reason);
        self->failed++;
    } else {
        self->file = file;
        for (uint32_t i = 0; i < file->count; i++) {
            const met__member *member = &file->as.members[i];
            char name[64];
            snprintf(name, sizeof name, "%.*s", (int)member->name.size,
                     member->name.data);
            /* "dataset" is what other cases ask about. */
            if (strcmp(name, "dataset") != 0
                && is_list_of_cases(member->node)) {
                run_list(self, name, member->node);
            }
        }
    }
    met__arena_release(&self->arena);
}

int main(int count, char **words)
{
    static runner self;
    met__arena arena;
    int at = 1;

    if (met__platform_init(&self.platform, NULL, NULL) != MET_OK) {
        return 2;
    }
    met__arena_init(&arena, &self.platform);
    if (count > 2 && strcmp(words[1], "--differences") == 0) {
        self.differences = read_whole(&arena, words[2]);
        at = 3;
    }
    if (at >= count) {
        fprintf(stderr, "usage: golden [--differences FILE] FILE.json ...\n");
        return 2;
    }
    for (; at < count; at++) {
        run_file(&self, words[at]);
    }
    met__arena_release(&arena);
    for (int i = 0; i < self.reason_count; i++) {
        printf("skipped %4ld %s: %s\n", self.reasons[i].count,
               self.reasons[i].name, self.reasons[i].reason);
    }
    printf("%ld passed, %ld failed, %ld skipped\n", self.passed, self.failed,
           self.skipped);
    return self.failed > 0;
}
