#!/bin/sh
# Builds the library, the tools and the tests for aarch64 in $BUILD, against the packages in
# $BUILD/root (sysroot.sh). Warnings are errors.
set -eu
root=$BUILD/root
compile="aarch64-linux-gnu-gcc --sysroot=$root"
warnings='-Wall -Wextra -Werror'
libraries=$root/usr/lib/aarch64-linux-gnu/pkgconfig:$root/usr/share/pkgconfig

mkdir -p "$BUILD/test"
$compile -O2 $warnings -c -o "$BUILD/exec.o" test/cross/exec.c
$MAKE -j"$(nproc)" O="$BUILD" CC="$compile" CFLAGS=-Werror LDLIBS="$BUILD/exec.o" \
    AR=aarch64-linux-gnu-ar \
    PKG_CONFIG="env PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$libraries pkg-config" \
    lib tools unit-tests litmus-tests
for program in test/seccomp/forbidden test/cross/fork_thread; do
    $compile -std=gnu11 -O2 -pthread $warnings -Iinclude -o "$BUILD/test/${program##*/}" $program.c \
        "$BUILD/liblfset.a" -lurcu-bp -lurcu-common
done
# This one is for the machine itself; what it does not use of forbidden.c is dropped.
$CC -std=gnu11 -O2 $warnings -Iinclude -ffunction-sections -Wl,--gc-sections \
    -o "$BUILD/test/without_membarrier" test/cross/without_membarrier.c
