/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Files below the home directory that the simulator made, and other processes. Ends the program when something around a test fails. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A path below the home directory; valid until the fourth next call. */
const char *home_file(const char *path);

/* Writes a file for its owner alone, with the directories that it needs. */
void write_text(const char *path, const char *text);

/* NULL when there is no file; to be freed with free(). */
char *read_text(const char *path);

/* The last nine bits of a file's mode; -1 when there is none. */
int permissions(const char *path);

/* How many entries a directory has; -1 when there is none. */
int entries(const char *directory);

/* Starts this program again, by exec(), with these arguments after its name; the list ends with NULL. */
pid_t start_again(const char *self, const char *const *arguments);

/* Waits for a process: what it gave to exit(), or 128 and the signal that ended it. */
int ended(pid_t child);

/* Gives the processor to others until the condition holds. */
#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        sched_yield();                                                                                                 \
    } while (!(condition))

#ifdef __cplusplus
}
#endif

#endif
