// A mutex that a thread holds while another forks: in the child nobody lives
// who could let it go. Or (argument "exit", "inherit" for one that passes priority
// on) whose holder ends.
// prints: process, thread, address.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t held;
static int ends;

static void *hold(void *unused) {
    pthread_mutex_lock(&mutex);
    pthread_barrier_wait(&held);
    if (!ends) pause();
    return unused;
}

int main(int argc, char **argv) {
    int inherits = argc > 1 && !strcmp(argv[1], "inherit");
    ends = inherits || (argc > 1 && !strcmp(argv[1], "exit"));
    if (inherits) {
        pthread_mutexattr_t attr;
        pthread_mutexattr_init(&attr);
        pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
        pthread_mutex_init(&mutex, &attr);
    }
    pthread_barrier_init(&held, NULL, 2);
    pthread_t thread;
    pthread_create(&thread, NULL, hold, NULL);
    pthread_barrier_wait(&held);
    if (ends) pthread_join(thread, NULL);
    if (ends || fork() == 0) {
        printf("%d %d %p\n", getpid(), gettid(), (void *)&mutex);
        fflush(stdout);
        pthread_mutex_lock(&mutex);
    }
    pause();
}
