#!/bin/sh
# What other processors use, on this one: the explorer's stack switch by ucontext, single words
# instead of vectors, a char without sign, the shared counter for a clock. And that a build for 32 bits
# is refused.
set -u
. test/tap.sh
CC=${CC-cc}
out=$BUILD/portable

build()
{
    $MAKE O="$out" CFLAGS='-O1 -Werror -funsigned-char -DEXPLORE_UCONTEXT -DLFSET_SCALAR' \
        "$out/lfset-explore" "$out/lfset-stress"
}

# compile_header BITS
compile_header()
{
    $CC "-m$1" -ffreestanding -fsyntax-only -Ilib -x c lib/platform/atomic.h
}

check 'builds without a warning' build
for domain in rcu hp; do
    check "explorer on $domain" "$out/lfset-explore" --domain $domain --runs 20000 --quiet
done
check 'stress' "$out/lfset-stress" --seed 1 --seconds 4 --clock counter --history "$out/history"
if [ "$(uname -m)" = x86_64 ]; then
    check 'compiles for 64 bits' compile_header 64
    refuse 'does not compile for 32 bits' compile_header 32
fi
finish
