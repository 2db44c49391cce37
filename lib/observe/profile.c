// SPDX-License-Identifier: MIT
/**
 * @file profile.c
 * Profiles from observations: samples are grouped by what their set is called and by the addresses of their
 * stack, in the address space of the last observation. Frames within lfset itself are left out before:
 * they say by which way through it a key was added, which is not what anybody asked.
 */
#define _GNU_SOURCE
#include "observe/profile.h"

#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "observe/symbols.h"

/* What becomes an entry. */
struct group {
    const char *set;
    uint64_t *frames;
    unsigned depth;
    int64_t *live, *settled, *bytes; /* of each observation */
    double idle_s;                   /* sum, of the last */
    uint64_t samples;                /* of the last */
};

struct profile {
    struct lfset_profile seen;        /* what the user sees; first */
    struct lfset_observation process; /* the last one: its modules, no more */
    struct lfset_symbols *symbols;    /* of that */
    struct lfset_profile_entry *entries;
    struct group **groups;
    size_t group_count;
};

struct making {
    const struct lfset_observation *const *observations;
    uint64_t *moments; /* that they show */
    size_t count;
    const struct lfset_profile_options *options;
    struct lfset_symbols *symbols;
    void *groups; /* a tree of struct group (tsearch) */
    size_t group_count;
};

const struct lfset_observation *lfset__profile_process(const struct lfset_profile *profile)
{
    return &((const struct profile *)(const void *)profile)->process;
}

struct lfset_symbols *lfset__profile_symbols(const struct lfset_profile *profile)
{
    return ((const struct profile *)(const void *)profile)->symbols;
}

int64_t lfset__profile_idle_us(const struct lfset_profile_entry *entry)
{
    double sum = entry->idle_s * 1e6 * (double)entry->live;
    return sum > 9e18 ? INT64_MAX : sum < -9e18 ? INT64_MIN : (int64_t)sum;
}

/* ---- times --------------------------------------------------------------------------------------- */

/* The moment that an observation shows: that of a process which is gone is the last that anything is known
 * of, however long ago. */
static uint64_t moment_of(const struct lfset_observation *observation)
{
    if (observation->alive) {
        return observation->time_ns;
    }
    uint64_t last = observation->watcher_looked_ns;
    for (size_t i = 0; i < observation->set_count; i++) {
        uint64_t changed = observation->sets[i].changed_ns;
        last = changed > last ? changed : last;
    }
    for (size_t i = 0; i < observation->sample_count; i++) {
        uint64_t added = observation->samples[i].added_ns;
        last = added > last ? added : last;
    }
    return last;
}

/* ---- addresses ----------------------------------------------------------------------------------- */

static bool same_process(const struct lfset_observation *a, const struct lfset_observation *b)
{
    return a->pid == b->pid && a->started_ns == b->started_ns;
}

/* Where an address of one process would be in another one. 0: nowhere, or nobody knows. */
static uint64_t move_address(const struct lfset_observation *from,
                             const struct lfset_observation *to, uint64_t address)
{
    const struct lfset_module_seen *module = lfset__module_find(from, address);
    for (size_t i = to->module_count; module && i > 0; i--) {
        const struct lfset_module_seen *other = &to->modules[i - 1];
        if (strcmp(other->path, module->path) == 0) {
            return address - module->base + other->base;
        }
    }
    return 0;
}

/* ---- groups -------------------------------------------------------------------------------------- */

static int compare_groups(const void *a, const void *b)
{
    const struct group *left = a, *right = b;
    int order = strcmp(left->set, right->set);
    if (order == 0) {
        order = (left->depth > right->depth) - (left->depth < right->depth);
    }
    return order ? order : memcmp(left->frames, right->frames, left->depth * sizeof *left->frames);
}

static void group_free(void *freed)
{
    struct group *group = freed;
    if (group) {
        free((char *)(uintptr_t)group->set);
        free(group->frames);
        free(group->live);
        free(group->settled);
        free(group->bytes);
        free(group);
    }
}

static struct group *group_make(const struct group *like, size_t observations)
{
    struct group *group = calloc(1, sizeof *group);
    if (!group) {
        return NULL;
    }
    group->set = strdup(like->set);
    group->depth = like->depth;
    group->frames = malloc((like->depth + 1) * sizeof *group->frames);
    group->live = calloc(observations, sizeof *group->live);
    group->settled = calloc(observations, sizeof *group->settled);
    group->bytes = calloc(observations, sizeof *group->bytes);
    if (!group->set || !group->frames || !group->live || !group->settled || !group->bytes) {
        group_free(group);
        return NULL;
    }
    group->settled[0] = -1;
    if (like->depth > 0) {
        memcpy(group->frames, like->frames, like->depth * sizeof *group->frames);
    }
    return group;
}

/* The group of a set and a stack. @return NULL for lack of memory. */
static struct group *group_of(struct making *making, const struct lfset_observation *observation,
                              const struct lfset_set_seen *set, unsigned stack)
{
    char number[32];
    const uint64_t *frames = NULL;
    unsigned depth = lfset_observation_stack(observation, stack, &frames);
    uint64_t *moved = malloc((depth + 1) * sizeof *moved);
    if (!moved) {
        return NULL;
    }
    const struct lfset_observation *last = making->observations[making->count - 1];
    bool same = same_process(observation, last);
    for (unsigned i = 0; i < depth; i++) {
        moved[i] = same ? frames[i] : move_address(observation, last, frames[i]);
    }
    unsigned inside = lfset__symbols_inside(making->symbols, moved, depth);
    struct group wanted = {.frames = moved + inside, .depth = depth - inside};
    snprintf(number, sizeof number, "#%" PRIu64, set->id);
    wanted.set = *set->name ? set->name : number;

    struct group **found = tfind(&wanted, &making->groups, compare_groups);
    struct group *group = found ? *found : group_make(&wanted, making->count);
    free(moved);
    if (found || !group) {
        return group;
    }
    if (!tsearch(group, &making->groups, compare_groups)) {
        group_free(group);
        return NULL;
    }
    making->group_count++;
    return group;
}

/* ---- samples ------------------------------------------------------------------------------------- */

static int compare_samples(const void *a, const void *b)
{
    const struct lfset_sample_seen *left = *(const struct lfset_sample_seen *const *)a;
    const struct lfset_sample_seen *right = *(const struct lfset_sample_seen *const *)b;
    int order = (left->set_id > right->set_id) - (left->set_id < right->set_id);
    return order ? order : (left->stack > right->stack) - (left->stack < right->stack);
}

static double seconds_between(uint64_t earlier, uint64_t later)
{
    return later > earlier ? (double)(later - earlier) / 1e9 : 0; // clocks of processors may differ
}

/* Sums of a file's numbers, whatever they are. */
static int64_t sum(int64_t a, uint64_t b)
{
    return (int64_t)((uint64_t)a + b);
}

static void group_count(struct making *making, size_t index, struct group *group,
                        const struct lfset_sample_seen *sample, int64_t rate)
{
    group->live[index] += rate;
    group->bytes[index] = sum(group->bytes[index], (uint64_t)rate * sample->bytes);
    if (index > 0 && sample->added_ns <= making->moments[index - 1]) {
        group->settled[index] += rate;
    }
    if (index == making->count - 1) {
        group->samples++;
        group->idle_s += seconds_between(sample->added_ns, making->moments[index]);
    }
}

/* Samples by set and stack, so that each group is looked for once. */
static const struct lfset_sample_seen **sort_samples(const struct lfset_observation *observation)
{
    const struct lfset_sample_seen **sorted =
        malloc((observation->sample_count + 1) * sizeof(struct lfset_sample_seen *));
    for (size_t i = 0; sorted && i < observation->sample_count; i++) {
        sorted[i] = &observation->samples[i];
    }
    if (sorted) {
        qsort(sorted, observation->sample_count, sizeof *sorted, compare_samples);
    }
    return sorted;
}

static int add_observation(struct making *making, size_t index)
{
    const struct lfset_observation *observation = making->observations[index];
    const struct lfset_sample_seen **sorted = sort_samples(observation);
    if (!sorted) {
        return -ENOMEM;
    }
    struct group *group = NULL;
    int64_t rate = 1;
    for (size_t i = 0; i < observation->sample_count; i++) {
        const struct lfset_sample_seen *sample = sorted[i];
        if (i == 0 || compare_samples(&sorted[i - 1], &sorted[i]) != 0) {
            const char *only = making->options->set;
            const struct lfset_set_seen *set = lfset_observation_set(observation, sample->set_id);
            group = NULL;
            // a set that is gone was destroyed while the observation was taken
            if (set && (!only || strcmp(only, set->name) == 0)) {
                rate = set->profile_rate > 1 ? (int64_t)set->profile_rate : 1;
                group = group_of(making, observation, set, sample->stack);
                if (!group) {
                    free(sorted);
                    return -ENOMEM;
                }
            }
        }
        if (group) {
            group_count(making, index, group, sample, rate);
        }
    }
    free(sorted);
    return 0;
}

/* ---- entries ------------------------------------------------------------------------------------- */

/* The first number is not known. */
static bool grew_each(const int64_t *numbers, size_t count)
{
    for (size_t i = 2; i < count; i++) {
        if (numbers[i] <= numbers[i - 1]) {
            return false;
        }
    }
    return count >= 4; // a single step proves nothing
}

static struct lfset_profile_entry entry_of(const struct group *group, size_t count,
                                           enum lfset_profile_values values)
{
    bool change = values != LFSET_PROFILE_LIVE;
    return (struct lfset_profile_entry){
        .set = group->set,
        .frames = group->frames,
        .depth = group->depth,
        .live = group->live[count - 1] - (change ? group->live[0] : 0),
        .bytes = sum(group->bytes[count - 1], change ? -(uint64_t)group->bytes[0] : 0),
        .idle_s = group->samples ? group->idle_s / (double)group->samples : 0,
        .samples = group->samples,
        .live_each = group->live,
        .settled_each = group->settled,
        .grew = grew_each(group->settled, count),
    };
}

static bool is_wanted(const struct lfset_profile_entry *entry, enum lfset_profile_values values)
{
    return values == LFSET_PROFILE_CHANGE ? entry->live != 0 || entry->bytes != 0 : entry->live > 0;
}

static int compare_entries(const void *a, const void *b)
{
    const struct lfset_profile_entry *left = a, *right = b;
    int order = right->grew - left->grew;
    order = order ? order : (left->live < right->live) - (left->live > right->live);
    order = order ? order : (left->bytes < right->bytes) - (left->bytes > right->bytes);
    order = order ? order : strcmp(left->set, right->set);
    order = order ? order : (left->depth > right->depth) - (left->depth < right->depth);
    return order ? order : memcmp(left->frames, right->frames, left->depth * sizeof *left->frames);
}

/* The modules are copied: writers name addresses by them when the observations are gone. */
static int copy_process(struct profile *profile, const struct lfset_observation *last)
{
    struct lfset_module_seen *modules = calloc(last->module_count + 1, sizeof *modules);
    char *program = strdup(last->program ? last->program : "");
    profile->process = (struct lfset_observation){
        .pid = last->pid, .alive = last->alive, .program = program, .modules = modules};
    if (!modules || !program) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < last->module_count; i++) {
        modules[i] = last->modules[i];
        modules[i].path = strdup(last->modules[i].path);
        if (!modules[i].path) {
            return -ENOMEM;
        }
        profile->process.module_count++;
    }
    return 0;
}

static unsigned largest_rate(const struct making *making, const struct lfset_observation *last)
{
    unsigned rate = 1;
    for (size_t i = 0; i < last->set_count; i++) {
        const struct lfset_set_seen *set = &last->sets[i];
        const char *only = making->options->set;
        if (set->profile_rate > rate && (!only || strcmp(only, set->name) == 0)) {
            rate = set->profile_rate;
        }
    }
    return rate;
}

static void fill(struct profile *profile, const struct making *making)
{
    const struct lfset_observation *last = making->observations[making->count - 1];
    uint64_t now = making->moments[making->count - 1], then = making->moments[0];
    struct lfset_profile *seen = &profile->seen;
    *seen = (struct lfset_profile){
        .entries = profile->entries,
        .observation_count = (unsigned)making->count,
        .rate = largest_rate(making, last),
        .samples_lost = last->samples_lost,
        .stacks_lost = last->stacks_lost,
        .pid = last->pid,
        .program = profile->process.program,
        .time_ns = now,
        .realtime_minus_ns = last->realtime_minus_ns,
        .duration_ns = now > then ? now - then : 0,
    };
    for (size_t i = 0; i < profile->group_count; i++) {
        struct lfset_profile_entry entry =
            entry_of(profile->groups[i], making->count, making->options->values);
        if (is_wanted(&entry, making->options->values)) {
            profile->entries[seen->entry_count++] = entry;
            seen->live += entry.live;
            seen->bytes = sum(seen->bytes, (uint64_t)entry.bytes);
            seen->leaks += entry.grew ? 1 : 0;
        }
    }
    qsort(profile->entries, seen->entry_count, sizeof *profile->entries, compare_entries);
    size_t top = making->options->top;
    if (top > 0 && seen->entry_count > top) {
        seen->left_out = seen->entry_count - top;
        seen->entry_count = top;
    }
}

static void collect_group(const void *node, VISIT visit, void *arg)
{
    struct profile *profile = arg;
    if (visit == postorder || visit == leaf) {
        profile->groups[profile->group_count++] = *(struct group *const *)node;
    }
}

static void keep_group(void *group)
{
    (void)group; // the profile has it now
}

/* Takes the groups. */
static int profile_fill(struct profile *profile, struct making *making)
{
    profile->groups = calloc(making->group_count + 1, sizeof(struct group *));
    profile->entries = calloc(making->group_count + 1, sizeof *profile->entries);
    if (!profile->groups || !profile->entries) {
        return -ENOMEM;
    }
    twalk_r(making->groups, collect_group, profile);
    tdestroy(making->groups, keep_group);
    making->groups = NULL;
    fill(profile, making);
    return 0;
}

static bool are_valid(const struct lfset_observation *const *observations, size_t count,
                      const struct lfset_profile_options *options)
{
    for (size_t i = 0; i < count; i++) {
        if (!observations[i]) {
            return false;
        }
    }
    return count > 0 && count < UINT32_MAX && options->size == sizeof *options &&
           options->values <= LFSET_PROFILE_GROWTH;
}

int lfset_profile_make(struct lfset_profile **profile,
                       const struct lfset_observation *const *observations, size_t count,
                       const struct lfset_profile_options *options)
{
    static const struct lfset_profile_options defaults = LFSET_PROFILE_INIT;
    options = options ? options : &defaults;
    if (!profile || !observations || !are_valid(observations, count, options)) {
        return -EINVAL;
    }
    *profile = NULL;
    struct profile *made = calloc(1, sizeof *made);
    struct making making = {.observations = observations,
                            .moments = calloc(count, sizeof *making.moments),
                            .count = count,
                            .options = options};
    int error = made && making.moments ? copy_process(made, observations[count - 1]) : -ENOMEM;
    error = error ? error : lfset_symbols_open(&made->symbols, &made->process);
    for (size_t i = 0; i < count && !error; i++) {
        making.symbols = made->symbols;
        making.moments[i] = moment_of(observations[i]);
    }
    for (size_t i = 0; i < count && !error; i++) {
        error = add_observation(&making, i);
    }
    error = error ? error : profile_fill(made, &making);
    tdestroy(making.groups, group_free);
    free(making.moments);
    if (error) {
        lfset_profile_free(made ? &made->seen : NULL);
        return error;
    }
    *profile = &made->seen;
    return 0;
}

void lfset_profile_free(struct lfset_profile *freed)
{
    struct profile *profile = (struct profile *)(void *)freed;
    if (!profile) {
        return;
    }
    for (size_t i = 0; i < profile->group_count; i++) {
        group_free(profile->groups[i]);
    }
    lfset_symbols_close(profile->symbols);
    for (size_t i = 0; i < profile->process.module_count; i++) {
        free((char *)(uintptr_t)profile->process.modules[i].path);
    }
    free((void *)(uintptr_t)profile->process.modules);
    free((char *)(uintptr_t)profile->process.program);
    free(profile->groups);
    free(profile->entries);
    free(profile);
}
