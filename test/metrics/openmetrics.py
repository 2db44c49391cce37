#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Usage: openmetrics.py OPENMETRICS-FILE TEXT-FILE

Whether the two are what the OpenMetrics 1.0 and Prometheus 0.0.4 specifications want, by
prometheus_client's parsers and, where these let things pass, by checks of our own; and whether they say
the same. Prints what is wrong.
"""
import re
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_plain

BASE_UNITS = {"seconds", "bytes", "ratio"}
NUMBER = re.compile(r"[+-]?(\d+(\.\d+)?([eE][+-]?\d+)?|Inf)|NaN")
LINE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{set="((?:[^"\\\n]|\\["\\n])*)"\})? (\S+)')
wrong = []


def samples_of(text, name):
    """Every sample line, as (metric, set, value), with checks that need no parser."""
    samples = []
    for line in text.split("\n")[:-1]:
        if line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        if not match or not NUMBER.fullmatch(match[3]):
            wrong.append(f"{name}: not a sample with at most the label set: {line!r}")
        else:
            samples.append((match[1], match[2], match[3]))
    keys = [sample[:2] for sample in samples]
    for key in {key for key in keys if keys.count(key) > 1}:
        wrong.append(f"{name}: twice: {key}")
    return samples


def check_heads(text, open_metrics):
    """HELP, TYPE and UNIT: once each for a family, before its samples, which come together."""
    name = "OpenMetrics" if open_metrics else "text"
    families, current, seen = {}, None, set()
    for line in text.split("\n")[:-1]:
        words = line.split(" ", 3)
        if line == "# EOF":
            continue
        if words[0] == "#":
            keyword, family = words[1:3]
            if keyword not in ("HELP", "TYPE", "UNIT"):
                wrong.append(f"{name}: a comment: {line!r}")
            if family != current:
                if family in seen:
                    wrong.append(f"{name}: {family} comes twice")
                current = family
                seen.add(family)
                families[family] = {}
            if keyword in families[family] or "samples" in families[family]:
                wrong.append(f"{name}: {keyword} of {family} is not before its samples, or there twice")
            families[family][keyword] = words[3]
        else:
            metric = re.match("[a-z0-9_]*", line)[0]
            suffix = "_total" if open_metrics and families[current].get("TYPE") == "counter" else ""
            if metric != current + suffix:
                wrong.append(f"{name}: {metric} stands below {current}")
            families[current]["samples"] = True
    for family, head in families.items():
        check_family(name, family, head, open_metrics)


def check_family(name, family, head, open_metrics):
    if not head.get("HELP") or head.get("TYPE") not in ("gauge", "counter") or "samples" not in head:
        wrong.append(f"{name}: {family} lacks HELP, TYPE or samples")
    is_total = family.endswith("_total")
    if is_total != (head.get("TYPE") == "counter" and not open_metrics):
        wrong.append(f"{name}: {family}: _total")
    unit = head.get("UNIT")
    if open_metrics and unit and (unit not in BASE_UNITS or not family.endswith("_" + unit)):
        wrong.append(f"{name}: {family}: unit {unit}")
    base = re.sub("_total$", "", family)
    if open_metrics and not unit and base.split("_")[-1] in BASE_UNITS - {"ratio"} \
            and not base.endswith("_per_second"):
        wrong.append(f"{name}: {family} has no UNIT")
    for other in ("milliseconds", "ms", "ns", "kilobytes", "kb", "percent", "minutes", "hours"):
        if other in base.split("_"):
            wrong.append(f"{name}: {family} is not in a base unit")


def parsed(families):
    """{(name, set): value}, by the client library."""
    values = {}
    for family in families:
        for sample in family.samples:
            if set(sample.labels) - {"set"}:
                wrong.append(f"labels of {sample.name}: {sample.labels}")
            values[sample.name, sample.labels.get("set")] = sample.value
    return values


def main():
    with open(sys.argv[1], encoding="utf-8", newline="") as file:
        open_text = file.read()
    with open(sys.argv[2], encoding="utf-8", newline="") as file:
        plain_text = file.read()
    if not open_text.endswith("\n# EOF\n") or open_text.count("# EOF") != 1:
        wrong.append("OpenMetrics: does not end with # EOF")
    if "\r" in open_text + plain_text or not plain_text.endswith("\n"):
        wrong.append("lines do not end with a line feed")
    check_heads(open_text, True)
    check_heads(plain_text, False)
    open_names = [sample[:2] for sample in samples_of(open_text, "OpenMetrics")]
    plain_names = [sample[:2] for sample in samples_of(plain_text, "text")]
    if open_names != plain_names:
        wrong.append(f"not the same series: {set(open_names) ^ set(plain_names)}")
    open_values, plain_values = parsed(parse_open(open_text)), parsed(parse_plain(plain_text))
    if set(open_values) != set(plain_values) or len(open_values) != len(open_names):
        wrong.append("the client library reads other series")
    print("\n".join(wrong) or f"{len(open_names)} series, all well")
    return 1 if wrong else 0


sys.exit(main())
