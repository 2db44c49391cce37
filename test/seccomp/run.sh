#!/bin/sh
# Both modes of the hazard pointers: with membarrier(2), and where a seccomp filter forbids it.
set -u
cd "$(dirname "$0")/../.." || exit
. test/tap.sh
CC=${CC-cc}
out=$BUILD/test/seccomp
mkdir -p "$out"

build()
{
    $CC -std=gnu11 -O2 -g -pthread -Wall -Wextra -Iinclude -o "$out/forbidden" test/seccomp/forbidden.c \
        "$BUILD/liblfset.a" $(pkg-config --libs liburcu-bp)
}

check 'forbidden compiles' build
"$out/forbidden" >"$out/log" 2>&1
case $? in
77) skip 'membarrier forbidden by a filter' "$(cat "$out/log")" ;;
0) check 'membarrier used, and fences where it is forbidden' true ;;
*) check 'membarrier used, and fences where it is forbidden' sh -c "cat '$out/log'; false" ;;
esac
finish
