#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lfset lint: sets that will be hard to keep in check, found in C sources.

Coccinelle (spatch) reads the sources: tools/lint/facts.cocci says what is asked of it. Here its facts are
put together to findings.
"""
import argparse
import concurrent.futures
import difflib
import json
import os
import shutil
import subprocess
import sys
import tempfile

CLEAN, FINDINGS, UNREADABLE = 0, 1, 2

CHECKS = {
    "unbounded": "a set without a limit, an idle timeout or an expiry",
    "unnamed": "a set without a name, which tools cannot tell from others",
    "unowned": "a set that is not destroyed, kept or handed on, always or on some path",
    "snapshot": "a snapshot that is not destroyed, always or on some path",
    "open-section": "a section that is left open on some path",
    "blocking": "a call inside a section that may block",
}
HERE = os.path.dirname(os.path.realpath(__file__))
DATA = HERE if os.path.exists(os.path.join(HERE, "facts.cocci")) else os.path.join(HERE, "lint")


def complain(text):
    print(f"lfset lint: {text}", file=sys.stderr)


class Unreadable(Exception):
    pass


# ---------------------------------------------------------------- what spatch says
def spatch(script, file, options, more=(), environment=None):
    command = ["spatch", "--quiet", "--no-includes", "--verbose-parsing",
               "--macro-file", options.all_macros, "--sp-file", os.path.join(DATA, script), *more, file]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace",
                              timeout=options.timeout, env=environment)
    except subprocess.TimeoutExpired:
        raise Unreadable(f"{file}: spatch was not done after {options.timeout} seconds (--timeout)")
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"it exits with {done.returncode}"]
        raise Unreadable(f"{file}: spatch fails: {lines[-1]}")
    return done


def lines_of(file):
    try:
        with open(file, encoding="utf-8", errors="replace") as source:
            return source.read().splitlines()
    except OSError as error:
        raise Unreadable(f"{file}: {error.strerror}")


def skipped_parts(stderr, lines):
    """Where spatch gave up, as (line, line): functions that it did not read, and in which sets are used."""
    block = []
    for text in stderr.splitlines() + ["end"]:
        if text.startswith(("bad: ", "BAD:!!!!! ")):
            block.append(text.split(" ", 1)[1])
            continue
        if any("lfset_" in line for line in block):
            for first in range(len(lines) - len(block) + 1):
                if lines[first:first + len(block)] == block:
                    while not lines[first].strip(" }"):  # of the function before it
                        first, block = first + 1, block[1:]
                    yield first + 1, first + len(block)
                    break
        block = []


# ---------------------------------------------------------------- findings
class Facts:
    """Of one file. Places are tuples; a variable is one of a function, so it is looked for by both."""

    def __init__(self, output):
        self.all = {}
        for line in output.splitlines():
            if not line.startswith("["):
                continue
            name, place, *more = json.loads(line)
            more = [tuple(item) if isinstance(item, list) else item for item in more]
            fact = (tuple(place) if place else None, *more)
            facts = self.all.setdefault(name, [])
            if fact not in facts:
                facts.append(fact)

    def of(self, name):
        return self.all.get(name, [])

    def at(self, name, place):
        """What the fact says of this place: a list of tuples without the place."""
        return [fact[1:] for fact in self.of(name) if fact[0] == place]

    def variable(self, name, function, variable):
        """Whether there is such a fact of a function's variable."""
        return any(fact[0][1] == function and fact[-1] == variable for fact in self.of(name))


def finding(check, place, what, why, change, **more):
    return {"check": check, "file": place[0], "function": place[1], "line": place[2],
            "column": place[3] + 1, "what": what, "why": why, "change": change, **more}


def is_of_file(facts, variable):
    return any(fact[0][1] == variable == fact[1] for fact in facts.of("declared"))


def is_unnamed(facts, place):
    if facts.at("named", place):
        return False
    if facts.at("default options", place) or facts.at("literal options", place):
        return True
    for (variable,) in facts.at("options", place):
        if facts.variable("given", place[1], variable):
            return False
        if facts.at("own options", place):
            return True
        if is_of_file(facts, variable):
            return (None, variable) not in facts.of("named variable")
    return False  # made elsewhere


def has_limits(facts, place, observe):
    """Whether what options.observe was set to may have a limit."""
    variable = observe[2:] if observe.startswith("& ") else ""
    for function in (place[1], variable):  # of the function, of the file
        if facts.variable("declared", function, variable) and not facts.variable("given", function, variable):
            return facts.variable("limited", function, variable)
    return True  # made elsewhere


def is_unbounded(facts, place):
    """None, or why."""
    nothing, no_limit = "nothing limits it", "what observes it has no limit"
    observes = [observe for (observe,) in facts.at("observed", place)]
    if not observes:
        if facts.at("default options", place) or facts.at("literal options", place):
            return nothing
        for (variable,) in facts.at("options", place):
            if facts.variable("given", place[1], variable):
                return None
            if is_of_file(facts, variable):
                observes += [fact[2] for fact in facts.of("observed variable") if fact[1] == variable]
                if not observes:
                    return nothing
            elif facts.at("own options", place):
                return nothing
    if observes and not any(has_limits(facts, place, observe) for observe in observes):
        return no_limit
    return None


def of_options(facts, place):
    """The variable, and what a change needs to know of it: nothing unless it is the function's own."""
    for (variable,) in facts.at("own options", place):
        return variable, {"options": variable}
    for (variable,) in facts.at("options", place):
        return variable, {}
    return "options", {}


def findings_of_options(facts):
    for place, function, _ in facts.of("create"):
        options, more = of_options(facts, place)
        why = is_unbounded(facts, place)
        if why:
            yield finding("unbounded", place, f"this set may grow for ever: {why}",
                          "a set that nobody empties is the commonest leak",
                          "struct lfset_observe limits = LFSET_OBSERVE_INIT; limits.max_keys = ...; "
                          f"{options}.observe = &limits;", **more)
        if is_unnamed(facts, place):
            yield finding("unnamed", place, "this set has no name",
                          "lfset ps, top and the metrics cannot tell it from others",
                          f"{options}.name = \"...\";", **more)


def given_back_at_once(facts, place, backs):
    """Whether one expression both acquires it and gives it back: `enter() == 0 && ... && leave() == 0`."""
    def within(inner, outer):
        return outer[:2] == inner[:2] and outer[2:4] <= inner[2:4] and inner[4:6] <= outer[4:6]
    return any(within(place, whole) and within(back[0], whole)
               for (whole,) in facts.of("whole") for back in backs)


def destroyer(facts, place, variable):
    for fact in facts.of("pointer"):
        if fact[0][1] == place[1] and fact[1] == variable:
            return fact[2] + "_destroy"
    return None


def findings_of_owners(facts):
    for place, _, variable in facts.of("acquired"):
        function = place[1]
        destroy = destroyer(facts, place, variable)
        if not destroy or facts.variable("kept", function, variable):
            continue
        snapshot = destroy.endswith("_snapshot_destroy")
        check, noun = ("snapshot", "snapshot") if snapshot else ("unowned", "set")
        why = "it holds memory of its set as long as it lives" if snapshot else "nobody can empty it later"
        given_back = (facts.variable("destroyed", function, variable) or
                      facts.variable("returned", function, variable))
        if not given_back:
            yield finding(check, place, f"the {noun} '{variable}' is never destroyed, returned or kept", why,
                          f"{destroy}({variable}); or keep the pointer")
            continue
        returns = {fact[0] for fact in facts.of("returned") if fact[1] == variable}
        for leaves, lost in facts.at("lost", place):
            if lost == variable and leaves not in returns and not given_back_at_once(
                    facts, place, facts.of("destroyed")):
                yield finding(check, leaves,
                              f"returns without destroying the {noun} '{variable}' of line {place[2]}", why,
                              f"{destroy}({variable}); before it",
                              back=f"{destroy}({variable})")


def findings_of_sections(facts):
    for place, leaves in facts.of("left open"):
        if given_back_at_once(facts, place, facts.of("left")):
            continue
        yield finding("open-section", leaves, f"returns with the section of line {place[2]} open",
                      "what is retired meanwhile waits for its end",
                      "lfset_section_leave(); before it", back="lfset_section_leave()")
    for place, at, name in facts.of("blocks"):
        yield finding("blocking", at, f"{name} may block inside the section of line {place[2]}",
                      "what is retired meanwhile waits for its end",
                      f"lfset_section_leave(); before it")


def suppressed(found, lines):
    """Whether a comment on its line wants no such finding, and says why."""
    text = lines[found["line"] - 1] if found["line"] <= len(lines) else ""
    for comment in text.split("lfset-lint:")[1:]:
        words = comment.split("*/")[0].replace(":", " ").split()
        if words[:1] == [found["check"]]:
            if len(words) > 1:
                return True
            found["what"] += " (the comment that would allow it gives no reason)"
    return False


def look(file, options):
    """@return (findings, notes)"""
    lines = lines_of(file)
    done = spatch("facts.cocci", file, options)
    facts = Facts(done.stdout)
    found = [f for find in (findings_of_options, findings_of_owners, findings_of_sections)
             for f in find(facts) if f["check"] in options.checks]
    found = [f for i, f in enumerate(found) if f not in found[:i] and not suppressed(f, lines)]
    found.sort(key=lambda f: (f["line"], f["column"], list(CHECKS).index(f["check"])))
    notes = [{"file": file, "line": first, "last_line": last} for first, last in skipped_parts(done.stderr, lines)]
    return found, notes


# ---------------------------------------------------------------- changes
def changes(file, options):
    """A unified diff that does what the findings suggest, as far as spatch can do it; '' when it cannot."""
    with tempfile.TemporaryDirectory() as directory:
        copy, made = (os.path.join(directory, name) for name in ("copy.c", "made.c"))
        shutil.copyfile(file, copy)
        for kind, key in (("back", "back"), ("names", "options"), ("limits", "options")):
            fixes = [f for f in look(copy, options)[0] if key in f]  # anew: the lines have moved
            asked = os.path.join(directory, "fixes.json")
            with open(asked, "w") as to:
                json.dump(fixes, to)
            if fixes:
                spatch("fix.cocci", copy, options, ["-D", kind, "-o", made],
                       {**os.environ, "LFSET_LINT_FIXES": asked})
                if os.path.exists(made):
                    os.replace(made, copy)
        return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"
                       for line in difflib.unified_diff(text_of(file), text_of(copy), f"a/{file}", f"b/{file}"))


def text_of(file):
    with open(file, encoding="utf-8", errors="replace") as source:
        return source.readlines()


# ---------------------------------------------------------------- command
def parse_arguments():
    checks = "\n".join(f"  {name:14}{text}" for name, text in CHECKS.items())
    parser = argparse.ArgumentParser(
        prog="lfset lint", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Finds sets in C sources that will be hard to keep in check.",
        epilog=f"checks:\n{checks}\n\nA finding is allowed by a comment on its line, with a reason:\n"
               "  /* lfset-lint: unbounded: at most one entry a user */\n\n"
               "Exit status: 0 nothing found, 1 findings, 2 wrong options or unreadable files.")
    parser.add_argument("files", metavar="FILE", nargs="+", help="a C source")
    parser.add_argument("--checks", metavar="NAME,...", default=",".join(CHECKS), help="only these")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--diff", action="store_true", help="print the suggested changes as a unified diff")
    parser.add_argument("--macros", metavar="FILE", action="append", default=[],
                        help="#defines of macros that spatch cannot read without")
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=60, help="for one file (60)")
    parser.add_argument("-j", "--jobs", metavar="N", type=int, default=len(os.sched_getaffinity(0)),
                        help="files at once (one a processor)")
    options = parser.parse_args()
    options.checks = options.checks.split(",")
    for check in options.checks:
        if check not in CHECKS:
            parser.error(f"no check '{check}'; there are {', '.join(CHECKS)}")
    if options.jobs < 1 or options.timeout <= 0:
        parser.error("--jobs and --timeout must be positive")
    if options.json and options.diff:
        parser.error("--json or --diff")
    return options


def print_text(found):
    for f in found:
        print(f"{f['file']}:{f['line']}:{f['column']}: {f['check']}: {f['what']}: {f['why']}")
        print(f"    suggestion: {f['change']}")


def lint(options):
    unreadable, found, notes, diffs = [], [], [], []

    def work(file):
        in_file, skipped = look(file, options)
        return in_file, skipped, changes(file, options) if options.diff and in_file else ""

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for future in [pool.submit(work, file) for file in options.files]:
            try:
                in_file, skipped, diff = future.result()
                found += in_file
                notes += skipped
                diffs.append(diff)
            except Unreadable as error:
                unreadable.append(str(error))
    if options.json:
        shown = [{k: v for k, v in f.items() if k not in ("options", "back")} for f in found]
        print(json.dumps({"findings": shown, "not_read": notes, "unreadable": unreadable}, indent=2))
    elif options.diff:
        print("".join(diffs), end="")
    else:
        print_text(found)
    for file in dict.fromkeys(note["file"] for note in notes):
        of_file = [note for note in notes if note["file"] == file]
        complain(f"{file}:{of_file[0]['line']}: {len(of_file)} function(s) that use sets could not be read, the first "
                 f"on lines {of_file[0]['line']} to {of_file[0]['last_line']}: a macro that must be known? (--macros)")
    for text in unreadable:
        complain(text)
    return UNREADABLE if unreadable or notes else FINDINGS if found else CLEAN


def main():
    options = parse_arguments()
    if not shutil.which("spatch"):
        complain("spatch is not installed (Debian's package coccinelle)")
        return UNREADABLE
    with tempfile.NamedTemporaryFile("w", suffix=".h") as macros:  # spatch reads one file of them
        try:
            for file in [os.path.join(DATA, "macros.h")] + options.macros:
                macros.write("\n".join(lines_of(file)) + "\n")
        except Unreadable as error:
            complain(error)
            return UNREADABLE
        macros.flush()
        options.all_macros = macros.name
        return lint(options)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        sys.exit(FINDINGS)
