// A thread sleeps, and lets go of an rwlock once it is woken, or not: it does not hold it, and
// what it did last is still in memory, or what it does first is done by a function that it
// hands on. Another thread holds the rwlock for reading and never lets go of it; one more
// holds the mutex that the sleeper may wait for, and wants to write.
// usage: woken command|buffer|stream|once|sort|coroutine; prints: tid of the writer, tid of
// the reader.
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

enum { NOTHING, TAKE, LET_GO };

static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t commands = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t first = PTHREAD_ONCE_INIT;
static sem_t done, told;
static ucontext_t sleeper_at, coroutine;
static char stack[1 << 16];
static int ends[2], command, reader;
static volatile int ordered;

static void act(int what) {
    if (what == TAKE) pthread_rwlock_rdlock(&table);
    if (what == LET_GO) pthread_rwlock_unlock(&table);
}

static void take(void) { act(TAKE); }

static int compare(const void *one, const void *other) {
    if (!ordered++) take();
    return *(const int *)one - *(const int *)other;
}

static void body(void) {
    take();
    swapcontext(&coroutine, &sleeper_at);
}

// As shared memory says, behind a mutex.
static void *by_command(void *unused) {
    for (;;) {
        sem_wait(&told);
        pthread_mutex_lock(&commands);
        int what = command;
        pthread_mutex_unlock(&commands);
        act(what);
        sem_post(&done);
    }
    return unused;
}

// As what it reads says.
static void *by_buffer(void *unused) {
    char byte = 0;
    for (;;) {
        (void)!read(ends[0], &byte, 1);
        act(byte);
        if (sem_post(&done)) return unused;
    }
}

static void *by_stream(void *unused) {
    FILE *stream = fdopen(ends[0], "r");
    char line[64] = "";
    for (;;) {
        (void)!fgets(line, sizeof line, stream);
        act(line[0] - '0');
        if (sem_post(&done)) return unused;
    }
}

static void *by_callback(void *kind) {
    int numbers[] = {3, 1, 2, 0};
    if (!strcmp(kind, "coroutine")) {
        getcontext(&coroutine);
        coroutine.uc_stack.ss_sp = stack;
        coroutine.uc_stack.ss_size = sizeof stack;
        coroutine.uc_link = &sleeper_at;
        makecontext(&coroutine, body, 0);
    }
    pthread_mutex_lock(&commands);
    if (!strcmp(kind, "once")) pthread_once(&first, take);
    if (!strcmp(kind, "sort")) qsort(numbers, 4, sizeof *numbers, compare);
    if (!strcmp(kind, "coroutine")) swapcontext(&sleeper_at, &coroutine);
    ordered += numbers[0];
    pthread_rwlock_unlock(&table);
    pthread_mutex_unlock(&commands);
    return kind;
}

static void *reads(void *unused) {
    reader = gettid();
    take();
    sem_post(&done);
    for (;;) sleep(1000);
    return unused;
}

static void tell(const char *kind, int what) {
    char line[2] = {'0' + what, '\n'}, byte = what;
    command = what;
    sem_post(&told);
    (void)!write(ends[1], strcmp(kind, "stream") ? &byte : line, strcmp(kind, "stream") ? 1 : 2);
    sem_wait(&done);
}

int main(int count, char **words) {
    const char *kind = count > 1 ? words[1] : "command";
    pthread_t sleeper, other;
    sem_init(&done, 0, 0);
    sem_init(&told, 0, 0);
    (void)!pipe(ends);
    int by = !strcmp(kind, "command") ? 1 : !strcmp(kind, "buffer") ? 2 : !strcmp(kind, "stream") ? 3 : 0;
    if (by) {
        pthread_create(&sleeper, NULL, by == 1 ? by_command : by == 2 ? by_buffer : by_stream, NULL);
        tell(kind, TAKE);
        tell(kind, LET_GO);
    }
    pthread_mutex_lock(&commands);
    pthread_create(&other, NULL, reads, NULL);
    sem_wait(&done);
    if (by == 1) sem_post(&told);
    if (!by) pthread_create(&sleeper, NULL, by_callback, (void *)kind);
    printf("%d %d\n", gettid(), reader);
    fflush(stdout);
    pthread_rwlock_wrlock(&table);
}
