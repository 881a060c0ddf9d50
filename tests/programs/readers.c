// A reader of an rwlock that waits for a mutex or sleeps in a call, a writer that waits for
// the reader, and one that sleeps in the same call and reads only then; or a child that
// reads, and its parent that writes, in shared memory.
// usage: readers mutex|read|sleep|poll|shared; prints: tid of the writer, tid of the reader.
// Or one that reads twice, while a writer waits that is let go first, for ever or for a time.
// usage: readers twice|twice_for_a_time; prints: tid of the reader, tid of the writer.
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_rwlock_t first_come = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
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

static int shared(void) {
    int held[2];
    if (pipe(held)) return 1;
    pthread_rwlock_t *lock = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_rwlockattr_t attr;
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(lock, &attr);
    pid_t child = fork();
    if (!child) {
        // Elsewhere than in the parent: the address must not matter.
        lock = mremap(lock, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)0x600000000000);
        pthread_rwlock_rdlock(lock);
        if (write(held[1], "x", 1) != 1) return 1;
        pause();
        pthread_rwlock_unlock(lock);
        return 0;
    }
    char byte;
    if (read(held[0], &byte, 1) != 1) return 1;
    printf("%d %d\n", getpid(), child);
    fflush(stdout);
    return pthread_rwlock_wrlock(lock);
}

static void *writes_first(void *unused) {
    struct timespec later;
    clock_gettime(CLOCK_REALTIME, &later);
    later.tv_sec += 1000;
    writer = gettid();
    pthread_barrier_wait(&ready);
    int result = strcmp(kind, "twice") ? pthread_rwlock_timedwrlock(&first_come, &later)
                                       : pthread_rwlock_wrlock(&first_come);
    pthread_rwlock_unlock(&first_come);
    return (void *)(long)result;
}

static int twice(void) {
    pthread_t thread;
    pthread_barrier_init(&ready, 0, 2);
    pthread_rwlock_rdlock(&first_come);
    pthread_create(&thread, 0, writes_first, 0);
    pthread_barrier_wait(&ready);
    // Once the writer waits, nobody else may read.
    while (!pthread_rwlock_tryrdlock(&first_come)) pthread_rwlock_unlock(&first_come);
    printf("%d %d\n", gettid(), writer);
    fflush(stdout);
    int result = pthread_rwlock_rdlock(&first_come);
    result |= pthread_rwlock_unlock(&first_come);
    return result | pthread_rwlock_unlock(&first_come);
}

int main(int argc, char **argv) {
    kind = argc > 1 ? argv[1] : "mutex";
    if (!strcmp(kind, "shared")) return shared();
    if (!strncmp(kind, "twice", 5)) return twice();
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
