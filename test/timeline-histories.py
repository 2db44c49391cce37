#!/usr/bin/env python3
"""Writes the histories whose pages test/timeline.sh looks at into the directory given."""
import os
import sys

HEADER = "# lfset-history 2\n"


def write(directory, name, lines, initial=""):
    with open(os.path.join(directory, name + ".txt"), "w", encoding="ascii") as file:
        file.write(HEADER + initial + "".join(line + "\n" for line in lines))


def crowd(threads, operations):
    """Successful adds of one key, all open at once, and so few removes that one add has no place."""
    lines = []
    for number in range(operations):
        thread, round_number = number % threads, number // threads
        name = "add" if number % 2 == 0 or number > operations - 4 else "remove"
        call = round_number * 1000 + thread
        lines.append(f"{thread} {name} 7 1 {call} {call + 900 - 2 * thread}")
    return lines


def touching(threads):
    """Calls at the very time of the return before, and operations without duration."""
    lines = []
    for thread in range(threads):
        name = "remove" if thread % 2 and thread < 7 else "add"
        for call, ret in ((thread, 500), (500, 500), (500, 500), (500, 1000 - thread)):
            lines.append(f"{thread} {name} 1 1 {call} {ret}")
    return lines


def main():
    directory = sys.argv[1]
    # a violation of one key, beside others
    write(directory, "small", [
        "0 add 17 1 100 180",
        "1 contains 17 0 120 130",
        "0 remove 17 1 200 300",
        "1 contains 17 1 310 390",
        "2 contains 17 0 305 420",
    ])
    # whole-set operations, and one that never returned
    write(directory, "whole", [
        "0 add 17 1 100 180",
        "2 remove 17 ? 150 -",
        "0 remove 5 1 210 300",
        "3 snapshot - {5} 205 310",
        "0 size - 2 310 330",
    ], "# initial {5}\n")
    # a key that would be markup, and is long
    evil = r'"<script>document.title=1</script><img src=x onerror=\"fetch(1)\">&amp;\000\377'
    evil += "k" * 5000 + '"'
    write(directory, "strings", [
        f"0 add {evil} 1 0 10",
        f"1 snapshot - {{{evil}}} 15 22",
        f"0 contains {evil} 0 20 30",
    ])
    write(directory, "touching", touching(10))
    # many threads; and more operations than a page shows
    write(directory, "crowd", crowd(40, 400))
    write(directory, "cut", crowd(200, 200))


if __name__ == "__main__":
    main()
