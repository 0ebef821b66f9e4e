/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Runs a program and prints its peak memory in KiB, as the kernel accounts for it. A process counts
 * what it was forked from too, so the caller must be small: that is why report.py does not ask
 * itself. */
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct rusage usage;
    int status = 0;
    pid_t child;
    if (argc < 2 || (child = fork()) < 0) {
        return 126;
    }
    if (child == 0) {
        /* Only the number is wanted. */
        if (freopen("/dev/null", "w", stdout)) {
            execv(argv[1], argv + 1);
        }
        _exit(127);
    }
    if (wait4(child, &status, 0, &usage) != child || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 0) {
        return 1;
    }
    printf("%ld\n", usage.ru_maxrss);
    return 0;
}
