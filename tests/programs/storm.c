// Makes threads that end at once, as many as it can, until standard input ends.
#include <poll.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

static void *lives(void *nothing) {
    struct timespec little = {0, 200000};
    nanosleep(&little, NULL);
    return nothing;
}

int main() {
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&detached, 1 << 16);
    struct pollfd input = {.fd = 0, .events = POLLIN};
    while (poll(&input, 1, 0) == 0) {
        pthread_t thread;
        if (pthread_create(&thread, &detached, lives, NULL)) usleep(100);
    }
}
