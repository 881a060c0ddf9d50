// Static variables inside functions, whose initialisation others wait for.
// usage: statics KIND; prints: the tid of who waits, that of who initialises.
#include <cstdio>
#include <cstring>
#include <thread>
#include <unistd.h>

static volatile int tids[2];
static volatile int step;

static void come_to(int number) {
    while (step < number) usleep(1000);
}

struct Slow {
    long value;
    explicit Slow(long start) : value(start) {
        step = 1;
        for (;;) sleep(1000);
    }
};

static long slow() {
    static Slow slow(step);
    return slow.value;
}

long left(), right();

struct Left {
    long value;
    Left() {
        step = step + 1;
        come_to(2);
        value = right();
    }
};

struct Right {
    long value;
    Right() {
        step = step + 1;
        come_to(2);
        value = left();
    }
};

long left() {
    static Left left;
    return left.value;
}

long right() {
    static Right right;
    return right.value;
}

int main(int argc, char **argv) {
    const char *kind = argc > 1 ? argv[1] : "sleeps";
    if (!strcmp(kind, "crosswise")) {
        std::thread([] { tids[0] = gettid(); left(); }).detach();
        std::thread([] { tids[1] = gettid(); right(); }).detach();
        come_to(2);
        printf("%d %d\n", tids[0], tids[1]);
        fflush(stdout);
        for (;;) pause();
    }
    std::thread([] { tids[0] = gettid(); slow(); }).detach();
    come_to(1);
    printf("%d %d\n", gettid(), tids[0]);
    fflush(stdout);
    return static_cast<int>(slow());
}
