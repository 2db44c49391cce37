#!/bin/sh
# lfset ps, top, inspect, report and save, on processes that run, are stopped, are killed, are another user's, on
# files that are damaged, and none of them holds up the process that they look at. Prints TAP.
set -u
. "$(dirname "$0")/tap.sh"
tests=$(dirname "$0")/observe
CC=${CC-cc}
lfset=$BUILD/lfset
work=$(mktemp -d) || exit
if ! [ -x "$BUILD/lfset-observe" ]; then
    skip 'the tools that look at processes' 'lfset-observe was not built (tools/packages.sh)'
    finish
fi
# the processes that were started here
started=
end_all()
{
    for process in $started; do
        kill -9 "$process" 2>/dev/null
    done
    rm -rf "$work"
}
trap end_all EXIT
trap 'exit 1' HUP INT TERM

libraries=$(pkg-config --libs liburcu-bp 2>/dev/null || echo '-lurcu-bp -lurcu-common')
"$CC" -std=gnu11 -O1 -g -pthread -Iinclude "$tests/target.c" "$BUILD/liblfset.a" $libraries -lm \
    -o "$work/target" || exit

# start NAME ARGUMENT...: its process id is then in $pid; it ends when nobody holds the pipe open
mkfifo "$work/hold"
exec 9<>"$work/hold"
start()
{
    log=$work/$1.log
    shift
    "$work/target" "$@" <"$work/hold" >"$log" 2>&1 &
    pid=$!
    started="$started $pid"
    tries=0
    until grep -q ready "$log"; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || { cat "$log"; echo 'the target is not ready'; exit 1; }
        sleep 0.05
    done
}
start live
live=$pid
start quiet --no-watcher
quiet=$pid

# who looks at a process has its registry open, too
one_of_it_is_listed()
{
    "$lfset" top "$live" --batch 100 --interval 0.05 >/dev/null &
    looker=$!
    started="$started $looker"
    until ls -l /proc/$looker/fd 2>/dev/null | grep -q 'memfd:lfset-observe'; do
        sleep 0.02
    done
    tells 3 'has no registry' "$lfset" inspect $looker || return
    text=$("$lfset" ps)
    kill $looker
    has "$text" "^ *$live " && has_not "$text" "^ *$looker "
}

# json EXPRESSION COMMAND...: python's view of what the command prints, as `it`
json()
{
    expression=$1
    shift
    "$@" | python3 -c 'import json, sys
it = json.load(sys.stdin)
result = eval("(" + sys.argv[1] + ")")
print(result if result else it)
sys.exit(not result)' "$expression"
}

# ---------------------------------------------------------------- a process that runs
sees()
{
    text=$("$lfset" "$@") || return
    for pattern in $patterns; do
        has "$text" "$pattern" || return
    done
}
lists_both()
{
    text=$("$lfset" ps) || return
    has "$text" "^ *$live .* target  *5 .* 100ms" && has "$text" "^ *$quiet .* target  *5 .* none"
}
check 'ps lists both, one with its watcher' lists_both
check 'ps: who looks at it is not listed' one_of_it_is_listed
check 'ps --json' json "len([p for p in it['processes'] if p['pid'] in ($live, $quiet)]) == 2 and
    [p['watcher_period_seconds'] for p in it['processes'] if p['pid'] in ($live, $quiet)].count(None) == 1" \
    "$lfset" ps --json
"$lfset" inspect "$live" -i 0.3 >"$work/inspect"
seen()
{
    has "$(cat "$work/inspect")" "$1"
}
check 'inspect: the sets, by size' seen '^sessions  *[0-9]* u64  *RCU'
check 'inspect: exact counts and rates' seen '^    added  *[0-9]*  *[0-9.]*k*/s'
check 'inspect: a guard' seen 'guard: strategy refuse; at most 5000 keys (now 100 %)'
check 'inspect: who created a set' seen '^    sessions_open target.c'
check 'inspect: nothing of the library in that' has_not "$(cat "$work/inspect")" '^    lfset_'
check 'inspect: the reader that stays' seen 'thread [0-9]* (sleeper): in one section for at least .*STALLED; holds back'
check 'inspect: where it entered' seen '^      reader_stay target.c'
check 'inspect: the snapshot that is kept' seen 'pinned .* snapshot  *1 '
check 'inspect: the event' seen 'warning stall .*sleeper'
check 'inspect --json: rates and who holds what' json "it['observation']['pid'] == $live and
    [r for r in it['rates'] if r['name'] == 'sessions'][0]['adds'] > 0 and
    any('reader_stay' in e for h in it['holders'] if h['in_section'] for e in h['entered_by'])" \
    "$lfset" inspect "$live" --json -i 0.2
check 'inspect: one set' json "[r['name'] for r in it['rates']] == ['churn'] and
    len(it['observation']['sets']) == 1" "$lfset" inspect "$live" churn --json -i 0
check 'inspect: no watcher: two looks find the reader' \
    tells 0 '(sleeper): in one section for at least' "$lfset" inspect "$quiet" -i 0.2
is_not_stopped()
{
    "$lfset" inspect "$live" churn -i 0 | grep -q 'target: running'
}
check 'inspect --stacks: where it is now' tells 0 'reader_stay' "$lfset" inspect "$live" --stacks -i 0
check 'inspect --stacks: and it goes on' is_not_stopped
check 'top: plain text' tells 0 "^ *$live sessions  *u64" "$lfset" top "$live" --batch 1
check 'top: all processes' tells 0 "^ *$quiet sessions  *u64" "$lfset" top --batch 2 --interval 0.2
check 'top: ASCII curves' tells 0 'sessions.*[_.=+*%#-]\{8\}$' "$lfset" top "$live" --batch 1 --ascii
ordered()
{
    "$lfset" top "$live" --batch 2 --interval 0.3 --sort growth | sed -n '/^$/,$p' |
        awk '$2 == "sessions" || $2 == "pinned" { print $2 }' | tr '\n' ' ' | grep -x 'sessions pinned '
}
check 'top: sorted by growth' ordered
terminal()
{
    text=$(python3 "$tests/terminal.py" "$1" "$lfset" top "$live") || return
    has "$text" "$2"
}
check 'top: on a terminal, sorted anew' terminal 'k,SIZE,q' 'sorted by keys'
check 'top: on a terminal that becomes smaller' terminal 'SIZE,e,q' 'READERS THAT STAY'
check 'top: no terminal' tells 2 'not on a terminal' "$lfset" top "$live"

# ---------------------------------------------------------------- it goes on while it is looked at
adds()
{
    "$lfset" inspect "$live" sessions --json -i 0 |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["observation"]["sets"][0]["adds"])'
}
goes_on()
{
    before=$(adds)
    for round in 1 2 3 4 5; do
        "$lfset" inspect "$live" -i 0 >/dev/null && "$lfset" ps >/dev/null &&
            "$lfset" top --batch 3 --interval 0.01 "$live" >/dev/null || return
        after=$(adds)
        [ "$after" -gt "$before" ] || { echo "adds: $before, then $after"; return 1; }
        before=$after
    done
}
check 'a process is not held up by readers in a loop' goes_on

# ---------------------------------------------------------------- a page
"$lfset" report "$live" -o "$work/page.html" --seconds 1 --interval 0.2 2>"$work/errors"
check 'report: it is written, without errors' exits 0 test -s "$work/page.html" -a ! -s "$work/errors"
check 'report: it needs nothing else' python3 "$tests/page.py" source "$work/page.html"
chromium=
for name in chromium chromium-browser google-chrome; do
    command -v $name >/dev/null && chromium=$name && break
done
shown()
{
    python3 "$tests/page.py" probe "$work/page.html" "$work/probe.html" &&
        HOME=$work timeout -k 5 60 "$chromium" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
            --disable-background-networking --no-first-run --user-data-dir="$work/profile" --enable-logging=stderr \
            --window-size=1280,900 --dump-dom "file://$work/probe.html" >"$work/dom" 2>"$work/errors" ||
        { cat "$work/errors"; return 1; }
    ! grep CONSOLE "$work/errors" && python3 "$tests/page.py" dom "$work/dom"
}
if [ -n "$chromium" ]; then
    check 'report: in a browser' shown
else
    skip 'report: in a browser' 'chromium is not installed (tools/packages.sh)'
fi
check 'report: a page that cannot be written' tells 3 'No such file or directory' \
    "$lfset" report "$live" -o "$work/none/page.html"

# ---------------------------------------------------------------- files
check 'save' "$lfset" save "$live" -o "$work/saved"
check 'save: for its owner only' has "$(ls -l "$work/saved")" '^-rw------- '
check 'inspect: a file' tells 0 'target: from a file' "$lfset" inspect "$work/saved"
check 'inspect: functions of a file, too' tells 0 '^    sessions_open target.c' "$lfset" inspect "$work/saved" sessions
check 'inspect: a file has no threads to stop' tells 2 'is a file' "$lfset" inspect --stacks "$work/saved"
check 'report: a file' exits 0 "$lfset" report "$work/saved" -o "$work/saved.html"
check 'report: the page of a file' grep -q 'from a file' "$work/saved.html"
copied()
{
    for descriptor in /proc/"$live"/fd/*; do
        case $(readlink "$descriptor") in
        /memfd:lfset-observe*) cp "$descriptor" "$work/copied" ;;
        esac
    done
    tells 0 '^sessions ' "$lfset" inspect "$work/copied"
}
check 'inspect: a copy of the descriptor' copied
"$CC" -std=gnu11 -Iinclude -Ilib "$tests/foretell.c" -o "$work/foretell" || exit
cp "$work/saved" "$work/told"
"$work/foretell" "$work/told" sessions 250 7800 0.93 && "$work/foretell" "$work/told" churn 2 nan 0.5 || exit
check 'inspect: a forecast' tells 0 'forecast: +250 keys/s, confidence 93 %; its limit in 2h10m' \
    "$lfset" inspect "$work/told" sessions
check 'inspect: a forecast without a limit' tells 0 'forecast: +2.0 keys/s.*no limit comes nearer' \
    "$lfset" inspect "$work/told" churn
check 'report: a forecast' exits 0 "$lfset" report "$work/told" -o "$work/told.html"
check 'report: it is drawn' grep -q '<path class="forecast"' "$work/told.html"
check 'report: it is told' grep -q 'full in 2h10m</b> (confidence 93 %)' "$work/told.html"
size=$(wc -c <"$work/saved")
for length in 0 100 4096 $((size / 2)) $((size - 1)); do
    head -c "$length" "$work/saved" >"$work/cut"
    check "a file of $length bytes is refused" tells 2 'no registry of sets, or it was cut short' \
        "$lfset" inspect "$work/cut"
done
head -c 1000000 /dev/urandom >"$work/noise"
check 'noise is refused' tells 2 'no registry of sets' "$lfset" report "$work/noise" -o "$work/noise.html"
check 'and no page is left of it' exits 1 test -e "$work/noise.html"
# the version is the 32 bits behind the magic number
{ head -c 8 "$work/saved"; printf '\377\0\0\0'; tail -c +13 "$work/saved"; } >"$work/version"
check 'another version is refused' tells 2 'a version that this program does not know' \
    "$lfset" inspect "$work/version"
# sound at its head, and noise behind it: whatever comes out, nothing may break
survives()
{
    { head -c 2048 "$work/saved"; head -c $((size - 2048)) /dev/urandom; } >"$work/noisy"
    for verb in "inspect $work/noisy -i 0" "inspect $work/noisy --json" "report $work/noisy -o $work/noisy.html"; do
        timeout 20 "$lfset" $verb >/dev/null 2>"$work/errors"
        [ $? -lt 4 ] || { echo "$verb:"; cat "$work/errors"; return 1; }
    done
}
check 'noise behind a sound head breaks nothing' survives

# ---------------------------------------------------------------- wrong calls
check 'no such process' tells 3 'there is no such process' "$lfset" inspect 4194304
check 'a process without sets' tells 3 'has no registry' "$lfset" inspect $$
check 'no such set' tells 2 "there is no set 'nothing'" "$lfset" inspect "$live" nothing -i 0
check 'no such file' tells 3 'there is no such file' "$lfset" inspect "$work/nothing"
check 'no process' tells 2 'a process id or a file is needed' "$lfset" inspect
check 'no page' tells 2 '-o FILE is needed' "$lfset" report "$live"
check 'a bad interval' tells 2 "'x' is not a number" "$lfset" inspect "$live" -i x
check 'a bad process id' tells 2 'is no process id' "$lfset" top 12x
helps()
{
    for verb in ps top inspect report save; do
        tells 0 '^Exit status:\|Exit status: 0' "$lfset" $verb --help || return
    done
}
check 'every verb has --help' helps

# ---------------------------------------------------------------- another user
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    chmod 755 "$work"
    cp "$BUILD/lfset" "$BUILD/lfset-observe" "$work"
    other="setpriv --reuid=65534 --regid=65534 --clear-groups $work/lfset"
    check "another user's process is refused" tells 3 'not permitted: it belongs to the user root' \
        $other inspect "$live"
    check "another user's process is refused by top" tells 3 'not permitted' $other top "$live" --batch 1
    check 'ps tells how many it may not look into' tells 0 '[0-9] other process.* may not be looked into' $other ps
    check 'the same as JSON' json "it['unreadable'] > 1 and not it['processes']" $other ps --json
else
    skip "another user's process" 'only root can become another user (or setpriv is missing)'
fi

# ---------------------------------------------------------------- stopped
kill -STOP "$live"
# it may take a moment until all its threads are
stopped_alike()
{
    until grep -q '^State:.*stopped' "/proc/$live/status"; do
        sleep 0.02
    done
    tells 0 'target: stopped' timeout 10 "$lfset" inspect "$live" -i 0.1 &&
        tells 0 'added .* 0/s' "$lfset" inspect "$live" churn -i 0.1 &&
        tells 0 "$live .*  stopped" "$lfset" ps &&
        tells 0 "^$live target, stopped" timeout 10 "$lfset" top "$live" --batch 2 --interval 0.1
}
check 'a stopped process is seen as it is, and nobody waits' stopped_alike
check 'report: a stopped process' exits 0 timeout 20 "$lfset" report "$live" -o "$work/stopped.html" -s 0.2 -i 0.1
kill -CONT "$live"

# ---------------------------------------------------------------- killed
"$lfset" top "$quiet" --batch 60 --interval 0.05 >"$work/top" &
top=$!
started="$started $top"
until grep -q running "$work/top" 2>/dev/null; do
    sleep 0.02
done
"$lfset" report "$quiet" -o "$work/killed.html" --seconds 30 --interval 0.1 &
reporter=$!
started="$started $reporter"
sleep 0.5
kill -9 "$quiet"
wait "$quiet" 2>/dev/null
wait $top
top_status=$?
wait $reporter
reporter_status=$?
check 'top goes on after its process was killed' exits 0 test $top_status -eq 0
check 'and says so' has "$(tail -n 12 "$work/top")" "^$quiet target, ended"
check 'and shows its last sets' has "$(tail -n 12 "$work/top")" "^ *$quiet sessions  *u64  *RCU  *[1-9]"
check 'report ends when its process was killed' exits 0 test $reporter_status -eq 0
check 'report: and says so' grep -q 'ended: this is its last state' "$work/killed.html"
finish
