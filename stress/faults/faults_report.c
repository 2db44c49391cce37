// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "faults_report.h"

#include <errno.h>
#include <jansson.h>

static const char *const outcomes[] = {
    [CELL_OK] = "ok",           [CELL_FAILED] = "FAILED",   [CELL_HANG] = "HANG",
    [CELL_CRASHED] = "CRASHED", [CELL_SKIPPED] = "skipped", [CELL_BROKEN] = "could not run",
};

static int is_bad(const struct cell *cell)
{
    return cell->outcome != CELL_OK && cell->outcome != CELL_SKIPPED;
}

size_t faults_bad(const struct faults_report *report)
{
    size_t bad = 0;

    for (size_t i = 0; i < report->count; i++)
        bad += is_bad(&report->cells[i]) ? 1 : 0;
    return bad;
}

static const char *set_name(const struct cell *cell)
{
    return cell->target ? cell->target->name : "all";
}

static const char *domain_name(const struct cell *cell)
{
    if (!cell->target)
        return "both";
    if (!cell->target->has_domains)
        return "-";
    return cell->domain == LFSET_HP ? "hp" : "rcu";
}

static unsigned long cases_of(const struct cell *cell)
{
    return atomic_load(&cell->shared->cases);
}

/* ---------------------------------------------------------------- terminal */

void faults_head(FILE *out)
{
    fprintf(out, "%-10s %-7s %-6s %8s %7s  %-8s %s\n", "fault", "set", "domain", "cases", "seconds",
            "outcome", "detail");
}

void faults_row(const struct cell *cell, FILE *out)
{
    fprintf(out, "%-10s %-7s %-6s %8lu %7.1f  %-8s %s\n", cell->fault->name, set_name(cell),
            domain_name(cell), cases_of(cell), cell->seconds, outcomes[cell->outcome],
            cell->shared->detail);
}

void faults_verdict(const struct faults_report *report, FILE *out)
{
    const size_t bad = faults_bad(report);
    unsigned long cases = 0;

    for (size_t i = 0; i < report->count; i++)
        cases += cases_of(&report->cells[i]);
    if (bad == 0)
        fprintf(out, "\nfaults: all %zu rows are well (%lu cases)\n", report->count, cases);
    else
        fprintf(out, "\nfaults: %zu of %zu rows are NOT well\n", bad, report->count);
}

/* ---------------------------------------------------------------- JSON */

static json_t *json_cell(const struct cell *cell)
{
    json_t *j = json_object();

    json_object_set_new(j, "fault", json_string(cell->fault->name));
    json_object_set_new(j, "set", json_string(set_name(cell)));
    json_object_set_new(j, "domain", json_string(domain_name(cell)));
    json_object_set_new(j, "cases", json_integer((json_int_t)cases_of(cell)));
    json_object_set_new(j, "unit", json_string(cell->fault->unit));
    json_object_set_new(j, "seconds", json_real(cell->seconds));
    json_object_set_new(j, "outcome", json_string(outcomes[cell->outcome]));
    json_object_set_new(j, "detail", json_string(cell->shared->detail));
    return j;
}

int faults_json(const struct faults_report *report, const char *path)
{
    json_t *root = json_object();
    json_t *cells = json_array();

    for (size_t i = 0; i < report->count; i++)
        json_array_append_new(cells, json_cell(&report->cells[i]));
    json_object_set_new(root, "seed", json_integer((json_int_t)report->seed));
    json_object_set_new(root, "command", json_string(report->command));
    json_object_set_new(root, "quick", json_boolean(report->quick));
    json_object_set_new(root, "bad", json_integer((json_int_t)faults_bad(report)));
    json_object_set_new(root, "rows", cells);
    const int rc = json_dump_file(root, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(root);
    return rc == 0 ? 0 : -EIO;
}

/* ---------------------------------------------------------------- page */

static const char page_head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<title>lfset "
    "faults</title>\n<style>\n"
    "body{font:16px/1.5 system-ui,sans-serif;color:#222;background:#fff;max-width:80em;"
    "margin:2em auto;padding:0 1em}\n"
    "table{border-collapse:collapse;font-size:.9em;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.25em .7em;text-align:left;border-bottom:1px solid #ddd;vertical-align:top}\n"
    "th{border-bottom:2px solid #999}td:nth-child(4),td:nth-child(5){text-align:right;"
    "white-space:nowrap}\n"
    ".good{color:#0a6b2d;font-weight:600}.bad{color:#b00020;font-weight:600}\n"
    "pre{background:#f4f4f4;padding:.7em;white-space:pre-wrap}\n</style></head><body>\n"
    "<h1>lfset: faults</h1>\n";

static void html_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '<')
            fputs("&lt;", out);
        else
            fputc(*text, out);
    }
}

static void html_row(FILE *out, const struct cell *cell)
{
    fprintf(out, "<tr><td>%s</td><td>%s</td><td>%s</td><td>%lu %s</td><td>%.1f s</td>",
            cell->fault->name, set_name(cell), domain_name(cell), cases_of(cell), cell->fault->unit,
            cell->seconds);
    fprintf(out, "<td class=\"%s\">%s</td><td>", is_bad(cell) ? "bad" : "good",
            outcomes[cell->outcome]);
    html_text(out, cell->shared->detail);
    fputs("</td></tr>\n", out);
}

/* What each fault is, once, below the table. */
static void html_terms(FILE *out, const struct faults_report *report)
{
    fputs("<h2>What was done</h2>\n<dl>\n", out);
    for (size_t i = 0; i < report->count; i++) {
        const struct fault *fault = report->cells[i].fault;

        if (i > 0 && report->cells[i - 1].fault == fault)
            continue;
        fprintf(out, "<dt>%s</dt><dd>", fault->name);
        html_text(out, fault->about);
        fputs("</dd>\n", out);
    }
    fputs("</dl>\n", out);
}

int faults_html(const struct faults_report *report, const char *path)
{
    const size_t bad = faults_bad(report);
    FILE *out = fopen(path, "we");

    if (!out)
        return -errno;
    fputs(page_head, out);
    fprintf(out, "<p class=\"%s\">%zu of %zu rows are well%s.</p>\n", bad ? "bad" : "good",
            report->count - bad, report->count, report->quick ? " (a sample of the cases)" : "");
    fputs("<table><thead><tr><th>fault</th><th>set</th><th>domain</th><th>cases</th><th>time</th>"
          "<th>outcome</th><th>detail</th></tr></thead><tbody>\n",
          out);
    for (size_t i = 0; i < report->count; i++)
        html_row(out, &report->cells[i]);
    fputs("</tbody></table>\n", out);
    html_terms(out, report);
    fputs("<h2>Repeat it</h2>\n<pre>", out);
    html_text(out, report->command);
    fputs("</pre>\n</body></html>\n", out);
    const int failed = ferror(out);
    return fclose(out) != 0 || failed ? -EIO : 0;
}
