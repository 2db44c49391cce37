// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "observe/answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "observe/accept.h"
#include "observe/keep.h"

static const char *const metrics_types[] = {
    [LFSET_METRICS_PROMETHEUS] = "text/plain; version=0.0.4; charset=utf-8",
    [LFSET_METRICS_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/* Answers with one sentence. */
static int say(struct lfset__answer *answer, unsigned status, const char *text)
{
    answer->status = status;
    answer->type = "text/plain; charset=utf-8";
    int length = asprintf(&answer->body, "%s\n", text);
    if (length < 0) {
        answer->body = NULL;
        return -ENOMEM;
    }
    answer->length = (size_t)length;
    return 0;
}

/* ---- what can be had ------------------------------------------------------------------------------- */

enum what { INDEX, JSON, METRICS };

/* An observation of a process that has no registry, which is well: its first set may come later. */
static int nothing_seen(const struct lfset__source *source, struct lfset_observation **seen)
{
    struct lfset__kept *kept = lfset__kept_make(0);
    if (!kept) {
        return -ENOMEM;
    }
    kept->seen.pid = source->pid ? source->pid : getpid();
    kept->seen.program = kept->seen.library_version = "";
    kept->seen.alive = 1;
    *seen = &kept->seen;
    return 0;
}

/* This process may have got its registry since the last time. */
static int look(struct lfset__source *source, struct lfset_observation **seen)
{
    int error = source->registry ? 0 : lfset_registry_open(&source->registry, source->pid);
    if (error == -ENOENT) {
        return nothing_seen(source, seen);
    }
    return error ? error : lfset_observation_take(source->registry, seen);
}

static int index_write(const struct lfset__source *source, const struct lfset_observation *seen,
                       FILE *out)
{
    fprintf(out,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
            "<title>lfset exporter</title>\n<h1>lfset exporter</h1>\n"
            "<p>Process %d has %zu sets that are listed.</p>\n"
            "<ul>\n<li><a href=\"metrics\">Metrics</a></li>\n%s</ul>\n</html>\n",
            seen->pid, seen->set_count,
            source->flags & LFSET_EXPORTER_METRICS_ONLY
                ? ""
                : "<li><a href=\"json\">All that is known, as JSON</a></li>\n");
    return 0;
}

static int body_write(enum what what, enum lfset_metrics_format format,
                      const struct lfset__source *source, const struct lfset_observation *seen,
                      FILE *out)
{
    switch (what) {
    case INDEX:
        return index_write(source, seen, out);
    case JSON:
        return lfset_observation_json(seen, out);
    default:
        return lfset_observation_metrics(seen, format, out);
    }
}

static int body_make(struct lfset__answer *answer, enum what what, enum lfset_metrics_format format,
                     const struct lfset__source *source, const struct lfset_observation *seen)
{
    FILE *out = open_memstream(&answer->body, &answer->length);
    if (!out) {
        return -ENOMEM;
    }
    int error = body_write(what, format, source, seen, out);
    if (fclose(out) != 0 || error) {
        free(answer->body);
        answer->body = NULL;
        return -ENOMEM;
    }
    answer->status = 200;
    answer->type = what == INDEX  ? "text/html; charset=utf-8"
                   : what == JSON ? "application/json"
                                  : metrics_types[format];
    return 0;
}

static int show(struct lfset__answer *answer, struct lfset__source *source, enum what what,
                enum lfset_metrics_format format)
{
    struct lfset_observation *seen;
    int error = look(source, &seen);
    if (error) {
        return say(answer, 503, error == -ENOMEM ? "No memory to look." : strerror(-error));
    }
    if (!seen->alive && what == METRICS) {
        error = say(answer, 503, "The process has ended: there is nothing more to measure.");
    } else {
        error = body_make(answer, what, format, source, seen);
    }
    lfset_observation_free(seen);
    return error ? say(answer, 503, "No memory for the answer.") : 0;
}

int lfset__answer_make(struct lfset__answer *answer, struct lfset__source *source,
                       const char *method, const char *path, const char *accept)
{
    enum lfset_metrics_format format = LFSET_METRICS_PROMETHEUS;
    *answer = (struct lfset__answer){0};
    bool is_metrics = strcmp(path, "/metrics") == 0, is_index = strcmp(path, "/") == 0;
    bool is_json = strcmp(path, "/json") == 0 && !(source->flags & LFSET_EXPORTER_METRICS_ONLY);
    if (!is_metrics && !is_json && !is_index) {
        return say(answer, 404, "There is nothing of this name here; / says what there is.");
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        answer->allow = "GET, HEAD";
        return say(answer, 405, "This can only be read: GET or HEAD.");
    }
    if (is_metrics && !lfset__accept_choose(accept, &format)) {
        return say(answer, 406,
                   "The request's Accept header allows neither text/plain;version=0.0.4 nor "
                   "application/openmetrics-text;version=1.0.0, and there is nothing else.");
    }
    return show(answer, source, is_metrics ? METRICS : is_json ? JSON : INDEX, format);
}
