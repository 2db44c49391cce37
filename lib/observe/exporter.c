// SPDX-License-Identifier: MIT
/**
 * @file exporter.c
 * HTTP by libmicrohttpd, driven by one thread. That library ends connections that are idle, but not those
 * that trickle: so each connection has a deadline here, which only a complete answer renews.
 */
#define _GNU_SOURCE
#include "lfset/exporter.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "observe/answer.h"

/* A connection. Those that there are, oldest first, are a list. */
struct client {
    struct client *next, *previous;
    int fd;
    uint64_t since_ns; // when it was made, or its last answer done
    bool shut;         // told to end
};

struct lfset_exporter {
    struct lfset__source source;
    struct client *oldest, *newest;
    unsigned client_count, connections;
    uint64_t timeout_ns;
    unsigned port;
    int stop_fd;
    struct MHD_Daemon *daemon;
    pthread_t thread;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- connections ----------------------------------------------------------------------------------- */

static void client_add(struct lfset_exporter *exporter, struct client *client)
{
    client->next = NULL;
    client->previous = exporter->newest;
    *(client->previous ? &client->previous->next : &exporter->oldest) = client;
    exporter->newest = client;
    exporter->client_count++;
}

static void client_remove(struct lfset_exporter *exporter, struct client *client)
{
    *(client->previous ? &client->previous->next : &exporter->oldest) = client->next;
    *(client->next ? &client->next->previous : &exporter->newest) = client->previous;
    exporter->client_count--;
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **socket_ctx,
                          enum MHD_ConnectionNotificationCode code)
{
    struct lfset_exporter *exporter = ctx;
    struct client *client = *socket_ctx;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        client = calloc(1, sizeof *client);
        if (client) { // without memory it goes without a deadline of ours
            client->fd =
                MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
            client->since_ns = now_ns();
            client_add(exporter, client);
        }
        *socket_ctx = client;
    } else if (client) {
        client_remove(exporter, client);
        free(client);
        *socket_ctx = NULL;
    }
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **request_ctx,
                         enum MHD_RequestTerminationCode code)
{
    struct lfset_exporter *exporter = ctx;
    struct client *client =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    (void)request_ctx;
    if (client && code == MHD_REQUEST_TERMINATED_COMPLETED_OK) {
        client->since_ns = now_ns();
        client_remove(exporter, client);
        client_add(exporter, client);
    }
}

/* libmicrohttpd finds the connection ended, and says so to on_connection. */
static void client_shut(struct client *client)
{
    if (!client->shut) {
        client->shut = true;
        shutdown(client->fd, SHUT_RDWR);
    }
}

/* Ends what took too long and, when no more clients could come in, the one that came first. */
static void clients_check(struct lfset_exporter *exporter)
{
    uint64_t now = now_ns();
    for (struct client *client = exporter->oldest;
         client && now - client->since_ns >= exporter->timeout_ns; client = client->next) {
        client_shut(client);
    }
    if (exporter->client_count >= exporter->connections && exporter->oldest) {
        client_shut(exporter->oldest);
    }
}

/* ---- requests -------------------------------------------------------------------------------------- */

struct header {
    const char *name;
    char *value; // NULL: none
    bool failed;
};

static enum MHD_Result header_add(void *ctx, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    struct header *header = ctx;
    (void)kind;
    if (strcasecmp(name, header->name) == 0 && !header->failed) {
        char *joined;
        const char *before = header->value ? header->value : "";
        header->failed =
            asprintf(&joined, "%s%s%s", before, *before ? "," : "", value ? value : "") < 0;
        if (!header->failed) {
            free(header->value);
            header->value = joined;
        }
    }
    return MHD_YES;
}

static enum MHD_Result answer_send(struct MHD_Connection *connection, struct lfset__answer *answer)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(answer->length, answer->body, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(answer->body);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (answer->allow) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow);
    }
    enum MHD_Result result = MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Called when the headers are there, and again for what follows, of which nothing is used. A request that
 * may carry much is answered at once, which closes its connection; others when they are complete. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **request_ctx)
{
    struct lfset_exporter *exporter = ctx;
    struct lfset__answer answer;
    struct header accept = {MHD_HTTP_HEADER_ACCEPT, NULL, false};
    (void)version, (void)upload;
    bool is_first = *request_ctx == NULL;
    *request_ctx = exporter;
    bool is_short = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    if (is_short && (is_first || *upload_size > 0)) {
        *upload_size = 0;
        return MHD_YES;
    }
    MHD_get_connection_values(connection, MHD_HEADER_KIND, header_add, &accept);
    int error = accept.failed
                    ? -ENOMEM
                    : lfset__answer_make(&answer, &exporter->source, method, path, accept.value);
    free(accept.value);
    return error ? MHD_NO : answer_send(connection, &answer);
}

/* ---- the thread ------------------------------------------------------------------------------------ */

enum { LOOK_MS = 250 }; // at deadlines, at least so often

static void *serve(void *arg)
{
    struct lfset_exporter *exporter = arg;
    struct pollfd fds[] = {
        {.fd = MHD_get_daemon_info(exporter->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
         .events = POLLIN},
        {.fd = exporter->stop_fd, .events = POLLIN},
    };
    pthread_setname_np(pthread_self(), "lfset-exporter");
    while (!(fds[1].revents & POLLIN)) {
        MHD_UNSIGNED_LONG_LONG wanted;
        int wait = exporter->oldest ? LOOK_MS : -1;
        if (MHD_get_timeout(exporter->daemon, &wanted) == MHD_YES &&
            (wait < 0 || wanted < (unsigned)wait)) {
            wait = wanted < LOOK_MS ? (int)wanted : LOOK_MS;
        }
        poll(fds, 2, wait);
        MHD_run(exporter->daemon);
        clients_check(exporter);
    }
    return NULL;
}

/* Signals are for the program's own threads. */
static int thread_start(struct lfset_exporter *exporter)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&exporter->thread, NULL, serve, exporter);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

/* ---- starting and stopping ------------------------------------------------------------------------- */

static int socket_bind(int fd, const struct addrinfo *address)
{
    int on = 1;
    // else a restart would find its own port taken for a minute
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0
               ? -errno
               : 0;
}

static unsigned socket_port(int fd)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    char port[8] = "0";
    if (getsockname(fd, (struct sockaddr *)&bound, &length) == 0) {
        (void)getnameinfo((struct sockaddr *)&bound, length, NULL, 0, port, sizeof port,
                          NI_NUMERICSERV);
    }
    return (unsigned)atoi(port);
}

/* @return a socket that listens, or a negative errno. */
static int listen_at(const char *name, unsigned port)
{
    struct addrinfo wanted = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                              .ai_socktype = SOCK_STREAM};
    struct addrinfo *address;
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(name, service, &wanted, &address) != 0) {
        return -EINVAL;
    }
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = fd < 0 ? -errno : socket_bind(fd, address);
    freeaddrinfo(address);
    if (error && fd >= 0) {
        close(fd);
    }
    return error ? error : fd;
}

static int options_check(const struct lfset_exporter_options *options)
{
    bool good = options->size == sizeof *options && options->address && options->port <= 65535 &&
                options->pid >= 0 && options->connections > 0 && options->timeout_ns > 0 &&
                (options->flags & ~LFSET_EXPORTER_METRICS_ONLY) == 0;
    return good ? 0 : -EINVAL;
}

/* In a process of one's own the first set may come later. */
static int source_open(struct lfset__source *source)
{
    int error = lfset_registry_open(&source->registry, source->pid);
    return error == -ENOENT && (source->pid == 0 || source->pid == getpid()) ? 0 : error;
}

static int daemon_start(struct lfset_exporter *exporter, int fd)
{
    exporter->port = socket_port(fd);
    // one more than may stay: the newest is let in before the oldest is ended
    exporter->daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, on_request, exporter, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, exporter->connections + 1, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)32768, MHD_OPTION_NOTIFY_CONNECTION, on_connection, exporter,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, exporter, MHD_OPTION_END);
    if (!exporter->daemon) { // which has closed the socket
        return -ENOMEM;
    }
    return thread_start(exporter);
}

static void exporter_free(struct lfset_exporter *exporter)
{
    if (exporter->daemon) {
        MHD_stop_daemon(exporter->daemon);
    }
    if (exporter->stop_fd >= 0) {
        close(exporter->stop_fd);
    }
    lfset_registry_close(exporter->source.registry);
    free(exporter);
}

int lfset_exporter_start(struct lfset_exporter **started,
                         const struct lfset_exporter_options *options)
{
    static const struct lfset_exporter_options defaults = LFSET_EXPORTER_INIT;
    options = options ? options : &defaults;
    if (!started || options_check(options) != 0) {
        return -EINVAL;
    }
    *started = NULL;
    struct lfset_exporter *exporter = calloc(1, sizeof *exporter);
    if (!exporter) {
        return -ENOMEM;
    }
    exporter->source = (struct lfset__source){.pid = options->pid, .flags = options->flags};
    exporter->connections = options->connections;
    exporter->timeout_ns = options->timeout_ns;
    exporter->stop_fd = eventfd(0, EFD_CLOEXEC);
    int error = exporter->stop_fd < 0 ? -errno : source_open(&exporter->source);
    int fd = error ? error : listen_at(options->address, options->port);
    error = fd < 0 ? fd : daemon_start(exporter, fd);
    if (error) {
        exporter_free(exporter);
        return error;
    }
    *started = exporter;
    return 0;
}

unsigned lfset_exporter_port(const struct lfset_exporter *exporter)
{
    return exporter ? exporter->port : 0;
}

void lfset_exporter_stop(struct lfset_exporter *exporter)
{
    if (!exporter) {
        return;
    }
    uint64_t one = 1;
    while (write(exporter->stop_fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
    pthread_join(exporter->thread, NULL);
    exporter_free(exporter);
}
