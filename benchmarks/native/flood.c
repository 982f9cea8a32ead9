/*
 * One client that takes what it can get: everything it sends is allowed, there is only too much of it.
 *
 * Kinds: `packets` sends questions over UDP as fast as the kernel takes them and reads nothing; `unique` does the same with a
 * number that goes up in each question's first ten bytes of name, so that no two are the same. The others are over TCP, on as many
 * connections as the server lets it have: `questions` asks without pause and reads the replies; `silent` sends nothing;
 * `drip` sends questions byte by byte, one byte per connection in turn without pause; `churn` connects, asks once and
 * closes; `halfopen` never takes note of the server's SYN-ACK, so that none of its connections is ever complete: thousands at
 * a time, the oldest given up for a new one. A connection that the server ends is opened again at once.
 * Usage: flood KIND SOURCE PORT SECONDS < queries (each: 2 bytes length, packet). Prints JSON: what it sent, and connections made.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SOCKETS = 8, BATCH = 32, QUERY_LIMIT = 1 << 16, CONNECTIONS = 1200, HALF_OPEN = 4000, LABEL_AT = 13, LABEL_DIGITS = 10 };

static unsigned char *frames[QUERY_LIMIT]; /* with the two bytes of length in front */
static size_t lengths[QUERY_LIMIT];
static int query_count;
static long sent, connected;
static struct sockaddr_in source, server;
static double deadline;

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

static void read_queries(void) {
    unsigned char head[2];
    while (query_count < QUERY_LIMIT && fread(head, 1, 2, stdin) == 2) {
        size_t length = head[0] << 8 | head[1];
        unsigned char *whole = malloc(length + 2);
        if (!whole || fread(whole + 2, 1, length, stdin) != length) exit(1);
        memcpy(whole, head, 2);
        frames[query_count] = whole;
        lengths[query_count++] = length + 2;
    }
    if (!query_count) exit(1);
}

static int socket_of(int kind) {
    int sock = socket(AF_INET, kind, 0);
    if (sock < 0 || bind(sock, (struct sockaddr *)&source, sizeof source) < 0) {
        if (sock >= 0) close(sock);
        return -1;
    }
    return sock;
}

static void number(unsigned char *query, long value) {
    for (int digit = LABEL_DIGITS - 1; digit >= 0; digit--, value /= 10) query[LABEL_AT + digit] = '0' + value % 10;
}

static void flood_packets(int unique) {
    int socks[SOCKETS];
    static unsigned char copies[BATCH][512];
    struct iovec vectors[BATCH];
    struct mmsghdr messages[BATCH];
    for (int i = 0; i < SOCKETS; i++) {
        socks[i] = socket_of(SOCK_DGRAM);
        if (socks[i] < 0 || connect(socks[i], (struct sockaddr *)&server, sizeof server) < 0) {
            perror("flood");
            exit(1);
        }
    }
    for (long turn = 0; now() < deadline; turn++) {
        memset(messages, 0, sizeof messages);
        for (int i = 0; i < BATCH; i++) {
            int index = (turn * BATCH + i) % query_count;
            size_t length = lengths[index] - 2;
            memcpy(copies[i], frames[index] + 2, length);
            copies[i][0] = turn;
            copies[i][1] = i;
            if (unique) number(copies[i], sent + i);
            vectors[i] = (struct iovec){copies[i], length};
            messages[i].msg_hdr.msg_iov = &vectors[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
        int done = sendmmsg(socks[turn % SOCKETS], messages, BATCH, 0);
        if (done > 0) sent += done;
    }
}

struct place {
    int sock, query;
    size_t at; /* bytes of the current query that are sent */
};

static void begin(struct place *place) {
    int on = 1;
    place->query = place->at = 0;
    place->sock = socket_of(SOCK_STREAM);
    if (place->sock < 0) return;
    setsockopt(place->sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(place->sock, F_SETFL, O_NONBLOCK);
    if (connect(place->sock, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS) {
        close(place->sock);
        place->sock = -1;
        return;
    }
    connected++;
}

static void end(struct place *place, int with_reset) {
    struct linger at_once = {1, 0};
    if (with_reset) setsockopt(place->sock, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(place->sock);
    place->sock = -1;
}

/* Reads and forgets replies; whether the connection is still there. */
static int drain(struct place *place) {
    static unsigned char sink[65536];
    ssize_t bytes = recv(place->sock, sink, sizeof sink, 0);
    return bytes > 0 || (bytes < 0 && (errno == EAGAIN || errno == ENOTCONN));
}

/* Sends `most` bytes of the current query and those after it; whether it could. */
static int feed(struct place *place, size_t most) {
    int index = place->query % query_count;
    size_t left = lengths[index] - place->at;
    ssize_t bytes = send(place->sock, frames[index] + place->at, left < most ? left : most, MSG_NOSIGNAL);
    if (bytes < 0) return errno == EAGAIN || errno == ENOTCONN;
    place->at += bytes;
    if (place->at == lengths[index]) {
        place->at = 0;
        place->query++;
        sent++;
    }
    return 1;
}

static void flood_connections(const char *kind) {
    static struct place places[CONNECTIONS];
    int drip = !strcmp(kind, "drip"), silent = !strcmp(kind, "silent"), churn = !strcmp(kind, "churn");
    int count = churn ? 200 : CONNECTIONS;
    for (int i = 0; i < count; i++) begin(&places[i]);
    while (now() < deadline) {
        for (int i = 0; i < count && now() < deadline; i++) {
            struct place *place = &places[i];
            if (place->sock < 0) {
                begin(place);
                continue;
            }
            int alive = drain(place);
            if (alive && !silent)
                for (int more = drip || churn ? 1 : 16; more && alive; more--) alive = feed(place, drip ? 1 : 4096);
            if (!alive || (churn && place->query)) end(place, churn);
        }
        if (silent) {
            struct timespec nap = {.tv_nsec = 1000 * 1000};
            nanosleep(&nap, NULL);
        }
    }
}

/* A filter of the socket's own drops what the server sends before TCP sees it. */
static void flood_half_open(void) {
    static int socks[HALF_OPEN];
    struct sock_filter nothing = {BPF_RET | BPF_K, 0, 0, 0};
    struct sock_fprog filter = {1, &nothing};
    for (long turn = 0; now() < deadline; turn++) {
        int *sock = &socks[turn % HALF_OPEN];
        if (*sock > 0) close(*sock);
        *sock = socket_of(SOCK_STREAM);
        if (*sock < 0) continue;
        setsockopt(*sock, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
        fcntl(*sock, F_SETFL, O_NONBLOCK);
        if (connect(*sock, (struct sockaddr *)&server, sizeof server) < 0 && errno == EINPROGRESS) connected++;
    }
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: flood KIND SOURCE PORT SECONDS < queries\n");
        return 2;
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    source.sin_family = server.sin_family = AF_INET;
    inet_pton(AF_INET, argv[2], &source.sin_addr);
    server.sin_port = htons(atoi(argv[3]));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    read_queries();
    deadline = now() + atof(argv[4]);
    if (!strcmp(argv[1], "packets") || !strcmp(argv[1], "unique"))
        flood_packets(argv[1][0] == 'u');
    else if (!strcmp(argv[1], "halfopen"))
        flood_half_open();
    else
        flood_connections(argv[1]);
    printf("{\"sent\": %ld, \"connections\": %ld}\n", sent, connected);
    return 0;
}
