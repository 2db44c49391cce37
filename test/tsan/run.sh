#!/bin/sh
# User programs compiled with -fsanitize=thread and linked to the library's TSan twin: those that are right must
# run without a report, in those with a race of their own it must be reported, with both lines of theirs.
set -u
cd "$(dirname "$0")/../.." || exit
. test/tap.sh
CC=${CC-cc}
MAKE=${MAKE-make}
out=$BUILD/test/tsan
mkdir -p "$out"

# build COMPILER LIBRARY SOURCE PROGRAM FLAGS...
build()
{
    compiler=$1
    library=$2
    source=$3
    program=$4
    shift 4
    "$compiler" -std=gnu11 -O1 -g -pthread -fsanitize=thread -Wall -Wextra -Iinclude "$@" \
        -o "$out/$program" "test/tsan/$source.c" "$library" $(pkg-config --libs liburcu-bp)
}

# marked SCENARIO: the lines of race.c that race
marked()
{
    sed -n "/ race: .*\<$1\>/=" test/tsan/race.c
}

# reported PROGRAM DOMAIN SCENARIO. 66 is ThreadSanitizer's exit status after a report.
reported()
{
    output=$("$out/$1" "$2" "$3" 2>&1)
    status=$?
    printf '%s\n' "$output" | head -n 60
    [ $status -eq 66 ] && has "$output" 'WARNING: ThreadSanitizer: data race' || return 1
    lines=$(marked "$3")
    [ -n "$lines" ] || { echo "no line is marked $3"; return 1; }
    for line in $lines; do
        has "$output" "test/tsan/race.c:$line\>" >/dev/null || { echo "line $line is not named"; return 1; }
    done
}

# try COMPILER LIBRARY
try()
{
    check "publish compiles ($1)" build "$1" "$2" publish "publish-$1"
    for domain in rcu hp; do
        check "publish: nothing is reported ($1, $domain)" "$out/publish-$1" $domain
    done
    for kind in u64 bytes obj bitmap; do
        for source in handover race; do
            check "$source compiles ($1, $kind)" build "$1" "$2" $source $source-$kind-$1 \
                -DKIND=$kind -DKIND_$kind
        done
        races='contains wait_present snapshot drain two_writers cancel'
        [ $kind != obj ] || races="$races stale get"
        for domain in rcu hp; do
            check "handover: nothing is reported ($1, $kind, $domain)" "$out/handover-$kind-$1" $domain
            for race in $races; do
                check "race: $race is reported ($1, $kind, $domain)" reported race-$kind-$1 $domain $race
            done
        done
    done
}

export TSAN_OPTIONS=exitcode=66:halt_on_error=0

# What is handed over is in order by what the library does alone: where ThreadSanitizer cannot see that, it
# reports the same programs.
unseen()
{
    "$out/handover-unseen" "$1" >"$out/unseen.log" 2>&1
    [ $? -eq 66 ] && has "$(cat "$out/unseen.log")" 'WARNING: ThreadSanitizer: data race' >/dev/null
}
check 'handover compiles, with a library that is not instrumented' build "$CC" "$BUILD/liblfset.a" handover \
    handover-unseen -DKIND=u64 -DKIND_u64
for domain in rcu hp; do
    check "then it is reported ($domain)" unseen $domain
done
try "$CC" "$BUILD/liblfset_tsan.a"
if command -v clang >/dev/null && [ "$CC" != clang ]; then
    # as in test/compilers.sh, so that it is built once
    check 'the library compiles (clang)' $MAKE O="$BUILD/clang" CC=clang CXX=clang++ \
        CFLAGS='-O1 -Werror' CXXFLAGS='-O1 -Werror' "$BUILD/clang/liblfset_tsan.a"
    try clang "$BUILD/clang/liblfset_tsan.a"
else
    skip 'clang' 'not installed, or CC'
fi
finish
