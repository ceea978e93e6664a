#!/usr/bin/env bash
# One check of the Go package in bindings/go:
#   run_go.sh vet|test|oldest|race|catalog|versions|nginx|page BUILD \
#       TOOL GO PYTHON
# Ends with 77, skipped, where there is no Go; oldest, where there is no 1.19.
set -euo pipefail
how=$1 build=$2 tool=$3 go=$4 python=$5
root=$(cd "$(dirname "$0")/../.." && pwd)

if [ ! -x "$go" ]; then
    echo "there is no go"
    exit 77
fi
prefix=$build/go/prefix
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name metering.pc)")
export PKG_CONFIG_PATH LD_LIBRARY_PATH="${PKG_CONFIG_PATH%/pkgconfig}"
# Go's cache knows neither what pkg-config answers nor what C headers hold; it
# knows CGO_CFLAGS. So these name both.
seen=$({ cat "$PKG_CONFIG_PATH/metering.pc" \
    "$prefix"/include/metering/*.h; echo "$prefix"; } | sha256sum)
export CGO_CFLAGS="-O2 -g -DMETERING_SEEN=0x${seen:0:16}"
# One arena, so that what leaks is seen early.
export MALLOC_ARENA_MAX=1
export METERING_TOOL=$tool GOTOOLCHAIN=local GOPROXY=off GOWORK=off GOFLAGS=
[ -n "${HOME:-}" ] || export GOCACHE=$build/go/cache
cd "$root/bindings/go"

case $how in
    vet)
        "$go" vet ./...
        unformatted=$("$(dirname "$(readlink -f "$go")")"/gofmt -l .)
        [ -z "$unformatted" ] || { echo "gofmt: $unformatted"; exit 1; }
        ;;
    test)
        "$go" test -count=1 ./...
        "$go" test -run '^$' -bench . -benchtime 1x .
        story=$("$go" run ./examples/get_started)
        for line in "6 429" "ariel: 5 used, 995 left" \
            "rosario: 5 used, 4995 left" "1 package of 5000 x 1" "1.00 USD"; do
            grep -qF "$line" <<<"$story" ||
                { echo "the story lacks \"$line\":"; echo "$story"; exit 1; }
        done
        [ "$(wc -l <examples/get_started/main.go)" -le 60 ]
        ;;
    oldest)
        # Debian 12 has it beside others.
        oldest=/usr/lib/go-1.19/bin/go
        [ -x "$oldest" ] || exit 77
        "$oldest" vet ./...
        "$oldest" test -count=1 .
        ;;
    race)
        # And every pointer that is stored is checked (Go 1.21 and later).
        if GOEXPERIMENT=cgocheck2 "$go" version >/dev/null 2>&1; then
            export GOEXPERIMENT=cgocheck2
        fi
        "$go" test -race -count=1 .
        ;;
    page) "$python" "$root/tests/go/page.py" "$go" ;;
    versions) "$python" "$root/tests/go/versions.py" "$build" "$go" ;;
    nginx)
        "$python" "$root/tests/go/share_nginx.py" "$build" "$tool" "$go"
        ;;
    catalog)
        # The catalog in the example is that of the story.
        "$python" - "$root" <<'PYTHON'
import json, pathlib, sys, yaml
root = pathlib.Path(sys.argv[1])
story = {}
for name in ("catalog.yaml", "kong.yaml"):
    text = (root / "examples/get_started" / name).read_text()
    story.update(yaml.safe_load(text))
ours = root / "bindings/go/examples/get_started/catalog.json"
sys.exit(story != json.loads(ours.read_text()))
PYTHON
        ;;
esac
