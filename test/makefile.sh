#!/bin/sh
# The Makefile's promises: the user's variables come last and change nothing of ours, builds are
# incremental, and each configuration has its own directory.
set -u
. test/tap.sh
work=$BUILD/test/makefile
rm -rf "$work"
make="env -u MAKEFLAGS -u CFLAGS -u CPPFLAGS -u LDFLAGS $MAKE --no-print-directory"
quick="O=$work/quick CFLAGS=-O0"

plan=$($make -n V=1 O="$work/plan" CC=the-cc CXX=the-c++ CFLAGS=-Duser_cflags CXXFLAGS=-Duser_cxxflags \
    CPPFLAGS=-Duser_cppflags LDFLAGS=-Luser_ldflags LDLIBS=-luser_ldlibs all)
compiles=$(printf '%s\n' "$plan" | grep -e '-MMD')
c_compiles=$(printf '%s\n' "$compiles" | grep -e '\.c 2>')
library=$(printf '%s\n' "$compiles" | grep -e ' lib/')
links=$(printf '%s\n' "$plan" | grep -e '-luser_ldlibs')

# each TEXT PATTERN: every line matches, and there is one
each()
{
    [ -n "$1" ] && has_not "$(printf '%s\n' "$1" | grep -v -e "$2")" '..*'
}
check 'CC compiles' each "$c_compiles" '&& the-cc '
check 'CFLAGS come after ours' each "$c_compiles" '-O3 .*-Duser_cflags'
check 'CPPFLAGS come after ours' each "$compiles" '-Iinclude.* -Duser_cppflags'
check 'CC or CXX links, with LDFLAGS and LDLIBS' each "$links" 'the-c.* -Luser_ldflags .*-luser_ldlibs'
check 'the library is portable and links no allocator' has_not "$library" 'march=native\|mimalloc'
check 'nothing is written outside O' \
    each "$(printf '%s\n' "$plan" | grep -o -e ' -o [^ ]*\|ar rcs [^ ]*')" "$work/plan/"

# what a second make prints: nothing, when there is nothing to do
again()
{
    $make $quick "$@" lib
}
check 'a small build' again
check 'a second make does nothing' test -z "$(again)"
check 'another flag rebuilds' has "$(again CPPFLAGS=-DLFSET_UNUSED_FLAG)" 'obj/lib/set/u64.o'
again >/dev/null 2>&1
check 'a header rebuilds what includes it' \
    has "$(again -W include/lfset/version.h)" 'obj/lib/set/u64.o'
check 'another PREFIX makes the package files anew' has "$(again PREFIX=/elsewhere)" 'lfset.pc'
check 'another PREFIX rebuilds no library' has_not "$(again PREFIX=/other)" 'obj/lib/'
check 'SANITIZE has a directory of its own' \
    has "$($make -n O="$work/plan" SANITIZE=address,undefined lib)" '-o .*/plan/address,undefined/obj/lib/'
check 'a version script of another version is refused' \
    has "$(again MAJOR=9 2>&1)" 'lfset.map: no node LFSET_9'
check 'clean leaves no library' eval '$make $quick clean && ! ls "$work"/quick/lib*'
check 'distclean leaves nothing' eval '$make $quick distclean && ! ls -d "$work/quick"'

help=$($make help)
for target in all install uninstall demo check tsan stress bench format format-check clean distclean; do
    check "help tells of $target" has "$help" "^  $target "
done
finish
