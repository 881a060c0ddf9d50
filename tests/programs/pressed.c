// A thread that waits for a mutex, and one that holds it and waits for what nobody in
// particular does.
// usage: pressed KIND; prints the id of the first, then that of the second.
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t both;
static sem_t given, ready;
static const char *kind;
static int second;

static int is(const char *name) { return strcmp(kind, name) == 0; }

static void give(int signal) {
    (void)signal;
    sem_post(&given);
}

static void *hold(void *nothing) {
    second = gettid();
    if (is("reader ended")) pthread_rwlock_rdlock(&table);
    else pthread_mutex_lock(&lock);
    sem_post(&ready);
    if (is("reader ended")) return nothing;
    if (is("barrier")) pthread_barrier_wait(&both);
    else if (is("condition")) {
        pthread_mutex_lock(&other);
        pthread_cond_wait(&changed, &other);
        pthread_mutex_unlock(&other);
    } else if (is("timed")) {
        struct timespec late;
        clock_gettime(CLOCK_REALTIME, &late);
        late.tv_sec += 10000;
        sem_timedwait(&given, &late);
    } else sem_wait(&given);
    pthread_mutex_unlock(&lock);
    return nothing;
}

static void *want(void *nothing) {
    printf("%d %d\n", gettid(), second);
    fflush(stdout);
    if (is("reader ended")) pthread_rwlock_wrlock(&table);
    else if (is("idle")) sem_wait(&given);
    else pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    sem_post(&given);
    return nothing;
}

int main(int count, char **words) {
    kind = count > 1 ? words[1] : "";
    pthread_barrier_init(&both, NULL, 2);
    sem_init(&given, 0, 0);
    sem_init(&ready, 0, 0);
    if (is("handled")) signal(SIGUSR1, give);
    pthread_t one, two;
    pthread_create(&two, NULL, hold, NULL);
    sem_wait(&ready);
    if (is("reader ended")) pthread_join(two, NULL);
    pthread_create(&one, NULL, want, NULL);
    if (is("awake")) sleep(10000);
    if (is("asleep")) pause();
    pthread_join(one, NULL);
    return 0;
}
