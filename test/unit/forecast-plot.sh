#!/bin/sh
# Draws one trace of each kind that test_forecast judges, and when a limit was announced: an SVG to judge by.
# usage: BUILD=build sh test/unit/forecast-plot.sh [FILE.svg]
set -eu
cd "$(dirname "$0")/../.."
sh tools/packages.sh gnuplot-nox
BUILD=${BUILD-build}
svg=${1-$BUILD/forecast.svg}
data=$(mktemp)
trap 'rm -f "$data"' EXIT
LFSET_TRACES=$data "$BUILD/test/unit/test_forecast" --filter forecast/write_traces --quiet
[ -s "$data" ] || { echo "forecast-plot.sh: no traces from $BUILD/test/unit/test_forecast" >&2; exit 1; }
gnuplot <<PLOT
set terminal svg size 1200,1500 dynamic font 'sans-serif,12' background '#ffffff'
set output '$svg'
set multiplot layout 4,3 title 'Red: it is announced that the limit will be reached within an hour' font ',15'
set xlabel 'hours' offset 0,0.7
set ytics 0.5
set style fill solid 0.25 noborder
unset key
stats '$data' using 1 nooutput name 'ALL'
do for [i = 0:ALL_blocks - 2] {
    set title system(sprintf("grep '^\"' '$data' | sed -n %dp | tr -d '\"'", i + 1))
    set xrange [*:*]
    set yrange [*:*]
    stats '$data' index i using 1 nooutput
    set xrange [0:STATS_max]
    set yrange [0:1.05]
    plot '$data' index i using 1:(\$3 == 1 ? 1.05 : NaN) with filledcurves x1 lc rgb '#e03030', \
        1 with lines lc rgb '#808080' dt 2, \
        '$data' index i using 1:2 with lines lc rgb '#205090' lw 0.8
}
PLOT
echo "$svg"
