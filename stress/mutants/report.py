# SPDX-License-Identifier: MIT
"""What the runs are told as: lines for a terminal, JSON, an HTML page."""
import difflib
import html
import json

import tools


def effort(run):
    """What a run took, in words."""
    if run.schedules is not None:
        return f"{run.schedules} schedules"
    return f"{run.milliseconds} ms"


class Result:
    """One mutant, or the unmutated control (mutant.number 0), and what was tried on it."""

    def __init__(self, mutant):
        self.mutant = mutant
        self.runs = []
        self.error = None    # it could not be built
        self.seconds = 0.0   # in all
        self.texts = {}      # of the changed files: (before, after)

    @property
    def catches(self):
        return [run for run in self.runs if run.caught]

    @property
    def caught(self):
        return bool(self.catches)

    def by(self, tool):
        """The run of a tool that caught it, or the last that did not, or None."""
        mine = [run for run in self.runs if run.tool == tool and run.started]
        return next((run for run in mine if run.caught), mine[-1] if mine else None)

    def cell(self, tool):
        run = self.by(tool)
        if run is None:
            return "-"
        if not run.caught:
            return "no"
        return f"{run.subject}, {effort(run)}"


def print_row(result):
    mutant = result.mutant
    head = f"{mutant.number:4d}  {mutant.name}" if mutant.number else "      unmutated"
    if result.error:
        print(f"{head}\n        DOES NOT BUILD: {result.error}", flush=True)
        return
    verdict = "" if result.caught == bool(mutant.number) else \
        "   <== NOT CAUGHT" if mutant.number else "   <== NOT CLEAN"
    print(f"{head}{verdict}")
    for tool in tools.NAMES:
        run = result.by(tool)
        if run and run.caught:
            print(f"        {tool:8s} {run.subject}, {effort(run)}: {run.message[:150]}")
        elif run:
            print(f"        {tool:8s} nothing")
    print(end="", flush=True)


def print_summary(results):
    tried = [r for r in results if not r.error]
    caught = [r for r in tried if r.caught]
    print(f"\n{len(caught)} of {len(results)} mutants caught")
    for tool in tools.NAMES:
        runs = [r.by(tool) for r in tried if r.by(tool)]
        if not runs:
            continue
        alone = [r.mutant.number for r in caught if {run.tool for run in r.catches} == {tool}]
        only = f"; only by it: {', '.join(map(str, alone))}" if alone else ""
        print(f"  {tool:8s} caught {sum(run.caught for run in runs)} of {len(runs)} tried{only}")
    for title, some in (("not caught", [r for r in tried if not r.caught]),
                        ("not built", [r for r in results if r.error])):
        if some:
            print(f"  {title}: {', '.join(f'{r.mutant.number} ({r.mutant.name})' for r in some)}")


def _run_json(run):
    return {"tool": run.tool, "subject": run.subject, "command": run.command, "caught": run.caught,
            "message": run.message, "schedules": run.schedules, "milliseconds": run.milliseconds}


def _result_json(result):
    mutant = result.mutant
    return {"number": mutant.number, "name": mutant.name, "breaks": mutant.breaks,
            "files": mutant.files, "caught": result.caught, "error": result.error,
            "seconds": round(result.seconds, 1),
            "runs": [_run_json(run) for run in result.runs if run.started]}


def write_json(path, head, control, results):
    data = head | {"control": _result_json(control), "mutants": [_result_json(r) for r in results]}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.write("\n")


STYLE = """
body { font: 15px/1.4 sans-serif; margin: 2em; color: #222 }
table { border-collapse: collapse }
th, td { border: 1px solid #ccc; padding: 4px 8px; text-align: left; vertical-align: top }
th { background: #eee; position: sticky; top: 0 }
.yes { background: #d7f0d7 } .no { background: #f3f3f3; color: #777 } .bad { background: #f6c4c4 }
.none { color: #bbb } small { color: #555 } code, pre { font: 13px/1.35 monospace }
pre { max-width: 60em; overflow-x: auto; background: #fafafa; padding: 6px }
ins { text-decoration: none; background: #d7f0d7 } del { text-decoration: none; background: #f9d9d9 }
"""


def _diff(result):
    lines = []
    for name, (before, after) in result.texts.items():
        for line in difflib.unified_diff(before.splitlines(), after.splitlines(), name, name,
                                         lineterm="", n=2):
            mark = {"+": "ins", "-": "del"}.get(line[:1])
            text = html.escape(line)
            lines.append(f"<{mark}>{text}</{mark}>" if mark else text)
    return "\n".join(lines)


def _cell_html(result, tool):
    run = result.by(tool)
    if run is None:
        return "<td class=none>not tried</td>"
    if not run.caught:
        return f"<td class=no>nothing<br><small>{html.escape(effort(run))}</small></td>"
    kind = "yes" if result.mutant.number else "bad"
    return (f"<td class={kind}>{html.escape(run.subject)}<br>{html.escape(effort(run))}<br>"
            f"<small>{html.escape(run.message[:200])}</small></td>")


def _row_html(result):
    mutant = result.mutant
    if result.error:
        verdict, kind = "does not build", "bad"
    elif mutant.number:
        verdict, kind = ("caught", "yes") if result.caught else ("NOT CAUGHT", "bad")
    else:
        verdict, kind = ("NOT CLEAN", "bad") if result.caught else ("clean", "yes")
    about = f"<b>{html.escape(mutant.name)}</b><br><small>{html.escape(mutant.breaks)}</small>"
    if result.texts:
        about += (f"<details><summary><code>{html.escape(', '.join(mutant.files))}</code></summary>"
                  f"<pre>{_diff(result)}</pre></details>")
    cells = "".join(_cell_html(result, tool) for tool in tools.NAMES)
    return (f"<tr><td>{mutant.number or ''}</td><td>{about}</td><td class={kind}>{verdict}</td>"
            f"{cells}</tr>")


def write_html(path, head, control, results):
    caught = sum(r.caught for r in results)
    columns = "".join(f"<th>{tool}</th>" for tool in tools.NAMES)
    rows = "\n".join(_row_html(result) for result in [control, *results])
    facts = ", ".join(f"{key} {value}" for key, value in head.items())
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"<!doctype html>\n<html lang=en><meta charset=utf-8><title>lfset: mutants</title>\n"
                   f"<style>{STYLE}</style>\n<h1>{caught} of {len(results)} mutants caught</h1>\n"
                   f"<p>Deliberate defects of the library, and which tool finds them. "
                   f"{html.escape(facts)}.</p>\n"
                   f"<table><tr><th></th><th>mutant</th><th></th>{columns}</tr>\n{rows}\n</table>\n"
                   f"</html>\n")
