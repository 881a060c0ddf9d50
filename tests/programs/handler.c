// A signal handler that locks what the code that it interrupts holds.
// usage: handler raise|timer|stack|pause   the signal comes in a call, between any two
// instructions, is handled on a stack of its own, or by a function of the C library
// that sleeps
// Prints its id, and the lines where the handler locks and where work is done.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static volatile int rounds;
enum { LOCKS = __LINE__ + 3, WORKS = LOCKS + 8 };

static void on_signal(int number) {
    pthread_mutex_lock(&held);
    rounds = number;
    pthread_mutex_unlock(&held);
}

static __attribute__((noinline)) void work(int raises) {
    pthread_mutex_lock(&held);
    if (raises) raise(SIGALRM);
    for (;;) rounds++;
}

int main(int count, char **words) {
    if (count < 2) return 2;
    struct sigaction action = {.sa_handler = on_signal};
    if (!strcmp(words[1], "pause")) action.sa_handler = (void (*)(int))pause;
    if (!strcmp(words[1], "stack")) {
        stack_t other = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
        sigaltstack(&other, NULL);
        action.sa_flags = SA_ONSTACK;
    }
    sigaction(SIGALRM, &action, NULL);
    printf("%d %d %d\n", gettid(), LOCKS, WORKS);
    fflush(stdout);
    struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    if (strcmp(words[1], "raise")) setitimer(ITIMER_REAL, &soon, NULL);
    work(!strcmp(words[1], "raise"));
}
