#!/bin/sh
# Runs every test of the build in $BUILD and of its sanitized twins below it; prints a line for each
# test program and, last, "N passed, N failed".
#
# A test program prints TAP (Criterion's and the shell tests do), or only exits: 0 passed,
# 77 skipped, else failed. With an argument: runs the tests that the file of that name lists instead.
set -u
cd "$(dirname "$0")/.." || exit
CC=${CC-cc}
MAKE=${MAKE-make}
export BUILD CC MAKE
logs=$BUILD/test/logs
limit=600 # seconds: a hanging test fails
numbers=$logs/numbers # passed, failed, skipped; a line for each test
processors=$(nproc 2>/dev/null || echo 1)
mkdir -p "$logs"
: >"$numbers"

# count LOG PATTERN
count()
{
    grep -c -e "$2" "$1"
}

# judge NAME LOG STATUS SECONDS: a line for the test, what failed, and its numbers for the sum
judge()
{
    bad=$(count "$2" '^not ok ')
    skips=$(count "$2" '^ok .*# SKIP')
    good=$(($(count "$2" '^ok ') - skips))
    # Criterion's workers report leaks and pass all the same
    if grep -q 'ERROR: LeakSanitizer' "$2"; then
        bad=$((bad + 1))
    fi
    if [ $((good + bad + skips)) -eq 0 ]; then
        case $3 in
        0) good=1 ;;
        77) skips=1 ;;
        *) bad=1 ;;
        esac
    elif [ "$3" -ne 0 ] && [ "$bad" -eq 0 ]; then
        bad=1 # died between two tests, or after the last
    fi
    echo "$good $bad $skips" >>"$numbers"

    verdict=ok
    [ "$bad" -eq 0 ] || verdict=FAILED
    [ "$((good + bad))" -gt 0 ] || verdict=skipped
    printf '%-8s %-34s %4d passed, %d failed, %d skipped (%d s)\n' \
        "$verdict" "$1" "$good" "$bad" "$skips" "$4" | sed 's/, 0 skipped//'
    if [ "$bad" -ne 0 ]; then
        echo "         exit status $3; from $2:"
        if grep -q '^not ok ' "$2"; then
            grep -A 12 '^not ok ' "$2" | head -n 80
        else
            tail -n 30 "$2"
        fi | sed 's/^/         | /'
    fi
}

# run NAME COMMAND...
run()
{
    name=$1
    shift
    log=$logs/$(echo "$name" | tr ' /,' '---').log
    start=$(date +%s)
    timeout -k 30 "$limit" "$@" >"$log" 2>&1 </dev/null
    status=$?
    # at once, so that lines of several that run at a time do not mingle
    lines=$(judge "$name" "$log" $status $(($(date +%s) - start)))
    echo "$lines"
}

# run_each NAME DIRECTORY SOURCES [ARGUMENT...]: the program in the directory of each of the sources, as many
# at a time as there are processors
run_each()
{
    kind=$1
    directory=$2
    sources=$3
    shift 3
    running=
    for source in $sources; do
        program=$(basename "$source" .c)
        run "$kind $program" "$directory/$program" "$@" &
        running="$running $!"
        if [ "$(echo "$running" | wc -w)" -ge "$processors" ]; then
            # the oldest; the others go on
            oldest=${running# }
            oldest=${oldest%% *}
            wait "$oldest"
            running=${running#" $oldest"}
        fi
    done
    wait
}

# stress NAME BUILD-DIRECTORY ARGUMENT...
stress()
{
    kind=$1
    lfset=$2/lfset
    shift 2
    run "$kind" "$lfset" stress --seed 1 --history "$logs/$kind.history" "$@"
}

# close: the last line, and the exit status
close()
{
    awk '{ passed += $1; failed += $2; skipped += $3 }
        END {
            printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
            exit failed > 0 || passed == 0
        }' "$numbers"
    exit
}

if [ $# -gt 0 ]; then # a list of other tests, such as test/cross/tests.sh
    . "./$1"
    close
fi

run format make format-check
run headers sh test/header/run.sh
run abi sh test/abi.sh
run_each unit "$BUILD/test/unit" 'test/unit/test_*.c' --tap
run_each unit-asan "$BUILD/address,undefined/test/unit" 'test/unit/test_*.c' --tap
run_each litmus "$BUILD/litmus" 'stress/litmus/*.c'
run_each litmus-tsan "$BUILD/thread/litmus" 'stress/litmus/*.c'
run_each litmus-asan "$BUILD/address,undefined/litmus" 'stress/litmus/*.c'
for domain in rcu hp; do
    run "explore-$domain" "$BUILD/lfset-explore" --domain $domain --runs 500000 --quiet
    stress stress-all-$domain-stall "$BUILD" --domain $domain --seconds 6 --stall --churn-threads
    for set in u64 bytes obj bitmap; do
        stress stress-$set-$domain "$BUILD" --set $set --domain $domain --seconds 3
        # short rounds: more of them, and none that takes longer than all together should
        stress stress-$set-$domain-tsan "$BUILD/thread" --set $set --domain $domain --seconds 3 \
            --round-ops 1000
        stress stress-$set-$domain-asan "$BUILD/address,undefined" --set $set --domain $domain \
            --seconds 2
    done
done
for script in test/*.sh; do
    case $script in
    test/run.sh | test/tap.sh | test/stress.sh | test/abi.sh | test/readme.sh) ;;
    *) run "$(basename "$script" .sh)" sh "$script" ;;
    esac
done
run tsan sh test/tsan/run.sh
run seccomp sh test/seccomp/run.sh
run portable sh test/cross/portable.sh
run readme sh test/readme.sh
run install sh test/install/run.sh

close
