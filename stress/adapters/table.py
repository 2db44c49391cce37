#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Stresses every adapter of a build and prints a table: what each set promises, whether it keeps that,
and which of its operations on the whole set are linearizable all the same.

Exit status: 0, each set did as is known of it (those that are wrong on purpose were caught); 1, one
did not; 2, bad usage.
"""
import argparse
import json
import os
import subprocess
import sys

WRONG_ON_PURPOSE = {"broken", "example"}
MAY_BE_WRONG = {"xenium_vyukov": "an update returns before others can see it (its .cc says why)"}
KINDS = ("size", "is_empty", "each", "clear")
USAGE, UNDECIDED = 2, 3
FORM = "{:<18} {:<19} {:<9} {:>10} {:<9} {:<14} {:<14} {:<14} {:<14} {:>6} {:>7}"


def stress(arguments, adapter):
    """The results of one run; None when there are none."""
    base = os.path.join(arguments.build, "adapters", adapter)
    command = [os.path.join(arguments.build, "lfset-stress"), "--target", base + ".so",
               "--seconds", str(arguments.seconds), "--seed", str(arguments.seed),
               "--history", base + ".history", "--json", base + ".json",
               "--churn-threads", "--stall"]
    with open(base + ".log", "w", encoding="utf-8") as log:
        run = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False)
    if run.returncode not in (0, 1, UNDECIDED):
        return None
    with open(base + ".json", encoding="utf-8") as file:
        return json.load(file)


def cell(results, kind):
    """How a kind of operation fared: what is promised, then whether it is linearizable."""
    for found in results["promises"]:
        if found["operation"] != kind:
            continue
        if found["promise"] == "linearizable":
            return "promised"
        name = found["promise"].replace("a counter", "counter")
        if found["verdict"] != "kept":
            return f"{name}: {found['verdict']}"
        return f"{name}; {found['linearizable']}"
    return "-"


def row(adapter, results):
    runs = results["runs"]
    kept = {"linearizable": "kept", "violation": "BROKEN"}.get(results["verdict"], "undecided")
    stalls = sum(run["stalls"]["count"] for run in runs if "stalls" in run)
    return [adapter, runs[0]["set"], kept, str(sum(run["operations"] for run in runs)),
            {"kept": "yes", "BROKEN": "see log"}.get(kept, kept),
            *(cell(results, kind) for kind in KINDS),
            str(stalls) if stalls else "-", str(sum(run["threads_started"] for run in runs))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--build", default="build", help="the build directory (default build)")
    parser.add_argument("--seconds", type=float, default=20, help="for each set (default 20)")
    parser.add_argument("--seed", type=int, default=1, help="default 1")
    arguments = parser.parse_args()
    directory = os.path.join(arguments.build, "adapters")
    there = os.listdir(directory) if os.path.isdir(directory) else []
    adapters = sorted(name[:-3] for name in there if name.endswith(".so"))
    if not adapters:
        print(f"table.py: no adapters in {directory}; `make adapters` builds them", file=sys.stderr)
        return USAGE

    print(f"seed {arguments.seed}; {arguments.seconds:g} s each, {len(adapters)} sets; threads come "
          "and go, and stop inside operations where a set promises to be lock-free")
    print(FORM.format("adapter", "set", "promises", "operations", "keys", *KINDS, "stalls",
                      "threads"), flush=True)
    wrong, known = [], []
    for adapter in adapters:
        results = stress(arguments, adapter)
        if results is None:
            print(f"{adapter:<18} could not be run: see {directory}/{adapter}.log", flush=True)
            wrong.append(adapter)
            continue
        print(FORM.format(*row(adapter, results)).rstrip(), flush=True)
        expected = "violation" if adapter in WRONG_ON_PURPOSE else "linearizable"
        if adapter in MAY_BE_WRONG and results["verdict"] == "violation":
            known.append(adapter)
        elif results["verdict"] != expected:
            wrong.append(adapter)
    print("\nkeys: are add, remove, contains, and all that is promised so, linearizable? The others: "
          "what is promised;\nis it linearizable all the same? "
          f"With the witnesses: {directory}/*.log")
    for adapter in known:
        print(f"known: {adapter} is not linearizable: {MAY_BE_WRONG[adapter]}")
    if wrong:
        print("not as expected: " + ", ".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
