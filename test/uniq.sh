#!/bin/sh
# lfset uniq --integers prints what awk '!seen[$0]++' prints, with any number of threads, and refuses
# what is no integer, by file and line, after printing what came before it.
set -u
. test/tap.sh
lfset=$BUILD/lfset
work=$BUILD/test/uniq
rm -rf "$work"
mkdir -p "$work"

# integers COUNT DISTINCT SCALE: random canonical numbers; large ones with a large SCALE
integers()
{
    awk -v count="$1" -v distinct="$2" -v scale="$3" 'BEGIN {
        for (x = 1; count-- > 0; x = (x * 69069 + 12345) % 4294967296)
            printf "%.0f\n", (x % distinct) * scale
    }'
}

# same_as_awk FILE THREADS
same_as_awk()
{
    awk '!seen[$0]++' "$1" >"$work/expected"
    "$lfset" uniq --integers --threads "$2" "$1" >"$work/output" && cmp "$work/expected" "$work/output"
}

# each of them several blocks long, so that blocks meet in the set and lines are cut between reads
integers 300000 97 1 >"$work/few"
integers 300000 100003 12345678901 >"$work/half"
integers 300000 100000000 1000000007 >"$work/many"
awk 'BEGIN { for (i = 300000; i > 0; i--) print i }' >"$work/distinct"
awk 'BEGIN { for (i = 0; i < 400000; i++) print i % 2 ? 7 : i }' >"$work/mixed"
: >"$work/empty"
check 'the corpora are there' test "$(cat "$work"/* | wc -l)" -eq 1600000
for file in few half many distinct mixed empty; do
    for threads in 1 2 7; do
        check "$file, $threads threads: as awk" same_as_awk "$work/$file" $threads
    done
done

# is TEXT STATUS ARGUMENT...: what lfset uniq --integers prints (a newline more or less) and its status
is()
{
    wanted=$1
    wanted_status=$2
    shift 2
    text=$("$lfset" uniq --integers "$@" 2>"$work/errors")
    status=$?
    if [ "$text" != "$wanted" ] || [ $status -ne "$wanted_status" ]; then
        printf 'status %s, output:\n%s\nerrors:\n' $status "$text"
        cat "$work/errors"
        return 1
    fi
}

# prints TEXT INPUT: this input, as printf spells it, gives this text
prints()
{
    printf "$2" >"$work/input"
    is "$(printf "$1")" 0 "$work/input"
}
check 'no final newline' prints '3\n1' '3\n1\n3'
check 'the smallest and the largest' prints '0\n18446744073709551615' \
    '0\n18446744073709551615\n0\n18446744073709551615\n'
check 'hexadecimal, in the spelling that came first' prints '0x1F\n255\n0xffffffffffffffff' \
    '0x1F\n31\n255\n0xfF\n0XFF\n0xffffffffffffffff\n18446744073709551615\n'
check 'leading zeros' prints '007\n00000000000000000000000000000000000010' \
    '007\n7\n00000000000000000000000000000000000010\n10\n'
check 'a 20-digit neighbour of 2^64 is itself' prints '18446744073709551610\n9999999999999999999' \
    '18446744073709551610\n9999999999999999999\n'

# refused REASON LINE INPUT OUTPUT: the input is refused at this line, after this output
refused()
{
    printf "$3" >"$work/refused"
    is "$(printf "$4")" 2 "$work/refused" && has "$(cat "$work/errors")" "refused:$2: $1"
}
check 'CRLF is refused' refused 'carriage return' 1 '1\r\n2\r\n' ''
check 'CRLF further on' refused 'carriage return' 3 '1\n2\n3\r\n4\n' '1\n2'
check 'a negative number is refused' refused 'negative' 2 '5\n-5\n' 5
check '2^64 is refused' refused 'larger than 64 bits' 2 '1\n18446744073709551616\n' 1
check 'ten times as much' refused 'larger than 64 bits' 1 '184467440737095516150\n' ''
check '2 10^19 is refused' refused 'larger than 64 bits' 1 '20000000000000000000\n' ''
check '0x and 17 digits are refused' refused 'larger than 64 bits' 1 '0x10000000000000000\n' ''
check '0x alone is refused' refused 'neither' 1 '0x\n' ''
check 'an empty line is refused' refused 'empty' 2 '1\n\n2\n' 1
check 'a blank before is refused' refused 'neither' 1 ' 1\n' ''
check 'a blank after is refused' refused 'neither' 1 '1 \n' ''
check 'a sign is refused' refused 'neither' 1 '+1\n' ''
check 'a word is refused' refused 'neither.*x?y' 1 'x\001y\n' ''
check 'a NUL is refused' refused 'neither' 1 '1\0002\n' ''
check 'a fraction is refused' refused 'neither' 2 '1\n1.0' 1
check 'without a final newline, too' refused 'neither' 2 '4\nfour' 4

awk 'BEGIN { print 8; for (i = 0; i < 100000; i++) printf "0123456789" }' >"$work/huge"
check 'a huge line is refused' is 8 2 "$work/huge"
check 'and its number told' has "$(cat "$work/errors")" "huge:2: line longer"

{ cat "$work/distinct"; echo oops; cat "$work/distinct"; } >"$work/late"
check 'a bad line many blocks on' is "$(cat "$work/distinct")" 2 "$work/late"
check 'and its number told' has "$(cat "$work/errors")" "late:300001: "

printf '1\n2\n3' >"$work/one"
printf '3\n4\nfive\n6\n' >"$work/two"
check 'several files; numbers start anew in each' is "$(printf '1\n2\n3\n4')" 2 "$work/one" "$work/two" \
    "$work/one"
check 'and the file is told' has "$(cat "$work/errors")" "two:3: .*'five'"

check 'standard input, when there is no file' is "$(printf '1\n2\n3')" 0 <"$work/one"
echo 9 >"$work/nine"
check 'standard input, as - between files' is "$(printf '9\n1\n2\n3')" 0 "$work/nine" - "$work/nine" \
    <"$work/one"

# a pipe whose reads end within lines
dribble()
{
    awk '!seen[$0]++' "$work/few" >"$work/expected"
    dd if="$work/few" bs=1000 2>/dev/null | "$lfset" uniq --integers >"$work/output"
    cmp "$work/expected" "$work/output"
}
check 'a pipe' dribble

check 'a missing file is told' is "$(printf '1\n2\n3')" 1 "$work/one" "$work/none" "$work/two"
check 'by name' has "$(cat "$work/errors")" "none: cannot open: No such file"
check 'a directory cannot be read' is '' 1 "$work"
check 'and is told' has "$(cat "$work/errors")" 'cannot read: Is a directory'

full_disk()
{
    "$lfset" uniq --integers "$work/one" >/dev/full 2>"$work/errors"
    [ $? -eq 1 ] && has "$(cat "$work/errors")" 'standard output: .*No space left'
}
if [ -c /dev/full ]; then
    check 'a full disk is told' full_disk
else
    skip 'a full disk is told' 'there is no /dev/full'
fi

closed_pipe()
{
    { "$lfset" uniq --integers "$work/distinct" 2>"$work/errors"; echo $? >"$work/status"; } | head -n 1
    [ "$(cat "$work/status")" -eq 1 ] && has "$(cat "$work/errors")" 'standard output: .*Broken pipe'
}
check 'a closed pipe is told' closed_pipe

# The line is refused while the input stays open: nobody waits for more of it. Several times, because
# another thread has to begin to read before the line is refused.
mkfifo "$work/fifo"
waits_for_nothing()
{
    for try in 1 2 3 4 5 6 7 8 9 10; do
        timeout 20 "$lfset" uniq --integers --threads 2 <"$work/fifo" >/dev/null 2>&1 &
        exec 3>"$work/fifo"
        sleep 0.05
        echo bad >&3
        wait $!
        status=$?
        exec 3>&-
        [ $status -eq 2 ] || { echo "try $try: status $status"; return 1; }
    done
}
check 'a bad line ends the program though its input goes on' waits_for_nothing

# usage_error ARGUMENT...
usage_error()
{
    "$lfset" "$@" </dev/null
    [ $? -eq 2 ]
}
check '--integers is required' usage_error uniq
check 'no threads are refused' usage_error uniq --integers --threads 0
check 'threads that are no number are refused' usage_error uniq --integers --threads 2x
check 'an unknown option is refused' usage_error uniq --integers --frobnicate
check 'an unknown verb is refused' usage_error frobnicate
check 'a path is no verb' usage_error ../lfset
check 'no verb is refused' usage_error
check 'help' has "$("$lfset" help)" '^  uniq '
check 'help of a verb' has "$("$lfset" help uniq)" 'Usage: lfset uniq'
check '--version' test "$("$lfset" --version)" = "$("$lfset" version)"

finish
