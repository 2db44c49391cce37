#!/bin/sh
# The drill: a service with five leaks, each of which must be found from the outside, with the right function
# to blame, and none of which may be found where it is switched off. Tells how long that took. Then the
# commands of test/drill/WALKTHROUGH.md, which must print what it shows.
set -u
. test/tap.sh
CC=${CC-cc}
PKG_CONFIG=${PKG_CONFIG-pkg-config}
BUILD=$(cd "$BUILD" && pwd)
work=$BUILD/test/drill
page=$PWD/test/drill/WALKTHROUGH.md
rm -rf "$work"
mkdir -p "$work"
PATH=$BUILD:$PATH
limit=25 # seconds until a leak must be found: a hang limit

if [ ! -x "$BUILD/lfset-observe" ]; then
    skip 'the drill' 'lfset-observe is not built (tools/packages.sh)'
    finish
fi
if ! "$CC" -std=gnu11 -O2 -g -pthread -Wall -Wextra -Werror -Iinclude -o "$work/drill" test/drill/drill.c \
    "$BUILD/liblfset.a" $("$PKG_CONFIG" --libs liburcu-bp); then
    echo 'not ok - the drill compiles'
    exit 1
fi
cd "$work" || exit

# begin NAME LEAKS: its process id is in NAME.pid
begin()
{
    ./drill "$2" 40 >"$1.out" 2>"$1.err" &
    echo $! >"$1.pid"
}
services='healthy 1 2 3 4 5 all'
stop_all()
{
    for service in $services; do
        [ ! -e "$service.pid" ] || kill "$(cat "$service.pid")" 2>/dev/null
    done
}
trap stop_all EXIT
pid_of()
{
    cat "$1.pid"
}
is_ready()
{
    for i in $(seq 100); do
        grep -q ready "$1.out" && return
        sleep 0.1
    done
    echo "$1 did not begin: $(cat "$1.err")"
    return 1
}
now()
{
    date +%s.%N
}

# ---------------------------------------------------------------- one by one
# Each is 0 when it finds the leak in a process. What it prints goes with the verdict.
grew_in_every_round()
{
    lfset profile --rounds=2 --interval=0.5 --fail --set="$2" "$1"
    [ $? -eq 1 ]
}
find_1()
{
    found=$(grew_in_every_round "$1" inflight) && has "$found" '^ *request_handle .*drill.c:'
}
find_2()
{
    found=$(lfset inspect --interval=0.1 "$1" sessions) && has "$found" 'sessions .* snapshot ' &&
        has "$found" '^ *report_sessions drill.c:'
}
find_3()
{
    found=$(lfset inspect --interval=0.1 "$1" routes) && has "$found" '(auditor): .*STALLED; holds back' &&
        has "$found" '^ *audit_routes drill.c:'
}
find_4()
{
    lfset gate --baseline empty.json --slack=0 "$1" >tags.out
    has "$(cat tags.out)" '^new *tags ' && found=$(lfset inspect --interval=0.1 "$1" tags) &&
        has "$found" '^ *tags_collect drill.c:'
}
find_5()
{
    found=$(grew_in_every_round "$1" cache) && has "$found" '^ *cache_fill .*drill.c:'
}
# A look may come too early.
find()
{
    until "find_$1" "$(pid_of "$1")" >"$1.found" 2>&1; do
        sleep 0.1
    done
    now >"$1.when"
}
found_in_time()
{
    for i in $(seq $((limit * 10))); do
        [ ! -s "$1.when" ] || break
        sleep 0.1
    done
    [ -s "$1.when" ] || { echo "not found in $limit seconds; the last look:"; cat "$1.found"; return 1; }
    echo "$(cat "$1.when") $(cat "$1.begun")" | awk '{ printf "%.1f\n", $1 - $2 }' >"$1.took"
}
none_where_there_is_none()
{
    for leak in 1 2 3 4 5; do
        ! "find_$leak" "$(pid_of healthy)" >healthy.found 2>&1 || { echo "leak $leak:"; cat healthy.found; return 1; }
    done
}

begin healthy none
check 'the service begins' is_ready healthy
seekers=
echo '{"format": "lfset gate baseline 1", "sets": {}}' >empty.json
for leak in 1 2 3 4 5; do
    begin $leak $leak
    now >$leak.begun
    find $leak &
    seekers="$seekers $!"
done
check 'leak 1: a failed path never removes: found, and who' found_in_time 1
check 'leak 2: a snapshot is kept: found, and who' found_in_time 2
check 'leak 3: a reader sleeps in a section: found, and who' found_in_time 3
check 'leak 4: sets that nobody owns: found, and who' found_in_time 4
check 'leak 5: an unbounded cache: found, and who' found_in_time 5
kill $seekers 2>/dev/null
for leak in 1 2 3 4 5; do
    kill "$(pid_of $leak)"
    [ ! -e $leak.took ] || echo "# leak $leak: found after $(cat $leak.took) s"
done
check 'none of them in the healthy service' none_where_there_is_none
check 'a baseline of that' lfset gate --baseline baseline.json --update "$(pid_of healthy)"
kill "$(pid_of healthy)"

# ---------------------------------------------------------------- the walk-through
# NUMBER.sh and NUMBER.txt for each of its commands and what it shows after it
awk '
    /^```sh$/ { file = ++count ".sh"; next }
    /^```text$/ { file = count ".txt"; next }
    /^```$/ { close(file); file = ""; next }
    file { print >file }
' "$page"
# Lines without their numbers, and what comes with them.
plain()
{
    sed 's/[-+]\{0,1\}[0-9][0-9.]*[A-Za-z%!]*/N/g; s/N\/s/N/g; s/(N)//g; s/  *\([!]\)/\1/g; s/^ *//; s/ *$//; s/  */ /g; s/root/USER/' |
        sed "s/$(id -un)/USER/; s,[^ ]*/drill.c,drill.c,"
}
# The lines of a file, in this order, others between them where it says "...".
shows()
{
    plain <"$1" | awk '
        NR == FNR { line[++lines] = $0; next }
        wanted && $0 == "" { next }
        $0 == "..." { next }
        {
            for (at++; at <= lines && line[at] != $0; at++) { }
            if (at > lines) { print "this line is missing: " $0; exit 1 }
        }' "$3" -
}
walk()
{
    PID=$(pid_of all) URL=$(cat url) timeout 20 sh "$1.sh" >"$1.raw" 2>&1
    status=$?
    plain <"$1.raw" >"$1.plain"
    [ $status -le 1 ] || { cat "$1.raw"; return 1; }
    [ ! -e "$1.txt" ] || shows "$1.txt" - "$1.plain" || { cat "$1.raw"; return 1; }
}
begin all all
check 'all leaks at once' is_ready all
lfset exporter --pid "$(pid_of all)" >url 2>exporter.err &
exporter=$!
sleep 2
for script in $(ls *.sh | sort -n); do
    check "WALKTHROUGH.md: $(tail -n 1 "$script")" walk "${script%.sh}"
done
check 'the report names them all' sh -c \
    'for name in cache inflight routes tags report_sessions audit_routes tags_collect; do grep -q $name report.html || exit; done'
check 'the watcher told of the reader as well' grep 'auditor/[0-9]* in a section' all.err
kill "$exporter" 2>/dev/null
finish
