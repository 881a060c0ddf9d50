// A reader of an rwlock that waits for a mutex, and a writer that waits for the
// reader. prints: tid of the reader, tid of the writer.
// usage: readers [shared]; by `shared` the reader is a child, in shared memory.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
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
    printf("%d %d\n", child, getpid());
    fflush(stdout);
    return pthread_rwlock_wrlock(lock);
}

int main(int count, char **words) {
    if (count > 1) return shared();
    (void)words;
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
