// A minimal byte ring between two processes: `ring MODE CPU CPU SIZE COUNT CAPACITY`.
// MODE `one-way` prints the messages a second at the receiver, `ping-pong` the
// nanoseconds of a round trip. Nothing is checked, nobody notices an end, and
// both sides spin: only what it takes to copy a message in and out. With
// `numbered`, one-way too, each message carries its number and a check word,
// as the lab's do, written before it is sent and looked at when it has come.
#define _GNU_SOURCE
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct ring {
    _Alignas(128) _Atomic uint64_t written;
    _Alignas(128) _Atomic uint64_t read;
    _Alignas(4096) char bytes[];
};

static size_t capacity;

static void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set)) perror("sched_setaffinity"), exit(1);
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void pause_a_little(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

// Each side keeps its own index and a copy of the other's.
static void put(struct ring *r, uint64_t *written, uint64_t *seen, const char *from, size_t size) {
    while (size) {
        size_t room;
        while (!(room = capacity - (*written - *seen))) {
            *seen = atomic_load_explicit(&r->read, memory_order_acquire);
            if (*written - *seen == capacity) pause_a_little();
        }
        size_t n = size < room ? size : room, at = *written & (capacity - 1);
        size_t first = n < capacity - at ? n : capacity - at;
        memcpy(r->bytes + at, from, first);
        memcpy(r->bytes, from + first, n - first);
        *written += n;
        atomic_store_explicit(&r->written, *written, memory_order_release);
        from += n;
        size -= n;
    }
}

static void get(struct ring *r, uint64_t *read, uint64_t *seen, char *to, size_t size) {
    while (size) {
        size_t there;
        while (!(there = *seen - *read)) {
            *seen = atomic_load_explicit(&r->written, memory_order_acquire);
            if (*seen == *read) pause_a_little();
        }
        size_t n = size < there ? size : there, at = *read & (capacity - 1);
        size_t first = n < capacity - at ? n : capacity - at;
        memcpy(to, r->bytes + at, first);
        memcpy(to + first, r->bytes, n - first);
        *read += n;
        atomic_store_explicit(&r->read, *read, memory_order_release);
        to += n;
        size -= n;
    }
}

static struct ring *make(void) {
    struct ring *r = mmap(NULL, sizeof *r + capacity, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (r == MAP_FAILED) perror("mmap"), exit(1);
    memset(r, 0, sizeof *r + capacity);
    return r;
}

static uint64_t check_word(uint64_t number) {
    uint64_t z = number + 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int main(int argc, char **argv) {
    if (argc != 7) return 2;
    int both = !strcmp(argv[1], "ping-pong"), numbered = !strcmp(argv[1], "numbered");
    size_t size = strtoull(argv[4], NULL, 10);
    uint64_t count = strtoull(argv[5], NULL, 10), warm = count / 5 + 1, a = 0, b = 0, c = 0, d = 0;
    capacity = strtoull(argv[6], NULL, 10);
    struct ring *there = make(), *back = make();
    char *message = malloc(size);
    memset(message, 7, size);
    pid_t child = fork();
    if (child < 0) return 1;
    if (!child) {
        pin(atoi(argv[2]));
        for (uint64_t i = 0; i < count + warm; i++) {
            if (numbered) memcpy(message, (uint64_t[]){i, check_word(i)}, 16);
            put(there, &a, &b, message, size);
            if (both) get(back, &c, &d, message, size);
        }
        _exit(0);
    }
    pin(atoi(argv[3]));
    uint64_t start = 0;
    for (uint64_t i = 0; i < count + warm; i++) {
        if (i == warm) start = now();
        get(there, &a, &b, message, size);
        if (numbered && memcmp(message, (uint64_t[]){i, check_word(i)}, 16)) return 1;
        if (both) put(back, &c, &d, message, size);
    }
    uint64_t took = now() - start;
    waitpid(child, NULL, 0);
    printf("%.1f\n", both ? (double)took / count : 1e9 * (double)count / took);
    return 0;
}
