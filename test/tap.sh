# For the shell tests: prints TAP, which test/run.sh counts. Source it, call check and refuse, end
# with finish.
tap_failed=0

# check NAME COMMAND...: the command must succeed
check()
{
    tap_name=$1
    shift
    if tap_output=$("$@" 2>&1); then
        echo "ok - $tap_name"
    else
        tap_not_ok
    fi
}

# refuse NAME COMMAND...: the command must fail
refuse()
{
    tap_name=$1
    shift
    if tap_output=$("$@" 2>&1); then
        tap_not_ok
    else
        echo "ok - $tap_name"
    fi
}

# skip NAME REASON
skip()
{
    echo "ok - $1 # SKIP $2"
}

tap_not_ok()
{
    echo "not ok - $tap_name"
    printf '%s\n' "$tap_output" | sed 's/^/    /'
    tap_failed=1
}

# has TEXT PATTERN and has_not TEXT PATTERN: does a line of the text match?
has()
{
    printf '%s\n' "$1" | grep -q -e "$2" || { printf 'no line matches %s in:\n%s\n' "$2" "$1"; return 1; }
}
has_not()
{
    ! printf '%s\n' "$1" | grep -e "$2"
}

# exits STATUS COMMAND...: must end with just this status
exits()
{
    tap_wanted=$1
    shift
    "$@"
    tap_status=$?
    [ $tap_status -eq "$tap_wanted" ] || { echo "exit status $tap_status, not $tap_wanted"; return 1; }
}

# tells STATUS PATTERN COMMAND...: and a line that it prints must match
tells()
{
    tap_wanted=$1
    tap_pattern=$2
    shift 2
    tap_told=$("$@" 2>&1)
    tap_status=$?
    [ $tap_status -eq "$tap_wanted" ] ||
        { printf 'exit status %d, not %d:\n%s\n' $tap_status "$tap_wanted" "$tap_told"; return 1; }
    has "$tap_told" "$tap_pattern"
}

finish()
{
    exit "$tap_failed"
}
