/*
 * Starts a program that comes before others on its core, where we may ask for that: real-time priority, round robin.
 *
 * Used where latencies are measured. Without it a program that happens to run when a packet comes keeps the core until
 * the next tick of the clock, up to 4 ms later, and that would be the 99th percentile. The same for every server; on
 * a quiet machine it makes no difference. Usage: first PROGRAM ARGUMENTS
 */
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct sched_param lowest = {.sched_priority = 1};
    if (argc < 2) {
        fprintf(stderr, "usage: first PROGRAM ARGUMENTS\n");
        return 2;
    }
    sched_setscheduler(0, SCHED_RR, &lowest);
    execvp(argv[1], argv + 1);
    perror(argv[1]);
    return 127;
}
