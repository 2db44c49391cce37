#!/bin/sh
# Usage: stress.sh SECONDS [ARGUMENT...]: the stress of every set, so long on each domain; further
# arguments are handed on. Used by make stress and make tsan.
set -eu
seconds=$1
shift
for domain in rcu hp; do
    "$BUILD/lfset" stress --set u64 --domain "$domain" --seconds "$seconds" \
        --history "$BUILD/stress-$domain.history" "$@"
done
