/*
 * A steady load and how long each answer takes: what dnsperf's own pacing is too coarse for.
 *
 * Queries leave at random moments (exponential gaps, fixed seed) whatever the answers do, so that a slow server is not
 * asked less. A reply's arrival is the kernel's time stamp. Between queries this program sleeps, with real-time priority
 * where it may have it, so that neither other programs hold it up nor it the upstream on the same core. If something
 * did hold it up, the moments that passed meanwhile are left out: sent at once they would be a burst that nobody asked
 * for. A query is lost when it has no answer one second after the last was sent; the queues of these sockets hold a
 * second's replies, and what overflowed them is counted apart.
 * Usage: pace PORT RATE SECONDS < queries (each: 2 bytes length, packet). Prints JSON, latencies in microseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/sock_diag.h>
#include <math.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

enum { SOCKETS = 10, QUERY_LIMIT = 1 << 20, IDS = 1 << 16, PACKET_BYTES = 4096, QUEUE_BYTES = 4 << 20 };
enum { NAP = 20 * 1000, SPARE = 10 * 1000, HELD_UP = 1000 * 1000, PATIENCE = 1000 * 1000 * 1000 }; /* nanoseconds */

static unsigned char *queries[QUERY_LIMIT];
static size_t lengths[QUERY_LIMIT];
static int query_count, socks[SOCKETS];
static int64_t sent_at[SOCKETS][IDS]; /* 0: not waited for */
static int64_t *latencies, held_up, longest_hold_up;
static long sent, received, wrong;

static int64_t wall_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void read_queries(void) {
    unsigned char head[2];
    while (query_count < QUERY_LIMIT && fread(head, 1, 2, stdin) == 2) {
        size_t length = head[0] << 8 | head[1];
        queries[query_count] = malloc(length);
        if (!queries[query_count] || fread(queries[query_count], 1, length, stdin) != length) exit(1);
        lengths[query_count++] = length;
    }
    if (!query_count) exit(1);
}

static int connected_socket(int port) {
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), on = 1, room = QUEUE_BYTES;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(sock, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    if (setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
        setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (sock < 0 || connect(sock, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("connect");
        exit(1);
    }
    return sock;
}

/* Not for everybody: without it the figures are as good as the machine is quiet. */
static void come_first(void) {
    struct sched_param priority = {.sched_priority = 1};
    sched_setscheduler(0, SCHED_FIFO, &priority);
    prctl(PR_SET_TIMERSLACK, 1);
    mlockall(MCL_CURRENT | MCL_FUTURE);
}

static void receive(int index) {
    static unsigned char packet[PACKET_BYTES];
    char control[128];
    for (;;) {
        struct iovec vector = {packet, sizeof packet};
        struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control};
        message.msg_controllen = sizeof control;
        ssize_t bytes = recvmsg(socks[index], &message, 0);
        if (bytes < 0) return;
        int id = packet[0] << 8 | packet[1];
        struct cmsghdr *stamp = CMSG_FIRSTHDR(&message);
        struct timespec at;
        if (!stamp || bytes < 12 || !sent_at[index][id]) {
            wrong++;
            continue;
        }
        memcpy(&at, CMSG_DATA(stamp), sizeof at);
        latencies[received++] = at.tv_sec * 1000000000LL + at.tv_nsec - sent_at[index][id];
        sent_at[index][id] = 0;
        if (!(packet[2] & 0x80) || packet[3] & 0x0f) wrong++;
    }
}

/* Sends the next query and reads what came in for the socket that it goes through. */
static void ask(void) {
    int index = sent % SOCKETS, id = sent / SOCKETS % IDS;
    unsigned char *query = queries[sent % query_count];
    receive(index);
    query[0] = id >> 8;
    query[1] = id;
    sent_at[index][id] = wall_nanoseconds();
    send(socks[index], query, lengths[sent % query_count], 0);
    sent++;
}

static void ask_for(double seconds, double rate) {
    int64_t now = wall_nanoseconds(), end = now + (int64_t)(seconds * 1e9);
    double due = now;
    while ((now = wall_nanoseconds()) < end) {
        int64_t early = (int64_t)due - now;
        if (early > NAP) {
            struct timespec nap = {.tv_nsec = early - SPARE < 999999999 ? early - SPARE : 999999999};
            nanosleep(&nap, NULL);
        }
        if (early > 0) continue;
        if (-early > HELD_UP) {
            held_up += -early;
            if (-early > longest_hold_up) longest_hold_up = -early;
            due = now;
        }
        ask();
        due += -log(1 - drand48()) / rate * 1e9;
    }
}

static long overflowed(void) {
    long drops = 0;
    for (int i = 0; i < SOCKETS; i++) {
        uint32_t memory[SK_MEMINFO_VARS] = {0};
        socklen_t length = sizeof memory;
        if (!getsockopt(socks[i], SOL_SOCKET, SO_MEMINFO, memory, &length)) drops += memory[SK_MEMINFO_DROPS];
    }
    return drops;
}

static int by_size(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static double microseconds(double share) { return received ? latencies[(long)(share * (received - 1))] / 1e3 : 0; }

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: pace PORT RATE SECONDS < queries\n");
        return 2;
    }
    double rate = atof(argv[2]), seconds = atof(argv[3]);
    read_queries();
    latencies = calloc((size_t)(rate * seconds * 2) + 1000, sizeof *latencies);
    for (int i = 0; i < SOCKETS; i++) socks[i] = connected_socket(atoi(argv[1]));
    srand48(1);
    come_first();
    ask_for(seconds, rate);
    for (int64_t end = wall_nanoseconds() + PATIENCE; wall_nanoseconds() < end && received + overflowed() < sent;) {
        struct timespec nap = {.tv_nsec = HELD_UP};
        nanosleep(&nap, NULL);
        for (int i = 0; i < SOCKETS; i++) receive(i);
    }
    qsort(latencies, received, sizeof *latencies, by_size);
    printf("{\"sent\": %ld, \"received\": %ld, \"wrong\": %ld, \"overflowed\": %ld, ", sent, received, wrong, overflowed());
    printf("\"heldUp\": %.6f, \"longestHoldUp\": %.6f, ", held_up / 1e9, longest_hold_up / 1e9);
    printf("\"p50\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f}\n", microseconds(0.5), microseconds(0.99),
           microseconds(0.999), microseconds(1));
    return 0;
}
