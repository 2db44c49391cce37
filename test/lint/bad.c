// SPDX-License-Identifier: MIT
// What lfset lint finds. A comment of "want" names the checks that must fail on its line, and no line fails
// others.
#include <lfset/bytes.h>
#include <lfset/generic.h>
#include <lfset/observe.h>
#include <lfset/u64.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct service {
    struct lfset_u64 *users, *sessions, *cache, *pages;
    struct lfset_bytes *names;
};

static const struct lfset_options file_options = {.size = sizeof(struct lfset_options),
                                                  .domain = LFSET_HP};

int defaults(struct service *service)
{
    return lfset_u64_create(&service->users, NULL); // want unbounded unnamed
}

int of_the_file(struct service *service)
{
    return lfset_u64_create(&service->users, &file_options); // want unbounded unnamed
}

int only_a_name(struct service *service)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.name = "users";
    if (lfset_bytes_create(&service->names, &options) != 0) // want unbounded
        return -1;
    return 0;
}

int only_a_limit(struct service *service)
{
    struct lfset_observe limits = LFSET_OBSERVE_INIT;
    struct lfset_options options = LFSET_OPTIONS_INIT;
    limits.max_keys = 1000;
    options.observe = &limits;
    return lfset_u64_create(&service->users, &options); // want unnamed
}

int observed_without_a_limit(struct service *service)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.profile_rate = 16;
    struct lfset_options options = {.size = sizeof options, .name = "cache", .observe = &observe};
    return lfset_u64_create(&service->cache, &options); // want unbounded
}

// The limit comes after the set that should have had it.
int too_late(struct service *service)
{
    struct lfset_observe limits = LFSET_OBSERVE_INIT;
    struct lfset_options options = LFSET_OPTIONS_INIT;
    limits.idle_timeout_ns = 1000000000;
    int error = lfset_u64_create(&service->sessions, &options); // want unbounded unnamed
    options.name = "pages";
    options.observe = &limits;
    return error ? error : lfset_u64_create(&service->pages, &options);
}

int generic(struct service *service)
{
    return lfset_create(&service->users, NULL); // want unbounded unnamed
}

int allowed_without_a_reason(struct service *s)
{
    struct lfset_options o = LFSET_OPTIONS_INIT;
    o.name = "users";
    return lfset_u64_create(&s->users, &o); /* lfset-lint: unbounded */ // want unbounded
}

// ---- owners
int nobody_owns_it(const struct lfset_options *options, uint64_t key)
{
    struct lfset_u64 *request;
    if (lfset_u64_create(&request, options) != 0) // want unowned
        return -1;
    return lfset_u64_add(request, key);
}

int lost_on_one_path(const struct lfset_options *options, uint64_t key)
{
    struct lfset_u64 *request;
    int error = lfset_u64_create(&request, options);
    if (error)
        return error;
    if (lfset_u64_add(request, key) < 0)
        return -1; // want unowned
    return lfset_u64_destroy(request);
}

int a_copy_is_lost(struct service *service)
{
    struct lfset_u64 *copy = NULL;
    if (lfset_u64_clone(service->users, &copy, NULL, NULL) != 0) // want unowned
        return -1;
    return lfset_u64_contains(copy, 1);
}

int64_t snapshot_is_never_destroyed(struct service *service)
{
    struct lfset_u64_snapshot *snapshot;
    if (lfset_u64_snapshot_take(service->users, &snapshot, NULL) != 0) // want snapshot
        return -1;
    return lfset_u64_snapshot_count(snapshot);
}

int64_t snapshot_is_kept_when_empty(struct service *service)
{
    struct lfset_bytes_snapshot *snapshot;
    if (lfset_bytes_drain(service->names, &snapshot, NULL) == 0) {
        int64_t count = lfset_bytes_snapshot_count(snapshot);
        if (count == 0)
            return 0; // want snapshot
        lfset_bytes_snapshot_destroy(snapshot);
        return count;
    }
    return -1;
}

// ---- sections
int left_open(struct service *service, uint64_t key)
{
    if (lfset_section_enter() != 0)
        return -1;
    if (lfset_u64_contains(service->users, key) != 1)
        return 0; // want open-section
    lfset_section_leave();
    return 1;
}

void left_open_at_the_end(struct service *service, uint64_t key)
{
    int error = lfset_section_enter();
    if (error != 0)
        return;
    if (lfset_u64_contains(service->users, key) == 1)
        lfset_section_leave();
} // want open-section

int sleeps_inside(struct service *service, pthread_mutex_t *lock)
{
    int found = 0;
    if (lfset_section_enter() == 0) {
        pthread_mutex_lock(lock); // want blocking
        found = lfset_u64_contains(service->users, 1);
        pthread_mutex_unlock(lock);
        usleep(10);                                     // want blocking
        lfset_u64_wait_absent(service->users, 1, NULL); // want blocking
        lfset_section_leave();
    }
    usleep(10);
    return found;
}
