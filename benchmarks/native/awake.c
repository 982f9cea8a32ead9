/*
 * Keeps the core that it is pinned to from sleeping: works for nothing whenever nobody else wants the core.
 *
 * A core that wakes up for a packet does so when the power management, or the host of a virtual machine, gets to it:
 * tens of microseconds to milliseconds, which would then be counted as the server's latency. Everything else comes
 * before this program at once (SCHED_IDLE). Ends with the program that started it.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

int main(void) {
    struct sched_param none = {0};
    if (sched_setscheduler(0, SCHED_IDLE, &none) < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) < 0) {
        perror("awake");
        return 1;
    }
    for (;;) {
#if defined(__x86_64__)
        __asm__ volatile("pause");
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
    }
}
