// SPDX-License-Identifier: MIT
/* Which format an Accept header wants; starting and stopping exporters. What they serve is in
 * test/metrics.sh. */
#define _GNU_SOURCE
#include "lfset/exporter.h"

#include <dirent.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "observe/accept.h"
#include "support.h"

static void wants(const char *accept, int format)
{
    enum lfset_metrics_format got;
    bool any = lfset__accept_choose(accept, &got);
    CHECK(any == (format >= 0) && (!any || (int)got == format), "\"%s\": %d, format %d",
          accept ? accept : "", any, (int)got);
}

TEST(accept, formats)
{
    const int plain = LFSET_METRICS_PROMETHEUS, open = LFSET_METRICS_OPENMETRICS, none = -1;
    wants(NULL, plain);
    wants("", plain);
    wants(" \t", plain);
    wants("*/*", plain);
    wants("text/*", plain);
    wants("text/plain", plain);
    wants("TEXT/Plain; Version=0.0.4; charset=utf-8", plain);
    wants("application/*", open);
    wants("application/openmetrics-text", open);
    wants("application/openmetrics-text; version=\"1.0.0\"", open);
    wants("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,*/*;q=0.5", open);
    wants("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
          "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
          open);
    // weights, and the more specific range
    wants("application/openmetrics-text;q=0.5,text/plain;q=0.6", plain);
    wants("application/openmetrics-text;q=0.501,text/plain;q=0.5", open);
    wants("application/openmetrics-text , */* ; q=1.000", open);
    wants("*/*,application/openmetrics-text;q=0.1", plain);
    wants("*/*;q=0.2,text/plain;q=0", open);
    wants("text/plain;version=0.0.4;q=0.1,text/plain;q=0.9,application/openmetrics-text;q=0.5",
          open);
    // a comma in quotes is none
    wants("x/y;a=\",application/openmetrics-text,\";q=1, text/plain;q=0.1", plain);
    wants("x/y;a=\"\\\",application/openmetrics-text,\"", none);
    // nothing that there is
    wants("application/openmetrics-text;version=0.0.1", none);
    wants("text/plain;version=1.0.0", none);
    wants("text/html, image/*", none);
    wants("*/*;q=0", none);
    // what cannot be read covers nothing
    wants(",;=,\"", none);
    wants("*/*;q=2", none);
    wants("*/*;q=-1, text/plain;q=0.1", plain);
    wants("*/*;q=, */*;q=1.5, */*;q=0.1234, */*;q=a", none);
}

static unsigned descriptors(void)
{
    DIR *fds = opendir("/proc/self/fd");
    unsigned count = 0;
    while (readdir(fds)) {
        count++;
    }
    closedir(fds);
    return count;
}

TEST(exporter, starts_and_stops)
{
    struct lfset_exporter *exporter, *second;
    struct lfset_exporter_options options = LFSET_EXPORTER_INIT;
    CHECK_EQ(lfset_exporter_start(&exporter, NULL), 0);
    lfset_exporter_stop(exporter);
    unsigned before = descriptors();
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(lfset_exporter_start(&exporter, &options), 0);
        options.port = lfset_exporter_port(exporter);
        CHECK(options.port > 0, "it has a port");
        CHECK_EQ(lfset_exporter_start(&second, &options), -EADDRINUSE);
        lfset_exporter_stop(exporter); // the next one has its port
    }
    CHECK_EQ(descriptors(), before);
    lfset_exporter_stop(NULL);
    CHECK_EQ(lfset_exporter_port(NULL), 0);
}

/* What it answers to a GET. To be freed. */
static char *get(const struct lfset_exporter *exporter, const char *path)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)lfset_exporter_port(exporter)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char buffer[4096], *answer;
    size_t size;
    ssize_t got;
    CHECK_EQ(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    dprintf(fd, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    FILE *out = open_memstream(&answer, &size);
    while ((got = read(fd, buffer, sizeof buffer)) > 0) {
        fwrite(buffer, 1, (size_t)got, out);
    }
    fclose(out);
    close(fd);
    return answer;
}

static void answers(const struct lfset_exporter *exporter, const char *path, const char *text,
                    bool there)
{
    char *answer = get(exporter, path);
    CHECK(strncmp(answer, "HTTP/1.1 200 ", 13) == 0, "%s", answer);
    CHECK((strstr(answer, text) != NULL) == there, "%s is %sthere: %s", text, there ? "not " : "",
          answer);
    free(answer);
}

TEST(exporter, series_come_and_go_with_sets)
{
    struct lfset_exporter *exporter;
    struct lfset_options options = LFSET_OPTIONS_INIT;
    struct lfset_u64 *set;
    options.name = "here";
    CHECK_EQ(lfset_exporter_start(&exporter, NULL), 0);
    answers(exporter, "/metrics", "lfset_sets 0\n", true);
    answers(exporter, "/json", "\"sets\": []", true);
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    answers(exporter, "/metrics", "lfset_set_keys{set=\"here\"} 0\n", true);
    answers(exporter, "/json", "\"here\"", true);
    CHECK_EQ(lfset_u64_destroy(set), 0);
    answers(exporter, "/metrics", "lfset_set_", false);
    answers(exporter, "/metrics", "lfset_sets 0\n", true);
    lfset_exporter_stop(exporter);
}

TEST(exporter, refuses)
{
    struct lfset_exporter *exporter;
    CHECK_EQ(lfset_exporter_start(NULL, NULL), -EINVAL);
#define REFUSED(member, value, error)                                                              \
    do {                                                                                           \
        struct lfset_exporter_options bad = LFSET_EXPORTER_INIT;                                   \
        bad.member = (value);                                                                      \
        CHECK_EQ(lfset_exporter_start(&exporter, &bad), error);                                    \
    } while (0)
    REFUSED(size, 1, -EINVAL);
    REFUSED(address, NULL, -EINVAL);
    REFUSED(address, "localhost", -EINVAL);
    REFUSED(address, "127.0.0.1; rm", -EINVAL);
    REFUSED(address, "192.0.2.1", -EADDRNOTAVAIL);
    REFUSED(port, 65536, -EINVAL);
    REFUSED(pid, -1, -EINVAL);
    REFUSED(pid, 4194304, -ESRCH);
    REFUSED(connections, 0, -EINVAL);
    REFUSED(timeout_ns, 0, -EINVAL);
    REFUSED(flags, 2, -EINVAL);
}
