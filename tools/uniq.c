// SPDX-License-Identifier: MIT
// lfset uniq: the distinct integers of text files, each where it occurs first, found by several
// threads that share one set.
//
// The text is cut into blocks of whole lines. A block is read, parsed, deduplicated and written:
//
//     read        one thread at a time, in order
//     parse       any thread, any order: line -> key, and the keys sorted into partitions
//     deduplicate per partition one thread at a time and in the order of the blocks, but several
//                 partitions at once: the lines whose add() answers 1 are the first of their key
//     write       one thread at a time, in order
//
// Why the first occurrence is exact: all lines with the same key fall into the same partition, the
// lines of a partition are added in the order of the input, and add() answers 1 only once per key.
// The threads meet in the set (different keys, at the same time), never about the same key.
//
// Memory: the distinct integers, and BLOCKS_PER_THREAD blocks for each thread.
#define _GNU_SOURCE
#include "tools.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <lfset/u64.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BLOCK_BYTES = 256 * 1024,
    LINE_BYTES = 64,               // the longest line that can be an integer
    BLOCK_LINES = BLOCK_BYTES / 2, // the shortest line is a digit and its newline
    BLOCKS_PER_THREAD = 4,
    PARTITIONS_PER_THREAD = 4,
    PARTITIONS_MAX = 256,
    THREADS_MAX = 1024,
    EXIT_MALFORMED = 2,
};

struct block {
    char *text;    // whole lines, each with its newline
    size_t length; // of text; after the parse the malformed line and what follows it are not part
                   // of it

    uint32_t lines;
    uint32_t *start;   // of each line in text, and of the end
    uint64_t *keys;    // by line
    uint8_t *is_first; // by line: its key occurs here first

    // The keys again, partition after partition, in the order of their lines.
    uint64_t *sorted;
    uint32_t *line_of;                      // by place in sorted
    int8_t *added;                          // by place in sorted: what add() answered
    uint32_t partition_end[PARTITIONS_MAX]; // the first begins at 0
    unsigned partitions_left;               // not deduplicated yet
    bool parsed;
    bool complete; // text[0 .. length-1] is what to write

    const char *file;
    bool begins_file;   // line numbers start anew
    const char *reason; // why the input ends after these lines; NULL: it does not
    int error;          // errno that goes with it, or 0: the next line is malformed, and here it is
    char malformed[LINE_BYTES + 1];
};

struct input {
    char **files;
    int count;
    int next; // file to open when fd is -1
    int fd;
    bool begins_file;           // no block of the current file was read yet
    char carry[LINE_BYTES + 1]; // the beginning of a line whose end was not read yet
    size_t carried;
};

struct job {
    struct lfset_u64 *set;
    unsigned partitions; // a power of two
    unsigned shift;      // 64 - log2(partitions)
    struct block *blocks;
    uint64_t block_count;

    pthread_mutex_t mutex; // for all below, and it hands blocks from thread to thread
    pthread_cond_t changed;
    uint64_t next_read; // sequence numbers; block n lives in blocks[n % block_count]
    uint64_t next_write;
    bool reading;
    bool writing;
    bool input_ended;
    bool stopped; // nothing more is to be done
    struct {
        uint64_t next; // block
        bool busy;
    } partition[PARTITIONS_MAX];

    struct input input; // of the thread that set reading
    uint64_t line;      // of the thread that set writing: lines of this file written about so far
    const char *name;   // in messages
    int status;         // exit status
};

// ---------------------------------------------------------------------------------- one line

// The key of a line that is nothing but decimal digits; returns its end, or NULL when it is
// something else or too large. The text ends with a newline, so this never runs out of it.
static const char *parse_decimal(const char *line, uint64_t *key)
{
    const char *at = line;
    uint64_t value = 0;
    for (unsigned digit; (digit = (unsigned char)*at - (unsigned)'0') <= 9; at++)
        value = value * 10 + digit;
    *key = value;
    if (*at != '\n' || at == line || at - line > 20)
        return NULL;
    // 20 digits overflow unless they are 1...; then the value, less than 2 * 10^19, tells.
    if (at - line == 20 && (*line > '1' || (*line == '1' && value < 10000000000000000000u)))
        return NULL;
    return at;
}

// All the rest: hexadecimal, many leading zeros, and what is wrong with the line: NULL for nothing.
static const char *parse_other(const char *line, size_t length, uint64_t *key)
{
    static const char too_large[] = "larger than 64 bits";
    if (length == 0)
        return "empty line";
    if (length > LINE_BYTES)
        return "line longer than 64 bytes";
    if (line[length - 1] == '\r')
        return "carriage return at the end of the line";
    if (*line == '-')
        return "negative number";

    bool hexadecimal = length > 2 && line[0] == '0' && (line[1] == 'x' || line[1] == 'X');
    const uint64_t base = hexadecimal ? 16 : 10;
    bool overflow = false;
    *key = 0;
    for (size_t i = hexadecimal ? 2 : 0; i < length; i++) {
        unsigned char c = (unsigned char)line[i];
        unsigned digit = c - (unsigned)'0';
        if (hexadecimal && (c | 32) >= 'a' && (c | 32) <= 'f')
            digit = (c | 32u) - 'a' + 10;
        else if (digit > 9)
            return "neither a decimal nor a 0x-hexadecimal integer";
        overflow |= __builtin_mul_overflow(*key, base, key);
        overflow |= __builtin_add_overflow(*key, digit, key);
    }
    return overflow ? too_large : NULL;
}

// ---------------------------------------------------------------------------------- one block

static unsigned partition_of(const struct job *job, uint64_t key)
{
    return job->partitions == 1 ? 0 : (unsigned)(key * 0x9e3779b97f4a7c15u >> job->shift);
}

static bool block_alloc(struct block *block)
{
    // a carried beginning, a newline that is missing, and the end of the last line
    enum { BYTES = BLOCK_BYTES + LINE_BYTES + 1, LINES = BLOCK_LINES + LINE_BYTES + 1 };
    block->text = malloc(BYTES);
    block->start = malloc(LINES * sizeof *block->start);
    block->keys = malloc(LINES * sizeof *block->keys);
    block->is_first = malloc(LINES);
    block->sorted = malloc(LINES * sizeof *block->sorted);
    block->line_of = malloc(LINES * sizeof *block->line_of);
    block->added = malloc(LINES);
    return block->text && block->start && block->keys && block->is_first && block->sorted &&
           block->line_of && block->added;
}

static void block_free(struct block *block)
{
    free(block->text);
    free(block->start);
    free(block->keys);
    free(block->is_first);
    free(block->sorted);
    free(block->line_of);
    free(block->added);
}

// Ends the block before the line that begins at `line`.
static void block_malformed(struct block *block, const char *line, size_t length,
                            const char *reason)
{
    size_t shown = length < LINE_BYTES ? length : LINE_BYTES;
    for (size_t i = 0; i < shown; i++)
        block->malformed[i] = line[i] >= ' ' && line[i] <= '~' ? line[i] : '?';
    block->malformed[shown] = 0;
    block->reason = reason;
    block->error = 0;
    block->length = (size_t)(line - block->text);
}

static void block_parse(const struct job *job, struct block *block)
{
    uint32_t counts[PARTITIONS_MAX] = {0};
    const char *line = block->text, *end = block->text + block->length;
    uint32_t lines = 0;
    while (line < end) {
        uint64_t key;
        const char *line_end = parse_decimal(line, &key);
        if (!line_end) {
            line_end = rawmemchr(line, '\n');
            const char *reason = parse_other(line, (size_t)(line_end - line), &key);
            if (reason) {
                block_malformed(block, line, (size_t)(line_end - line), reason);
                break;
            }
        }
        block->start[lines] = (uint32_t)(line - block->text);
        block->keys[lines] = key;
        counts[partition_of(job, key)]++;
        lines++;
        line = line_end + 1;
    }
    block->start[lines] = (uint32_t)(line - block->text);
    block->lines = lines;

    uint32_t begin = 0;
    for (unsigned i = 0; i < job->partitions; i++) {
        block->partition_end[i] = begin; // for now its begin; filling it moves it to its end
        begin += counts[i];
    }
    for (uint32_t i = 0; i < lines; i++) {
        uint32_t place = block->partition_end[partition_of(job, block->keys[i])]++;
        block->sorted[place] = block->keys[i];
        block->line_of[place] = i;
    }
}

// Returns 0 or a negative errno.
static int block_deduplicate(const struct job *job, struct block *block, unsigned partition)
{
    uint32_t begin = partition ? block->partition_end[partition - 1] : 0;
    uint32_t end = block->partition_end[partition];
    int64_t result =
        lfset_u64_add_many(job->set, block->sorted + begin, end - begin, block->added + begin);
    if (result < 0)
        return (int)result;
    for (uint32_t i = begin; i < end; i++)
        block->is_first[block->line_of[i]] = (uint8_t)block->added[i];
    return 0;
}

// Drops the lines that are not the first of their key.
static void block_compact(struct block *block)
{
    size_t kept = 0;
    for (uint32_t line = 0; line < block->lines;) {
        uint32_t run = line;
        while (run < block->lines && block->is_first[run])
            run++;
        size_t bytes = block->start[run] - block->start[line];
        memmove(block->text + kept, block->text + block->start[line], bytes);
        kept += bytes;
        for (line = run; line < block->lines && !block->is_first[line];)
            line++;
    }
    block->length = kept;
}

// ---------------------------------------------------------------------------------- input and
// output

static ssize_t read_some(int fd, char *buffer, size_t size)
{
    ssize_t got;
    do
        got = read(fd, buffer, size);
    while (got < 0 && errno == EINTR);
    return got;
}

static void block_unreadable(struct block *block, const char *reason)
{
    block->error = errno;
    block->reason = reason;
    block->length = 0;
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

// Fills the block with the whole lines of one read (so that a slow pipe is answered promptly) and
// carries what follows them over. Returns false at the end of the last file.
static bool input_read(struct input *input, struct block *block)
{
    block->reason = NULL;
    for (;;) {
        if (input->fd < 0 && input->next == input->count)
            return false;
        block->file = input_name(input);
        if (input->fd < 0 && !input_open(input)) {
            block_unreadable(block, "cannot open");
            return true;
        }
        block->begins_file = input->begins_file;

        memcpy(block->text, input->carry, input->carried);
        ssize_t got = read_some(input->fd, block->text + input->carried, BLOCK_BYTES);
        if (got < 0) {
            block_unreadable(block, "cannot read");
            return true;
        }
        size_t length = input->carried + (size_t)got;
        if (got == 0) {
            input_close(input);
            if (length == 0)
                continue;
            block->text[length] = '\n'; // the one that is missing
            block->length = length + 1;
            return true;
        }
        const char *last = memrchr(block->text, '\n', length);
        block->length = last ? (size_t)(last - block->text) + 1 : 0;
        input->carried = length - block->length;
        if (input->carried > LINE_BYTES) { // the parse will refuse this line
            block->text[length] = '\n';
            block->length = length + 1;
            input->carried = 0;
        }
        memcpy(input->carry, block->text + block->length, input->carried);
        if (block->length) {
            input->begins_file = false;
            return true;
        }
    }
}

static int write_all(const char *text, size_t length)
{
    while (length) {
        ssize_t wrote = write(STDOUT_FILENO, text, length);
        if (wrote < 0 && errno != EINTR)
            return errno;
        if (wrote > 0) {
            text += wrote;
            length -= (size_t)wrote;
        }
    }
    return 0;
}

// Writes the block and, when the input ends with it, why. Returns false then.
static bool block_write(struct job *job, struct block *block)
{
    if (block->begins_file)
        job->line = 0;
    job->line += block->lines;
    int error = write_all(block->text, block->length);
    if (error) {
        fprintf(stderr, "%s: standard output: cannot write: %s\n", job->name, strerror(error));
        job->status = 1;
        return false;
    }
    if (!block->reason)
        return true;
    if (block->error) {
        fprintf(stderr, "%s: %s: %s: %s\n", job->name, block->file, block->reason,
                strerror(block->error));
        job->status = 1;
    } else {
        fprintf(stderr, "%s: %s:%llu: %s: '%s'\n", job->name, block->file,
                (unsigned long long)job->line + 1, block->reason, block->malformed);
        job->status = EXIT_MALFORMED;
    }
    return false;
}

// ---------------------------------------------------------------------------------- the threads

static struct block *block_at(const struct job *job, uint64_t sequence)
{
    return &job->blocks[sequence % job->block_count];
}

// Each step below is called with the mutex held, gives it up while it works, and returns whether
// there was anything to do.

static bool step_write(struct job *job)
{
    struct block *block = block_at(job, job->next_write);
    if (job->writing || job->next_write == job->next_read || !block->complete)
        return false;
    job->writing = true;
    pthread_mutex_unlock(&job->mutex);
    bool go_on = block_write(job, block);
    pthread_mutex_lock(&job->mutex);
    job->writing = false;
    job->next_write++;
    job->stopped |= !go_on;
    return true;
}

static bool step_deduplicate(struct job *job)
{
    unsigned partition = 0;
    struct block *block;
    for (;; partition++) {
        if (partition == job->partitions)
            return false;
        uint64_t next = job->partition[partition].next;
        block = block_at(job, next);
        if (!job->partition[partition].busy && next < job->next_read && block->parsed)
            break;
    }
    job->partition[partition].busy = true;
    pthread_mutex_unlock(&job->mutex);
    int error = block_deduplicate(job, block, partition);
    pthread_mutex_lock(&job->mutex);
    job->partition[partition].busy = false;
    job->partition[partition].next++;
    if (error) {
        if (!job->stopped)
            fprintf(stderr, "%s: %s\n", job->name, strerror(-error));
        job->status = 1;
        job->stopped = true;
        return true;
    }
    if (--block->partitions_left == 0) {
        pthread_mutex_unlock(&job->mutex);
        block_compact(block);
        pthread_mutex_lock(&job->mutex);
        block->complete = true;
    }
    return true;
}

static bool step_read(struct job *job)
{
    if (job->reading || job->input_ended || job->next_read - job->next_write == job->block_count)
        return false;
    struct block *block = block_at(job, job->next_read);
    job->reading = true;
    pthread_mutex_unlock(&job->mutex);
    bool any = input_read(&job->input, block);
    pthread_mutex_lock(&job->mutex);
    job->reading = false;
    job->input_ended |= !any || block->reason;
    if (!any)
        return true;
    block->parsed = false;
    block->complete = false;
    block->partitions_left = job->partitions;
    job->next_read++;
    pthread_cond_broadcast(&job->changed); // the next block may be read while this one is parsed
    pthread_mutex_unlock(&job->mutex);
    block_parse(job, block);
    pthread_mutex_lock(&job->mutex);
    block->parsed = true;
    job->input_ended |= block->reason != NULL;
    return true;
}

static void *work(void *argument)
{
    struct job *job = argument;
    pthread_mutex_lock(&job->mutex);
    while (!job->stopped) {
        // the oldest work first; reading last, because it may wait for somebody to type
        if (step_write(job) || step_deduplicate(job) || step_read(job))
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

// Returns the exit status.
static int run(struct job *job, unsigned threads)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = LFSET_HP;
    options.name = "uniq";
    int error = -lfset_u64_create(&job->set, &options);
    job->block_count = (uint64_t)threads * BLOCKS_PER_THREAD;
    job->blocks = calloc(job->block_count, sizeof *job->blocks);
    pthread_t *others = calloc(threads, sizeof *others);
    if (!job->blocks || !others)
        error = ENOMEM;
    for (uint64_t i = 0; !error && i < job->block_count; i++)
        if (!block_alloc(&job->blocks[i]))
            error = ENOMEM;

    unsigned started = 0;
    while (!error && started + 1 < threads) // fewer threads than wished for will do
        if (pthread_create(&others[started], NULL, work, job) == 0)
            started++;
        else
            break;
    if (error) {
        fprintf(stderr, "%s: %s\n", job->name, strerror(error));
        job->status = 1;
    } else {
        work(job);
    }
    for (unsigned i = 0; i < started; i++)
        pthread_join(others[i], NULL);

    for (uint64_t i = 0; job->blocks && i < job->block_count; i++)
        block_free(&job->blocks[i]);
    free(job->blocks);
    free(others);
    lfset_u64_destroy(job->set);
    if (job->status == 0 && close(STDOUT_FILENO) != 0) {
        fprintf(stderr, "%s: standard output: cannot write: %s\n", job->name, strerror(errno));
        job->status = 1;
    }
    return job->status;
}

// ---------------------------------------------------------------------------------- options

enum { OPTION_INTEGERS = 256 };

struct arguments {
    bool integers;
    unsigned threads;
    char **files;
    int count;
};

static const struct argp_option option_list[] = {
    {"integers", OPTION_INTEGERS, NULL, 0, "Lines are 64-bit integers (required)", 0},
    {"threads", 't', "N", 0, "Threads to use (default: the processors online)", 0},
    {0},
};

static error_t option_parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    char *end;
    switch (key) {
    case OPTION_INTEGERS:
        arguments->integers = true;
        return 0;
    case 't':
        errno = 0;
        long threads = strtol(argument, &end, 10);
        if (end == argument || *end || errno || threads < 1 || threads > THREADS_MAX)
            argp_error(state, "--threads: '%s' is not a number from 1 to %d", argument,
                       THREADS_MAX);
        arguments->threads = (unsigned)threads;
        return 0;
    case ARGP_KEY_ARGS:
        arguments->files = state->argv + state->next;
        arguments->count = state->argc - state->next;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->integers)
            argp_error(state, "--integers is required: lines of other text are not supported");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp option_parser = {
    .options = option_list,
    .parser = option_parse,
    .args_doc = "[FILE...]",
    .doc =
        "Prints the distinct integers of text files, each where it occurs first and as it is "
        "spelt there. Without a FILE, or when it is -, reads standard input."
        "\v"
        "A line is an integer from 0 to 2^64-1 in decimal (07 is 7) or, after 0x, in hexadecimal, "
        "and nothing else: no blanks, no sign, no carriage return; at most 64 bytes. The last "
        "one may lack its newline. At a malformed line the output ends with what came before "
        "it, and the message names the file and the line.\n\n"
        "Memory needed: some 20 bytes for each distinct integer, and a few megabytes for each "
        "thread.\n\n"
        "Exit status: 0; 1 when a file cannot be read or the output not written; 2 when a line "
        "is malformed or an option wrong.",
};

int tool_uniq(int argc, char **argv)
{
    static char standard_input[] = "-";
    static char *no_files[] = {standard_input, NULL};
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    struct arguments arguments = {
        .threads = online < 1             ? 1
                   : online > THREADS_MAX ? THREADS_MAX
                                          : (unsigned)online,
        .files = no_files,
        .count = 1,
    };
    error_t error = argp_parse(&option_parser, argc, argv, 0, NULL, &arguments);
    if (error) {
        fprintf(stderr, "%s: %s\n", argv[0], strerror(error));
        return EXIT_MALFORMED;
    }
    // A reader that went away is told like any other failed write.
    signal(SIGPIPE, SIG_IGN);

    struct job job = {
        .name = argv[0],
        .partitions = 1,
        .shift = 64,
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
        .input = {.files = arguments.files, .count = arguments.count, .fd = -1},
    };
    while (arguments.threads > 1 && job.partitions < PARTITIONS_MAX &&
           job.partitions < arguments.threads * PARTITIONS_PER_THREAD) {
        job.partitions *= 2;
        job.shift--;
    }
    return run(&job, arguments.threads);
}
