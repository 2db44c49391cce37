#!/bin/sh
# Nothing was compiled with a warning: by the compiler that made what is tested here, plain and with both kinds of
# sanitizers, and by clang.
set -u
. test/tap.sh

# The Makefile keeps what the compiler said of each object.
said=$(find "$BUILD" -path "$BUILD/clang" -prune -o -name '*.o.said' -print)
check 'what the compiler said was kept' test "$(echo "$said" | wc -l)" -gt 300
no_warning()
{
    for file in $said; do
        [ -s "$file" ] && cat "$file" && return 1
    done
    return 0
}
check 'no warning' no_warning

clang()
{
    $MAKE O="$BUILD/clang" CC=clang CXX=clang++ CFLAGS='-O1 -Werror' CXXFLAGS='-O1 -Werror' \
        all unit-tests litmus-tests
}
if command -v clang >/dev/null; then
    check 'clang, no warning' clang
else
    skip 'clang, no warning' 'not installed'
fi
finish
