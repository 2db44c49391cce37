#!/bin/sh
# The schedule explorer: it finds a defect that is built in here, shrinks it, shows it with places in the
# sources, and repeats it; the same seed gives the same run; wrong options are refused.
set -u
. test/tap.sh
work=$BUILD/test/explore
explore=$BUILD/lfset-explore
rm -rf "$work"
mkdir -p "$work/lib/set"

# ---------------------------------------------------------------- a defect
# wait_empty sleeps for the removal of a key that it found, whose node it holds meanwhile. Without that it
# compares keys with freed memory, which no atomic access touches.
sed -e '/lfset__key_pin(/,/^}/s/lfset__node_hold(key->seen);//' \
    -e '/lfset__key_unpin(/,/^}/s/lfset__drop(set, key->seen);/(void)set, (void)key;/' \
    lib/set/node_codec.h >"$work/lib/set/node_codec.h"

# command_for FILE TARGET PATTERN: what make would run for it if the file were new
command_for()
{
    "$MAKE" -n V=1 O="$BUILD" -W "$1" "$2" | grep -e "$3"
}
# Only lib/set/bytes.c is compiled anew, with the defect's header before the right one.
build_broken()
{
    object=$BUILD/obj-explore/lib/set/bytes.o
    ! cmp -s lib/set/node_codec.h "$work/lib/set/node_codec.h" &&
        command_for lib/set/bytes.c "$object" ' -c -o ' |
        sed "s,$object,$work/bytes.o,g; s, -Ilib , -I$work/lib -Ilib ,g" >"$work/build.sh" &&
        command_for "$object" "$explore" " -o $explore " |
        sed "s,$object,$work/bytes.o,g; s, -o $explore , -o $work/lfset-explore ,g" >>"$work/build.sh" &&
        sh -e "$work/build.sh"
}
check 'a defect is built in' build_broken

hunt()
{
    timeout 120 "$work/lfset-explore" --set bytes --scenario wait --runs 200000 --quiet
}
hunt >"$work/found"
status=$?
found=$(cat "$work/found")
message=$(sed -n 's/^FAILURE: //p' "$work/found")
replay=$(sed -n 's/^replay: lfset-explore //p' "$work/found" | head -n 1)
check 'it is found: exit status 1' test $status -eq 1
check '... by a plain access to freed memory' has "$message" 'wait_empty: freed memory is touched.*, freed by '
check '... after a number of schedules' has "$found" '^after [0-9]* schedules'

# operations: of the plan after a line of the text
operations()
{
    sed -n "/^$1/,/^[^ ]*\$/p" "$work/found" | sed '1,/plan:/d' | sed -n '/^  T/p; /^[^ ]/q' |
        sed 's/^[^:]*://' | tr ';' '\n' | grep -c '[a-z]'
}
before=$(operations FAILURE)
after=$(operations 'shrunk to')
check 'operations are left out' test "$after" -lt "$before"
check '... but not those that it takes' test "$after" -ge 2
interleaving=$(sed '1,/^shrunk to/d' "$work/found")
check 'the interleaving says where threads are left' has "$interleaving" '^---- to '
check '... and names places in the sources' has "$interleaving" '^T[0-9] .* rmw .* walk.h:[0-9]'
check '... also of the access that failed' has "$interleaving" '^T[0-9] .* plain .* [a-z_]*[.][ch]:[0-9]'
check '... and ends with what was found' has "$interleaving" '^T[0-9] *FAILURE: .*freed memory is touched'
preemptions=$(printf '%s\n' "$interleaving" | grep -c '^---- to')
check 'few preemptions are left' test "$preemptions" -le 8

# again OPTIONS: two runs, of the same text
again()
{
    "$@" >"$work/once"
    first=$?
    "$@" >"$work/twice"
    [ $? -eq $first ] && cmp "$work/once" "$work/twice"
}
# shellcheck disable=SC2086
check 'the printed command repeats it, access for access' again "$work/lfset-explore" $replay
check '... with the same failure' grep -qxF "FAILURE: $message" "$work/once"
check '... at the same accesses' grep -q ' plain ' "$work/once"

# ---------------------------------------------------------------- the library as it is
clean()
{
    "$explore" --set "$1" --runs 3000 --quiet
}
for set in u64 obj bytes bitmap; do
    check "nothing is found in $set: exit status 0" clean $set
done
for schedule in walk:100 urw:6401 pct2:12801 pct3:19201 pct4:25601 site:32001 site:38401; do
    check "a replay of $schedule gives the same trace" again "$explore" --trace --replay $schedule
    check '... of accesses' grep -q ' rmw  ' "$work/once"
done
table()
{
    "$explore" --runs 3000 --seed 640 --table --json "$work/$1.json" | grep -v ' accesses each$' >"$work/$1"
}
same_table()
{
    table a && table b && cmp "$work/a" "$work/b" && grep -q '^schedules with preemptions' "$work/a"
}
check 'the same seed gives the same table' same_table
cat >"$work/sums.py" <<'END'
import json, sys
whole = json.load(open(sys.argv[1]))
for key in "schedules", "accesses", "failures":
    assert whole[key] == sum(row[key] for row in whole["rows"]), key
assert whole["schedules"] == 3000 and whole["seed"] == 640 and len(whole["rows"]) > 10
assert all(0 < row["events"]["preemptions"]["count"] for row in whole["rows"])
END
check 'the JSON says the same' python3 "$work/sums.py" "$work/a.json"
failures_are_counted()
{
    "$work/lfset-explore" --set bytes --scenario wait --runs 20000 --keep-going --table --quiet --no-shrink \
        >"$work/counted"
    [ $? -eq 1 ] && grep -q '^20000 schedules, [1-9][0-9]* failures' "$work/counted" &&
        grep -q '^wait  *bytes  *20000 .* [1-9][0-9]*$' "$work/counted" && grep -q '^FAILURE: T' "$work/counted" &&
        ! grep 'does not repeat' "$work/counted"
}
check '--keep-going counts failures, and the first repeats after the others' failures_are_counted

# ---------------------------------------------------------------- options
# wrong TEXT OPTION...: exit status 2, and the message says what is wrong
wrong()
{
    text=$1
    shift
    message=$("$explore" "$@" 2>&1)
    [ $? -eq 2 ] && has "$message" "$text"
}
check 'no such set' wrong '"hash"' --set hash
check 'no such domain' wrong '"ebr"' --domain ebr
check 'no such scenario' wrong '"none"' --scenario none
check 'no such strategy' wrong '"pct9"' --strategy pct9
check 'too many threads' wrong '"5" is not a number from 2 to 4' --threads 5
check 'no operations' wrong '"0" is not a number from 1 to 5' --ops 0
check 'a negative seed' wrong '"-1"' --seed=-1
check 'no runs' wrong '"0"' --runs 0
check 'a time that is none' wrong '"soon"' --seconds soon
check 'a replay without a seed' wrong '"walk" is not STRATEGY:SEED' --replay walk
check 'a replay by no strategy' wrong '"run"' --replay run:1
check 'an argument' wrong '"argument"' argument
check 'JSON that cannot be written' wrong "$work/none/x.json: No such file" --runs 10 --json "$work/none/x.json"
check 'an unknown option' wrong 'unrecognized' --nothing
# all but the last, which is all
listed=$("$BUILD/lfset" explore --help | sed -n '/^Scenarios:/,/^  all /s/^  \([a-z]*\) .*/\1/p' | sed '$d' | sort)
known=$(sed -n 's/^EXPLORE_SCENARIOS ?= //p' Makefile | tr ' ' '\n' | sort)
check '--help lists the scenarios that make explore runs' test -n "$listed" -a "$listed" = "$known"
finish
