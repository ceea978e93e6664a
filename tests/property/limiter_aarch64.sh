#!/usr/bin/env bash
# limiter_aarch64.sh ROOT: the limiter on the other processor that it is written
# for: compiled by a cross compiler with all warnings, and run by an emulator
# with four threads, and with processes that are killed. Answers 77, which is
# "skipped", where gcc-aarch64-linux-gnu or qemu-user are not installed.
set -euo pipefail

root=$1
compiler=aarch64-linux-gnu-gcc
emulator=qemu-aarch64
for program in "$compiler" "$emulator"; do
    if ! command -v "$program" >/dev/null; then
        echo "$program is not installed: nothing was compiled for aarch64"
        exit 77
    fi
done
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

flags=(-std=gnu11 -O2 -Wall -Wextra -Wconversion -Wshadow -Wpedantic
    -Wno-unused-parameter -Werror -D_GNU_SOURCE
    -I "$root/include" -I "$root/libmetering" -I "$root/tests/support"
    -idirafter /usr/include)
# compile FOLDER FILE...: objects of one folder, whose names differ.
compile() {
    mkdir "$directory/$1"
    (cd "$directory/$1" &&
        printf '%s\n' "${@:2}" |
        xargs -P 2 -n 4 "$compiler" "${flags[@]}" -c)
}
library=$root/libmetering
compile limit "$library"/limit/*.c
compile api "$library"/api/{error,limiter,limiter_text,types}.c
compile base "$library"/base/{bytes,calendar,caller_struct,cheap_clock}.c \
    "$library"/base/{error,fork_guard,hash,mapped_file,os,platform}.c
compile test "$root/tests/property/limiter_kill.c"
"$compiler" -static -o "$directory/limiter_kill" "$directory"/*/*.o -lpthread

"$emulator" "$directory/limiter_kill" --threads
"$emulator" "$directory/limiter_kill" --kills 50
