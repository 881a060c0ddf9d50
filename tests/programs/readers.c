// A reader of an rwlock that waits for a mutex, and a writer that waits for the
// reader. prints: tid of the reader, tid of the writer.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t ready;
static int reader, writer;

static void *reads(void *unused) {
    reader = gettid();
    pthread_rwlock_rdlock(&table);
    pthread_barrier_wait(&ready);
    pthread_mutex_lock(&busy);
    pthread_mutex_unlock(&busy);
    pthread_rwlock_unlock(&table);
    return unused;
}

static void *writes(void *unused) {
    writer = gettid();
    pthread_barrier_wait(&ready);
    pthread_rwlock_wrlock(&table);
    pthread_rwlock_unlock(&table);
    return unused;
}

int main(void) {
    pthread_t one, other;
    pthread_mutex_lock(&busy);
    pthread_barrier_init(&ready, 0, 3);
    pthread_create(&one, 0, reads, 0);
    pthread_create(&other, 0, writes, 0);
    pthread_barrier_wait(&ready);
    printf("%d %d\n", reader, writer);
    fflush(stdout);
    for (;;)
        pause();
}
