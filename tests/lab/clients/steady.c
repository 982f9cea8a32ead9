/*
 * Pods' questions at a steady rate, whatever becomes of the server, and what each of them got, by the moment it was asked.
 *
 * Usage: steady ADDRESS RATE TCP_SHARE SHEET < questions. Ends on SIGTERM, once everything is answered or given up.
 * A question is a `struct record` and its bytes. SHEET is a file that both sides map: one row of counters for each 1/20 s since
 * `begin` (CLOCK_MONOTONIC), which others read while it is written; a question counts in the row in which it was asked.
 *
 * UDP: from 32 ports in turn. The kernel stamps each reply on its arrival, so that a delay of this program is not the server's.
 * TCP: a connection carries 20 questions, one after another, then it is closed and another one made. If the server ends it while
 * a question is unanswered, that is asked again through a new one (RFC 7766, section 6.2.4), twice at most; its time goes on.
 * While all connections that one client may have wait for an answer, questions go over UDP: what it has no way to ask is no
 * fault of the server.
 * An answer counts, however late; the time of the slowest tells. Nothing at all, and a refused connection, is `unanswered`.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PORTS = 32, IDS = 8192, CONNECTIONS = 96, USUAL = 8, USES = 20, TRIES = 3, QUESTIONS = 4096, PACKET = 4096, BURST = 64 };
static const int64_t NAP = 1000000, ROW = 50000000, PATIENCE = 10000000000; /* nanoseconds */
static const int64_t HELD = 50000000; /* without a turn of its own: what could not be asked then is not asked all at once now */

struct record { /* as it comes in, in this machine's byte order */
    uint16_t length, digits_at; /* digits_at: where 8 hexadecimal digits make the name new; 0: nowhere */
    uint8_t rcode, expected; /* expected: so many bytes follow the packet, and stand in every right answer */
    uint8_t packet[300], answer[16];
};
struct row { int64_t asked, right, wrong, unanswered, refused, again, slowest; }; /* slowest: microseconds */
struct sheet { int64_t begin, rows, row_nanoseconds, stray, tcp, held_up; struct row row[]; };
struct waiting { int64_t at; int32_t row, question; }; /* at: 0 is nobody */
struct connection { int sock, uses, tries, got, connecting; struct waiting who; uint8_t packet[302], reply[PACKET]; };

static struct record questions[QUESTIONS];
static struct waiting waiting[PORTS][IDS];
static struct connection connections[CONNECTIONS];
static struct sockaddr_in server;
static struct sheet *sheet;
static int question_count, ports[PORTS], open_questions;
static uint32_t asked, fresh;
static volatile sig_atomic_t ending;

static void end(int number) { (void)number; ending = 1; }

static int64_t clock_now(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static struct row *row_now(void) {
    int64_t number = (clock_now(CLOCK_MONOTONIC) - sheet->begin) / ROW;
    if (number >= sheet->rows) exit(3);
    return &sheet->row[number];
}

static void answered(struct waiting *who, const uint8_t *reply, ssize_t size, int64_t at) {
    struct record *question = &questions[who->question];
    struct row *row = &sheet->row[who->row];
    int right = size > 12 && reply[2] & 0x80 && (reply[3] & 15) == question->rcode &&
                (!question->expected || memmem(reply + 12, size - 12, question->answer, question->expected));
    if (right) row->right++;
    else row->wrong++;
    if ((at - who->at) / 1000 > row->slowest) row->slowest = (at - who->at) / 1000;
    who->at = 0;
    open_questions--;
}

static void given_up(struct waiting *who) {
    sheet->row[who->row].unanswered++;
    who->at = 0;
    open_questions--;
}

static struct waiting begin(int64_t at) {
    struct row *row = row_now();
    row->asked++;
    open_questions++;
    return (struct waiting){at, row - sheet->row, asked % question_count};
}

static uint16_t written(uint8_t *packet, int index, uint16_t id) {
    struct record *question = &questions[index];
    memcpy(packet, question->packet, question->length);
    packet[0] = id >> 8;
    packet[1] = id;
    if (question->digits_at) {
        char digits[9];
        snprintf(digits, sizeof digits, "%08x", fresh++);
        memcpy(packet + question->digits_at, digits, 8);
    }
    return question->length;
}

static void ask_udp(void) {
    uint8_t packet[300];
    int port = asked % PORTS;
    uint16_t id = asked / PORTS % IDS;
    if (waiting[port][id].at) given_up(&waiting[port][id]);
    waiting[port][id] = begin(clock_now(CLOCK_REALTIME));
    uint16_t length = written(packet, waiting[port][id].question, id);
    /* What ICMP said of an earlier packet is told to the next caller, in whose place nothing is sent. */
    if (send(ports[port], packet, length, 0) < 0) {
        row_now()->refused++;
        send(ports[port], packet, length, 0);
    }
}

static void read_udp(int port) {
    static uint8_t packets[BURST][PACKET];
    static char stamps[BURST][128];
    struct iovec vectors[BURST];
    struct mmsghdr messages[BURST] = {0};
    for (int i = 0; i < BURST; i++) {
        vectors[i] = (struct iovec){packets[i], PACKET};
        messages[i].msg_hdr = (struct msghdr){
            .msg_iov = &vectors[i], .msg_iovlen = 1, .msg_control = stamps[i], .msg_controllen = sizeof stamps[i]};
    }
    int count = recvmmsg(ports[port], messages, BURST, 0, NULL);
    if (count < 0 && errno != EAGAIN) row_now()->refused++;
    for (int i = 0; i < count; i++) {
        uint16_t id = packets[i][0] << 8 | packets[i][1];
        struct cmsghdr *stamp = CMSG_FIRSTHDR(&messages[i].msg_hdr);
        struct timespec at;
        if (!stamp || messages[i].msg_len < 12 || id >= IDS || !waiting[port][id].at) {
            sheet->stray++;
            continue;
        }
        memcpy(&at, CMSG_DATA(stamp), sizeof at);
        answered(&waiting[port][id], packets[i], messages[i].msg_len, at.tv_sec * 1000000000LL + at.tv_nsec);
    }
}

static void hang_up(struct connection *it) {
    close(it->sock);
    it->sock = -1;
    it->uses = it->got = it->connecting = 0;
}

/* Sends the question that waits, through a new connection where there is none. */
static void pass_on(struct connection *it) {
    if (it->sock < 0) {
        int on = 1;
        it->sock = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        setsockopt(it->sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        it->connecting = connect(it->sock, (struct sockaddr *)&server, sizeof server) < 0;
        if (it->connecting && errno != EINPROGRESS) perror("connect");
    }
    if (it->connecting) return;
    uint16_t length = it->packet[0] << 8 | it->packet[1];
    it->uses++;
    if (send(it->sock, it->packet, length + 2, MSG_NOSIGNAL) < 0) hang_up(it); /* the turn of loop finds it so */
}

/* Whether a connection was free. */
static int ask_tcp(void) {
    static int turn;
    turn++;
    for (int i = 0; i < CONNECTIONS; i++) { /* eight in turn, and others while these are busy */
        struct connection *it = &connections[i < USUAL ? (turn + i) % USUAL : i];
        if (it->who.at) continue;
        it->who = begin(clock_now(CLOCK_MONOTONIC));
        it->tries = 1;
        uint16_t length = written(it->packet + 2, it->who.question, asked & 0xffff);
        it->packet[0] = length >> 8;
        it->packet[1] = length;
        pass_on(it);
        sheet->tcp++;
        return 1;
    }
    return 0;
}

static void try_again(struct connection *it, int refused) {
    hang_up(it);
    if (!it->who.at) return;
    if (refused || it->tries++ >= TRIES) {
        row_now()->refused += refused;
        given_up(&it->who);
        return;
    }
    sheet->row[it->who.row].again++;
    pass_on(it);
}

static void read_tcp(struct connection *it) {
    if (it->sock < 0) {
        if (it->who.at) try_again(it, 0);
        return;
    }
    if (it->connecting) {
        struct tcp_info info;
        socklen_t length = sizeof info;
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(it->sock, SOL_SOCKET, SO_ERROR, &error, &size);
        getsockopt(it->sock, IPPROTO_TCP, TCP_INFO, &info, &length);
        if (error) try_again(it, error == ECONNREFUSED);
        else if (info.tcpi_state == TCP_ESTABLISHED || info.tcpi_state == TCP_CLOSE_WAIT) {
            it->connecting = 0;
            pass_on(it);
        }
        return;
    }
    ssize_t bytes = recv(it->sock, it->reply + it->got, PACKET - it->got, 0);
    if (bytes < 0 && errno == EAGAIN) return;
    if (bytes <= 0) {
        try_again(it, 0);
        return;
    }
    it->got += bytes;
    if (it->got < 2 || it->got < (it->reply[0] << 8 | it->reply[1]) + 2) return;
    if (!it->who.at || it->reply[2] != it->packet[2] || it->reply[3] != it->packet[3]) sheet->stray++;
    else answered(&it->who, it->reply + 2, it->got - 2, clock_now(CLOCK_MONOTONIC));
    it->got = 0;
    if (it->uses >= USES || it - connections >= USUAL) hang_up(it);
}

static void read_all(void) {
    for (int i = 0; i < PORTS; i++) read_udp(i);
    for (int i = 0; i < CONNECTIONS; i++) read_tcp(&connections[i]);
}

static void open_ports(void) {
    int on = 1, room = 1 << 20;
    for (int i = 0; i < PORTS; i++) {
        ports[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        setsockopt(ports[i], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
        setsockopt(ports[i], SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
        if (connect(ports[i], (struct sockaddr *)&server, sizeof server) < 0) {
            perror("connect");
            exit(1);
        }
    }
    for (int i = 0; i < CONNECTIONS; i++) connections[i].sock = -1;
}

static void open_sheet(const char *path) {
    int file = open(path, O_RDWR);
    off_t size = lseek(file, 0, SEEK_END);
    sheet = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (sheet == MAP_FAILED) {
        perror(path);
        exit(1);
    }
    sheet->rows = (size - sizeof *sheet) / sizeof(struct row);
    sheet->row_nanoseconds = ROW;
}

/* Not for everybody: without it the figures are as good as the machine is quiet. */
static void come_first(void) {
    struct sched_param priority = {.sched_priority = 1};
    sched_setscheduler(0, SCHED_FIFO, &priority);
    prctl(PR_SET_TIMERSLACK, 1);
    mlockall(MCL_CURRENT);
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    double rate = atof(argv[2]), tcp_share = atof(argv[3]), tcp_due = 0;
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(53)};
    if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) return 2;
    while (question_count < QUESTIONS && fread(&questions[question_count], sizeof *questions, 1, stdin) == 1) question_count++;
    if (!question_count) return 2;
    fresh = (uint32_t)getpid() << 16;
    signal(SIGTERM, end);
    open_sheet(argv[4]);
    open_ports();
    come_first();
    int64_t began = clock_now(CLOCK_MONOTONIC), due_until = began, paced = began, stop_at = 0;
    __atomic_store_n(&sheet->begin, began, __ATOMIC_RELEASE);
    for (;;) {
        struct timespec nap = {.tv_nsec = NAP};
        nanosleep(&nap, NULL);
        int64_t now = clock_now(CLOCK_MONOTONIC);
        if (now - due_until > sheet->held_up) sheet->held_up = now - due_until;
        if (now - due_until > HELD) paced += now - due_until;
        due_until = now;
        if (ending && !stop_at) stop_at = now;
        while (!stop_at && asked < (now - paced) * rate / 1e9) {
            int over_tcp = (tcp_due += tcp_share) >= 1;
            tcp_due -= over_tcp;
            if (!over_tcp || !ask_tcp()) ask_udp();
            asked++;
        }
        read_all();
        if (stop_at && (!open_questions || now - stop_at > PATIENCE)) break;
    }
    for (int i = 0; i < PORTS; i++)
        for (int id = 0; id < IDS; id++)
            if (waiting[i][id].at) given_up(&waiting[i][id]);
    for (int i = 0; i < CONNECTIONS; i++)
        if (connections[i].who.at) given_up(&connections[i].who);
    return 0;
}
