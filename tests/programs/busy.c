// Threads that pass one mutex around as fast as they can, and begin and end
// meanwhile. prints: process.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *pass(void *unused) {
    for (;;) {
        pthread_mutex_lock(&mutex);
        for (volatile int i = 0; i < 2000; i++) {}
        pthread_mutex_unlock(&mutex);
    }
    return unused;
}

static void *once(void *unused) {
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    return unused;
}

int main(void) {
    pthread_t thread;
    for (int i = 0; i < 6; i++) pthread_create(&thread, NULL, pass, NULL);
    printf("%d\n", getpid());
    fflush(stdout);
    for (;;) {
        pthread_create(&thread, NULL, once, NULL);
        pthread_join(thread, NULL);
    }
}
