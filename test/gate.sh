#!/bin/sh
# lfset gate: what grew, what did not, what is new or gone; processes, saved registries, JSON and commands;
# --update; wrong options and malformed files.
set -u
. test/tap.sh
CC=${CC-cc}
PKG_CONFIG=${PKG_CONFIG-pkg-config}
work=$BUILD/test/gate
lfset=$BUILD/lfset
rm -rf "$work"
mkdir -p "$work"

if [ ! -x "$BUILD/lfset-observe" ]; then
    skip 'lfset gate' 'lfset-observe is not built (tools/packages.sh)'
    finish
fi
gate()
{
    timeout 30 "$lfset" gate "$@"
}

# ---------------------------------------------------------------- JSON against JSON
# set NAME KEYS BYTES [HISTORY]: as an observation has it
set_json()
{
    printf '{"name": "%s", "live": %s, "bytes": %s, "history": [%s]}' "$1" "$2" "$3" "${4-}"
}
# observation FILE SET...
observation()
{
    file=$work/$1
    shift
    { printf '{"format": "lfset observation 1", "sets": ['; (IFS=,; printf '%s' "$*"); printf ']}\n'; } >"$file"
}
observation before.json "$(set_json users 1000 100000)" "$(set_json cache 50 300000)" "$(set_json old 1 1)" \
    "$(set_json part 10 1000)" "$(set_json part 10 1000)"
base=$work/base.json
check 'an update writes the baseline' tells 0 "base.json: 4 name" gate --baseline "$base" --update "$work/before.json"
check 'nothing grew against itself' tells 0 '^0 of 4 grew' gate --baseline "$base" "$work/before.json"
check 'names are summed up' tells 0 '^ok *part *2 *2 .* 20 *20 ' gate --baseline "$base" "$work/before.json"

# compared NAME KEYS BYTES ARGUMENT...: how users did, beside the others as before
compared()
{
    observation now.json "$(set_json users "$1" "$2" "${3-}")" "$(set_json cache 50 300000)" "$(set_json part 20 2000)"
}
compared 1000 115000
check 'just the growth that is let pass' tells 0 '^ok *users' gate --baseline "$base" --slack 0 "$work/now.json"
compared 1000 115001
check 'one byte more' tells 1 '^grew *users .* +15%!$' gate --baseline "$base" --slack 0 "$work/now.json"
check 'what grew comes first, and is counted' tells 1 '^1 of 4 grew by more than 15%' \
    gate --baseline "$base" --slack 0 "$work/now.json"
check 'with a percent sign, more is let pass' exits 0 gate --baseline "$base" --slack 0 --max-growth 16% "$work/now.json"
check 'few bytes are let pass' exits 0 gate --baseline "$base" "$work/now.json"
compared 5096 100000
check 'keys alone, within the slack' exits 0 gate --baseline "$base" --slack 65537 "$work/now.json"
check 'keys alone' tells 1 '^grew *users .* 1000 *5096 *+410%! .* +0% *$' gate --baseline "$base" "$work/now.json"
compared 1000 100000 '{"live": 1000, "bytes": 100000}, {"live": 900, "bytes": 400000}'
check 'a peak of the history' tells 1 '^grew *users .* +300%!$' gate --baseline "$base" "$work/now.json"
check 'who is gone is told' tells 1 '^gone *old ' gate --baseline "$base" "$work/now.json"
observation more.json "$(set_json users 1000 100000)" "$(set_json fresh 7 9999999)"
check 'who is new is told' tells 0 '^new *fresh .* 7 ' gate --baseline "$base" "$work/more.json"
told()
{
    gate --baseline "$base" --json "$work/now.json" >"$work/told.json"
    [ $? -eq 1 ] && python3 - "$work/told.json" <<'END'
import json, sys
told = json.load(open(sys.argv[1]))
sets = {s["name"]: s for s in told["sets"]}
assert told["failed"] == 1 and told["max_growth"] == 0.15, told
assert sets["users"]["verdict"] == "grew" and sets["users"]["beyond"] == ["bytes"], sets["users"]
assert sets["users"]["growth"]["bytes"] == 3 and sets["users"]["now"]["bytes"] == 400000, sets["users"]
assert sets["old"]["verdict"] == "gone" and sets["old"]["now"] == {}, sets["old"]
END
}
check 'the same as JSON' told

# ---------------------------------------------------------------- processes
cat >"$work/service.c" <<'END'
#include <lfset/observe.h>
#include <lfset/u64.h>
#include <stdlib.h>
#include <unistd.h>
/* service KEYS MILLISECONDS: has so many keys for half of that, and others when it ends */
int main(int argc, char **argv)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    struct lfset_options options = LFSET_OPTIONS_INIT;
    struct lfset_u64 *users, *kept;
    unsigned pause = argc == 3 ? (unsigned)atoi(argv[2]) * 500 : 0;
    options.name = "users";
    options.observe = &observe;
    if (argc != 3 || lfset_u64_create(&users, &options) != 0)
        return 1;
    options.name = "kept";
    if (lfset_u64_create(&kept, &options) != 0)
        return 1;
    for (uint64_t key = 0; key < (uint64_t)atoi(argv[1]); key++)
        lfset_u64_add(users, key);
    usleep(pause);
    lfset_u64_destroy(users);
    usleep(pause);
    for (uint64_t key = 0; key < 1000; key++)
        lfset_u64_add(kept, key);
    return 0;
}
END
check 'a service compiles' "$CC" -std=gnu11 -O1 -pthread -Iinclude -o "$work/service" "$work/service.c" \
    "$BUILD/liblfset.a" $("$PKG_CONFIG" --libs liburcu-bp)
service=$work/service
of_service=$work/service.json
check 'a command: the baseline' exits 0 gate --baseline "$of_service" --update --command "$service 20000 1500"
check 'what was destroyed meanwhile, and what stood there at the end' \
    sh -c 'grep -q "\"keys\": 20000" "$1" && grep -q "\"keys\": 1000" "$1"' - "$of_service"
check 'a command: the same again' tells 0 '^ok *users' gate --max-growth 200 --baseline "$of_service" --command "$service 20000 1500"
check 'a command: more' tells 1 '^grew *users .* 20000 *40000 *+100%!' \
    gate --baseline "$of_service" --command "$service 40000 1500"
check 'below a shell, beside others' tells 1 '^grew *users .* 20000 *40000 ' \
    gate --baseline "$of_service" --command "$service 10 1500 & $service 39990 1500; wait; true"
"$service" 40000 20000 &
pid=$!
sleep 1
check 'a process' tells 1 '^grew *users' gate --baseline "$of_service" $pid
kill -STOP $pid
check 'one that is stopped' tells 1 '^grew *users' gate --baseline "$of_service" $pid
check 'a saved registry' sh -c \
    '"$1" save "$2" -o "$3" >/dev/null && { "$1" gate --baseline "$4" "$3"; [ $? -eq 1 ]; }' \
    - "$lfset" $pid "$work/registry" "$of_service"
kill -KILL $pid

# ---------------------------------------------------------------- what it refuses
check 'no baseline' tells 2 '--baseline FILE is needed' gate "$work/now.json"
check 'a baseline that is not there' tells 2 '--update writes' gate --baseline "$work/nowhere" "$work/now.json"
printf '{\n"format": 1,,\n}' >"$work/broken.json"
check 'a baseline that is not JSON: the place' tells 2 'broken.json:2:[0-9]*: ' gate --baseline "$work/broken.json" 1
echo '{"format": "lfset gate baseline 9", "sets": {}}' >"$work/other.json"
check 'a baseline of another version' tells 2 'neither a baseline' gate --baseline "$work/other.json" "$work/now.json"
echo '{"format": "lfset gate baseline 1", "sets": {"a": {"sets": 1, "keys": "x", "bytes": 2}}}' >"$work/bad.json"
check 'a figure that is none' tells 2 'lacks "sets", "keys" or "bytes"' gate --baseline "$work/bad.json" "$work/now.json"
check 'a run that is no registry' tells 2 'no registry of sets' gate --baseline "$base" test/gate.sh
check 'neither a run nor a command' tells 2 'is needed' gate --baseline "$base"
check 'both' tells 2 'is needed' gate --baseline "$base" --command true "$work/now.json"
check 'a growth that is no number' tells 2 'not a number' gate --baseline "$base" --max-growth much "$work/now.json"
check 'no such process' tells 3 'no such process' gate --baseline "$base" 4194304
check 'a process without sets' tells 3 'no registry' gate --baseline "$base" $$
check 'a command that fails' tells 3 'exit status 7' gate --baseline "$base" --command 'exit 7'
check 'a command without sets' tells 3 'no process of the command' gate --baseline "$base" --command true
check 'a baseline that cannot be written' tells 3 'cannot be written' \
    gate --baseline "$work/no/base.json" --update "$work/now.json"
check '--help' tells 0 'summed up' gate --help
finish
