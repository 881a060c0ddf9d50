/* What the pictures of wait chains look at: two workers that take two mutexes
 * in opposite order, a third behind them, a flush that sleeps with a file lock,
 * and a reader of a pipe that nobody writes to. Ends by itself after a minute.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

static pthread_mutex_t accounts = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t ledger = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both_hold;

static void take_in_turn(pthread_mutex_t *first, pthread_mutex_t *second)
{
    pthread_mutex_lock(first);
    pthread_barrier_wait(&both_hold);
    pthread_mutex_lock(second);
}

static void *transfer(void *unused)
{
    take_in_turn(&accounts, &ledger);
    return unused;
}

static void *audit(void *unused)
{
    take_in_turn(&ledger, &accounts);
    return unused;
}

static void *report(void *unused)
{
    sleep(1);
    pthread_mutex_lock(&ledger);
    return unused;
}

static void lock_file_and_wait(const char *path, unsigned patience)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    flock(fd, LOCK_EX);
    sleep(patience);
    _exit(0);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    alarm(60);
    if (fork() == 0)
        lock_file_and_wait(argv[1], 60);
    usleep(200000);
    if (fork() == 0)
        lock_file_and_wait(argv[1], 1);
    pthread_t threads[3];
    pthread_barrier_init(&both_hold, NULL, 2);
    pthread_create(&threads[0], NULL, transfer, NULL);
    pthread_setname_np(threads[0], "transfer");
    pthread_create(&threads[1], NULL, audit, NULL);
    pthread_setname_np(threads[1], "audit");
    pthread_create(&threads[2], NULL, report, NULL);
    pthread_setname_np(threads[2], "report");
    pthread_join(threads[0], NULL);
    return 0;
}
