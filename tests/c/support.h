/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Files below the home directory of the simulator, and processes. Ends the program if the
 * environment of a test fails. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <sys/types.h>

#include "planetkey.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A path below the home directory. Valid until the fourth next call. */
const char *home_file(const char *path);

/* Writes a file with mode 0600, and creates its directories. */
void write_text(const char *path, const char *text);

/* The content of a file. NULL if there is none. Free it with free(). */
char *read_text(const char *path);

/* The last nine bits of the mode of a file. -1 if there is none. */
int permissions(const char *path);

/* The number of entries of a directory. -1 if there is none. */
int entries(const char *directory);

/* Starts this program again, with exec() and these arguments. The list ends with NULL. */
pid_t start_again(const char *self, const char *const *arguments);

/* Waits for a process. Returns its exit code, or 128 plus the signal that ended it. */
int ended(pid_t child);

/* planetkey_session_logout() with accessors: `removed` and `revocation` receive what the result
 * says. Each may be NULL. */
planetkey_status log_out(const planetkey_session *session, bool revoke, bool *removed,
                         int32_t *revocation, planetkey_error **error);

/* Yields the processor until the condition holds. */
#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        sched_yield();                                                                             \
    } while (!(condition))

#ifdef __cplusplus
}
#endif

#endif
