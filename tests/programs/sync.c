// A thread that waits in a primitive of pthread that stores no owner, or in a
// reader-writer lock. usage: sync KIND; prints: main tid, waiter tid, address.
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sem_t semaphore;
static pthread_barrier_t barrier, ready;
static const char *kind;
static int waiter;
static pthread_t main_thread;

static void initialise(void) {
    if (gettid() == getpid()) {
        pthread_barrier_wait(&ready);
        printf("%d %d %p\n", getpid(), waiter, (void *)&once);
        fflush(stdout);
    }
    pause();
}

static void *wait_for_it(void *unused) {
    struct timespec until;
    clock_gettime(strstr(kind, "mono") ? CLOCK_MONOTONIC : CLOCK_REALTIME, &until);
    until.tv_sec += 1000;
    waiter = gettid();
    pthread_barrier_wait(&ready);
    pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&own);
    if (!strcmp(kind, "cond")) pthread_cond_wait(&cond, &own);
    if (!strcmp(kind, "cond_timed")) pthread_cond_timedwait(&cond, &own, &until);
    if (!strcmp(kind, "cond_mono")) pthread_cond_clockwait(&cond, &own, CLOCK_MONOTONIC, &until);
    if (!strcmp(kind, "sem")) sem_wait(&semaphore);
    if (!strcmp(kind, "sem_timed")) sem_timedwait(&semaphore, &until);
    if (!strncmp(kind, "barrier", 7)) pthread_barrier_wait(&barrier);
    if (!strcmp(kind, "once")) {
        usleep(100000);
        pthread_once(&once, initialise);
    }
    if (!strcmp(kind, "join")) pthread_join(main_thread, NULL);
    if (!strcmp(kind, "join_timed")) pthread_timedjoin_np(main_thread, NULL, &until);
    if (strstr(kind, "rdlock_timed")) pthread_rwlock_timedrdlock(&rwlock, &until);
    else if (strstr(kind, "rdlock")) pthread_rwlock_rdlock(&rwlock);
    if (strstr(kind, "wrlock_timed")) pthread_rwlock_timedwrlock(&rwlock, &until);
    else if (strstr(kind, "wrlock")) pthread_rwlock_wrlock(&rwlock);
    return unused;
}

static void *second_writer(void *unused) {
    pthread_rwlock_wrlock(&rwlock);
    return unused;
}

int main(int argc, char **argv) {
    kind = argc > 1 ? argv[1] : "cond";
    main_thread = pthread_self();
    pthread_rwlockattr_t attr;
    pthread_rwlockattr_init(&attr);
    if (strstr(kind, "prefer"))
        pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&rwlock, &attr);
    sem_init(&semaphore, 0, 0);
    pthread_barrier_init(&ready, NULL, 2);
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_t thread, other;
    if (strstr(kind, "written")) pthread_rwlock_wrlock(&rwlock);
    if (strstr(kind, "reading")) pthread_rwlock_rdlock(&rwlock);
    if (strstr(kind, "queued")) {
        pthread_create(&other, NULL, second_writer, NULL);
        usleep(200000);
    }
    pthread_create(&thread, NULL, wait_for_it, NULL);
    if (!strcmp(kind, "once")) pthread_once(&once, initialise);
    pthread_barrier_wait(&ready);
    if (!strcmp(kind, "barrier2")) pthread_barrier_wait(&barrier);
    void *address = &cond;
    if (strstr(kind, "sem")) address = &semaphore;
    if (strstr(kind, "barrier")) address = &barrier;
    if (strstr(kind, "lock")) address = &rwlock;
    printf("%d %d %p\n", getpid(), waiter, address);
    fflush(stdout);
    pause();
}
