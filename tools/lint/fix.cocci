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
call;
@@
of_return = wanted(q, ("unowned", "snapshot", "open-section"))
coccinelle.call = cocci.make_expr([f["back"] for f in of_return if "back" in f][0])

@@
position loses.q;
expression missing.call;
@@
+ call;
return@q ...;

// ---- before a set is created with options that lack something
@unnamed depends on names@
position p : script:python() { any("options" in f for f in wanted(p, ("unnamed",))) };
identifier f, o;
@@
f@p(..., &o)

@script:python naming@
p << unnamed.p;
called;
@@
coccinelle.called = cocci.make_expr('"%s"' % p[0].current_element)

@@
position unnamed.p;
identifier unnamed.f, unnamed.o;
expression naming.called;
expression x;
type T;
identifier i;
statement S1, S2;
@@
(
+ o.name = called;
if (<+... f@p(..., &o) ...+>) S1 else S2
|
+ o.name = called;
x = <+... f@p(..., &o) ...+>;
|
+ o.name = called;
T i = <+... f@p(..., &o) ...+>;
|
+ o.name = called;
return <+... f@p(..., &o) ...+>;
|
+ o.name = called;
f@p(..., &o);
)

@unbounded depends on limits@
position p : script:python() { any("options" in f for f in wanted(p, ("unbounded",))) };
identifier f, o;
@@
f@p(..., &o)

@script:python limiting@
o << unbounded.o;
watched;
@@
coccinelle.watched = cocci.make_ident("limits_of_" + o)

@@
position unbounded.p;
identifier unbounded.f, unbounded.o;
identifier limiting.watched;
expression x;
type T;
identifier i;
statement S1, S2;
@@
(
+ struct lfset_observe watched = LFSET_OBSERVE_INIT;
+ watched.max_keys = 1000000;
+ watched.strategy = LFSET_GUARD_REFUSE;
+ o.observe = &watched;
if (<+... f@p(..., &o) ...+>) S1 else S2
|
+ struct lfset_observe watched = LFSET_OBSERVE_INIT;
+ watched.max_keys = 1000000;
+ watched.strategy = LFSET_GUARD_REFUSE;
+ o.observe = &watched;
x = <+... f@p(..., &o) ...+>;
|
+ struct lfset_observe watched = LFSET_OBSERVE_INIT;
+ watched.max_keys = 1000000;
+ watched.strategy = LFSET_GUARD_REFUSE;
+ o.observe = &watched;
T i = <+... f@p(..., &o) ...+>;
|
+ struct lfset_observe watched = LFSET_OBSERVE_INIT;
+ watched.max_keys = 1000000;
+ watched.strategy = LFSET_GUARD_REFUSE;
+ o.observe = &watched;
return <+... f@p(..., &o) ...+>;
|
+ struct lfset_observe watched = LFSET_OBSERVE_INIT;
+ watched.max_keys = 1000000;
+ watched.strategy = LFSET_GUARD_REFUSE;
+ o.observe = &watched;
f@p(..., &o);
)
