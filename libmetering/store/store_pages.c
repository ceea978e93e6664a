/* Walks the B+trees of LMDB's file with our own reads and believes nothing:
 * every page number, offset, size, order and count is checked, and no page may
 * have two owners. In: a data file and a transaction that keeps its snapshot
 * alive. Out: the first page that is wrong, and why. Never writes, and knows
 * of values only how long they are.
 *
 * Source: the on-disk format of LMDB 0.9 (data version 1), native byte order:
 * page   number:8 pad:2 flags:2 lower:2 upper:2 | overflow pages:4 at 12
 * node   low:2 high:2 flags:2 key size:2 key data; a branch keeps its child's
 *        number in low, high, flags; a leaf its data size in low, high
 * tree   pad:4 flags:2 depth:2 branch:8 leaf:8 overflow:8 entries:8 root:8
 * meta   magic:4 version:4 address:8 map size:8 free tree main tree
 *        last page:8 transaction:8, at 16 in pages 0 and 1 */
#include "store/store_pages.h"

#include "base/check.h"
#include "store/store_env.h"

#define HEADER_SIZE 16
#define NODE_SIZE 8
#define TREE_SIZE 48
#define META_SIZE 136
#define PAGE_BRANCH 1u
#define PAGE_LEAF 2u
#define PAGE_OVERFLOW 4u
#define PAGE_META 8u
#define NODE_BIG 1u  /* the data is the number of an overflow page */
#define NODE_TREE 2u /* the data is a tree */
#define TREE_INTEGER_KEYS 8u
#define NO_PAGE UINT64_MAX
#define DEPTH_MAX 32u
#define TREES_MAX 64u /* tables, ours and a few more */
#define FILE_SIZE_MAX (UINT64_C(1) << 47)
#define TRIES 20

typedef struct tree {
    uint64_t branches;
    uint64_t leaves;
    uint64_t overflows;
    uint64_t entries;
    uint64_t root;
    uint32_t flags;
    uint32_t depth;
} tree;

typedef struct meta {
    tree free_pages;
    tree main;
    uint64_t page_end; /* one beyond the last page in use */
    uint64_t txn_id;
    uint32_t page_size;
    uint32_t reserved;
} meta;

enum { OF_TABLE = 1, OF_TREES, OF_FREE_PAGES };

typedef struct walk {
    const met__platform *platform;
    met__page_report *report;
    unsigned char *seen; /* a bit for every page */
    unsigned char *levels[DEPTH_MAX];
    uint64_t page_size;
    uint64_t page_end;
    uint64_t file_size;
    int file;
    int content; /* OF_... */
    tree counted;
    tree trees[TREES_MAX]; /* found in the main tree */
    uint32_t tree_count;
    uint32_t depth; /* of the tree being walked */
} walk;

static uint16_t get16(const unsigned char *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint32_t get32(const unsigned char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint64_t get64(const unsigned char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static met_error wrong(met__page_report *report, met_error error,
                       uint64_t page, const char *reason)
{
    report->page = page;
    report->reason = reason;
    return error;
}

static met_error damaged(walk *w, uint64_t page, const char *reason)
{
    return wrong(w->report, MET_E_CORRUPT, page, reason);
}

/* --- Meta pages ----------------------------------------------------------- */
static tree get_tree(const unsigned char *at)
{
    return (tree){
        .flags = get16(at + 4),
        .depth = get16(at + 6),
        .branches = get64(at + 8),
        .leaves = get64(at + 16),
        .overflows = get64(at + 24),
        .entries = get64(at + 32),
        .root = get64(at + 40),
    };
}

static int is_tree(const tree *t, uint64_t page_end, uint32_t flags)
{
    if (t->flags != flags || t->depth > DEPTH_MAX) {
        return 0;
    }
    return t->root == NO_PAGE ? t->depth == 0 && t->entries == 0
                              : t->depth > 0 && t->root >= 2
                                    && t->root < page_end;
}

static met_error read_meta(const met__os *os, int file, uint64_t page,
                           uint64_t page_size, meta *meta_out,
                           met__page_report *report)
{
    unsigned char bytes[HEADER_SIZE + META_SIZE];
    const unsigned char *at = bytes + HEADER_SIZE;
    int64_t got = os->read_at(os->context, file, bytes, sizeof bytes,
                              page * page_size);

    if (got < 0) {
        return wrong(report, met__os_error(got), page, "cannot be read");
    }
    if (got < (int64_t)sizeof bytes) {
        return wrong(report, MET_E_CORRUPT, page, "is cut short");
    }
    if (get32(at) != 0xbeefc0de) {
        return wrong(report, MET_E_FOREIGN, page, "is not of LMDB");
    }
    if (get32(at + 4) != 1) {
        return wrong(report, MET_E_LAYOUT, page, "is of another LMDB");
    }
    *meta_out = (meta){
        .page_size = get32(at + 24),
        .free_pages = get_tree(at + 24),
        .main = get_tree(at + 24 + TREE_SIZE),
        .page_end = get64(at + 120) + 1,
        .txn_id = get64(at + 128),
    };
    uint64_t size = meta_out->page_size;
    if (get64(bytes) != page || get16(bytes + 10) != PAGE_META || size < 512
        || size > 32768 || (size & (size - 1)) != 0
        || (page == 1 && size != page_size) || meta_out->page_end < 2
        || meta_out->page_end > FILE_SIZE_MAX / size
        || (meta_out->txn_id & 1) != (meta_out->txn_id ? page : 0)) {
        return wrong(report, MET_E_CORRUPT, page, "is damaged");
    }
    return MET_OK;
}

static met_error check_trees(const meta *m, uint64_t page,
                             met__page_report *report)
{
    return is_tree(&m->free_pages, m->page_end, TREE_INTEGER_KEYS)
                   && is_tree(&m->main, m->page_end, 0)
               ? MET_OK
               : wrong(report, MET_E_CORRUPT, page, "is damaged");
}

static met_error check_metas(const met__os *os, int file,
                             met__page_report *report)
{
    meta even;
    meta odd;
    met_error error = read_meta(os, file, 0, 0, &even, report);

    if (error == MET_OK) {
        error = read_meta(os, file, 1, even.page_size, &odd, report);
    }
    if (error != MET_OK) {
        return error;
    }
    /* Transactions take turns: the two are neighbours, or both the first. */
    if (even.txn_id - odd.txn_id != 1 && odd.txn_id - even.txn_id != 1
        && (even.txn_id | odd.txn_id) != 0) {
        return wrong(report, MET_E_CORRUPT, 0, "and page 1 do not fit");
    }
    /* Only of the younger one: when a meta page could not be written, LMDB
     * puts back its old numbers, but leaves the roots of the lost commit. */
    return odd.txn_id > even.txn_id ? check_trees(&odd, 1, report)
                                    : check_trees(&even, 0, report);
}

met_error met__pages_check_metas(const met__os *os, int file,
                                 met__page_report *report_out)
{
    met_error error;
    int tries = 0;

    /* A writer may commit between our two reads: then look again. */
    do {
        *report_out = (met__page_report){0};
        error = check_metas(os, file, report_out);
    } while (error == MET_E_CORRUPT && ++tries < TRIES);
    return error;
}

/* --- One page ------------------------------------------------------------- */
/* Claims pages that nobody has claimed before. */
static met_error claim(walk *w, uint64_t page, uint64_t count)
{
    if (page < 2 || count == 0 || page >= w->page_end
        || count > w->page_end - page) {
        return damaged(w, page, "is beyond the end");
    }
    for (uint64_t i = page; i < page + count; i++) {
        unsigned char bit = (unsigned char)(1u << (i % 8));
        if (w->seen[i / 8] & bit) {
            return damaged(w, i, "has two owners");
        }
        w->seen[i / 8] |= bit;
    }
    w->report->visited += count;
    return MET_OK;
}

static met_error read_pages(walk *w, uint64_t page, void *bytes, size_t size)
{
    const met__os *os = w->platform->os;
    int64_t got = os->read_at(os->context, w->file, bytes, size,
                              page * w->page_size);

    if (got < 0) {
        return wrong(w->report, met__os_error(got), page, "cannot be read");
    }
    return got == (int64_t)size ? MET_OK : damaged(w, page, "is cut short");
}

static size_t node_count(const unsigned char *page)
{
    return (get16(page + 12) - HEADER_SIZE) / 2u;
}

static const unsigned char *node_at(const unsigned char *page, size_t index)
{
    return page + get16(page + HEADER_SIZE + 2 * index);
}

static met__text node_key(const unsigned char *node)
{
    return met__text_of((const char *)node + NODE_SIZE, get16(node + 6));
}

static uint64_t node_child(const unsigned char *node)
{
    return get16(node) | (uint64_t)get16(node + 2) << 16
           | (uint64_t)get16(node + 4) << 32;
}

static uint64_t node_data_size(const unsigned char *node)
{
    return get16(node) | (uint64_t)get16(node + 2) << 16;
}

static const unsigned char *node_data(const unsigned char *node)
{
    return node + NODE_SIZE + get16(node + 6);
}

/* Whole bytes of a node, as LMDB keeps them: an even number. */
static uint64_t node_size(const unsigned char *node, int is_leaf)
{
    uint64_t size = (uint64_t)NODE_SIZE + get16(node + 6);

    if (is_leaf) {
        size += get16(node + 4) & NODE_BIG ? sizeof(uint64_t)
                                           : node_data_size(node);
    }
    return size + (size & 1);
}

static int compare_keys(const walk *w, met__text a, met__text b)
{
    if (w->content != OF_FREE_PAGES) {
        return met__text_compare(a, b);
    }
    uint64_t left = get64((const unsigned char *)a.data);
    uint64_t right = get64((const unsigned char *)b.data);
    return (left > right) - (left < right);
}

/* Offsets and sizes of all nodes lie in the page and fill it exactly. */
static const char *check_layout(const walk *w, const unsigned char *page,
                                int is_leaf)
{
    uint64_t lower = get16(page + 12);
    uint64_t upper = get16(page + 14);
    uint64_t used = 0;

    if (lower <= HEADER_SIZE || (lower & 1) != 0 || lower > upper
        || upper > w->page_size) {
        return "has a wrong header";
    }
    for (size_t i = 0; i < node_count(page); i++) {
        uint64_t offset = get16(page + HEADER_SIZE + 2 * i);
        if (offset < upper || (offset & 1) != 0
            || offset + NODE_SIZE > w->page_size
            || offset + node_size(page + offset, is_leaf) > w->page_size) {
            return "has a wrong offset";
        }
        used += node_size(page + offset, is_leaf);
    }
    return used == w->page_size - upper ? NULL : "has wrong sizes";
}

/* Keys have a right size, rise, and lie in [low, high). */
static const char *check_keys(const walk *w, const unsigned char *page,
                              int is_leaf, met__text low, met__text high)
{
    met__text last = low;
    int is_after = 0; /* may not equal `last` */

    /* The first key of a branch means "from the beginning". */
    for (size_t i = !is_leaf; i < node_count(page); i++) {
        met__text key = node_key(node_at(page, i));
        if (key.size == 0 || key.size > MET__LMDB_KEY_SIZE_MAX
            || (w->content == OF_FREE_PAGES && key.size != 8)) {
            return "has a wrong key size";
        }
        if ((last.data != NULL && compare_keys(w, key, last) < is_after)
            || (high.data != NULL && compare_keys(w, key, high) >= 0)) {
            return "has keys out of order";
        }
        last = key;
        is_after = 1;
    }
    return NULL;
}

/* --- Values --------------------------------------------------------------- */
/* The pages of a big value; *count_out is how many. */
static met_error check_overflow(walk *w, uint64_t page, uint64_t size)
{
    unsigned char header[HEADER_SIZE];

    if (page >= w->page_end) {
        return damaged(w, page, "is beyond the end");
    }
    met_error error = read_pages(w, page, header, sizeof header);
    if (error != MET_OK) {
        return error;
    }
    uint64_t count = get32(header + 12);
    if (get64(header) != page || get16(header + 10) != PAGE_OVERFLOW
        || count * w->page_size < size + HEADER_SIZE) {
        return damaged(w, page, "is no start of a value");
    }
    error = claim(w, page, count);
    if (error == MET_OK && (page + count) * w->page_size > w->file_size) {
        error = damaged(w, page, "is cut short");
    }
    w->counted.overflows += count;
    return error;
}

/* A list of free pages: count, numbers. Nobody else may own them. */
static met_error check_free_list(walk *w, uint64_t page,
                                 const unsigned char *list, uint64_t size)
{
    if (size < 8 || get64(list) > size / 8 - 1) {
        return damaged(w, page, "has a wrong list of free pages");
    }
    for (uint64_t i = 1; i <= get64(list); i++) {
        met_error error = claim(w, get64(list + 8 * i), 1);
        if (error != MET_OK) {
            return error;
        }
    }
    return MET_OK;
}

static met_error check_free_value(walk *w, uint64_t page,
                                  const unsigned char *node)
{
    uint64_t size = node_data_size(node);

    if (!(get16(node + 4) & NODE_BIG)) {
        return check_free_list(w, page, node_data(node), size);
    }
    uint64_t first = get64(node_data(node));
    unsigned char *bytes = met__allocate(w->platform, HEADER_SIZE + size);
    if (bytes == NULL) {
        return MET_E_NO_MEMORY;
    }
    met_error error = read_pages(w, first, bytes, HEADER_SIZE + size);
    if (error == MET_OK) {
        error = check_free_list(w, first, bytes + HEADER_SIZE, size);
    }
    met__release(w->platform, bytes, HEADER_SIZE + size);
    return error;
}

static met_error check_value(walk *w, uint64_t page,
                             const unsigned char *node)
{
    unsigned flags = get16(node + 4);

    if (w->content == OF_TREES) {
        if (flags != NODE_TREE || node_data_size(node) != TREE_SIZE
            || w->tree_count == TREES_MAX) {
            return damaged(w, page, "has no table");
        }
        tree *found = &w->trees[w->tree_count++];
        *found = get_tree(node_data(node));
        return is_tree(found, w->page_end, 0)
                   ? MET_OK
                   : damaged(w, page, "has a wrong table");
    }
    if ((flags & ~NODE_BIG) != 0) {
        return damaged(w, page, "has a wrong record");
    }
    met_error error = MET_OK;
    if (flags & NODE_BIG) {
        error = check_overflow(w, get64(node_data(node)),
                               node_data_size(node));
    }
    if (error == MET_OK && w->content == OF_FREE_PAGES) {
        error = check_free_value(w, page, node);
    }
    return error;
}

/* --- Trees ---------------------------------------------------------------- */
static met_error visit(walk *w, uint64_t number, uint32_t level,
                       met__text low, met__text high)
{
    int is_leaf = level + 1 == w->depth;
    met_error error = claim(w, number, 1);

    if (w->levels[level] == NULL) {
        w->levels[level] = met__allocate(w->platform, w->page_size);
    }
    unsigned char *page = w->levels[level];
    if (page == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (error == MET_OK) {
        error = read_pages(w, number, page, w->page_size);
    }
    if (error != MET_OK) {
        return error;
    }
    if (get64(page) != number
        || get16(page + 10) != (is_leaf ? PAGE_LEAF : PAGE_BRANCH)) {
        return damaged(w, number, "is another page");
    }
    const char *reason = check_layout(w, page, is_leaf);
    if (reason == NULL) {
        reason = check_keys(w, page, is_leaf, low, high);
    }
    if (reason != NULL) {
        return damaged(w, number, reason);
    }
    size_t count = node_count(page);
    w->counted.branches += !is_leaf;
    w->counted.leaves += (uint64_t)is_leaf;
    w->counted.entries += is_leaf ? count : 0;
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        const unsigned char *node = node_at(page, i);
        error = is_leaf ? check_value(w, number, node)
                        : visit(w, node_child(node), level + 1,
                                i > 0 ? node_key(node) : low,
                                i + 1 < count ? node_key(node_at(page, i + 1))
                                              : high);
    }
    return error;
}

static met_error walk_tree(walk *w, const tree *t, int content)
{
    w->content = content;
    w->depth = t->depth;
    w->counted = (tree){0};
    if (t->root != NO_PAGE) {
        met_error error = visit(w, t->root, 0, (met__text){0},
                                (met__text){0});
        if (error != MET_OK) {
            return error;
        }
    }
    if (w->counted.branches != t->branches || w->counted.leaves != t->leaves
        || w->counted.overflows != t->overflows
        || w->counted.entries != t->entries) {
        return damaged(w, t->root, "begins a tree with wrong counts");
    }
    return MET_OK;
}

static met_error walk_all(walk *w, const meta *m, int scope)
{
    met_error error = walk_tree(w, &m->main, OF_TREES);

    if (scope == MET__PAGES_TOP && m->page_end * w->page_size <= w->file_size) {
        return error;
    }
    for (uint32_t i = 0; error == MET_OK && i < w->tree_count; i++) {
        error = walk_tree(w, &w->trees[i], OF_TABLE);
    }
    return error == MET_OK ? walk_tree(w, &m->free_pages, OF_FREE_PAGES)
                           : error;
}

/* The pages of a snapshot. MET_E_BUSY: its meta page has been used again. */
static met_error check_snapshot(met_store *store, uint64_t txn_id, int scope,
                                met__page_report *report)
{
    const met__os *os = store->platform.os;
    met__os_stat found;
    MDB_stat stat;
    meta m;
    walk w = {.platform = &store->platform, .report = report};

    mdb_env_stat(store->env, &stat);
    mdb_env_get_fd(store->env, &w.file);
    met_error error = read_meta(os, w.file, txn_id & 1, stat.ms_psize, &m,
                                report);
    if (error == MET_OK) {
        error = check_trees(&m, txn_id & 1, report);
    }
    if (error != MET_OK || m.txn_id != txn_id) {
        return error == MET_OK || error == MET_E_CORRUPT ? MET_E_BUSY : error;
    }
    int result = os->fstat(os->context, w.file, &found);
    if (result < 0) {
        return wrong(report, met__os_error(result), 0, "cannot be examined");
    }
    /* What lies beyond the file is free, and named so in the file: at most one
     * page for every 8 bytes. More would be asked of memory in vain. */
    if (m.page_end > found.size / m.page_size + found.size / 8) {
        return wrong(report, MET_E_CORRUPT, txn_id & 1,
                     "has pages far beyond the file's end");
    }
    w.page_size = m.page_size;
    w.page_end = m.page_end;
    w.file_size = found.size;
    size_t seen_size = m.page_end / 8 + 1;
    w.seen = met__allocate(&store->platform, seen_size);
    error = w.seen != NULL ? walk_all(&w, &m, scope) : MET_E_NO_MEMORY;
    met__release(&store->platform, w.seen, seen_size);
    for (size_t i = 0; i < DEPTH_MAX; i++) {
        met__release(&store->platform, w.levels[i], w.page_size);
    }
    return error;
}

met_error met__pages_begin(met_store *store, int scope, met__txn **txn_out,
                           met__page_report *report_out)
{
    met_error error = MET_E_BUSY;

    MET__ASSERT(txn_out != NULL && report_out != NULL);
    /* Two commits between begin and our look at its meta page are possible:
     * begin anew. A damaged one stays damaged. */
    for (int i = 0; error == MET_E_BUSY && i < TRIES; i++) {
        met__txn *txn;
        *report_out = (met__page_report){0};
        error = met__txn_begin(store, 0, &txn);
        if (error == MET_OK) {
            error = check_snapshot(store, mdb_txn_id(txn->txn), scope,
                                   report_out);
            if (error == MET_OK) {
                *txn_out = txn;
                return MET_OK;
            }
            met__txn_abort(txn);
        }
    }
    if (error == MET_E_BUSY && report_out->reason != NULL) {
        error = MET_E_CORRUPT;
    }
    return error;
}
