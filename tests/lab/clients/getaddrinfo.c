/* What a C program gets from getaddrinfo: built once against glibc and once, statically, against musl.
 *
 *   getaddrinfo NAME   prints one line "A address" or "AAAA address" per address, "A none" where the name or the type does not
 *                      exist, "A again" where the resolver says to try later, "A failed CODE" otherwise. Exit status 0.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void print_addresses(const char *label, int family, const char *name)
{
    struct addrinfo hints, *list = NULL;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;
    int code = getaddrinfo(name, NULL, &hints, &list);
    if (code == EAI_NONAME || code == EAI_NODATA) {
        printf("%s none\n", label);
        return;
    }
    if (code != 0) {
        if (code == EAI_AGAIN)
            printf("%s again\n", label);
        else
            printf("%s failed %d\n", label, code);
        return;
    }
    for (struct addrinfo *item = list; item; item = item->ai_next) {
        char text[INET6_ADDRSTRLEN];
        const void *address = family == AF_INET ? (const void *)&((struct sockaddr_in *)item->ai_addr)->sin_addr
                                                : (const void *)&((struct sockaddr_in6 *)item->ai_addr)->sin6_addr;
        printf("%s %s\n", label, inet_ntop(family, address, text, sizeof text));
    }
    freeaddrinfo(list);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    print_addresses("A", AF_INET, argv[1]);
    print_addresses("AAAA", AF_INET6, argv[1]);
    return 0;
}
