// SPDX-License-Identifier: MIT
// lfset uniq: each distinct line of text files where it occurs first, found by several threads that
// share one set.
//
// The text is cut into blocks of whole lines. A block is read, parsed, added and written:
//
//     read     one thread at a time, in order
//     parse    any thread, any order: the lines found, and sorted into partitions by a hash
//     add      per partition one thread at a time and in the order of the blocks, but several
//              partitions at once: the lines whose add() answers 1 are the first of their kind
//     write    one thread at a time, in order
//
// Why the first occurrence is exact: all equal lines fall into the same partition, the lines of a
// partition are added in the order of the input, and add() answers 1 only once for equal lines.
// The threads meet in the set (different lines, at the same time), never about the same line.
// Without order there are no partitions: who has parsed a block adds all of it, and add() decides
// between equal lines.
//
// Memory: the distinct lines, BLOCKS_PER_THREAD blocks for each thread, and the longest line.
#define _GNU_SOURCE
#include "uniq.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    // the beginning of a line, as long as what one read brings, and the newline that is missing
    TEXT_ROOM = 2 * UNIQ_BLOCK_BYTES + 1,
    LINES_ROOM = 1024, // to begin with
    BLOCKS_PER_THREAD = 4,
    PARTITIONS_PER_THREAD = 4,
    PARTITIONS_MAX = 256,       // a bucket has 8 bits
    FORECAST_LINES = 1000,      // in a block, for its rate of fresh ones to mean something
    FORECAST_LEAP = 4,          // times the lines that are known: what a wrong guess may cost
    FORECAST_FREE = 500 * 1000, // so many cost some 8 MB
};

struct slot {
    struct uniq_block block;
    size_t bytes;                           // of input
    uint32_t partition_end[PARTITIONS_MAX]; // in block.line_of; the first begins at 0
    unsigned partitions_left;               // not added yet
    bool parsed;
    bool complete; // ready to be written
    const char *file;
    bool begins_file; // line numbers start anew
};

struct input {
    char **files;
    int count;
    int next; // file to open when fd is -1
    int fd;
    size_t line_max;
    bool begins_file; // no block of the current file was read yet
    size_t carried;
    char carry[UNIQ_BLOCK_BYTES]; // the beginning of a line whose end was not read yet
};

struct job {
    const struct uniq_options *options;
    void *set;
    unsigned partitions;   // a power of two
    unsigned bucket_shift; // 8 - log2(partitions)
    struct slot *slots;
    uint64_t slot_count;

    pthread_mutex_t mutex; // for all below, and it hands blocks from thread to thread
    pthread_cond_t changed;
    uint64_t next_read; // sequence numbers; block n lives in slots[n % slot_count]
    uint64_t next_write;
    bool reading;
    bool writing;
    bool input_ended;
    bool stopped; // nothing more is to be done
    int status;   // exit status
    struct {
        uint64_t next; // block
        bool busy;
    } partition[PARTITIONS_MAX];

    // Of the thread that set writing: what was written about so far.
    uint64_t line; // of this file
    struct {
        uint64_t total; // bytes of input; 0: not known
        uint64_t bytes;
        uint64_t lines;
        uint64_t fresh;    // lines
        uint64_t reserved; // room in the set
    } seen;

    struct input input; // of the thread that set reading
};

// ---------------------------------------------------------------------------------- one block

bool uniq_block_grow(struct uniq_block *block)
{
    uint32_t room = block->lines_room ? block->lines_room * 2 : LINES_ROOM;
    uint32_t *start = realloc(block->start, room * sizeof *start);
    if (start)
        block->start = start;
    uint8_t *bucket = realloc(block->bucket, room);
    if (bucket)
        block->bucket = bucket;
    uint8_t *is_first = realloc(block->is_first, room);
    if (is_first)
        block->is_first = is_first;
    uint32_t *line_of = realloc(block->line_of, room * sizeof *line_of);
    if (line_of)
        block->line_of = line_of;
    if (!start || !bucket || !is_first || !line_of)
        return false;
    if (block->uses_values) {
        union uniq_value *value = realloc(block->value, room * sizeof *value);
        if (!value)
            return false;
        block->value = value;
    }
    block->lines_room = room;
    return true;
}

void uniq_block_malformed(struct uniq_block *block, const char *line, size_t length,
                          const char *reason)
{
    size_t shown = length < UNIQ_SHOWN_BYTES ? length : UNIQ_SHOWN_BYTES;
    for (size_t i = 0; i < shown; i++)
        block->malformed[i] = line[i] >= ' ' && line[i] <= '~' ? line[i] : '?';
    block->malformed[shown] = 0;
    block->reason = reason;
    block->error = 0;
    block->length = (size_t)(line - block->text);
}

int uniq_block_compact(struct uniq_block *block)
{
    size_t kept = 0;
    block->fresh = 0;
    for (uint32_t line = 0; line < block->lines;) {
        uint32_t run = line;
        while (run < block->lines && block->is_first[run])
            run++;
        block->fresh += run - line;
        size_t bytes = block->start[run] - block->start[line];
        if (kept != block->start[line])
            memmove(block->text + kept, block->text + block->start[line], bytes);
        kept += bytes;
        for (line = run; line < block->lines && !block->is_first[line];)
            line++;
    }
    block->length = kept;
    return 0;
}

int uniq_block_write(void *set, struct uniq_block *block)
{
    (void)set;
    return uniq_write(block->text, block->length);
}

// Makes room in the text for another read, and a newline. What is there stays.
static bool block_reserve(struct uniq_block *block, size_t filled)
{
    size_t needed = filled + UNIQ_BLOCK_BYTES + 1;
    if (needed <= block->room)
        return true;
    size_t room = block->room ? block->room * 2 : TEXT_ROOM;
    char *text = realloc(block->text, room);
    if (!text)
        return false;
    block->text = text;
    block->room = room;
    return true;
}

// A long line is rare: the next block has no need of its room.
static void block_trim(struct uniq_block *block)
{
    if (block->room <= TEXT_ROOM)
        return;
    free(block->text);
    block->text = NULL;
    block->room = 0;
}

static void block_sort(const struct job *job, struct slot *slot)
{
    struct uniq_block *block = &slot->block;
    uint32_t counts[PARTITIONS_MAX] = {0};
    for (uint32_t i = 0; i < block->lines; i++)
        counts[block->bucket[i] >> job->bucket_shift]++;
    uint32_t begin = 0;
    for (unsigned i = 0; i < job->partitions; i++) {
        slot->partition_end[i] = begin; // for now its begin; filling it moves it to its end
        begin += counts[i];
    }
    for (uint32_t i = 0; i < block->lines; i++)
        block->line_of[slot->partition_end[block->bucket[i] >> job->bucket_shift]++] = i;
}

static int block_parse(const struct job *job, struct slot *slot)
{
    struct uniq_block *block = &slot->block;
    block->lines = 0;
    int error = job->options->kind->parse(block);
    if (error)
        return error;
    if (!block->start && !uniq_block_grow(block))
        return -ENOMEM;
    block->start[block->lines] = (uint32_t)block->length;
    block_sort(job, slot);
    return 0;
}

// Returns 0 or a negative errno.
static int block_add(const struct job *job, struct slot *slot, unsigned partition)
{
    uint32_t begin = partition ? slot->partition_end[partition - 1] : 0;
    uint32_t end = slot->partition_end[partition];
    return job->options->kind->add(job->set, &slot->block, slot->block.line_of + begin,
                                   end - begin);
}

// ---------------------------------------------------------------------------- input and output

static ssize_t read_some(int fd, char *buffer, size_t size)
{
    ssize_t got;
    do
        got = read(fd, buffer, size);
    while (got < 0 && errno == EINTR);
    return got;
}

static bool input_failed(struct uniq_block *block, const char *reason, int error)
{
    block->error = error;
    block->reason = reason;
    block->length = 0;
    return true;
}

static const char *input_name(const struct input *input)
{
    const char *name = input->files[input->next];
    return strcmp(name, "-") == 0 ? "standard input" : name;
}

static bool input_open(struct input *input)
{
    const char *name = input->files[input->next];
    input->fd = strcmp(name, "-") == 0 ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    input->begins_file = true;
    input->carried = 0;
    return input->fd >= 0;
}

static void input_close(struct input *input)
{
    if (input->fd != STDIN_FILENO)
        close(input->fd);
    input->fd = -1;
    input->next++;
}

// The block ends after `length` bytes, with a newline that the file lacks; or the line is too long,
// and the parse will say so.
static void end_line(struct uniq_block *block, size_t length)
{
    block->text[length] = '\n';
    block->length = length + 1;
}

// Fills the block with the whole lines of one read (so that a slow pipe is answered promptly), or of
// as many as a line needs, and carries what follows them over. Returns false at the end of the file,
// when there is nothing more.
static bool input_read_file(struct input *input, struct uniq_block *block)
{
    size_t filled = input->carried;
    if (!block_reserve(block, filled))
        return input_failed(block, "cannot read", ENOMEM);
    memcpy(block->text, input->carry, filled);
    for (input->carried = 0;;) {
        if (!block_reserve(block, filled))
            return input_failed(block, "cannot read", ENOMEM);
        ssize_t got = read_some(input->fd, block->text + filled, UNIQ_BLOCK_BYTES);
        if (got < 0)
            return input_failed(block, "cannot read", errno);
        if (got == 0) {
            input_close(input);
            if (filled == 0)
                return false;
            end_line(block, filled);
            return true;
        }
        const char *last = memrchr(block->text + filled, '\n', (size_t)got);
        filled += (size_t)got;
        block->length = last ? (size_t)(last - block->text) + 1 : 0;
        if (filled - block->length > input->line_max) {
            end_line(block, filled);
            return true;
        }
        if (last) {
            input->carried = filled - block->length;
            memcpy(input->carry, last + 1, input->carried);
            return true;
        }
    }
}

// Returns false at the end of the last file.
static bool input_read(struct input *input, struct slot *slot)
{
    struct uniq_block *block = &slot->block;
    block->reason = NULL;
    for (;;) {
        if (input->fd < 0 && input->next == input->count)
            return false;
        slot->file = input_name(input);
        if (input->fd < 0 && !input_open(input))
            return input_failed(block, "cannot open", errno);
        slot->begins_file = input->begins_file;
        if (input_read_file(input, block)) {
            input->begins_file = false;
            slot->bytes = block->length;
            return true;
        }
    }
}

// What there is to read, or 0 when one of the files does not tell.
static uint64_t input_size(char **files, int count)
{
    uint64_t total = 0;
    for (int i = 0; i < count; i++) {
        bool standard = strcmp(files[i], "-") == 0;
        struct stat status;
        if ((standard ? fstat(STDIN_FILENO, &status) : stat(files[i], &status)) != 0 ||
            !S_ISREG(status.st_mode))
            return 0;
        off_t at = standard ? lseek(STDIN_FILENO, 0, SEEK_CUR) : 0;
        if (at < status.st_size)
            total += (uint64_t)(status.st_size - at);
    }
    return total;
}

int uniq_write(const void *text, size_t length)
{
    for (const char *at = text; length;) {
        ssize_t wrote = write(STDOUT_FILENO, at, length);
        if (wrote < 0 && errno != EINTR)
            return -errno;
        if (wrote > 0) {
            at += wrote;
            length -= (size_t)wrote;
        }
    }
    return 0;
}

// ---------------------------------------------------------------------------- what went wrong

static void tell(struct job *job, const char *what, int error)
{
    uniq_progress_end();
    fprintf(stderr, "%s: %s%s\n", job->options->name, what, strerror(error));
    job->status = UNIQ_FAILURE;
}

static void tell_output(struct job *job, int error)
{
    tell(job, "standard output: cannot write: ", error);
}

static void tell_input(struct job *job, const struct slot *slot)
{
    const struct uniq_block *block = &slot->block;
    uniq_progress_end();
    fprintf(stderr, "%s: %s:", job->options->name, slot->file);
    if (block->error) {
        fprintf(stderr, " %s: %s\n", block->reason, strerror(block->error));
        job->status = UNIQ_FAILURE;
    } else {
        fprintf(stderr, "%llu: %s: '%s'\n", (unsigned long long)job->line + 1, block->reason,
                block->malformed);
        job->status = UNIQ_MALFORMED;
    }
}

// ---------------------------------------------------------------------------- the threads

static struct slot *slot_at(const struct job *job, uint64_t sequence)
{
    return &job->slots[sequence % job->slot_count];
}

// Each step below is called with the mutex held, gives it up while it works, and returns whether
// there was anything to do.

// How many distinct lines there will be, judging by the rate of fresh ones in this block. 0: it does
// not tell.
static double forecast(const struct job *job, const struct uniq_block *block)
{
    if (block->lines < FORECAST_LINES || job->seen.bytes >= job->seen.total)
        return 0;
    double known = (double)job->seen.fresh;
    double rate = (double)block->fresh / (double)block->lines;
    double left = (double)(job->seen.total - job->seen.bytes) / (double)job->seen.bytes;
    double expected = known + rate * left * (double)job->seen.lines;
    // If all lines are equally frequent, the rate is the share of those that were not seen yet.
    if (rate < 1 && expected > known / (1 - rate))
        expected = known / (1 - rate);
    double most = known * FORECAST_LEAP < FORECAST_FREE ? FORECAST_FREE : known * FORECAST_LEAP;
    return expected < most ? expected : most;
}

// A set that grows by itself moves all lines each time it has doubled: make room in fewer steps.
static void make_room(struct job *job, const struct slot *slot)
{
    job->seen.bytes += slot->bytes;
    job->seen.lines += slot->block.lines;
    job->seen.fresh += slot->block.fresh;
    if (job->seen.fresh < job->seen.reserved / 4 * 3)
        return;
    uint64_t lines = (uint64_t)forecast(job, &slot->block);
    if (lines > job->seen.reserved / 4 * 5) {
        job->seen.reserved = lines;
        // Without memory for it the set grows when it must, and tells then.
        (void)job->options->kind->reserve(job->set, lines);
    }
}

// Writes the block and, when the input ends with it, why. Returns false then.
static bool block_write(struct job *job, struct slot *slot)
{
    if (slot->begins_file)
        job->line = 0;
    job->line += slot->block.lines;
    int error = job->options->kind->write(job->set, &slot->block);
    if (error)
        tell_output(job, -error);
    else if (slot->block.reason)
        tell_input(job, slot);
    else {
        uniq_progress_add(slot->bytes);
        make_room(job, slot);
    }
    block_trim(&slot->block);
    return job->status == 0;
}

static bool step_write(struct job *job)
{
    struct slot *slot = slot_at(job, job->next_write);
    if (job->writing || job->next_write == job->next_read || !slot->complete)
        return false;
    job->writing = true;
    pthread_mutex_unlock(&job->mutex);
    bool go_on = block_write(job, slot);
    pthread_mutex_lock(&job->mutex);
    job->writing = false;
    job->next_write++;
    job->stopped |= !go_on;
    return true;
}

static void fail(struct job *job, int error)
{
    if (!job->stopped)
        tell(job, "", -error);
    job->status = UNIQ_FAILURE;
    job->stopped = true;
}

static bool step_add(struct job *job)
{
    unsigned partition = 0;
    struct slot *slot;
    for (;; partition++) {
        if (partition == job->partitions)
            return false;
        uint64_t next = job->partition[partition].next;
        slot = slot_at(job, next);
        if (!job->partition[partition].busy && next < job->next_read && slot->parsed)
            break;
    }
    job->partition[partition].busy = true;
    pthread_mutex_unlock(&job->mutex);
    int error = block_add(job, slot, partition);
    pthread_mutex_lock(&job->mutex);
    job->partition[partition].busy = false;
    job->partition[partition].next++;
    if (!error && --slot->partitions_left == 0) {
        pthread_mutex_unlock(&job->mutex);
        error = job->options->kind->complete(&slot->block);
        pthread_mutex_lock(&job->mutex);
        slot->complete = true;
    }
    if (error)
        fail(job, error);
    return true;
}

// What can be done to a block by itself. Returns 0 or a negative errno.
static int block_prepare(const struct job *job, struct slot *slot)
{
    int error = block_parse(job, slot);
    if (!error && job->options->unordered)
        error = block_add(job, slot, 0);
    if (!error && job->options->unordered)
        error = job->options->kind->complete(&slot->block);
    return error;
}

static bool step_read(struct job *job)
{
    if (job->reading || job->input_ended || job->next_read - job->next_write == job->slot_count)
        return false;
    struct slot *slot = slot_at(job, job->next_read);
    job->reading = true;
    pthread_mutex_unlock(&job->mutex);
    bool any = input_read(&job->input, slot);
    pthread_mutex_lock(&job->mutex);
    job->reading = false;
    job->input_ended |= !any || slot->block.reason;
    if (!any)
        return true;
    slot->parsed = false;
    slot->complete = false;
    slot->partitions_left = job->partitions;
    job->next_read++;
    pthread_cond_broadcast(&job->changed); // the next block may be read while this one is parsed
    pthread_mutex_unlock(&job->mutex);
    int error = block_prepare(job, slot);
    pthread_mutex_lock(&job->mutex);
    slot->parsed = !job->options->unordered;
    slot->complete = job->options->unordered;
    job->input_ended |= slot->block.reason != NULL;
    if (error)
        fail(job, error);
    return true;
}

static void *work(void *argument)
{
    struct job *job = argument;
    pthread_mutex_lock(&job->mutex);
    while (!job->stopped) {
        // the oldest work first; reading last, because it may wait for somebody to type
        if (step_write(job) || step_add(job) || step_read(job))
            pthread_cond_broadcast(&job->changed);
        else if (job->input_ended && job->next_write == job->next_read)
            job->stopped = true;
        else
            pthread_cond_wait(&job->changed, &job->mutex);
    }
    // Others may be reading from somebody who has nothing more to say: do not wait for them.
    if (job->status != 0)
        _exit(job->status);
    pthread_cond_broadcast(&job->changed);
    pthread_mutex_unlock(&job->mutex);
    return NULL;
}

static void work_together(struct job *job)
{
    unsigned others = job->options->threads - 1;
    pthread_t *thread = calloc(others + 1, sizeof *thread);
    unsigned started = 0;
    while (thread && started < others) // fewer threads than wished for will do
        if (pthread_create(&thread[started], NULL, work, job) == 0)
            started++;
        else
            break;
    work(job);
    for (unsigned i = 0; i < started; i++)
        pthread_join(thread[i], NULL);
    free(thread);
}

static void choose_partitions(struct job *job)
{
    job->partitions = 1;
    job->bucket_shift = 8;
    unsigned threads = job->options->threads;
    if (threads == 1 || job->options->unordered)
        return;
    while (job->partitions < PARTITIONS_MAX && job->partitions < threads * PARTITIONS_PER_THREAD) {
        job->partitions *= 2;
        job->bucket_shift--;
    }
}

int uniq_run(const struct uniq_options *options)
{
    static struct job job = {
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
        .input = {.fd = -1},
    };
    job.options = options;
    job.input.files = options->files;
    job.input.count = options->count;
    job.input.line_max = options->kind->line_max;
    choose_partitions(&job);

    int error = options->kind->open(&job.set, options);
    job.slot_count = (uint64_t)options->threads * BLOCKS_PER_THREAD;
    job.slots = calloc(job.slot_count, sizeof *job.slots);
    if (!error && !job.slots)
        error = -ENOMEM;
    if (error) {
        tell(&job, "", -error);
        return job.status;
    }

    for (uint64_t i = 0; i < job.slot_count; i++)
        job.slots[i].block.uses_values = options->kind->uses_values;

    job.seen.total = input_size(options->files, options->count);
    uniq_progress_begin(options->name, job.seen.total);
    work_together(&job);
    uniq_progress_end();
    if (options->kind->end)
        error = options->kind->end(job.set);
    if (!error && close(STDOUT_FILENO) != 0)
        error = -errno;
    if (error)
        tell_output(&job, -error);
    // The set is not destroyed: to free millions of lines one by one takes long. Not exit: what large
    // sets hold is invisible to LeakSanitizer, which would report it.
    _exit(job.status);
}
