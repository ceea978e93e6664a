#!/usr/bin/env bash
# Compiles every public header alone as C99, C11 and C++17, with padding as an
# error: a hole in a public struct would become a garbage field later.
#   check_headers.sh INCLUDE_DIRECTORY CC CXX
set -euo pipefail
include=$1 cc=$2 cxx=$3
count=0
for header in "$include"/metering/*.h; do
    name=metering/$(basename "$header")
    for standard in c99 c11; do
        echo "#include <$name>
int unused_;" |
            "$cc" -std=$standard -Wall -Wextra -Wpedantic -Wpadded -Werror \
                -I"$include" -fsyntax-only -x c -
        count=$((count + 1))
    done
    echo "#include <$name>
int unused_;" |
        "$cxx" -std=c++17 -Wall -Wextra -Wpedantic -Wpadded -Werror \
            -I"$include" -fsyntax-only -x c++ -
    count=$((count + 1))
done
[ "$count" -gt 0 ]
echo "headers: $count compilations"
