#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds the library with deliberate defects, one at a time, and sees which tools find them.

The defects are in mutants.toml. First the unmutated library goes through the same runs, and must be
clean: else what is found in mutants means nothing. A mutant is tried with every tool, on the sets and
domains that its entry names; a tool stops at its first find. The unit tests that an entry names are
tried last, when no tool found anything, and ThreadSanitizer where the entry asks for it.
"""
import argparse
import concurrent.futures
import os
import sys
import time

sys.dont_write_bytecode = True  # the tree stays as it is

import report  # noqa: E402 (the line above goes first)
import table  # noqa: E402
import tools  # noqa: E402
import workspace  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))

EXIT_ALL_CAUGHT, EXIT_NOT_CAUGHT, EXIT_USAGE, EXIT_UNDECIDED = range(4)


def numbers(text):
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"\"{text}\" is no list of numbers") from None


def tool_names(text):
    names = text.split(",")
    for name in names:
        if name not in tools.NAMES:
            raise argparse.ArgumentTypeError(f"\"{name}\" is none of {', '.join(tools.NAMES)}")
    return names


def positive(kind):
    def parse(text):
        value = kind(text)
        if not value > 0:
            raise ValueError
        return value
    parse.__name__ = f"positive {kind.__name__}"
    return parse


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit status: 0 all caught, 1 some mutant not caught, 2 usage or a table that does not "
               "fit the tree, 3 undecided: the unmutated library was not clean.")
    parser.add_argument("--only", type=numbers, metavar="N,N", help="these mutants (default: all)")
    parser.add_argument("--tools", type=tool_names, metavar="TOOL,TOOL", default=list(tools.NAMES),
                        help=f"of {', '.join(tools.NAMES)} (default: all)")
    parser.add_argument("--first", action="store_true",
                        help="go on to the next mutant when one tool has caught it")
    parser.add_argument("--jobs", type=positive(int), default=os.cpu_count() or 1, metavar="N",
                        help="compilers and explorers at a time (default: one a processor); stress and "
                             "litmus run alone")
    parser.add_argument("--runs", type=positive(int), default=300000, metavar="N",
                        help="schedules of each set and domain (default %(default)s)")
    parser.add_argument("--explore-seconds", type=positive(int), default=90, metavar="S",
                        help="at most so long for them (default %(default)s)")
    parser.add_argument("--seconds", type=positive(float), default=3, metavar="S",
                        help="of stress for each set and domain, and of each litmus program (default "
                             "%(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N",
                        help="of all tools (default %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="the results, for programs")
    parser.add_argument("--html", metavar="FILE", help="the results, as a page")
    parser.add_argument("--list", action="store_true", help="print the table and end")
    parser.add_argument("--check", action="store_true",
                        help="only see whether every entry fits the tree")
    parser.add_argument("--keep", action="store_true", help="keep the mutants' directories")
    parser.add_argument("--directory", metavar="DIR", default=os.path.join(TREE, "build", "mutants"),
                        help="build there (default: build/mutants)")
    parser.add_argument("--table", metavar="FILE", default=os.path.join(HERE, "mutants.toml"),
                        help="another table")
    arguments = parser.parse_args()
    if arguments.seed < 0:
        parser.error("--seed wants a number that is not negative")
    return arguments


class Progress:
    """How far it is, on a terminal only."""

    def __init__(self, total):
        self.total, self.done, self.start = total, 0, time.monotonic()
        self.shown = sys.stderr.isatty()

    def tell(self, what):
        if not self.shown:
            return
        left = ""
        if self.done:
            seconds = (time.monotonic() - self.start) / self.done * (self.total - self.done)
            left = f", {seconds / 60:.0f} min left"
        print(f"\r\033[K[{self.done}/{self.total}{left}] {what}", end="", file=sys.stderr, flush=True)

    def clear(self):
        if self.shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def try_tool(result, tool, place, bounds, jobs, progress, keep_going):
    """Runs of one tool until one catches it; all of them when keep_going."""
    runs = tools.plan(tool, result.mutant, bounds)
    together = jobs if tool == "explore" else 1
    while batch := [run for _, run in zip(range(together), runs)]:
        progress.tell(f"{result.mutant.number} {result.mutant.name}: {tool} "
                      f"{', '.join(run.subject for run in batch)}")
        result.runs += batch
        with concurrent.futures.ThreadPoolExecutor(together) as pool:
            list(pool.map(lambda run: tools.perform(run, place), batch))
        if any(run.caught for run in batch) and not keep_going:
            return


def try_mutant(mutant, space, arguments, bounds, progress):
    result = report.Result(mutant)
    start = time.monotonic()
    place = None
    try:
        before = {name: workspace.read_text(space.base, name) for name in mutant.files}
        result.texts = {name: (before[name], text) for name, text in
                        table.apply(mutant, before.__getitem__).items()}
        place = space.make_place(mutant)
        for tool in arguments.tools:
            if tool == "unit" and result.caught:
                continue
            progress.tell(f"{mutant.number} {mutant.name}: building for {tool}")
            space.make(place, tools.targets(tool, mutant))
            try_tool(result, tool, place, bounds, arguments.jobs, progress, False)
            if arguments.first and result.caught:
                break
    except workspace.BuildError as error:
        result.error = str(error)
    finally:
        if place and not arguments.keep:
            space.forget(place)
    result.seconds = time.monotonic() - start
    return result


def control_of(mutants):
    """The unmutated library, tried on all that mutants are tried on."""
    kinds = [kind for kind in table.SETS if any(kind in m.sets for m in mutants)]
    domains = [d for d in table.DOMAINS if any(d in m.domains for m in mutants)]
    tsan = "" if any(m.tsan is not None for m in mutants) else None
    units = sorted({name for m in mutants for name in m.unit})
    return table.Mutant(0, "unmutated", "", [], kinds, domains, tsan=tsan, unit=units)


def try_control(mutants, space, arguments, bounds, progress):
    """Also with the arguments of its own that an entry has."""
    mutant = control_of(mutants)
    result = report.Result(mutant)
    for tool in arguments.tools:
        try_tool(result, tool, space.base, bounds, arguments.jobs, progress, True)
        own = {(getattr(m, tool), tuple(m.sets), tuple(m.domains)) for m in mutants
               if getattr(m, tool, None) and tool != "unit"}
        for extra, kinds, domains in sorted(own):
            special = report.Result(table.Mutant(0, "unmutated", "", [], list(kinds), list(domains)))
            setattr(special.mutant, tool, extra)
            try_tool(special, tool, space.base, bounds, arguments.jobs, progress, True)
            result.runs += special.runs
    return result


def run(arguments, mutants):
    """@return the exit status."""
    start = time.monotonic()
    space = workspace.Workspace(TREE, arguments.directory, arguments.jobs)
    bounds = tools.Bounds(arguments.runs, arguments.explore_seconds, arguments.seconds, arguments.seed)
    progress = Progress(len(mutants))
    print(f"seed {arguments.seed}, {arguments.runs} schedules and {arguments.seconds:g} s of stress for "
          f"each set and domain", flush=True)
    control = report.Result(control_of(mutants))
    results = []
    progress.tell("building the unmutated library")
    try:
        space.make_base(sorted({t for tool in arguments.tools
                                for t in tools.targets(tool, control.mutant)}))
    except workspace.BuildError as error:
        progress.clear()
        print(f"run.py: the unmutated library does not build:\n{error}", file=sys.stderr)
        return EXIT_UNDECIDED
    control = try_control(mutants, space, arguments, bounds, progress)
    progress.clear()
    report.print_row(control)
    if control.caught:
        print("run.py: the unmutated library is not clean: nothing can be said of mutants",
              file=sys.stderr)
        return EXIT_UNDECIDED
    progress.start = time.monotonic()
    for mutant in mutants:
        results.append(try_mutant(mutant, space, arguments, bounds, progress))
        progress.done += 1
        progress.clear()
        report.print_row(results[-1])
        head = {"seed": arguments.seed, "schedules": arguments.runs, "seconds": arguments.seconds,
                "took": f"{time.monotonic() - start:.0f} s"}
        if arguments.json:
            report.write_json(arguments.json, head, control, results)
        if arguments.html:
            report.write_html(arguments.html, head, control, results)
    report.print_summary(results)
    print(f"{time.monotonic() - start:.0f} s in all")
    if any(result.error for result in results):
        return EXIT_USAGE
    return EXIT_ALL_CAUGHT if all(result.caught for result in results) else EXIT_NOT_CAUGHT


def main():
    arguments = parse_arguments()
    try:
        mutants = table.load(arguments.table)
        if arguments.only:
            known = {mutant.number for mutant in mutants}
            for number in arguments.only:
                if number not in known:
                    raise table.TableError(f"{arguments.table}: there is no mutant {number}")
            mutants = [mutant for mutant in mutants if mutant.number in arguments.only]
        if arguments.list:
            for mutant in mutants:
                print(f"{mutant.number:4d}  {mutant.name}  [{', '.join(mutant.sets)}; "
                      f"{', '.join(mutant.domains)}] {', '.join(mutant.files)}")
            return EXIT_ALL_CAUGHT
        misfits = table.misfits(mutants, lambda name: workspace.read_text(TREE, name))
        for misfit in misfits:
            print(f"run.py: {misfit}", file=sys.stderr)
        if misfits:
            return EXIT_USAGE
        if arguments.check:
            print(f"{len(mutants)} mutants fit the tree")
            return EXIT_ALL_CAUGHT
        return run(arguments, mutants)
    except (table.TableError, tools.ToolError) as error:
        print(f"run.py: {error}", file=sys.stderr)
        return EXIT_USAGE
    except OSError as error:
        print(f"run.py: {error.filename}: {error.strerror}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
