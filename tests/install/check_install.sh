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
[ "$(pkg-config --modversion metering)" = "$("$prefix"/bin/metering --version | cut -d' ' -f2)" ]
echo "install: ok"
