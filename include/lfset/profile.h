// SPDX-License-Identifier: MIT
/**
 * @file profile.h
 * Leak profiles: which call stacks added the keys that are still there. Made from observations
 * (observation.h) of sets with lfset_observe.profile_rate. In liblfset-observe.
 *
 * A profile groups the sampled keys of an observation by set and by call stack and counts each one for as
 * many as it stands for. Sets that share a name are one; a set without a name goes by "#" and its id. A
 * profile is a copy: the observations may be freed. Functions of one profile, and of one struct
 * lfset_symbols, are for one thread at a time.
 */
#ifndef LFSET_PROFILE_H
#define LFSET_PROFILE_H

#include <stdio.h>

#include "observation.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A call, as code. */
struct lfset_frame {
    const char *function; /**< NULL: not known. As linkers spell it */
    const char *file;     /**< of the source; NULL: not known */
    unsigned line;        /**< 0: not known */
    int inlined;          /**< the compiler put it into the next one */
    const char *module;   /**< path of the file it was loaded from; "": not known */
    uint64_t offset;      /**< the address, less the module's base: as the module's file has it */
};

/** Names of addresses: of the functions of an observed process, from the files that it had loaded. */
struct lfset_symbols;

/**
 * Finds names for the addresses of an observation, which must stay until the close. Also of a process that
 * is gone, as long as its files are there.
 * @return 0. -EINVAL. -ENOMEM.
 */
LFSET_API int lfset_symbols_open(struct lfset_symbols **symbols,
                                 const struct lfset_observation *observation);
/**
 * What is known of a return address, as stacks have them: the calls that it is in, inlined ones first.
 * @param frames valid until the close.
 * @return how many: 1 and more. -EINVAL. -ENOMEM.
 */
LFSET_API int lfset_symbols_find(struct lfset_symbols *symbols, uint64_t address,
                                 const struct lfset_frame **frames);
/** Forgets the names. NULL: nothing. */
LFSET_API void lfset_symbols_close(struct lfset_symbols *symbols);

/** What a profile of several observations counts. */
enum lfset_profile_values {
    LFSET_PROFILE_LIVE,   /**< what the last one has */
    LFSET_PROFILE_CHANGE, /**< the last less the first; may be negative */
    LFSET_PROFILE_GROWTH, /**< the same of those that have more keys in the last */
};

/** What is wanted of a profile. Fill with LFSET_PROFILE_INIT, then change what you need. */
struct lfset_profile_options {
    size_t size;     /**< sizeof(struct lfset_profile_options) */
    const char *set; /**< only sets of this name; NULL: all */
    enum lfset_profile_values values;
    size_t top; /**< only so many entries, the first ones; 0: all */
};

#define LFSET_PROFILE_INIT                                                                         \
    {                                                                                              \
        sizeof(struct lfset_profile_options), NULL, LFSET_PROFILE_LIVE, 0                          \
    }

/** One call stack's keys in one set. */
struct lfset_profile_entry {
    const char *set;
    const uint64_t *frames; /**< return addresses, innermost first, without those in lfset */
    unsigned depth;
    int64_t live;     /**< keys, as options.values says */
    int64_t bytes;    /**< the same of their bytes */
    double idle_s;    /**< of the keys of the last observation: mean time since they were added */
    uint64_t samples; /**< how many in the last observation this was counted from */
    const int64_t *live_each; /**< keys that were there, of each observation, oldest first */
    /** The same of those that are settled: that were there at the observation before as well. Of the
     * first, which has none before it: -1. */
    const int64_t *settled_each;
    int grew; /**< settled keys grew from each observation to the next, and there are four or more:
                   the mark of a leak. Keys that come and go within a round are never settled */
};

/** Whose keys stay. */
struct lfset_profile {
    size_t entry_count;
    const struct lfset_profile_entry
        *entries;        /**< those that grew, then by live keys, most first */
    size_t left_out;     /**< by options.top */
    int64_t live, bytes; /**< of all entries, also those left out */
    unsigned observation_count;
    unsigned rate; /**< one key in so many was sampled; the largest, if sets differ */
    size_t leaks;  /**< entries that grew */
    uint64_t
        samples_lost; /**< of the last observation: that many adds did not fit into the table, ever */
    uint64_t stacks_lost;
    int pid;
    const char *program;
    uint64_t time_ns, realtime_minus_ns,
        duration_ns; /**< of the last; from the first to the last */
};

/**
 * Makes a profile of observations, oldest first: of one process, or of several that run the same program;
 * then sets are the same that share a name, and code that is at the same place of the same file.
 * @param options NULL: LFSET_PROFILE_INIT.
 * @return 0. -EINVAL. -ENOMEM.
 */
LFSET_API int lfset_profile_make(struct lfset_profile **profile,
                                 const struct lfset_observation *const *observations, size_t count,
                                 const struct lfset_profile_options *options);
/** Frees a profile. NULL: nothing. */
LFSET_API void lfset_profile_free(struct lfset_profile *profile);

/** How to write a profile. */
enum lfset_profile_format {
    LFSET_PROFILE_TEXT,   /**< for people */
    LFSET_PROFILE_PPROF,  /**< profile.proto, not compressed: for pprof */
    LFSET_PROFILE_FOLDED, /**< a line for each stack, outermost first, and keys: for flamegraph.pl */
    LFSET_PROFILE_HEAP,   /**< gperftools' heap profile, as text: for google-pprof and pprof */
    LFSET_PROFILE_JSON,
};

/**
 * Writes a profile. FOLDED and HEAP leave out what is not positive: those tools know nothing less.
 * @return 0. -EINVAL. -ENOMEM. -EIO: it could not be written.
 */
LFSET_API int lfset_profile_write(const struct lfset_profile *profile,
                                  enum lfset_profile_format format, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
