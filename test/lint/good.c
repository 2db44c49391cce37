// SPDX-License-Identifier: MIT
// What lfset lint must leave alone.
#include <lfset/bytes.h>
#include <lfset/observe.h>
#include <lfset/u64.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct service {
    struct lfset_u64 *users, *sessions;
    struct lfset_bytes *names;
};

static const struct lfset_observe file_limits = {
    .size = sizeof(struct lfset_observe), .max_bytes = 1 << 20, .strategy = LFSET_GUARD_EVICT};
static const struct lfset_options file_options = {
    .size = sizeof(struct lfset_options), .name = "names", .observe = &file_limits};

void options_prepare(struct lfset_options *options, const char *name);

int named_and_limited(struct service *service)
{
    struct lfset_observe limits = LFSET_OBSERVE_INIT;
    struct lfset_options options = LFSET_OPTIONS_INIT;
    limits.max_keys = 1000;
    limits.strategy = LFSET_GUARD_REFUSE;
    options.name = "users";
    options.observe = &limits;
    if (lfset_u64_create(&service->users, &options) != 0)
        return -1;
    limits = (struct lfset_observe){.size = sizeof limits, .idle_timeout_ns = 1000000000};
    return lfset_u64_create(&service->sessions, &options);
}

int of_the_file(struct service *service)
{
    return lfset_bytes_create(&service->names, &file_options);
}

int of_the_caller(struct service *service, const struct lfset_options *wishes)
{
    struct lfset_options options = *wishes;
    options.domain = LFSET_HP;
    return lfset_u64_create(&service->users, &options);
}

int made_elsewhere(struct service *service)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options_prepare(&options, "users");
    return lfset_u64_create(&service->users, &options);
}

int allowed(struct service *service)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.name = "names";
    return lfset_bytes_create(&service->names, &options); // lfset-lint: unbounded: a key a country
}

// ---- owners
int destroyed(const struct lfset_options *options, uint64_t key)
{
    struct lfset_u64 *request = NULL;
    int result = lfset_u64_create(&request, options);
    if (result != 0)
        goto out;
    result = lfset_u64_add(request, key);
    lfset_u64_destroy(request);
out:
    return result;
}

struct lfset_u64 *returned(const struct lfset_options *options)
{
    struct lfset_u64 *set;
    return lfset_u64_create(&set, options) == 0 ? set : NULL;
}

int kept(struct service *service, const struct lfset_options *options)
{
    struct lfset_u64 *set;
    int error = lfset_u64_create(&set, options);
    if (error)
        return error;
    service->users = set;
    return 0;
}

int for_ever(const struct lfset_options *options, uint64_t key)
{
    static struct lfset_u64 *set;
    if (!set && lfset_u64_create(&set, options) != 0)
        return -1;
    return lfset_u64_add(set, key);
}

void *handed_on(void *arg);

int handed_to_a_thread(const struct lfset_options *options, pthread_t *thread)
{
    struct lfset_u64 *set;
    if (lfset_u64_create(&set, options) != 0)
        return -1;
    return pthread_create(thread, NULL, handed_on, set);
}

int64_t snapshot(struct service *service)
{
    struct lfset_u64_snapshot *snapshot;
    int64_t count = 0;
    if (lfset_u64_snapshot_take(service->users, &snapshot, NULL) == 0) {
        count = lfset_u64_snapshot_count(snapshot);
        lfset_u64_snapshot_destroy(snapshot);
    }
    return count;
}

void or_ends(const struct lfset_options *options)
{
    struct lfset_u64 *set;
    if (lfset_u64_create(&set, options) != 0)
        exit(1);
    if (lfset_u64_add(set, 1) == 1) {
        lfset_u64_destroy(set);
        return;
    }
    exit(1);
}

// ---- sections
int section(struct service *service, uint64_t key)
{
    int found = -1;
    if (lfset_section_enter() != 0)
        goto out;
    found = lfset_u64_contains(service->users, key);
    lfset_section_leave();
    usleep(10);
out:
    return found;
}

int all_at_once(struct service *service, uint64_t key)
{
    const int ok = lfset_section_enter() == 0 && lfset_u64_contains(service->users, key) >= 0 &&
                   lfset_section_leave() == 0;
    return ok;
}
