// SPDX-License-Identifier: MIT
/* Negative controls: the checker's greedy, told plainly for one key, agrees with the brute-force search;
 * and with any one of its rules broken it does not. */
#include "checker_support.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum variant {
    RIGHT,
    NEWEST_FIRST,
    FIRST_COME,
    LATEST_DEADLINE,
    EQUAL_TIMES_ORDERED,
    READS_KEPT_AT_TOGGLE,
    PENDING_IGNORED,
    EAGER_FOR_READS,
    TOGGLE_PER_READ,
    VARIANTS
};

/* The greedy, told plainly for one key, with one rule to break. */
struct greedy {
    enum variant variant;
    struct history_record open[2][MOST_OPS];
    size_t open_count[2];
    uint64_t reads[MOST_OPS];
    size_t read_count;
    bool present;
};

static size_t pick(const struct greedy *greedy, bool side)
{
    size_t best = 0;
    for (size_t i = 1; i < greedy->open_count[side]; i++) {
        const struct history_record *a = &greedy->open[side][i];
        const struct history_record *b = &greedy->open[side][best];
        bool better = a->ret < b->ret;
        if (greedy->variant == NEWEST_FIRST)
            better = a->invoke > b->invoke;
        else if (greedy->variant == FIRST_COME)
            better = a->invoke < b->invoke;
        else if (greedy->variant == LATEST_DEADLINE)
            better = a->ret > b->ret;
        best = better ? i : best;
    }
    return best;
}

static bool greedy_toggle(struct greedy *greedy)
{
    bool side = greedy->present;
    if (greedy->open_count[side] == 0)
        return false;
    size_t used = pick(greedy, side);
    greedy->open[side][used] = greedy->open[side][--greedy->open_count[side]];
    greedy->present = !side;
    if (greedy->variant == TOGGLE_PER_READ && greedy->read_count > 0) {
        for (size_t i = 1; i < greedy->read_count; i++)
            greedy->reads[i - 1] = greedy->reads[i];
        greedy->read_count--;
    } else if (greedy->variant != READS_KEPT_AT_TOGGLE) {
        greedy->read_count = 0;
    }
    return true;
}

static uint64_t earliest_return(const struct greedy *greedy, bool side)
{
    uint64_t earliest = HISTORY_PENDING;
    for (size_t i = 0; i < greedy->open_count[side]; i++)
        earliest = greedy->open[side][i].ret < earliest ? greedy->open[side][i].ret : earliest;
    return earliest;
}

static bool greedy_force(struct greedy *greedy, uint64_t time)
{
    bool inclusive = greedy->variant == EQUAL_TIMES_ORDERED;
    for (;;) {
        uint64_t read = HISTORY_PENDING;
        for (size_t i = 0; i < greedy->read_count; i++)
            read = greedy->reads[i] < read ? greedy->reads[i] : read;
        uint64_t add = earliest_return(greedy, false), removal = earliest_return(greedy, true);
        bool side = removal < add;
        uint64_t toggle = side ? removal : add, deadline = read < toggle ? read : toggle;
        if (deadline == HISTORY_PENDING || deadline > time || (deadline == time && !inclusive))
            return true;
        if (read <= toggle) {
            if (!greedy_toggle(greedy))
                return false;
            if (greedy->variant == READS_KEPT_AT_TOGGLE) {
                size_t kept = 0;
                for (size_t i = 0; i < greedy->read_count; i++) {
                    if (greedy->reads[i] != read)
                        greedy->reads[kept++] = greedy->reads[i];
                }
                greedy->read_count = kept;
            }
            continue;
        }
        if (greedy->present != side && !greedy_toggle(greedy))
            return false;
        if (!greedy_toggle(greedy))
            return false;
        /* Another order of use may leave the one whose deadline this is: then it is missed. */
        if (earliest_return(greedy, side) == deadline && greedy->variant != RIGHT)
            return false;
    }
}

static int compare_invokes(const void *left, const void *right)
{
    const struct history_record *a = left, *b = right;
    return (a->invoke > b->invoke) - (a->invoke < b->invoke);
}

static bool greedy_says(const struct history *history, enum variant variant)
{
    struct greedy greedy = {.variant = variant, .present = history->initial_count > 0};
    struct history_record sorted[MOST_OPS];
    memcpy(sorted, history->records, history->count * sizeof *sorted);
    qsort(sorted, history->count, sizeof *sorted, compare_invokes);
    for (size_t i = 0; i < history->count; i++) {
        const struct history_record *record = &sorted[i];
        bool pending = record->ret == HISTORY_PENDING;
        if (!greedy_force(&greedy, record->invoke))
            return false;
        if (pending && (record->op == HISTORY_CONTAINS || variant == PENDING_IGNORED))
            continue;
        if (record->op != HISTORY_CONTAINS && (pending || record->result == 1)) {
            bool side = record->op == HISTORY_REMOVE;
            greedy.open[side][greedy.open_count[side]++] = *record;
            continue;
        }
        bool seen = record->op == HISTORY_ADD      ? true
                    : record->op == HISTORY_REMOVE ? false
                                                   : record->result;
        if (seen != greedy.present && !(variant == EAGER_FOR_READS && greedy_toggle(&greedy)))
            greedy.reads[greedy.read_count++] = record->ret;
    }
    return greedy_force(&greedy, HISTORY_PENDING);
}

Test(checker, wrong_variants_of_the_greedy_are_caught)
{
    static const char *const names[VARIANTS] = {"right",
                                                "newest first",
                                                "first come",
                                                "latest deadline",
                                                "equal times ordered",
                                                "reads kept at a toggle",
                                                "pending ignored",
                                                "toggling early for reads",
                                                "a toggle per read"};
    const struct shape shapes[] = {
        {8, 5, 1, 3, 6, 0, 20, 40}, {10, 6, 1, 2, 12, 0, 20, 30}, {7, 7, 1, 8, 9, 0, 0, 50}};
    const size_t histories = 200000;
    size_t wrong[VARIANTS] = {0};
    struct history history;
    history_init(&history);
    for (uint64_t seed = 1; seed <= histories; seed++) {
        struct random random = {seed};
        random_history(&history, &shapes[seed % 3], &random);
        bool expected = brute_force(&history);
        for (enum variant variant = RIGHT; variant < VARIANTS; variant++) {
            if (variant == RIGHT || wrong[variant] == 0)
                wrong[variant] += greedy_says(&history, variant) != expected;
        }
    }
    cr_expect_eq(wrong[RIGHT], 0, "the plain greedy disagrees %zu times", wrong[RIGHT]);
    for (enum variant variant = RIGHT + 1; variant < VARIANTS; variant++)
        cr_expect_neq(wrong[variant], 0, "\"%s\" was not caught", names[variant]);
    history_free(&history);
}
