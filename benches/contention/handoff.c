/* Two threads that hand over to each other, or that take a lock which is mostly
 * free. handoff hand|free WORK any|one: WORK is so many turns of a loop in each round;
 * with "one" both threads are on the first CPU. For each line that it reads it tells its rounds, its blocks and the time. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static int turn, hand;
static long work;
static atomic_long rounds;

static void *run(void *mine) {
    for (;;) {
        pthread_mutex_lock(&lock);
        if (hand) {
            while (turn != (int)(long)mine)
                pthread_cond_wait(&turned, &lock);
            turn = 1 - turn;
            pthread_cond_signal(&turned);
        }
        pthread_mutex_unlock(&lock);
        for (volatile long n = 0; n < work; n++)
            ;
        atomic_fetch_add(&rounds, 1);
    }
    return mine;
}

int main(int count, char **words) {
    if (count < 4)
        return 2;
    if (!strcmp(words[3], "one")) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(0, &one);
        sched_setaffinity(0, sizeof one, &one);
    }
    hand = !strcmp(words[1], "hand");
    work = atol(words[2]);
    pthread_t threads[2];
    for (long n = 0; n < 2; n++)
        pthread_create(&threads[n], 0, run, (void *)n);
    char line[16];
    while (fgets(line, sizeof line, stdin)) {
        struct rusage used;
        struct timespec now;
        getrusage(RUSAGE_SELF, &used);
        clock_gettime(CLOCK_MONOTONIC, &now);
        printf("%ld %ld %lld\n", (long)rounds, used.ru_nvcsw, now.tv_sec * 1000000000LL + now.tv_nsec);
        fflush(stdout);
    }
    return 0;
}
