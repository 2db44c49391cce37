#!/bin/sh
# lfset uniq prints what awk '!seen[$0]++' prints, with any number of threads, whatever the bytes;
# with --integers it refuses what is no integer, by file and line, after printing what came before it.
set -u
. test/tap.sh
export LC_ALL=C
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

# same_as_awk OPTION... FILE
same_as_awk()
{
    for file; do :; done
    [ -e "$file.distinct" ] || awk '!seen[$0]++' "$file" >"$file.distinct"
    "$lfset" uniq "$@" >"$work/output" && cmp "$file.distinct" "$work/output"
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
        check "$file, $threads threads: as awk" same_as_awk --integers --threads $threads "$work/$file"
    done
done

# is TEXT STATUS ARGUMENT...: what lfset uniq $mode prints (a newline more or less) and its status
mode=--integers
is()
{
    wanted=$1
    wanted_status=$2
    shift 2
    text=$("$lfset" uniq $mode "$@" 2>"$work/errors")
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

# full_disk OPTION... FILE
full_disk()
{
    "$lfset" uniq "$@" >/dev/full 2>"$work/errors"
    [ $? -eq 1 ] && has "$(cat "$work/errors")" 'standard output: .*No space left'
}

# closed_pipe OPTION... FILE
closed_pipe()
{
    { "$lfset" uniq "$@" 2>"$work/errors"; echo $? >"$work/status"; } | head -n 1
    [ "$(cat "$work/status")" -eq 1 ] && has "$(cat "$work/errors")" 'standard output: .*Broken pipe'
}
for options in --integers --unordered -c; do
    if [ -c /dev/full ]; then
        check "$options: a full disk is told" full_disk $options "$work/one"
    else
        skip "$options: a full disk is told" 'there is no /dev/full'
    fi
    check "$options: a closed pipe is told" closed_pipe $options "$work/distinct"
done

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

# ---- lines of any bytes

# letters COUNT LENGTH LETTERS: random lines of so many letters at most, some empty
letters()
{
    awk -v count="$1" -v length_max="$2" -v letters="$3" 'BEGIN {
        for (x = 1; count-- > 0; print line) {
            line = ""
            x = (x * 69069 + 12345) % 4294967296
            for (left = int(x / 256) % (length_max + 1); left > 0; left--) {
                x = (x * 69069 + 12345) % 4294967296
                line = line substr(letters, int(x / 65536) % length(letters) + 1, 1)
            }
        }
    }'
}

# Lines about as long as a block, a byte more, a byte less, and many times as long, among short ones.
long_lines()
{
    awk 'BEGIN {
        for (block = "0123456789abcdef"; length(block) < 262144;)
            block = block block
        for (i = 0; i < 60; i++) {
            print i % 7
            if (i % 4 == 0)
                print substr(block, i % 3 + 1) (i % 8 ? "x" : "")
            if (i % 10 == 3)
                print block block block substr(block, 1, 1000 * (i % 3)) block
        }
    }'
}

texts=$work/texts
mkdir -p "$texts"
integers 200000 50021 12345678901 | awk '{ print "host-" $1 % 23, "request /" $1 "/" $1 % 97 " took", $1 % 1009, "ms" }' \
    >"$texts/log"
letters 150000 4 'abcdefgh' | tr 'abcdefgh' '\000\001\200\377\r \t\033' >"$texts/garbage"
# each line again about a block later: whoever takes blocks in another order is found out
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "%d here and there\n%d here and there\n", i, i - 6000 }' \
    >"$texts/echo"
cat "$lfset" "$lfset" >"$texts/program"
long_lines >"$texts/long"
printf 'b\na\nb\na\nc\na' >"$texts/no-newline"
printf 'b\na\nb' >"$texts/no-newline-again"
printf '\n\n\n\n' >"$texts/newlines"
printf '\n' >"$texts/newline"
printf '\0' >"$texts/nul"
: >"$texts/empty"
check 'garbage has NULs, and few distinct lines' test "$(tr -d '\000' <"$texts/garbage" | wc -c)" -lt \
    "$(wc -c <"$texts/garbage")" -a "$(sort -u "$texts/garbage" | wc -l)" -lt 5000
for words in /usr/share/dict/american-english-huge /usr/share/dict/words; do
    [ -r "$words" ] && break
done
if [ -r "$words" ]; then
    { cat "$words"; head -n 1000 "$words"; } >"$texts/words"
else
    skip 'a real word list' 'there is no /usr/share/dict/words (wamerican-huge)'
fi

# same_lines EXPECTED OPTION... FILE: the same lines in any order
same_lines()
{
    expected=$1
    shift
    "$lfset" uniq "$@" | sort >"$work/output" && cmp "$expected" "$work/output"
}

# repeated_as_awk FILE: the repeated lines, first occurrence first
repeated_as_awk()
{
    awk '{ if (!seen[$0]++) line[count++] = $0 }
        END { for (i = 0; i < count; i++) if (seen[line[i]] > 1) print line[i] }' "$1" >"$work/expected"
    "$lfset" uniq -d --threads 2 "$1" >"$work/output" && cmp "$work/expected" "$work/output"
}

# counts_in_order FILE: the lines behind the counts
counts_in_order()
{
    "$lfset" uniq -c --threads 4 "$1" | cut -c 9- >"$work/output" && cmp "$1.distinct" "$work/output"
}

for file in "$texts"/*; do
    name=$(basename "$file")
    for threads in 1 2 4; do
        check "$name, $threads threads: as awk" same_as_awk --threads $threads "$file"
    done
    sort "$file.distinct" >"$work/sorted"
    check "$name, unordered: the lines of awk" same_lines "$work/sorted" --unordered --threads 4 "$file"
    sort "$file" | uniq -c | sort >"$work/sorted"
    check "$name, -c: as sort | uniq -c" same_lines "$work/sorted" -c --threads 2 "$file"
    check "$name, -c: in order" counts_in_order "$file"
    sort "$file" | uniq -c -d | sort >"$work/sorted"
    check "$name, -c -d: as sort | uniq -c -d" same_lines "$work/sorted" -c -d --threads 4 "$file"
    check "$name, -d: in order" repeated_as_awk "$file"
done

# files_as_awk OPTION...: each file's last line ends with it
files_as_awk()
{
    set -- "$@" "$texts/no-newline" "$texts/empty" "$texts/log" "$texts/nul" "$texts/no-newline-again"
    awk '!seen[$0]++' "$texts/no-newline" "$texts/empty" "$texts/log" "$texts/nul" \
        "$texts/no-newline-again" >"$work/expected"
    "$lfset" uniq "$@" >"$work/output" && cmp "$work/expected" "$work/output"
}
for threads in 1 2 4; do
    check "several files, $threads threads: as awk" files_as_awk --threads $threads
done

mode=
printf 'two\none\ntwo\n' >"$work/lines"
check 'standard input, when there is no file' is "$(printf 'two\none')" 0 <"$work/lines"
check 'standard input, as - between files' is "$(printf '9\ntwo\none\n1\n2\n3')" 0 "$work/nine" - \
    "$work/one" <"$work/lines"
check '-c: a count has 7 places' is "$(printf '      2 two\n      1 one')" 0 -c "$work/lines"
check '-d: repeated lines only' is two 0 -d "$work/lines"
check 'a missing file is told' is "$(printf 'two\none')" 1 "$work/lines" "$work/none" "$work/nine"
check 'by name' has "$(cat "$work/errors")" 'none: cannot open: No such file'
check 'a directory cannot be read' is '' 1 "$work"
check 'and is told' has "$(cat "$work/errors")" 'cannot read: Is a directory'
check '-c: a missing file is told, and no count that would be wrong' is '' 1 -c "$work/lines" "$work/none"

# A pipe with a line of 100 MB, twice (mawk would need minutes): its output is known.
huge_line()
{
    head -c 100000000 /dev/zero | tr '\0' x
}
huge()
{
    huge_line; printf '\nshort\n'; huge_line
}
huge_once()
{
    { huge_line; printf '\nshort\n'; } | cksum >"$work/expected"
    huge | "$lfset" uniq --threads 2 | cksum >"$work/output"
    cmp "$work/expected" "$work/output"
}
check 'a line of 100 MB' huge_once

# With room for a fraction of what goes through.
little_memory()
(
    ulimit -v 300000 || return
    [ "$(yes 'a line like many others' | head -c 600000001 | "$lfset" uniq --threads 2 "$@" | wc -l)" -eq 2 ]
)
check 'memory does not grow with the input' little_memory
check 'nor when lines are counted' little_memory -c

# progress PATTERN COMMAND: what a terminal shows
progress()
{
    has "$(script -qec "$2" /dev/null | tr '\r' '\n')" "$1"
}
# not_a_terminal COMMAND
not_a_terminal()
{
    sh -c "$1" 2>"$work/errors" && [ ! -s "$work/errors" ]
}
# Slow readers and writers, so that there is time to show it.
known="$lfset uniq $texts/log | { sleep 0.8; cat >/dev/null; }"
unknown="{ cat $texts/log; sleep 0.8; cat $texts/log; } | $lfset uniq >/dev/null"
if command -v script >/dev/null; then
    check 'progress on a terminal' progress '^lfset uniq: [0-9]* of [0-9]* MB, [0-9]* s left' "$known"
    check 'of a pipe, which has no size' progress '^lfset uniq: [0-9]* MB, [0-9]* MB/s' "$unknown"
else
    skip 'progress on a terminal' 'there is no script(1)'
fi
check 'none elsewhere' not_a_terminal "$known"

# usage_error ARGUMENT...
usage_error()
{
    "$lfset" "$@" </dev/null
    [ $? -eq 2 ]
}
check 'integers are not counted' usage_error uniq --integers -c
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
