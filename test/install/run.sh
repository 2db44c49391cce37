#!/bin/sh
# Installs into empty directories, builds consumers against what lies there, and uninstalls.
set -u
. test/tap.sh
here=test/install
work=$BUILD/test/install
case $work in
/*) ;;
*) work=$PWD/$work ;;
esac
stage=$work/stage
prefix=$work/prefix
rm -rf "$work"
mkdir -p "$work/build"

# A copy of the build: another PREFIX relinks the tools, and the user's build is not to notice.
cp -a "$BUILD"/obj* "$BUILD"/flags "$BUILD"/lib*.a "$BUILD"/lib*.so* "$work/build/"

# all directories are given: the user's own must not leak in
with_make()
{
    $MAKE O="$work/build" PREFIX="$prefix" BINDIR="$prefix/bin" LIBDIR="$prefix/lib" \
        LIBEXECDIR="$prefix/libexec" INCLUDEDIR="$prefix/include" MANDIR="$prefix/share/man" "$@"
}
manifest=$work/build/package/manifest
libdir=$prefix/lib

# files ROOT: what lies there that is no directory
files()
{
    find "$1" ! -type d 2>/dev/null | sort
}
listed()
{
    DESTDIR=$1 sh lib/package/install.sh list "$manifest" | sort
}
same_files()
{
    listed "$1" >"$work/listed" && files "$1$prefix" >"$work/found" && diff "$work/listed" "$work/found"
}
links_resolve()
{
    ! find "$1" -xtype l | grep .
}
nothing_left()
{
    ! files "$1" | grep . && ! find "$1" -type d -name lfset | grep .
}

staged_pkg_config()
{
    PKG_CONFIG_SYSROOT_DIR=$stage \
        PKG_CONFIG_LIBDIR=$stage$libdir/pkgconfig:$(pkg-config --variable pc_path pkg-config) pkg-config "$@"
}
prefix_pkg_config()
{
    PKG_CONFIG_PATH=$libdir/pkgconfig pkg-config "$@"
}
warnings='-std=c11 -Wall -Wextra -Wpedantic -Werror'

consume_shared()
{
    "$CC" $warnings $(staged_pkg_config --cflags lfset) -o "$work/shared" $here/consumer.c -pthread \
        $(staged_pkg_config --libs lfset) &&
        readelf -d "$work/shared" | grep 'NEEDED.*liblfset.so.' &&
        LD_LIBRARY_PATH=$stage$libdir "$work/shared" "$(staged_pkg_config --modversion lfset)"
}
consume_static()
{
    "$CC" $warnings -static $(staged_pkg_config --static --cflags lfset) -o "$work/static" \
        $here/consumer.c -pthread $(staged_pkg_config --static --libs lfset) &&
        ! readelf -d "$work/static" | grep NEEDED &&
        "$work/static" "$(staged_pkg_config --modversion lfset)"
}
private_libs_stay_private()
{
    ! staged_pkg_config --libs lfset | grep urcu
}
consume_cmake()
{
    cmake -S $here -B "$work/cmake" -DCMAKE_PREFIX_PATH="$stage$prefix" -DWANTED="$1" -DCMAKE_C_COMPILER="$CC" &&
        cmake --build "$work/cmake" && (cd "$work/cmake" && ctest --output-on-failure)
}
find_cmake()
{
    rm -rf "$work/cmake-other"
    cmake -S $here -B "$work/cmake-other" -DCMAKE_PREFIX_PATH="$stage$prefix" -DWANTED="$1" -DCMAKE_C_COMPILER="$CC"
}
# consume_tsan [FLAG]: a program of the user's that hands its own data through the set
consume_tsan()
{
    "$CC" $warnings -g "$@" $(prefix_pkg_config --cflags lfset-tsan) -o "$work/tsan" $here/tsan.c -pthread \
        $(prefix_pkg_config --libs lfset-tsan) &&
        LD_LIBRARY_PATH=$libdir TSAN_OPTIONS=halt_on_error=1 "$work/tsan"
}
installed_version()
{
    "$prefix/bin/lfset" version | grep -F "$(prefix_pkg_config --modversion lfset)"
}
version=$(sed -n 's/^#define LFSET_VERSION_M[A-Z]* *//p' include/lfset/version.h | paste -sd.)

check 'install with DESTDIR' with_make install DESTDIR="$stage"
check 'the manifest lists something' test -n "$(listed "$stage")"
check 'what is installed is what the manifest lists' same_files "$stage"
check 'links resolve' links_resolve "$stage"
check 'no file knows DESTDIR' eval '! grep -rlF "$stage" "$stage"'
check 'consumer: pkg-config, shared' consume_shared
check 'consumer: pkg-config, static' consume_static
check 'liburcu is private' private_libs_stay_private
if command -v cmake >/dev/null; then
    check 'consumer: CMake' consume_cmake "$version"
    refuse 'CMake: another series is refused' find_cmake 99.0
else
    skip 'consumer: CMake' 'not installed'
fi
check 'uninstall with DESTDIR' with_make uninstall DESTDIR="$stage"
check 'uninstall leaves nothing' nothing_left "$stage"

check 'install below PREFIX' with_make install DESTDIR=
check 'the installed lfset runs' installed_version
check 'the installed lfset finds lfset-stress' "$prefix/bin/lfset" stress --help
check 'consumer: the TSan library, no report' consume_tsan
refuse 'consumer: the TSan library, a race is reported' consume_tsan -DRACE
touch "$prefix/include/lfset/of-the-user.h"
check 'uninstall below PREFIX' with_make uninstall DESTDIR=
check "the user's file stays" rm "$prefix/include/lfset/of-the-user.h"
check 'nothing else stays' eval '! files "$prefix" | grep .'
finish
