// crowd PROCESSES THREADS: so many processes that sleep, and one with so many
// threads that sleep; a line on standard output once all of them are there.
// All of them form one process group, and end with it or with their parent.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static void *rest(void *unused) {
    for (;;)
        pause();
    return unused;
}

int main(int count, char **arguments) {
    int processes = count > 1 ? atoi(arguments[1]) : 0;
    int threads = count > 2 ? atoi(arguments[2]) : 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < processes; i++) {
        pid_t child = fork();
        if (child < 0)
            return 1;
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            rest(NULL);
        }
    }
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 << 10);
    for (int i = 0; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, &small, rest, NULL) != 0)
            return 1;
    }
    puts("ready");
    fflush(stdout);
    rest(NULL);
}
