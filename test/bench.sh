#!/bin/sh
# A tiny run of lfset bench: every scenario with every peer, each of whose sets must hold at the end
# what was added to it (else the program fails), and a JSON file with all that was asked for. No figure
# is judged.
set -u
. test/tap.sh
lfset=$BUILD/lfset
work=$BUILD/test/bench
rm -rf "$work"
mkdir -p "$work"

if [ ! -x "$BUILD/lfset-bench" ]; then
    skip 'lfset bench' 'its peers are not installed'
    finish
fi

check '--list' has "$("$lfset" bench --list)" '^  absl-256 '
scenarios=$("$lfset" bench --list | sed -n '/^Scen/,/^Peers/s/^  \([a-z0-9-]*\) .*/\1/p' | LC_ALL=C sort | tr '\n' ' ')
peers=$("$lfset" bench --list | sed -n '/^Peers/,/^Only/s/^  \([a-z0-9._-]*\) .*/\1/p' | LC_ALL=C sort | tr '\n' ' ')

run()
{
    "$lfset" bench --keys 1000 --rounds 2 --seconds 0.005 --json "$work/all.json" >"$work/table" 2>"$work/progress"
}
check 'all scenarios and peers run, and hold what they should' run || cat "$work/progress"

# judge FILE PROGRAM: runs the Perl program on the decoded JSON, $all; it dies when it is not content
judge()
{
    perl -MJSON::PP -e 'local $/; open my $file, "<", $ARGV[0] or die $!;
        our $all = decode_json(<$file>); eval $ARGV[1]; die $@ if $@' "$1" "$2"
}
check 'valid JSON with every cell' judge "$work/all.json" '
    my %seen;
    $seen{$_->{scenario}}{$_->{keys}}++ for @{$all->{cells}};
    join(" ", sort keys %seen) . " " eq "'"$scenarios"'" or die "scenarios: " . join(" ", sort keys %seen);
    for my $scenario (keys %seen) {
        join(" ", sort { $a <=> $b } keys %{$seen{$scenario}}) eq "1000" or die "keys of $scenario"
    }'
check 'every peer somewhere, and in every cell of plain numbers; verified, with every round' judge "$work/all.json" '
    my %seen;
    for my $cell (@{$all->{cells}}) {
        my @once = grep { !$_->{again} } @{$cell->{results}};
        $seen{$_->{peer}}++ for @once;
        $cell->{scenario} ne "read" || 20 <= @once or die "only " . @once . " peers read numbers";
        $cell->{scenario} ne "short-strings" || 6 == @once or die @once . " peers read strings";
        @{$cell->{results}} == @once + 1 or die "no pair of the same";
        for my $result (@{$cell->{results}}) {
            $result->{verified} && @{$result->{rounds}} == 2 && @{$result->{waited}} == 2 && $result->{min} > 0 &&
                $result->{min} <= $result->{median} && $result->{median} <= $result->{max}
                or die "$cell->{scenario} $result->{peer}";
            $cell->{scenario} ne "grow" || $result->{latency_ns}{max} >= $result->{latency_ns}{p50}
                or die "latency of $result->{peer}"
        }
        $cell->{best_peer} or die "no best peer"
    }
    join(" ", sort keys %seen) . " " eq "'"$peers"'" or die "peers: " . join(" ", sort keys %seen)'
check 'the machine, the settings and the command' judge "$work/all.json" '
    $all->{machine}{$_} or die $_ for "processor", "kernel", "compiler of the benchmark", "lfset";
    $all->{settings}{rounds} == 2 && $all->{settings}{seconds} == 0.005 or die "settings";
    $all->{command} =~ /--keys 1000 --rounds 2/ or die $all->{command};
    $all->{relative_to_best_peer}{"lfset-hp"}{geometric_mean} > 0 or die "no geometric mean"'
check 'the table names every peer' has "$(cat "$work/table")" '^lfset-rcu-section '
check 'and the command' has "$(cat "$work/table")" '^measured by: .*--json'

one_thread()
{
    "$lfset" bench --scenario mixed --keys 2000 --threads 1,3 --peers lfset-rcu --rounds 1 --seconds 0.02 \
        --json "$work/one.json" >"$work/table" 2>&1 || { cat "$work/table"; return 1; }
    judge "$work/one.json" '
        join(" ", map { $_->{threads} } @{$all->{cells}}) eq "1 3" or die "threads";
        defined $all->{cells}[0]{best_peer} and die "a best peer, without any"'
}
check 'numbers of threads; one set alone' one_thread

memory()
{
    "$lfset" bench --scenario grow --keys 1e5 --peers lfset-hp --rounds 1 --seconds 0.02 \
        --json "$work/grow.json" >"$work/table" 2>&1 || { cat "$work/table"; return 1; }
    judge "$work/grow.json" '
        my $bytes = $all->{cells}[0]{results}[0]{bytes_per_key};
        $bytes->{rest} > 0 && $bytes->{peak} >= $bytes->{rest} && $bytes->{own_account} > 8 or die "bytes"'
}
check 'bytes per key' memory

costs()
{
    "$lfset" bench --costs --keys 1000,1e4,1e5 --rounds 1 --json "$work/costs.json" --html "$work/costs.html" \
        >"$work/table" 2>&1 || { cat "$work/table"; return 1; }
    judge "$work/costs.json" '
        @{$all->{costs}} == 14 or die "only " . @{$all->{costs}};
        for my $cost (@{$all->{costs}}) {
            @{$cost->{ns}} == 3 && $cost->{ns}[0] > 0 or die $cost->{name};
            # the fit of a straight line through three points that lie at equal distances
            my $slope = log($cost->{ns}[2] / $cost->{ns}[0]) / log(100);
            abs($slope - $cost->{exponent}) < 1e-3 or die "$cost->{name}: $slope, not $cost->{exponent}";
        }' && [ "$(grep -c '<svg' "$work/costs.html")" -eq 14 ]
}
check '--costs: how they grow' costs

custom()
{
    "$lfset" bench --mix 70/20/10 --skew 0.5 --hot 200 --burst 640 --keys 1000 --peers lfset-hp,absl-mutex \
        --rounds 1 --seconds 0.02 --json "$work/custom.json" >"$work/table" 2>&1 || { cat "$work/table"; return 1; }
    judge "$work/custom.json" '
        join(" ", map { $_->{scenario} } @{$all->{cells}}) eq "custom" or die "scenarios";
        $all->{command} =~ /--mix 70.20.10 --skew 0.5 --hot 200 --burst 640/ or die $all->{command}'
}
check 'a scenario of one'\''s own' custom

plugin()
{
    "${CC:-cc}" -shared -fPIC -O1 -pthread -Iinclude stress/adapters/sharded.c -o "$work/set.so" || return 1
    "$lfset" bench --peer "$work/set.so" --peers lfset-hp --scenario read,churn,window,grow --keys 1e5 \
        --rounds 1 --seconds 0.02 --json "$work/plugin.json" >"$work/table" 2>&1 || { cat "$work/table"; return 1; }
    judge "$work/plugin.json" '
        for my $cell (@{$all->{cells}}) {
            @{$cell->{results}} == 3 && $cell->{best_peer} eq $cell->{results}[1]{peer} or die $cell->{scenario};
        }'
}
check '--peer: a set from outside' plugin

page()
{
    "$lfset" bench --scenario read,grow,grow-read --keys 1000,1e4,1e5 --threads 1,2 --rounds 1 --seconds 0.005 \
        --peers lfset-hp,absl-256 --html "$work/page.html" >"$work/table" 2>&1 || { cat "$work/table"; return 1; }
    has "$(cat "$work/page.html")" 'At a glance' || return 1
    # bars of read and grow; latency of grow and grow-read; memory; read by threads; read and grow by keys
    [ "$(grep -c '<svg' "$work/page.html")" -eq $((12 + 12 + 2 + 3 + 4)) ] || { grep -c '<svg' "$work/page.html"; return 1; }
    ! grep -o '\(href\|src\)="[^#"][^"]*"' "$work/page.html" # nothing from elsewhere
}
check '--html: a page of its own with all pictures' page

without_gnuplot()
{
    mkdir -p "$work/bin"
    (PATH=$work/bin "$lfset" bench --scenario read --keys 1000 --rounds 1 --seconds 0.005 --peers lfset-hp \
        --html "$work/none.html") >"$work/table" 2>&1
    [ $? -eq 1 ] && has "$(cat "$work/table")" 'gnuplot-nox' && [ ! -e "$work/none.html" ]
}
check '--html without gnuplot is told' without_gnuplot

wake()
{
    "$lfset" bench --wake --rounds 1 --json "$work/wake.json" >"$work/table" 2>&1 ||
        { cat "$work/table"; return 1; }
    has "$(cat "$work/table")" 'lfset-hp' && has "$(cat "$work/table")" 'poll' && test -s "$work/wake.json"
}
check 'wake-up latency' wake

# usage_error TEXT ARGUMENT...
usage_error()
{
    text=$1
    shift
    errors=$("$lfset" bench "$@" 2>&1)
    [ $? -eq 2 ] && has "$errors" "$text"
}
check 'an unknown scenario is refused' usage_error "there is no 'x'" --scenario read,x
check 'an unknown peer is refused' usage_error "there is no 'x'" --peers x
check 'no keys are refused' usage_error "keys: '0'" --keys 0
check 'a broken number is refused' usage_error "rounds: '1x'" --rounds 1x
check 'a fraction of threads is refused' usage_error "threads: '1.5'" --threads 1.5
check 'an argument is refused' usage_error "unexpected argument 'x'" x
check 'two percentages are refused' usage_error "mix: '50/50' is not three" --mix 50/50
check 'a shared object that is none is refused' usage_error 'test/bench.sh: ' --peer ./test/bench.sh

unwritable()
{
    "$lfset" bench --scenario read --keys 1000 --peers lfset-hp --rounds 1 --seconds 0.01 \
        --json "$work/none/file" >"$work/table" 2>"$work/errors"
    [ $? -eq 1 ] && has "$(cat "$work/errors")" 'none/file: cannot write'
}
check 'a file that cannot be written is told' unwritable
finish
