// SPDX-License-Identifier: MIT
/**
 * @file exporter.h
 * Serving what observation.h tells over HTTP, to Prometheus and its like: /metrics in the format that
 * the client asks for by its Accept header, /json, and at / a page that leads there. In
 * liblfset-observe, which needs libmicrohttpd.
 *
 * One thread serves all clients, none of which it waits for: a client that has not taken its answer in time
 * is cut off, and when all connections are taken the oldest makes room. It takes no lock of a set and no
 * part in what the sets do.
 *
 * Whoever can connect sees the sets' names and numbers and, in /json, addresses: the default is this
 * machine alone.
 */
#ifndef LFSET_EXPORTER_H
#define LFSET_EXPORTER_H

#include <sys/types.h>

#include "observe.h"

#ifdef __cplusplus
extern "C" {
#endif

/** lfset_exporter_options.flags: no /json, so that no address is told. */
#define LFSET_EXPORTER_METRICS_ONLY 1u

/** What to serve, and where. Fill with LFSET_EXPORTER_INIT, then change what you need. */
struct lfset_exporter_options {
    size_t size;          /**< sizeof(struct lfset_exporter_options) */
    const char *address;  /**< to listen at, as a number, IPv4 or IPv6 */
    unsigned port;        /**< 0: any that is free */
    pid_t pid;            /**< whose sets; 0: this process's, also those it will only have later */
    unsigned connections; /**< at once, most */
    uint64_t timeout_ns;  /**< for a request and its answer together; then the client is cut off */
    unsigned flags;       /**< LFSET_EXPORTER_METRICS_ONLY, or 0 */
};

/** This process, at a free port of 127.0.0.1, for 64 clients of 10 s at a time. */
#define LFSET_EXPORTER_INIT                                                                        \
    {                                                                                              \
        sizeof(struct lfset_exporter_options), "127.0.0.1", 0, 0, 64, 10000000000u, 0              \
    }

/** An exporter that runs. */
struct lfset_exporter;

/**
 * Starts to serve, in a thread of its own. `options` NULL: LFSET_EXPORTER_INIT.
 * @return 0. -EINVAL. -EADDRINUSE: the port is taken. -EADDRNOTAVAIL: the address is not this machine's.
 * -EACCES: the port, or the process, is not for the caller. -ESRCH: there is no such process. -ENOENT: it
 * has no registry. -EPROTO: its registry's version is not known here. -ENOMEM. -EAGAIN: no more threads.
 */
LFSET_API int lfset_exporter_start(struct lfset_exporter **exporter,
                                   const struct lfset_exporter_options *options);

/** Tells the port. @return the port it listens at; 0: `exporter` is NULL. */
LFSET_API unsigned lfset_exporter_port(const struct lfset_exporter *exporter);

/** Stops and frees it; its clients are cut off. NULL: nothing. */
LFSET_API void lfset_exporter_stop(struct lfset_exporter *exporter);

#ifdef __cplusplus
}
#endif
#endif
