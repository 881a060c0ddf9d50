// A thread that has locked a stream, and one that wants to write to it.
// prints: the tids of holder and waiter.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static volatile int waiter;

static void *write_to_it(void *unused) {
    waiter = gettid();
    fputs("x", stderr);
    return unused;
}

int main(void) {
    pthread_t thread;
    flockfile(stderr);
    pthread_create(&thread, NULL, write_to_it, NULL);
    while (!waiter) usleep(1000);
    printf("%d %d\n", getpid(), waiter);
    fflush(stdout);
    pause();
}
