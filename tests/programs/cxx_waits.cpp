// A thread that waits in the standard library of C++.
// usage: cxx_waits KIND; prints: main tid, waiter tid, 0.
#include <atomic>
#include <barrier>
#include <cstdio>
#include <cstring>
#include <future>
#include <latch>
#include <semaphore>
#include <thread>
#include <unistd.h>

static std::latch latch(1);
static std::barrier<> barrier(2);
static std::promise<int> promise;
static std::atomic<int> word{7};
static std::atomic<char> letter{7};

int main(int, char **arguments) {
    const char *kind = arguments[1];
    std::atomic<int> waiter{0};
    auto future = promise.get_future();
    std::thread thread([&] {
        waiter = gettid();
        if (!strcmp(kind, "latch")) latch.wait();
        if (!strcmp(kind, "barrier")) barrier.arrive_and_wait();
        if (!strcmp(kind, "future")) future.get();
        if (!strcmp(kind, "future_timed")) future.wait_for(std::chrono::seconds(1000));
        if (!strcmp(kind, "atomic")) word.wait(7);
        if (!strcmp(kind, "atomic_char")) letter.wait(7);
    });
    while (waiter == 0) usleep(1000);
    printf("%d %d 0\n", getpid(), waiter.load());
    fflush(stdout);
    pause();
}
