#!/bin/sh
# What the exporters serve: correct to the letter, negotiated, in spite of bad clients; and a real Prometheus
# that scrapes a stress and a program with leaks until the shipped alerts fire.
set -u
. test/tap.sh
lfset=$BUILD/lfset
work=$BUILD/test/metrics
here=test/metrics
rules=tools/prometheus
rm -rf "$work"
mkdir -p "$work"

if [ ! -x "$BUILD/lfset-observe" ]; then
    skip metrics 'lfset-observe is not built (tools/packages.sh)'
    finish
fi
for tool in promtool prometheus curl; do
    if ! command -v $tool >/dev/null; then
        skip metrics "$tool is not installed (tools/packages.sh)"
        finish
    fi
done
# Debian's python3 has the module; another one may come first
python=
for candidate in python3 /usr/bin/python3; do
    if [ -z "$python" ] && $candidate -c 'import prometheus_client.openmetrics.parser' 2>/dev/null; then
        python=$candidate
    fi
done
if [ -z "$python" ]; then
    skip metrics 'python3-prometheus-client is not installed (tools/packages.sh)'
    finish
fi

started=
stop_all()
{
    for pid in $started; do
        kill "$pid" 2>/dev/null
    done
    started=
}
trap stop_all EXIT
trap 'exit 1' HUP INT TERM

# soon COMMAND...: it must succeed within a minute, which is a hang limit
soon()
{
    tries=0
    until soon_said=$("$@" 2>&1); do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || { echo "never: $*"; echo "$soon_said"; return 1; }
        sleep 0.2
    done
}

# ---------------------------------------------------------------- rules and dashboard
quick_rules()
{
    sed -f $rules/quick.sed $rules/lfset-rules.yml >"$work/rules.yml" && promtool check rules "$work/rules.yml"
}
fire_as_they_should()
{
    sed "s,RULES,$PWD/$rules/lfset-rules.yml," $here/rules-test.yml >"$work/rules-test.yml" &&
        promtool test rules "$work/rules-test.yml"
}
check 'promtool: the rules' promtool check rules $rules/lfset-rules.yml
check 'promtool: the quick rules' quick_rules
check 'the quick rules are quick' has_not "$(grep -A 12 -e Grows -e Stalled -e Retired "$work/rules.yml")" '[0-9][0-9]m\|for: [0-9]*m'
check 'promtool: each alert fires on its trouble alone' fire_as_they_should

# ---------------------------------------------------------------- who is looked at
libs=$(pkg-config --libs jansson libmicrohttpd libdw libelf liburcu-bp)
check 'the program with leaks' "$CC" -std=gnu11 -Wall -Wextra -Werror -Iinclude -o "$work/leaks" $here/leaks.c \
    "$BUILD/liblfset-observe.a" "$BUILD/liblfset.a" $libs -lm -pthread
"$work/leaks" 300 >"$work/leaks.url" 2>"$work/leaks.log" &
started="$started $!"
"$lfset" stress --observe --seed 1 --seconds 300 --history "$work/history" >"$work/stress.log" 2>&1 &
stress_pid=$!
started="$started $stress_pid"
check 'the embedded exporter tells its URL' soon test -s "$work/leaks.url"
leaks_url=$(cat "$work/leaks.url")

is_listed()
{
    "$lfset" ps | grep -w "^ *$stress_pid"
}
check 'the stress is listed' soon is_listed
"$lfset" exporter --pid $stress_pid --connections 16 --timeout 2 >"$work/exporter.url" 2>"$work/exporter.log" &
exporter_pid=$!
started="$started $exporter_pid"
check 'lfset exporter tells its URL' soon test -s "$work/exporter.url"
url=$(sed 's,/metrics$,,' "$work/exporter.url")

# ---------------------------------------------------------------- what it serves
# scrape NAME URL: in both formats
scrape()
{
    curl -sS -f -m 20 "$2/metrics" >"$work/$1.txt" &&
        curl -sS -f -m 20 -H 'Accept: application/openmetrics-text' "$2/metrics" >"$work/$1.om"
}
promtool_takes()
{
    promtool check metrics <"$work/$1.txt" && [ -z "$(promtool check metrics <"$work/$1.txt" 2>&1)" ]
}
has_all_sets()
{
    curl -sS -f -m 20 "$leaks_url/metrics" | grep 'instances{set="twin"} 2'
}
check 'all sets are there' soon has_all_sets
for name in leaks stress; do
    case $name in
    leaks) from=$leaks_url ;;
    *) from=$url ;;
    esac
    check "$name: scraped" scrape $name "$from"
    check "$name: promtool takes it, and warns of nothing" promtool_takes $name
    # from one look to the next a set may come or go
    check "$name: OpenMetrics and text, to the letter" eval \
        'scrape $name "$from" && $python $here/openmetrics.py "$work/$name.om" "$work/$name.txt" ||
        { scrape $name "$from" && $python $here/openmetrics.py "$work/$name.om" "$work/$name.txt"; }'
done
check 'a name is escaped' grep -F 'lfset_set_keys{set="odd \"name\" \\ of\ntwo lines, '"$(printf '\357\277\275')"'"} 0' "$work/leaks.txt"
check 'sets of one name are one series' grep -x 'lfset_set_instances{set="twin"} 2' "$work/leaks.txt"

# every metric that the rules and the dashboard name
named_metrics()
{
    cat $rules/lfset-rules.yml $rules/lfset-dashboard.json | grep -v '^ *#' |
        grep -o 'lfset_[a-z_]*' | grep -v '^lfset_exporter' | sort -u
}
served_metrics()
{
    sed -n 's/^# HELP \([^ ]*\) .*/\1/p' "$work/leaks.txt"
    # of sets with limits, forecasts: what there is none of here
    grep -o '"lfset_set_\(forecast\|limit\|refusing\|idle_timeout\|expiry\)[a-z_]*"' lib/observe/metrics*.c | grep -o 'lfset_[a-z_]*'
}
served_metrics | sort -u >"$work/served"
check 'rules and dashboard name what is served' test -z "$(named_metrics | comm -23 - "$work/served")"
check 'the dashboard is JSON and says that it is untested' $python -c '
import json, sys
board = json.load(open(sys.argv[1]))
sys.exit("untested" not in board["description"] or not board["panels"])' $rules/lfset-dashboard.json

# ---------------------------------------------------------------- clients, good and bad
for name in accept methods many_requests garbage half trickle idle; do
    check "clients: $(echo $name | tr _ ' ')" timeout 60 $python $here/clients.py "$url" $name
done
only=$work/only.url
"$lfset" exporter --pid $stress_pid --metrics-only >"$only" 2>"$work/only.log" &
started="$started $!"
check 'metrics only' soon test -s "$only"
only_url=$(sed 's,/metrics$,,' "$only")
check 'metrics only: no /json' eval 'curl -s -m 20 -o /dev/null -w "%{http_code}" "$only_url/json" | grep -x 404'

check 'no such process: exit status 3' tells 3 'no such process' "$lfset" exporter --pid 4194304
check 'no registry: exit status 3' tells 3 'no registry' "$lfset" exporter --pid $$
check 'no process: exit status 2' tells 2 'which process' "$lfset" exporter
check 'no address: exit status 2' tells 2 'address' "$lfset" exporter --pid $stress_pid --listen localhost:0
port=${url##*:}
check 'a port that is taken: exit status 3' tells 3 'in use' "$lfset" exporter $stress_pid --listen 127.0.0.1:$port
check "another's address: exit status 3" tells 3 'assign' "$lfset" exporter $stress_pid --listen 192.0.2.1:0

# ---------------------------------------------------------------- a real Prometheus
free_port=$($python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/prometheus.yml" <<END
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: lfset
    static_configs:
      - targets: ["${leaks_url#http://}", "${url#http://}"]
END
prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" \
    --web.listen-address=127.0.0.1:$free_port --log.level=warn >"$work/prometheus.log" 2>&1 &
started="$started $!"
api=http://127.0.0.1:$free_port/api/v1

# ask QUERY: the JSON of the answer
ask()
{
    curl -sS -f -m 10 -G "$api/query" --data-urlencode "query=$1"
}
both_are_up()
{
    ask 'sum(up)' | grep '"2"'
}
fires()
{
    ask "ALERTS{alertname=\"$1\",alertstate=\"firing\",$2}" | grep '"alertname"'
}
healthy()
{
    ask 'count(ALERTS{alertname="LfsetStalledReader",instance="'"${url#http://}"'"})' | grep '"result":\[\]'
}
check 'Prometheus scrapes both' soon both_are_up
check 'alert: growth' soon fires LfsetSetGrows 'set="leak"'
check 'alert: stalled reader' soon fires LfsetStalledReader "instance=\"${leaks_url#http://}\""
check 'alert: retired bytes' soon fires LfsetRetiredBytes 'set="held"'
check 'no alert of a stalled reader in the stress' healthy
# text 0.0.4 has no units
check 'it asked for OpenMetrics' eval 'curl -sS -m 10 "$api/metadata?metric=lfset_set_bytes" | grep "\"unit\":\"bytes\""'

# ---------------------------------------------------------------- the end of the process
kill $stress_pid
ending="lfset exporter: process $stress_pid has ended"
check 'the exporter ends with its process, and says so' soon grep -x "$ending" "$work/exporter.log"
wait $exporter_pid
check 'with exit status 0' test $? -eq 0
finish
