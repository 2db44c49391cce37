#!/usr/bin/env python3
"""The tests of the witness's page, as test/timeline.sh calls them:

timeline.py probe PAGE COPY     writes a copy that measures itself when a browser shows it
timeline.py dom FILE            judges what the browser made of the copy (--dump-dom)
timeline.py source PAGE         judges the page as it is in the file
timeline.py pixels FILE [dark]  judges a screenshot (PNG) of the page
"""
import html.parser
import json
import re
import struct
import sys
import zlib

# put at the end of the copy: the browser's own geometry, as text that --dump-dom shows
PROBE = """<script>
const box = e => { const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; };
const bars = [...document.querySelectorAll('g.op')].map(g => ({
  box: box(g.querySelector('rect')), text: box(g.querySelector('text')),
  label: g.querySelector('text').textContent, title: g.querySelector('title').textContent,
  failed: g.classList.contains('failed'),
  fill: getComputedStyle(g.querySelector('rect')).fill}));
const result = {bars, view: [innerWidth, document.documentElement.scrollWidth],
  states: [...document.querySelectorAll('g.state rect')].map(box),
  elements: [...new Set([...document.querySelectorAll('*')].map(e => e.localName))],
  fetched: performance.getEntriesByType('resource').map(e => e.name)};
document.body.append(Object.assign(document.createElement('pre'),
  {id: 'probe', textContent: JSON.stringify(result)}));
</script>
"""


def read(name):
    with open(name, encoding="utf-8") as file:
        return file.read()


def complain(condition, text):
    if not condition:
        print(text)
        complain.failed = True


complain.failed = False


class Probe(html.parser.HTMLParser):
    """Finds the text that the probe has left."""

    def __init__(self):
        super().__init__()
        self.inside, self.text = False, ""

    def handle_starttag(self, tag, attrs):
        self.inside = tag == "pre" and ("id", "probe") in attrs

    def handle_data(self, data):
        if self.inside:
            self.text += data

    def handle_endtag(self, tag):
        self.inside = False


def judge_bars(bars):
    rows = {}
    for bar in bars:
        left, top, right, bottom = bar["box"]
        complain(right - left > 0.2 and bottom - top > 5, f"a bar is not visible: {bar}")
        complain(bar["label"] == "" or (bar["text"][0] >= left - 1 and bar["text"][2] <= right + 1),
                 f"a label does not fit its bar: {bar}")
        complain(bar["title"].startswith("thread "), f"a bar has no title: {bar}")
        rows.setdefault(round(top), []).append((left, right))
    for top, row in rows.items():
        row.sort()
        for one, other in zip(row, row[1:]):
            complain(one[1] <= other[0], f"bars overlap in the row at {top}: {one} {other}")
    failed = [bar for bar in bars if bar["failed"]]
    complain(len(failed) == 1, f"{len(failed)} bars are marked")
    for bar in failed:
        complain(re.fullmatch(r"rgb\((2\d\d|19\d|20\d), [0-3]?\d, [0-4]?\d\)", bar["fill"]),
                 f"the marked bar is not red: {bar['fill']}")
        complain("cannot be placed" in bar["title"], "the marked bar does not say so")
        others = {other["fill"] for other in bars if not other["failed"]}
        complain(bar["fill"] not in others, "another bar looks like the marked one")


def judge_dom(name):
    probe = Probe()
    probe.feed(read(name))
    complain(probe.text != "", "the probe did not run")
    if not probe.text:
        return
    found = json.loads(probe.text)
    width, needed = found["view"]
    complain(needed <= width, f"the page is {needed} wide in a window of {width}")
    complain(len(found["bars"]) > 0 and len(found["states"]) > 0, "there are no bars or no states")
    for box in [bar["box"] for bar in found["bars"]] + found["states"]:
        complain(box[0] >= 0 and box[2] <= width, f"not within the window: {box}")
    for one, other in zip(found["states"], found["states"][1:]):
        complain(one[2] <= other[0] + 1, f"states overlap: {one} {other}")
    judge_bars(found["bars"])
    complain(found["fetched"] == [], f"something was fetched: {found['fetched']}")
    allowed = set("html head meta title style body h1 h2 p code strong ul li i svg defs lineargradient"
                  " stop mask rect text g path circle ol details summary table tbody tr th td"
                  " script pre".split())
    strange = {element.lower() for element in found["elements"]} - allowed
    complain(not strange, f"elements that do not belong there: {strange}")


def judge_source(name):
    page = read(name)
    complain(len(page) < 200000, f"the page has {len(page)} characters")
    complain("<script" not in page.lower(), "the page has a script")
    for pattern in (r"https?:", r"//[a-z]", r"\bsrc=", r"\bhref=", r"@import", r"url\((?!#)"):
        place = re.search(r"<[^>]*" + pattern, page) or re.search(pattern, page.split("</style>")[0])
        complain(place is None, f"the page refers to something outside: {pattern}")
    longest = max(len(text) for text in re.findall(r">([^<]*)<", page.split("</style>")[1]))
    complain(longest < 1200, f"a text has {longest} characters")


def decode_png(name):
    """The rows of an 8-bit RGB or RGBA picture, and the bytes of a pixel."""
    with open(name, "rb") as file:
        data = file.read()
    at, compressed, header = 8, b"", None
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        header = body if kind == b"IHDR" else header
        compressed += body if kind == b"IDAT" else b""
        at += 12 + length
    width, height, depth, color = struct.unpack(">IIBB", header[:10])
    if depth != 8 or color not in (2, 6):
        sys.exit(f"{name}: depth {depth}, colour type {color}")
    size = 3 if color == 2 else 4
    raw, rows, before = zlib.decompress(compressed), [], bytes(width * size)
    stride = width * size + 1
    for number in range(height):
        kind, row = raw[number * stride], bytearray(raw[number * stride + 1:(number + 1) * stride])
        for i in range(len(row) if kind else 0):
            left = row[i - size] if i >= size else 0
            corner = before[i - size] if i >= size else 0
            if kind == 1:
                guess = left
            elif kind == 2:
                guess = before[i]
            elif kind == 3:
                guess = (left + before[i]) // 2
            else:
                guess = min((left, before[i], corner),
                            key=lambda x, p=left + before[i] - corner: abs(p - x))
            row[i] = (row[i] + guess) & 255
        before = bytes(row)
        rows.append(before)
    return rows, size


def judge_pixels(name, dark):
    rows, size = decode_png(name)
    pixels = [[tuple(row[i:i + 3]) for i in range(0, len(row), size)] for row in rows]
    corner = pixels[0][0]
    complain((max(corner) < 64) if dark else (min(corner) > 224), f"the page's colour is {corner}")
    red = (0xdc, 0x20, 0x38) if dark else (0xc8, 0x10, 0x2e)

    def is_red(pixel):
        return sum(abs(a - b) for a, b in zip(pixel, red)) < 12

    longest, lines = 0, 0
    for row in pixels:
        run, best = 0, 0
        for pixel in row:
            run = run + 1 if is_red(pixel) else 0
            best = max(best, run)
        lines += best >= 40
        longest = max(longest, best)
    complain(lines >= 12, f"no red bar is to be seen: {lines} lines, {longest} pixels")
    complain(len({pixel for row in pixels[::3] for pixel in row[::3]}) > 20, "the picture is empty")


def main():
    what, name = sys.argv[1:3]
    if what == "probe":
        with open(sys.argv[3], "w", encoding="utf-8") as copy:
            copy.write(read(name).replace("</body>", PROBE + "</body>"))
    elif what == "dom":
        judge_dom(name)
    elif what == "source":
        judge_source(name)
    else:
        judge_pixels(name, len(sys.argv) > 3)
    sys.exit(complain.failed)


if __name__ == "__main__":
    main()
