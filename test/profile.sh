#!/bin/sh
# lfset profile on a program that leaks at known places: pprof, google-pprof and flamegraph.pl read what
# it writes, and say the right function and number.
set -u
. test/tap.sh
CC=${CC-cc}
PKG_CONFIG=${PKG_CONFIG-pkg-config}
lfset=$BUILD/lfset
work=$BUILD/test/profile
flamegraph=/usr/share/perl5/Devel/NYTProf/flamegraph.pl
leaky=$work/leaky
rm -rf "$work"
mkdir -p "$work"
export PPROF_TMPDIR="$work" HOME="$work"

if [ ! -x "$BUILD/lfset-observe" ]; then
    skip 'lfset profile' 'lfset-observe is not built (tools/packages.sh)'
    finish
fi
# Calls must stay calls: what ends in one is not in the stack.
if ! $CC -std=gnu11 -g -O1 -fno-optimize-sibling-calls -Iinclude -o "$leaky" test/profile/leaky.c \
    "$BUILD/liblfset.a" $($PKG_CONFIG --libs liburcu-bp) -pthread; then
    echo 'not ok - the program to look at compiles'
    exit 1
fi
leaky=$(realpath "$leaky")

# ---------------------------------------------------------------- a program that does what it is told
# begin RATE: starts it, as $pid
begin()
{
    rm -f "$work/in" "$work/out"
    mkfifo "$work/in" "$work/out"
    "$leaky" "$1" <"$work/in" >"$work/out" &
    pid=$!
    exec 5>"$work/in" 6<"$work/out"
}
# tell COMMAND NUMBER: until it is done
tell()
{
    echo "$1 $2" >&5
    read -r answer <&6
    [ "$answer" = ok ]
}
end()
{
    exec 5>&- 6<&-
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
}
# the registry of $pid as a file
save()
{
    for fd in /proc/"$pid"/fd/*; do
        case $(readlink "$fd") in
        */memfd:lfset-observe*) cp --sparse=always "$fd" "$1" && return ;;
        esac
    done
    return 1
}
profile()
{
    "$lfset" profile "$@"
}
# pprof FILE: its table of functions, as "flat name"
pprof()
{
    go tool pprof -symbolize=none -top -sample_index=live_elements "$1" 2>&1 |
        sed -n 's/^ *\([0-9]*\) .*% \{1,\}\([^ ]*\).*$/\1 \2/p'
}
# says PATTERN COMMAND...: succeeds, and a line of what it prints matches
says()
{
    pattern=$1
    shift
    said=$("$@") || { echo "$* failed"; return 1; }
    has "$said" "$pattern"
}
# says_not PATTERN COMMAND...
says_not()
{
    pattern=$1
    shift
    said=$("$@") || { echo "$* failed"; return 1; }
    has_not "$said" "$pattern"
}

# ---------------------------------------------------------------- every key
begin 1
tell leak 1000
tell churn 5000
tell words 300
check 'text: the place, its line and how much' says 'leak_here  .*leaky.c:[0-9]' profile "$pid"
check 'text: exact numbers' says ' 1000 keys  76.9 %  8000 bytes .* set sessions$' profile "$pid"
check 'text: bytes of strings' says '  300 keys .* set words$' profile "$pid"
check 'text: what was removed is not there' says_not churn_here profile "$pid"
check 'text: lfset itself is left out' says_not 'lfset_u64_add\|add_observed' profile "$pid"
check '--set: only that one' says_not sessions profile "$pid" --set words
check '--format json' says '"name": "leak_here"' profile "$pid" --format json

profile "$pid" --format folded -o "$work/folded"
check 'folded stacks' has "$(cat "$work/folded")" '^sessions;.*;main;obey;leak_here 1000$'
if [ -r "$flamegraph" ]; then
    check 'flamegraph.pl reads them' says 'leak_here (1,000 samples, 76.92%)' perl "$flamegraph" "$work/folded"
else
    skip 'flamegraph.pl reads them' 'libdevel-nytprof-perl is not installed (tools/packages.sh)'
fi

profile "$pid" --format pprof -o "$work/pprof"
if command -v go >/dev/null; then
    check 'go tool pprof: the place and its number' has "$(pprof "$work/pprof")" '^1000 leak_here$'
    check 'go tool pprof: strings' has "$(pprof "$work/pprof")" '^300 word_here$'
    check 'go tool pprof: labels' says 'set:\[sessions\]' go tool pprof -raw "$work/pprof"
    check 'go tool pprof: all three values' says 'live_elements/count.* live_bytes/bytes idle_time/' \
        go tool pprof -raw "$work/pprof"
    check 'go tool pprof: lines' says 'leaky.c:[0-9]' go tool pprof -symbolize=none -lines -top "$work/pprof"
    gzip -k "$work/pprof"
    check 'go tool pprof: compressed' has "$(pprof "$work/pprof.gz")" '^1000 leak_here$'
else
    skip 'go tool pprof' 'golang-go is not installed (tools/packages.sh)'
fi

profile "$pid" --format heap -o "$work/heap"
google()
{
    google-pprof --text "$@" "$leaky" "$work/heap" 2>/dev/null
}
if command -v google-pprof >/dev/null; then
    check 'google-pprof: the place and its number' says '^ *1000 .* leak_here$' google --inuse_objects
    check 'google-pprof: the total is not estimated' says '^Total: 1300 objects' google --inuse_objects
else
    skip 'google-pprof' 'google-perftools is not installed (tools/packages.sh)'
fi

# ---------------------------------------------------------------- differences
save "$work/before"
tell leak 50
tell clear 0
tell words 301
tell leak 20
check '--diff: what grew' says '  1 keys .* set words$' profile "$pid" --diff "$work/before"
check '--diff: not what became less' says_not sessions profile "$pid" --diff "$work/before"
check '--diff --signed: that, too' says ' -980 keys .* set sessions$' profile "$pid" --diff "$work/before" --signed
check '--since: nothing happens, nothing grew' says ': 0 keys, 0 bytes in 0 stacks$' profile "$pid" --since 0.1

kill -STOP "$pid"
check 'a stopped process' says '^ *20 keys .* set sessions$' profile "$pid"
save "$work/last"
end
check 'a registry that its process left behind' says '^ *20 keys .* set sessions$' profile "$work/last"
check 'it still names functions' says '^ *leak_here  .*leaky.c' profile "$work/last"

# the same program, another process, other addresses
begin 1
tell leak 30
check '--diff of two processes' says '^ *10 keys .* set sessions$' profile "$pid" --diff "$work/last"

# ---------------------------------------------------------------- rounds
tell start 0
check '--rounds --fail: a leak in churn is found' \
    exits 1 profile "$pid" --rounds 3 --interval 0.7 --fail -o "$work/rounds"
# the paragraphs of what grew
grown=$(awk '/GREW IN EVERY ROUND/, /^$/' "$work/rounds")
check 'it is blamed on its place' has "$grown" '^ *leak_here  '
check 'and not on the churn' has_not "$grown" churn_here
check 'a set that breathes is none' has_not "$grown" breathe_here
check '--rounds --fail: nothing grew' profile "$pid" --set words --rounds 2 --interval 0.05 --fail
end

# ---------------------------------------------------------------- one key in so many
begin 16
tell leak 16000
about_16000()
{
    keys=$(profile "$pid" | sed -n 's/^ *\([0-9]*\) keys.* set sessions$/\1/p')
    # which keys are sampled depends on the keys alone, and they are the same in each run
    [ "$keys" -gt 13000 ] && [ "$keys" -lt 19000 ] || { echo "$keys keys"; return 1; }
}
check 'a rate of 16: about right' about_16000
check 'a rate of 16: it is said' says 'estimated from one key in 16$' profile "$pid"

# ---------------------------------------------------------------- what it refuses
check 'refused: no set of this name' tells 2 'has no set of the name nobody' profile "$pid" --set nobody
check 'refused: a format that is not known' tells 2 "'svg' is not one of" profile "$pid" --format svg
check 'refused: a file that is no registry' tells 2 'no registry' profile "$leaky"
check 'refused: no such file' tells 3 'no such file' profile "$work/nothing"
check 'refused: rounds in a file' tells 2 'need a process' profile "$work/last" --rounds 3
check 'refused: one round' tells 2 "'1' is not a number from 2" profile "$pid" --rounds 1
check 'refused: --fail without rounds' tells 2 'fail is for --rounds' profile "$pid" --fail
check 'refused: --diff and --since' tells 2 'only one of' profile "$pid" --diff "$work/last" --since 1
check 'refused: nothing named' tells 2 'a process id or a file is needed' profile
check 'refused: an output that cannot be' tells 3 'No such file' profile "$pid" -o "$work/none/none"
check 'refused: a full disk' tells 3 'could not be written' profile "$pid" -o /dev/full
check 'a profile that fails leaves the old file' has "$(profile "$pid" --set nobody -o "$work/folded" 2>&1
    cat "$work/folded")" 'leak_here 1000$'
end
finish
