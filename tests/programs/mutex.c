// A thread that holds a mutex and a thread that waits for it.
// usage: mutex KIND [timed]; prints: main tid, waiter tid, address.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t *mutex;
pthread_mutex_t accounts;
static int timed;
static pthread_barrier_t ready;
static int waiter;

static void take(void) {
    struct timespec until;
    if (timed == 1) {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 1000;
        pthread_mutex_timedlock(mutex, &until);
    } else if (timed == 2) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += 1000;
        pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until);
    } else if (pthread_mutex_lock(mutex)) {
        // Whoever jumps there instead of calling cannot be told from others.
        abort();
    }
}

static void *wait_for_it(void *unused) {
    waiter = gettid();
    pthread_barrier_wait(&ready);
    take();
    return unused;
}

int main(int argc, char **argv) {
    const char *kind = argc > 1 ? argv[1] : "normal";
    timed = argc > 2 ? atoi(argv[2]) : 0;
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    mutex = &accounts;
    if (!strcmp(kind, "recursive")) pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    if (!strcmp(kind, "errorcheck")) pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
    if (!strcmp(kind, "adaptive")) pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
    if (strstr(kind, "normal") && strcmp(kind, "normal")) pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_NORMAL);
    if (strstr(kind, "robust")) pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    if (strstr(kind, "pi")) pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(mutex, &attr);
    pthread_barrier_init(&ready, NULL, 2);
    pthread_mutex_lock(mutex);
    if (!strcmp(kind, "recursive")) pthread_mutex_lock(mutex);
    pthread_t thread;
    pthread_create(&thread, NULL, wait_for_it, NULL);
    pthread_barrier_wait(&ready);
    printf("%d %d %p\n", getpid(), waiter, (void *)mutex);
    fflush(stdout);
    if (strstr(kind, "self")) take();
    pause();
}
