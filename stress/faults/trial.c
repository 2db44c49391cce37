// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "trial.h"

#include "platform/hook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOG_RECORDS 4096

static _Thread_local struct actor *self;
static _Thread_local int quiet; /* what it does now does not count */

/* Where a thread stops or ends. */
static void hook(int kind, const volatile void *address)
{
    struct actor *actor = self;

    (void)kind;
    (void)address;
    if (!actor || quiet || ++actor->seen != actor->stop_at)
        return;
    if (actor->end_there) {
        self = NULL;
        actor->ended = 1;
        pthread_exit(NULL);
    }
    actor->stopped = 1;
    sem_post(&actor->rests);
    while (sem_wait(&actor->go) != 0) {
    }
}

/* ---------------------------------------------------------------- what the others do */

/* Those that leave no record come first: worker_run repeats a call until something is recorded. */
static const enum workload_op rota[] = {
    WORKLOAD_WAIT,        WORKLOAD_RESERVE,       WORKLOAD_PURGE,     WORKLOAD_ADD,
    WORKLOAD_REMOVE,      WORKLOAD_CONTAINS,      WORKLOAD_SIZE,      WORKLOAD_ADD_MANY,
    WORKLOAD_REMOVE_MANY, WORKLOAD_CONTAINS_MANY, WORKLOAD_IS_EMPTY,  WORKLOAD_SNAPSHOT,
    WORKLOAD_POP,         WORKLOAD_ADD_MANY,      WORKLOAD_REMOVE_IF, WORKLOAD_DRAIN,
    WORKLOAD_ADD_MANY,    WORKLOAD_CLEAR,         WORKLOAD_EACH,      WORKLOAD_ADD,
};

static void do_one(struct worker *worker, enum workload_op op)
{
    const struct workload *whole = worker->workload;
    struct workload one = *whole;

    if (whole->mix.weight[op] == 0)
        return;
    one.round_ops = worker->log.count + 1;
    memset(&worker->mix, 0, sizeof(worker->mix));
    worker->mix.weight[op] = 1;
    worker->mix_total = 1;
    worker->workload = &one;
    worker_run(worker);
    worker->workload = whole;
}

static void do_all(struct worker *worker)
{
    for (size_t i = 0; i < sizeof(rota) / sizeof(rota[0]); i++)
        do_one(worker, rota[i]);
}

/* ---------------------------------------------------------------- moves */

static void add_new(struct worker *w)
{
    worker_single(w, w->number, HISTORY_ADD, 40);
}

/* The first remove is there to leave a dead word behind; it is part of what is stopped. */
static void add_dead(struct worker *w)
{
    worker_single(w, w->number, HISTORY_REMOVE, 3);
    worker_single(w, w->number, HISTORY_ADD, 3);
}

static void add_present(struct worker *w)
{
    worker_single(w, w->number, HISTORY_ADD, 3);
}

static void add_until_it_grows(struct worker *w)
{
    for (uint64_t key = 16; key < 52; key++)
        worker_single(w, w->number, HISTORY_ADD, key);
}

static void remove_present(struct worker *w)
{
    worker_single(w, w->number, HISTORY_REMOVE, 4);
}

static void remove_absent(struct worker *w)
{
    worker_single(w, w->number, HISTORY_REMOVE, 41);
}

static void remove_until_it_shrinks(struct worker *w)
{
    for (uint64_t key = 0; key < 48; key++)
        worker_single(w, w->number, HISTORY_REMOVE, key);
}

/* Until dead words are purged. */
static void come_and_go(struct worker *w)
{
    for (uint64_t key = 16; key < 44; key++) {
        worker_single(w, w->number, HISTORY_ADD, key);
        worker_single(w, w->number, HISTORY_REMOVE, key);
    }
}

static void contains(struct worker *w)
{
    worker_single(w, w->number, HISTORY_CONTAINS, 5);
    worker_single(w, w->number, HISTORY_CONTAINS, 42);
}

static void section(struct worker *w)
{
    if (!w->target->section_enter || w->target->section_enter() != 0)
        return;
    worker_single(w, w->number, HISTORY_CONTAINS, 5);
    worker_single(w, w->number, HISTORY_ADD, 43);
    worker_single(w, w->number, HISTORY_REMOVE, 6);
    w->target->section_leave();
}

static void detach(struct worker *w)
{
    worker_single(w, w->number, HISTORY_REMOVE, 7);
    if (w->target->detach)
        (void)w->target->detach();
}

/* With hazard pointers, so much was retired before that one of these scans. */
static void scan(struct worker *w)
{
    quiet = 1;
    for (int i = 0; i < 62 && w->target->size; i++)
        (void)w->target->size(w->set);
    quiet = 0;
    for (int i = 0; i < 3; i++)
        do_one(w, WORKLOAD_SIZE);
}

#define MOVE_BY_OP(name, op)                                                                       \
    static void name(struct worker *w)                                                             \
    {                                                                                              \
        do_one(w, op);                                                                             \
    }
MOVE_BY_OP(add_many, WORKLOAD_ADD_MANY)
MOVE_BY_OP(remove_many, WORKLOAD_REMOVE_MANY)
MOVE_BY_OP(contains_many, WORKLOAD_CONTAINS_MANY)
MOVE_BY_OP(wait_some, WORKLOAD_WAIT)
MOVE_BY_OP(each, WORKLOAD_EACH)
MOVE_BY_OP(remove_if, WORKLOAD_REMOVE_IF)
MOVE_BY_OP(reserve, WORKLOAD_RESERVE)
MOVE_BY_OP(purge, WORKLOAD_PURGE)
MOVE_BY_OP(pop, WORKLOAD_POP)
MOVE_BY_OP(size, WORKLOAD_SIZE)
MOVE_BY_OP(is_empty, WORKLOAD_IS_EMPTY)
MOVE_BY_OP(snapshot, WORKLOAD_SNAPSHOT)
MOVE_BY_OP(clear, WORKLOAD_CLEAR)
MOVE_BY_OP(drain, WORKLOAD_DRAIN)

static const struct move moves[] = {
    {"add of a new key", add_new, 16, 0, 0},
    {"add over a dead key", add_dead, 16, 0, 0},
    {"add of a present key", add_present, 16, 0, 0},
    {"adds until it grows", add_until_it_grows, 16, 0, 0},
    {"remove", remove_present, 16, 0, 0},
    {"remove of an absent key", remove_absent, 16, 0, 0},
    {"removes until it shrinks", remove_until_it_shrinks, 52, 0, 0},
    {"adds and removes until it purges", come_and_go, 4, 0, 0},
    {"contains", contains, 16, 0, 0},
    {"a thread's first operation", contains, 16, 1, 0},
    {"a section", section, 16, 0, 0},
    {"detach", detach, 16, 0, 0},
    {"add_many", add_many, 16, 0, 0},
    {"remove_many", remove_many, 16, 0, 0},
    {"contains_many", contains_many, 16, 0, 0},
    {"wait", wait_some, 16, 0, 0},
    {"each", each, 16, 0, 0},
    {"remove_if", remove_if, 16, 0, 1},
    {"reserve", reserve, 16, 0, 0},
    {"purge", purge, 16, 0, 0},
    {"pop", pop, 16, 0, 0},
    {"pop of an empty set", pop, 0, 0, 0},
    {"size", size, 16, 0, 0},
    {"is_empty", is_empty, 16, 0, 0},
    {"is_empty of an empty set", is_empty, 0, 0, 0},
    {"snapshot", snapshot, 16, 0, 0},
    {"a scan", scan, 16, 0, 0},
    {"clear", clear, 16, 0, 0},
    {"drain", drain, 16, 0, 0},
    {"clone, combine, apply, compare", algebra_act, 16, 0, 0},
    {.name = NULL},
};

/* What a target lacks is left out; such a move makes no access. */
const struct move *trial_moves(void)
{
    return moves;
}

/* ---------------------------------------------------------------- the trial */

static int worker_init(struct trial *trial, struct worker *worker, uint32_t number)
{
    *worker = (struct worker){.target = trial->cell->target,
                              .workload = &trial->workload,
                              .number = number,
                              .threads = TRIAL_WORKERS};
    return record_log_init(&worker->log, &trial->clock, LOG_RECORDS, 4096);
}

int trial_init(struct trial *trial, struct cell *cell)
{
    const char *why;
    int rc = 0;

    *trial = (struct trial){.cell = cell, .number = cell->seed};
    trial->clock.kind = record_tsc_is_sound(&why) ? RECORD_CLOCK_TSC : RECORD_CLOCK_COUNTER;
    trial->workload = (struct workload){
        .name = "faults", .kind = WORKLOAD_UNIFORM, .keys = TRIAL_KEYS, .round_ops = LOG_RECORDS};
    for (int op = 0; op < WORKLOAD_OPS; op++)
        trial->workload.mix.weight[op] = 1;
    trial->checker = checker_create();
    trial->keys = calloc(TRIAL_KEYS, sizeof(*trial->keys));
    if (!trial->checker || !trial->keys)
        rc = -ENOMEM;
    for (int i = 0; i < TRIAL_WORKERS && rc == 0; i++) {
        trial->actors[i].trial = trial;
        sem_init(&trial->actors[i].rests, 0, 0);
        sem_init(&trial->actors[i].go, 0, 0);
        rc = worker_init(trial, &trial->actors[i].worker, (uint32_t)i);
    }
    if (rc == 0)
        rc = worker_init(trial, &trial->reader, TRIAL_WORKERS);
    if (rc == 0) { /* which operations the target has: worker_round leaves out the others */
        worker_round(&trial->reader, 1, WORKLOAD_LEVEL, 0, 1);
        trial->workload.mix = trial->reader.mix;
    }
    lfset__hook = hook;
    return rc;
}

void trial_free(struct trial *trial)
{
    trial_end_all(trial);
    for (int i = 0; i < TRIAL_WORKERS; i++) {
        record_log_free(&trial->actors[i].worker.log);
        worker_free(&trial->actors[i].worker);
    }
    record_log_free(&trial->reader.log);
    worker_free(&trial->reader);
    history_free(&trial->history);
    checker_destroy(trial->checker);
    free(trial->keys);
}

int trial_begin(struct trial *trial, const struct move *move)
{
    const struct target *target = trial->cell->target;
    const struct target_options options = {.domain = trial->cell->domain, .seed = 7};

    trial->number++;
    trial->pool = malloc(sizeof(*trial->pool));
    if (!trial->pool)
        return -ENOMEM;
    pool_use(trial->pool);
    int rc = target->create(&options, &trial->set);
    for (uint64_t key = 0; key < move->present && rc >= 0; key++)
        rc = target->add(trial->set, key);
    if (rc < 0)
        return rc;
    trial->key_count = move->present;
    for (uint64_t key = 0; key < move->present; key++)
        trial->keys[key] = key;
    for (int i = 0; i < TRIAL_WORKERS; i++) {
        struct actor *actor = &trial->actors[i];

        actor->worker.workload = &trial->workload; /* who ended has left its own there */
        worker_round(&actor->worker, noise_seed(trial->number, (uint64_t)i, 9), WORKLOAD_LEVEL, 0,
                     1);
        actor->worker.set = trial->set;
        actor->stop_at = 0;
        actor->end_there = 0;
        actor->fail_at = 0;
    }
    worker_round(&trial->reader, trial->number, WORKLOAD_LEVEL, 0, 1);
    trial->reader.set = trial->set;
    return 0;
}

static void *actor_main(void *arg)
{
    struct actor *actor = arg;
    const struct target *target = actor->worker.target;

    if (target->attach && !(actor->move && actor->move->unattached))
        (void)target->attach();
    self = actor;
    memory_fail(actor->fail_at, actor->fail_from);
    if (actor->move)
        actor->move->act(&actor->worker);
    else
        do_all(&actor->worker);
    actor->failed = memory_heal();
    self = NULL;
    sem_post(&actor->rests);
    return NULL;
}

int trial_start(struct trial *trial, int number, const struct move *move)
{
    struct actor *actor = &trial->actors[number];

    actor->move = move;
    actor->seen = 0;
    actor->stopped = 0;
    actor->ended = 0;
    const int rc = pthread_create(&actor->thread, NULL, actor_main, actor);
    actor->running = rc == 0;
    return -rc;
}

static int wait_within(struct trial *trial, sem_t *sem)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)trial->cell->hang + 1;
    while (sem_timedwait(sem, &until) != 0)
        if (errno == ETIMEDOUT)
            return -ETIMEDOUT;
    return 0;
}

int trial_wait(struct trial *trial, int number)
{
    struct actor *actor = &trial->actors[number];

    if (!actor->end_there)
        return wait_within(trial, &actor->rests);
    /* Its end includes that of the thread, and the destructors that run there. */
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)trial->cell->hang + 1;
    const int rc = pthread_timedjoin_np(actor->thread, NULL, &until);
    actor->running = rc != 0;
    if (rc == 0 && !actor->ended)
        (void)sem_trywait(&actor->rests);
    return -rc;
}

int trial_finish(struct trial *trial, int number)
{
    struct actor *actor = &trial->actors[number];
    int rc = 0;

    if (!actor->running)
        return 0;
    if (actor->stopped) {
        actor->stopped = 0;
        sem_post(&actor->go);
        rc = wait_within(trial, &actor->rests);
    }
    if (rc == 0) {
        pthread_join(actor->thread, NULL);
        actor->running = 0;
    }
    return rc;
}

/* ---------------------------------------------------------------- judging */

static int collect(uint64_t key, void *ctx)
{
    struct trial *trial = ctx;

    if (trial->key_count < TRIAL_KEYS)
        trial->keys[trial->key_count++] = key;
    else
        cell_fail(trial->cell, "each visits more keys than there are");
    return 0;
}

/* What a thread that ended in the midst may have removed: any key, or none. */
static int add_unknown(struct trial *trial)
{
    int rc = 0;

    for (uint64_t key = 0; key < TRIAL_KEYS && rc == 0; key++)
        rc = history_add(&trial->history, &(struct history_record){.value = key,
                                                                   .ret = HISTORY_PENDING,
                                                                   .thread = 100000 + (uint32_t)key,
                                                                   .op = HISTORY_REMOVE});
    return rc;
}

/* It may have returned from a snapshot or a drain and not have written down what it got. */
static void forget_answer(struct actor *actor)
{
    struct record_log *log = &actor->worker.log;
    struct history_record *last = log->count > 0 ? &log->records[log->count - 1] : NULL;

    if (last && (last->op == HISTORY_SNAPSHOT || last->op == HISTORY_DRAIN))
        last->ret = HISTORY_PENDING;
}

static int gather(struct trial *trial)
{
    int rc = 0;

    if (trial->actors[TRIAL_VICTIM].ended)
        forget_answer(&trial->actors[TRIAL_VICTIM]);
    history_reset(&trial->history);
    rc = history_set_initial(&trial->history, trial->keys, trial->key_count);
    for (int i = 0; i < TRIAL_WORKERS && rc == 0; i++)
        rc = record_log_merge(&trial->actors[i].worker.log, &trial->history);
    return rc;
}

/* What the set says when nobody else is in it: each key for itself, and all at once. */
static int read_all(struct trial *trial)
{
    struct worker *reader = &trial->reader;

    for (uint64_t key = 0; key < TRIAL_KEYS; key++)
        worker_single(reader, reader->number, HISTORY_CONTAINS, key);
    if (reader->log.failed != 0)
        return -ENOMEM;
    struct history_record *r = record_begin(&reader->log, reader->number, HISTORY_SNAPSHOT, 0);
    trial->key_count = 0;
    const int rc = reader->target->each(trial->set, collect, trial);
    record_end(&reader->log, r);
    uint64_t *room = record_answer_room(&reader->log, trial->key_count);
    if (rc != 0 || !room)
        return rc < 0 ? rc : -ENOMEM;
    if (trial->key_count > 0)
        memcpy(room, trial->keys, trial->key_count * sizeof(*room));
    record_answer_end(&reader->log, r, trial->key_count);
    return 0;
}

static void judge_words(struct trial *trial)
{
    const char *why = NULL;

    for (int i = 0; i < TRIAL_WORKERS; i++)
        if (trial->actors[i].worker.fault[0] != '\0')
            cell_fail(trial->cell, "%s", trial->actors[i].worker.fault);
    if (trial->reader.fault[0] != '\0')
        cell_fail(trial->cell, "%s", trial->reader.fault);
    /* Who ended may have bound a word and not have counted it: the counts are advice, the words are not. */
    if (!trial->actors[TRIAL_VICTIM].ended && trial->cell->target->validate &&
        trial->cell->target->validate(trial->set, &why) != 1)
        cell_fail(trial->cell, "the set's invariants do not hold: %s", why ? why : "no reason");
    if (target_noticed())
        cell_fail(trial->cell, "%s", target_noticed());
}

int trial_judge(struct trial *trial)
{
    const struct actor *victim = &trial->actors[TRIAL_VICTIM];
    const struct checker_options options = {.budget = 2000000};
    struct checker_result result;

    int rc = gather(trial);
    if (rc == 0)
        rc = read_all(trial);
    if (rc == 0)
        rc = record_log_merge(&trial->reader.log, &trial->history);
    if (rc == -EINVAL) {
        cell_fail(trial->cell, "an answer holds a key twice");
        return 0;
    }
    if (rc == 0 && victim->ended && victim->move->removes_unknown)
        rc = add_unknown(trial);
    judge_words(trial);
    if (rc == 0)
        rc = checker_run(trial->checker, &trial->history, &options, &result);
    if (rc == 0 && result.verdict == CHECKER_VIOLATION)
        cell_fail(trial->cell, "no order of the operations explains what they answered");
    if (rc == 0 && result.verdict == CHECKER_UNDECIDED)
        trial->undecided++;
    return rc;
}

void trial_end(struct trial *trial)
{
    trial->done[trial->done_count].set = trial->set;
    trial->done[trial->done_count].made = algebra_take();
    trial->done[trial->done_count++].pool = trial->pool;
    trial->set = NULL;
    if (trial->done_count == sizeof(trial->done) / sizeof(trial->done[0]))
        trial_end_all(trial);
}

void trial_end_all(struct trial *trial)
{
    for (size_t i = 0; i < trial->done_count; i++) {
        struct pool *pool = trial->done[i].pool;
        const int made_rc = algebra_destroy(&trial->done[i].made);
        const int rc = made_rc ? made_rc : trial->cell->target->destroy(trial->done[i].set);
        const long long left = atomic_load(&pool->blocks);

        if (rc != 0)
            cell_fail(trial->cell, "destroy answered %d", rc);
        if (left != 0)
            cell_fail(trial->cell, "%lld blocks of memory are lost", left);
        if (atomic_load(&pool->wrong))
            cell_fail(trial->cell, "a block was given back twice, or with another size");
        free(pool);
    }
    trial->done_count = 0;
}

unsigned long trial_accesses(struct trial *trial, const struct move *move)
{
    if (trial_begin(trial, move) != 0 || trial_start(trial, TRIAL_VICTIM, move) != 0 ||
        trial_wait(trial, TRIAL_VICTIM) != 0 || trial_finish(trial, TRIAL_VICTIM) != 0)
        return 0;
    trial_end(trial);
    return trial->actors[TRIAL_VICTIM].seen;
}
