#!/usr/bin/env python3
"""Judges the page of lfset report, as test/observe.sh calls it:

page.py source PAGE         the page as it is in the file: it needs nothing from outside
page.py probe PAGE COPY     writes a copy that measures itself when a browser shows it
page.py dom FILE            what the browser made of the copy (--dump-dom)
"""
import json
import re
import sys

# the browser's own geometry, as text that --dump-dom shows
PROBE = """<script>
const box = e => { const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; };
const all = (selector, more) => [...document.querySelectorAll(selector)].map(e => ({box: box(e), ...more(e)}));
const result = {width: document.documentElement.scrollWidth, window: innerWidth,
  sets: all('svg.tree g.set', e => ({title: e.querySelector('title').textContent,
    rect: box(e.querySelector('rect')), grows: e.classList.contains('grows')})),
  frames: all('svg.tree g.frame', e => ({title: e.querySelector('title').textContent,
    rect: box(e.querySelector('rect'))})),
  curves: all('.card path.keys', e => ({name: e.closest('.card').querySelector('h3').textContent,
    length: e.getTotalLength()})),
  limits: all('.card line.limit', e => ({name: e.closest('.card').querySelector('h3').textContent})),
  stalls: all('g.stall rect', e => ({})), bold: document.querySelectorAll('td b').length,
  rows: [...document.querySelectorAll('table tr td:first-child')].map(e => e.textContent),
  retired: all('path.rcu', e => ({length: e.getTotalLength()})),
  fetched: performance.getEntriesByType('resource').map(e => e.name)};
document.body.append(Object.assign(document.createElement('pre'),
  {id: 'probe', textContent: JSON.stringify(result)}));
</script>
"""

failed = False


def complain(condition, text):
    global failed
    if not condition:
        print(text)
        failed = True


def read(name):
    with open(name, encoding="utf-8") as file:
        return file.read()


def judge_source(page):
    complain("<script" not in page.lower(), "the page has a script")
    for pattern in (r"https?:", r"\bsrc=", r"\bhref=", r"@import", r"url\("):
        complain(not re.search(pattern, page), f"the page refers to something outside: {pattern}")
    complain("cache &lt;b&gt;&amp;&quot;" in page, "markup in a set's name is not text")
    complain(page.endswith("</html>\n"), "the page is not whole")
    for word in ("nan", "inf", "-nan"):
        complain(not re.search(rf'"[^"]*\b{word}\b[^"]*"', page.split("</style>")[1]),
                 f"a number is {word}")


def inside(one, other):
    return one[0] >= other[0] - 1 and one[2] <= other[2] + 1


def judge_dom(text):
    match = re.search(r'<pre id="probe">(.*?)</pre>', text, re.S)
    complain(match, "the probe did not run")
    if not match:
        return
    found = json.loads(match[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    complain(found["width"] <= found["window"], f"the page is {found['width']} wide")
    complain(found["fetched"] == [], f"something was fetched: {found['fetched']}")
    complain(found["bold"] == 0, "a name in a table was taken for markup")
    names = ["sessions", "churn", 'cache <b>&"', "seats", "pinned"]
    for name in names:
        complain(any(s["title"].startswith(name + "\n") for s in found["sets"]), f"{name} is not in the tree")
        complain(any(c["name"].startswith(name) and c["length"] > 20 for c in found["curves"]),
                 f"{name} has no curve")
        complain(name in found["rows"], f"{name} is not in the table")
    for function in ("main", "sessions_open", "caches_open", "seats_open"):
        frames = [f for f in found["frames"] if f["title"].split("\n")[0].endswith(function)]
        complain(len(frames) == 1, f"{function} is {len(frames)} times in the tree")
    by_title = {s["title"].split("\n")[0]: s for s in found["sets"] + found["frames"]}
    if "sessions" in by_title and "sessions_open" in by_title:
        complain(inside(by_title["sessions"]["rect"], by_title["sessions_open"]["rect"]),
                 "sessions does not lie below who created it")
        complain(by_title["sessions"]["grows"], "sessions is not marked as growing")
        complain(not by_title["pinned"]["grows"], "pinned is marked as growing")
    for entry in found["sets"] + found["frames"]:
        left, top, right, bottom = entry["rect"]
        complain(right > left and bottom > top and left >= 0 and right <= found["window"],
                 f"not to be seen: {entry}")
    complain([limit["name"] for limit in found["limits"]] == ['cache <b>&"'],
             f"limits are drawn for {found['limits']}")
    complain(len(found["stalls"]) == 1 and found["stalls"][0]["box"][2] - found["stalls"][0]["box"][0] > 50,
             f"stalls: {found['stalls']}")
    complain(len(found["retired"]) == 1, "there is no curve of what is not freed")


what, name = sys.argv[1:3]
if what == "source":
    judge_source(read(name))
elif what == "probe":
    with open(sys.argv[3], "w", encoding="utf-8") as copy:
        copy.write(read(name).replace("</body>", PROBE + "</body>"))
else:
    judge_dom(read(name))
sys.exit(failed)
