#!/usr/bin/env python3
"""Runs a program on a terminal of its own, presses keys, and prints all that it wrote there.

terminal.py KEYS COMMAND...     a KEY is a letter, or SIZE (makes the terminal smaller); half a second between
                                two, and they are separated by commas. Exits as the command does.
"""
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time


def size_set(descriptor, rows, columns):
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def copy_for(descriptor, seconds):
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([descriptor], [], [], left)[0]:
            try:
                text = os.read(descriptor, 65536)
            except OSError:  # the other side is closed
                return
            sys.stdout.buffer.write(text)


keys, command = sys.argv[1].split(","), sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.environ.update(TERM="xterm", LC_ALL="C.UTF-8")
    os.execvp(command[0], command)
size_set(terminal, 40, 160)
for key in keys:
    copy_for(terminal, 0.5)
    if key == "SIZE":
        size_set(terminal, 15, 70)
    else:
        os.write(terminal, key.encode())
copy_for(terminal, 5)
sys.stdout.buffer.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
