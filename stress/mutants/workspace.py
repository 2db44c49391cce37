# SPDX-License-Identifier: MIT
"""Directories in which mutants are built. `base` is a copy of the tree with its objects; a mutant's
directory is made of links into it, but for the changed files, and of copies of the objects, of which
make builds again what depends on a changed file."""
import os
import shutil
import subprocess

import table

TREE = ("Makefile", "include", "lib", "stress", "test", "tools", "man")
FLAGS = "CFLAGS=-O1 -g1"  # quick to build; the lines are wanted in reports
LITMUS = ("publication", "remove_message", "store_buffering", "iriw", "detach")
TSAN_LITMUS = ("publication", "remove_message", "detach")
SHORT_LITMUS = ("membarrier", "barrier")  # without arguments
TARGETS = {
    "explore": ["out/lfset-explore"],
    "stress": ["out/lfset-stress"],
    "litmus": [f"out/litmus/{name}" for name in LITMUS + SHORT_LITMUS],
    "tsan": ["out/thread/lfset-stress", *(f"out/thread/litmus/{name}" for name in TSAN_LITMUS)],
}


class BuildError(Exception):
    """What make said."""


def _same(path, data):
    try:
        with open(path, "rb") as file:
            return file.read() == data
    except OSError:
        return False


def read_text(tree, name):
    with open(os.path.join(tree, name), encoding="utf-8") as file:
        return file.read()


class Workspace:
    def __init__(self, tree, directory, jobs):
        self.tree = tree
        self.directory = os.path.abspath(directory)
        self.base = os.path.join(self.directory, "base")
        self.jobs = jobs

    def copy_tree(self):
        """Brings base up to date. Files that are the same keep their time, and their objects."""
        wanted = set()
        for top in TREE:
            path = os.path.join(self.tree, top)
            for folder, folders, files in os.walk(path) if os.path.isdir(path) else ():
                folders[:] = [name for name in folders if name != "__pycache__"]
                wanted.update(os.path.relpath(os.path.join(folder, name), self.tree)
                              for name in files)
            if os.path.isfile(path):
                wanted.add(top)
        for name in wanted:
            with open(os.path.join(self.tree, name), "rb") as file:
                data = file.read()
            copy = os.path.join(self.base, name)
            if not _same(copy, data):
                os.makedirs(os.path.dirname(copy), exist_ok=True)
                with open(copy, "wb") as file:
                    file.write(data)
        for top in TREE:
            for folder, _, files in os.walk(os.path.join(self.base, top)):
                for name in files:
                    path = os.path.join(folder, name)
                    if os.path.relpath(path, self.base) not in wanted:
                        os.remove(path)

    def make(self, place, targets):
        """Builds some targets, of the plain and the ThreadSanitizer build."""
        environment = {name: value for name, value in os.environ.items()
                       if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "O", "SANITIZE", "CFLAGS",
                                       "CPPFLAGS", "LDFLAGS", "LDLIBS")}
        for sanitize in ("", "thread"):
            some = [t for t in targets if t.startswith("out/thread/") == bool(sanitize)]
            if not some:
                continue
            done = subprocess.run([os.environ.get("MAKE", "make"), "-C", place, f"-j{self.jobs}",
                                   "O=out", FLAGS, f"SANITIZE={sanitize}", *some],
                                  env=environment, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode != 0:
                lines = [line for line in done.stdout.splitlines() if "rror" in line]
                raise BuildError("\n".join(lines[:5] or done.stdout.splitlines()[-5:]))

    def make_base(self, targets):
        self.copy_tree()
        self.make(self.base, targets)
        return self.base

    def make_place(self, mutant):
        """@return the mutant's directory, with nothing of it built yet."""
        place = os.path.join(self.directory, f"mutant-{mutant.number}")
        shutil.rmtree(place, ignore_errors=True)
        texts = table.apply(mutant, lambda name: read_text(self.base, name))
        os.makedirs(place)
        for top in TREE:
            if top != "lib" and os.path.lexists(os.path.join(self.base, top)):
                os.symlink(os.path.join("..", "base", top), os.path.join(place, top))
        for folder, _, files in os.walk(os.path.join(self.base, "lib")):
            inner = os.path.relpath(folder, self.base)
            os.makedirs(os.path.join(place, inner))
            for name in files:
                if os.path.join(inner, name) not in texts:
                    os.symlink(os.path.join(folder, name), os.path.join(place, inner, name))
        shutil.copytree(os.path.join(self.base, "out"), os.path.join(place, "out"))
        for name, text in texts.items():
            with open(os.path.join(place, name), "w", encoding="utf-8") as file:
                file.write(text)
        self._leave_others(mutant, place)
        return place

    @staticmethod
    def _leave_others(mutant, place):
        """The kinds of sets that the mutant is not tried on keep the objects they have."""
        others = [kind for kind in table.SETS if kind not in mutant.sets]
        for folder, _, files in os.walk(os.path.join(place, "out")):
            if os.path.basename(folder) not in ("set", "algebra"):
                continue
            for name in files:
                if name.endswith(".o") and name.startswith(tuple(others)):
                    os.utime(os.path.join(folder, name))

    def forget(self, place):
        if place != self.base:
            shutil.rmtree(place, ignore_errors=True)
