#!/bin/sh
# The probes (USDT): what the library's notes say, that each fires as often as it should, and that each script in
# tools/bpftrace shows what it says. The last two need bpftrace, and to be root where it may attach.
set -u
cd "$(dirname "$0")/.." || exit
. test/tap.sh
CC=${CC-cc}
out=$BUILD/test/probes
started=
rm -rf "$out"
mkdir -p "$out"
trap 'kill -KILL $started 2>/dev/null' EXIT

if ! printf '#include <sys/sdt.h>\n' | $CC -fsyntax-only -x c - 2>/dev/null; then
    skip 'probes' 'the library was built without sys/sdt.h'
    finish
fi

# build PROGRAM
build()
{
    $CC -std=gnu11 -O2 -g -fno-omit-frame-pointer -pthread -Wall -Wextra -Werror -Iinclude -Ilib \
        -o "$out/$1" "test/probes/$1.c" "$BUILD/liblfset.a" $(pkg-config --libs liburcu-bp) -lm
}
check 'fire compiles' build fire
check 'hoard compiles' build hoard

# ---- the notes --------------------------------------------------------------------------------------
documented=$(sed -n 's/^    X(\([a-z_]*\)).*/\1/p' lib/platform/probes.h | sort)

# notes FILE: a line "NAME SEMAPHORE ARGUMENTS..." for each place of a probe of ours
notes()
{
    readelf -n "$1" 2>/dev/null | awk '
        $1 == "Provider:" { ours = $2 == "lfset" }
        $1 == "Name:" { name = $2 }
        /Semaphore:/ { semaphore = $NF }
        $1 == "Arguments:" && ours { $1 = ""; print name, semaphore $0 }'
}

# every documented probe is there, none else, each with one semaphore of its own
names_are()
{
    [ "$(notes "$1" | cut -d ' ' -f 1 | sort -u)" = "$documented" ] ||
        { echo "documented: $documented"; echo 'found:'; notes "$1" | cut -d ' ' -f 1 | sort -u; return 1; }
    notes "$1" | cut -d ' ' -f 1,2 | sort -u >"$out/semaphores"
    [ "$(wc -l <"$out/semaphores")" -eq "$(echo "$documented" | wc -l)" ] &&
        [ "$(cut -d ' ' -f 2 "$out/semaphores" | sort -u | wc -l)" -eq "$(wc -l <"$out/semaphores")" ] &&
        ! grep ' 0x0*$' "$out/semaphores" || { cat "$out/semaphores"; return 1; }
}
check 'liblfset.so has every probe, with a semaphore' names_are "$BUILD/liblfset.so"
check 'so has a program it is linked into' names_are "$out/fire"

# each place has as many arguments as the table in probes.h says
arguments_are()
{
    notes "$1" | awk '{ print $1, NF - 2 }' | sort -u >"$out/arguments"
    # "NAME   ARGUMENT, ARGUMENT   what it means"; of a pair in one line only the first has its arguments there
    sed -n 's/^ \*   \([a-z]*__[a-z]*\)  *\([^ ].*\)$/\1 \2/p' lib/platform/probes.h |
        awk '{ name = $1; sub(/^[^ ]+ /, ""); sub(/   .*/, ""); print name, split($0, ignored, ", ") }' |
        sort -u >"$out/promised"
    [ "$(wc -l <"$out/promised")" -ge 26 ] && grep -Fxf "$out/promised" "$out/arguments" | diff - "$out/promised"
}
check 'with the documented number of arguments' arguments_are "$BUILD/liblfset.so"

without()
{
    printf '#include "platform/probes.h"\nvoid f(int x);void f(int x) { lfset__probe(key__add, x, lfset__probe_wanted(key__add)); }\n' |
        $CC -Ilib -Wall -Wextra -Werror -DLFSET_NO_PROBES -c -o "$out/without.o" -x c - &&
        [ -z "$(notes "$out/without.o")" ]
}
check 'LFSET_NO_PROBES leaves nothing' without

manual()
{
    for name in $documented; do
        grep -q "^\.B $name\$" man/lfset-probes.7 || { echo "not in lfset-probes(7): $name"; return 1; }
    done
}
check 'every probe is in lfset-probes(7)' manual

# ---- whether bpftrace can attach here -----------------------------------------------------------------
# start FILE COMMAND...: in the background, its output to the file; $pid
start()
{
    start_output=$1
    shift
    "$@" >"$start_output" 2>&1 </dev/null &
    pid=$!
    started="$started $pid"
}

# until_line FILE PATTERN PID: waits for it, as long as the process lives, for 40 seconds at most
until_line()
{
    until_tries=0
    until grep -q -e "$2" "$1"; do
        until_tries=$((until_tries + 1))
        if [ $until_tries -gt 400 ] || ! kill -0 "$3" 2>/dev/null; then
            grep -q -e "$2" "$1" && return
            echo "no line matches $2 in:"
            grep -v tached "$1" | tail -n 40
            return 1
        fi
        sleep 0.1
    done
}

why=
start "$out/hoard.log" "$out/hoard"
hoard=$pid
if [ "$(id -u)" -ne 0 ]; then
    why='bpftrace needs root'
elif ! command -v bpftrace >/dev/null; then
    why='bpftrace is not installed'
elif ! timeout 60 bpftrace -p "$hoard" -e 'usdt::lfset:section__start { printf("attached\n"); exit(); }
    interval:s:20 { exit(); }' >"$out/trial" 2>&1 || ! grep -q '^attached' "$out/trial"; then
    why="bpftrace cannot attach here: $(grep -v MEMLOCK "$out/trial" | tail -n 1)"
fi
if [ -n "$why" ]; then
    skip 'every probe fires' "$why"
    skip 'the scripts of tools/bpftrace' "$why"
    finish
fi

# ---- every probe fires ----------------------------------------------------------------------------------
start "$out/fire.log" "$out/fire" "$(notes "$out/fire" | wc -l)"
fire=$pid
start "$out/counts" bpftrace -p "$fire" -e 'usdt::lfset:* { @[probe] = count(); } interval:s:1 { print(@); printf("-\n"); }'
counts=$pid
for script in tools/bpftrace/*.bt; do
    name=$(basename "$script" .bt)
    start "$out/$name.log" bpftrace -p "$hoard" "$script"
    eval "pid_$name=$pid"
done

counts_agree()
{
    until_line "$out/fire.log" '^wait__wake' "$fire" || return 1
    # the print after the next may be the first that was begun when all was done
    lines=$(grep -c '^-' "$out/counts")
    counts_tries=0
    while [ "$(grep -c '^-' "$out/counts")" -lt $((lines + 2)) ] && [ $counts_tries -lt 300 ]; do
        sleep 0.1
        counts_tries=$((counts_tries + 1))
    done
    awk '/^-/ { for (i in seen) last[i] = seen[i]; split("", seen) }
        /^@\[/ { name = $0; sub(/.*:lfset:/, "", name); sub(/\]: .*/, "", name); seen[name] = $NF }
        END { for (i in last) print "seen", i, last[i] }' "$out/counts" >"$out/seen"
    sed 's/^/wanted /' "$out/fire.log" | cat "$out/seen" - | awk '
        $1 == "seen" { seen[$2] = $3 }
        $1 == "wanted" {
            wanted++
            enough = $2 ~ /^reclaim__/ && seen[$2] > $3
            if ($3 == 0 || (seen[$2] != $3 && !enough)) {
                print $2 " fired " seen[$2] + 0 " times, not " $3
                bad = 1
            }
        }
        END { exit bad || wanted < 30 }'
}
check 'every probe fires as often as it should' counts_agree
kill -KILL "$counts" "$fire"

# ---- the scripts ----------------------------------------------------------------------------------------
# shows NAME PATTERN...: lines that the script must print while it runs
shows()
{
    shows_name=$1
    eval "shows_pid=\$pid_$1"
    shift
    for pattern; do
        until_line "$out/$shows_name.log" "$pattern" "$shows_pid" || return 1
    done
}

check 'writers.bt: the busiest threads and callers' shows writers \
    '^@threads\[add, hoarder, [0-9]*\]: [1-9]' '^@threads\[remove, hoarder, [0-9]*\]: [1-9]' \
    '^@callers\[add, hoard, work, main\]: [1-9]' '^@callers\[remove, fair, work, main\]: [1-9]'
check 'sets.bt: the busiest set, by name' shows sets \
    '^@adds\[[0-9-]*, hoard\]: [1-9]' '^@removes\[[0-9-]*, hoard\]: [1-9]' '^@gained\[[0-9-]*, hoard\]: '
leaks()
{
    shows leaks '^@live\[hoard, work, main\]: [1-9]' || return 1
    ! grep '^@live\[fair, work, main\]: [1-9][0-9]' "$out/leaks.log"
}
check 'leaks.bt: blames hoard(), not fair()' leaks
check 'threads.bt: lives, sections, waits' shows threads 'attached [a-z]* [0-9]' 'detached visitor [0-9]' \
    'long section of [0-9]* us hoarder' '^@lived_ms' '^@section_us' '^@waited_us' \
    '^\[\(64K, 128K\|128K, 256K\)) *[1-9]'
check 'grace.bt: grace periods of both domains' shows grace '^@us\[RCU\]' '^@us\[hazard pointers\]' \
    '^@batch_us\[RCU\]' '^@batch_objects\[hazard pointers\]' '^@waiting\[RCU, bytes\]: ' '|@@*'
check 'growth.bt: every kind of succession' shows growth '^@growth' '^@purge' '^@snapshot' '^@clear' \
    '^@frozen' '|@@*'
finish
