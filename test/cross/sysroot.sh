#!/bin/sh
# Usage: sysroot.sh DIR: makes DIR/root, the files of the arm64 packages that lfset needs and of all
# that they depend on, as an installed Debian would have them.
#
# They cannot be installed beside the machine's own: some of the -dev packages exclude their twins.
# So apt is given a state of its own below DIR, in which nothing is installed and the architecture is
# arm64; from the machine it takes where packages come from and whom to trust. Nothing outside DIR
# changes. What is there already is kept.
set -eu
packages='libc6-dev liburcu-dev libck-dev libjansson-dev libxxhash-dev libcriterion-dev'

mkdir -p "$1"
dir=$(cd "$1" && pwd)
if [ "$(cat "$dir/complete" 2>/dev/null)" = "$packages" ]; then
    exit 0
fi

rm -rf "$dir/apt" "$dir/root" "$dir/complete"
mkdir -p "$dir/apt/lists/partial" "$dir/apt/archives/partial" "$dir/root"
: >"$dir/apt/status"
cat >"$dir/apt/conf" <<END
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root"; // who apt would otherwise become cannot write here
Dir::State "$dir/apt";
Dir::State::Lists "$dir/apt/lists";
Dir::State::status "$dir/apt/status";
Dir::Cache "$dir/apt";
Dir::Cache::Archives "$dir/apt/archives";
END

# fetch APT-GET-ARGUMENT...
fetch()
{
    if ! APT_CONFIG="$dir/apt/conf" timeout 300 apt-get -q "$@" </dev/null >"$dir/log" 2>&1; then
        tail -n 20 "$dir/log" >&2
        echo "sysroot.sh: the arm64 packages cannot be fetched: no network, or no arm64 in the" \
            "machine's sources of packages? (apt-get $*; all of it is in $dir/log)" >&2
        exit 1
    fi
}

echo "fetching Debian's arm64 packages into $1"
fetch update
fetch install -y --download-only $packages
for package in "$dir"/apt/archives/*.deb; do
    dpkg-deb -x "$package" "$dir/root"
done
echo "$packages" >"$dir/complete"
rm -rf "$dir/apt"
