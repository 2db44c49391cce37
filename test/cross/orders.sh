#!/bin/sh
# Are the shared accesses that decide ([word.decide] in lib/README.md) compiled to what they must be on
# aarch64? As compilers before gcc 13 and clang 15 make LDAR of an acquire load too, the library is
# compiled here with acquire, release and acq_rel all meaning relaxed: what then still is LDAR, STLR or
# an atomic instruction of both orders was seq_cst in the source. Processors that have LDAPR are named,
# so that a compiler which chose it for a seq_cst load would be found out.
set -u
. test/tap.sh
root=$BUILD/root
out=$BUILD/orders
kinds='u64 bytes obj bitmap'

weakest=
for order in ACQUIRE RELEASE ACQ_REL; do
    weakest="$weakest -U__ATOMIC_$order -D__ATOMIC_$order=__ATOMIC_RELAXED"
done
compile()
{
    mkdir -p "$out" || return
    for kind in $kinds; do
        aarch64-linux-gnu-gcc --sysroot="$root" -std=gnu11 -O3 -march=armv8.4-a $weakest -Iinclude -Ilib \
            -DCK_USE_CC_BUILTINS=1 -fPIC -c -o "$out/$kind.o" "lib/set/$kind.c" || return
    done
    # KIND FUNCTION INSTRUCTION, for each access that is more than a plain load or store
    for kind in $kinds; do
        aarch64-linux-gnu-objdump -d --no-show-raw-insn "$out/$kind.o" | awk -v kind="$kind" '
            /^[0-9a-f]+ </ { gsub(/[<>:]/, "", $2); name = $2 }
            $2 ~ /^(lda|stl|ldx|stx|cas|swp|ld(add|set|clr|eor))/ { print kind, name, $2 }'
    done >"$out/accesses"
    [ -s "$out/accesses" ]
}

# Bindings, kills, freezes, copies, successions, marks: of all that is not a mere count, none may be
# less than seq_cst. (al: both orders; b or h at the end: the size.)
weak_changes()
{
    grep -E ' (cas|swp|ldset|ldclr|ldeor|ldapu?r|lda?xr|stl?xr)' "$out/accesses" |
        grep -vE ' [a-z]+al[bh]?$'
}

# at_least KIND FUNCTION INSTRUCTION COUNT: in the function and in each of its specialised copies
at_least()
{
    awk -v kind="$1" -v name="$2" -v wanted="$3" -v least="$4" '
        $1 == kind && ($2 == name || index($2, name ".") == 1) { seen[$2] += $3 == wanted }
        END {
            for (f in seen) {
                found = 1
                if (seen[f] < least) {
                    printf "%s: %s has %d of %s, at least %d are needed\n", kind, f, seen[f], wanted, least
                    bad = 1
                }
            }
            if (!found) print kind ": no function " name
            exit bad || !found
        }' "$out/accesses"
}

# loads FUNCTION COUNT COUNT COUNT COUNT: of the kinds in turn; @ is the kind's name
loads()
{
    name=$1
    shift
    for kind in $kinds; do
        function=$(echo "$name" | sed "s/@/$kind/")
        check "$kind: loads that decide in $function" at_least "$kind" "$function" ldar "$1"
        shift
    done
}

check 'compiles' compile
refuse 'each change of a word is seq_cst' weak_changes
# The counts are those of gcc 12 and of the code as it is: fewer means that something was weakened,
# or that the code has become shorter; then look, and put the new number here.
loads lfset_@_contains 2 2 2 2 # for each domain, one in the loop over a probe
check 'u64: loads that decide in lfset_u64_add' at_least u64 lfset_u64_add ldar 6
check 'u64: loads that decide in lfset_u64_remove' at_least u64 lfset_u64_remove ldar 6
loads lfset__walk_chain 9 5 7 7 # slots, next, all_frozen
for kind in $kinds; do
    check "$kind: the store that opens the gate" grep -qE "^$kind .* stlu?r\$" "$out/accesses"
done
finish
