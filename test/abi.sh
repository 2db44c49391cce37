#!/bin/sh
# The shared library exports exactly the functions that the public headers mark with LFSET_API, under
# the version that include/lfset/version.h names, and drags in nothing but liburcu and the C library.
set -u
. test/tap.sh
so=$BUILD/liblfset.so
tsan_so=$BUILD/liblfset_tsan.so
work=$BUILD/test/abi
mkdir -p "$work"

number()
{
    sed -n "s/^#define LFSET_VERSION_$1 *//p" include/lfset/version.h
}
major=$(number MAJOR)
version=$major.$(number MINOR).$(number PATCH)

# the headers without comments and directives, on one line
declarations()
{
    for header in include/lfset/*.h; do
        "$CC" -w -fpreprocessed -E -P -x c "$header"
    done | grep -v '^ *#' | tr '\n' ' '
}
declarations | grep -o 'LFSET_API [^;(]*(' | sed 's/.*[ *]\([a-z_0-9]*\) *($/\1/' | sort -u >"$work/marked"
# every lfset_name( that is no static inline function's, marked or not
declarations | sed 's/static inline [^(]*(//g' | grep -o 'lfset_[a-z_0-9]* *(' | tr -d ' (' | sort -u \
    >"$work/declared"

exported()
{
    nm -D --defined-only "$1" | sed -n "s/^.* [A-Z] \(.*\)@@LFSET_$major\$/\1/p" | sort
}
unversioned()
{
    nm -D --defined-only "$1" | grep -v -e "@@LFSET_$major\$" -e " A LFSET_$major\$"
}
needed()
{
    readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}
soname_is()
{
    has "$(readelf -d "$1")" "SONAME.*\[$2\]"
}
archive_globals()
{
    nm -g --defined-only "$1" | sed -n 's/^[0-9a-f]* [A-Z] //p' | sort -u
}

exported "$so" >"$work/exported"
exported "$tsan_so" >"$work/exported-tsan"

check 'the headers declare functions' test -s "$work/marked"
check 'each declared function is marked LFSET_API' diff "$work/declared" "$work/marked"
check 'exactly the marked functions are exported' diff "$work/marked" "$work/exported"
check 'the TSan twin exports the same' diff "$work/marked" "$work/exported-tsan"
refuse "nothing is exported outside LFSET_$major" unversioned "$so"
check 'SONAME carries the major version' soname_is "$so" "liblfset.so.$major"
check "the TSan twin's SONAME too" soname_is "$tsan_so" "liblfset_tsan.so.$major"
check 'the file carries the version' test "$(basename "$(readlink -f "$so")")" = "liblfset.so.$version"
check 'nothing needed but liburcu and libc' \
    has_not "$(needed "$so" | grep -v -e '^liburcu-' -e '^libc\.so' -e '^ld-linux')" '..*'
check 'the archive defines no global name outside lfset_' \
    has_not "$(archive_globals "$BUILD/liblfset.a")" '^[^l]\|^l[^f]\|^lf[^s]\|^lfs[^e]\|^lfse[^t]\|^lfset[^_]'
finish
