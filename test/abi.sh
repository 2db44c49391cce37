#!/bin/sh
# The shared library exports exactly the functions that the public headers mark with LFSET_API, under
# the version that include/lfset/version.h names, and drags in nothing but liburcu and the C library. So does
# the one that observes, of its own headers and with what it needs.
set -u
. test/tap.sh
so=$BUILD/liblfset.so
tsan_so=$BUILD/liblfset_tsan.so
observe_so=$BUILD/liblfset-observe.so
work=$BUILD/test/abi
mkdir -p "$work"

number()
{
    sed -n "s/^#define LFSET_VERSION_$1 *//p" include/lfset/version.h
}
major=$(number MAJOR)
version=$major.$(number MINOR).$(number PATCH)

observe_headers='include/lfset/exporter.h include/lfset/observation.h include/lfset/profile.h'
core_headers=$(ls include/lfset/*.h | grep -vxF "$(printf '%s\n' $observe_headers)")

# declarations HEADER...: without comments and directives, on one line
declarations()
{
    for header in "$@"; do
        "$CC" -w -fpreprocessed -E -P -x c "$header"
    done | grep -v '^ *#' | tr '\n' ' '
}
marked()
{
    declarations "$@" | grep -o 'LFSET_API [^;(]*(' | sed 's/.*[ *]\([a-z_0-9]*\) *($/\1/' | sort -u
}
marked $core_headers >"$work/marked"
marked $observe_headers >"$work/marked-observe"
sort "$work/marked" "$work/marked-observe" >"$work/marked-all"
# every lfset_name( that is no static inline function's, marked or not
declarations include/lfset/*.h | sed 's/static inline [^(]*(//g' | grep -o 'lfset_[a-z_0-9]* *(' | tr -d ' (' | sort -u \
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
    # what sys/sdt.h defines in each file that has probes: weak and hidden
    nm -g --defined-only "$1" | sed -n 's/^[0-9a-f]* [A-Z] //p' | grep -vx '_\.stapsdt\.base' | sort -u
}

exported "$so" >"$work/exported"
exported "$tsan_so" >"$work/exported-tsan"

check 'the headers declare functions' test -s "$work/marked"
check 'each declared function is marked LFSET_API' diff "$work/declared" "$work/marked-all"
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

if [ -e "$observe_so" ]; then
    exported "$observe_so" >"$work/exported-observe"
    check 'observe: exactly the marked functions are exported' diff "$work/marked-observe" "$work/exported-observe"
    refuse "observe: nothing is exported outside LFSET_$major" unversioned "$observe_so"
    check 'observe: SONAME carries the major version' soname_is "$observe_so" "liblfset-observe.so.$major"
    check 'observe: nothing needed but what it is for' \
        has_not "$(needed "$observe_so" | grep -v -e '^libjansson' -e '^libmicrohttpd' -e '^libdw' -e '^libelf' \
            -e '^libm\.so' -e '^libc\.so' -e '^ld-linux')" '..*'
    check 'observe: the archive defines no global name outside lfset_' \
        has_not "$(archive_globals "$BUILD/liblfset-observe.a")" '^[^l]\|^l[^f]\|^lf[^s]\|^lfs[^e]\|^lfse[^t]\|^lfset[^_]'
else
    skip 'liblfset-observe' 'not built (tools/packages.sh)'
fi
finish
