// Threads that hold default locks of musl, which do not store their holder, and
// one that waits.
// usage: musl_locks KIND; prints: waiter tid, then the tids of those who hold.
// "abba" and "stream": both wait.
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <threads.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t ready, taken;
static sem_t never;
static mtx_t of_c11;
static const char *kind;
static int holders[4], count;

static int is(const char *what) { return !strcmp(kind, what); }

static void holds(void) {
    holders[__sync_fetch_and_add(&count, 1)] = gettid();
    pthread_barrier_wait(&ready);
}

static void *hold(void *unused) {
    if (is("sleeping")) {
        pthread_mutex_lock(&lock);
        holds();
        pause();
        pthread_mutex_unlock(&lock);
    } else if (is("waiting")) {
        // It waits for another lock, which the main thread holds for ever.
        pthread_mutex_lock(&lock);
        holds();
        pthread_mutex_lock(&other);
        pthread_mutex_unlock(&other);
        pthread_mutex_unlock(&lock);
    } else if (is("semaphore")) {
        pthread_mutex_lock(&lock);
        holds();
        sem_wait(&never);
        pthread_mutex_unlock(&lock);
    } else if (is("c11")) {
        mtx_lock(&of_c11);
        holds();
        pause();
        mtx_unlock(&of_c11);
    } else if (is("writer")) {
        pthread_rwlock_wrlock(&table);
        holds();
        pause();
        pthread_rwlock_unlock(&table);
    } else if (is("readers")) {
        pthread_rwlock_rdlock(&table);
        holds();
        pause();
        pthread_rwlock_unlock(&table);
    } else if (is("abba")) {
        pthread_mutex_lock(&other);
        holds();
        pthread_mutex_lock(&lock);
        pthread_mutex_unlock(&lock);
        pthread_mutex_unlock(&other);
    } else if (is("stream")) {
        // Each wants what the other has: a lock and a stream.
        pthread_mutex_lock(&lock);
        holds();
        fputs("x", stderr);
        pthread_mutex_unlock(&lock);
    } else if (is("forgotten")) {
        // Nobody will ever let go of it: its holder has no code for that.
        pthread_mutex_lock(&lock);
        holds();
        pause();
    }
    return unused;
}

// Who seems to hold it, and does not.
static void *seem(void *unused) {
    if (is("let_go")) {
        pthread_mutex_lock(&lock);
        pthread_mutex_unlock(&lock);
        pthread_barrier_wait(&ready);
        pause();
        pthread_mutex_lock(&lock);
        pthread_mutex_unlock(&lock);
    } else if (is("another")) {
        pthread_mutex_lock(&other);
        pthread_barrier_wait(&ready);
        pause();
        pthread_mutex_unlock(&other);
    } else if (is("condition")) {
        // The condition variable has let go of it, though it lets go once more.
        pthread_mutex_lock(&lock);
        pthread_barrier_wait(&ready);
        pthread_cond_wait(&cond, &lock);
        pthread_mutex_unlock(&lock);
    } else if (is("tried")) {
        pthread_barrier_wait(&ready);
        pause();
        if (!pthread_mutex_trylock(&lock)) pthread_mutex_unlock(&lock);
    }
    return unused;
}

// Takes the lock in such a way that nobody can be found out to hold it.
static void *take_for_ever(void *unused) {
    pthread_mutex_lock(&lock);
    holders[count++] = gettid();
    pthread_barrier_wait(&taken);
    pause();
    return unused;
}

int main(int argc, char **argv) {
    kind = argc > 1 ? argv[1] : "sleeping";
    mtx_init(&of_c11, mtx_plain);
    sem_init(&never, 0, 0);
    pthread_t thread;
    if (is("let_go") || is("another") || is("condition") || is("tried")) {
        pthread_barrier_init(&ready, NULL, 2);
        pthread_create(&thread, NULL, seem, NULL);
        pthread_barrier_wait(&ready);
        pthread_t taker;
        pthread_barrier_init(&taken, NULL, 2);
        pthread_create(&taker, NULL, take_for_ever, NULL);
        pthread_barrier_wait(&taken);
    } else {
        int number = is("readers") ? 2 : 1;
        pthread_barrier_init(&ready, NULL, number + 1);
        if (is("waiting")) pthread_mutex_lock(&other);
        if (is("abba")) pthread_mutex_lock(&lock);
        if (is("stream")) flockfile(stderr);
        for (int index = 0; index < number; index++) pthread_create(&thread, NULL, hold, NULL);
        pthread_barrier_wait(&ready);
    }
    printf("%d", gettid());
    for (int index = 0; index < count; index++) printf(" %d", holders[index]);
    printf("\n");
    fflush(stdout);
    if (is("c11")) {
        mtx_lock(&of_c11);
        mtx_unlock(&of_c11);
    } else if (is("writer")) {
        pthread_rwlock_rdlock(&table);
        pthread_rwlock_unlock(&table);
    } else if (is("readers")) {
        pthread_rwlock_wrlock(&table);
        pthread_rwlock_unlock(&table);
    } else if (is("abba")) {
        pthread_mutex_lock(&other);
        pthread_mutex_unlock(&other);
        pthread_mutex_unlock(&lock);
    } else {
        pthread_mutex_lock(&lock);
        pthread_mutex_unlock(&lock);
    }
}
