// SPDX-License-Identifier: MIT
// What lfset-lint wants to know of a C file. Every rule prints what it finds, a JSON array a line:
//   [fact, [file, function, line, column, last line, its column], ...]
// Paths through functions are followed here; lfset-lint makes findings of the facts.
//
// "Acquire": get a set, a snapshot or a section, which must be given back.

@initialize:python@
@@
import json
def place(position):
    p = position[0]
    return [p.file, p.current_element, int(p.line), int(p.column), int(p.line_end), int(p.column_end)]
def tell(fact, position, *more):
    print(json.dumps([fact, place(position) if position else None] + list(more)), flush=True)

// ================================================================ sets and their options
@create@
identifier f = {lfset_create, lfset_u64_create, lfset_bytes_create, lfset_obj_create,
    lfset_bitmap_create};
expression set, options;
position p, q;
@@
f@p(set, ..., options@q)

@script:python@
f << create.f;
p << create.p;
q << create.q;
@@
tell("create", p, f, place(q))

@create_default@
identifier f;
position create.p;
@@
f@p(..., NULL)

@script:python@
p << create.p;
f << create_default.f;
@@
tell("default options", p)

@create_variable@
identifier create.f;
position create.p;
identifier o;
@@
f@p(..., &o)

@script:python@
p << create.p;
o << create_variable.o;
@@
tell("options", p, o)

@create_literal@
identifier f;
position create.p;
initializer list values;
@@
f@p(..., &(struct lfset_options){values})

@script:python@
p << create.p;
f << create_literal.f;
@@
tell("literal options", p)

// ---- options that begin with the defaults: of this function, of this file
@own exists@
identifier create.f;
position create.p;
identifier o;
initializer list values;
@@
(
struct lfset_options o = {values};
|
struct lfset_options o = LFSET_OPTIONS_INIT;
|
struct lfset_options o;
)
... when any
f@p(..., &o)

@script:python@
p << create.p;
o << own.o;
@@
tell("own options", p, o)

@declared@
identifier o;
initializer list values;
position d;
@@
(
struct lfset_options o@d = {values};
|
struct lfset_options o@d = LFSET_OPTIONS_INIT;
|
struct lfset_observe o@d = {values};
|
struct lfset_observe o@d = LFSET_OBSERVE_INIT;
|
struct lfset_options o@d;
|
struct lfset_observe o@d;
)

@script:python@
o << declared.o;
d << declared.d;
@@
tell("declared", d, o)

// ---- what is said in them
@named exists@
identifier create.f;
position create.p;
identifier o;
expression e != NULL;
@@
(
o.name = e;
|
struct lfset_options o = {.name = e};
|
o = (struct lfset_options){.name = e};
)
... when any
f@p(..., &o)

@script:python@
p << create.p;
o << named.o;
@@
tell("named", p)

@named_literal@
identifier create.f;
position create.p;
expression e != NULL;
@@
f@p(..., &(struct lfset_options){.name = e})

@script:python@
p << create.p;
e << named_literal.e;
@@
tell("named", p)

@named_file@
identifier o;
expression e != NULL;
@@
struct lfset_options o = {.name = e};

@script:python@
o << named_file.o;
@@
tell("named variable", None, o)

@observed exists@
identifier create.f;
position create.p;
identifier o;
expression e != NULL;
@@
(
o.observe = e;
|
struct lfset_options o = {.observe = e};
|
o = (struct lfset_options){.observe = e};
)
... when any
f@p(..., &o)

@script:python@
p << create.p;
e << observed.e;
@@
tell("observed", p, e)

@observed_literal@
identifier create.f;
position create.p;
expression e != NULL;
@@
f@p(..., &(struct lfset_options){.observe = e})

@script:python@
p << create.p;
e << observed_literal.e;
@@
tell("observed", p, e)

@observed_file@
identifier o;
expression e != NULL;
@@
struct lfset_options o = {.observe = e};

@script:python@
o << observed_file.o;
e << observed_file.e;
@@
tell("observed variable", None, o, e)

@limited@
identifier w;
identifier limit = {max_keys, max_bytes, max_rate, idle_timeout_ns, expiry_ns};
expression e != 0;
position l;
@@
(
w@l.limit = e;
|
struct lfset_observe w@l = {.limit = e};
)

@script:python@
w << limited.w;
l << limited.l;
@@
tell("limited", l, w)

// ---- somebody else may have changed them: the whole was assigned, or its address given away
@given_away@
identifier declared.o;
identifier g != {lfset_create, lfset_u64_create, lfset_bytes_create, lfset_obj_create,
    lfset_bitmap_create};
position u;
@@
g(..., &o@u, ...)

@script:python@
o << declared.o;
u << given_away.u;
@@
tell("given", u, o)

@copied@
identifier declared.o;
expression e != {LFSET_OPTIONS_INIT, LFSET_OBSERVE_INIT};
position u;
@@
(
struct lfset_options o@u = e;
|
struct lfset_observe o@u = e;
)

@script:python@
o << declared.o;
u << copied.u;
@@
tell("given", u, o)

@overwritten@
identifier declared.o;
expression e != {LFSET_OPTIONS_INIT, LFSET_OBSERVE_INIT};
position u;
@@
o@u = e

@script:python@
o << declared.o;
u << overwritten.u;
@@
tell("given", u, o)

@pointed_to@
identifier declared.o;
identifier t;
type T;
position u;
@@
T *t = &o@u;

@script:python@
o << declared.o;
u << pointed_to.u;
@@
tell("given", u, o)

// ================================================================ expressions, from where to where
@whole@
expression e, x;
type T;
identifier i;
statement S1, S2;
position w;
@@
(
if (e@w) S1 else S2
|
x = e@w;
|
T i = e@w;
)

@script:python@
w << whole.w;
@@
tell("whole", w)

// ================================================================ owners
@pointer@
identifier s;
identifier t = {lfset_u64, lfset_bytes, lfset_obj, lfset_bitmap, lfset_u64_snapshot,
    lfset_bytes_snapshot, lfset_obj_snapshot, lfset_bitmap_snapshot};
expression e;
position d;
@@
(
struct t *s@d;
|
struct t *s@d = e;
)

@script:python@
s << pointer.s;
t << pointer.t;
d << pointer.d;
@@
tell("pointer", d, s, t)

@acquire@
identifier f = {lfset_create, lfset_u64_create, lfset_bytes_create, lfset_obj_create,
    lfset_bitmap_create, lfset_clone, lfset_combine, lfset_u64_clone, lfset_u64_combine,
    lfset_u64_combine_snapshot, lfset_u64_snapshot_combine, lfset_bytes_clone, lfset_bytes_combine,
    lfset_bytes_combine_snapshot, lfset_bytes_snapshot_combine, lfset_obj_clone, lfset_obj_combine,
    lfset_obj_combine_snapshot, lfset_obj_snapshot_combine, lfset_bitmap_clone,
    lfset_bitmap_combine, lfset_bitmap_combine_snapshot, lfset_bitmap_snapshot_combine,
    lfset_snapshot, lfset_drain, lfset_u64_snapshot_take, lfset_u64_drain,
    lfset_bytes_snapshot_take, lfset_bytes_drain, lfset_obj_snapshot_take, lfset_obj_drain,
    lfset_bitmap_snapshot_take, lfset_bitmap_drain};
identifier pointer.s;
position p;
@@
f@p(..., &s, ...)

@script:python@
f << acquire.f;
s << pointer.s;
p << acquire.p;
@@
tell("acquired", p, f, s)

@fixed@
identifier s, t;
expression e;
position u;
@@
(
static struct t *s@u;
|
static struct t *s@u = e;
)

@script:python@
s << fixed.s;
u << fixed.u;
@@
tell("kept", u, s)

@destroyed@
identifier d =~ "^lfset_([a-z0-9]+_)?(snapshot_)?destroy$";
identifier pointer.s;
position u;
@@
d(s@u)

@script:python@
s << pointer.s;
u << destroyed.u;
@@
tell("destroyed", u, s)

@returned@
identifier pointer.s;
position u, q;
expression e, x;
type T;
@@
(
return@q s@u;
|
return@q (T)s@u;
|
return@q e ? s@u : x;
|
return@q e ? x : s@u;
)

@script:python@
s << pointer.s;
q << returned.q;
@@
tell("returned", q, s)

@returned_destroyed@
identifier d =~ "^lfset_([a-z0-9]+_)?(snapshot_)?destroy$";
identifier pointer.s;
position q;
@@
return@q <+... d(s) ...+>;

@script:python@
s << pointer.s;
q << returned_destroyed.q;
@@
tell("returned", q, s)

// what does not keep it
@borrowed@
identifier g =~ "^lfset_";
identifier pointer.s;
position u;
@@
(
g(..., s@u, ...)
|
g(..., &s@u, ...)
)

@compared@
identifier pointer.s;
expression e;
position u;
@@
(
s@u == e
|
s@u != e
|
!s@u
|
s@u = e
)

@kept@
identifier pointer.s;
position u != {borrowed.u, compared.u, destroyed.u, returned.u};
@@
s@u

@script:python@
s << pointer.s;
u << kept.u;
@@
tell("kept", u, s)

// ---- paths on which it was acquired and is not given back
@acquire_succeeds@
identifier acquire.f;
position p;
@@
(
f@p(...) == 0
|
!f@p(...)
)

@acquire_asked@
identifier acquire.f;
position p;
statement S1, S2;
@@
if (<+... f@p(...) ...+>) S1 else S2

@acquire_assigned@
identifier acquire.f;
position p;
identifier e;
type T;
@@
(
e = f@p(...);
|
T e = f@p(...);
)

@lost_after_check exists@
identifier acquire.f;
identifier pointer.s;
identifier d =~ "^lfset_([a-z0-9]+_)?(snapshot_)?destroy$";
position p != acquire_succeeds.p;
position q;
statement S;
@@
if (<+... f@p(..., &s, ...) ...+>) S
... when != d(s)
    when != exit(...)
    when != _exit(...)
    when != abort()
return@q ...;

@script:python@
s << pointer.s;
p << lost_after_check.p;
q << lost_after_check.q;
@@
tell("lost", p, place(q), s)

@lost_within exists@
identifier acquire.f;
identifier pointer.s;
identifier d =~ "^lfset_([a-z0-9]+_)?(snapshot_)?destroy$";
position acquire_succeeds.p;
position q;
@@
if (<+... f@p(..., &s, ...) ...+>) {
... when != d(s)
    when != exit(...)
    when != _exit(...)
    when != abort()
return@q ...;
}

@script:python@
s << pointer.s;
p << acquire_succeeds.p;
q << lost_within.q;
@@
tell("lost", p, place(q), s)

@acquire_checked disable all exists@
identifier acquire.f;
identifier pointer.s;
position p, c;
identifier e;
type T;
statement S;
@@
(
e = f@p(..., &s, ...);
|
T e = f@p(..., &s, ...);
)
... when != e
if@c (\(e\|e != 0\|e < 0\)) S

@lost_after_result exists@
identifier pointer.s;
identifier d =~ "^lfset_([a-z0-9]+_)?(snapshot_)?destroy$";
expression x;
position acquire_checked.c, q;
statement S;
@@
if@c (x) S
... when != d(s)
    when != exit(...)
    when != _exit(...)
    when != abort()
return@q ...;

@script:python@
s << pointer.s;
p << acquire_checked.p;
q << lost_after_result.q;
@@
tell("lost", p, place(q), s)

@lost exists@
identifier acquire.f;
identifier pointer.s;
identifier d =~ "^lfset_([a-z0-9]+_)?(snapshot_)?destroy$";
position p != {acquire_asked.p, acquire_assigned.p};
position q;
@@
f@p(..., &s, ...)
... when != d(s)
    when != exit(...)
    when != _exit(...)
    when != abort()
return@q ...;

@script:python@
s << pointer.s;
p << lost.p;
q << lost.q;
@@
tell("lost", p, place(q), s)

// ================================================================ sections
@leave@
position u;
@@
lfset_section_leave@u()

@script:python@
u << leave.u;
@@
tell("left", u)

@enter_succeeds@
position p;
@@
(
lfset_section_enter@p() == 0
|
!lfset_section_enter@p()
)

@enter_asked@
position p;
statement S1, S2;
@@
if (<+... lfset_section_enter@p() ...+>) S1 else S2

@enter_assigned@
position p;
identifier e;
type T;
@@
(
e = lfset_section_enter@p();
|
T e = lfset_section_enter@p();
)

@open_after_check exists@
position p != enter_succeeds.p;
position q;
statement S;
@@
if (<+... lfset_section_enter@p() ...+>) S
... when != lfset_section_leave()
    when != exit(...)
    when != _exit(...)
    when != abort()
return@q ...;

@script:python@
p << open_after_check.p;
q << open_after_check.q;
@@
tell("left open", p, place(q))

@open_within exists@
position enter_succeeds.p;
position q;
@@
if (<+... lfset_section_enter@p() ...+>) {
... when != lfset_section_leave()
    when != exit(...)
    when != _exit(...)
    when != abort()
return@q ...;
}

@script:python@
p << enter_succeeds.p;
q << open_within.q;
@@
tell("left open", p, place(q))

@enter_checked disable all exists@
position p, c;
identifier e;
type T;
statement S;
@@
(
e = lfset_section_enter@p();
|
T e = lfset_section_enter@p();
)
... when != e
if@c (\(e\|e != 0\|e < 0\)) S

@open_after_result exists@
expression x;
position enter_checked.c, q;
statement S;
@@
if@c (x) S
... when != lfset_section_leave()
    when != exit(...)
    when != _exit(...)
    when != abort()
return@q ...;

@script:python@
p << enter_checked.p;
q << open_after_result.q;
@@
tell("left open", p, place(q))

@open exists@
position p != {enter_asked.p, enter_assigned.p};
position q;
@@
lfset_section_enter@p()
... when != lfset_section_leave()
    when != exit(...)
    when != _exit(...)
    when != abort()
return@q ...;

@script:python@
p << open.p;
q << open.q;
@@
tell("left open", p, place(q))

@blocks_after_check exists@
identifier b = {sleep, usleep, nanosleep, clock_nanosleep, thrd_sleep, poll, ppoll, select, pselect,
    epoll_wait, accept, connect, recv, recvfrom, recvmsg, send, sendmsg, read, readv, pread,
    getline, getchar, fgets, fread, scanf, fscanf, getaddrinfo, wait, waitpid, system, fsync,
    fdatasync, pthread_join, pthread_mutex_lock, pthread_rwlock_rdlock, pthread_rwlock_wrlock,
    pthread_cond_wait, pthread_cond_timedwait, pthread_barrier_wait, sem_wait, sem_timedwait,
    mtx_lock, cnd_wait, thrd_join, sigwait, pause, mq_receive, flock, lfset_barrier,
    synchronize_rcu, lfset_u64_destroy, lfset_bytes_destroy, lfset_obj_destroy,
    lfset_bitmap_destroy, lfset_u64_wait_present, lfset_u64_wait_absent, lfset_u64_wait_empty,
    lfset_bytes_wait_present, lfset_bytes_wait_absent, lfset_bytes_wait_empty,
    lfset_obj_wait_present, lfset_obj_wait_absent, lfset_obj_wait_empty, lfset_bitmap_wait_present,
    lfset_bitmap_wait_absent, lfset_bitmap_wait_empty, lfset_watch_stop};
position p != enter_succeeds.p;
position q;
statement S;
@@
if (<+... lfset_section_enter@p() ...+>) S
... when != lfset_section_leave()
b@q(...)

@script:python@
p << blocks_after_check.p;
q << blocks_after_check.q;
b << blocks_after_check.b;
@@
tell("blocks", p, place(q), b)

@blocks_within exists@
identifier b = {sleep, usleep, nanosleep, clock_nanosleep, thrd_sleep, poll, ppoll, select, pselect,
    epoll_wait, accept, connect, recv, recvfrom, recvmsg, send, sendmsg, read, readv, pread,
    getline, getchar, fgets, fread, scanf, fscanf, getaddrinfo, wait, waitpid, system, fsync,
    fdatasync, pthread_join, pthread_mutex_lock, pthread_rwlock_rdlock, pthread_rwlock_wrlock,
    pthread_cond_wait, pthread_cond_timedwait, pthread_barrier_wait, sem_wait, sem_timedwait,
    mtx_lock, cnd_wait, thrd_join, sigwait, pause, mq_receive, flock, lfset_barrier,
    synchronize_rcu, lfset_u64_destroy, lfset_bytes_destroy, lfset_obj_destroy,
    lfset_bitmap_destroy, lfset_u64_wait_present, lfset_u64_wait_absent, lfset_u64_wait_empty,
    lfset_bytes_wait_present, lfset_bytes_wait_absent, lfset_bytes_wait_empty,
    lfset_obj_wait_present, lfset_obj_wait_absent, lfset_obj_wait_empty, lfset_bitmap_wait_present,
    lfset_bitmap_wait_absent, lfset_bitmap_wait_empty, lfset_watch_stop};
position enter_succeeds.p;
position q;
@@
if (<+... lfset_section_enter@p() ...+>) {
... when != lfset_section_leave()
b@q(...)
... when any
}

@script:python@
p << enter_succeeds.p;
q << blocks_within.q;
b << blocks_within.b;
@@
tell("blocks", p, place(q), b)

@blocks exists@
identifier b = {sleep, usleep, nanosleep, clock_nanosleep, thrd_sleep, poll, ppoll, select, pselect,
    epoll_wait, accept, connect, recv, recvfrom, recvmsg, send, sendmsg, read, readv, pread,
    getline, getchar, fgets, fread, scanf, fscanf, getaddrinfo, wait, waitpid, system, fsync,
    fdatasync, pthread_join, pthread_mutex_lock, pthread_rwlock_rdlock, pthread_rwlock_wrlock,
    pthread_cond_wait, pthread_cond_timedwait, pthread_barrier_wait, sem_wait, sem_timedwait,
    mtx_lock, cnd_wait, thrd_join, sigwait, pause, mq_receive, flock, lfset_barrier,
    synchronize_rcu, lfset_u64_destroy, lfset_bytes_destroy, lfset_obj_destroy,
    lfset_bitmap_destroy, lfset_u64_wait_present, lfset_u64_wait_absent, lfset_u64_wait_empty,
    lfset_bytes_wait_present, lfset_bytes_wait_absent, lfset_bytes_wait_empty,
    lfset_obj_wait_present, lfset_obj_wait_absent, lfset_obj_wait_empty, lfset_bitmap_wait_present,
    lfset_bitmap_wait_absent, lfset_bitmap_wait_empty, lfset_watch_stop};
position p != enter_asked.p;
position q;
@@
lfset_section_enter@p()
... when != lfset_section_leave()
b@q(...)

@script:python@
p << blocks.p;
q << blocks.q;
b << blocks.b;
@@
tell("blocks", p, place(q), b)
