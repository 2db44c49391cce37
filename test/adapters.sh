#!/bin/sh
# lfset stress --target: every adapter that was built passes, those that are wrong are caught, weak
# promises are judged both ways, and what cannot be loaded is refused. $BUILD has lfset-stress and
# adapters/*.so.
set -u
. test/tap.sh
adapters=$BUILD/adapters
work=$BUILD/test/adapters
rm -rf "$work"
mkdir -p "$work"

stress()
{
    "$BUILD/lfset-stress" --seed 1 --history "$work/history" "$@"
}

# build SOURCE OUTPUT [FLAG...]
build()
{
    source=$1
    output=$2
    shift 2
    "$CC" -std=gnu11 -Wall -Wextra -Wpedantic -Werror -Iinclude -shared -fPIC -O1 -pthread "$@" "$source" \
        -o "$output"
}

# ---------------------------------------------------------------- the adapters that were built
for so in "$adapters"/*.so; do
    name=$(basename "$so" .so)
    case $name in
    example | broken)
        check "$name is caught, with a witness" tells 1 'operations show the violation' \
            stress --target "$so" --keys 1 --seconds 60
        check "$name: its witness is a violation by itself" tells 1 . "$BUILD/lfset" check \
            "$work/history.witness"
        ;;
    xenium_vyukov) # its .cc says why it is not linearizable by the other clock
        check "$name keeps its promises, by the counter clock" tells 0 '^promises: kept' \
            stress --target "$so" --seconds 1.5 --churn-threads --clock counter
        ;;
    *)
        check "$name keeps its promises" tells 0 '^promises: kept' \
            stress --target "$so" --seconds 1.5 --churn-threads --stall
        ;;
    esac
done
for name in example broken sharded; do
    check "$name was built" test -f "$adapters/$name.so"
done

# ---------------------------------------------------------------- both readings
# both KIND: the control keeps its weak promise, is not linearizable, and there is a witness
both()
{
    tells 0 "^$1: promised weak: kept .* linearizable: no, witness" stress --keys 4 --seconds 2 \
        --target "$adapters/sharded.so" --mix "add=40,remove=40,$1=8" --json "$work/both.json" \
        --report "$work/both.html" && has "$tap_told" "^why $1 is not linearizable"
}
for kind in size is_empty clear each; do
    check "a weak $kind is judged twice" both $kind
done
check 'JSON says so' grep -q '"linearizable": "no"' "$work/both.json"
check 'the page says so' grep -q 'each: promised weak: kept' "$work/both.html"

# ---------------------------------------------------------------- one thing wrong
# flaw NAME PATTERN ARGUMENT...: the control with this flaw is caught, for this reason
flaw()
{
    flaw_name=$1
    pattern=$2
    shift 2
    so=$work/$flaw_name.so
    build stress/adapters/sharded.c "$so" "-DFLAW=FLAW_$flaw_name" &&
        tells 1 "$pattern" stress --target "$so" --seconds 60 "$@"
}
check 'a size promised linearizable that is not' flaw PROMISE 'size.*cannot be placed' --keys 4
check 'a weak size that is too small' flaw SIZE '^violation: size broke its promise' --keys 256
check 'an iteration that leaves keys out' flaw EACH '^violation: each broke its promise' --keys 4 \
    --mix add=40,remove=40,each=5
check 'a clear that leaves keys' flaw CLEAR '^violation: .*though a clear may' --keys 256
check 'an is_empty that overlooks keys' flaw EMPTY '^violation: is_empty broke its promise' --keys 4
check 'a counter that is late' flaw LATE_COUNTER '^violation: size broke its promise' --keys 16
check 'an answer that is none' flaw ANSWER '^violation: contains answered 2' --keys 4
check 'locks that are promised not to be there' flaw LOCK_FREE 'others could not go on' --keys 4 \
    --stall --hang 1

# ---------------------------------------------------------------- what cannot be used
# refused NAME PATTERN: the control with this flaw is refused, for this reason
refused()
{
    build stress/adapters/sharded.c "$work/$1.so" "-DFLAW=FLAW_$1" &&
        tells 2 "$2" stress --target "$work/$1.so" --seconds 1
}
check 'another version is refused' refused VERSION 'version is 2'
check 'a missing function is refused' refused NO_ADD 'lfset_target.add is required'
check 'attach without detach is refused' refused NO_DETACH 'attach, but not detach'
check 'unknown promises are refused' refused BITS 'unknown bits: 0x80000000'
check 'no symbol is refused' refused NO_SYMBOL 'exports no symbol lfset_target'
check 'a struct that is too short is refused' refused SHORT 'struct_size is 16'
check 'a missing file is refused' tells 2 'none.so: cannot open' stress --target "$work/none.so"
check 'a file that is no shared object is refused' tells 2 'README.md' stress --target README.md
check 'two sets are refused' tells 2 'at a time' stress --set u64 --target "$adapters/sharded.so"

# ---------------------------------------------------------------- the README
# The block that opens with "```c target" is the example, and the fix it tells of fixes it.
if grep -q '^```c target$' README.md; then
    awk '/^```/ { on = 0 } on { print } /^```c target$/ { on = 1 }' README.md >"$work/readme.c"
    check 'the README shows the example' diff "$work/readme.c" stress/adapters/example.c
else
    skip 'the README shows the example' 'it has no block "```c target"'
fi
sed 's/^\( *\)atomic_store(&n->present, 1);$/\1added = !atomic_exchange(\&n->present, 1);/' \
    stress/adapters/example.c >"$work/fixed.c"
refuse 'the fix changes the example' cmp -s "$work/fixed.c" stress/adapters/example.c
check 'the fixed example compiles' build "$work/fixed.c" "$work/fixed.so"
check 'the fixed example keeps its promises' tells 0 '^promises: kept' \
    stress --target "$work/fixed.so" --seconds 2
finish
