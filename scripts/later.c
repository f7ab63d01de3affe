/* Shows a process and all that it starts a wall clock that is SECONDS ahead; test_later.sh compiles and preloads
   it. Clocks that only measure how long something took stay as they are, so nobody waits longer for anything. */

#define _GNU_SOURCE
#include <alloca.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* The kernel is asked directly: to look up the function that stands behind ours takes the loader, which may
   itself want to know the time. */
int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI))
        now->tv_sec += SECONDS;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int failed = (int)syscall(SYS_gettimeofday, now, zone);
    if (!failed)
        now->tv_sec += SECONDS;
    return failed;
}

time_t time(time_t *where) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where)
        *where = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
    return base == TIME_UTC && !clock_gettime(CLOCK_REALTIME, now) ? base : 0;
}

/* Our servers are started with a clean environment, in which the preload would be lost: it is put back. */
static char *preload;

__attribute__((constructor)) static void remember(void) {
    const char *name = "LD_PRELOAD=", *path = getenv("LD_PRELOAD");
    if (path && (preload = malloc(strlen(name) + strlen(path) + 1)))
        strcat(strcpy(preload, name), path);
}

int execve(const char *path, char *const given[], char *const wanted[]) {
    size_t count = 0;
    int there = preload == NULL;
    while (wanted && wanted[count])
        there |= strncmp(wanted[count++], "LD_PRELOAD=", 11) == 0;
    /* On the stack: between fork and exec nobody may allocate. */
    char **all = alloca((count + 2) * sizeof *all);
    memcpy(all, wanted, count * sizeof *all);
    if (!there)
        all[count++] = preload;
    all[count] = NULL;
    return (int)syscall(SYS_execve, path, given, all);
}
