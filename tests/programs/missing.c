// A thread waits for a futex in a page that is not there: whoever reads it waits for a
// process that does not bring it, until standard input ends.
// prints: process; or 0 where that may not be had.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *page;

static void *waits(void *nothing) {
    syscall(SYS_futex, page, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    return nothing;
}

int main() {
    int brings = syscall(SYS_userfaultfd, O_CLOEXEC);
    struct uffdio_api api = {.api = UFFD_API};
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_register all = {.range = {(unsigned long)page, 4096}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    if (brings < 0 || ioctl(brings, UFFDIO_API, &api) || ioctl(brings, UFFDIO_REGISTER, &all)) {
        puts("0");
    } else {
        pthread_t thread;
        pthread_create(&thread, NULL, waits, NULL);
        struct uffd_msg fault;
        if (read(brings, &fault, sizeof fault) < 0) return 1;
        printf("%d\n", getpid());
    }
    fflush(stdout);
    char byte;
    while (read(0, &byte, 1) > 0) {}
}
