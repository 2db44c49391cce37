// SPDX-License-Identifier: MIT
#include "explore/plan.h"

#include <string.h>

#include "explore/random.h"

static const char *const op_names[PLAN_OP_KINDS] = {
    "add",         "remove",        "contains",     "pop",        "snapshot",    "drain",
    "clear",       "size",          "is_empty",     "each",       "reserve",     "add_many",
    "remove_many", "contains_many", "stats",        "detach",     "barrier",     "wait_present",
    "wait_absent", "wait_empty",    "cancel",       "get",        "add_or_get",  "purge",
    "clone",       "add_range",     "remove_range", "remove_all", "count_range", "seek"};

static const char *const set_names[PLAN_SETS] = {"u64", "obj", "bytes", "bitmap"};

/** What the set is like before the threads start: see the functions of these names. */
enum shape { TINY, OVERFULL, CHAIN, COUNTED, REHASH, REMOVED, SHOWN, EITHER };

struct scenario {
    const char *name, *about;
    enum shape shape;
    bool enomem, stop;
    uint8_t weight[PLAN_OP_KINDS]; /**< how likely each operation is, out of their sum */
};

// clang-format off
#define KEYS [PLAN_ADD] = 6, [PLAN_REMOVE] = 6, [PLAN_CONTAINS] = 6
#define WHOLE [PLAN_POP] = 3, [PLAN_SNAPSHOT] = 3, [PLAN_DRAIN] = 2, [PLAN_CLEAR] = 2,             \
    [PLAN_SIZE] = 2, [PLAN_IS_EMPTY] = 2, [PLAN_EACH] = 2, [PLAN_RESERVE] = 1
#define MANY [PLAN_ADD_MANY] = 1, [PLAN_REMOVE_MANY] = 1, [PLAN_CONTAINS_MANY] = 1, [PLAN_STATS] = 1

static const struct scenario scenarios[] = {
    {"keys", "add, remove, contains in a roomy slice", TINY, .weight = {KEYS}},
    {"overfull", "keys that share a home which has no room", OVERFULL, .weight = {KEYS}},
    {"chain", "a large slice succeeded by small ones that overflow in turn", CHAIN,
     .weight = {KEYS, [PLAN_SNAPSHOT] = 1, [PLAN_EACH] = 1, [PLAN_POP] = 1}},
    {"gate", "snapshot, size, is_empty among keys", OVERFULL,
     .weight = {KEYS, [PLAN_SNAPSHOT] = 5, [PLAN_SIZE] = 2, [PLAN_IS_EMPTY] = 2}},
    {"clear", "clear and drain among keys", OVERFULL,
     .weight = {KEYS, [PLAN_CLEAR] = 4, [PLAN_DRAIN] = 4}},
    {"pop", "pop, is_empty, clear among keys", OVERFULL,
     .weight = {[PLAN_ADD] = 6, [PLAN_REMOVE] = 3, [PLAN_CONTAINS] = 3, [PLAN_POP] = 8,
                [PLAN_IS_EMPTY] = 2, [PLAN_CLEAR] = 1}},
    {"many", "batches, iteration, reserve", OVERFULL,
     .weight = {KEYS, [PLAN_EACH] = 5, [PLAN_RESERVE] = 3, [PLAN_ADD_MANY] = 4,
                [PLAN_REMOVE_MANY] = 4, [PLAN_CONTAINS_MANY] = 4, [PLAN_STATS] = 2,
                [PLAN_SNAPSHOT] = 1}},
    {"count", "a counted slice at the edge of growing or shrinking", COUNTED,
     .weight = {KEYS, [PLAN_SNAPSHOT] = 1, [PLAN_RESERVE] = 1, [PLAN_POP] = 2}},
    {"rehash", "a home overfull in a slice that is mostly free", REHASH,
     .weight = {KEYS, [PLAN_SNAPSHOT] = 1, [PLAN_EACH] = 1}},
    {"threads", "detach and barrier between operations", OVERFULL,
     .weight = {KEYS, [PLAN_SNAPSHOT] = 3, [PLAN_CLEAR] = 2, [PLAN_DETACH] = 4,
                [PLAN_BARRIER] = 2}},
    {"purge", "keys that were removed are left behind, among others that add them again", REMOVED,
     .weight = {[PLAN_ADD] = 6, [PLAN_REMOVE] = 4, [PLAN_CONTAINS] = 2, [PLAN_PURGE] = 5,
                [PLAN_ADD_MANY] = 1, [PLAN_SNAPSHOT] = 1, [PLAN_POP] = 1}},
    {"each", "iterations while what they show is replaced", SHOWN,
     .weight = {[PLAN_ADD] = 7, [PLAN_REMOVE] = 1, [PLAN_CLEAR] = 6, [PLAN_DRAIN] = 1,
                [PLAN_EACH] = 6, [PLAN_PURGE] = 1}},
    {"wait", "sleepers, and what wakes them", EITHER,
     .weight = {[PLAN_ADD] = 6, [PLAN_REMOVE] = 5, [PLAN_POP] = 2, [PLAN_DRAIN] = 1,
                [PLAN_CLEAR] = 2, [PLAN_SIZE] = 1, [PLAN_ADD_MANY] = 1, [PLAN_REMOVE_MANY] = 1,
                [PLAN_WAIT_PRESENT] = 5, [PLAN_WAIT_ABSENT] = 5, [PLAN_WAIT_EMPTY] = 3,
                [PLAN_CANCEL] = 1}},
    {"mix", "everything", OVERFULL, .weight = {KEYS, WHOLE, MANY}},
    {"enomem", "as mix, and allocations fail", OVERFULL, .enomem = true,
     .weight = {KEYS, WHOLE, MANY}},
    {"stop", "as mix, and a thread stops for ever", OVERFULL, .stop = true,
     .weight = {KEYS, WHOLE}},
};
// clang-format on
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

static const struct scenario *find(const char *name)
{
    for (unsigned i = 0; i < SCENARIOS; i++) {
        if (strcmp(scenarios[i].name, name) == 0) {
            return &scenarios[i];
        }
    }
    return NULL;
}

bool plan_scenario_exists(const char *name)
{
    return strcmp(name, "all") == 0 || find(name);
}

void plan_print_scenarios(FILE *file)
{
    for (unsigned i = 0; i < SCENARIOS; i++) {
        fprintf(file, "  %-9s %s\n", scenarios[i].name, scenarios[i].about);
    }
    fprintf(file, "  %-9s %s\n", "all", "one of these, drawn with the plan");
}

int plan_set_named(const char *name)
{
    for (int i = 0; i < PLAN_SETS; i++) {
        if (strcmp(set_names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

const char *plan_set_name(enum plan_set set)
{
    return set_names[set];
}

const char *plan_op_name(enum plan_op_kind kind)
{
    return op_names[kind];
}

static struct plan_op draw_op(const struct scenario *scenario, unsigned keys, uint64_t *random)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < PLAN_OP_KINDS; i++) {
        sum += scenario->weight[i];
    }
    uint32_t at = random_below(random, sum);
    uint8_t kind = 0;
    while (at >= scenario->weight[kind]) {
        at -= scenario->weight[kind++];
    }
    return (struct plan_op){.kind = kind,
                            .key = (uint8_t)random_below(random, keys),
                            .count = (uint8_t)(1 + random_below(random, keys))};
}

/* Hashes of a home, given as a fraction of all homes so that it stays together in larger slices,
 * differ in their low bits. */
static uint64_t hash_at(unsigned log2, uint32_t home, uint32_t low)
{
    return (uint64_t)home << (64 - log2) | low;
}

static void prefill(struct plan *plan, uint64_t hash, bool live)
{
    if (plan->prefills < PLAN_PREFILL) {
        plan->prefill[plan->prefills++] = (struct plan_prefill){hash, live};
    }
}

/* Some of the hot keys are there from the start, or were. */
static void prefill_keys(struct plan *plan, uint64_t *random)
{
    for (unsigned i = 0; i < plan->keys; i++) {
        uint32_t what = random_below(random, 4);
        if (what < 2) {
            prefill(plan, plan->key_hash[i], what == 0);
        }
    }
}

static void prefill_anywhere(struct plan *plan, unsigned log2, unsigned count, uint32_t live_in_8,
                             uint64_t *random)
{
    for (unsigned i = 0; i < count; i++) {
        prefill(plan, hash_at(log2, random_below(random, 1u << log2), 1000 + i),
                random_below(random, 8) < live_in_8);
    }
}

static void shape_tiny(struct plan *plan, uint64_t *random)
{
    bool shared = random_below(random, 2);
    for (unsigned i = 0; i < plan->keys; i++) {
        plan->key_hash[i] = hash_at(5, shared ? 7 : 5 + 2 * i, i);
    }
    prefill_keys(plan, random);
    prefill_anywhere(plan, 5, random_below(random, 6), 4, random);
}

/* The hot keys' home is taken, or almost, by keys that are present, absent or both; so is perhaps
 * the next one, which the purged successor will overflow into. */
static void shape_overfull(struct plan *plan, uint64_t *random)
{
    unsigned log2 = random_below(random, 4) == 0 ? 6 : 5, reach = 1u << (log2 - 3);
    plan->capacity = log2 == 6 ? 15 : 0;
    plan->lower_floor = log2 == 6 && random_below(random, 2);
    uint32_t home = random_below(random, 1u << log2);
    uint32_t spread = random_below(random, 3) ? 0 : 1 + random_below(random, 2);
    uint32_t fill =
        random_below(random, 3) ? reach - 1 + random_below(random, 3) : random_below(random, reach);
    uint32_t live_in_8 = random_below(random, 9);
    for (unsigned i = 0; i < plan->keys; i++) {
        uint32_t at = home + (spread ? random_below(random, spread + 1) : 0);
        plan->key_hash[i] = hash_at(log2, at & ((1u << log2) - 1), i);
    }
    bool keys_first = random_below(random, 2);
    if (keys_first) {
        prefill_keys(plan, random);
    }
    for (unsigned i = 0; i < fill; i++) {
        prefill(plan, hash_at(log2, home, 100 + i), random_below(random, 8) < live_in_8);
    }
    if (!keys_first) {
        prefill_keys(plan, random);
    }
    prefill_anywhere(plan, log2, random_below(random, 3) * 4, random_below(random, 9), random);
}

/* The hot keys' home is full in a slice of several chunks, mostly of keys that were removed. The
 * successor is small, so that the keys that were not, together with the hot ones, are too many for
 * their home in it, and perhaps in the one after it. */
static void shape_chain(struct plan *plan, uint64_t *random)
{
    unsigned log2 = 7 + random_below(random, 2), reach = 1u << (log2 - 3);
    plan->keys = 2 + random_below(random, PLAN_KEYS - 1);
    plan->capacity = log2 == 7 ? 30 : 70;
    plan->lower_floor = true;
    uint32_t home = random_below(random, 1u << log2), live = random_below(random, 10);
    for (unsigned i = 0; i < plan->keys; i++) {
        plan->key_hash[i] = hash_at(log2, home, i);
    }
    prefill_keys(plan, random);
    for (unsigned i = 0; i < reach; i++) {
        prefill(plan, hash_at(log2, home, 100 + i), random_below(random, reach) < live);
    }
}

/* One or two keys, all present. */
static void shape_shown(struct plan *plan, uint64_t *random)
{
    plan->keys = random_below(random, 4) ? 1 : 2;
    for (unsigned i = 0; i < plan->keys; i++) {
        plan->key_hash[i] = hash_at(5, 7 + 2 * i, i);
        prefill(plan, plan->key_hash[i], true);
    }
}

/* Several chunks with hardly a key but the hot ones, which were removed, most of them. */
static void shape_removed(struct plan *plan, uint64_t *random)
{
    unsigned log2 = 6 + random_below(random, 2);
    plan->capacity = log2 == 6 ? 15 : 30;
    plan->lower_floor = random_below(random, 2);
    plan->keys = 2 + random_below(random, 4);
    uint32_t home = random_below(random, 1u << log2);
    for (unsigned i = 0; i < plan->keys; i++) {
        plan->key_hash[i] = hash_at(log2, home, i);
        if (random_below(random, 8) > 0) {
            prefill(plan, plan->key_hash[i], random_below(random, 4) == 0);
        }
    }
    prefill_anywhere(plan, log2, random_below(random, 4), 4, random);
}

/* 128 slots: one word in 8, about, is sampled; 13 of them bound ask for growth, less than 2 live for
 * a shrink. Which are sampled depends on where the slice lies, so the hot keys are many and apart. */
static void shape_counted(struct plan *plan, uint64_t *random)
{
    plan->capacity = 30;
    plan->lower_floor = random_below(random, 4) > 0;
    bool sparse = random_below(random, 2);
    plan->keys = PLAN_KEYS;
    for (unsigned i = 0; i < plan->keys; i++) {
        plan->key_hash[i] = hash_at(7, random_below(random, 128), i);
    }
    prefill_keys(plan, random);
    prefill_anywhere(plan, 7, sparse ? 8 + random_below(random, 12) : 85 + random_below(random, 25),
                     sparse ? 1 : 4, random);
}

/* 512 slots, reach 64. */
static void shape_rehash(struct plan *plan, uint64_t *random)
{
    plan->capacity = 100;
    plan->lower_floor = random_below(random, 2);
    uint32_t home = random_below(random, 512), live_in_8 = random_below(random, 9);
    for (unsigned i = 0; i < plan->keys; i++) {
        plan->key_hash[i] = hash_at(9, home, i);
    }
    prefill_keys(plan, random);
    uint32_t fill = 58 + random_below(random, 7);
    for (unsigned i = 0; i < fill; i++) {
        prefill(plan, hash_at(9, home, 100 + i), random_below(random, 8) < live_in_8);
    }
}

/* ---- what sets have that u64 does not ----------------------------------------------------------- */

static enum plan_op_kind draw_other(const struct plan *plan, enum plan_op_kind kind,
                                    uint64_t *random)
{
    uint32_t at = random_below(random, 16);
    bool objects = plan->set == PLAN_OBJ, bitmap = plan->set == PLAN_BITMAP;
    switch (kind) {
    case PLAN_ADD:
        return objects && at < 5 ? PLAN_ADD_OR_GET : bitmap && at < 3 ? PLAN_ADD_RANGE : kind;
    case PLAN_REMOVE:
        return at < (bitmap ? 3 : 1) ? PLAN_PURGE
               : bitmap && at < 5    ? PLAN_REMOVE_RANGE
               : bitmap && at < 6    ? PLAN_REMOVE_ALL
                                     : kind;
    case PLAN_CONTAINS:
        return objects && at < 9  ? PLAN_GET
               : bitmap && at < 2 ? PLAN_COUNT_RANGE
               : bitmap && at < 4 ? PLAN_SEEK
                                  : kind;
    case PLAN_EACH:
        return bitmap && at < 5 ? PLAN_SEEK : kind;
    case PLAN_SNAPSHOT:
        return at < 4 ? PLAN_CLONE : kind;
    case PLAN_RESERVE:
    case PLAN_STATS:
        return at < 8 ? PLAN_PURGE : kind;
    default:
        return kind;
    }
}

/* Members that share a word, lie on both sides of the end of a word or a region, or are apart. */
static void draw_places(struct plan *plan, uint64_t *random)
{
    static const uint32_t offsets[] = {10, 60, 4030};
    plan->share = 1 + random_below(random, 5);
    plan->stride = random_below(random, 2) ? 1 : 504;
    plan->offset = offsets[random_below(random, 3)];
}

/* Apart, from random numbers of its own: so that the plans of u64 stay as they are. */
static void draw_others(struct plan *plan, const struct scenario *scenario, uint64_t *random)
{
    plan->outlive = random_below(random, 2) || plan->stop;
    if (plan->set == PLAN_OBJ) {
        bool sections =
            scenario->weight[PLAN_DETACH] == 0 && scenario->weight[PLAN_WAIT_PRESENT] == 0;
        for (unsigned t = 0; t < plan->threads && sections; t++) {
            plan->section[t] = plan->section[t] || random_below(random, 4) == 0;
        }
        static const enum plan_destroy destroy[] = {PLAN_DESTROY_ADD, PLAN_DESTROY_CONTAINS,
                                                    PLAN_DESTROY_ONLY, PLAN_DESTROY_ONLY};
        plan->destroy = destroy[random_below(random, 4)];
        plan->destroy_key = (uint8_t)random_below(random, plan->keys);
    }
    if (plan->set == PLAN_BITMAP) {
        draw_places(plan, random);
    }
    for (unsigned t = 0; t < plan->threads; t++) {
        for (unsigned i = 0; i < plan->ops[t]; i++) {
            enum plan_op_kind kind = draw_other(plan, plan->op[t][i].kind, random);
            // no set can be made and given up in a section
            plan->op[t][i].kind =
                (uint8_t)(kind == PLAN_CLONE && plan->section[t] ? PLAN_SNAPSHOT : kind);
        }
    }
    for (unsigned i = 0; i < plan->warms; i++) {
        plan->warm[i].kind = (uint8_t)draw_other(plan, plan->warm[i].kind, random);
    }
}

/* One thread iterates, and the others empty the set and add to it in turn: so that the iteration meets
 * what was not there when it began. */
static void arrange_shown(struct plan *plan, unsigned ops, uint64_t *random)
{
    for (unsigned t = 0; t < plan->threads; t++) {
        plan->ops[t] = ops ? ops : 2 + random_below(random, 3);
        unsigned turn = random_below(random, 4);
        for (unsigned i = 0; i < plan->ops[t]; i++) {
            plan->op[t][i] = (struct plan_op){
                .kind = (turn + i) % 2            ? PLAN_ADD
                        : random_below(random, 4) ? PLAN_CLEAR
                                                  : PLAN_PURGE,
                .key = (uint8_t)random_below(random, plan->keys),
            };
        }
    }
    plan->op[0][0].kind = PLAN_EACH;
}

/* One thread calls barriers only: where another one is in the midst of a retire meanwhile, each finds it
 * counted elsewhere. */
static void arrange_barriers(struct plan *plan, unsigned ops, uint64_t *random)
{
    for (unsigned t = 1; t < plan->threads; t++) {
        for (unsigned i = 0; i < plan->ops[t]; i++) {
            if (plan->op[t][i].kind == PLAN_BARRIER) {
                plan->op[t][i].kind = PLAN_SNAPSHOT;
            }
        }
    }
    plan->ops[0] = ops ? ops : 2 + random_below(random, 2);
    for (unsigned i = 0; i < plan->ops[0]; i++) {
        plan->op[0][i] = (struct plan_op){.kind = PLAN_BARRIER, .count = 1};
    }
}

/* Numbers leave nothing behind that would be worth a purge; a growth leaves the removed behind, too. */
static void replace_purges(struct plan *plan)
{
    for (unsigned t = 0; t < plan->threads; t++) {
        for (unsigned i = 0; i < plan->ops[t]; i++) {
            if (plan->op[t][i].kind == PLAN_PURGE) {
                plan->op[t][i].kind = PLAN_RESERVE;
            }
        }
    }
}

void plan_make(struct plan *plan, const char *name, int set, int domain, unsigned threads,
               unsigned ops, uint64_t seed)
{
    uint64_t random = random_start(seed, 2);
    const struct scenario *scenario = find(name);
    if (!scenario) {
        scenario = &scenarios[random_below(&random, SCENARIOS)];
    }
    *plan = (struct plan){.seed = seed, .scenario = scenario->name};
    plan->domain =
        domain >= 0 ? (enum lfset_domain)domain : (random_below(&random, 2) ? LFSET_HP : LFSET_RCU);
    plan->threads = threads ? threads : 2 + random_below(&random, 3);
    plan->keys = 1 + random_below(&random, 4);
    switch (scenario->shape) {
    case TINY:
        shape_tiny(plan, &random);
        break;
    case OVERFULL:
        shape_overfull(plan, &random);
        break;
    case CHAIN:
        shape_chain(plan, &random);
        break;
    case COUNTED:
        shape_counted(plan, &random);
        break;
    case REHASH:
        shape_rehash(plan, &random);
        break;
    case SHOWN:
        shape_shown(plan, &random);
        break;
    case REMOVED:
        shape_removed(plan, &random);
        break;
    case EITHER:
        plan->keys = 1 + random_below(&random, 2);
        (random_below(&random, 2) ? shape_tiny : shape_overfull)(plan, &random);
        break;
    }
    unsigned longest = ops ? ops : 1 + random_below(&random, plan->threads > 2 ? 3 : 5);
    bool barrier = false;
    for (unsigned t = 0; t < plan->threads; t++) {
        plan->ops[t] = ops ? ops : 1 + random_below(&random, longest);
        plan->attached[t] = random_below(&random, 4) > 0;
        plan->section[t] = scenario->weight[PLAN_DETACH] == 0 &&
                           scenario->weight[PLAN_WAIT_PRESENT] == 0 &&
                           random_below(&random, 5) == 0;
        bool barrier_here = false;
        for (unsigned i = 0; i < plan->ops[t]; i++) {
            struct plan_op op = draw_op(scenario, plan->keys, &random);
            // a second one would block the only thread of the operating system, on a mutex
            if (op.kind == PLAN_BARRIER && barrier && !barrier_here) {
                op.kind = PLAN_CONTAINS;
            }
            barrier_here = barrier_here || op.kind == PLAN_BARRIER;
            plan->op[t][i] = op;
        }
        barrier = barrier || barrier_here;
    }
    if (scenario->shape == SHOWN) {
        arrange_shown(plan, ops, &random);
    }
    if (scenario->weight[PLAN_BARRIER] > 0 && random_below(&random, 2)) {
        arrange_barriers(plan, ops, &random);
    }
    plan->warms = random_below(&random, 2) ? random_below(&random, 4) : 0;
    for (unsigned i = 0; i < plan->warms; i++) {
        struct plan_op op = draw_op(scenario, plan->keys, &random);
        if (op.kind >= PLAN_WAIT_PRESENT) { // nobody would wake it, and nobody sleeps
            op.kind = PLAN_CONTAINS;
        }
        plan->warm[i] = op;
    }
    plan->late = random_below(&random, 2);
    plan->scan = random_below(&random, 4) > 0;
    plan->final_snapshot = random_below(&random, 16) == 0;
    plan->reuse = random_below(&random, 4) == 0;
    plan->enomem = scenario->enomem ? 1 + random_below(&random, 4) : 0;
    plan->stop = scenario->stop;
    plan->share = 1;
    random = random_start(seed, 6);
    uint32_t any = random_below(&random, PLAN_SETS);
    plan->set = set >= 0 ? (enum plan_set)set : (enum plan_set)any;
    if (plan->set == PLAN_U64) {
        replace_purges(plan);
    } else {
        draw_others(plan, scenario, &random);
    }
}

void plan_print_op(const struct plan_op *op, FILE *file)
{
    fputs(op_names[op->kind], file);
    if (op->kind <= PLAN_CONTAINS || op->kind == PLAN_WAIT_PRESENT ||
        op->kind == PLAN_WAIT_ABSENT || op->kind == PLAN_GET || op->kind == PLAN_ADD_OR_GET) {
        fprintf(file, " k%u", op->key);
    } else if ((op->kind >= PLAN_ADD_MANY && op->kind <= PLAN_CONTAINS_MANY) ||
               op->kind == PLAN_SEEK) {
        fprintf(file, " k%u+%u", op->key, op->count);
    } else if (op->kind >= PLAN_ADD_RANGE && op->kind <= PLAN_COUNT_RANGE &&
               op->kind != PLAN_REMOVE_ALL) {
        fprintf(file, " k%u..+%u", op->key, plan_width(op) - 1);
    }
}

void plan_print(const struct plan *plan, FILE *file)
{
    fprintf(file, "plan: %s, scenario %s, %s, %llu capacity%s, %u hot keys, %u prefilled",
            plan_set_name(plan->set), plan->scenario, plan->domain == LFSET_HP ? "HP" : "RCU",
            (unsigned long long)plan->capacity, plan->lower_floor ? " (given up)" : "", plan->keys,
            plan->prefills);
    unsigned live = 0;
    for (unsigned i = 0; i < plan->prefills; i++) {
        live += plan->prefill[i].live;
    }
    fprintf(file, " (%u live)%s%s%s\n", live, plan->scan ? ", scans at every retire" : "",
            plan->reuse ? ", memory is reused" : "",
            !plan->late     ? ""
            : plan->outlive ? ", snapshots read after all else"
                            : ", snapshots read late");
    if (plan->set == PLAN_BITMAP) {
        fprintf(file, "  %u keys to a region, %u apart, from number %u on\n", plan->share,
                plan->stride, plan->offset);
    }
    if (plan->destroy) {
        fprintf(file, "  destroying an object: %s k%u\n",
                plan->destroy == PLAN_DESTROY_ADD ? "add" : "contains", plan->destroy_key);
    }
    if (plan->warms) {
        fputs("  before:", file);
        for (unsigned i = 0; i < plan->warms; i++) {
            fputs(i ? "; " : " ", file);
            plan_print_op(&plan->warm[i], file);
        }
        fputc('\n', file);
    }
    for (unsigned t = 0; t < plan->threads; t++) {
        if (plan->ops[t] == 0) {
            continue; // shrunk away
        }
        fprintf(file, "  T%u%s%s:", t, plan->attached[t] ? "" : " (new)",
                plan->section[t] ? " (in a section)" : "");
        for (unsigned i = 0; i < plan->ops[t]; i++) {
            fputs(i ? "; " : " ", file);
            plan_print_op(&plan->op[t][i], file);
        }
        fputc('\n', file);
    }
}
