#!/bin/sh
# Each public header compiles alone, twice included, in C and C++, with both compilers, without a
# warning; use.c compiles in both languages, and generic.c also works in both.
set -u
. test/tap.sh
mkdir -p "$BUILD/test"
libs=$(pkg-config --libs liburcu-bp)
warnings='-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -Iinclude'
flags="$warnings -fsyntax-only"

# generic COMPILER LANGUAGE STANDARD
generic()
{
    "$1" -x "$2" "-std=$3" $warnings test/header/generic.c -x none -o "$BUILD/test/generic" \
        "$BUILD/liblfset.a" $libs -pthread && "$BUILD/test/generic"
}

# alone HEADER COMPILER LANGUAGE STANDARD
alone()
{
    printf '#include <lfset/%s>\n#include <lfset/%s>\nextern int nothing;\n' "$1" "$1" |
        "$2" -x "$3" "-std=$4" $flags -
}

for compiler in gcc clang; do
    if ! command -v "$compiler" >/dev/null; then
        skip "headers with $compiler" 'not installed'
        continue
    fi
    for standard in c11 c17 c++17; do
        language=c
        [ "$standard" != c++17 ] || language=c++
        for header in include/lfset/*.h; do
            name=$(basename "$header")
            check "$name alone, $compiler $standard" alone "$name" "$compiler" "$language" "$standard"
        done
        check "use.c, $compiler $standard" \
            "$compiler" -x "$language" "-std=$standard" $flags test/header/use.c
        check "generic.c, $compiler $standard" generic "$compiler" "$language" "$standard"
    done
done
finish
