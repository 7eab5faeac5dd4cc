// SPDX-License-Identifier: Apache-2.0
/*
 * Round trips of vfio-user region accesses over one or several servers, and of as many bytes over a bare pair of sockets: what the
 * machine allows. The servers take turns, so that all of them see the same machine.
 *
 * userping PROCESSOR PEER ROUNDS BATCHES REGION OFFSET WIDTH NAME=SOCKET[:spin] ...
 *
 * PROCESSOR is where it runs, PEER where the other end of the bare pair does. Servers are where whoever started them put them: left to
 * the scheduler, two processes on one processor, which wake each other cheaply, are compared with two on two.
 *
 * Prints a line for each server and direction: name, direction, median nanoseconds per round trip, and the median of the ratios to the
 * first server's neighbouring batches.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { VERSION = 1, REGION_READ = 9, REGION_WRITE = 10, REPLY = 1, ERROR = 0x20, MAX_SERVERS = 8 };

struct header {
    uint16_t id, command;
    uint32_t size, flags, error;
};

struct access {
    struct header header;
    uint64_t offset;
    uint32_t region, count;
    unsigned char data[8];
};

struct server {
    const char *name;
    int fd, spin;
    double *nanos[2];
};

static void die(const char *what)
{
    fprintf(stderr, "userping: %s: %s\n", what, errno ? strerror(errno) : "unexpected answer");
    exit(1);
}

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void receive(int fd, void *buffer, size_t size, int spin)
{
    size_t got = 0;
    while (got < size) {
        ssize_t n = recv(fd, (char *)buffer + got, size - got, spin ? MSG_DONTWAIT : 0);
        if (n > 0)
            got += n;
        else if (n == 0 || (errno != EINTR && errno != EAGAIN))
            die("receive");
    }
}

static int open_server(const char *path)
{
    static const char json[] = "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576}}";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char message[sizeof(struct header) + 4 + sizeof json];
    struct header header = {.id = 1, .command = VERSION, .size = sizeof message};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die(path);
    memcpy(message, &header, sizeof header);
    memcpy(message + sizeof header, "\0\0\0\0", 4);
    memcpy(message + sizeof header + 4, json, sizeof json);
    if (send(fd, message, sizeof message, 0) != sizeof message)
        die("VERSION");
    receive(fd, &header, sizeof header, 0);
    errno = 0;
    if (header.flags != REPLY || header.size < sizeof header || header.size > 65536)
        die("VERSION's reply");
    char *rest = malloc(header.size);
    receive(fd, rest, header.size - sizeof header, 0);
    free(rest);
    return fd;
}

static void round_trip(struct server *server, struct access *access, int write, uint32_t width)
{
    struct access reply;
    size_t request = offsetof(struct access, data) + (write ? width : 0);
    size_t expected = offsetof(struct access, data) + (write ? 0 : width);
    access->header.id++;
    access->header.command = write ? REGION_WRITE : REGION_READ;
    access->header.size = request;
    if (send(server->fd, access, request, MSG_NOSIGNAL) != (ssize_t)request)
        die("send");
    receive(server->fd, &reply, expected, server->spin);
    errno = 0;
    if (reply.header.id != access->header.id || reply.header.flags != REPLY || reply.header.size != expected)
        die(server->name);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(const double *values, int count)
{
    double *sorted = malloc(count * sizeof *sorted), result;
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, ascending);
    result = sorted[count / 2];
    free(sorted);
    return result;
}

static void stay_on(int processor)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0)
        die("sched_setaffinity");
}

/* What a request and a reply of the same sizes take between two processes that do nothing else. */
static double bare(int peer, long rounds, int spin)
{
    int pair[2];
    char buffer[40];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        die("socketpair");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        stay_on(peer);
        for (long i = 0; i < rounds; i++) {
            receive(pair[1], buffer, 32, spin);
            if (send(pair[1], buffer, 33, MSG_NOSIGNAL) != 33)
                die("send");
        }
        exit(0);
    }
    long long start = now();
    for (long i = 0; i < rounds; i++) {
        if (send(pair[0], buffer, 32, MSG_NOSIGNAL) != 32)
            die("send");
        receive(pair[0], buffer, 33, spin);
    }
    double nanos = (double)(now() - start) / rounds;
    waitpid(child, NULL, 0);
    close(pair[0]);
    close(pair[1]);
    return nanos;
}

int main(int argc, char **argv)
{
    if (argc < 9 || argc > 8 + MAX_SERVERS) {
        fprintf(stderr, "usage: userping PROCESSOR PEER ROUNDS BATCHES REGION OFFSET WIDTH NAME=SOCKET[:spin] ...\n");
        return 2;
    }
    int peer = atoi(argv[2]);
    long rounds = atol(argv[3]);
    int batches = atoi(argv[4]), count = argc - 8;
    uint32_t width = atoi(argv[7]);
    struct access access = {.region = atoi(argv[5]), .offset = strtoull(argv[6], NULL, 0), .count = width};
    struct server servers[MAX_SERVERS];
    if (rounds < 1 || batches < 1 || width < 1 || width > sizeof access.data)
        return 2;
    stay_on(atoi(argv[1]));
    for (int s = 0; s < count; s++) {
        char *name = argv[8 + s], *path = strchr(name, '='), *option;
        if (!path)
            return 2;
        *path++ = 0;
        option = strrchr(path, ':');
        servers[s].spin = option && !strcmp(option, ":spin");
        if (servers[s].spin)
            *option = 0;
        servers[s].name = name;
        servers[s].fd = open_server(path);
        for (int w = 0; w < 2; w++)
            servers[s].nanos[w] = malloc(batches * sizeof(double));
    }
    for (int batch = -batches / 4 - 1; batch < batches; batch++) /* the first ones warm up */
        for (int w = 0; w < 2; w++)
            for (int s = 0; s < count; s++) {
                long long start = now();
                for (long i = 0; i < rounds; i++)
                    round_trip(&servers[s], &access, w, width);
                if (batch >= 0)
                    servers[s].nanos[w][batch] = (double)(now() - start) / rounds;
            }
    double *ratios = malloc(batches * sizeof *ratios);
    for (int s = 0; s < count; s++)
        for (int w = 0; w < 2; w++) {
            for (int batch = 0; batch < batches; batch++)
                ratios[batch] = servers[s].nanos[w][batch] / servers[0].nanos[w][batch];
            printf("%-24s %-5s %9.0f ns  %.3f\n", servers[s].name, w ? "write" : "read", median(servers[s].nanos[w], batches),
                   median(ratios, batches));
        }
    printf("%-24s %-5s %9.0f ns\n", "bare sockets, blocking", "both", bare(peer, rounds * batches, 0));
    if (peer != atoi(argv[1])) /* spinning wants two processors */
        printf("%-24s %-5s %9.0f ns\n", "bare sockets, spinning", "both", bare(peer, rounds * batches, 1));
    return 0;
}
