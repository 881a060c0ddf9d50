/* A program whose contention is known beforehand. One thread holds a lock until
 * the other has gone to sleep for it, then lets go: exactly so many waits, by
 * this thread, ended by that one.
 *
 * contended MODE ROUNDS: says where its locks are and who its threads are, waits
 * for a line, does its rounds, tells the truth of them, waits for a line. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

pthread_mutex_t hot_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t cold_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t cond_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t the_cond = PTHREAD_COND_INITIALIZER;

/* What both threads of a pair know. */
struct pair {
    pthread_mutex_t *lock;
    int cond, rounds;
    /* Even: the holder's turn. Odd: the waiter's. */
    atomic_int turn;
    atomic_int waiting_tid, waker_tid;
    atomic_long waited;
    atomic_int ready;
};

static atomic_int *go;

static long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void await(atomic_int *word, int value) {
    while (atomic_load(word) != value)
        sched_yield();
}

/* Whether a thread of this process sleeps in a futex call. */
static int sleeps(int tid) {
    char path[64], text[16] = "";
    snprintf(path, sizeof path, "/proc/%d/syscall", tid);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = 0;
    return strncmp(text, "202 ", 4) == 0;
}

__attribute__((noinline)) static void wait_for_lock(struct pair *p) {
    long begin = now();
    pthread_mutex_lock(p->lock);
    atomic_fetch_add(&p->waited, now() - begin);
    pthread_mutex_unlock(p->lock);
    __asm__ volatile("");
}

__attribute__((noinline)) static void wait_for_cond(struct pair *p) {
    long begin = now();
    pthread_mutex_lock(&cond_lock);
    pthread_cond_wait(&the_cond, &cond_lock);
    pthread_mutex_unlock(&cond_lock);
    atomic_fetch_add(&p->waited, now() - begin);
    __asm__ volatile("");
}

static void *waiter(void *argument) {
    struct pair *p = argument;
    p->waiting_tid = syscall(SYS_gettid);
    atomic_fetch_add(&p->ready, 1);
    await(go, 1);
    for (int i = 0; i < p->rounds; i++) {
        await(&p->turn, 2 * i + 1);
        if (p->cond)
            wait_for_cond(p);
        else
            wait_for_lock(p);
        atomic_store(&p->turn, 2 * i + 2);
    }
    return 0;
}

static void *holder(void *argument) {
    struct pair *p = argument;
    p->waker_tid = syscall(SYS_gettid);
    atomic_fetch_add(&p->ready, 1);
    await(go, 1);
    for (int i = 0; i < p->rounds; i++) {
        await(&p->turn, 2 * i);
        if (!p->cond)
            pthread_mutex_lock(p->lock);
        atomic_store(&p->turn, 2 * i + 1);
        while (!sleeps(p->waiting_tid))
            ;
        usleep(500);
        if (p->cond)
            pthread_cond_signal(&the_cond);
        else
            pthread_mutex_unlock(p->lock);
    }
    await(&p->turn, 2 * p->rounds);
    return 0;
}

static void tell(const char *name, void *address, struct pair *p) {
    printf("%s %p waiter %d waker %d waits %d waited %ld\n", name, address, p->waiting_tid, p->waker_tid, p->rounds,
           p->waited);
}

static void *short_life(void *argument) {
    struct pair *p = argument;
    p->waiting_tid = syscall(SYS_gettid);
    wait_for_lock(p);
    return 0;
}

int main(int count, char **words) {
    if (count < 3)
        return 2;
    const char *mode = words[1];
    int rounds = atoi(words[2]);
    struct pair *pairs = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutex_t *shared = (void *)((char *)pairs + 32768);
    go = (void *)((char *)pairs + 49152);
    pthread_t threads[4];
    char line[16];
    int n = 0;
    pid_t child = 0;
    if (!strcmp(mode, "hot") || !strcmp(mode, "mutex")) {
        pairs[0] = (struct pair){.lock = &hot_lock, .rounds = rounds};
        pairs[1] = (struct pair){.lock = &cold_lock, .rounds = rounds / 10};
        n = strcmp(mode, "hot") ? 1 : 2;
    } else if (!strcmp(mode, "cond")) {
        pairs[0] = (struct pair){.cond = 1, .rounds = rounds};
        n = 1;
    } else if (!strcmp(mode, "shared")) {
        pthread_mutexattr_t how;
        pthread_mutexattr_init(&how);
        pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
        pthread_mutex_init(shared, &how);
        pairs[0] = (struct pair){.lock = shared, .rounds = rounds};
        n = 1;
    }
    for (int i = 0; i < n; i++) {
        pthread_create(&threads[2 * i], 0, waiter, &pairs[i]);
        if (!strcmp(mode, "shared")) {
            child = fork();
            if (child == 0) {
                holder(&pairs[i]);
                _exit(0);
            }
        } else {
            pthread_create(&threads[2 * i + 1], 0, holder, &pairs[i]);
        }
        while (pairs[i].ready < 2)
            usleep(1000);
    }
    printf("ready %d\n", getpid());
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        return 1;
    atomic_store(go, 1);
    if (!strcmp(mode, "never")) {
        /* Locks that are always free, and work: never a block. */
        for (long i = 0, end = now() + rounds * 1000000L; i % 1024 || now() < end; i++) {
            pthread_mutex_lock(&hot_lock);
            pthread_mutex_unlock(&hot_lock);
        }
        printf("hot %p waiter 0 waker 0 waits 0 waited 0\n", (void *)&hot_lock);
    } else if (!strcmp(mode, "churn")) {
        /* Each wait by a thread that did not exist before; in all long enough to be
         * looked at meanwhile: of a process that has gone nobody can read what its
         * locks were. */
        struct pair p = {.lock = &hot_lock, .rounds = rounds, .waker_tid = getpid()};
        for (int i = 0; i < rounds; i++) {
            p.waiting_tid = 0;
            pthread_mutex_lock(&hot_lock);
            pthread_create(&threads[0], 0, short_life, &p);
            while (p.waiting_tid == 0 || !sleeps(p.waiting_tid))
                sched_yield();
            usleep(4000);
            pthread_mutex_unlock(&hot_lock);
            pthread_join(threads[0], 0);
        }
        tell("hot", &hot_lock, &p);
    } else if (!strcmp(mode, "end")) {
        /* Ends in the middle of a wait. */
        pthread_mutex_lock(&hot_lock);
        pthread_create(&threads[0], 0, short_life, &(struct pair){.lock = &hot_lock});
        usleep(rounds * 1000);
        _exit(0);
    }
    for (int i = 0; i < n; i++) {
        pthread_join(threads[2 * i], 0);
        if (!child)
            pthread_join(threads[2 * i + 1], 0);
    }
    if (child)
        waitpid(child, 0, 0);
    const char *names[] = {pairs[0].cond ? "cond" : child ? "shared" : "hot", "cold"};
    for (int i = 0; i < n; i++)
        tell(names[i], pairs[i].cond ? (void *)&the_cond : (void *)pairs[i].lock, &pairs[i]);
    printf("done\n");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        return 1;
    return 0;
}
