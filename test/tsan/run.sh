#!/bin/sh
# User programs compiled with -fsanitize=thread and linked to the library's TSan twin: one that is right must
# run without a report, one with a race of its own must get it reported.
set -u
cd "$(dirname "$0")/../.." || exit
. test/tap.sh
CC=${CC-cc}
out=$BUILD/test/tsan
mkdir -p "$out"

build()
{
    $CC -std=gnu11 -O1 -g -pthread -fsanitize=thread -Wall -Wextra -Iinclude -o "$out/$1" \
        "test/tsan/$1.c" "$BUILD/liblfset_tsan.a" $(pkg-config --libs liburcu-bp)
}

# 66 is ThreadSanitizer's exit status after a report.
clean()
{
    "$out/publish" "$1"
}
reported()
{
    output=$("$out/race" "$1" 2>&1)
    status=$?
    printf '%s\n' "$output"
    [ $status -eq 66 ] && has "$output" 'WARNING: ThreadSanitizer: data race' &&
        has "$output" 'test/tsan/race.c'
}

export TSAN_OPTIONS=exitcode=66:halt_on_error=0
check 'publish compiles' build publish
check 'race compiles' build race
for domain in rcu hp; do
    check "data published through a set is not reported ($domain)" clean $domain
    check "a race in the user's own code is reported ($domain)" reported $domain
done
finish
