// SPDX-License-Identifier: MIT
// lfset report: a page about a process's sets.
#define _GNU_SOURCE
#include "report.h"

#include "show.h"
#include "target.h"
#include "verbs.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOKS_MOST = 2000, STAYS_MOST = 512 };

static const struct argp_option option_list[] = {
    {"output", 'o', "FILE", 0, "The page (needed); - is standard output", 0},
    {"seconds", 's', "N", 0, "Look for so long (default 10)", 0},
    {"interval", 'i', "SECONDS", 0, "Between two looks (default 0.5)", 0},
    {0},
};

struct arguments {
    const char *what, *output;
    double seconds, interval;
};

static error_t option_parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'o':
        arguments->output = argument;
        return 0;
    case 's':
        arguments->seconds = option_number(state, "--seconds", argument, 0, 1e6);
        return 0;
    case 'i':
        arguments->interval = option_number(state, "--interval", argument, 0.01, 3600);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "one process or file at a time");
        arguments->what = argument;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->what)
            argp_error(state, "a process id or a file is needed; `lfset ps` lists processes");
        if (!arguments->output)
            argp_error(state, "-o FILE is needed: where the page goes");
        if (arguments->seconds / arguments->interval > LOOKS_MOST)
            argp_error(state, "--seconds and --interval make more than %d looks", LOOKS_MOST);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp option_parser = {
    .options = option_list,
    .parser = option_parse,
    .args_doc = "PID|FILE -o PAGE.html",
    .doc = "Looks at a process for a while and draws its sets as a page that needs nothing else: "
           "who created "
           "what, how the sets grow, limits and forecasts, readers that stay, what is not freed."
           "\v"
           "The process is only read; it may be stopped, and when it ends the page tells its last "
           "state. Of a "
           "FILE (see `lfset save`) there is one look. A watcher in the process adds the time "
           "before the "
           "first look, forecasts and stalls.\n\n"
           "Exit status: 0; 2 for a wrong option or a file that is no registry, 3 when there is no "
           "such "
           "process, it has no registry, it is another user's, or the page cannot be written.",
};

// ---------------------------------------------------------------- remembering

static int compare_curves(const void *left, const void *right)
{
    const struct curve *a = left, *b = right;
    return (a->set_id > b->set_id) - (a->set_id < b->set_id);
}

const struct curve *report_curve(const struct report *report, uint64_t set_id)
{
    const struct curve wanted = {.set_id = set_id};
    return report->curve_count ? bsearch(&wanted, report->curves, report->curve_count,
                                         sizeof wanted, compare_curves)
                               : NULL;
}

bool report_is_growing(const struct report *report, const struct lfset_set_seen *set)
{
    const struct curve *curve = report_curve(report, set->id);
    enum { PARTS = 4 };
    if (!curve || curve->count <= PARTS)
        return false;
    for (size_t part = 0; part < PARTS; part++) {
        const struct point *from = &curve->points[part * (curve->count - 1) / PARTS];
        const struct point *to = &curve->points[(part + 1) * (curve->count - 1) / PARTS];
        if (to->keys <= from->keys)
            return false;
    }
    return curve->points[curve->count - 1].keys >= 1.05 * curve->points[0].keys;
}

static int curve_append(struct curve *curve, struct point point)
{
    if (curve->count == curve->room) {
        size_t room = curve->room ? 2 * curve->room : 128;
        struct point *points = realloc(curve->points, room * sizeof *points);
        if (!points)
            return -ENOMEM;
        curve->points = points;
        curve->room = room;
    }
    curve->points[curve->count++] = point;
    return 0;
}

// A set that is seen for the first time brings what the watcher remembers of it. Ids ascend, so new curves
// go to the end.
static int curve_begin(struct report *report, const struct lfset_set_seen *set, uint64_t now_ns)
{
    struct curve *curves =
        realloc(report->curves, (report->curve_count + 1) * sizeof *report->curves);
    if (!curves)
        return -ENOMEM;
    report->curves = curves;
    struct curve *curve = &curves[report->curve_count++];
    *curve = (struct curve){.set_id = set->id};
    for (unsigned i = 0; i < set->history_count; i++) {
        const struct lfset_look *look = &set->history[i];
        if (look->time_ns < now_ns &&
            curve_append(
                curve, (struct point){look->time_ns, (double)look->live, (double)look->bytes}) != 0)
            return -ENOMEM;
    }
    return 0;
}

static int remember_sets(struct report *report, const struct lfset_observation *now)
{
    for (size_t i = 0; i < now->set_count; i++) {
        const struct lfset_set_seen *set = &now->sets[i];
        struct curve *curve = (struct curve *)report_curve(report, set->id);
        if (!curve) {
            if (curve_begin(report, set, now->time_ns) != 0)
                return -ENOMEM;
            curve = &report->curves[report->curve_count - 1];
        }
        if (curve_append(curve, (struct point){target_moment(now), (double)set->live,
                                               (double)set->bytes}) != 0)
            return -ENOMEM;
    }
    return 0;
}

static struct stay *stay_of(struct report *report, const struct lfset_thread_seen *thread)
{
    for (size_t i = report->stay_count; i-- > 0;)
        if (report->stays[i].thread_id == thread->id && report->stays[i].section == thread->section)
            return &report->stays[i];
    return NULL;
}

static void stay_begin(struct report *report, const struct lfset_thread_seen *thread,
                       uint64_t now_ns)
{
    if (report->stay_count == STAYS_MOST)
        return;
    struct stay *stay = &report->stays[report->stay_count++];
    *stay = (struct stay){.thread_id = thread->id,
                          .section = thread->section,
                          .from_ns = thread->section_since_ns ? thread->section_since_ns : now_ns,
                          .to_ns = now_ns,
                          .tid = thread->tid};
    snprintf(stay->name, sizeof stay->name, "%s", thread->name);
}

// Only sections that last from one look to another are kept.
static void remember_stays(struct report *report, const struct lfset_observation *now)
{
    for (size_t i = 0; i < now->thread_count; i++) {
        const struct lfset_thread_seen *thread = &now->threads[i];
        struct stay *stay = thread->in_section ? stay_of(report, thread) : NULL;
        if (stay)
            stay->to_ns = now->time_ns;
        else if (thread->in_section)
            stay_begin(report, thread, now->time_ns);
    }
    size_t kept = 0;
    for (size_t i = 0; i < report->stay_count; i++) {
        const struct stay *stay = &report->stays[i];
        if (stay->to_ns > stay->from_ns || stay->to_ns == now->time_ns)
            report->stays[kept++] = *stay;
    }
    report->stay_count = kept;
}

static int remember(struct report *report, const struct lfset_observation *now)
{
    struct moment *moment = &report->moments[report->moment_count++];
    moment->time_ns = target_moment(now);
    for (int domain = 0; domain < 2; domain++) {
        moment->garbage_bytes[domain] = now->garbage_bytes[domain];
        moment->garbage_objects[domain] = now->garbage_objects[domain];
    }
    remember_stays(report, now);
    return remember_sets(report, now);
}

// ---------------------------------------------------------------- looking

static void progress(const char *tool, unsigned look, unsigned looks, double interval)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%s: look %u of %u, %s left   %s", tool, look, looks,
                show_seconds((looks - look) * interval).text, look == looks ? "\n" : "");
}

// The last look, or NULL; what came before is in the report.
static struct lfset_observation *look_for_a_while(const struct target *target,
                                                  struct report *report,
                                                  const struct arguments *arguments)
{
    unsigned looks = target->pid ? 1 + (unsigned)(arguments->seconds / arguments->interval) : 1;
    struct lfset_observation *now = NULL;
    for (unsigned i = 0; i < looks && !(now && !now->alive); i++) {
        if (now)
            target_sleep(arguments->interval);
        struct lfset_observation *next = target_look(target);
        if (next && remember(report, next) != 0) {
            fprintf(stderr, "%s: no memory\n", target->tool);
            lfset_observation_free(next);
            next = NULL;
        }
        if (now)
            lfset_observation_free(now);
        now = next;
        if (!now)
            return NULL;
        if (target->pid)
            progress(target->tool, i + 1, looks, arguments->interval);
    }
    return now;
}

static void report_free(struct report *report)
{
    for (size_t i = 0; i < report->curve_count; i++)
        free(report->curves[i].points);
    free(report->curves);
    free(report->moments);
    free(report->stays);
    free(report->sets);
    frames_close(report->frames);
}

// ---------------------------------------------------------------- writing

// Nothing is left of a page that could not be written whole.
static int page_end(const char *tool, FILE *out, const char *path, int status)
{
    if (out == stdout)
        return status;
    if (fclose(out) != 0 && status == TOOL_OK) {
        fprintf(stderr, "%s: %s: %s\n", tool, path, strerror(errno));
        status = TOOL_CANNOT;
    }
    if (status)
        unlink(path);
    return status;
}

static int report_make(const struct target *target, const struct arguments *arguments, FILE *out)
{
    struct report report = {.is_file = target->pid == 0};
    int status = TOOL_CANNOT;
    report.moments = calloc(LOOKS_MOST + 2, sizeof *report.moments);
    report.stays = calloc(STAYS_MOST, sizeof *report.stays);
    struct lfset_observation *now =
        report.moments && report.stays ? look_for_a_while(target, &report, arguments) : NULL;
    if (now) {
        report.now = now;
        report.stopped = target->pid && target_is_stopped(target->pid);
        report.frames = frames_open(now);
        report.sets = target_sets_by_bytes(now);
        int failed = !report.frames || !report.sets || report_page(&report, out) != 0;
        status = target_output_end(target->tool, out, failed);
    }
    report_free(&report);
    if (now)
        lfset_observation_free(now);
    return status;
}

int tool_report(int argc, char **argv)
{
    struct arguments arguments = {.seconds = 10, .interval = 0.5};
    struct target target;
    argp_parse(&option_parser, argc, argv, 0, NULL, &arguments);
    int status = target_open(&target, argv[0], arguments.what);
    if (status)
        return status;
    // before looking for so long, to fail at once
    FILE *out = strcmp(arguments.output, "-") == 0 ? stdout : fopen(arguments.output, "we");
    if (out) {
        status = page_end(argv[0], out, arguments.output, report_make(&target, &arguments, out));
    } else {
        fprintf(stderr, "%s: %s: %s\n", argv[0], arguments.output, strerror(errno));
        status = TOOL_CANNOT;
    }
    target_close(&target);
    return status;
}
