// One thread holds a mutex and joins another, which wants it. The first thread of the
// process sleeps; it may cancel the one that joins, whose clean-up lets go of the mutex,
// where the program is built with -DCANCELS.
// prints: the thread that joins, the thread that wants the mutex.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t locked;
static pthread_t waiter;
static int joins;

static void release(void *nothing) {
    (void)nothing;
    pthread_mutex_unlock(&mutex);
}

static void *want(void *nothing) {
    pthread_barrier_wait(&locked);
    printf("%d %d\n", joins, gettid());
    fflush(stdout);
    pthread_mutex_lock(&mutex);
    return nothing;
}

static void *join(void *nothing) {
    joins = gettid();
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push(release, NULL);
    pthread_barrier_wait(&locked);
    pthread_join(waiter, NULL);
    pthread_cleanup_pop(1);
    return nothing;
}

int main(void) {
    pthread_t joiner;
    pthread_barrier_init(&locked, NULL, 2);
    pthread_create(&waiter, NULL, want, NULL);
    pthread_create(&joiner, NULL, join, NULL);
    sleep(10000);
#ifdef CANCELS
    pthread_cancel(joiner);
#endif
    pause();
}
