// Threads in one-time initialisations.
// usage: once KIND; prints: the tid of who waits, those of who runs what it waits for.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static pthread_once_t first = PTHREAD_ONCE_INIT, second = PTHREAD_ONCE_INIT;
static volatile int tids[3];
static volatile int step;

static void come_to(int number) {
    while (step < number) usleep(1000);
}

static void sleeps(void) {
    step = 1;
    for (;;) pause();
}

static void runs(void) {
    step = 1;
    for (;;) {}
}

static void nothing(void) {}

static void again(void) {
    printf("%d %d\n", gettid(), gettid());
    fflush(stdout);
    pthread_once(&first, again);
}

static void then_second(void) {
    step++;
    come_to(2);
    pthread_once(&second, nothing);
}

static void then_first(void) {
    step++;
    come_to(2);
    pthread_once(&first, nothing);
}

static void *do_first(void *init) {
    tids[0] = gettid();
    pthread_once(&first, (void (*)(void))init);
    return NULL;
}

static void *do_second(void *init) {
    tids[1] = gettid();
    pthread_once(&second, (void (*)(void))init);
    return NULL;
}

// Has the first control in its frame, while it runs the second's initialisation.
static void *do_second_beside_first(void *init) {
    pthread_once_t *volatile beside[] = {&first, &first, &first, &first};
    do_second(init);
    return (void *)beside[0];
}

// Leaves on the stack what a frame that runs the initialisation would hold.
static void __attribute__((noinline)) leave_behind(void) {
    void *volatile behind[128];
    for (int i = 0; i < 128; i += 2) behind[i] = (void *)nothing, behind[i + 1] = &first;
}

static void say(int holder) {
    printf("%d", gettid());
    if (holder >= 0) printf(" %d", tids[holder]);
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv) {
    const char *kind = argc > 1 ? argv[1] : "sleeps";
    pthread_t thread;
    if (!strcmp(kind, "itself")) do_first((void *)again);
    if (!strcmp(kind, "crosswise")) {
        pthread_create(&thread, NULL, do_first, (void *)then_second);
        pthread_create(&thread, NULL, do_second, (void *)then_first);
        come_to(2);
        printf("%d %d\n", tids[0], tids[1]);
        fflush(stdout);
        for (;;) pause();
    }
    if (!strcmp(kind, "beside")) {
        pthread_create(&thread, NULL, do_second_beside_first, (void *)sleeps);
        come_to(1);
        step = 0;
    }
    int hidden = !strcmp(kind, "beside");
    pthread_create(&thread, NULL, do_first, hidden ? (void *)runs : (void *)sleeps);
    come_to(1);
    say(0);
    leave_behind();
    pthread_once(&first, nothing);
}
