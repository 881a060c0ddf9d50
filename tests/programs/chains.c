// Threads and processes in known chains. usage: chains KIND
// Prints what is so: "cycle TID…", "stuck TID…" (behind it), "free TID…".
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t own[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static pthread_mutex_t *first = own, *second = own + 1;
static pthread_barrier_t both, all;
static int tids[4];
static int timed;

static void *one(void *unused) {
    tids[0] = gettid();
    pthread_mutex_lock(first);
    pthread_barrier_wait(&both);
    pthread_barrier_wait(&all);
    pthread_mutex_lock(second);
    return unused;
}

static void *two(void *unused) {
    tids[1] = gettid();
    pthread_mutex_lock(second);
    pthread_barrier_wait(&both);
    pthread_barrier_wait(&all);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1000;
    if (timed) pthread_mutex_timedlock(first, &until);
    else pthread_mutex_lock(first);
    return unused;
}

static void *behind(void *unused) {
    tids[2] = gettid();
    pthread_barrier_wait(&both);
    pthread_barrier_wait(&all);
    pthread_mutex_lock(first);
    return unused;
}

static void *asleep(void *unused) {
    tids[3] = gettid();
    pthread_barrier_wait(&both);
    pthread_barrier_wait(&all);
    for (;;) sleep(1000);
    return unused;
}

static void threads(void) {
    pthread_t ids[4];
    void *(*bodies[4])(void *) = {one, two, behind, asleep};
    pthread_barrier_init(&both, NULL, 5);
    pthread_barrier_init(&all, NULL, 5);
    for (int i = 0; i < 4; i++) pthread_create(&ids[i], NULL, bodies[i], NULL);
    pthread_barrier_wait(&both);
    if (timed) printf("free %d %d %d %d\n", tids[0], tids[1], tids[2], tids[3]);
    else printf("cycle %d %d\nstuck %d %d\nfree %d\n", tids[0], tids[1], tids[2], getpid(), tids[3]);
    printf("end\n");
    fflush(stdout);
    pthread_barrier_wait(&all);
    pthread_join(ids[0], NULL);
}

// A child that ends with this process.
static pid_t child(void) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

static void pipes(int third) {
    int to_child[2], to_parent[2];
    char byte;
    if (pipe(to_child) || pipe(to_parent)) exit(1);
    pid_t witness = third ? child() : 0;
    if (third && witness == 0) {
        for (;;) pause();
    }
    pid_t other = child();
    if (other == 0) {
        close(to_child[1]);
        close(to_parent[0]);
        exit(read(to_child[0], &byte, 1));
    }
    close(to_child[0]);
    close(to_parent[1]);
    if (third) printf("free %d %d\nend\n", getpid(), other);
    else printf("cycle %d %d\nend\n", getpid(), other);
    fflush(stdout);
    exit(read(to_parent[0], &byte, 1));
}

// The child fills a pipe that only its parent could empty; the parent waits for
// the child's end.
static void wait_before_read(void) {
    int ends[2];
    if (pipe(ends)) exit(1);
    pid_t other = child();
    if (other == 0) {
        static char much[1 << 20];
        close(ends[0]);
        exit(write(ends[1], much, sizeof much) < 0);
    }
    close(ends[1]);
    printf("cycle %d %d\nend\n", getpid(), other);
    fflush(stdout);
    waitpid(other, NULL, 0);
}

static void own_pipe(void) {
    int ends[2];
    char byte;
    if (pipe(ends)) exit(1);
    printf("cycle %d\nend\n", getpid());
    fflush(stdout);
    exit(read(ends[0], &byte, 1));
}

// The only write end is in a message that nobody has received.
static void hidden(void) {
    int ends[2], sockets[2];
    char byte = 0;
    if (pipe(ends) || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets)) exit(1);
    union { struct cmsghdr header; char room[CMSG_SPACE(sizeof(int))]; } control = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &ends[1], sizeof(int));
    if (sendmsg(sockets[0], &message, 0) != 1) exit(1);
    close(ends[1]);
    printf("free %d\nend\n", getpid());
    fflush(stdout);
    exit(read(ends[0], &byte, 1));
}

static void files(const char *folder) {
    char names[2][4096];
    int ready[2];
    char byte = 0;
    for (int i = 0; i < 2; i++) snprintf(names[i], sizeof names[i], "%s/%d", folder, i);
    if (pipe2(ready, O_CLOEXEC)) exit(1);
    int mine = open(names[0], O_CREAT | O_RDWR, 0600);
    flock(mine, LOCK_EX);
    pid_t other = child();
    if (other == 0) {
        // Not the parent's open file: that would be the same lock.
        close(mine);
        int own = open(names[1], O_CREAT | O_RDWR, 0600), theirs = open(names[0], O_RDWR);
        flock(own, LOCK_EX);
        if (write(ready[1], &byte, 1) != 1) exit(1);
        exit(flock(theirs, LOCK_EX));
    }
    if (read(ready[0], &byte, 1) != 1) exit(1);
    printf("cycle %d %d\nend\n", getpid(), other);
    fflush(stdout);
    exit(flock(open(names[1], O_RDWR), LOCK_EX));
}

// The holder of a lock shared between processes has died.
static void orphan(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_t *lock = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutex_init(lock, &attributes);
    pid_t other = child();
    if (other == 0) {
        pthread_mutex_lock(lock);
        _exit(0);
    }
    waitpid(other, NULL, 0);
    printf("stuck %d\nend\n", getpid());
    fflush(stdout);
    pthread_mutex_lock(lock);
}

// Two locks that processes share, taken in opposite order by two of them.
static void apart(void) {
    int ready[2], go[2];
    char byte = 0;
    if (pipe2(ready, O_CLOEXEC) || pipe2(go, O_CLOEXEC)) exit(1);
    pid_t other = child();
    pthread_mutex_lock(other ? first : second);
    if (other == 0) {
        if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1) exit(1);
        exit(pthread_mutex_lock(first));
    }
    if (read(ready[0], &byte, 1) != 1) exit(1);
    printf("cycle %d %d\nend\n", getpid(), other);
    fflush(stdout);
    if (write(go[1], &byte, 1) != 1) exit(1);
    pthread_mutex_lock(second);
}

static void *wait_for_first(void *unused) {
    printf("stuck %d\nend\n", gettid());
    fflush(stdout);
    pthread_mutex_lock(first);
    return unused;
}

// The main thread ends with a lock held, others live on.
static void without_main(void) {
    pthread_t id;
    pthread_mutex_lock(first);
    pthread_create(&id, NULL, wait_for_first, NULL);
    pthread_exit(NULL);
}

// Waits for whoever opens a named pipe: it has both ends of it open itself.
static void named(const char *folder) {
    char name[4096], byte;
    snprintf(name, sizeof name, "%s/pipe", folder);
    if (mkfifo(name, 0600)) exit(1);
    int both_ends = open(name, O_RDWR);
    printf("free %d\nend\n", getpid());
    fflush(stdout);
    exit(read(both_ends, &byte, 1));
}

int main(int count, char **arguments) {
    const char *kind = count > 1 ? arguments[1] : "";
    timed = strstr(kind, "timed") != NULL;
    if (!strncmp(kind, "inherit", 7)) {
        pthread_mutexattr_t attributes;
        pthread_mutexattr_init(&attributes);
        pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
        if (strcmp(kind, "inherit")) {
            // At the very start of their memory.
            pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
            first = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
            second = first + 1;
        }
        pthread_mutex_init(first, &attributes);
        pthread_mutex_init(second, &attributes);
    }
    if (!strcmp(kind, "inherit_apart")) apart();
    if (!strcmp(kind, "locks") || !strncmp(kind, "inherit", 7) || timed) threads();
    if (!strcmp(kind, "pipes")) pipes(0);
    if (!strcmp(kind, "third")) pipes(1);
    if (!strcmp(kind, "wait")) wait_before_read();
    if (!strcmp(kind, "own")) own_pipe();
    if (!strcmp(kind, "hidden")) hidden();
    if (!strcmp(kind, "files")) files(arguments[2]);
    if (!strcmp(kind, "orphan")) orphan();
    if (!strcmp(kind, "without_main")) without_main();
    if (!strcmp(kind, "named")) named(arguments[2]);
    return 1;
}
