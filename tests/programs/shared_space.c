// Processes that share one address space, and with it the thread pointer: what a lock
// says of its holder may be said of either.
// usage: shared_space KIND [other]; by `other` the main process is another user's than such a
// child from then on; prints: pid of such a child, or 0, then the tids of one or two
// that wait.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static const char *kind;
static int changes_user;
static volatile int child, waiter, is_ready;
extern char **environ;

static int is(const char *what) { return !strcmp(kind, what); }

static void say(int one, int two) {
    printf("%d %d %d\n", child, one, two);
    fflush(stdout);
}

static void sleep_for_ever(void) {
    for (;;) pause();
}

// What the child does, on a stack of its own but as the thread that made it.
static int share(void *unused) {
    if (is("child_waits")) is_ready = 1;
    pthread_mutex_lock(&lock);
    is_ready = 1;
    sleep_for_ever();
    return unused != 0;
}

static void make_child(void) {
    char *stack = malloc(1 << 16);
    child = clone(share, stack + (1 << 16), CLONE_VM | SIGCHLD, NULL);
    while (!is_ready) usleep(1000);
    if (changes_user && (setgid(65534) || setuid(65534) || prctl(PR_SET_DUMPABLE, 1))) exit(1);
}

static void *crosswise(void *unused) {
    pthread_mutex_lock(&other);
    waiter = gettid();
    while (!is_ready) usleep(1000);
    pthread_mutex_lock(&lock);
    return unused;
}

static void *wait_for_lock(void *unused) {
    waiter = gettid();
    pthread_mutex_lock(&lock);
    return unused;
}

// It stands still until the child does something else: that never does.
static void *borrow(void *unused) {
    pid_t borrower = vfork();
    if (!borrower) {
        is_ready = 1;
        for (;;) pause();
    }
    return unused;
}

int main(int argc, char **argv) {
    kind = argc > 1 ? argv[1] : "";
    changes_user = argc > 2;
    pthread_t thread;
    if (is("child_holds")) {
        // The word says that this very thread holds it.
        make_child();
        say(getpid(), 0);
        pthread_mutex_lock(&lock);
    } else if (is("child_waits")) {
        // The word says that nobody of its own process holds it.
        pthread_mutex_lock(&lock);
        make_child();
        say(child, 0);
        sleep_for_ever();
    } else if (is("in_a_loop")) {
        // The child holds one; the two seem to wait for each other.
        pthread_create(&thread, NULL, crosswise, NULL);
        while (!waiter) usleep(1000);
        make_child();
        say(getpid(), waiter);
        pthread_mutex_lock(&other);
    } else if (is("behind")) {
        // Nothing is dead: the main thread seems to hold what the child holds.
        make_child();
        pthread_create(&thread, NULL, wait_for_lock, NULL);
        while (!waiter) usleep(1000);
        say(waiter, 0);
        sleep_for_ever();
    } else if (is("spawned") || is("borrowed")) {
        // A deadlock, beside a child that shares nothing any more, or only until it
        // starts another program.
        if (is("spawned")) {
            pid_t made;
            char *arguments[] = {"sleep", "1000", NULL};
            if (posix_spawnp(&made, "sleep", NULL, NULL, arguments, environ)) return 1;
            is_ready = 1;
        } else {
            pthread_create(&thread, NULL, borrow, NULL);
        }
        while (!is_ready) usleep(1000);
        is_ready = 0;
        pthread_create(&thread, NULL, crosswise, NULL);
        while (!waiter) usleep(1000);
        pthread_mutex_lock(&lock);
        is_ready = 1;
        say(getpid(), waiter);
        pthread_mutex_lock(&other);
    }
    sleep_for_ever();
}
