#!/usr/bin/env bash
# Installs a build into a staged prefix and uses it from there as a stranger
# would: by find_package and by pkg-config, shared and static.
#   check_install.sh BUILD CC
set -euo pipefail
build=$1 cc=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
export PKG_CONFIG_PATH

cmake --install "$build" --prefix "$prefix" >"$work/install.log"
pc=$(find "$prefix" -name metering.pc)
PKG_CONFIG_PATH=$(dirname "$pc")
libraries=$(dirname "$PKG_CONFIG_PATH")
grep -rlF "$build" "$prefix" --include='*.pc' --include='*.h' && {
    echo "an installed file names the build directory"
    exit 1
}

echo "find_package"
cmake -S "$here/consumer" -B "$work/consumer" -G Ninja \
    -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" >"$work/configure.log"
cmake --build "$work/consumer" >"$work/build.log"
"$work/consumer/consumer_shared"
"$work/consumer/consumer_static"
ldd "$work/consumer/consumer_static" | grep libmetering && exit 1

echo "pkg-config"
# shellcheck disable=SC2046
"$cc" -o "$work/shared" "$here/consumer/consumer.c" \
    $(pkg-config --cflags --libs metering)
LD_LIBRARY_PATH=$libraries "$work/shared"
# shellcheck disable=SC2046
"$cc" -DMETERING_STATIC -o "$work/static" "$here/consumer/consumer.c" \
    $(pkg-config --cflags metering) -Wl,-Bstatic -lmetering -Wl,-Bdynamic \
    $(pkg-config --static --libs metering | sed 's/ *-lmetering//')
"$work/static"

echo "what the pages say"
root=$here/../..
cp "$root/examples/first_steps.c" "$work/app.c"
# All pieces of the page are one program.
sed -n '/^```c$/,/^```$/p' "$root/docs/embedding.md" | grep -v '^```' \
    >"$work/program.c"
for page in README.md docs/embedding.md; do
    line=$(grep -E '^cc .*pkg-config' "$root/$page")
    (cd "$work" && cc() { "$cc" "$@"; } && eval "$line" &&
        LD_LIBRARY_PATH=$libraries ./a.out >"$work/said")
done
mkdir "$work/page"
cp "$work/app.c" "$work/page/app.c"
{
    echo 'cmake_minimum_required(VERSION 3.25)'
    echo 'project(page C)'
    echo 'add_executable(app app.c)'
    sed -n '/^```cmake$/,/^```$/p' "$root/README.md" | grep -v '^```'
} >"$work/page/CMakeLists.txt"
cmake -S "$work/page" -B "$work/page/build" -G Ninja \
    -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" >"$work/page.log"
cmake --build "$work/page/build" >>"$work/page.log"
(cd "$work" && page/build/app >/dev/null)
[ "$(pkg-config --modversion metering)" = "$("$prefix"/bin/metering --version | cut -d' ' -f2)" ]
echo "install: ok"
