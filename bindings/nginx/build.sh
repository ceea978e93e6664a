#!/usr/bin/env bash
# Builds ngx_http_metering_module.so against the sources of an nginx.
#   build.sh OUTPUT-DIRECTORY INCLUDE-DIRECTORY LIBRARY-DIRECTORY
# NGINX_SOURCE is the source tree, Debian's nginx-dev by default. Its file
# conf_flags, when there is one, holds the flags that nginx was configured with;
# other trees need NGINX_FLAGS (what `nginx -V` prints; --with-compat at least).
# The source tree is only read.
set -euo pipefail

output=$(mkdir -p "${1:?output directory}" && cd "$1" && pwd)
include=$(cd "${2:?include directory}" && pwd)
library=$(cd "${3:?library directory}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
source=${NGINX_SOURCE:-/usr/share/nginx/src}
objects=$output/objs
name=ngx_http_metering_module.so

NGX_CONF_FLAGS=(--with-compat --with-threads)
if [ -n "${NGINX_FLAGS:-}" ]; then
    eval "NGX_CONF_FLAGS=($NGINX_FLAGS)"
elif [ -f "$source/conf_flags" ]; then
    . "$source/conf_flags"
fi

# An installed library is found by the system, one of a build tree where it is.
rpath="-Wl,-rpath,$library"
case "$library" in
    /usr/lib | /usr/lib/* | /lib | /lib/*) rpath= ;;
esac
export METERING_INCLUDE=$include
export METERING_LIBS="-L$library -lmetering $rpath"

cd "$source"
# configure is slow: only when its input has changed.
stamp=$(printf '%s\n' "$source" "${NGX_CONF_FLAGS[@]}" "$METERING_INCLUDE" \
    "$METERING_LIBS" "$here" "$(cat "$here/config" "$here/build.sh")")
if [ "$stamp" != "$(cat "$objects/stamp" 2>/dev/null)" ]; then
    rm -rf "$objects"
    bash ./configure "${NGX_CONF_FLAGS[@]}" --builddir="$objects" \
        --with-cc-opt="-g -O2 -fPIC -fno-strict-aliasing -Wall -Wextra \
-Wno-unused-parameter -Werror=implicit-function-declaration \
${METERING_NGINX_CFLAGS:-}" \
        --with-ld-opt="-fPIC -Wl,-z,relro -Wl,-z,now \
-Wl,--version-script=$here/module.map -Wl,--exclude-libs,ALL \
${METERING_NGINX_LDFLAGS:-}" \
        --add-dynamic-module="$here" >"$output/configure.log" 2>&1 ||
        { tail -n 20 "$output/configure.log" >&2; exit 1; }
    printf '%s\n' "$stamp" >"$objects/stamp"
fi
make -s -f "$objects/Makefile" modules
cp "$objects/$name" "$output/$name"
