// Many threads in one deadlock. usage: crowd storm|ring COUNT
//   storm: all wait for a mutex that the main thread holds, which waits for a signal that only
//          they could send
//   ring:  each holds a mutex and waits for the next one's
// Prints "ready" once all have begun to wait.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 2000 };
static pthread_mutex_t locks[MOST];
static pthread_barrier_t all;
static int count, ring;

static void *wait_for_another(void *own) {
    long number = (long)own;
    if (ring) pthread_mutex_lock(&locks[number]);
    pthread_barrier_wait(&all);
    pthread_mutex_lock(&locks[ring ? (number + 1) % count : 0]);
    return own;
}

int main(int argc, char **argv) {
    pthread_attr_t small;
    if (argc < 3) return 1;
    ring = !strcmp(argv[1], "ring");
    count = atoi(argv[2]);
    if (count < 1 || count > MOST) return 1;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 << 10);
    pthread_barrier_init(&all, NULL, count + 1);
    for (int i = 0; i < count; i++) pthread_mutex_init(&locks[i], NULL);
    if (!ring) pthread_mutex_lock(&locks[0]);
    for (long i = 0; i < count; i++) {
        pthread_t id;
        if (pthread_create(&id, &small, wait_for_another, (void *)i)) return 1;
    }
    pthread_barrier_wait(&all);
    printf("ready\n");
    fflush(stdout);
    for (;;) pause();
}
