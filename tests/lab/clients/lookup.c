/* What most programs do with a name: one getaddrinfo for both address families. Built against glibc and against musl.
 *
 *   lookup NAME   prints the addresses, sorted out by nobody, or "none". Exit status 0.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
    struct addrinfo hints, *list = NULL;
    if (argc != 2)
        return 2;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(argv[1], NULL, &hints, &list) != 0) {
        puts("none");
        return 0;
    }
    for (struct addrinfo *item = list; item; item = item->ai_next) {
        char text[INET6_ADDRSTRLEN];
        const void *address = item->ai_family == AF_INET ? (const void *)&((struct sockaddr_in *)item->ai_addr)->sin_addr
                                                         : (const void *)&((struct sockaddr_in6 *)item->ai_addr)->sin6_addr;
        puts(inet_ntop(item->ai_family, address, text, sizeof text));
    }
    freeaddrinfo(list);
    return 0;
}
