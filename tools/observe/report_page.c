// SPDX-License-Identifier: MIT
// The page: what stands out first, then pictures, then tables.
#define _GNU_SOURCE
#include "report.h"

#include "show.h"
#include "target.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { TABLE_MOST = 500, EVENTS_MOST = 100, FINDINGS_MOST = 12 };

// ---------------------------------------------------------------- text made safe

static void put_letter(char letter, FILE *out)
{
    switch (letter) {
    case '<':
        fputs("&lt;", out);
        break;
    case '>':
        fputs("&gt;", out);
        break;
    case '&':
        fputs("&amp;", out);
        break;
    case '"':
        fputs("&quot;", out);
        break;
    default:
        fputc(letter, out);
    }
}

enum { TEXT_MOST = 1024 };

static void copy_safe(const char *text, size_t size, char *copy)
{
    snprintf(copy, size, "%s", text);
    show_safe(copy);
}

void html_text(const char *text, FILE *out)
{
    char copy[TEXT_MOST];
    copy_safe(text, sizeof copy, copy);
    for (const char *at = copy; *at; at++)
        put_letter(*at, out);
}

static bool begins_letter(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80; // else it goes on with one, in UTF-8
}

void html_cut(const char *text, size_t letters, FILE *out)
{
    char copy[TEXT_MOST];
    size_t length = 0;
    copy_safe(text, sizeof copy, copy);
    for (const char *at = copy; *at; at++)
        length += begins_letter(*at);
    if (letters < 3)
        return;
    size_t room = length > letters ? letters - 1 : length;
    for (const char *at = copy; *at; at++) {
        if (begins_letter(*at) && room-- == 0)
            break;
        put_letter(*at, out);
    }
    if (length > letters)
        fputs("…", out);
}

// ---------------------------------------------------------------- the head

static const char style[] =
    ":root{color-scheme:light dark;--page:#fff;--ink:#1c2430;--soft:#5c6675;--line:#d9dee6;"
    "--card:#f6f8fb;--frame:#dfe6f0;--set:#8db8e8;--setink:#0d2440;--grow:#f2a65a;--growink:#"
    "3c1f00;"
    "--keys:#1a5fb4;--bytes:#613583;--bad:#c8102e;--warn:#b35c00;--good:#1b7f4d;--hp:#26a269}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#12161c;--ink:#e6eaf0;--soft:#9aa5b4;--line:#"
    "2c3542;"
    "--card:#1a2029;--frame:#2a3442;--set:#2f639c;--setink:#eaf3ff;--grow:#b06417;--growink:#"
    "fff3e4;"
    "--keys:#6ea8f0;--bytes:#c39be8;--bad:#ff6b7d;--warn:#f0a04b;--good:#57c98f;--hp:#57c98f}}\n"
    "*{box-sizing:border-box}body{font:15px/1.5 system-ui,sans-serif;margin:0 "
    "auto;max-width:1280px;"
    "padding:1.5em;background:var(--page);color:var(--ink)}\n"
    "h1{margin:0}h2{margin:1.8em 0 .4em;border-bottom:1px solid "
    "var(--line)}h3{margin:0;font-size:1em;"
    "overflow-wrap:anywhere}.soft,.lead{color:var(--soft)}p{margin:.3em 0 .7em}\n"
    ".tiles{display:flex;flex-wrap:wrap;gap:10px;margin:1em "
    "0}.tile{background:var(--card);border:1px solid "
    "var(--line);border-radius:8px;padding:.5em 1em;min-width:130px}.tile "
    "b{display:block;font-size:1.5em}"
    ".tile.bad b{color:var(--bad)}\n"
    ".findings{padding-left:1.2em}.findings li{margin:.25em "
    "0}.bad{color:var(--bad)}.warn{color:var(--warn)}"
    ".good{color:var(--good)}\n"
    ".cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(330px,1fr));gap:12px}"
    ".card{margin:0;background:var(--card);border:1px solid "
    "var(--line);border-radius:8px;padding:.7em}"
    ".card p{font-size:.88em;color:var(--soft);margin:0 0 .3em}.card b.grows{color:var(--warn);"
    "font-size:.85em}\n"
    "svg{width:100%;height:auto;display:block}svg text{font:12px "
    "system-ui,sans-serif;fill:var(--ink)}"
    "svg .tic{fill:var(--soft);font-size:11px}svg .grid{stroke:var(--line)}"
    "svg path{fill:none;stroke-width:2;stroke-linejoin:round}svg path.keys{stroke:var(--keys)}"
    "svg path.bytes{stroke:var(--bytes)}svg path.forecast{stroke:var(--keys);stroke-dasharray:4 4}"
    "svg path.rcu{stroke:var(--keys)}svg path.hp{stroke:var(--hp)}"
    "svg line.limit{stroke:var(--bad);stroke-dasharray:6 3}svg "
    "text.limit{fill:var(--bad);font-size:11px}\n"
    "svg.tree text{font-size:12.5px}svg .frame rect{fill:var(--frame)}svg .set "
    "rect{fill:var(--set)}"
    "svg .set text{fill:var(--setink)}svg .grows rect{fill:var(--grow)}svg .grows "
    "text{fill:var(--growink)}"
    "svg .lane{fill:var(--card)}svg .stall rect{fill:var(--bad)}svg .stay rect{fill:var(--grow)}"
    "svg .stall text{fill:var(--page);font-weight:600}svg .stay text{fill:var(--growink)}\n"
    ".legend{color:var(--soft);font-size:.9em}.legend "
    "i{display:inline-block;width:1.1em;height:.8em;"
    "border-radius:3px;margin:0 .35em 0 "
    ".8em}i.rcu{background:var(--keys)}i.hp{background:var(--hp)}"
    "i.set{background:var(--set)}i.grows{background:var(--grow)}i.frame{background:var(--frame)}"
    "i.stall{background:var(--bad)}\n"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.92em}th,td{padding:.25em "
    ".6em;"
    "text-align:right;border-bottom:1px solid var(--line);white-space:nowrap;vertical-align:top}"
    "th.l,td.l{text-align:left}td.w{white-space:normal;text-align:left;min-width:16em;"
    "overflow-wrap:anywhere}\n";

static void put_tile(const char *name, const char *value, bool is_bad, FILE *out)
{
    fprintf(out, "<div class=\"tile%s\">%s<b>%s</b></div>\n", is_bad ? " bad" : "", name, value);
}

static unsigned stalled_now(const struct report *report)
{
    unsigned count = 0;
    for (size_t i = 0; i < report->now->thread_count; i++)
        count += report->now->threads[i].stalled != 0;
    return count;
}

static double looked_for(const struct report *report)
{
    return report->moment_count < 2
               ? 0
               : target_since(report->moments[report->moment_count - 1].time_ns,
                              report->moments[0].time_ns);
}

static void put_head(const struct report *report, FILE *out)
{
    const struct lfset_observation *now = report->now;
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width\"><title>Sets of ",
          out);
    html_text(now->program, out);
    fprintf(out, "</title>\n<style>\n%s</style></head><body>\n<h1>Sets of ", style);
    html_text(now->program, out);
    fprintf(out, "</h1>\n<p class=\"lead\">process %d, lfset ", now->pid);
    html_text(now->library_version, out);
    fprintf(out, "; %s since its first set; ",
            show_seconds(target_since(target_moment(now), now->started_ns)).text);
    if (report->is_file)
        fputs("from a file", out);
    else
        fprintf(out, "%s; looked at %zu times in %s",
                !now->alive       ? "<b class=\"bad\">ended: this is its last state</b>"
                : report->stopped ? "stopped"
                                  : "running",
                report->moment_count, show_seconds(looked_for(report)).text);
    if (now->watcher_period_ns)
        fprintf(out, "; its watcher looks every %s</p>\n", show_ns(now->watcher_period_ns).text);
    else
        fputs("; it has no watcher</p>\n", out);
}

static void put_tiles(const struct report *report, FILE *out)
{
    const struct lfset_observation *now = report->now;
    uint64_t keys = 0, bytes = 0;
    char text[64];
    for (size_t i = 0; i < now->set_count; i++) {
        keys += now->sets[i].live;
        bytes += now->sets[i].bytes;
    }
    fputs("<div class=\"tiles\">\n", out);
    put_tile("sets", show_count(now->set_count).text, false, out);
    put_tile("keys", show_count(keys).text, false, out);
    put_tile("bytes", show_bytes(bytes).text, false, out);
    put_tile("not freed, RCU", show_bytes(now->garbage_bytes[LFSET_RCU]).text, false, out);
    put_tile("not freed, hazard pointers", show_bytes(now->garbage_bytes[LFSET_HP]).text, false,
             out);
    snprintf(text, sizeof text, "%u of %zu", stalled_now(report), now->thread_count);
    put_tile("threads stalled", text, stalled_now(report) > 0, out);
    put_tile("stalls so far", show_count(now->stalls).text, false, out);
    fputs("</div>\n", out);
}

// ---------------------------------------------------------------- what stands out

// Who called the library, and who called that: the first is often only a helper.
static void put_creator(const struct report *report, unsigned stack, FILE *out)
{
    const uint64_t *addresses;
    unsigned depth = lfset_observation_stack(report->now, stack, &addresses);
    depth -= frames_outer(report->frames, addresses, depth);
    unsigned inner = frames_inner(report->frames, addresses, depth);
    if (inner >= depth)
        return;
    fputs(" by ", out);
    html_text(frame_name(report->frames, addresses[inner]), out);
    if (inner + 1 < depth) {
        fputs(" in ", out);
        html_text(frame_function(report->frames, addresses[inner + 1]), out);
    }
}

static int put_stalled(const struct report *report, FILE *out)
{
    int count = 0;
    for (size_t i = 0; i < report->now->thread_count && count < FINDINGS_MOST; i++) {
        const struct lfset_thread_seen *thread = &report->now->threads[i];
        if (!thread->stalled)
            continue;
        count++;
        fprintf(out, "<li class=\"bad\">Thread %d (", thread->tid);
        html_text(thread->name, out);
        fputs(") is stalled", out);
        if (thread->section_since_ns)
            fprintf(out, ": for %s in one section",
                    show_seconds(target_since(target_moment(report->now), thread->section_since_ns))
                        .text);
        if (thread->section_site) {
            fputs(", entered at ", out);
            html_text(frame_name(report->frames, thread->section_site), out);
        }
        fputs(".</li>\n", out);
    }
    return count;
}

static int put_set_finding(const struct report *report, const struct lfset_set_seen *set, FILE *out)
{
    bool grows = report_is_growing(report, set), is_bounded = set->max_keys || set->max_bytes;
    bool fills = set->confidence > 0 && isfinite(set->to_limit);
    bool is_beyond = (set->max_keys && set->live > set->max_keys) ||
                     (set->max_bytes && set->bytes > set->max_bytes);
    if (!grows && !set->refusing && !fills && !is_beyond)
        return 0;
    fprintf(out, "<li class=\"%s\">", set->refusing ? "bad" : "warn");
    html_text(show_set(set).text, out);
    if (set->refusing)
        fputs(" refuses adds: it is at its limit", out);
    else if (is_beyond)
        fprintf(out, " is beyond its limit%s", grows ? ", and" : "");
    if (grows) {
        const struct curve *curve = report_curve(report, set->id);
        const struct point *first = &curve->points[0], *last = &curve->points[curve->count - 1];
        double seconds = target_since(last->time_ns, first->time_ns);
        fprintf(out, " grew all the time: from %s to %s keys in %s",
                show_count((uint64_t)first->keys).text, show_count((uint64_t)last->keys).text,
                show_seconds(seconds).text);
    }
    if (fills)
        fprintf(out, "%s will reach its limit in %s, confidence %.0f %%", grows ? ", and" : "",
                show_seconds(set->to_limit).text, 100 * set->confidence);
    if (!is_bounded && !set->expiry_ns)
        fputs("; nothing bounds it", out);
    fputs("; created", out);
    put_creator(report, set->created_stack, out);
    fputs(".</li>\n", out);
    return 1;
}

static int put_kept(const struct report *report, FILE *out)
{
    int count = 0;
    for (size_t i = 0; i < report->now->retired_count && count < FINDINGS_MOST; i++) {
        const struct lfset_retired_seen *retired = &report->now->retired[i];
        double age = target_since(target_moment(report->now), retired->retired_ns);
        const struct lfset_set_seen *set = lfset_observation_set(report->now, retired->set_id);
        if (retired->holder == LFSET_HELD_BY_READERS || age < 1)
            continue;
        count++;
        fprintf(out, "<li class=\"warn\">A %s of ", show_holder(retired->holder));
        html_text(set ? show_set(set).text : "a set that is gone", out);
        fprintf(out, " keeps %s bytes for %s", show_bytes(retired->bytes).text,
                show_seconds(age).text);
        fputs("; taken", out);
        put_creator(report, retired->stack, out);
        fputs(".</li>\n", out);
    }
    return count;
}

static void put_findings(const struct report *report, FILE *out)
{
    int count;
    fputs("<h2>What stands out</h2>\n<ul class=\"findings\">\n", out);
    count = put_stalled(report, out);
    for (size_t i = 0; i < report->now->set_count && count < 2 * FINDINGS_MOST; i++)
        count += put_set_finding(report, report->sets[i], out);
    count += put_kept(report, out);
    if (count == 0)
        fputs("<li class=\"good\">Nothing: no set grew all the time, no reader is stalled.</li>\n",
              out);
    fputs("</ul>\n", out);
}

// ---------------------------------------------------------------- tables

static void put_limits(const struct lfset_set_seen *set, FILE *out)
{
    const struct {
        uint64_t value;
        const char *before, *after;
        struct shown (*shown)(uint64_t);
    } limits[] = {
        {set->max_keys, "", " keys", show_count},    {set->max_bytes, "", " bytes", show_bytes},
        {set->max_rate, "+", " keys/s", show_count}, {set->idle_timeout_ns, "idle ", "", show_ns},
        {set->expiry_ns, "expiry ", "", show_ns},
    };
    const char *between = "";
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        if (limits[i].value == 0)
            continue;
        fprintf(out, "%s%s%s%s", between, limits[i].before, limits[i].shown(limits[i].value).text,
                limits[i].after);
        between = ", ";
    }
    if (*between)
        fprintf(out, " (%s)", show_strategy(set->strategy));
    else
        fputs("none", out);
}

static void put_sets(const struct report *report, FILE *out)
{
    size_t shown = report->now->set_count < TABLE_MOST ? report->now->set_count : TABLE_MOST;
    fputs(
        "<h2>All sets</h2>\n<div class=\"scroll\"><table><tr><th class=\"l\">set</th><th>kind</th>"
        "<th>domain</th><th>keys</th><th>slots</th><th>bytes</th><th>retired</th><th>adds</th>"
        "<th>removes</th><th>reads</th><th>grown</th><th>age</th><th>changed</th>"
        "<th class=\"l\">limits</th></tr>\n",
        out);
    for (size_t i = 0; i < shown; i++) {
        const struct lfset_set_seen *set = report->sets[i];
        uint64_t moment = target_moment(report->now);
        fputs("<tr><td class=\"l\">", out);
        html_text(show_set(set).text, out);
        fprintf(out, "</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td>",
                show_kind(set->kind), show_domain(set->domain), show_count(set->live).text,
                show_count(set->capacity).text, show_bytes(set->bytes).text,
                show_bytes(set->retired_bytes).text);
        if (set->counted)
            fprintf(out, "<td>%s</td><td>%s</td><td>%s</td>", show_count(set->adds).text,
                    show_count(set->removes).text, show_count(set->hits + set->misses).text);
        else
            fputs("<td colspan=\"3\" class=\"soft\">not counted</td>", out);
        fprintf(out, "<td>%" PRIu64 "</td><td>%s</td><td>%s ago</td><td class=\"l\">", set->grows,
                show_seconds(target_since(moment, set->created_ns)).text,
                show_seconds(target_since(moment, set->changed_ns)).text);
        put_limits(set, out);
        fputs("</td></tr>\n", out);
    }
    fputs("</table></div>\n", out);
    if (shown < report->now->set_count)
        fprintf(out, "<p class=\"soft\">The %zu largest of %zu.</p>\n", shown,
                report->now->set_count);
}

static void put_events(const struct report *report, FILE *out)
{
    const struct lfset_observation *now = report->now;
    fputs("<h2>Events</h2>\n", out);
    if (now->event_count == 0) {
        fputs("<p class=\"good\">None.</p>\n", out);
        return;
    }
    size_t first = now->event_count > EVENTS_MOST ? now->event_count - EVENTS_MOST : 0;
    fprintf(out,
            "<p class=\"soft\">The last %zu of %" PRIu64 ".</p>\n<div class=\"scroll\"><table><tr>"
            "<th>time</th><th class=\"l\">kind</th><th class=\"l\">what</th></tr>\n",
            now->event_count - first, now->events_total);
    for (size_t i = now->event_count; i-- > first;) {
        const struct lfset_event *event = &now->events[i];
        fprintf(out, "<tr><td>%s</td><td class=\"l %s\">%s</td><td class=\"w\">",
                show_clock(event->time_ns).text,
                event->severity == LFSET_ERROR     ? "bad"
                : event->severity == LFSET_WARNING ? "warn"
                                                   : "soft",
                show_event_kind(event->kind));
        html_text(event->text, out);
        fputs("</td></tr>\n", out);
    }
    fputs("</table></div>\n", out);
}

static void put_foot(const struct report *report, FILE *out)
{
    const struct lfset_observation *now = report->now;
    if (now->sets_unlisted || now->stacks_lost || now->threads_unlisted || now->retired_unlisted ||
        now->samples_lost)
        fprintf(out,
                "<p class=\"warn\">The registry had no room for %" PRIu64 " sets, %" PRIu64
                " stacks, %" PRIu64 " threads, %" PRIu64 " retired objects, %" PRIu64
                " samples: these are missing here.</p>\n",
                now->sets_unlisted, now->stacks_lost, now->threads_unlisted, now->retired_unlisted,
                now->samples_lost);
    fputs("<p class=\"soft\">Bytes are those of slices, keys, removed keys and what is retired, as "
          "far as "
          "they are estimated; keys of sets that do not count operations are estimates, too. Sizes "
          "are "
          "multiples of 1024. Made by lfset report.</p>\n</body></html>\n",
          out);
}

int report_page(const struct report *report, FILE *out)
{
    put_head(report, out);
    put_tiles(report, out);
    put_findings(report, out);
    fputs("<h2>Who created what</h2>\n<p class=\"lead\">From the program down: the functions that "
          "led to the "
          "creation of sets, and the sets. As wide as their bytes (the smallest a little wider, to "
          "be seen)."
          "</p>\n<p class=\"legend\"><i class=\"frame\"></i>function<i class=\"set\"></i>set<i "
          "class=\"grows\"></i>set that grew all the time</p>\n",
          out);
    if (report_tree(report, out) != 0)
        return -1;
    fputs("<h2>Growth</h2>\n<p class=\"lead\">Keys, and below them bytes. Dashed: the watcher's "
          "forecast; red: "
          "the limit that the set was given.</p>\n",
          out);
    report_growth(report, out);
    fputs("<h2>Readers that stay</h2>\n<p class=\"lead\">A row for each thread. While one is in a "
          "section of "
          "RCU, nothing that is retired meanwhile can be freed.</p>\n<p class=\"legend\"><i "
          "class=\"stall\"></i>reported as stalled<i class=\"grows\"></i>in one section from look "
          "to look"
          "</p>\n",
          out);
    if (report_stalls(report, out) != 0)
        return -1;
    fputs("<h2>Retired and not freed</h2>\n", out);
    if (report->moment_count < 2)
        fputs("<p class=\"soft\">One look only: no curve.</p>\n", out);
    report_retired(report, out);
    put_sets(report, out);
    put_events(report, out);
    put_foot(report, out);
    return 0;
}
