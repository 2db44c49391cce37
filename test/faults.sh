#!/bin/sh
# A sample of every fault on every set and domain, all of which must end well; a set under a lock, which must
# not; and a soak of seconds, with its files. $BUILD holds the programs and the shared library.
set -u
. test/tap.sh
work=$BUILD/test/faults
rm -rf "$work"
mkdir -p "$work"

# rows FILE: how many rows of a table are well
rows()
{
    grep -c '"outcome": "ok"' "$1"
}

for fault in stopped ended allocation fork churn unload; do
    check "$fault" exits 0 "$BUILD/lfset" faults --only $fault --quick --seed 1 --json "$work/$fault.json" \
        --html "$work/$fault.html"
done
check 'a row for each set and domain' test "$(rows "$work/stopped.json")" -eq 8
check 'the page is whole' grep -q '</html>' "$work/stopped.html"

lock=$("$BUILD/lfset" faults --only stopped --set mutex --domain hp --hang 2)
status=$?
check 'a set under a lock is found out' test $status -eq 1
check 'and it says why' has "$lock" 'FAILED .*stopped at access 1: the others could not go on'
check 'a wrong fault is bad usage' exits 2 "$BUILD/lfset" faults --only nonsense
check 'a wrong file is bad usage' exits 2 "$BUILD/lfset" faults --json "$work/none/here"

soak()
{
    "$BUILD/lfset" soak --seed 1 --keys 10000 --csv "$work/soak.csv" --svg "$work/soak.svg" "$@"
}
check 'a short soak' exits 0 soak --seconds 4
check 'its measurements' test "$(wc -l <"$work/soak.csv")" -ge 3
check 'its curves' grep -q '</svg>' "$work/soak.svg"
interrupted=$(timeout --preserve-status -s INT 2 "$BUILD/lfset-soak" --seconds 600 --keys 10000 \
    --csv "$work/cut.csv" --svg "$work/cut.svg")
check 'an interrupt ends it with its results' has "$interrupted" '^interrupted after'
check 'and with its curves' grep -q '</svg>' "$work/cut.svg"
check 'a wrong number is bad usage' exits 2 soak --seconds none
finish
