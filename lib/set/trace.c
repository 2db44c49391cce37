// SPDX-License-Identifier: MIT
#include "set/trace.h"

#include "platform/probes.h"

/* Which probe, out of three. */
#define RESIZE(when, before, after, ...)                                                           \
    do {                                                                                           \
        if ((after) > (before)) {                                                                  \
            lfset__probe(grow__##when, __VA_ARGS__);                                               \
        } else if ((after) < (before)) {                                                           \
            lfset__probe(shrink__##when, __VA_ARGS__);                                             \
        } else {                                                                                   \
            lfset__probe(purge__##when, __VA_ARGS__);                                              \
        }                                                                                          \
    } while (0)

static uint64_t slots(unsigned log2)
{
    return UINT64_C(1) << log2;
}

void lfset__trace_start(struct lfset__set *set, const struct lfset__slice *before,
                        const struct lfset__slice *next, enum lfset__kind kind, unsigned log2)
{
    const char *name = lfset__trace_name(set);
    uint64_t bound, live = 0;
    if (kind != LFSET__RESIZE) {
        lfset__probe(gate__start, set, next, kind, slots(before->log2), name);
        return;
    }
    if (lfset__probe_wanted(grow__start) || lfset__probe_wanted(purge__start) ||
        lfset__probe_wanted(shrink__start)) {
        lfset__estimate(before, &bound, &live);
    }
    RESIZE(start, before->log2, log2, set, next, slots(before->log2), slots(log2), live, name);
}

void lfset__trace_done(struct lfset__set *set, const struct lfset__slice *next)
{
    const char *name = lfset__trace_name(set);
    if (next->kind != LFSET__RESIZE) {
        lfset__probe(gate__done, set, next, next->kind, slots(next->previous_log2), name);
        return;
    }
    RESIZE(done, next->previous_log2, next->log2, set, next, slots(next->previous_log2),
           slots(next->log2), name);
}

void lfset__trace_clear(struct lfset__set *set, uint64_t keys)
{
    lfset__probe(set__clear, set, lfset__trace_name(set), keys);
}
