// A process waits for a mutex that it holds itself. A handler of SIGALRM may jump out of the
// call, where the program is built with -DJUMPS; otherwise it takes note only.
// prints: its process id.
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile sig_atomic_t late;
#ifdef JUMPS
static sigjmp_buf before;
#endif

static void at_last(int signal) {
    (void)signal;
    late = 1;
#ifdef JUMPS
    siglongjmp(before, 1);
#endif
}

int main(void) {
    signal(SIGALRM, at_last);
    printf("%d\n", getpid());
    fflush(stdout);
    pthread_mutex_lock(&mutex);
#ifdef JUMPS
    if (sigsetjmp(before, 1) != 0) return 0;
#endif
    pthread_mutex_lock(&mutex);
    return late;
}
