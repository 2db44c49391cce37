# SPDX-License-Identifier: MIT
"""The table of mutants: reading it, checking it against the tree, applying an entry."""
import dataclasses
import re
import tomllib

SETS = ("u64", "bytes", "obj", "bitmap")
DOMAINS = ("rcu", "hp")

REQUIRED = {"number": int, "name": str, "breaks": str, "file": str, "old": str, "new": str,
            "sets": list}
OPTIONAL = {"domains": list, "also": list, "explore": str, "stress": str, "tsan": str, "unit": list}


class TableError(Exception):
    """The table is malformed, or does not fit the tree."""


@dataclasses.dataclass
class Edit:
    file: str
    old: str
    new: str


@dataclasses.dataclass
class Mutant:
    number: int
    name: str
    breaks: str
    edits: list
    sets: list
    domains: list
    explore: str = ""  # arguments of the explorer, beside the runner's
    stress: str = ""   # arguments of the stress, beside the runner's
    tsan: str = None   # the same for the stress under ThreadSanitizer; None: not for this one
    unit: list = dataclasses.field(default_factory=list)  # unit tests, when nothing else caught it

    @property
    def files(self):
        return sorted({edit.file for edit in self.edits})


def _typed(where, entry, allowed):
    for key, value in entry.items():
        if key not in allowed:
            raise TableError(f"{where}: there is no \"{key}\" in an entry")
        if not isinstance(value, allowed[key]):
            raise TableError(f"{where}: \"{key}\" must be of type {allowed[key].__name__}")


def _edit(where, entry):
    for key in ("file", "old", "new"):
        if key not in entry:
            raise TableError(f"{where}: \"{key}\" is missing")
    if not entry["file"].startswith("lib/"):
        raise TableError(f"{where}: {entry['file']} is not in lib/")
    return Edit(entry["file"], entry["old"], entry["new"])


def _mutant(path, index, entry):
    where = f"{path}: entry {index}"
    if isinstance(entry.get("number"), int):
        where = f"{path}: mutant {entry['number']}"
    for key in REQUIRED:
        if key not in entry:
            raise TableError(f"{where}: \"{key}\" is missing")
    _typed(where, entry, REQUIRED | OPTIONAL)
    edits = [_edit(where, entry)]
    for also in entry.get("also", []):
        _typed(where, also, {"file": str, "old": str, "new": str})
        edits.append(_edit(where, {"file": entry["file"]} | also))
    for name, known in (("sets", SETS), ("domains", DOMAINS)):
        for value in entry.get(name, known):
            if value not in known:
                raise TableError(f"{where}: \"{value}\" in \"{name}\" is none of {', '.join(known)}")
    if not entry["sets"]:
        raise TableError(f"{where}: \"sets\" is empty")
    return Mutant(entry["number"], entry["name"], " ".join(entry["breaks"].split()), edits,
                  entry["sets"], entry.get("domains", list(DOMAINS)), entry.get("explore", ""),
                  entry.get("stress", ""), entry.get("tsan"), entry.get("unit", []))


def load(path):
    """The mutants of a table, by number."""
    try:
        with open(path, "rb") as file:
            data = tomllib.load(file)
    except OSError as error:
        raise TableError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: {error}") from error
    if set(data) != {"mutant"} or not isinstance(data["mutant"], list):
        raise TableError(f"{path}: a table is a list of [[mutant]]")
    mutants = [_mutant(path, i + 1, entry) for i, entry in enumerate(data["mutant"])]
    seen = set()
    for mutant in mutants:
        if mutant.number in seen:
            raise TableError(f"{path}: mutant {mutant.number} is there twice")
        seen.add(mutant.number)
    return sorted(mutants, key=lambda mutant: mutant.number)


def apply(mutant, read):
    """The mutant's files, as {name: text}; read(name) is the text in the tree. Each old text must be
    there exactly once: a table that no longer fits the code would otherwise test nothing."""
    texts = {}
    for edit in mutant.edits:
        if edit.file not in texts:
            try:
                texts[edit.file] = read(edit.file)
            except OSError as error:
                raise TableError(f"mutant {mutant.number} ({mutant.name}): {edit.file}: "
                                 f"{error.strerror}") from error
        count = texts[edit.file].count(edit.old) if edit.old else 0
        if count != 1:
            first = re.sub(r"\s+", " ", edit.old).strip()[:60]
            raise TableError(f"mutant {mutant.number} ({mutant.name}): {edit.file}: the old text "
                             f"\"{first}...\" occurs {count} times, not once")
        texts[edit.file] = texts[edit.file].replace(edit.old, edit.new)
    return texts


def misfits(mutants, read):
    """Why mutants cannot be applied: a line for each that cannot."""
    lines = []
    for mutant in mutants:
        try:
            apply(mutant, read)
        except TableError as error:
            lines.append(str(error))
    return lines
