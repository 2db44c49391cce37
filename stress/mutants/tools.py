# SPDX-License-Identifier: MIT
"""The tools that look for a mutant: what they run, and how what they print is read."""
import dataclasses
import os
import re
import shlex
import subprocess
import time

import workspace

NAMES = ("explore", "stress", "litmus", "tsan", "unit")
# What a run may take on top of its own bound before it counts as a hang, on a busy machine.
GRACE = 60
# 0 nothing found, 3 undecided, 77 cannot be tried here.
CLEAN = (0, 3, 77)


class ToolError(Exception):
    """A tool did not take its arguments."""


@dataclasses.dataclass
class Bounds:
    runs: int       # schedules of each set and domain ...
    explore_seconds: int  # ... and what they may take
    seconds: float  # of the stress of each set and domain, and of each litmus program
    seed: int


@dataclasses.dataclass
class Run:
    """One program on one mutant."""
    tool: str
    subject: str    # "u64 hp", or the litmus program
    command: list
    limit: float
    environment: dict = dataclasses.field(default_factory=dict)
    caught: bool = False
    message: str = ""
    schedules: int = None
    milliseconds: int = None
    started: bool = False


def _stress(mutant, bounds, program, extra, tool, environment=None):
    for kind in mutant.sets:
        for domain in mutant.domains:
            command = [program, "--set", kind, "--domain", domain, "--seconds", str(bounds.seconds),
                       "--seed", str(bounds.seed), "--hang", "20", "--history",
                       f"{tool}-{kind}-{domain}.history", *shlex.split(extra)]
            yield Run(tool, f"{kind} {domain}", command, bounds.seconds + 20 + GRACE,
                      environment or {})


def plan(tool, mutant, bounds):
    """The runs of a tool, in order."""
    if tool == "explore":
        for kind in mutant.sets:
            for domain in mutant.domains:
                command = ["out/lfset-explore", "--set", kind, "--domain", domain, "--runs",
                           str(bounds.runs), "--seconds", str(bounds.explore_seconds), "--seed",
                           str(bounds.seed), "--quiet", "--no-shrink", *shlex.split(mutant.explore)]
                yield Run(tool, f"{kind} {domain}", command, bounds.explore_seconds + GRACE)
    elif tool == "stress":
        yield from _stress(mutant, bounds, "out/lfset-stress", mutant.stress, tool)
    elif tool == "litmus" and "u64" in mutant.sets:
        for name in workspace.LITMUS:
            command = [f"out/litmus/{name}", "--seconds", str(bounds.seconds), "--seed",
                       str(bounds.seed + 1)]
            yield Run(tool, name, command, bounds.seconds + GRACE)
        for name in workspace.SHORT_LITMUS:
            yield Run(tool, name, [f"out/litmus/{name}"], GRACE)
    elif tool == "tsan" and mutant.tsan is not None:
        options = {"TSAN_OPTIONS": "halt_on_error=1"}
        if "u64" in mutant.sets:
            for name in workspace.TSAN_LITMUS:
                command = [f"out/thread/litmus/{name}", "--seconds", str(bounds.seconds), "--seed",
                           str(bounds.seed + 1)]
                yield Run(tool, name, command, bounds.seconds + GRACE, options)
        yield from _stress(mutant, bounds, "out/thread/lfset-stress",
                           f"--round-ops 1000 {mutant.tsan}", tool, options)
    elif tool == "unit":
        for unit in mutant.unit:
            name, *arguments = shlex.split(unit)
            yield Run(tool, name, [f"out/test/unit/{name}", "--tap", "-j2", *arguments], 60 + GRACE)


def targets(tool, mutant):
    """What make must build for it."""
    if tool == "unit":
        return [f"out/test/unit/{unit.split()[0]}" for unit in mutant.unit]
    if tool == "litmus" and "u64" not in mutant.sets or tool == "tsan" and mutant.tsan is None:
        return []
    return workspace.TARGETS[tool]


def _first(pattern, text):
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else ""


def _race(text):
    """What was found, and the first function of the library's in its stack."""
    what = _first(r"^WARNING: ThreadSanitizer: (.*?)(?: \(pid=.*)?$", text)
    where = _first(r"^ +#\d+ (lfset_\S+ \S+|[a-z]\S* lib/\S+)", text) or _first(r"^ +#0 (.*)", text)
    where = re.sub(r" *[(]\S*[)]$", "", where)
    return f"{what} in {where}" if what else ""


def _message(run, text, status):
    if run.tool == "explore":
        said = _first(r"^FAILURE: (.*)", text)
    elif run.tool == "unit":
        said = _first(r"^not ok - (.*)", text)
    else:
        said = _race(text)
        said = said or _first(r"^ *\d+  (.*FORBIDDEN)", text)
        for pattern in (r"^violation: (.*)", r"^failure: (.*)", r"^(.*(?:hang|stuck|took longer).*)$",
                        r"^linearizable: (NO)"):
            said = said or _first(pattern, text)
    if said:
        return said
    if status < 0:
        return f"ended by signal {-status}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit status {status}"


def perform(run, place):
    """Runs it. What is not a clean end counts as caught."""
    run.started = True
    start = time.monotonic()
    try:
        done = subprocess.run(run.command, cwd=place, env=os.environ | run.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=run.limit, check=False)
        text, status = done.stdout, done.returncode
    except subprocess.TimeoutExpired:
        text, status = "", None
    run.milliseconds = round((time.monotonic() - start) * 1000)
    count = _first(r"^after (\d+) schedules", text) or _first(r"^(\d+) schedules, no failure", text)
    run.schedules = int(count) if count else None
    if status == 2:
        raise ToolError(f"{' '.join(run.command)}: {_message(run, text, status)}")
    if status is None:
        run.caught, run.message = True, f"hangs: nothing after {run.limit:.0f} s"
    elif status not in CLEAN:
        run.caught, run.message = True, _message(run, text, status)
    return run
