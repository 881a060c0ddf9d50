// std::atomic::wait on the value 2, in bytes that look like a mutex.
// prints: main tid, waiter tid, address.
#include <atomic>
#include <cstdio>
#include <thread>
#include <unistd.h>

struct alignas(64) Words {
    std::atomic<int> word{2};
    int count = 0, owner = 0, users = 1, kind = 0x80;
    int rest[5] = {};
};

static Words words;

int main() {
    words.owner = getpid();
    std::atomic<int> waiter{0};
    std::thread thread([&] {
        waiter = gettid();
        words.word.wait(2);
    });
    while (waiter == 0) usleep(1000);
    printf("%d %d %p\n", getpid(), waiter.load(), (void *)&words);
    fflush(stdout);
    pause();
}
