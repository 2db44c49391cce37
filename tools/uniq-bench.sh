#!/bin/sh
# Measures lfset uniq with two threads beside sort -u, gawk and mawk '!seen[$0]++', on a real word list
# and on a generated log of ten million lines: the best of ROUNDS interleaved rounds and the most
# memory. Prints a table. A minute or two; BUILD is where lfset is, `lines` how long the log.
set -eu
export LC_ALL=C
lfset=${BUILD-build}/lfset
work=${BUILD-build}/uniq-bench
rounds=${ROUNDS-3}
lines=${lines-10000000}
programs='lfset sort gawk mawk'
mkdir -p "$work"

die()
{
    echo "uniq-bench: $*" >&2
    exit 1
}
[ -x "$lfset" ] || die "there is no $lfset: make tools"
[ -x /usr/bin/time ] || die 'there is no /usr/bin/time (Debian package time)'

# access_log COUNT DISTINCT: 76 bytes a line, the same at every run
access_log()
{
    awk -v count="$1" -v distinct="$2" 'BEGIN {
        split("GET POST PUT HEAD", verb, " ")
        split("200 200 200 304 404 500", code, " ")
        for (x = 1; count-- > 0;) {
            x = (x * 69069 + 12345) % 4294967296
            k = int(x / 64) % distinct
            printf "2026-11-24 10.%d.%d.%d \"%s /item/%d/view?page=%d HTTP/1.1\" %s %d\n", k % 200,
                int(k / 7) % 256, k % 251, verb[k % 4 + 1], k, k % 97, code[k % 6 + 1], k * 7 % 100000
        }
    }'
}

# distinct PROGRAM FILE
distinct()
{
    case $1 in
    lfset) set -- "$lfset" uniq --threads 2 "$2" ;;
    sort) set -- sort -u "$2" ;;
    *) set -- "$1" '!seen[$0]++' "$2" ;;
    esac
    $prefix "$@" >"$work/output"
}

# milliseconds PROGRAM FILE TIMES: of one run, of TIMES in a row
milliseconds()
{
    start=$(date +%s%N)
    for run in $(seq "$3"); do
        distinct "$1" "$2"
    done
    awk -v start="$start" -v end="$(date +%s%N)" -v times="$3" 'BEGIN { print (end - start) / 1e6 / times }'
}

# compare TITLE FILE TIMES
compare()
{
    rm -f "$work"/*.ms "$work"/*.kb
    prefix=
    distinct lfset "$2"
    mv "$work/output" "$work/expected"
    for program in $programs; do
        command -v "$program" >/dev/null || [ "$program" = lfset ] || continue
        prefix="/usr/bin/time -f %M -o $work/$program.kb"
        distinct "$program" "$2"
        [ "$program" = sort ] || cmp "$work/output" "$work/expected" || die "$program differs"
    done
    prefix=
    for round in $(seq "$rounds"); do
        for program in $programs; do
            [ ! -e "$work/$program.kb" ] || milliseconds "$program" "$2" "$3" >>"$work/$program.ms"
        done
    done
    printf '\n%s: %s lines, %s distinct\n\n' "$1" "$(wc -l <"$2")" "$(wc -l <"$work/expected")"
    printf '%-8s %10s %8s %10s %8s\n' '' ms ratio 'peak MB' ratio
    for program in $programs; do
        if [ -e "$work/$program.ms" ]; then
            echo "$program $(sort -n "$work/$program.ms" | head -n 1) $(tail -n 1 "$work/$program.kb")"
        else
            echo "$program"
        fi
    done | awk 'NR == 1 { ms = $2; kb = $3 }
        NF == 1 { printf "%-8s is not installed\n", $1; next }
        { printf "%-8s %10.1f %8.2f %10.1f %8.2f\n", $1, $2, $2 / ms, $3 / 1024, $3 / kb }'
}

[ -e "$work/log" ] || { access_log "$lines" 2000003 >"$work/new" && mv "$work/new" "$work/log"; }
for words in /usr/share/dict/american-english-huge /usr/share/dict/words; do
    [ -r "$words" ] || continue
    compare "$words" "$words" 10
    # sort likes what is sorted already
    shuf --random-source="$words" "$words" >"$work/shuffled"
    compare 'the same, shuffled' "$work/shuffled" 10
    break
done
compare 'a log' "$work/log" 1
