/*
 * The floor: what receiving and sending cost when nothing is done between the two.
 *
 * Takes up to 64 packets with one call, sets the QR bit in each and sends them back with one call. No DNS server that goes
 * through the kernel's sockets can answer with less. Usage: echo PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { BATCH = 64, PACKET_BYTES = 4096 };

static unsigned char packets[BATCH][PACKET_BYTES];
static struct sockaddr_storage peers[BATCH];
static struct iovec vectors[BATCH];
static struct mmsghdr messages[BATCH];

static int bound_socket(int port) {
    int sock = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (sock < 0 || bind(sock, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("bind");
        exit(1);
    }
    return sock;
}

static void ready_to_receive(int index) {
    vectors[index].iov_len = PACKET_BYTES;
    messages[index].msg_hdr.msg_namelen = sizeof peers[index];
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: echo PORT\n");
        return 2;
    }
    int sock = bound_socket(atoi(argv[1]));
    for (int i = 0; i < BATCH; i++) {
        vectors[i].iov_base = packets[i];
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        messages[i].msg_hdr.msg_name = &peers[i];
        ready_to_receive(i);
    }
    for (;;) {
        int count = recvmmsg(sock, messages, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < count; i++) {
            packets[i][2] |= 0x80;
            vectors[i].iov_len = messages[i].msg_len;
        }
        for (int sent = 0; sent < count;) {
            int now = sendmmsg(sock, messages + sent, count - sent, 0);
            sent += now > 0 ? now : 1; /* a packet that the kernel refuses is lost, the load generator counts it */
        }
        for (int i = 0; i < count; i++) ready_to_receive(i);
    }
}
