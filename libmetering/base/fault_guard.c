/* The list of mapped files, and the handler of SIGBUS that a host may ask for.
 * In: mappings as they come and go; an address. Out: zero pages there, when it
 * is one of ours. The list is written and read without a lock, because the
 * reader is the handler of a signal. */
#include "base/fault_guard.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "base/fork_guard.h"
#include "base/os.h"

static met__fault_watch watches[MET__FAULT_WATCHES];
static met__atomic_u64 used_most; /* places that ever were in use */
static met__atomic_u64 covered;
static met__atomic_u64 page_size;

/* --- The list ------------------------------------------------------------- */
static int try_place(met__fault_watch *watch, uint64_t begin, uint64_t size)
{
    uint64_t sequence = met__load_acquire(&watch->sequence);

    if (sequence % 2 != 0 || met__load_relaxed(&watch->begin) != 0
        || !met__cas(&watch->sequence, &sequence, sequence + 1)) {
        return 0;
    }
    met__store_relaxed(&watch->begin, begin);
    met__store_relaxed(&watch->end, begin + size);
    met__store_relaxed(&watch->faults, 0);
    met__store_release(&watch->sequence, sequence + 2);
    return 1;
}

met__fault_watch *met__fault_watch_begin(const void *memory, uint64_t size)
{
    if (met__load_relaxed(&page_size) == 0) {
        met__store_relaxed(&page_size, (uint64_t)sysconf(_SC_PAGESIZE));
    }
    for (uint64_t i = 0; i < MET__FAULT_WATCHES; i++) {
        if (try_place(&watches[i], (uint64_t)(uintptr_t)memory, size)) {
            met__raise(&used_most, i + 1);
            return &watches[i];
        }
    }
    return NULL;
}

void met__fault_watch_end(met__fault_watch *watch)
{
    if (watch != NULL) {
        met__fetch_add(&watch->sequence, 1);
        met__store_relaxed(&watch->begin, 0);
        met__store_relaxed(&watch->end, 0);
        met__fetch_add(&watch->sequence, 1);
    }
}

/* --- Covering ------------------------------------------------------------- */
/* The place whose mapping has the address, and its end. A mapping that is being
 * touched is not on its way in or out. */
static met__fault_watch *find(uint64_t address, uint64_t *end_out)
{
    uint64_t most = met__load_acquire(&used_most);

    for (uint64_t i = 0; i < most && i < MET__FAULT_WATCHES; i++) {
        met__fault_watch *watch = &watches[i];
        uint64_t sequence = met__load_acquire(&watch->sequence);
        uint64_t begin = met__load_relaxed(&watch->begin);
        uint64_t end = met__load_relaxed(&watch->end);
        met__fence_acquire();
        if (sequence % 2 == 0 && begin != 0 && begin <= address
            && address < end
            && met__load_relaxed(&watch->sequence) == sequence) {
            *end_out = end;
            return watch;
        }
    }
    return NULL;
}

met_error met__fault_cover(const void *address)
{
    const met__os *os = met__os_default();
    uint64_t at = (uint64_t)(uintptr_t)address;
    uint64_t end = 0;
    met__fault_watch *watch = find(at, &end);

    if (watch == NULL) {
        return MET_E_NOT_FOUND;
    }
    int kept = errno;
    met__fetch_add(&watch->faults, 1); /* before anybody can go on there */
    at -= at % met__load_relaxed(&page_size);
    int result = os->cover(os->context, (void *)(uintptr_t)at, end - at);
    errno = kept;
    if (result < 0) {
        return MET_E_NO_MEMORY;
    }
    met__fetch_add(&covered, 1);
    return MET_OK;
}

uint64_t met__fault_count(void)
{
    return met__load_relaxed(&covered);
}

/* --- The handler ---------------------------------------------------------- */
static struct sigaction before; /* who is asked when it is not ours */
static int is_installed;

/* To whoever was there. The system's own way is taken by coming back: what
 * was touched is touched again, or the signal is sent once more. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    if ((before.sa_flags & SA_SIGINFO) != 0) {
        before.sa_sigaction(number, info, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(number);
    } else if (before.sa_handler == SIG_DFL || info->si_code > 0) {
        struct sigaction none = {.sa_handler = SIG_DFL};
        sigaction(number, &none, NULL);
        if (info->si_code <= 0) {
            raise(number);
        }
    }
}

static void handle(int number, siginfo_t *info, void *context)
{
    int is_gone = info->si_code == BUS_ADRERR || info->si_code == BUS_OBJERR
                  || info->si_code == BUS_MCEERR_AR;

    if (!is_gone || met__fault_cover(info->si_addr) != MET_OK) {
        pass_on(number, info, context);
    }
}

met_error met__fault_guard_install(void)
{
    uint32_t generation;
    met_error error = met__fork_guard_start(&generation);
    int result = 0;

    if (error != MET_OK) {
        return error;
    }
    met__process_lock();
    if (!is_installed) {
        struct sigaction mine = {.sa_flags = SA_SIGINFO | SA_ONSTACK
                                             | SA_RESTART};
        mine.sa_sigaction = handle;
        sigemptyset(&mine.sa_mask);
        result = sigaction(SIGBUS, NULL, &before);
        if (result == 0) {
            result = sigaction(SIGBUS, &mine, NULL);
        }
        is_installed = result == 0;
    }
    met__process_unlock();
    return result == 0 ? MET_OK : MET_E_IO;
}
