// Two processes in a loop: one waits for a POSIX lock of the other, which waits for the
// first one's end of a pipe. A third sleeps, and has the table of descriptors of the second
// (CLONE_FILES) or a copy of it.
// usage: shared_table shared|copy; prints: pid of the first, of the second, of the third.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int sleeper(void *nothing) {
    (void)nothing;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sleep(10000);
    return 0;
}

int main(int count, char **words) {
    int shared = count > 1 && !strcmp(words[1], "shared");
    char name[] = "/tmp/syncscope-table-XXXXXX", byte;
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int file = mkstemp(name), ends[2], told[2];
    unlink(name);
    (void)!pipe(ends);
    (void)!pipe(told);
    int second = fork();
    if (second == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fcntl(file, F_SETLKW, &all);
        close(ends[1]);
        close(told[0]);
        char *stack = malloc(65536);
        int third = clone(sleeper, stack + 65536, (shared ? CLONE_FILES : 0) | SIGCHLD, NULL);
        (void)!write(told[1], &third, sizeof third);
        close(told[1]);
        (void)!read(ends[0], &byte, 1);
        return 0;
    }
    int third;
    close(ends[0]);
    (void)!read(told[0], &third, sizeof third);
    close(told[0]);
    close(told[1]);
    printf("%d %d %d\n", getpid(), second, third);
    fflush(stdout);
    fcntl(file, F_SETLKW, &all);
    return 0;
}
