/* Where in the source the model checker's operations stand: which orders they
 * ask for, which of them goes without one, and how they are printed. */
#include "atomic_engine.h"

#define SITES 256

static struct {
    model_site_use use[SITES]; /* sorted */
    size_t count;
    const model_site *weakened;
    int weakened_order;
} sites;

static int compare(const model_site *a, const model_site *b)
{
    int order = strcmp(a->file, b->file);

    if (order == 0) {
        order = a->line - b->line;
    }
    if (order == 0) {
        order = strcmp(a->operation, b->operation);
    }
    return order == 0 ? strcmp(a->word, b->word) : order;
}

/* The first use that is not before this site. */
static size_t find(const model_site *site)
{
    size_t low = 0;
    size_t high = sites.count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare(&sites.use[middle].site, site) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void remember(const model_site *site, int orders)
{
    size_t place = find(site);
    model_site_use *use = &sites.use[place];

    if (place == sites.count || compare(&use->site, site) != 0) {
        if (sites.count == SITES) {
            model_die("too many sites");
        }
        memmove(use + 1, use, (sites.count - place) * sizeof *use);
        *use = (model_site_use){*site, orders, 0};
        sites.count++;
    }
    use->searches |= UINT64_C(1) << model.spec->number;
}

int model_orders_at(const model_site *site, int orders)
{
    if (!model.spec->is_weak || orders == 0) {
        return orders;
    }
    if (sites.weakened == NULL) {
        if (model.spec->is_remembered) {
            remember(site, orders);
        }
        return orders;
    }
    return site->line == sites.weakened->line
                   && compare(site, sites.weakened) == 0
               ? orders & ~sites.weakened_order
               : orders;
}

size_t model_sites(const model_site_use **uses_out)
{
    *uses_out = sites.use;
    return sites.count;
}

void model_weaken(const model_site *site, int order)
{
    sites.weakened = site;
    sites.weakened_order = order;
    model.is_weakened = site != NULL;
}

void model_say(const model_site *site, const char *what, const void *address,
               uint64_t value)
{
    if (model.is_loud && model.now.current >= 0) {
        const char *file = strrchr(site->file, '/');
        fprintf(stderr, "  thread %d %-9s %016llx  %s:%d %s [..%05zx]\n",
                model.now.current, what, (unsigned long long)value,
                file == NULL ? site->file : file + 1, site->line, site->word,
                (size_t)(uintptr_t)address & 0xfffff);
    }
}
