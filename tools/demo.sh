#!/bin/sh
# What `make demo` shows, in about a minute: real work on ten million lines, the headline benchmark,
# and last the sets under stress with an exact verdict.
set -eu
lfset=$BUILD/lfset
work=$BUILD/demo
lines=10000000
mkdir -p "$work"

step()
{
    printf '\n== %s\n\n' "$*"
}

# integers COUNT DISTINCT: canonical decimal numbers, the same at every run
integers()
{
    awk -v count="$1" -v distinct="$2" 'BEGIN {
        for (x = 1; count-- > 0; x = (x * 69069 + 12345) % 4294967296)
            print x % distinct
    }'
}

step "Real input: lfset uniq --integers, on $lines lines"
integers 200000 40009 >"$work/sample"
awk '!seen[$0]++' "$work/sample" >"$work/expected"
"$lfset" uniq --integers "$work/sample" >"$work/output"
cmp "$work/expected" "$work/output"
echo "200000 lines: the same output as awk '!seen[\$0]++'"
# written under another name first: an interrupted demo must not leave half a file
[ -e "$work/integers" ] || { integers $lines 3999971 >"$work/new" && mv "$work/new" "$work/integers"; }
start=$(date +%s%N)
"$lfset" uniq --integers "$work/integers" >"$work/output"
milliseconds=$((($(date +%s%N) - start) / 1000000))
echo "$lines lines: $(wc -l <"$work/output") distinct integers in $milliseconds ms"

if [ -x "$BUILD/lfset-bench" ]; then
    step 'Benchmark: lfset bench --headline'
    "$lfset" bench --headline
fi

step 'Stress: lfset stress, every round checked exactly'
"$lfset" stress --threads 4 --seconds 16 --history "$work/stress.history" \
    --report "$BUILD/report.html"
