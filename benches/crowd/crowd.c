// Sleeping processes and threads to be measured with: `crowd PROCESSES THREADS`.
// Says "ready", and ends with all of them when its standard input does.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void *sleep_for_ever(void *unused) {
    for (;;) pause();
    return unused;
}

int main(int count, char **arguments) {
    int processes = count > 1 ? atoi(arguments[1]) : 0;
    int threads = count > 2 ? atoi(arguments[2]) : 0;
    pid_t *children = calloc(processes + 1, sizeof *children);
    for (int i = 0; i < processes; i++) {
        pid_t child = children[i] = fork();
        if (child < 0) return perror("fork"), 1;
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(0);
            close(1);
            sleep_for_ever(NULL);
        }
    }
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 << 10);
    for (int i = 0; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, &small, sleep_for_ever, NULL)) return perror("pthread_create"), 1;
    }
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF) {}
    for (int i = 0; i < processes; i++) kill(children[i], SIGKILL);
    while (wait(NULL) > 0) {}
    return 0;
}
