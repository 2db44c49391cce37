// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "witness_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_times(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

int witness__view_init(struct witness_view *view, const struct witness *witness)
{
    const struct history *history = &witness->history;
    *view = (struct witness_view){.witness = witness};
    view->times = malloc((2 * history->count + 1) * sizeof *view->times);
    if (view->times == NULL)
        return -ENOMEM;
    if (history->count > WITNESS_SHOWN_MOST)
        view->first = history->count - WITNESS_SHOWN_MOST;
    size_t count = 0;
    for (size_t i = 0; i < history->count; i++) {
        if (!witness__is_shown(view, i))
            continue;
        view->times[count++] = history->records[i].invoke;
        if (history->records[i].ret != HISTORY_PENDING)
            view->times[count++] = history->records[i].ret;
    }
    qsort(view->times, count, sizeof *view->times, compare_times);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || view->times[i] != view->times[view->time_count - 1])
            view->times[view->time_count++] = view->times[i];
    }
    return 0;
}

size_t witness__rank(const struct witness_view *view, uint64_t time)
{
    size_t low = 0, high = view->time_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (view->times[middle] < time)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool witness__is_failed(const struct witness_view *view, size_t record)
{
    return view->witness->result.failed_record == record;
}

bool witness__is_shown(const struct witness_view *view, size_t record)
{
    return record >= view->first || witness__is_failed(view, record);
}

size_t witness__hidden(const struct witness_view *view)
{
    return view->first - (view->witness->result.failed_record < view->first);
}

int witness__state_init(struct witness_state *state, const struct history *history)
{
    *state = (struct witness_state){0};
    int status = history__grow(&state->keys, &state->capacity, 0, history->initial_count + 1,
                               sizeof(uint64_t));
    if (status == 0 && history->initial_count > 0)
        memcpy(state->keys, history->initial, history->initial_count * sizeof *state->keys);
    state->count = history->initial_count;
    return status;
}

static int state_toggle(struct witness_state *state, uint64_t key)
{
    size_t at = 0;
    while (at < state->count && state->keys[at] < key)
        at++;
    if (at < state->count && state->keys[at] == key) {
        memmove(&state->keys[at], &state->keys[at + 1],
                (--state->count - at) * sizeof *state->keys);
        return 0;
    }
    int status =
        history__grow(&state->keys, &state->capacity, state->count, 1, sizeof *state->keys);
    if (status != 0)
        return status;
    memmove(&state->keys[at + 1], &state->keys[at], (state->count++ - at) * sizeof *state->keys);
    state->keys[at] = key;
    return 0;
}

int witness__state_apply(struct witness_state *state, const struct history_record *record)
{
    if (record->op == HISTORY_CLEAR || record->op == HISTORY_DRAIN) {
        state->count = 0;
        return 0;
    }
    return history_record_has_key(record) ? state_toggle(state, record->value) : 0;
}

void witness__print_state(const struct history *history, const struct witness_state *state,
                          FILE *file)
{
    fputc('{', file);
    for (size_t i = 0; i < state->count && i < WITNESS_SHOWN_KEYS; i++) {
        fputs(i > 0 ? "," : "", file);
        history_print_key(history, state->keys[i], file);
    }
    if (state->count > WITNESS_SHOWN_KEYS)
        fprintf(file, ",... %zu keys", state->count);
    fputc('}', file);
}
