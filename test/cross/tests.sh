# For test/run.sh: builds for aarch64 in $BUILD (build.sh), and runs it under qemu-user.
export QEMU_LD_PREFIX="$BUILD/root" CROSS_QEMU=qemu-aarch64

# unit PROGRAM [ARGUMENT...]: of the tests that run millions of operations, a tenth of them
unit()
{
    program=$1
    shift
    run "unit $program" env LFSET_TEST_SCALE=10 qemu-aarch64 "$BUILD/test/unit/$program" --tap "$@"
}

# unit_forking PROGRAM FILTER: what the filter leaves out needs a qemu that can fork
unit_forking()
{
    if [ "$forks" = yes ]; then
        unit "$1"
    else
        unit "$1" --filter "$2"
    fi
}

# emulated_stress NAME ARGUMENT...
emulated_stress()
{
    name=$1
    shift
    run "$name" qemu-aarch64 "$BUILD/lfset" stress --seed 1 --history "$logs/$name.history" "$@"
}

run build sh test/cross/build.sh
if [ "$failed" -ne 0 ]; then
    close
fi
run orders sh test/cross/orders.sh

forks=yes
if ! timeout 60 qemu-aarch64 "$BUILD/test/fork_thread" >"$logs/fork_thread.log" 2>&1; then
    forks=no
    echo "this qemu dies when a forked child of a program with threads starts a thread" \
        "($logs/fork_thread.log): tests in which one does are skipped"
fi
for source in test/unit/test_*.c; do
    program=$(basename "$source" .c)
    case $program in
    test_bytes) unit $program --filter '!(bytes/keys_of_two_gigabytes*)' ;; # takes minutes
    test_threads) unit_forking $program '!(threads/@(fork*|attach_without_memory*))' ;;
    test_wait) unit_forking $program '!(wait/fork*)' ;;
    *) unit "$program" ;;
    esac
done

for domain in rcu hp; do
    run "explore $domain" qemu-aarch64 "$BUILD/lfset-explore" --domain $domain --runs 3000 --quiet
done
run 'membarrier forbidden' "$BUILD/test/without_membarrier" qemu-aarch64 "$BUILD/test/forbidden" 38
# Processors with the atomic instructions of ARMv8.1, and without, where they are loops of LDAXR and
# STLXR: the compiled code chooses when it is run.
for cpu in max cortex-a53; do
    export QEMU_CPU=$cpu
    for source in stress/litmus/*.c; do
        program=$(basename "$source" .c)
        run "litmus $program $cpu" qemu-aarch64 "$BUILD/litmus/$program"
    done
    for domain in rcu hp; do
        emulated_stress stress-$domain-$cpu --domain $domain --seconds 5 --clock tsc
    done
done
unset QEMU_CPU
for domain in rcu hp; do
    emulated_stress stress-$domain-counter --domain $domain --seconds 5 --clock counter --stall \
        --churn-threads
    run "stress-$domain-fences" "$BUILD/test/without_membarrier" qemu-aarch64 "$BUILD/lfset" stress \
        --seed 1 --history "$logs/stress-$domain-fences.history" --domain $domain --seconds 5
done
for clock in tsc counter; do
    # which is a violation: exit status 1
    run "broken-add $clock" sh -c '"$@"; [ $? -eq 1 ]' sh qemu-aarch64 "$BUILD/lfset" stress \
        --seed 1 --set broken-add --seconds 10 --clock $clock --history "$logs/broken-add.history"
done

cat <<'END'
This shows that the code builds, works and judges itself on aarch64. It shows nothing about that
architecture's weaker memory order, litmus tests included: qemu's threads run on this machine's
processors, in their order. That the accesses which decide are the instructions they must be is
checked in the compiled code ("orders" above); for the rest, run litmus and stress on such a machine.
END
