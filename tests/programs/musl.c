// A thread that waits in a primitive of musl.
// usage: musl KIND; prints: main tid, waiter tid, address (0 where it is not
// declared).
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FUTEX_WAIT_PRIVATE 128

static pthread_mutex_t own_mutex, *mutex = &own_mutex;
static pthread_cond_t cond;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sem_t semaphore;
static pthread_barrier_t barrier, ready;
static const char *kind;
static int waiter;
static pthread_t main_thread;
static FILE *stream;
// What a recursive mutex held by the main thread would hold.
static int words[10] __attribute__((aligned(64)));
// Something like the descriptor of the main thread, alone in a ring.
static struct descriptor {
    struct descriptor *itself;
    void *own;
    struct descriptor *before, *next;
    void *more[2];
    int id, error, state;
} descriptor;

static int is(const char *what) { return !strcmp(kind, what); }

static void say(void *address) {
    printf("%d %d %p\n", getpid(), waiter, address);
    fflush(stdout);
}

static void initialise(void) {
    if (gettid() == getpid()) {
        pthread_barrier_wait(&ready);
        say(&once);
    }
    pause();
}

static void wait_inline(int value) {
    register long r10 __asm__("r10") = 0;
    long result;
    __asm__ volatile("syscall" : "=a"(result)
                     : "a"(SYS_futex), "D"(words + 1), "S"(FUTEX_WAIT_PRIVATE), "d"(value), "r"(r10)
                     : "rcx", "r11", "memory");
}

// A lock of its own with the fields of a mutex, taken in another way.
static void own_lock(void) {
    while (__sync_val_compare_and_swap(words + 1, 0, 1)) {
        __sync_fetch_and_add(words + 2, 1);
        wait_inline(words[1]);
        __sync_fetch_and_sub(words + 2, 1);
    }
}

// A join of its own: until the other says that it has ended.
static void own_join(void) {
    register long r10 __asm__("r10") = 0;
    long result;
    while (*(volatile int *)&descriptor.state == 2) {
        __asm__ volatile("syscall" : "=a"(result)
                         : "a"(SYS_futex), "D"(&descriptor.state), "S"(FUTEX_WAIT_PRIVATE), "d"(2), "r"(r10)
                         : "rcx", "r11", "memory");
    }
}

static void *wait_for_it(void *unused) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1000;
    waiter = gettid();
    pthread_barrier_wait(&ready);
    pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&own);
    if (is("cond") || is("cond_shared")) pthread_cond_wait(&cond, &own);
    else if (is("cond_timed")) pthread_cond_timedwait(&cond, &own, &until);
    else if (is("sem") || is("sem_shared")) sem_wait(&semaphore);
    else if (is("sem_timed")) sem_timedwait(&semaphore, &until);
    else if (is("barrier")) pthread_barrier_wait(&barrier);
    else if (is("join")) pthread_join(main_thread, NULL);
    else if (is("join_timed")) pthread_timedjoin_np(main_thread, NULL, &until);
    else if (is("once")) {
        usleep(100000);
        pthread_once(&once, initialise);
    }
    else if (strstr(kind, "rdlock_timed")) pthread_rwlock_timedrdlock(&rwlock, &until);
    else if (strstr(kind, "rdlock")) pthread_rwlock_rdlock(&rwlock);
    else if (strstr(kind, "wrlock")) pthread_rwlock_wrlock(&rwlock);
    else if (strstr(kind, "refused")) {
        pthread_mutex_lock(mutex);
        if (strstr(kind, "timed")) pthread_mutex_timedlock(mutex, &until);
        else pthread_mutex_lock(mutex);
    }
    else if (is("by_syscall")) syscall(SYS_futex, words + 1, FUTEX_WAIT_PRIVATE, words[1], NULL, NULL, 0);
    else if (is("by_hand")) wait_inline(words[1]);
    else if (is("own_lock")) own_lock();
    else if (is("own_join")) own_join();
    else if (is("stderr")) fputs("x", stderr);
    else if (is("stdin")) getchar();
    else if (is("stream")) putc('x', stream);
    else if (strstr(kind, "timed")) pthread_mutex_timedlock(mutex, &until);
    else pthread_mutex_lock(mutex);
    return unused;
}

static void *lock_and_end(void *unused) {
    pthread_mutex_lock(mutex);
    return unused;
}

int main(int argc, char **argv) {
    kind = argc > 1 ? argv[1] : "normal";
    main_thread = pthread_self();
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    if (strstr(kind, "recursive")) pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    if (strstr(kind, "errorcheck")) pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
    if (strstr(kind, "robust")) pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    if (strstr(kind, "shared")) {
        pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
        mutex = mmap(NULL, sizeof *mutex, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    }
    if (strstr(kind, "inherit")) pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(mutex, &attr);
    pthread_condattr_t cond_attr;
    pthread_condattr_init(&cond_attr);
    if (is("cond_shared")) pthread_condattr_setpshared(&cond_attr, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&cond, &cond_attr);
    sem_init(&semaphore, is("sem_shared"), 0);
    pthread_barrier_init(&ready, NULL, 2);
    pthread_barrier_init(&barrier, NULL, 3);
    words[0] = 1;
    words[1] = getpid() | 0x80000000;
    words[2] = 1;
    descriptor = (struct descriptor){&descriptor, NULL, &descriptor, &descriptor, {NULL, NULL}, getpid(), 0, 2};
    stream = fopen("/dev/null", "r+");
    pthread_t thread, other;
    if (strstr(kind, "written")) pthread_rwlock_wrlock(&rwlock);
    if (strstr(kind, "reading")) pthread_rwlock_rdlock(&rwlock);
    if (strstr(kind, "ended")) {
        pthread_create(&other, NULL, lock_and_end, NULL);
        pthread_join(other, NULL);
    } else if (!strstr(kind, "refused")) {
        pthread_mutex_lock(mutex);
    }
    if (is("stderr")) flockfile(stderr);
    if (is("stdin")) flockfile(stdin);
    if (is("stream")) flockfile(stream);
    // Held twice by the thread that holds it.
    if (is("recursive")) pthread_mutex_lock(mutex);
    pthread_create(&thread, NULL, wait_for_it, NULL);
    if (is("once")) pthread_once(&once, initialise);
    pthread_barrier_wait(&ready);
    void *address = mutex;
    if (strstr(kind, "cond")) address = &cond;
    if (strstr(kind, "barrier")) address = &barrier;
    if (strstr(kind, "join")) address = NULL;
    if (strstr(kind, "sem")) address = &semaphore;
    if (is("stderr")) address = (char *)stderr + 140;
    if (is("stdin")) address = (char *)stdin + 140;
    if (is("stream")) address = (char *)stream + 140;
    if (strstr(kind, "wrlock") || strstr(kind, "rdlock")) address = &rwlock;
    say(address);
    // One of the two is the first, one the second.
    if (is("barrier")) pthread_barrier_wait(&barrier);
    pause();
}
