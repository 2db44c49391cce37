// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "report.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

enum checker_verdict report_verdict(const struct report *report)
{
    enum checker_verdict worst = CHECKER_LINEARIZABLE;

    for (size_t i = 0; i < report->count; i++) {
        const enum checker_verdict v = report->runs[i].result.verdict;

        if (v == CHECKER_VIOLATION || worst == CHECKER_LINEARIZABLE)
            worst = v;
    }
    return worst;
}

static const char *domain_name(const struct run_options *options)
{
    if (!options->target->has_domains)
        return "-";
    return options->domain == LFSET_HP ? "hp" : "rcu";
}

void report_set_name(const struct run_options *options, char *text, size_t size)
{
    if (options->target->has_domains)
        snprintf(text, size, "%s on %s", options->target->name, domain_name(options));
    else
        snprintf(text, size, "%s", options->target->name);
}

const char *report_answer(enum checker_verdict verdict)
{
    return verdict == CHECKER_LINEARIZABLE ? "yes"
           : verdict == CHECKER_VIOLATION  ? "NO"
                                           : "undecided";
}

double report_overlap(const struct run_result *result)
{
    return result->operations ? 100.0 * (double)result->overlapping / (double)result->operations
                              : 0.0;
}

double report_mops(const struct run_result *result)
{
    return result->running > 0 ? (double)result->operations / result->running * 1e-6 : 0.0;
}

static uint64_t total_operations(const struct report *report, uint64_t *rounds, uint64_t *undecided)
{
    uint64_t sum = 0;

    *rounds = 0;
    *undecided = 0;
    for (size_t i = 0; i < report->count; i++) {
        sum += report->runs[i].result.operations;
        *rounds += report->runs[i].result.rounds;
        *undecided += report->runs[i].result.undecided;
    }
    return sum;
}

static int is_foreign(const struct report *report)
{
    return report->runs[0].options.target->promises != NULL;
}

/* ---------------------------------------------------------------- terminal */

static void table_row(const struct report_run *run, FILE *out)
{
    const struct run_result *r = &run->result;
    char name[64];

    report_set_name(&run->options, name, sizeof(name));
    fprintf(out, "%-15s %-11s %11llu %7.2f %6.1f%%", name, run->options.workload.name,
            (unsigned long long)r->operations, report_mops(r), report_overlap(r));
    if (r->has_counters)
        fprintf(out, " %7llu %7llu %7llu %9llu %7llu", (unsigned long long)r->counters.grows,
                (unsigned long long)r->counters.purges, (unsigned long long)r->counters.shrinks,
                (unsigned long long)r->counters.snapshots, (unsigned long long)r->counters.clears);
    else
        fprintf(out, " %7s %7s %7s %9s %7s", "-", "-", "-", "-", "-");
    fprintf(out, "  %s\n", report_answer(r->verdict));
}

static void table_notes(const struct report *report, FILE *out)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct run_result *r = &report->runs[i].result;
        char name[64];

        report_set_name(&report->runs[i].options, name, sizeof(name));
        if (run_can_stall(&report->runs[i].options))
            fprintf(out,
                    "%s, %s: the others went on in each of %llu stalls; at most %zu objects (%zu "
                    "bytes) waited\n",
                    name, report->runs[i].options.workload.name, (unsigned long long)r->stalls,
                    r->stall_garbage.objects, r->stall_garbage.bytes);
        if (r->out_of_memory)
            fprintf(out, "%s, %s: %llu operations failed for lack of memory, not counted\n", name,
                    report->runs[i].options.workload.name, (unsigned long long)r->out_of_memory);
        if (r->undecided)
            fprintf(out, "%s, %s: %llu of %llu rounds could not be decided within the budget\n",
                    name, report->runs[i].options.workload.name, (unsigned long long)r->undecided,
                    (unsigned long long)r->rounds);
    }
}

static void promises_verdict(const struct report *report, uint64_t operations, uint64_t rounds,
                             uint64_t undecided, FILE *out)
{
    const enum checker_verdict verdict = report_verdict(report);

    report_promises(report, "", "\n", out);
    if (verdict == CHECKER_LINEARIZABLE)
        fprintf(out,
                "promises: kept, and all else linearizable (%llu operations in %llu rounds, every "
                "round explained)\n",
                (unsigned long long)operations, (unsigned long long)rounds);
    else if (verdict == CHECKER_VIOLATION)
        fputs("promises: BROKEN\n", out);
    else
        fprintf(out, "promises: undecided (%llu of %llu rounds; --budget allows more)\n",
                (unsigned long long)undecided, (unsigned long long)rounds);
    if (verdict != CHECKER_VIOLATION) /* that one is shown, and matters more */
        report_promise_witnesses(report, out);
}

void report_table(const struct report *report, FILE *out)
{
    uint64_t rounds, undecided;
    const uint64_t operations = total_operations(report, &rounds, &undecided);

    fprintf(out, "\n%-15s %-11s %11s %7s %7s %7s %7s %7s %9s %7s  %s\n", "set", "workload",
            "operations", "Mops/s", "overlap", "grows", "purges", "shrinks", "snapshots", "clears",
            is_foreign(report) ? "promises kept" : "linearizable");
    for (size_t i = 0; i < report->count; i++)
        table_row(&report->runs[i], out);
    fputc('\n', out);
    table_notes(report, out);
    if (is_foreign(report)) {
        promises_verdict(report, operations, rounds, undecided, out);
        return;
    }
    switch (report_verdict(report)) {
    case CHECKER_LINEARIZABLE:
        fprintf(out, "linearizable: yes (%llu operations in %llu rounds, every round explained)\n",
                (unsigned long long)operations, (unsigned long long)rounds);
        break;
    case CHECKER_VIOLATION:
        fprintf(out, "linearizable: NO\n");
        break;
    case CHECKER_UNDECIDED:
    default:
        fprintf(out, "linearizable: undecided (%llu of %llu rounds; --budget allows more)\n",
                (unsigned long long)undecided, (unsigned long long)rounds);
        break;
    }
}

/* ---------------------------------------------------------------- JSON */

static json_t *integer(uint64_t v)
{
    return json_integer((json_int_t)v);
}

static json_t *json_path(const char *path)
{
    return path ? json_string(path) : json_null();
}

static json_t *json_run(const struct report_run *run)
{
    const struct run_options *o = &run->options;
    const struct run_result *r = &run->result;
    char mix[256];
    json_t *j = json_object();

    workload_mix_print(&o->workload.mix, mix, sizeof(mix));
    json_object_set_new(j, "set", json_string(o->target->name));
    json_object_set_new(j, "domain",
                        o->target->has_domains ? json_string(domain_name(o)) : json_null());
    json_object_set_new(j, "workload", json_string(o->workload.name));
    json_object_set_new(j, "keys", integer(o->workload.keys));
    json_object_set_new(j, "mix", json_string(mix));
    json_object_set_new(j, "verdict", json_string(checker_verdict_name(r->verdict)));
    if (r->reason[0] != '\0')
        json_object_set_new(j, "reason", json_string(r->reason));
    json_object_set_new(j, "operations", integer(r->operations));
    json_object_set_new(j, "whole_set_operations", integer(r->whole_set));
    json_object_set_new(j, "overlapping", integer(r->overlapping));
    json_object_set_new(j, "out_of_memory", integer(r->out_of_memory));
    json_object_set_new(j, "rounds", integer(r->rounds));
    json_object_set_new(j, "undecided_rounds", integer(r->undecided));
    json_object_set_new(j, "running_seconds", json_real(r->running));
    json_object_set_new(j, "checking_seconds", json_real(r->checking));
    json_object_set_new(j, "elapsed_seconds", json_real(r->elapsed));
    json_object_set_new(j, "mops", json_real(report_mops(r)));
    json_object_set_new(j, "sets", integer(r->sets));
    json_object_set_new(j, "threads_started", integer(r->threads_started));
    json_object_set_new(j, "max_keys_at_rest", integer(r->max_keys));
    if (o->stall)
        json_object_set_new(j, "stalls",
                            json_pack("{sI sI sI}", "count", (json_int_t)r->stalls,
                                      "garbage_objects", (json_int_t)r->stall_garbage.objects,
                                      "garbage_bytes", (json_int_t)r->stall_garbage.bytes));
    if (r->has_counters)
        json_object_set_new(
            j, "successions",
            json_pack("{sI sI sI sI sI sI}", "grows", (json_int_t)r->counters.grows, "purges",
                      (json_int_t)r->counters.purges, "shrinks", (json_int_t)r->counters.shrinks,
                      "rehashes", (json_int_t)r->counters.rehashes, "snapshots",
                      (json_int_t)r->counters.snapshots, "clears", (json_int_t)r->counters.clears));
    return j;
}

int report_json(const struct report *report, const char *path)
{
    json_t *root = json_object();
    json_t *runs = json_array();

    for (size_t i = 0; i < report->count; i++)
        json_array_append_new(runs, json_run(&report->runs[i]));
    json_object_set_new(root, "verdict", json_string(checker_verdict_name(report_verdict(report))));
    json_object_set_new(root, "seed", integer(report->seed));
    json_object_set_new(root, "command", json_string(report->command));
    json_object_set_new(root, "threads", integer(report->threads));
    json_object_set_new(root, "processors", json_integer(report->processors));
    json_object_set_new(root, "clock", json_string(report->clock));
    json_object_set_new(root, "noise", json_boolean(report->noise));
    if (is_foreign(report))
        json_object_set_new(root, "promises", report_promises_json(report));
    if (report->violation) {
        const struct violation *v = report->violation;

        json_object_set_new(root, "history", json_path(v->history_path));
        json_object_set_new(root, "witness", json_path(v->witness_path));
        json_object_set_new(root, "timeline", json_path(v->timeline_path));
    }
    json_object_set_new(root, "runs", runs);
    const int rc = json_dump_file(root, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(root);
    return rc == 0 ? 0 : -EIO;
}

/* ---------------------------------------------------------------- page */

static const char page_head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>lfset stress report</title>\n<style>\n"
    "body{font:16px/1.5 system-ui,sans-serif;color:#222;background:#fff;max-width:72em;"
    "margin:2em auto;padding:0 1em}\n"
    "h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9em}\n"
    "th,td{padding:.25em .7em;text-align:right;white-space:nowrap;border-bottom:1px solid #ddd}\n"
    "th{font-weight:600;border-bottom:2px solid #999}\n"
    "th:nth-child(-n+2),td:nth-child(-n+2){text-align:left}\n"
    "code,pre{font:.9em ui-monospace,monospace;background:#f4f4f4;padding:.1em .3em}\n"
    "pre{padding:.7em;overflow-x:auto;white-space:pre-wrap}\n"
    ".wide{overflow-x:auto}.yes{color:#0a6b2d;font-weight:600}.no{color:#b00020;font-weight:600}\n"
    ".undecided{color:#8a5a00;font-weight:600}\n"
    ".verdict{font-size:1.2em;padding:.6em 1em;border-left:.35em solid;background:#f8f8f8}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(20em,1fr));gap:1.2em}\n"
    "figure{margin:0}figcaption{font-size:.85em}svg{width:100%;height:auto}\n"
    "dt{font-weight:600;margin-top:.5em}dd{margin-left:1.5em}\n"
    "</style></head><body>\n";

static void html_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
            break;
        }
    }
}

static const char *css_class(enum checker_verdict verdict)
{
    return verdict == CHECKER_LINEARIZABLE ? "yes"
           : verdict == CHECKER_VIOLATION  ? "no"
                                           : "undecided";
}

/* A line through the points from 0 to their maximum, which is written beside it. */
static void html_curve(FILE *out, const double *values, size_t count, const char *colour,
                       const char *unit, double label_x, const char *anchor)
{
    double max = 0;

    for (size_t i = 0; i < count; i++)
        if (values[i] > max)
            max = values[i];
    if (count < 2 || max <= 0)
        return;
    fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"", colour);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%.1f,%.1f ", 4 + 312.0 * (double)i / (double)(count - 1),
                86.0 - 64.0 * values[i] / max);
    fprintf(out,
            "\"/><text x=\"%.0f\" y=\"14\" font-size=\"11\" fill=\"%s\" text-anchor=\"%s\">max "
            "%.*f %s</text>\n",
            label_x, colour, anchor, max < 100 ? 2 : 0, max, unit);
}

static void html_chart(FILE *out, const struct report_run *run)
{
    char name[64];

    report_set_name(&run->options, name, sizeof(name));
    fprintf(out,
            "<figure><svg viewBox=\"0 0 320 92\" role=\"img\" aria-label=\"%s, %s\">"
            "<path d=\"M4 86H316\" stroke=\"#bbb\"/>\n",
            name, run->options.workload.name);
    html_curve(out, run->result.mops, run->result.points, "#1f5fa8", "Mops/s", 4, "start");
    html_curve(out, run->result.keys, run->result.points, "#b8691a", "keys", 316, "end");
    fprintf(out,
            "</svg><figcaption>%s, %s: throughput (blue) and keys in the set (orange) over "
            "%llu rounds</figcaption></figure>\n",
            name, run->options.workload.name, (unsigned long long)run->result.rounds);
}

static void html_row(FILE *out, const struct report_run *run)
{
    const struct run_result *r = &run->result;
    const double overlap = report_overlap(r);
    char name[64];

    report_set_name(&run->options, name, sizeof(name));
    fprintf(out,
            "<tr><td>%s</td><td>%s</td><td>%llu</td><td>%llu</td><td>%.2f</td><td>%.1f&nbsp;%% "
            "<svg viewBox=\"0 0 50 8\" style=\"width:50px\" aria-hidden=\"true\"><rect "
            "width=\"50\" height=\"8\" fill=\"#e4e4e4\"/><rect width=\"%.1f\" height=\"8\" "
            "fill=\"#1f5fa8\"/></svg></td>",
            name, run->options.workload.name, (unsigned long long)r->operations,
            (unsigned long long)r->rounds, report_mops(r), overlap,
            overlap > 100 ? 50.0 : overlap / 2);
    const uint64_t counters[] = {r->counters.grows, r->counters.purges, r->counters.shrinks,
                                 r->counters.snapshots, r->counters.clears};
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        if (r->has_counters)
            fprintf(out, "<td>%llu</td>", (unsigned long long)counters[i]);
        else
            fputs("<td>&ndash;</td>", out);
    }
    fprintf(out, "<td class=\"%s\">%s</td></tr>\n", css_class(r->verdict),
            report_answer(r->verdict));
}

static void html_verdict(FILE *out, const struct report *report)
{
    uint64_t rounds, undecided;
    const uint64_t operations = total_operations(report, &rounds, &undecided);
    const enum checker_verdict verdict = report_verdict(report);

    fprintf(out, "<p class=\"verdict %s\">%s: %s</p>\n<p>", css_class(verdict),
            is_foreign(report) ? "Promises kept" : "Linearizable", report_answer(verdict));
    fprintf(out, "%llu operations by %u threads on %ld processors, in %llu rounds. ",
            (unsigned long long)operations, report->threads, report->processors,
            (unsigned long long)rounds);
    if (verdict == CHECKER_LINEARIZABLE)
        fputs("For every round there is an order of its operations, each at one instant between "
              "its call and its return, that explains every answer.</p>\n",
              out);
    else if (verdict == CHECKER_UNDECIDED)
        fprintf(out,
                "No round was found wrong, but %llu could not be decided within the budget.</p>\n",
                (unsigned long long)undecided);
    else
        fputs("In one round the answers cannot be explained by any order of the operations."
              "</p>\n",
              out);
    if (is_foreign(report))
        report_promises(report, "<p>", "</p>\n", out);
    for (size_t i = 0; i < report->count; i++) {
        if (report->runs[i].result.reason[0] == '\0')
            continue;
        fputs("<p class=\"no\">", out);
        html_text(out, report->runs[i].result.reason);
        fputs("</p>\n", out);
    }
    if (report->violation && report->violation->timeline_path) {
        fputs("<p>The operations concerned are drawn in <code>", out);
        html_text(out, report->violation->timeline_path);
        fputs("</code>.</p>\n", out);
    }
}

static const char page_terms[] =
    "<h2>What the words mean</h2>\n<dl>\n"
    "<dt>round</dt><dd>The threads start together, each does a few thousand random operations, and "
    "stop. Then the set is read, and the round's record is judged exactly: not a sample.</dd>\n"
    "<dt>overlap</dt><dd>The share of operations during which another thread worked on the same "
    "key, or on the whole set. It is the power of the test: what does not overlap cannot go "
    "wrong.</dd>\n"
    "<dt>grows, purges, shrinks</dt><dd>How often the set was rebuilt larger, at the same size (to "
    "be rid of removed keys), or smaller, while the threads went on.</dd>\n"
    "<dt>snapshots, clears</dt><dd>How often the whole set was read or emptied at one instant: by "
    "snapshot, size, is_empty and pop; by clear and drain.</dd>\n"
    "<dt>rcu, hp</dt><dd>How memory waits for its last reader: read-copy-update, or hazard "
    "pointers.</dd>\n</dl>\n";

int report_html(const struct report *report, const char *path)
{
    FILE *out = fopen(path, "we");

    if (!out)
        return -errno;
    fputs(page_head, out);
    fputs("<h1>lfset stress report</h1>\n", out);
    html_verdict(out, report);
    fputs("<div class=\"wide\"><table><thead><tr><th>set</th><th>workload</th><th>operations</th>"
          "<th>rounds</th><th>Mops/s</th><th>overlap</th><th>grows</th><th>purges</th>"
          "<th>shrinks</th><th>snapshots</th><th>clears</th>",
          out);
    fprintf(out, "<th>%s</th></tr></thead><tbody>\n",
            is_foreign(report) ? "promises kept" : "linearizable");
    for (size_t i = 0; i < report->count; i++)
        html_row(out, &report->runs[i]);
    fputs("</tbody></table></div>\n<h2>How the runs went</h2>\n<div class=\"charts\">\n", out);
    for (size_t i = 0; i < report->count; i++)
        html_chart(out, &report->runs[i]);
    fputs("</div>\n", out);
    fputs(page_terms, out);
    fprintf(out,
            "<h2>Repeat it</h2>\n<p>Seed %llu, clock %s, noise %s. The seed fixes what each thread "
            "does, not how the threads interleave.</p>\n<pre>",
            (unsigned long long)report->seed, report->clock, report->noise ? "on" : "off");
    html_text(out, report->command);
    fputs("</pre>\n</body></html>\n", out);
    const int failed = ferror(out);
    return fclose(out) != 0 || failed ? -EIO : 0;
}
