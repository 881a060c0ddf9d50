// A reader of an rwlock that waits for a mutex or sleeps in a call, a writer that waits for
// the reader, and one that sleeps in the same call and reads only then.
// usage: readers mutex|read|sleep|poll; prints: tid of the writer, tid of the reader.
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t ready;
static const char *kind;
static int reader, writer, ends[2];

__attribute__((noinline)) static int receive(void) {
    char byte;
    return read(ends[0], &byte, 1);
}

static int sleeps(void) {
    if (!strcmp(kind, "read")) return receive();
    if (!strcmp(kind, "sleep")) return sleep(1000);
    if (!strcmp(kind, "poll")) return poll(NULL, 0, 1000000);
    pthread_mutex_lock(&busy);
    return pthread_mutex_unlock(&busy);
}

static void *reads(void *unused) {
    reader = gettid();
    pthread_rwlock_rdlock(&table);
    pthread_barrier_wait(&ready);
    int result = sleeps();
    pthread_rwlock_unlock(&table);
    return (void *)(long)result;
}

static void *reads_then(void *unused) {
    pthread_barrier_wait(&ready);
    int result = sleeps();
    pthread_rwlock_rdlock(&table);
    pthread_rwlock_unlock(&table);
    return (void *)(long)result;
}

static void *writes(void *unused) {
    writer = gettid();
    pthread_barrier_wait(&ready);
    pthread_rwlock_wrlock(&table);
    pthread_rwlock_unlock(&table);
    return unused;
}

int main(int argc, char **argv) {
    kind = argc > 1 ? argv[1] : "mutex";
    void *(*const bodies[])(void *) = {reads, reads_then, writes};
    pthread_t thread;
    if (pipe(ends)) return 1;
    pthread_mutex_lock(&busy);
    pthread_barrier_init(&ready, 0, 4);
    for (int at = 0; at < 3; at++) pthread_create(&thread, 0, bodies[at], 0);
    pthread_barrier_wait(&ready);
    printf("%d %d\n", writer, reader);
    fflush(stdout);
    for (;;)
        pause();
}
