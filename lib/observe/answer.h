// SPDX-License-Identifier: MIT
/**
 * @file answer.h
 * What the exporter answers a request with, apart from how it is sent.
 */
#ifndef LFSET__ANSWER_H
#define LFSET__ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lfset/exporter.h"
#include "lfset/observation.h"

/** Where an exporter's answers come from. */
struct lfset__source {
    pid_t pid;                       /**< 0: this process */
    struct lfset_registry *registry; /**< NULL: this process has none yet */
    unsigned flags;                  /**< of struct lfset_exporter_options */
};

struct lfset__answer {
    unsigned status; /**< of HTTP */
    const char *type;
    const char *allow; /**< methods, for status 405; else NULL */
    char *body;        /**< to be freed */
    size_t length;
};

/** @param accept value of that header; NULL: none. @return 0 or -ENOMEM: nothing can be said. */
int lfset__answer_make(struct lfset__answer *answer, struct lfset__source *source,
                       const char *method, const char *path, const char *accept);

#endif
