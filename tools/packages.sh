#!/bin/sh
# The one list of Debian 12 packages that building and testing lfset needs. Installs what is missing
# when run as root; otherwise prints the line to run, and fails. Packages that a single target needs
# can be named instead.
set -eu

packages='
    build-essential pkg-config
    liburcu-dev libck-dev
    libjansson-dev libmimalloc-dev
    libabsl-dev libtbb-dev libcds-dev libxenium-dev gnuplot-nox golang-go
    libxxhash-dev
    libcriterion-dev
    clang clang-format libclang-rt-dev valgrind
    systemtap-sdt-dev bpftrace binutils
    libmicrohttpd-dev libdw-dev libncurses-dev prometheus python3-prometheus-client curl
    google-perftools libdevel-nytprof-perl
    cmake
    coccinelle
    python3 man-db mandoc
    chromium
    gawk mawk wamerican-huge time
'
[ $# -eq 0 ] || packages=$*

if ! command -v dpkg-query >/dev/null; then
    echo "packages.sh: this is not a Debian system; lfset needs the equivalents of:" $packages >&2
    exit 1
fi

missing=
for package in $packages; do
    status=$(dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | sort -u) || status=
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "packages.sh: some packages are missing; install them and run this again:" >&2
    echo "    sudo apt-get install -y$missing" >&2
    exit 1
fi

echo "packages.sh: installing$missing"
# The lists may be absent or old, and a mirror may hiccup: refresh them before each of two tries.
for try in 1 2; do
    if apt-get -q update && DEBIAN_FRONTEND=noninteractive \
        apt-get -q install -y --no-install-recommends $missing </dev/null; then
        exit 0
    fi
    echo "packages.sh: try $try failed" >&2
done
exit 1
