#!/bin/sh
# run_spin.sh MODEL holds|fails [-D...]: searches a Spin model to the end.
# holds: there must be no error. fails: a bug is planted, and an assertion must
# break. A search that is cut short is a failure of the test either way.
# Answers 77, which is "skipped", when spin is not installed.
set -eu

model=$1
wanted=$2
shift 2
if ! command -v spin >/dev/null; then
    echo 'spin is not installed: this model was not searched'
    exit 77
fi
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cp "$model" "$directory/model.pml"
cd "$directory"

spin "$@" -a model.pml
# A planted bug is near: to compile is most of the work.
level=-O0
[ "$wanted" = fails ] || level=-O1
gcc $level -w -DSAFETY -DCOLLAPSE -DMEMLIM=1500 -o pan pan.c
./pan -m100000 >report 2>&1 || true
cat report

if grep -q -e 'max search depth too small' -e 'Search not completed' report &&
    [ "$wanted" = holds ]; then
    exit 1
fi
case $wanted in
    holds) grep -q 'errors: 0' report ;;
    fails) grep -q 'assertion violated' report ;;
    *) exit 2 ;;
esac
