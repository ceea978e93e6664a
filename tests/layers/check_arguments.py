#!/usr/bin/env python3
"""Every exported function with arguments that no caller should give.

    check_arguments.py LIBRARY CC

A program is made from the public headers. It calls each function, each time in
a process of its own: with NULL and 0 for everything; with live handles and
NULL; with texts and lengths that cannot be; with structs whose struct_size is
0. No call may end by a signal, and one that can fail must fail whenever an
argument that it needs is missing.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FUNCTION = re.compile(r"MET_API\s+([\w\s*]+?)\b(met_\w+)\s*\(([^;]*?)\)\s*;",
                      re.S)
HANDLES = {"met_store *": "store", "met_recorder *": "recorder",
           "met_prepared *": "prepared",
           "met_ingest *": "ingest",
           "met_gateway *": "gateway", "met_limiter *": "limiter",
           "const met_price *": "price", "met_price *": "price",
           "met_usage_cursor *": "usage", "met_billing_run *": "run"}
# What ends a handle, and what answers any number with a text.
NEVER_FAILS = re.compile(r"met_\w+_(close|destroy|release)$|met_error_\w+$|"
                         r"met_version_\w+$")
NEEDS_NOTHING = {"met_fault_guard_install"}
# With the handle alone these have all they need (a batch of 0 quantities).
COMPLETE = {"met_prepared_add", "met_price_rate_batch",
            "met_recorder_add_batch", "met_store_compact",
            "met_store_settle"}

FRAME = r"""
#include <metering/metering.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static met_store *store;
static met_recorder *recorder;
static met_prepared *prepared;
static met_ingest *ingest;
static met_gateway *gateway;
static met_limiter *limiter;
static met_price *price;
static met_usage_cursor *usage;
static met_billing_run *run;
static char zeros[4096]; /* a struct of any type, struct_size 0 */
static int bad;

/* Handles are made in the process that uses them: none may cross a fork. Only
 * those of the call, for opening takes most of the time of this test. */
enum {
    STORE = 1, RECORDER = 2, PREPARED = 4, INGEST = 8, GATEWAY = 16,
    LIMITER = 32, PRICE = 64, USAGE = 128, RUN = 256
};

static void make_handles(int which)
{
    static const char free_price[] = "{\"type\":\"unit\",\"amount\":\"1\"}";
    met_store_config config = {.struct_size = sizeof config,
                               .flags = MET_STORE_CREATE};
    met_limiter_config table = {.struct_size = sizeof table,
                                .path = "limits.map"};
    static const char meter[] =
        "{\"key\":\"m\",\"name\":\"M\",\"event_type\":\"t\","
        "\"aggregation\":\"count\"}";
    met_event event = {.struct_size = sizeof event, .type = "t",
                       .type_size = 1, .subject = "s", .subject_size = 1};
    met_error_info info = {.struct_size = sizeof info};

    if (((which & ~(LIMITER | PRICE))
         && (met_store_open("store", 5, &config, &store, &info) != MET_OK
             || met_meter_put(store, meter, sizeof meter - 1, NULL, &info)
                    != MET_OK))
        || ((which & (RECORDER | PREPARED))
            && met_recorder_open(store, NULL, &recorder, &info) != MET_OK)
        || ((which & PREPARED)
            && met_prepared_open(recorder, &event, &prepared, &info)
                   != MET_OK)
        || ((which & INGEST)
            && met_ingest_open(store, NULL, &ingest, &info) != MET_OK)
        || ((which & GATEWAY)
            && met_gateway_open(store, NULL, &gateway, &info) != MET_OK)
        || ((which & LIMITER)
            && met_limiter_open(&table, &limiter, &info) != MET_OK)
        || ((which & PRICE)
            && met_price_create(free_price, sizeof free_price - 1, NULL,
                                &price, &info) != MET_OK)
        || ((which & USAGE)
            && met_usage_query_open(store, "{\"meter\":\"m\"}", 13, &usage,
                                    &info) != MET_OK)
        || ((which & RUN)
            && met_billing_run_open(store, 0, &run, &info) != MET_OK)) {
        fprintf(stderr, "%s: %s\n", info.field, info.reason);
        _exit(3);
    }
}

static void call(const char *name, const char *how, int (*function)(void),
                 int handles, int must_fail)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        make_handles(handles);
        _exit(function() < 0 ? 1 : 0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) {
        printf("%s, %s: ended by signal %d\n", name, how, WTERMSIG(status));
        bad = 1;
    } else if (WEXITSTATUS(status) == 3) {
        printf("%s, %s: no handles\n", name, how);
        bad = 1;
    } else if (must_fail && WEXITSTATUS(status) == 0) {
        printf("%s, %s: MET_OK\n", name, how);
        bad = 1;
    }
}
"""


def functions():
    for header in sorted((ROOT / "include" / "metering").glob("*.h")):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        for result, name, words in FUNCTION.findall(text):
            types = []
            for word in " ".join(words.split()).split(", "):
                if word != "void":
                    types.append(re.sub(r"\w+$", "", word).strip())
            yield name, result.split()[-1], types


def argument(kind, how):
    if "*" not in kind:
        if how == "absurd":
            return "SIZE_MAX" if kind == "size_t" else f"({kind})-1"
        return "0" if kind != "met_error" else "(met_error)0"
    if how != "nothing" and kind in HANDLES:
        return HANDLES[kind]
    if how == "absurd" and kind == "const char *":
        return '"x"'
    if how in ("absurd", "small") and not kind.endswith("**") \
            and "char" not in kind and kind not in HANDLES:
        return f"({kind})zeros"
    return "NULL"


def main():
    library = pathlib.Path(sys.argv[1]).resolve()
    bodies, calls = [], []
    for name, result, types in functions():
        for how in ("nothing", "handles", "small", "absurd"):
            ends = NEVER_FAILS.match(name) is not None
            if how == "absurd" and ends:
                continue
            words = ", ".join(argument(kind, how) for kind in types)
            run = f"{name}({words})"
            answer = f"return (int){run};" if result == "met_error" \
                else f"(void){run}; return 0;"
            bodies.append(f"static int {name}_{how}(void) {{ {answer} }}")
            # Decimals of zeros are the number 0: those calls are fine.
            fails = not ends and result == "met_error" \
                and name not in NEEDS_NOTHING and (
                how == "nothing"
                or how == "handles" and name not in COMPLETE
                and len([k for k in types if k != "met_error_info *"]) > 1)
            handles = " | ".join(sorted(
                HANDLES[kind].upper() for kind in set(types) & set(HANDLES)
                if how != "nothing")) or "0"
            calls.append(f'    call("{name}", "{how}", {name}_{how}, '
                         f'{handles}, {int(fails)});')
    source = FRAME + "\n".join(bodies) + "\nint main(void)\n{\n" \
        + "\n".join(calls) + "\n    return bad;\n}\n"
    with tempfile.TemporaryDirectory() as scratch:
        program = pathlib.Path(scratch) / "arguments"
        subprocess.run([sys.argv[2], "-std=c11", "-D_GNU_SOURCE", "-w",
                        "-x", "c", "-", "-I", ROOT / "include",
                        "-o", program, "-x", "none", library,
                        f"-Wl,-rpath,{library.parent}"],
                       input=source, text=True, check=True)
        done = subprocess.run([program], cwd=scratch, text=True, check=False,
                              stdout=subprocess.PIPE)
    print(done.stdout, end="")
    print(f"arguments: {len(calls)} calls")
    assert len(calls) > 200
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
