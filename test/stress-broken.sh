#!/bin/sh
# The stress has power: each deliberately broken set is caught, mostly within a second, with a witness that a
# person can read; the correct control passes; bad options are refused. $BUILD holds lfset and
# lfset-stress.
set -u
. test/tap.sh
work=$BUILD/test/stress-broken
rm -rf "$work"
mkdir -p "$work"

stress()
{
    "$BUILD/lfset-stress" "$@"
}

# operations FILE: how many a history holds
operations()
{
    grep -c -v '^#' "$1"
}

# short FILE: at most ten operations
short()
{
    [ -s "$1" ] && [ "$(operations "$1")" -le 10 ] || { cat "$1"; return 1; }
}

for set in broken-add broken-snapshot broken-clear broken-count; do
    history=$work/$set
    check "$set is caught" exits 1 stress --set $set --keys 4 --seed 1 --seconds 60 --history "$history" \
        --json "$history.json"
    check "$set: the round is judged a violation" exits 1 "$BUILD/lfset" check "$history"
    check "$set: at most 10 operations show it" short "$history.witness"
    check "$set: they are a violation by themselves" exits 1 "$BUILD/lfset" check "$history.witness"
    check "$set: there is a page" grep -q '<svg' "$history.html"
    check "$set: the results say so" grep -q '"verdict": "violation"' "$history.json"
done

check 'broken-each is caught' exits 1 stress --set broken-each --keys 4 --seed 1 --seconds 60 \
    --history "$work/broken-each"

check 'a correct set passes' exits 0 stress --set mutex --seconds 2 --seed 1 \
    --history "$work/good" --json "$work/good.json" --report "$work/good.html"
check 'its last round is linearizable' exits 0 "$BUILD/lfset" check "$work/good"
check 'the results say so' grep -q '"verdict": "linearizable"' "$work/good.json"
check 'there is a report' grep -q 'Linearizable: yes' "$work/good.html"
check 'all sets pass' exits 0 stress --ops 400000 --seed 1 --history "$work/all.bin" --report \
    "$work/all.html" --json "$work/all.json" --churn-threads
check 'a binary history is accepted' exits 0 "$BUILD/lfset" check "$work/all.bin"
for set in u64 bytes obj bitmap; do
    for domain in rcu hp; do
        check "the report names $set on $domain" grep -q "<td>$set on $domain</td>" "$work/all.html"
    done
    check "the results name $set" grep -q "\"set\": \"$set\"" "$work/all.json"
done
check 'the shared counter is a clock too' exits 0 stress --keys 4 --ops 100000 --clock counter
check 'a stopped thread does not stop the others' exits 0 stress --keys 16 --ops 400000 --stall \
    --seed 1 --json "$work/stopped.json"
check 'some were stopped' grep -q '"count": [1-9]' "$work/stopped.json"
check 'but in a set under locks it does' exits 1 stress --set mutex --keys 4 --seconds 60 --stall \
    --hang 1 --history "$work/stall"

check 'an unknown set is refused' exits 2 stress --set none
check 'an unknown option is refused' exits 2 stress --none
check 'an argument is refused' exits 2 stress none
check 'no threads are refused' exits 2 stress --threads 0
check 'a negative number is refused' exits 2 stress --threads -1
check 'no keys are refused' exits 2 stress --keys 0
check 'trailing text is refused' exits 2 stress --ops 5x
check 'no time is refused' exits 2 stress --seconds 0
check 'time and operations together are refused' exits 2 stress --seconds 1 --ops 1
check 'an unknown operation in the mix is refused' exits 2 stress --mix add=1,none=1
check 'every operation has its place in the mix' exits 0 stress --set u64 --keys 16 --ops 20000 \
    --mix "add=40,remove=40,wait=1,each=1,remove_if=1,reserve=1,clear=1,drain=1,snapshot=1,pop=1"
check 'a mix of nothing is refused' exits 2 stress --mix add=0
check 'a weight that is no number is refused' exits 2 stress --mix add=x
check 'an unknown domain is refused' exits 2 stress --domain none
check 'an unknown clock is refused' exits 2 stress --clock none
check 'a file that cannot be written is refused' exits 2 stress --json "$work/none/file"
check 'a stall with one thread is refused' exits 2 stress --stall --threads 1
finish
