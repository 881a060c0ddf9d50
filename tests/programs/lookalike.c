// Waits that have the bytes of a mutex and are none.
// usage: lookalike KIND; prints: main tid, waiter tid, address.
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// What a mutex held by the main thread would hold, and the list behind it.
static unsigned words[10] __attribute__((aligned(64)));
// What a condition variable or a reader-writer lock of glibc would hold.
static unsigned more[16] __attribute__((aligned(64)));
static FILE *file;
static pthread_barrier_t barrier, ready;
static const char *kind;
static int waiter;

static void *wait_for_it(void *unused) {
    waiter = gettid();
    pthread_barrier_wait(&ready);
    if (!strcmp(kind, "futex")) syscall(SYS_futex, words, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
    if (!strcmp(kind, "bitset")) syscall(SYS_futex, words, FUTEX_WAIT_BITSET_PRIVATE, 2, NULL, NULL, -1);
    if (!strcmp(kind, "shared")) syscall(SYS_futex, words, FUTEX_WAIT, 2, NULL, NULL, 0);
    if (!strcmp(kind, "inline")) {
        register long r10 __asm__("r10") = 0;
        long result;
        __asm__ volatile("syscall" : "=a"(result)
                         : "a"(SYS_futex), "D"(words), "S"(FUTEX_WAIT_PRIVATE), "d"(2), "r"(r10)
                         : "rcx", "r11", "memory");
    }
    if (!strcmp(kind, "own_word")) {
        // As glibc sleeps whose mutex the kernel has refused.
        unsigned zero = 0;
        syscall(SYS_futex, &zero, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, -1);
    }
    static const struct { const char *kind; int at; unsigned value; } others[] = {
        {"cond_bytes", 10, 0}, {"rw_next", 2, 2}, {"rw_read", 2, 3}, {"rw_write", 3, 3},
        {"rw_first", 0, 14}};
    for (int i = 0; i < 5; i++) {
        if (strcmp(kind, others[i].kind)) continue;
        more[0] = i == 2 ? 8 | 3 : 8 | 2;
        more[4] = 2;
        more[9] = 8;
        more[others[i].at] = others[i].value;
        syscall(SYS_futex, &more[others[i].at], FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME | FUTEX_PRIVATE_FLAG,
                others[i].value, NULL, NULL, -1);
    }
    if (!strcmp(kind, "stdio")) flockfile(file);
    if (!strcmp(kind, "barrier")) pthread_barrier_wait(&barrier);
    return unused;
}

int main(int argc, char **argv) {
    kind = argc > 1 ? argv[1] : "futex";
    words[0] = 2;
    words[2] = getpid();
    words[3] = 1;
    file = tmpfile();
    pthread_barrier_init(&ready, NULL, 2);
    pthread_barrier_init(&barrier, NULL, 2);
    // Second round: the first leaves bytes behind that look like a mutex.
    flockfile(file);
    pthread_t thread;
    pthread_create(&thread, NULL, wait_for_it, NULL);
    pthread_barrier_wait(&ready);
    printf("%d %d %p\n", getpid(), waiter, (void *)words);
    fflush(stdout);
    pause();
}
