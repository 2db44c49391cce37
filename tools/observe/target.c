// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "target.h"

#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// ---------------------------------------------------------------- opening

int target_status(int error)
{
    switch (error) {
    case 0:
        return TOOL_OK;
    case -EINVAL:
    case -EBADMSG:
    case -EPROTO:
        return TOOL_USAGE;
    default:
        return TOOL_CANNOT;
    }
}

void target_complain(const char *tool, const char *what, pid_t pid, int error)
{
    const char *why = strerror(-error);
    char user[64];
    switch (error) {
    case -ESRCH:
        why = "there is no such process";
        break;
    case -ENOENT:
        why = pid ? "it has no registry of sets (none of its sets has a name or asked to be "
                    "observed, or "
                    "it uses no lfset of this kind)"
                  : "there is no such file";
        break;
    case -EACCES:
    case -EPERM:
        if (pid) {
            target_user(pid, user, sizeof user);
            fprintf(
                stderr,
                "%s: process %d: not permitted: it belongs to the user %s; only that user and root "
                "may look into it\n",
                tool, (int)pid, user);
            return;
        }
        break;
    case -EPROTO:
        why = "its registry has a version that this program does not know: use the tools of the "
              "lfset "
              "that wrote it";
        break;
    case -EBADMSG:
        why = "this is no registry of sets, or it was cut short";
        break;
    default:
        break;
    }
    fprintf(stderr, "%s: %s%s: %s\n", tool, pid ? "process " : "", what, why);
}

// 0: it is no number
static pid_t pid_parse(const char *what)
{
    if (!*what || what[strspn(what, "0123456789")])
        return 0;
    errno = 0;
    long pid = strtol(what, NULL, 10);
    return errno || pid > INT_MAX ? INT_MAX : (pid_t)pid;
}

int target_open(struct target *target, const char *tool, const char *what)
{
    *target = (struct target){.tool = tool, .what = what, .pid = pid_parse(what)};
    if (target->pid == 0 && *what && !what[strspn(what, "0")]) {
        fprintf(stderr, "%s: %s is no process id\n", tool, what);
        return TOOL_USAGE;
    }
    int error = target->pid ? lfset_registry_open(&target->registry, target->pid)
                            : lfset_registry_open_file(&target->registry, what);
    if (error == 0 && target->pid && !target_is_writer(target->pid)) {
        error = -ENOENT;
        target_close(target);
    }
    if (error == 0 && target->pid == 0) {
        // whatever it is, it stays that: better told now
        struct lfset_observation *observation;
        error = lfset_observation_take(target->registry, &observation);
        if (error == 0)
            lfset_observation_free(observation);
        else
            target_close(target);
    }
    if (error)
        target_complain(tool, what, target->pid, error);
    return target_status(error);
}

void target_close(struct target *target)
{
    if (target->registry)
        lfset_registry_close(target->registry);
    target->registry = NULL;
}

// The link's own permissions tell how the file was opened.
static bool is_written(DIR *descriptors, const char *name)
{
    static const char registry[] = "/memfd:lfset-observe"; // what the kernel shows of it
    char link[sizeof registry];
    struct stat status;
    return readlinkat(dirfd(descriptors), name, link, sizeof link) >=
               (ssize_t)sizeof registry - 1 &&
           memcmp(link, registry, sizeof registry - 1) == 0 &&
           fstatat(dirfd(descriptors), name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           status.st_mode & S_IWUSR;
}

int target_registry_fd(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *descriptors = opendir(path);
    if (!descriptors)
        return errno == ENOENT ? -ESRCH : -errno;
    int fd = -ENOENT;
    for (const struct dirent *entry; fd == -ENOENT && (entry = readdir(descriptors));)
        if (is_written(descriptors, entry->d_name)) {
            fd = openat(dirfd(descriptors), entry->d_name, O_RDONLY | O_CLOEXEC);
            fd = fd < 0 ? -errno : fd;
        }
    closedir(descriptors);
    return fd;
}

bool target_is_writer(pid_t pid)
{
    int fd = target_registry_fd(pid);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

// ---------------------------------------------------------------- looking

struct lfset_observation *target_look(const struct target *target)
{
    struct lfset_observation *observation;
    int error = lfset_observation_take(target->registry, &observation);
    if (error) {
        fprintf(stderr, "%s: %s: cannot be observed: %s\n", target->tool, target->what,
                strerror(-error));
        return NULL;
    }
    return observation;
}

struct lfset_observation *target_look_again(const struct target *target,
                                            const struct lfset_observation *before, double seconds)
{
    if (target->pid && before->alive)
        target_sleep(seconds);
    return target_look(target);
}

static void later(uint64_t *moment, uint64_t time)
{
    if (time > *moment)
        *moment = time;
}

uint64_t target_moment(const struct lfset_observation *observation)
{
    uint64_t moment = observation->started_ns;
    if (observation->alive)
        return observation->time_ns;
    later(&moment, observation->watcher_looked_ns);
    for (size_t i = 0; i < observation->set_count; i++) {
        const struct lfset_set_seen *set = &observation->sets[i];
        later(&moment, set->created_ns);
        later(&moment, set->changed_ns);
        if (set->history_count)
            later(&moment, set->history[set->history_count - 1].time_ns);
    }
    for (size_t i = 0; i < observation->thread_count; i++)
        later(&moment, observation->threads[i].attached_ns);
    for (size_t i = 0; i < observation->retired_count; i++)
        later(&moment, observation->retired[i].retired_ns);
    return moment < observation->time_ns ? moment : observation->time_ns;
}

double target_since(uint64_t moment, uint64_t then)
{
    return moment > then ? (double)(moment - then) * 1e-9 : 0;
}

static int compare_bytes(const void *left, const void *right)
{
    const struct lfset_set_seen *a = *(const struct lfset_set_seen *const *)left;
    const struct lfset_set_seen *b = *(const struct lfset_set_seen *const *)right;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return (a->id > b->id) - (a->id < b->id);
}

const struct lfset_set_seen **target_sets_by_bytes(const struct lfset_observation *observation)
{
    const struct lfset_set_seen **sets = calloc(observation->set_count + 1, sizeof *sets);
    if (!sets)
        return NULL;
    for (size_t i = 0; i < observation->set_count; i++)
        sets[i] = &observation->sets[i];
    qsort(sets, observation->set_count, sizeof *sets, compare_bytes);
    return sets;
}

void target_sleep(double seconds)
{
    struct timespec time = {.tv_sec = (time_t)seconds,
                            .tv_nsec = (long)((seconds - floor(seconds)) * 1e9)};
    nanosleep(&time, NULL);
}

// ---------------------------------------------------------------- processes

bool target_is_stopped(pid_t pid)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = 0;
    const char *name_end = strrchr(line, ')'); // a program's name may have any letters
    return name_end && name_end[1] == ' ' && (name_end[2] == 'T' || name_end[2] == 't');
}

void target_user(pid_t pid, char *text, size_t size)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    if (stat(path, &status) != 0) {
        snprintf(text, size, "?");
        return;
    }
    const struct passwd *user = getpwuid(status.st_uid);
    if (user)
        snprintf(text, size, "%s", user->pw_name);
    else
        snprintf(text, size, "%u", (unsigned)status.st_uid);
}

int target_output_end(const char *tool, FILE *out, bool failed)
{
    if (fflush(out) != 0 || ferror(out) || failed) {
        fprintf(stderr, "%s: the output could not be written: %s\n", tool, strerror(errno));
        return TOOL_CANNOT;
    }
    return TOOL_OK;
}

// ---------------------------------------------------------------- options

double option_number(struct argp_state *state, const char *option, const char *argument, double low,
                     double high)
{
    char *end;
    double value = strtod(argument, &end);
    if (end == argument || *end || !(value >= low && value <= high))
        argp_error(state, "%s: '%s' is not a number from %g to %g", option, argument, low, high);
    return value;
}

// ---------------------------------------------------------------- rates

static double rate(uint64_t before, uint64_t now, double seconds)
{
    return (double)(int64_t)(now - before) / seconds;
}

struct rates rates_between(const struct lfset_observation *before,
                           const struct lfset_observation *now, const struct lfset_set_seen *set)
{
    struct rates rates = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    const struct lfset_set_seen *old = before ? lfset_observation_set(before, set->id) : NULL;
    if (!old || now->time_ns <= before->time_ns)
        return rates;
    double seconds = (double)(now->time_ns - before->time_ns) * 1e-9;
    rates.seconds = seconds;
    rates.keys = rate(old->live, set->live, seconds);
    rates.bytes = rate(old->bytes, set->bytes, seconds);
    if (set->counted) {
        rates.adds = rate(old->adds, set->adds, seconds);
        rates.adds_present = rate(old->adds_present, set->adds_present, seconds);
        rates.removes = rate(old->removes, set->removes, seconds);
        rates.removes_absent = rate(old->removes_absent, set->removes_absent, seconds);
        rates.hits = rate(old->hits, set->hits, seconds);
        rates.misses = rate(old->misses, set->misses, seconds);
    }
    return rates;
}
