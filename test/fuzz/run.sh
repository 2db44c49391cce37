#!/bin/sh
# Usage: run.sh SECONDS [NAME...]: runs each fuzzer in $BUILD/fuzz so long, beginning with the corpus in
# this folder and what earlier runs found, and prints what it did. Exits 1 when an input makes one
# fail; the line printed then repeats it. $LIBFUZZER: further options. Used by make fuzz.
set -u
cd "$(dirname "$0")/../.." || exit
. test/fuzz/options.sh
seconds=$1
shift
[ $# -gt 0 ] || set -- $fuzzers
failed=0
for name; do
    found=$BUILD/fuzz/found/$name
    log=$BUILD/fuzz/$name.log
    mkdir -p "$found"
    echo "$name: $seconds s, seed ${SEED:=$(date +%s)}"
    "$BUILD/fuzz/$name" $(options $name) -seed="$SEED" -max_total_time="$seconds" \
        -print_final_stats=1 -artifact_prefix="$BUILD/fuzz/$name-" ${LIBFUZZER-} \
        "$found" "test/fuzz/corpus/$name" >"$log" 2>&1 </dev/null
    status=$?
    summary "$log"
    if [ $status -ne 0 ]; then
        failed=1
        grep -a -m 3 -e '^fuzz: ' -e 'ERROR: ' -e 'runtime error: ' "$log"
        artifact=$(sed -n 's/.*Test unit written to //p' "$log")
        echo "  all of it: $log"
        [ -z "$artifact" ] || echo "  again: $BUILD/fuzz/$name $(options $name) $artifact"
    fi
done
exit $failed
