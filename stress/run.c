// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* At rest, at most so many of the keys that the round touched are asked for one by one. */
#define ASKED_AT_REST 4096
/* One round in so many begins with a new set. */
#define RENEWAL 24

struct crew;

/* A thread's place; a thread may leave it and another one take it. */
struct seat {
    struct worker worker;
    struct crew *crew;
    pthread_t thread;
    int taken;
    int attach; /* attach and detach explicitly in this round */
    int leave;  /* end after this round */
    uint64_t seen;
};

struct crew {
    struct record_clock clock;
    pthread_mutex_t lock;
    pthread_cond_t start;
    pthread_cond_t done;
    uint64_t round;
    unsigned running;
    int quit;
    atomic_uint lined_up;
    unsigned threads;
    struct seat *seats;
    struct worker reader; /* the main thread, when the others rest */
    void *set;
    const struct run_options *options;
    struct run_result *result;
    struct checker *checker;
    struct promise_judge *judge; /* of a foreign set */
    uint64_t random;
    uint64_t *keys; /* in the set, at rest */
    size_t key_count;
    size_t key_capacity;
    uint64_t *asked;
    uint64_t point_rounds; /* towards the next point */
    double point_time;
    double point_ops;
    double next_progress;
    double begun;
};

double run_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t below(struct crew *crew, uint64_t n)
{
    return (noise_random(&crew->random) >> 32) % n;
}

__attribute__((format(printf, 2, 3))) static void violation(struct crew *crew, const char *format,
                                                            ...)
{
    va_list args;

    if (crew->result->verdict == CHECKER_VIOLATION)
        return;
    crew->result->verdict = CHECKER_VIOLATION;
    va_start(args, format);
    vsnprintf(crew->result->reason, sizeof(crew->result->reason), format, args);
    va_end(args);
}

/* What the target itself has noticed. */
static void judge_noticed(struct crew *crew)
{
    const char *noticed = target_noticed();

    if (noticed)
        violation(crew, "%s", noticed);
}

/* ---------------------------------------------------------------- threads */

static void attach_fault(struct worker *w, const char *what, int rc)
{
    if (rc != 0 && w->fault[0] == '\0')
        snprintf(w->fault, sizeof(w->fault), "%s answered %d", what, rc);
}

/* A foreign set wants to know of each thread; between rounds it may be made anew. */
static void seat_attach(struct seat *seat)
{
    struct worker *w = &seat->worker;

    if (w->target->set_attach)
        attach_fault(w, "attach", w->target->set_attach(w->set));
}

static void seat_detach(struct seat *seat)
{
    struct worker *w = &seat->worker;

    if (w->target->set_detach)
        attach_fault(w, "detach", w->target->set_detach(w->set));
}

static void *thread_main(void *arg)
{
    struct seat *seat = arg;
    struct crew *crew = seat->crew;
    int leave = 0;

    while (!leave) {
        pthread_mutex_lock(&crew->lock);
        while (crew->round == seat->seen && !crew->quit)
            pthread_cond_wait(&crew->start, &crew->lock);
        seat->seen = crew->round;
        leave = crew->quit || seat->leave;
        const int quit = crew->quit;
        pthread_mutex_unlock(&crew->lock);
        if (quit)
            break;

        if (seat->attach && seat->worker.target->attach)
            seat->worker.target->attach();
        seat_attach(seat);
        /* Woken one after another, they would run one after another. */
        atomic_fetch_add(&crew->lined_up, 1);
        while (atomic_load(&crew->lined_up) < crew->threads)
            sched_yield();
        noise_enter(&seat->worker.noise);
        worker_run(&seat->worker);
        noise_enter(NULL);
        seat_detach(seat);
        if (seat->attach && seat->worker.target->detach)
            seat->worker.target->detach();

        pthread_mutex_lock(&crew->lock);
        crew->running--;
        pthread_cond_signal(&crew->done);
        pthread_mutex_unlock(&crew->lock);
    }
    return NULL;
}

static int seats_fill(struct crew *crew)
{
    for (unsigned i = 0; i < crew->threads; i++) {
        struct seat *seat = &crew->seats[i];

        if (seat->taken)
            continue;
        seat->seen = crew->round;
        const int rc = pthread_create(&seat->thread, NULL, thread_main, seat);
        if (rc != 0)
            return -rc;
        seat->taken = 1;
        crew->result->threads_started++;
    }
    return 0;
}

static void seat_empty(struct seat *seat)
{
    if (seat->taken)
        pthread_join(seat->thread, NULL);
    seat->taken = 0;
    seat->leave = 0;
}

/* What each thread is inside of. The threads still run: only for a process that is about to end. */
static void describe_hang(struct crew *crew)
{
    char text[200] = "";
    size_t used = 0;

    for (unsigned i = 0; i < crew->threads && used < sizeof(text); i++) {
        const struct record_log *log = &crew->seats[i].worker.log;
        const struct history_record *r = log->count ? &log->records[log->count - 1] : NULL;

        if (r && r->ret == HISTORY_PENDING)
            used +=
                (size_t)snprintf(text + used, sizeof(text) - used, "%s thread %u in %s %llu",
                                 used ? "," : "", i, history_op_name(r->op),
                                 (unsigned long long)(r->op <= HISTORY_CONTAINS ? r->value : 0));
    }
    violation(crew, "a round did not end within %g s:%s", crew->options->hang_seconds, text);
}

static void stalled_thread_release(struct crew *crew, struct seat *stalled, int others_are_done)
{
    struct run_result *result = crew->result;
    struct lfset_garbage garbage = {0, 0};

    if (others_are_done) {
        result->stalls++;
        if (crew->options->target->has_domains)
            lfset_garbage_read(crew->options->domain, &garbage);
        if (garbage.objects > result->stall_garbage.objects)
            result->stall_garbage = garbage;
    } else {
        violation(crew, "while thread %u was stopped inside an operation, others could not go on",
                  stalled->worker.number);
    }
    sem_post(&stalled->worker.noise.go);
}

/* Waits until all threads rest. @return 0, or -1 when they never did. */
static int round_wait(struct crew *crew, struct seat *stalled)
{
    double begun = run_now();
    int rc = 0;

    pthread_mutex_lock(&crew->lock);
    while (crew->running > 0 && rc == 0) {
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 20000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
        pthread_cond_timedwait(&crew->done, &crew->lock, &until);
        const int late = run_now() - begun > crew->options->hang_seconds;
        if (stalled && atomic_load(&stalled->worker.noise.stopped) &&
            (crew->running == 1 || late)) {
            stalled_thread_release(crew, stalled, crew->running == 1);
            stalled = NULL;
            begun = run_now();
        } else if (late && crew->running > 0) {
            rc = -1;
        }
    }
    pthread_mutex_unlock(&crew->lock);
    return rc;
}

/* ---------------------------------------------------------------- the set */

static void counters_add(struct crew *crew)
{
    struct target_counters now, *sum = &crew->result->counters;

    if (!crew->options->target->counters || crew->options->target->counters(crew->set, &now) != 0)
        return;
    crew->result->has_counters = 1;
    sum->grows += now.grows;
    sum->purges += now.purges;
    sum->shrinks += now.shrinks;
    sum->rehashes += now.rehashes;
    sum->snapshots += now.snapshots;
    sum->clears += now.clears;
    if (now.capacity > sum->capacity)
        sum->capacity = now.capacity;
    if (now.bytes > sum->bytes)
        sum->bytes = now.bytes;
}

static void set_end(struct crew *crew)
{
    if (!crew->set)
        return;
    counters_add(crew);
    if (crew->options->target->set_detach)
        attach_fault(&crew->reader, "detach", crew->options->target->set_detach(crew->set));
    const int rc = crew->options->target->destroy(crew->set);
    if (rc != 0)
        violation(crew, "destroy answered %d", rc);
    judge_noticed(crew);
    crew->set = NULL;
}

static int set_renew(struct crew *crew)
{
    char name[64];
    snprintf(name, sizeof(name), "stress-%s-%s", crew->options->target->name,
             crew->options->domain == LFSET_HP ? "hp" : "rcu");
    const struct target_options o = {
        .observed = crew->options->observe ? name : NULL,
        .domain = crew->options->domain,
        .capacity = crew->options->workload.capacity,
        .seed = noise_seed(crew->options->seed, crew->result->sets, 5),
    };

    set_end(crew);
    const int rc = crew->options->target->create(&o, &crew->set);
    if (rc != 0)
        return rc;
    if (crew->options->target->set_attach)
        attach_fault(&crew->reader, "attach", crew->options->target->set_attach(crew->set));
    crew->result->sets++;
    crew->key_count = 0;
    crew->reader.set = crew->set;
    for (unsigned i = 0; i < crew->threads; i++)
        crew->seats[i].worker.set = crew->set;
    return 0;
}

static int visit_collect(uint64_t key, void *ctx)
{
    struct crew *crew = ctx;

    if (crew->key_count == crew->key_capacity) {
        const size_t capacity = crew->key_capacity ? crew->key_capacity * 2 : 1024;
        uint64_t *grown = realloc(crew->keys, capacity * sizeof(*grown));

        if (!grown)
            return 1;
        crew->keys = grown;
        crew->key_capacity = capacity;
    }
    crew->keys[crew->key_count++] = key;
    return 0;
}

/* ---------------------------------------------------------------- at rest */

static int compare_keys(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Asks for the keys that the round touched; for a sample of them when there are too many. */
static void ask_touched(struct crew *crew)
{
    const struct history *h = &crew->result->history;
    const size_t count = h->count;
    size_t asked = 0;

    for (size_t i = 0; i < count && asked < ASKED_AT_REST; i++) {
        const size_t at = count <= ASKED_AT_REST ? i : (size_t)below(crew, count);

        if (history_record_has_key(&h->records[at]))
            crew->asked[asked++] = h->records[at].value;
    }
    qsort(crew->asked, asked, sizeof(*crew->asked), compare_keys);
    for (size_t i = 0; i < asked; i++)
        if (i == 0 || crew->asked[i] != crew->asked[i - 1])
            worker_single(&crew->reader, crew->threads, HISTORY_CONTAINS, crew->asked[i]);
}

/* Room for so many records more, at rest. */
static int reader_make_room(struct crew *crew, size_t records)
{
    struct record_log *log = &crew->reader.log;

    if (record_has_room(log, records))
        return 0;
    record_log_free(log);
    return record_log_init(log, &crew->clock, 2 * records, 1024);
}

/*
 * A set without `each` is asked for every key that can be in it: those it had at the start and those
 * of the round's history. Those that it says it has are the state.
 */
static int ask_state(struct crew *crew)
{
    const struct history *h = &crew->result->history;
    const struct record_log *log = &crew->reader.log;
    size_t kept = 0;
    int rc = 0;

    crew->key_count = 0;
    for (size_t i = 0; i < h->initial_count && rc == 0; i++)
        rc = visit_collect(h->initial[i], crew);
    for (size_t i = 0; i < h->count && rc == 0; i++)
        if (history_record_has_key(&h->records[i]))
            rc = visit_collect(h->records[i].value, crew);
    if (rc != 0)
        return -ENOMEM;
    if (crew->key_count > 1)
        qsort(crew->keys, crew->key_count, sizeof(*crew->keys), compare_keys);
    for (size_t i = 0; i < crew->key_count; i++)
        if (i == 0 || crew->keys[i] != crew->keys[kept - 1])
            crew->keys[kept++] = crew->keys[i];
    rc = reader_make_room(crew, kept + 2);
    crew->key_count = 0;
    for (size_t i = 0; i < kept && rc == 0; i++) {
        const uint64_t key = crew->keys[i];

        const size_t at = log->count;

        worker_single(&crew->reader, crew->threads, HISTORY_CONTAINS, key);
        if (log->count > at && log->records[at].result)
            crew->keys[crew->key_count++] = key;
    }
    return rc;
}

/* What `each` finds at rest is the state; the history has it as a snapshot, and must agree. */
static int read_state(struct crew *crew)
{
    struct worker *reader = &crew->reader;

    if (!reader->target->each)
        return ask_state(crew);
    struct history_record *r = record_begin(&reader->log, crew->threads, HISTORY_SNAPSHOT, 0);

    crew->key_count = 0;
    const int rc = reader->target->each(crew->set, visit_collect, crew);
    record_end(&reader->log, r);
    if (rc > 0)
        return -ENOMEM;
    if (rc < 0) {
        violation(crew, "each answered %d", rc);
        record_cancel(&reader->log);
        return 0;
    }
    uint64_t *room = record_answer_room(&reader->log, crew->key_count);
    if (!room)
        return -ENOMEM;
    if (crew->key_count > 0)
        memcpy(room, crew->keys, crew->key_count * sizeof(*room));
    record_answer_end(&reader->log, r, crew->key_count);
    return 0;
}

static void read_size(struct crew *crew)
{
    struct worker *reader = &crew->reader;

    if (!reader->target->size || below(crew, 4) != 0)
        return;
    struct history_record *r = record_begin(&reader->log, crew->threads, HISTORY_SIZE, 0);
    const int64_t size = reader->target->size(crew->set);
    record_end(&reader->log, r);
    r->value = (uint64_t)size;
    if (size < 0)
        record_cancel(&reader->log);
}

static int history_gather(struct crew *crew, const uint64_t *initial, size_t initial_count)
{
    struct history *h = &crew->result->history;
    int rc;

    history_reset(h);
    rc = history_set_initial(h, initial, initial_count);
    for (unsigned i = 0; i < crew->threads && rc == 0; i++)
        rc = record_log_merge(&crew->seats[i].worker.log, h);
    return rc;
}

static int rest(struct crew *crew)
{
    const struct target *target = crew->options->target;
    const char *why = NULL;
    int rc = history_gather(crew, crew->keys, crew->key_count);

    if (rc != 0)
        return rc;
    record_log_reset(&crew->reader.log);
    if (target->each)
        ask_touched(crew);
    rc = read_state(crew);
    if (rc != 0)
        return rc;
    read_size(crew);
    rc = record_log_merge(&crew->reader.log, &crew->result->history);
    if (rc == -EINVAL) {
        violation(crew, "each visited a key twice, with no other thread in the set");
        rc = 0;
    }
    if (target->validate && target->validate(crew->set, &why) != 1)
        violation(crew, "the set's invariants do not hold: %s", why ? why : "no reason given");
    if (crew->reader.fault[0] != '\0')
        violation(crew, "%s", crew->reader.fault);
    judge_noticed(crew);
    return rc;
}

/* ---------------------------------------------------------------- a round */

/* Beside a weak clear no other operation can be judged for more than its promise. */
static int clear_is_left_out(const struct crew *crew)
{
    const struct target_promises *p = crew->options->target->promises;

    return p && p->weak[TARGET_CLEAR] && crew->result->rounds % 2 == 0;
}

int run_can_stall(const struct run_options *options)
{
    return options->stall && options->threads > 1 &&
           (!options->target->promises || options->target->promises->lock_free);
}

static void seat_prepare(struct crew *crew, unsigned number, uint32_t period,
                         enum workload_phase phase)
{
    struct seat *seat = &crew->seats[number];
    struct noise_thread *noise = &seat->worker.noise;
    const uint64_t seed = noise_seed(crew->options->seed, crew->result->rounds, number);
    const unsigned section = below(crew, 4) == 0 ? 4 + (unsigned)below(crew, 60) : 0;

    seat->worker.without_clear = clear_is_left_out(crew);
    worker_round(&seat->worker, seed, phase, section,
                 number == crew->result->rounds % crew->threads);
    noise->random = noise_seed(seed, 1, number);
    noise->period = period;
    noise->stretch = 1;
    noise->countdown = period ? 1 + (uint32_t)below(crew, period) : 0;
    noise->stop_in = 0;
    atomic_store(&noise->stopped, 0);
    seat->attach = below(crew, 8) == 0;
    seat->leave = crew->options->churn && below(crew, 2) == 0;
}

/* Prepares all and lets them run until they rest. @return as round_wait. */
static int round_run(struct crew *crew)
{
    static const uint32_t periods[] = {64, 128, 256, 1024};
    const uint32_t period =
        crew->options->noise && below(crew, 4) != 0 ? periods[below(crew, 4)] : 0;
    const enum workload_phase phase = (enum workload_phase)below(crew, WORKLOAD_PHASES);
    struct seat *stalled = NULL;

    for (unsigned i = 0; i < crew->threads; i++)
        seat_prepare(crew, i, period, phase);
    if (run_can_stall(crew->options) && below(crew, 2) == 0) {
        stalled = &crew->seats[below(crew, crew->threads)];
        stalled->worker.noise.stop_in =
            1 + (uint32_t)below(crew, crew->options->workload.round_ops);
    }

    const double begun = run_now();
    pthread_mutex_lock(&crew->lock);
    atomic_store(&crew->lined_up, 0);
    crew->running = crew->threads;
    crew->round++;
    pthread_cond_broadcast(&crew->start);
    pthread_mutex_unlock(&crew->lock);
    const int rc = round_wait(crew, stalled);
    const double took = run_now() - begun;
    crew->result->running += took;
    crew->point_time += took;
    return rc;
}

static void count_operations(struct crew *crew)
{
    struct run_result *result = crew->result;

    for (unsigned i = 0; i < crew->threads; i++) {
        const struct record_log *log = &crew->seats[i].worker.log;

        result->operations += log->count;
        crew->point_ops += (double)log->count;
        for (size_t j = 0; j < log->count; j++)
            result->whole_set += log->records[j].op > HISTORY_CONTAINS;
    }
    result->out_of_memory = crew->reader.log.failed;
    for (unsigned i = 0; i < crew->threads; i++)
        result->out_of_memory += crew->seats[i].worker.log.failed;
    if (crew->key_count > result->max_keys)
        result->max_keys = crew->key_count;
}

/* Halves the number of points when there are too many, so that a run of any length has some. */
static void points_add(struct crew *crew)
{
    struct run_result *r = crew->result;

    if (++crew->point_rounds < r->rounds_per_point)
        return;
    if (r->points == RUN_POINTS) {
        for (size_t i = 0; i < RUN_POINTS / 2; i++) {
            r->mops[i] = (r->mops[2 * i] + r->mops[2 * i + 1]) / 2;
            r->keys[i] = (r->keys[2 * i] + r->keys[2 * i + 1]) / 2;
        }
        r->points = RUN_POINTS / 2;
        r->rounds_per_point *= 2;
    }
    r->mops[r->points] = crew->point_time > 0 ? crew->point_ops / crew->point_time * 1e-6 : 0;
    r->keys[r->points] = (double)crew->key_count;
    r->points++;
    crew->point_rounds = 0;
    crew->point_time = 0;
    crew->point_ops = 0;
}

static int round_check(struct crew *crew)
{
    const struct checker_options options = {.budget = crew->options->budget};
    struct run_result *result = crew->result;
    char why[256] = "no order of the operations explains what they answered";
    const double begun = run_now();
    int rc;

    if (crew->judge)
        rc = promise_judge_round(crew->judge, &result->history, options.budget, result->promises,
                                 &result->checked, why, sizeof(why));
    else
        rc = checker_run(crew->checker, &result->history, &options, &result->checked);
    result->checking += run_now() - begun;
    if (rc != 0)
        return rc;
    result->overlapping += result->checked.overlapping;
    if (result->checked.verdict == CHECKER_VIOLATION) {
        result->has_history = 1;
        violation(crew, "%s", why);
    } else if (result->checked.verdict == CHECKER_UNDECIDED) {
        result->undecided++;
    }
    return 0;
}

/* A round carries on from the one before it, unless the set is a new one. */
static int round_write(struct crew *crew, int renewed)
{
    const struct run_options *o = crew->options;
    struct history *h = &crew->result->history;

    if (!o->all_rounds)
        return 0;
    h->continued = crew->result->rounds != 0 && !renewed;
    const int rc = o->all_rounds_binary ? history_write_binary(h, o->all_rounds)
                                        : history_write_text(h, o->all_rounds);
    h->continued = false; /* what is kept of it stands alone */
    return rc;
}

static int one_round(struct crew *crew)
{
    struct run_result *result = crew->result;
    const int renewed = result->rounds != 0 && below(crew, RENEWAL) == 0;
    int rc = renewed ? set_renew(crew) : 0;

    if (rc == 0)
        rc = seats_fill(crew);
    if (rc != 0)
        return rc;
    if (round_run(crew) != 0) {
        describe_hang(crew);
        result->threads_are_lost = 1;
        return 0;
    }
    for (unsigned i = 0; i < crew->threads; i++) {
        struct seat *seat = &crew->seats[i];

        if (seat->leave)
            seat_empty(seat);
        if (seat->worker.fault[0] != '\0')
            violation(crew, "%s", seat->worker.fault);
    }
    rc = rest(crew);
    if (rc == 0)
        rc = round_write(crew, renewed);
    if (rc != 0)
        return rc;
    result->rounds++;
    count_operations(crew);
    points_add(crew);
    return round_check(crew);
}

static void progress(struct crew *crew, int last)
{
    struct run_result *result = crew->result;
    const double now = run_now();

    result->elapsed = now - crew->begun;
    if (!crew->options->progress || (!last && now < crew->next_progress))
        return;
    crew->next_progress = now + 1;
    crew->options->progress(crew->options->ctx, crew->options, result);
}

static int is_over(const struct crew *crew)
{
    const struct run_options *o = crew->options;
    const struct run_result *r = crew->result;

    return r->verdict == CHECKER_VIOLATION || (o->seconds > 0 && r->elapsed >= o->seconds) ||
           (o->ops > 0 && r->operations >= o->ops);
}

/* ---------------------------------------------------------------- setting up */

static int worker_init(struct crew *crew, struct worker *worker, unsigned number, size_t records)
{
    worker->target = crew->options->target;
    worker->workload = &crew->options->workload;
    worker->number = number;
    worker->threads = crew->threads;
    worker->random = 1;
    worker->fault[0] = '\0';
    if (sem_init(&worker->noise.go, 0, 0) != 0)
        return -errno;
    return record_log_init(&worker->log, &crew->clock, records, 1024);
}

static int crew_init(struct crew *crew, const struct run_options *options,
                     struct run_result *result)
{
    pthread_condattr_t monotonic;
    int rc = 0;

    memset(crew, 0, sizeof(*crew));
    crew->options = options;
    crew->result = result;
    crew->threads = options->threads;
    crew->clock.kind = options->clock;
    crew->random = noise_seed(options->seed, 17, options->workload.keys);
    pthread_mutex_init(&crew->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&crew->start, NULL);
    pthread_cond_init(&crew->done, &monotonic);
    pthread_condattr_destroy(&monotonic);
    crew->checker = checker_create();
    crew->asked = malloc(ASKED_AT_REST * sizeof(*crew->asked));
    crew->seats = aligned_alloc(128, crew->threads * sizeof(*crew->seats));
    if (options->target->promises && crew->checker)
        crew->judge = promise_judge_create(options->target->promises, crew->checker);
    if (!crew->checker || !crew->asked || !crew->seats ||
        (options->target->promises && !crew->judge))
        return -ENOMEM;
    memset(crew->seats, 0, crew->threads * sizeof(*crew->seats));
    rc = worker_init(crew, &crew->reader, crew->threads, ASKED_AT_REST + 2);
    for (unsigned i = 0; i < crew->threads && rc == 0; i++) {
        crew->seats[i].crew = crew;
        rc = worker_init(crew, &crew->seats[i].worker, i,
                         options->workload.round_ops + WORKLOAD_ROOM);
    }
    return rc ? rc : set_renew(crew);
}

static void crew_free(struct crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->quit = 1;
    pthread_cond_broadcast(&crew->start);
    pthread_mutex_unlock(&crew->lock);
    for (unsigned i = 0; crew->seats && i < crew->threads; i++) {
        seat_empty(&crew->seats[i]);
        record_log_free(&crew->seats[i].worker.log);
        worker_free(&crew->seats[i].worker);
        sem_destroy(&crew->seats[i].worker.noise.go);
    }
    set_end(crew);
    record_log_free(&crew->reader.log);
    free(crew->seats);
    free(crew->asked);
    free(crew->keys);
    promise_judge_destroy(crew->judge);
    checker_destroy(crew->checker);
    pthread_cond_destroy(&crew->start);
    pthread_cond_destroy(&crew->done);
    pthread_mutex_destroy(&crew->lock);
}

int run(const struct run_options *options, struct run_result *result)
{
    struct crew *crew = aligned_alloc(128, sizeof(*crew));
    int rc;

    memset(result, 0, sizeof(*result));
    target_notice_clear();
    history_init(&result->history);
    result->rounds_per_point = 1;
    if (!crew)
        return -ENOMEM;
    rc = crew_init(crew, options, result);
    crew->begun = run_now();
    crew->next_progress = crew->begun + 1;
    while (rc == 0 && !is_over(crew)) {
        rc = one_round(crew);
        progress(crew, 0);
    }
    if (rc == 0)
        progress(crew, 1);
    if (result->threads_are_lost) {
        history_gather(crew, NULL, 0);
        return rc;
    }
    crew_free(crew);
    free(crew);
    if (result->verdict != CHECKER_VIOLATION && result->undecided != 0)
        result->verdict = CHECKER_UNDECIDED;
    return rc;
}

void run_result_free(struct run_result *result)
{
    history_free(&result->history);
}
