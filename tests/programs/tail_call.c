// A thread that has come into the C library by a jump: the last call of a function.
// usage: tail_call KIND; prints: main tid, waiter tid, address.
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct object {
    int others[10];
    pthread_rwlock_t rwlock, other;
    pthread_mutex_t first, second;
    sem_t semaphore;
} object;
static const char *kind;
static int waiter;

__attribute__((noinline)) static int write_lock(struct object *o) { return pthread_rwlock_wrlock(&o->rwlock); }
__attribute__((noinline)) static int lock_first(struct object *o) { return pthread_mutex_lock(&o->first); }
__attribute__((noinline)) static int lock_second(struct object *o) { return pthread_mutex_lock(&o->second); }
// Its first call is not the one that it is in.
__attribute__((noinline)) static int both(struct object *o) {
    pthread_rwlock_wrlock(&o->other);
    return sem_wait(&o->semaphore);
}

static void *wait_for_it(void *unused) {
    waiter = gettid();
    if (!strcmp(kind, "rwlock")) write_lock(&object);
    if (!strcmp(kind, "semaphore")) both(&object);
    if (!strcmp(kind, "refused")) {
        lock_second(&object);
        usleep(200000);
        lock_first(&object);
    }
    return unused;
}

int main(int count, char **arguments) {
    pthread_t thread;
    pthread_mutexattr_t attributes;
    kind = count > 1 ? arguments[1] : "";
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&object.first, &attributes);
    pthread_mutex_init(&object.second, &attributes);
    pthread_rwlock_init(&object.rwlock, NULL);
    pthread_rwlock_init(&object.other, NULL);
    sem_init(&object.semaphore, 0, 0);
    pthread_rwlock_wrlock(&object.rwlock);
    lock_first(&object);
    pthread_create(&thread, NULL, wait_for_it, NULL);
    usleep(100000);
    void *address = !strcmp(kind, "refused") ? (void *)&object.first : (void *)&object.rwlock;
    printf("%d %d %p\n", gettid(), waiter, address);
    fflush(stdout);
    if (!strcmp(kind, "refused")) lock_second(&object);
    pause();
}
