# For the scripts that run fuzzers: their names, what each is run with, and what its log says.
fuzzers='operations file history'

# Inputs stay short: a fault that needs a long one is found by the stress sooner.
options()
{
    case $1 in
    operations) echo -entropic=0 -max_len=128 ;;
    file) echo -max_len=1024 -malloc_limit_mb=64 ;;
    history) echo -max_len=2048 -malloc_limit_mb=64 -dict=test/fuzz/history.dict ;;
    esac
}

# summary LOG: executions, and what they covered
summary()
{
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$1")
    rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$1")
    new=$(sed -n 's/^stat::new_units_added: *//p' "$1")
    covered=$(sed -n 's/.* cov: \([0-9]*\) ft: .*/\1/p' "$1" | tail -n 1)
    counters=$(sed -n 's/.*Loaded 1 modules *(\([0-9]*\) .*/\1/p' "$1")
    echo "  ${executions:-no} executions (${rate:-0} a second), ${covered:-0} of $counters edges," \
        "${new:-0} new inputs"
}
