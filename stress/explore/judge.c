// SPDX-License-Identifier: MIT
#include "explore/judge.h"

#include <string.h>

#include "explore/arena.h"
#include "explore/explored.h"
#include "explore/grace.h"
#include "explore/log.h"
#include "explore/objects.h"
#include "explore/operations.h"
#include "explore/schedule.h"
#include "explore/seam.h"
#include "reclaim/hp.h"
#include "reclaim/rcu.h"

/* What is destroyed meanwhile may retire more. */
void judge_settle(void)
{
    while (grace_ready()) {
        grace_run_one();
    }
    for (int i = 0; i <= OPERATIONS_DESTROY_USES; i++) {
        seam_scan_everything();
    }
}

static void judge_garbage(void)
{
    bool hp = explored.plan->domain == LFSET_HP;
    judge_settle();
    size_t left = atomic_load(hp ? &lfset__hp_account.objects : &lfset__rcu_account.objects);
    size_t bytes = atomic_load(hp ? &lfset__hp_account.bytes : &lfset__rcu_account.bytes);
    if (explored.stopped_thread == SCHED_CONTEXTS) {
        if (left != 0 || bytes != 0) {
            sched_fail("%zu retired objects of %zu bytes are never reclaimed", left, bytes);
        }
        return;
    }
    // One that stopped in a scan holds what it took; that is at most what hazards had named then.
    if (hp && left > LFSET_HP_SLOTS * (explored.plan->threads + 2)) {
        sched_fail("one stopped thread holds back %zu objects", left);
    }
}

/* What a thread may leave behind that stopped between a change and its count, or while it froze. */
static bool is_half_done(const char *reason)
{
    static const char *const reasons[] = {
        "the sampled counts are wrong",
        "the sampled members are not as many as were counted",
        "a region is frozen in part",
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (strcmp(reason, reasons[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void judge_structure(void)
{
    const char *reason = NULL;
    if (explored.subject->validate(explored.set, &reason) != 1 &&
        (explored.stopped_thread == SCHED_CONTEXTS || !is_half_done(reason))) {
        sched_fail("validate: %s", reason);
    }
}

/* Once nothing is left behind that was removed, what the set consists of is known exactly. */
static void judge_memory(void)
{
    if (!explored.subject->blocks) {
        return;
    }
    int result;
    uint64_t destroyed;
    do {
        destroyed = objects_destroyed();
        result = explored.subject->purge(explored.set);
        judge_settle();
    } while (result == 1 || objects_destroyed() != destroyed); // which may have added to the set
    struct subject_keys members = {.since = sched_clock()};
    if (result != 0 || explored.subject->each(explored.set, &members) != 0) {
        sched_fail("the last purge returned %d", result);
    }
    size_t blocks = 2 + explored.subject->blocks(members.keys, members.count); // the set, its slice
    if (arena_live_count != blocks) {
        sched_fail("%u blocks are allocated for %zu keys, instead of %zu", arena_live_count,
                   members.count, blocks);
    }
}

static void judge_destruction(void)
{
    judge_settle();
    operations_stop_destroy_uses();
    if (explored.subject->destroy(explored.set) != 0) {
        sched_fail("destroy failed");
    }
}

void judge(void)
{
    bool stopped = explored.stopped_thread != SCHED_CONTEXTS; // its references are never dropped
    sched_set_doing("judgement: garbage");
    judge_garbage();
    sched_set_doing("judgement: structure");
    judge_structure();
    sched_set_doing("judgement: final contents");
    operations_log_final_contents();
    if (explored.plan->final_snapshot) {
        judge_structure();
    }
    if (!stopped && operations_outliving() == 0) {
        sched_set_doing("judgement: memory");
        judge_memory();
    }
    if (!stopped) {
        sched_set_doing("destroy");
        judge_destruction();
    }
    sched_set_doing("judgement: late snapshots");
    operations_stop_destroy_uses();
    operations_read_outliving();
    sched_set_doing("judgement: history");
    log_judge();
    if (!stopped && arena_live_count != 0) {
        sched_fail("%u blocks are never freed", arena_live_count);
    }
}
