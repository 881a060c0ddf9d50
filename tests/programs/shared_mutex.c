// A mutex in shared memory, held by a child, waited for by the parent.
// usage: shared_mutex [die|other]; by `other` the parent is another user's from then on; prints: parent, child, address of the parent.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int dies = argc > 1 && !strcmp(argv[1], "die");
    int ready[2];
    if (pipe(ready)) return 1;
    pthread_mutex_t *mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(mutex, &attr);
    pid_t child = fork();
    if (child == 0) {
        // Elsewhere than in the parent: the address must not matter.
        mutex = mremap(mutex, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)0x600000000000);
        pthread_mutex_lock(mutex);
        if (write(ready[1], "x", 1) != 1) return 1;
        if (dies) _exit(0);
        pause();
    }
    char byte;
    if (read(ready[0], &byte, 1) != 1) return 1;
    if (dies) waitpid(child, NULL, 0);
    if (argc > 1 && !strcmp(argv[1], "other") && (setgid(65534) || setuid(65534) || prctl(PR_SET_DUMPABLE, 1))) return 1;
    printf("%d %d %p\n", getpid(), child, (void *)mutex);
    fflush(stdout);
    pthread_mutex_lock(mutex);
}
