// SPDX-License-Identifier: MIT
// lfset exporter: serves the metrics of a process's sets, until that ends.
#define _GNU_SOURCE
#include "target.h"
#include "verbs.h"

#include <argp.h>
#include <errno.h>
#include <lfset/exporter.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum { KEY_CONNECTIONS = 256, KEY_TIMEOUT, KEY_METRICS_ONLY };

static const struct argp_option options[] = {
    {"pid", 'p', "PID", 0, "The process; PID alone will do, too", 0},
    {"listen", 'l', "ADDRESS:PORT", 0,
     "Where to listen: numbers, an IPv6 address in brackets. Without a port, or with port 0, any "
     "that "
     "is free (default: 127.0.0.1:0)",
     0},
    {"connections", KEY_CONNECTIONS, "N", 0,
     "Clients at once; one more, and the one that came first is cut off (default: 64)", 0},
    {"timeout", KEY_TIMEOUT, "SECONDS", 0,
     "How long a request and its answer may take together (default: 10)", 0},
    {"metrics-only", KEY_METRICS_ONLY, NULL, 0, "No /json, which tells addresses, too", 0},
    {0},
};

struct settings {
    struct lfset_exporter_options exporter;
    char address[64];
};

static void parse_pid(struct settings *settings, const char *argument, struct argp_state *state)
{
    if (settings->exporter.pid) {
        argp_error(state, "one process at a time");
    }
    settings->exporter.pid = (pid_t)option_number(state, "--pid", argument, 1, INT_MAX);
}

// ADDRESS, ADDRESS:PORT, [ADDRESS]:PORT or :PORT
static void parse_listen(struct settings *settings, const char *argument, struct argp_state *state)
{
    const char *colon = strrchr(argument, ':'), *end = colon ? colon : argument + strlen(argument);
    const char *begin = argument;
    if (*begin == '[') {
        end = strchr(argument, ']');
        if (!end || (end[1] && end + 1 != colon)) {
            argp_error(state, "--listen: '%s' is not [ADDRESS]:PORT", argument);
        }
        colon = end[1] ? end + 1 : NULL;
        begin++;
    } else if (colon && strchr(argument, ':') != colon) {
        argp_error(state, "--listen: '%s': an IPv6 address needs brackets", argument);
    }
    if ((size_t)(end - begin) >= sizeof settings->address) {
        argp_error(state, "--listen: '%s' is no address", argument);
    }
    if (end > begin) {
        memcpy(settings->address, begin, (size_t)(end - begin));
        settings->address[end - begin] = 0;
    }
    if (colon) {
        settings->exporter.port =
            (unsigned)option_number(state, "--listen: the port", colon + 1, 0, 65535);
    }
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct settings *settings = state->input;
    switch (key) {
    case 'p':
    case ARGP_KEY_ARG:
        parse_pid(settings, argument, state);
        return 0;
    case 'l':
        parse_listen(settings, argument, state);
        return 0;
    case KEY_CONNECTIONS:
        settings->exporter.connections =
            (unsigned)option_number(state, "--connections", argument, 1, 10000);
        return 0;
    case KEY_TIMEOUT:
        settings->exporter.timeout_ns =
            (uint64_t)(option_number(state, "--timeout", argument, 0.1, 3600) * 1e9);
        return 0;
    case KEY_METRICS_ONLY:
        settings->exporter.flags |= LFSET_EXPORTER_METRICS_ONLY;
        return 0;
    case ARGP_KEY_END:
        if (!settings->exporter.pid) {
            argp_error(state, "which process? (--pid PID)");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .args_doc = "--pid PID",
    .doc = "Serves the metrics of a process's sets to Prometheus, at /metrics, and all that is "
           "known of "
           "them at /json, until the process ends.\v"
           "Prints its URL. Exit status: 0 when the process has ended, or a signal ended this one; "
           "2 for "
           "bad options; 3 when there is no such process, it has no sets that are listed or is "
           "somebody "
           "else's, or the address cannot be had.",
};

static int complain(const char *tool, const struct settings *settings, int error)
{
    const struct lfset_exporter_options *wanted = &settings->exporter;
    char pid[16];
    switch (error) {
    case -EADDRINUSE:
    case -EADDRNOTAVAIL:
        fprintf(stderr, "%s: cannot listen at %s, port %u: %s\n", tool, settings->address,
                wanted->port, strerror(-error));
        return TOOL_CANNOT;
    case -EINVAL:
        fprintf(stderr, "%s: '%s' is not an address in numbers\n", tool, settings->address);
        return TOOL_USAGE;
    default:
        snprintf(pid, sizeof pid, "%d", (int)wanted->pid);
        target_complain(tool, pid, wanted->pid, error);
        return target_status(error);
    }
}

// Until the process has ended, or a signal came that asks this one to.
static void wait_for_end(const char *tool, int process_fd, pid_t pid, const sigset_t *during)
{
    struct pollfd fd = {.fd = process_fd, .events = POLLIN};
    if (ppoll(&fd, 1, NULL, during) > 0) {
        fprintf(stderr, "%s: process %d has ended\n", tool, (int)pid);
    }
}

static void nothing(int signal)
{
    (void)signal;
}

// Lets signals that ask to end in only while waiting. Returns what is to be blocked then.
static sigset_t signals_prepare(void)
{
    struct sigaction action = {.sa_handler = nothing};
    sigset_t ending, during;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigprocmask(SIG_BLOCK, &ending, &during);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigdelset(&during, SIGINT);
    sigdelset(&during, SIGTERM);
    return during;
}

int tool_exporter(int argc, char **argv)
{
    struct settings settings = {.exporter = LFSET_EXPORTER_INIT};
    snprintf(settings.address, sizeof settings.address, "%s", settings.exporter.address);
    settings.exporter.address = settings.address;
    if (argp_parse(&parser, argc, argv, 0, NULL, &settings) != 0) {
        return TOOL_USAGE;
    }
    struct lfset_exporter *exporter;
    sigset_t during = signals_prepare();
    // before the registry: a number that is used again meanwhile is then another's registry at worst
    int process_fd = pidfd_open(settings.exporter.pid, 0);
    int error = process_fd < 0 ? -errno : lfset_exporter_start(&exporter, &settings.exporter);
    if (error) {
        return complain(argv[0], &settings, error);
    }
    bool brackets = strchr(settings.address, ':') != NULL;
    printf("http://%s%s%s:%u/metrics\n", brackets ? "[" : "", settings.address, brackets ? "]" : "",
           lfset_exporter_port(exporter));
    int status = target_output_end(argv[0], stdout, false);
    if (status == TOOL_OK) {
        wait_for_end(argv[0], process_fd, settings.exporter.pid, &during);
    }
    lfset_exporter_stop(exporter);
    return status;
}
