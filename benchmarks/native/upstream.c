/*
 * The world behind every server that is measured: answers any name, over UDP and TCP, for next to no CPU time.
 *
 * What it says can be computed from the question, so that answers can be checked: A is 10.x.y.z and AAAA fd00::x:y where
 * the digits are FNV-1a of the name in lower case (wire form without the root). A name with "com" as any label but the last
 * does not exist, as in a search list's www.example.com.svc.cluster.local; other types have no data. One thread, epoll,
 * pipelined TCP. Usage: upstream PORT TTL
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, QUERY_BYTES = 4096, REPLY_BYTES = 4600, STREAM_BYTES = 1 << 16, OUT_BYTES = 1 << 20 };
enum { TYPE_A = 1, TYPE_SOA = 6, TYPE_AAAA = 28, TYPE_OPT = 41, NXDOMAIN = 3 };

struct connection {
    int sock;
    size_t in_bytes, out_start, out_end;
    unsigned char in[STREAM_BYTES];
    unsigned char out[OUT_BYTES];
};

struct question {
    int end;      /* offset behind QTYPE and QCLASS */
    int type;
    int owner;    /* offset of the last two labels: the zone that a SOA is for */
    int exists;
    uint32_t hash;
};

static int poller;
static uint32_t ttl;

static unsigned char *put16(unsigned char *at, int value) {
    at[0] = value >> 8;
    at[1] = value;
    return at + 2;
}

static unsigned char *put32(unsigned char *at, uint32_t value) { return put16(put16(at, value >> 16), value & 0xffff); }

/* 0, or -1 for bytes that are no query with one question. */
static int read_question(const unsigned char *query, int bytes, struct question *question) {
    if (bytes < 17 || query[2] & 0x80 || query[4] != 0 || query[5] != 1) return -1;
    int at = 12, before = 12, last = 12;
    question->hash = 2166136261u;
    question->exists = 1;
    while (at < bytes && query[at]) {
        int length = query[at];
        if (length > 63 || at + 1 + length >= bytes) return -1;
        if (length == 3 && !strncasecmp((const char *)query + at + 1, "com", 3) && query[at + 4]) question->exists = 0;
        for (int i = at; i <= at + length; i++) question->hash = (question->hash ^ tolower(query[i])) * 16777619u;
        before = last;
        last = at;
        at += 1 + length;
    }
    if (at + 5 > bytes) return -1;
    question->owner = before;
    question->type = query[at + 1] << 8 | query[at + 2];
    question->end = at + 5;
    return 0;
}

static unsigned char *put_record(unsigned char *at, int name, int type) {
    return put32(put16(put16(put16(at, 0xc000 | name), type), 1), ttl);
}

static unsigned char *put_soa(unsigned char *at, int owner) {
    at = put16(put_record(at, owner, TYPE_SOA), 2 + 2 + 20);
    at = put16(put16(at, 0xc000 | owner), 0xc000 | owner);
    at = put32(put32(put32(at, 1), 3600), 600);
    return put32(put32(at, 86400), ttl);
}

static int has_opt(const unsigned char *query, int bytes, const struct question *question) {
    return (query[10] << 8 | query[11]) > 0 && question->end + 11 <= bytes && query[question->end] == 0
        && query[question->end + 1] == 0 && query[question->end + 2] == TYPE_OPT;
}

/* The bytes of the reply, or -1 where none is due. */
static int answer(const unsigned char *query, int bytes, unsigned char *reply) {
    struct question question;
    if (read_question(query, bytes, &question) < 0) return -1;
    int opt = has_opt(query, bytes, &question);
    int positive = question.exists && (question.type == TYPE_A || question.type == TYPE_AAAA);
    memcpy(reply, query, question.end);
    reply[2] = 0x84 | (query[2] & 0x01);                                       /* QR, AA, RD as asked */
    reply[3] = 0x80 | (query[3] & 0x10) | (question.exists ? 0 : NXDOMAIN);    /* RA, CD as asked */
    put16(put16(put16(put16(reply + 4, 1), positive), !positive), opt);
    unsigned char *at = reply + question.end;
    if (!positive) {
        at = put_soa(at, question.owner);
    } else if (question.type == TYPE_A) {
        at = put32(put16(put_record(at, 12, TYPE_A), 4), 10u << 24 | (question.hash & 0xffffff));
    } else {
        at = put32(put32(put16(put_record(at, 12, TYPE_AAAA), 16), 0xfd000000u), 0);
        at = put32(put32(at, 0), question.hash);
    }
    if (opt) at = put16(put32(put16(put16((*at = 0, at + 1), TYPE_OPT), 1232), 0), 0);
    return at - reply;
}

static void serve_udp(int sock) {
    static unsigned char queries[BATCH][QUERY_BYTES], replies[BATCH][REPLY_BYTES];
    static struct sockaddr_storage peers[BATCH];
    static struct iovec in[BATCH], out[BATCH];
    static struct mmsghdr received[BATCH], due[BATCH];
    for (int i = 0; i < BATCH; i++) {
        in[i] = (struct iovec){queries[i], QUERY_BYTES};
        received[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1, .msg_name = &peers[i]};
        received[i].msg_hdr.msg_namelen = sizeof peers[i];
    }
    int count = recvmmsg(sock, received, BATCH, 0, NULL), replying = 0;
    for (int i = 0; i < count; i++) {
        int bytes = answer(queries[i], received[i].msg_len, replies[i]);
        if (bytes < 0) continue;
        out[replying] = (struct iovec){replies[i], bytes};
        due[replying].msg_hdr = (struct msghdr){.msg_iov = &out[replying], .msg_iovlen = 1, .msg_name = &peers[i]};
        due[replying++].msg_hdr.msg_namelen = received[i].msg_hdr.msg_namelen;
    }
    for (int sent = 0; sent < replying;) {
        int now = sendmmsg(sock, due + sent, replying - sent, 0);
        sent += now > 0 ? now : 1;
    }
}

static void watch(int sock, uint32_t events, void *data, int how) {
    struct epoll_event event = {.events = events, .data.ptr = data};
    if (epoll_ctl(poller, how, sock, &event) < 0) {
        perror("epoll_ctl");
        exit(1);
    }
}

static void end_connection(struct connection *connection) {
    close(connection->sock);
    free(connection);
}

/* 0, or -1 when the connection is gone. */
static int flush(struct connection *connection) {
    while (connection->out_start < connection->out_end) {
        size_t bytes = connection->out_end - connection->out_start;
        ssize_t sent = send(connection->sock, connection->out + connection->out_start, bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) return 0;
        if (sent < 0) return -1;
        connection->out_start += sent;
    }
    connection->out_start = connection->out_end = 0;
    return 0;
}

static int answer_stream(struct connection *connection) {
    size_t at = 0;
    while (connection->in_bytes - at >= 2 && connection->out_end + REPLY_BYTES + 2 < OUT_BYTES) {
        size_t length = connection->in[at] << 8 | connection->in[at + 1];
        if (length > QUERY_BYTES) return -1;
        if (connection->in_bytes - at < 2 + length) break;
        unsigned char *reply = connection->out + connection->out_end;
        int bytes = answer(connection->in + at + 2, length, reply + 2);
        if (bytes < 0) return -1;
        put16(reply, bytes);
        connection->out_end += 2 + bytes;
        at += 2 + length;
    }
    memmove(connection->in, connection->in + at, connection->in_bytes - at);
    connection->in_bytes -= at;
    return flush(connection);
}

static void serve_tcp(struct connection *connection, uint32_t events) {
    int waiting = connection->out_end > 0;
    if (events & EPOLLOUT && flush(connection) < 0) return end_connection(connection);
    if (events & ~EPOLLOUT) {
        size_t room = STREAM_BYTES - connection->in_bytes;
        ssize_t got = room ? recv(connection->sock, connection->in + connection->in_bytes, room, 0) : 1;
        if (got == 0 || (got < 0 && errno != EAGAIN)) return end_connection(connection);
        if (room && got > 0) connection->in_bytes += got;
    }
    if (answer_stream(connection) < 0) return end_connection(connection);
    if (waiting != (connection->out_end > 0))
        watch(connection->sock, EPOLLIN | (waiting ? 0 : EPOLLOUT), connection, EPOLL_CTL_MOD);
}

static void accept_connection(int listener) {
    int sock = accept4(listener, NULL, NULL, SOCK_NONBLOCK), on = 1;
    if (sock < 0) return;
    struct connection *connection = malloc(sizeof *connection);
    if (!connection) exit(1);
    setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection->sock = sock;
    connection->in_bytes = connection->out_start = connection->out_end = 0;
    watch(sock, EPOLLIN, connection, EPOLL_CTL_ADD);
}

static int bound_socket(int type, int port) {
    int sock = socket(AF_INET, type | SOCK_NONBLOCK, 0), on = 1, room = 4 << 20;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (sock < 0 || bind(sock, (struct sockaddr *)&address, sizeof address) < 0
        || (type == SOCK_STREAM && listen(sock, 1024) < 0)) {
        perror("bind");
        exit(1);
    }
    return sock;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: upstream PORT TTL\n");
        return 2;
    }
    ttl = atoi(argv[2]);
    int udp = bound_socket(SOCK_DGRAM, atoi(argv[1])), tcp = bound_socket(SOCK_STREAM, atoi(argv[1]));
    poller = epoll_create1(0);
    watch(udp, EPOLLIN, &udp, EPOLL_CTL_ADD);
    watch(tcp, EPOLLIN, &tcp, EPOLL_CTL_ADD);
    for (;;) {
        struct epoll_event events[BATCH];
        int count = epoll_wait(poller, events, BATCH, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == &udp) serve_udp(udp);
            else if (events[i].data.ptr == &tcp) accept_connection(tcp);
            else serve_tcp(events[i].data.ptr, events[i].events);
        }
    }
}
