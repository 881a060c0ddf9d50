// A thread that holds a mutex which another wants; its next call for a futex is held back by
// a filter whose supervisor is in another process.
// prints: process, thread that holds it, the other process; or 0 0 0 where that may not be had.
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int word = 1, holder, listener;
static sem_t ready;

static void *hold(void *nothing) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {4, code};
    pthread_mutex_lock(&mutex);
    holder = gettid();
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    sem_post(&ready);
    // The number that it will have: the lowest that is free.
    listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (listener < 0) listener = 0;
    else syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
    return nothing;
}

static void *want(void *nothing) {
    pthread_mutex_lock(&mutex);
    return nothing;
}

int main() {
    pthread_t one, two;
    sem_init(&ready, 0, 0);
    listener = -1;
    pthread_create(&one, NULL, hold, NULL);
    sem_wait(&ready);
    while (__atomic_load_n(&listener, __ATOMIC_SEQ_CST) < 0) usleep(1000);
    if (listener == 0) {
        puts("0 0 0");
        fflush(stdout);
        pause();
    }
    int supervisor = fork();
    if (supervisor == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct seccomp_notif held = {0};
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &held)) return 1;
        sleep(10000);
    }
    close(listener);
    pthread_create(&two, NULL, want, NULL);
    printf("%d %d %d\n", getpid(), holder, supervisor);
    fflush(stdout);
    pthread_join(two, NULL);
}
