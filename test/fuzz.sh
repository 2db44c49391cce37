#!/bin/sh
# The fuzzers find nothing when they run their corpora and then, from a fixed seed, a bounded number of inputs
# more; and from the same corpora, in as many runs, they do find a defect that is put into a copy of a source.
set -u
. test/tap.sh
. test/fuzz/options.sh
work=$BUILD/test/fuzz
clang=${FUZZ_CC-clang}
sanitizer='-fsanitize=fuzzer,address,undefined'
rm -rf "$work"
mkdir -p "$work/empty"

# As many as a few seconds are enough for.
runs()
{
    case $1 in
    operations) echo 1500 ;;
    file) echo 20000 ;;
    history) echo 5000 ;;
    esac
}

# fuzz PROGRAM NAME LOG
fuzz()
{
    "$1" $(options "$2") -seed=1 -runs="$(runs "$2")" -artifact_prefix="$work/$2-" \
        -print_final_stats=1 "$work/empty" "test/fuzz/corpus/$2" >"$3" 2>&1
}

finds_nothing()
{
    fuzz "$BUILD/fuzz/$1" "$1" "$work/$1.log"
    status=$?
    summary "$work/$1.log"
    [ $status -eq 0 ] || { tail -n 60 "$work/$1.log"; return 1; }
    grep -q -e "Done $(runs "$1") runs" "$work/$1.log" || { echo 'fewer runs'; return 1; }
}

# plant FILE EXPRESSION: a copy with the change
plant()
{
    mkdir -p "$work/planted/$(dirname "${1#*/}")"
    sed -e "$2" "$1" >"$work/planted/${1#*/}"
    ! cmp -s "$1" "$work/planted/${1#*/}" || { echo "$1 has no line for $2"; return 1; }
}

# finds NAME SOURCE FILE EXPRESSION: the fuzzer with SOURCE built anew, FILE of it changed
finds()
{
    plant "$3" "$4" || return 1
    source=$2
    [ "$2" != "$3" ] || source=$work/planted/${2#*/}
    $clang -std=gnu11 -O1 -g $sanitizer -I"$work/planted" -Iinclude -Ilib -Istress/explore -Istress \
        -Istress/check -DCK_USE_CC_BUILTINS=1 -c -o "$work/planted.o" "$source" &&
        $clang -pthread $sanitizer -o "$work/planted-$1" \
            "$BUILD/obj-fuzz/test/fuzz/$1.o" "$work/planted.o" "$BUILD/fuzz/libfuzz.a" || return 1
    fuzz "$work/planted-$1" "$1" "$work/planted-$1.log" && { echo 'nothing is found'; return 1; }
    grep -a -e '^fuzz: ' -e 'ERROR: AddressSanitizer' "$work/planted-$1.log"
}

if ! echo 'int LLVMFuzzerTestOneInput(const char *d, long n) { return d == 0 && n < 0; }' |
    $clang $sanitizer -x c -o "$work/try" - 2>"$work/try.log"; then
    skip 'the fuzzers' "$clang cannot link libFuzzer: it needs the packages clang and libclang-rt-dev"
    finish
fi
check 'the fuzzers build' $MAKE O="$BUILD" fuzzers
for name in $fuzzers; do
    check "$name: nothing is found" finds_nothing $name
done
check 'operations: a clear that copies its keys on is found' finds operations lib/set/u64.c \
    lib/set/walk.h 's/if (next->kind != LFSET__CLEAR) {/if (next) {/'
check 'file: a reader of numbers longer than they must be is found' finds file lib/algebra/payload.c \
    lib/algebra/payload.c 's/return byte != 0 || shift == 0;/return true;/'
check 'history: a writer that cuts numbers off is found' finds history stress/check/history_binary.c \
    stress/check/history_binary.c 's/(unsigned)(value > 0xff)/(unsigned)(value > 0x1ff)/'
finish
