#!/bin/sh
# Each public header compiles alone, twice included, in C and C++, with both compilers, without a
# warning; and use.c compiles in both languages.
set -u
. test/tap.sh
flags='-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -fsyntax-only -Iinclude'

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
    done
done
finish
