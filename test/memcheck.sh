#!/bin/sh
# Usage: memcheck.sh [OPERATIONS]: a stress of every set and domain under valgrind's memcheck, without an
# error and without a leak; and leak checkers find what sets hold that are alive at the end. mimalloc stays
# out: valgrind would not see its blocks.
set -u
. test/tap.sh
operations=${1:-3000}
work=$BUILD/test/memcheck
CC=${CC-cc}
mkdir -p "$work"
leaks=definite,indirect,possible
pkg_libs=$(pkg-config --libs liburcu-bp)

# memcheck KINDS COMMAND...: fails on errors and on leaks of these kinds
memcheck()
{
    kinds=$1
    shift
    valgrind -q --fair-sched=try --error-exitcode=9 --leak-check=full --show-leak-kinds="$kinds" \
        --errors-for-leak-kinds="$kinds" --suppressions=test/memcheck/liburcu.supp "$@"
}

stress()
{
    output=$(memcheck $leaks "$BUILD/memcheck/lfset-stress" --set "$1" --domain "$2" \
        --ops "$operations" --seed 1 --hang 600 --history "$work/$1-$2.history" 2>&1)
    status=$?
    printf '%s\n' "$output"
    [ $status -eq 0 ] && has "$output" '^linearizable: yes'
}

# told STATUS PATTERN COMMAND...: ends with the status, and says it
told()
{
    status=$1
    pattern=$2
    shift 2
    output=$("$@" 2>&1)
    got=$?
    printf '%s\n' "$output"
    [ $got -eq "$status" ] && has "$output" "$pattern"
}

# build COMPILER OUTPUT FLAGS...
build()
{
    compiler=$1
    output=$2
    shift 2
    $compiler -std=gnu11 -O1 -g -pthread -Wall -Wextra -Iinclude -o "$work/$output" \
        test/memcheck/alive.c "$@" $pkg_libs
}

# Nodes are pointed to, and not only named by words that hold bits of their hashes above a pointer.
build_plain_words()
{
    for file in bytes obj bitmap bitmap_snapshot; do
        $CC -std=gnu11 -O1 -g -pthread -DLFSET_PLAIN_WORDS -DCK_USE_CC_BUILTINS=1 -Iinclude -Ilib \
            -ftls-model=initial-exec $(pkg-config --cflags liburcu-bp) -c -o "$work/$file.o" "lib/set/$file.c" || return 1
    done
    build "$CC" alive "$work/bytes.o" "$work/obj.o" "$work/bitmap.o" "$work/bitmap_snapshot.o" \
        "$BUILD/liblfset.a"
}

if command -v valgrind >/dev/null; then
    check 'the stress builds without mimalloc' $MAKE O="$BUILD" "$BUILD/memcheck/lfset-stress" "$BUILD/liblfset.a"
    for set in u64 bytes obj bitmap; do
        for domain in rcu hp; do
            check "$set on $domain: no error, no leak" stress $set $domain
        done
    done
    check 'a program builds whose words are pointers' build_plain_words
    for domain in rcu hp; do
        check "memcheck finds what is alive ($domain)" memcheck definite,indirect "$work/alive" $domain 2000
        check "memcheck tells a lost set ($domain)" told 9 'definitely lost' \
            memcheck $leaks "$work/alive" $domain 200 lost
        check "memcheck tells the use of an object that is gone ($domain)" told 9 'Invalid read' \
            memcheck $leaks "$work/alive" $domain 200 stale
    done
else
    skip 'memcheck' 'it needs the package valgrind'
fi

# lsan COMPILER PROGRAM DOMAIN: small sets, and large ones that would be mappings
lsan()
{
    for count in 100 100000; do
        check "LeakSanitizer finds what is alive ($1, $3, $count)" "$work/$2" $3 $count
    done
    check "LeakSanitizer tells a lost set ($1, $3)" told 1 'LeakSanitizer: detected memory leaks' \
        "$work/$2" $3 200 lost
    check "AddressSanitizer tells the use of an object that is gone ($1, $3)" told 1 \
        'heap-use-after-free' "$work/$2" $3 200 stale
}

check 'the library builds with AddressSanitizer' \
    $MAKE O="$BUILD" SANITIZE=address,undefined "$BUILD/address,undefined/liblfset.a"
check 'a program builds with AddressSanitizer' build "$CC" alive-asan -fsanitize=address,undefined \
    "$BUILD/address,undefined/liblfset.a"
lsan "$CC" alive-asan rcu
lsan "$CC" alive-asan hp
if $MAKE O="$BUILD" "$BUILD/fuzz/libfuzz.a" >/dev/null 2>&1; then
    check 'a program builds with clang and AddressSanitizer' build "${FUZZ_CC-clang}" alive-clang \
        -fsanitize=address,undefined "$BUILD/fuzz/libfuzz.a"
    lsan clang alive-clang hp
else
    skip 'LeakSanitizer, clang' 'clang is not installed'
fi
finish
