// A thread that waits for a mutex, and one that holds it and waits in the standard library
// of C++ for what nobody in particular does.
// usage: pressed KIND asleep|awake; prints the id of the first, then that of the second.
#include <atomic>
#include <barrier>
#include <cstdio>
#include <cstring>
#include <future>
#include <latch>
#include <mutex>
#include <semaphore>
#include <thread>
#include <unistd.h>

static std::mutex lock;
static std::latch latch(1), held(1);
static std::barrier<> barrier(2);
static std::counting_semaphore<> semaphore{0};
static std::promise<int> promise;
static std::atomic<int> word{7};
static int second;

static void hold(const char *kind) {
    std::lock_guard guard(lock);
    second = gettid();
    held.count_down();
    if (!strcmp(kind, "latch")) latch.wait();
    if (!strcmp(kind, "barrier")) barrier.arrive_and_wait();
    if (!strcmp(kind, "semaphore")) semaphore.acquire();
    if (!strcmp(kind, "future")) promise.get_future().get();
    if (!strcmp(kind, "atomic")) word.wait(7);
}

static void want() {
    held.wait();
    printf("%d %d\n", gettid(), second);
    fflush(stdout);
    std::lock_guard guard(lock);
    latch.count_down();
    semaphore.release();
    promise.set_value(1);
}

int main(int, char **arguments) {
    std::thread one(hold, arguments[1]), two(want);
    if (!strcmp(arguments[2], "awake")) getchar();
    one.join();
    two.join();
}
