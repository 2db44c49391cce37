#!/bin/sh
# lfset check as a tool: exit codes, what it says about bad input, rounds through a pipe, and that it
# needs the memory of one round, however many there are. Prints TAP.
set -u
. "$(dirname "$0")/tap.sh"
lfset=$BUILD/lfset
work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT

from_pipe()
{
    cat "$1" | "$lfset" check -
}
same()
{
    "$lfset" check --convert "$1" "$2" | cmp - "$3"
}
# resident FILE: the most memory that checking it took, in KiB
resident()
{
    command time -f %M -o "$work/resident" "$lfset" check "$1" >/dev/null && cat "$work/resident"
}

header='# lfset-history'
printf '%s 2\n0 add 1 1 0 1\n1 contains 1 1 0 2\n' "$header" >"$work/good"
printf '%s 2\n0 add 1 1 0 1\n1 contains 1 0 2 3\n' "$header" >"$work/bad"
{
    cat "$work/good"
    printf '%s 3\n# continued\n0 remove 1 1 3 4\n' "$header"
} >"$work/rounds"
{
    cat "$work/rounds"
    printf '%s 3\n# continued\n0 contains 1 1 5 6\n' "$header"
} >"$work/bad-rounds"
printf '%s 2\n0 add 1 ? 0 -\n%s 3\n# continued\n1 add 1 0 3 4\n' "$header" "$header" >"$work/open"
printf '%s 3\n# continued\n1 add 1 0 3 4\n' "$header" >"$work/nothing"
{
    cat "$work/good"
    printf '%s 3\n# continued\n0 remove 1 1 2 4\n' "$header"
} >"$work/early"
# whole-set operations that overlap others need a search
printf '%s 2\n0 clear - 1 0 5\n1 add 7 1 0 10\n2 add 7 1 0 10\n3 size - 1 0 10\n4 size - 0 0 10\n' \
    "$header" >"$work/search"

check "a linearizable history: 0" tells 0 'good: linearizable' "$lfset" check "$work/good"
check "a violation: 1" tells 1 'cannot be placed' "$lfset" check "$work/bad"
check "no search steps left: 3" tells 3 'undecided' "$lfset" check --budget 1 "$work/search"
check "no such file: 2" tells 2 'cannot open' "$lfset" check "$work/none"
check "no history: 2" tells 2 ':1: not a history' "$lfset" check "$0"
check "a bad line: 2" tells 2 'standard input:2: bad result' sh -c \
    "printf '%s 2\n0 add 1 7 0 1\n' '$header' | '$lfset' check -"
check "a file of 0 bytes: 2" tells 2 'it is empty' "$lfset" check /dev/null
check "a directory: 2" tells 2 'cannot read: Is a directory' "$lfset" check "$work"

check "rounds carry on" tells 0 '3 operations in 2 rounds' "$lfset" check "$work/rounds"
check "rounds from a pipe" tells 0 'standard input: linearizable' from_pipe "$work/rounds"
check "a violation in a later round" tells 1 'found in round 3' "$lfset" check "$work/bad-rounds"
check "a round that carries on from what is not known: 2" \
    tells 2 'round 1 does not say in which state it ended' "$lfset" check "$work/open"
check "a round that carries on from nothing: 2" tells 2 'nothing:1: it carries on' \
    "$lfset" check "$work/nothing"
check "a round that begins too early: 2" tells 2 'early:4: it carries on, but begins before' \
    "$lfset" check "$work/early"

"$lfset" check --convert binary -o "$work/rounds.bin" "$work/rounds"
check "the binary form is as good" tells 0 '3 operations in 2 rounds' "$lfset" check "$work/rounds.bin"
"$lfset" check --convert text -o "$work/rounds.txt" "$work/rounds.bin"
check "text and back" same binary "$work/rounds.txt" "$work/rounds.bin"
head -c 100 "$work/rounds.bin" >"$work/cut.bin"
check "a binary file that is cut off: 2" tells 2 'cut.bin: byte 100: the file is cut off' \
    "$lfset" check "$work/cut.bin"
{ cat "$work/rounds.bin" && echo more; } >"$work/more.bin"
check "bytes behind the last round: 2" tells 2 'byte [0-9]*: no binary history begins here' \
    "$lfset" check "$work/more.bin"
check "a result that cannot be written: 2" tells 2 'cannot write' \
    sh -c "'$lfset' check '$work/good' >/dev/full"
check "a page that cannot be written" tells 1 'cannot create' \
    "$lfset" check --html "$work/none/page" "$work/bad"

rounds()
{
    "$lfset" stress --set u64 --domain hp --threads 4 --keys 1000 --mix add=1,remove=1,contains=2 \
        --round-ops 50000 --seed 1 --ops "$1" --all-rounds "$2"
}
check "stress writes its rounds" rounds 200000 "$work/one.bin"
check "stress writes many rounds" rounds 2400000 "$work/many.bin"
check "what stress wrote is a history of rounds" tells 0 'in 12 rounds' "$lfset" check "$work/many.bin"
bounded()
{
    one=$(resident "$work/one.bin") && many=$(resident "$work/many.bin") || return 1
    echo "one round $one KiB, twelve $many KiB"
    [ "$many" -lt $((2 * one)) ]
}
check "memory is that of one round" bounded
finish
