// A process that waits in the kernel, and one that could end the wait.
// usage: kernel_waits KIND; prints: pid of the waiter, pid of the other.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const char *kind;
static int mine, theirs, id;
static struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "s"};
static socklen_t name_size = sizeof name;

static int is(const char *what) { return !strncmp(kind, what, strlen(what)); }
static int has(const char *what) { return strstr(kind, what) != NULL; }

static void handler(int number) { (void)!write(theirs, &number, 1); }
static void nothing(int number) { (void)number; }

// Two ends that are connected, by what the kind says.
static void connect_ends(void) {
    int ends[2];
    if (has("tcp")) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof at;
        int server = socket(AF_INET, SOCK_STREAM, 0);
        bind(server, (void *)&at, size);
        listen(server, 1);
        getsockname(server, (void *)&at, &size);
        mine = socket(AF_INET, SOCK_STREAM, 0);
        connect(mine, (void *)&at, size);
        theirs = accept(server, NULL, NULL);
        close(server);
    } else if (has("fifo")) {
        mkfifo("f", 0600);
        mine = open("f", O_RDONLY | O_NONBLOCK);
        theirs = open("f", O_WRONLY);
        fcntl(mine, F_SETFL, 0);
    } else if (has("pipe")) {
        (void)!pipe(ends);
        mine = ends[has("write")], theirs = ends[!has("write")];
        if (has("write")) {
            fcntl(mine, F_SETFL, O_NONBLOCK);
            while (write(mine, &ends, 1) == 1) {}
        }
    } else {
        socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
        mine = ends[0], theirs = ends[1];
    }
}

static void *hold_table(void *started) {
    unshare(CLONE_FILES);
    pthread_barrier_wait(started);
    pause();
    return NULL;
}

// A server of this name, as long as given, whose queue is full.
static int listen_at(int type, socklen_t size) {
    int server = socket(AF_UNIX, type, 0);
    bind(server, (void *)&name, size);
    listen(server, 0);
    connect(socket(AF_UNIX, type, 0), (void *)&name, size);
    return server;
}

static void wait_for_any(void) {
    struct pollfd polled[2] = {{.fd = mine, .events = has("write") ? POLLOUT : POLLIN}, {.fd = -1, .events = POLLIN}};
    if (has("eventfd")) polled[1].fd = eventfd(0, 0);
    if (is("poll")) poll(polled, 2, has("timed") ? 1000000 : -1);
    if (is("select")) {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(mine, &set);
        select(mine + 1, has("write") ? NULL : &set, has("write") ? &set : NULL, NULL, NULL);
    }
    if (is("epoll")) {
        int all = epoll_create1(0);
        struct epoll_event event = {.events = has("write") ? EPOLLOUT : EPOLLIN};
        epoll_ctl(all, EPOLL_CTL_ADD, mine, &event);
        epoll_wait(all, &event, 1, -1);
    }
    if (is("recv")) {
        struct timeval limit = {.tv_sec = 1000};
        if (has("timed")) setsockopt(mine, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        (void)!recv(mine, &limit, 1, 0);
    }
    if (is("read")) (void)!read(mine, polled, 1);
}

static void wait_alone(void) {
    struct sembuf lower = {.sem_num = 1, .sem_op = -1};
    struct timespec until;
    char message[64] = {0};
    if (is("sem")) semop(id, &lower, 1);
    if (is("msg")) (void)!msgrcv(id, message, 8, 0, 0);
    if (is("mq")) mq_receive(mine, message, sizeof message, NULL);
    if (is("lease")) open("f", O_WRONLY);
    if (is("connect")) {
        // Others that look like the server: of a longer name, and of another type.
        if (has("abstract")) {
            name.sun_path[name_size - sizeof(sa_family_t)] = 'x';
            listen_at(SOCK_STREAM, name_size + 1);
            name.sun_path[name_size - sizeof(sa_family_t)] = 0;
        }
        connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&name, name_size);
    }
    if (is("send")) {
        int sender = socket(AF_UNIX, SOCK_DGRAM, 0), least = 1;
        // Of its own buffer, or of the receiver's queue, one is full first.
        if (has("own")) setsockopt(sender, SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
        while (sendto(sender, message, sizeof message, 0, (void *)&name, name_size) > 0) {}
    }
    if (is("timerfd")) {
        int timer = timerfd_create(CLOCK_MONOTONIC, 0);
        struct itimerspec in = {.it_value.tv_sec = 1000};
        if (has("set")) timerfd_settime(timer, 0, &in, NULL);
        (void)!read(timer, message, 8);
    }
    if (is("inotify")) (void)!read(inotify_init(), message, sizeof message);
    if (is("until")) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += 1000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
}

static void say(int waiter, int other) {
    printf("%d %d\n", waiter, other);
    fflush(stdout);
}

int main(int argc, char **argv) {
    kind = argc > 1 ? argv[1] : "poll_pipe";
    int parent = getpid();
    if (is("vfork")) {
        int other = fork();
        if (!other) pause();
        if (!vfork()) {
            say(parent, getpid());
            pause();
        }
    }
    int private = has("sem") || has("msg") || has("mq") || is("lease") || is("connect") || is("send") || has("timerfd") ||
                  is("inotify") || is("until");
    if (is("sem")) id = semget(IPC_PRIVATE, 2, 0600);
    if (is("msg")) id = msgget(IPC_PRIVATE, 0600);
    if (is("mq")) {
        char queue[64];
        struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 64};
        snprintf(queue, sizeof queue, "/kernel_waits.%d", parent);
        mine = mq_open(queue, O_CREAT | O_RDWR, 0600, &attr);
        mq_unlink(queue);
    }
    if (is("lease")) {
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        sigaction(SIGIO, &ignore, NULL);
        id = open("f", O_CREAT | O_RDWR, 0600);
        fcntl(id, F_SETLEASE, F_WRLCK);
    }
    if (has("abstract")) {
        int length = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "kernel_waits.%d", parent);
        name.sun_path[0] = 0;
        name_size = sizeof(sa_family_t) + 1 + length;
    }
    if (is("connect")) id = listen_at(SOCK_STREAM, name_size);
    if (is("send")) {
        id = socket(AF_UNIX, SOCK_DGRAM, 0);
        bind(id, (void *)&name, name_size);
    }
    if (!private) connect_ends();
    if (has("own") && !private) {
        struct sigaction action = {.sa_handler = handler};
        if (has("handler")) sigaction(SIGTERM, &action, NULL);
        say(parent, parent);
        wait_for_any();
    }
    int child = fork();
    if (!child) {
        struct sigaction action = {.sa_handler = nothing};
        if (has("catches")) sigaction(SIGCHLD, &action, NULL);
        if (is("connect") || is("send")) close(id);
        if (!private) close(theirs);
        private ? wait_alone() : wait_for_any();
        _exit(0);
    }
    if (!private) close(mine);
    say(child, parent);
    if (has("table")) {
        // The end is left in the table of a thread of its own alone.
        pthread_t thread;
        pthread_barrier_t started;
        pthread_barrier_init(&started, NULL, 2);
        pthread_create(&thread, NULL, hold_table, &started);
        pthread_barrier_wait(&started);
        close(theirs);
        say(child, parent);
    }
    if (has("leader")) {
        pthread_t thread;
        pthread_barrier_t started;
        pthread_barrier_init(&started, NULL, 2);
        pthread_create(&thread, NULL, (void *(*)(void *))hold_table, &started);
        pthread_barrier_wait(&started);
        syscall(SYS_exit, 0);
    }
    // With the parent the objects without a name or a user go as well.
    char end;
    (void)!read(0, &end, 1);
    if (is("sem")) semctl(id, 0, IPC_RMID);
    if (is("msg")) msgctl(id, IPC_RMID, NULL);
    return 0;
}
