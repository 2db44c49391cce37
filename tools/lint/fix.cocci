// SPDX-License-Identifier: MIT
// The changes that lfset-lint suggests, of one kind at a time (-D KIND), for the findings that the file
// $LFSET_LINT_FIXES lists.

virtual back, names, limits

@initialize:python@
@@
import json, os
with open(os.environ["LFSET_LINT_FIXES"]) as asked:
    findings = json.load(asked)
def wanted(position, check):
    """Findings of a check, at a place."""
    p = position[0]
    return [f for f in findings if f["line"] == int(p.line) and f["column"] == int(p.column) + 1
            and f["check"] in check]

// ---- before a return that loses something
@loses depends on back@
position q : script:python() { any("back" in f for f in wanted(q, ("unowned", "snapshot", "open-section"))) };
@@
return@q ...;

@script:python missing@
q << loses.q;
back;
@@
of_return = wanted(q, ("unowned", "snapshot", "open-section"))
coccinelle.back = cocci.make_expr([f["back"] for f in of_return if "back" in f][0])

@@
position loses.q;
expression missing.back;
@@
+ back;
return@q ...;

// ---- before a set is created with options that lack something
@unnamed depends on names@
position p : script:python() { any("options" in f for f in wanted(p, ("unnamed",))) };
identifier f, o;
@@
f@p(..., &o)

@script:python naming@
p << unnamed.p;
name;
@@
coccinelle.name = cocci.make_expr('"%s"' % p[0].current_element)

@@
position unnamed.p;
identifier unnamed.f, unnamed.o;
expression naming.name;
expression x;
type T;
identifier i;
statement S1, S2;
@@
(
+ o.name = name;
if (<+... f@p(..., &o) ...+>) S1 else S2
|
+ o.name = name;
x = <+... f@p(..., &o) ...+>;
|
+ o.name = name;
T i = <+... f@p(..., &o) ...+>;
|
+ o.name = name;
return <+... f@p(..., &o) ...+>;
|
+ o.name = name;
f@p(..., &o);
)

@unbounded depends on limits@
position p : script:python() { any("options" in f for f in wanted(p, ("unbounded",))) };
identifier f, o;
@@
f@p(..., &o)

@@
position unbounded.p;
identifier unbounded.f, unbounded.o;
expression x;
type T;
identifier i;
statement S1, S2;
@@
(
+ struct lfset_observe limits = LFSET_OBSERVE_INIT;
+ limits.max_keys = 1000000;
+ limits.strategy = LFSET_GUARD_REFUSE;
+ o.observe = &limits;
if (<+... f@p(..., &o) ...+>) S1 else S2
|
+ struct lfset_observe limits = LFSET_OBSERVE_INIT;
+ limits.max_keys = 1000000;
+ limits.strategy = LFSET_GUARD_REFUSE;
+ o.observe = &limits;
x = <+... f@p(..., &o) ...+>;
|
+ struct lfset_observe limits = LFSET_OBSERVE_INIT;
+ limits.max_keys = 1000000;
+ limits.strategy = LFSET_GUARD_REFUSE;
+ o.observe = &limits;
T i = <+... f@p(..., &o) ...+>;
|
+ struct lfset_observe limits = LFSET_OBSERVE_INIT;
+ limits.max_keys = 1000000;
+ limits.strategy = LFSET_GUARD_REFUSE;
+ o.observe = &limits;
return <+... f@p(..., &o) ...+>;
|
+ struct lfset_observe limits = LFSET_OBSERVE_INIT;
+ limits.max_keys = 1000000;
+ limits.strategy = LFSET_GUARD_REFUSE;
+ o.observe = &limits;
f@p(..., &o);
)
