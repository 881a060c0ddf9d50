// Threads in a ring of mutexes, each waiting for the next one's: `ring THREADS`.
// Says "ready" when all are about to block; its main thread waits for the end of
// the first, and so reads nothing that would have to be followed beyond the process.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

static pthread_mutex_t *mutexes;
static pthread_barrier_t all;
static long count;

static void *holds_and_wants(void *number) {
    long own = (long)number;
    pthread_mutex_lock(&mutexes[own]);
    pthread_barrier_wait(&all);
    pthread_mutex_lock(&mutexes[(own + 1) % count]);
    return NULL;
}

int main(int argc, char **argv) {
    count = argc > 1 ? atol(argv[1]) : 1000;
    mutexes = calloc(count, sizeof *mutexes);
    pthread_barrier_init(&all, NULL, count + 1);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 << 10);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pthread_t first = 0;
    for (long i = 0; i < count; i++) {
        pthread_t thread;
        pthread_mutex_init(&mutexes[i], NULL);
        if (pthread_create(&thread, &small, holds_and_wants, (void *)i)) return perror("pthread_create"), 1;
        if (i == 0) first = thread;
    }
    pthread_barrier_wait(&all);
    puts("ready");
    fflush(stdout);
    return pthread_join(first, NULL);
}
