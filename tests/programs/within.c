// A process reads from another one in one thread, and has a second that sleeps. The other is
// its parent, which waits for its end, or with `apart` waits for a third, and that for it.
// usage: within KIND [apart]; prints: the process, its thread that reads, the other.
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t readers = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t both, never;
static sem_t *semaphore;
static int near_end, first;
static const char *kind;

static int is(const char *what) { return !strcmp(kind, what); }
static void post(int number) { (void)number, sem_post(semaphore); }

static pid_t child(int reads, int unused[2]) {
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(unused[0]), close(unused[1]);
        _exit(read(reads, &byte, 1));
    }
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/fd/%d", pid, unused[0]);
    while (access(name, F_OK) == 0) usleep(1000);
    return pid;
}

static void *reads(void *unused) {
    char byte;
    pthread_mutex_lock(&lock);
    if (is("rwlock_read")) pthread_rwlock_wrlock(&readers);
    else pthread_rwlock_rdlock(&readers);
    pthread_barrier_wait(&both);
    printf("%d %d %d\n", getpid(), gettid(), first);
    fflush(stdout);
    (void)!recv(near_end, &byte, 1, 0);
    return unused;
}

static void *sleeps(void *unused) {
    pthread_mutex_lock(&other);
    sleep(1000);
    return unused;
}

// A process with the memory of this one, and no thread of it; its descriptors are its own.
static int shares_memory(void *unused) {
    syscall(SYS_close, near_end);
    for (;;) syscall(SYS_pause);
    return unused != NULL;
}

// Another process, which has what this one has but for the connection, and sleeps.
static void beside(void) {
    if (fork() == 0) prctl(PR_SET_PDEATHSIG, SIGKILL), close(near_end), sleep(1000), _exit(0);
}

// Sleeps until a signal comes, or nothing else.
static void sleeps_for_signals(int shared) {
    sigset_t signals;
    int number, counter = shared;
    char message[sizeof(struct signalfd_siginfo)];
    sigemptyset(&signals);
    if (is("sigsuspend")) sigsuspend(&signals);
    sigaddset(&signals, SIGTERM);
    if (is("sigwait") || is("signalfd")) sigprocmask(SIG_BLOCK, &signals, NULL);
    if (is("sigwait")) sigwait(&signals, &number);
    if (is("signalfd")) counter = signalfd(-1, &signals, 0);
    if (is("eventfd") || is("eventfd_of_another") || is("poll_eventfd")) counter = eventfd(0, 0);
    if (is("eventfd_of_another")) beside();
    struct pollfd polled = {counter, POLLIN, 0};
    if (is("poll_eventfd")) poll(&polled, 1, -1);
    if (is("poll") || is("poll_handler")) poll(NULL, 0, -1);
    if (is("select")) select(0, NULL, NULL, NULL, NULL);
    if (is("sleep")) sleep(100000);
    if (strstr(kind, "eventfd") || is("signalfd")) (void)!read(counter, message, sizeof message);
}

int main(int count, char **arguments) {
    kind = count > 1 ? arguments[1] : "cond";
    int to_first[2], between[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, to_first);
    socketpair(AF_UNIX, SOCK_STREAM, 0, between);
    near_end = to_first[0];
    int shared = is("eventfd_shared") ? eventfd(0, 0) : -1;
    if (count > 2) {
        first = child(between[0], (int[]){to_first[0], between[1]});
        close(to_first[1]), close(between[0]);
        child(between[1], (int[]){to_first[0], -1});
        close(between[1]);
    } else {
        first = getpid();
        pid_t pid = fork();
        if (pid) close(near_end), waitpid(pid, NULL, 0), exit(0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(to_first[1]);
    }

    pthread_t reader, sleeper;
    pthread_cond_t *condition = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutex_t *guard = (void *)((char *)condition + 1024);
    semaphore = (void *)((char *)condition + 2048);
    pthread_condattr_t of_condition;
    pthread_mutexattr_t of_guard;
    pthread_condattr_init(&of_condition);
    pthread_mutexattr_init(&of_guard);
    if (is("cond_shared")) {
        pthread_condattr_setpshared(&of_condition, PTHREAD_PROCESS_SHARED);
        pthread_mutexattr_setpshared(&of_guard, PTHREAD_PROCESS_SHARED);
    }
    pthread_cond_init(condition, &of_condition);
    pthread_mutex_init(guard, &of_guard);
    sem_init(semaphore, is("sem_shared"), 0);
    if (strstr(kind, "_handler")) {
        struct sigaction action = {.sa_handler = post};
        sigaction(SIGTERM, &action, NULL);
    }
    static char stack[1 << 16];
    if (is("sem_vm")) clone(shares_memory, stack + sizeof stack, CLONE_VM, NULL);
    pthread_barrier_init(&both, NULL, 2);
    pthread_barrier_init(&never, NULL, 2);
    pthread_create(&reader, NULL, reads, NULL);
    pthread_barrier_wait(&both);

    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1000;
    pthread_mutex_lock(guard);
    if (is("cond") || is("cond_shared")) pthread_cond_wait(condition, guard);
    if (is("cond_timed")) pthread_cond_timedwait(condition, guard, &until);
    if (is("sem") || is("sem_shared") || is("sem_handler") || is("sem_vm")) sem_wait(semaphore);
    if (is("sem_timed")) sem_timedwait(semaphore, &until);
    if (is("barrier")) pthread_barrier_wait(&never);
    if (is("join")) pthread_join(reader, NULL);
    if (is("mutex")) pthread_mutex_lock(&lock);
    if (is("rwlock_read")) pthread_rwlock_rdlock(&readers);
    if (is("rwlock_write")) pthread_rwlock_wrlock(&readers);
    if (is("mutex_of_another")) {
        pthread_create(&sleeper, NULL, sleeps, NULL);
        while (pthread_mutex_trylock(&other) == 0) pthread_mutex_unlock(&other), usleep(1000);
        pthread_mutex_lock(&other);
    }
    sleeps_for_signals(shared);
    pause();
}
