#!/bin/sh
# Usage: stress.sh SECONDS [ARGUMENT...]: the stress of all sets, so long on each domain; further
# arguments are handed on. Used by make stress and make tsan.
set -eu
seconds=$1
shift
for domain in rcu hp; do
    "$BUILD/lfset" stress --domain "$domain" --seconds "$seconds" \
        --history "$BUILD/stress-$domain.history" "$@"
done
