#!/bin/sh
# Everything builds without a warning with gcc and with clang.
set -u
. test/tap.sh

# build COMPILER C++-COMPILER
build()
{
    $MAKE O="$BUILD/$1" CC="$1" CXX="$2" CFLAGS='-O1 -Werror' CXXFLAGS='-O1 -Werror' \
        all unit-tests litmus-tests
}

check 'gcc, no warning' build gcc g++
if command -v clang >/dev/null; then
    check 'clang, no warning' build clang clang++
else
    skip 'clang, no warning' 'not installed'
fi
finish
