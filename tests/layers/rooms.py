"""The law of the house: who may include whom, and who may call what.

One table, read by check_layers.py. A new arrow changes this table first.
"""

FOUNDATION = {"base", "document", "store"}

# room -> rooms it may include (itself is always allowed)
MAY_INCLUDE = {
    "base": set(),
    "document": {"base"},
    "store": {"base", "document"},
    "limit": {"base"},
    "meter": FOUNDATION,
    "catalog": FOUNDATION | {"meter"},
    "customer": {"base", "store", "meter", "catalog"},
    "entitlement": FOUNDATION | {"meter", "catalog", "customer", "limit"},
    "rating": {"base", "catalog"},
    "invoice": FOUNDATION | {"meter", "catalog", "customer", "entitlement",
                             "rating"},
    "gateway": FOUNDATION | {"meter", "catalog", "customer", "entitlement",
                             "limit"},
    "api": {"base", "store", "limit", "meter", "catalog", "customer",
            "entitlement", "rating", "invoice", "gateway"},
}

# In which headers of another room a narrower law holds: room -> room -> files.
ONLY_HEADERS = {
    "rating": {"catalog": {"catalog/price.h"}},
    "entitlement": {"limit": {"limit/quota.h"}},
}

# A third-party header may be included only by these files.
THIRD_PARTY = {
    "lmdb.h": r"store/store_[a-z_]+\.[ch]",
    "msgpack.h": r"store/record\.c",
    "jansson.h": None,  # only the tool
    "bid_conf.h": r"base/decimal[a-z_]*\.c",
    "bid_functions.h": r"base/decimal[a-z_]*\.c",
    "xxhash.h": r"base/hash(_inline)?\.[ch]",
    "sodium.h": r"gateway/credential[a-z_]*\.c",
    "yaml.h": None,  # only the tool
}

# Calls that only base may make: memory, time, files, maps, atomics.
BASE_ONLY = [
    "malloc", "calloc", "realloc", "free", "strdup", "asprintf",
    "time", "clock_gettime", "gettimeofday", "localtime_r", "gmtime_r",
    "localtime", "gmtime", "mktime", "strftime", "strptime", "nanosleep",
    "fopen", "fclose", "fread", "fwrite", "printf", "fprintf", "open",
    "openat", "close", "read", "write", "pread", "pwrite", "mmap", "munmap",
    "msync", "fsync", "fdatasync", "ftruncate", "fallocate",
    "posix_fallocate", "rename", "unlink", "mkdir", "rmdir", "opendir",
    "readdir", "stat", "fstat", "lstat", "getrandom", "getpid", "fork",
    "fcntl", "flock", "getenv", "setenv", "rand", "random", "srand",
    "abort", "exit", "signal", "sigaction", "pthread_atfork",
    "pthread_create", "pthread_mutex_lock", "pthread_cond_wait",
]
ATOMIC_PATTERN = (r"(?<!met)__atomic_|__sync_|_Atomic|stdatomic|"
                  r"atomic_(load|store|compare|fetch|exchange)")

# room/file.c -> names from BASE_ONLY it may use, with the reason.
EXCEPTIONS = {
}

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 80
