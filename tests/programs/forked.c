// A process that holds a mutex forks. A thread of the child wants it, as the copy is; the
// child's first thread, which is the copy of whoever holds it, may let go of it, and sleeps.
// usage: forked sleep|pause; prints the child, its waiting thread.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *want(void *nothing) {
    printf("%d %d\n", getpid(), gettid());
    fflush(stdout);
    pthread_mutex_lock(&mutex);
    return nothing;
}

int main(int count, char **words) {
    pthread_mutex_lock(&mutex);
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pthread_t thread;
        pthread_create(&thread, NULL, want, NULL);
        if (count > 1 && !strcmp(words[1], "sleep")) sleep(10000);
    }
    pause();
}
