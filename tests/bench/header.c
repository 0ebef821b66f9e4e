/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Nanoseconds for a header from a cached valid token, through the C interface. Started by run,
 * inside the simulator's environment. With the argument "start" it prints one header of
 * Session.from_defaults() and ends: for the time from process start to header. */
#define _POSIX_C_SOURCE 200809L
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "planetkey.h"

enum { CALLS = 1000, BATCHES = 1000, BUFFER = 4096 };

static const char *const API = "https://api.planet.com/basemaps/v1/mosaics";

static planetkey_error *error;
static char buffer[BUFFER];
static char token[BUFFER];

static void check(planetkey_status status) {
    if (status != PLANETKEY_STATUS_OK) {
        fprintf(stderr, "header.c: %s\n", planetkey_error_message(error));
        exit(1);
    }
}

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int by_size(const void *left, const void *right) {
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

static void measure(const char *name, void (*call)(const planetkey_session *),
                    const planetkey_session *session) {
    static double means[BATCHES];
    for (size_t batch = 0; batch < BATCHES; ++batch) {
        double start = now_ns();
        for (size_t i = 0; i < CALLS; ++i) {
            call(session);
        }
        means[batch] = (now_ns() - start) / CALLS;
    }
    qsort(means, BATCHES, sizeof means[0], by_size);
    printf("%s\t%.1f\t%.1f\n", name, means[0], means[BATCHES / 2]);
}

static void copy_header(const planetkey_session *session) {
    size_t needed;
    check(planetkey_session_copy_header(session, API, buffer, sizeof buffer, &needed, &error));
}

static void headers(const planetkey_session *session) {
    planetkey_authorization *authorization = NULL;
    check(planetkey_session_headers(session, API, &authorization, &error));
    if (!planetkey_authorization_header_line(authorization, 0)) {
        exit(1);
    }
    planetkey_authorization_free(authorization);
}

/* What no library can avoid: the bytes themselves. The compiler must not see that nothing changes.
 */
static void copy_alone(const planetkey_session *session) {
    void *(*volatile copy)(void *, const void *, size_t) = memcpy;
    (void)session;
    copy(buffer, token, strlen(token) + 1);
}

int main(int argc, char **argv) {
    planetkey_options *options = planetkey_options_new();
    planetkey_session *session = NULL;
    check(planetkey_options_set_allow_insecure_loopback(options, true, &error));
    check(planetkey_session_from_defaults(options, &session, &error));
    copy_header(session);
    if (argc > 1 && strcmp(argv[1], "start") == 0) {
        puts(buffer);
    } else {
        memcpy(token, buffer, sizeof token);
        measure("floor: copy of the bytes", copy_alone, session);
        measure("planetkey_session_copy_header", copy_header, session);
        measure("planetkey_session_headers, accessor, free", headers, session);
    }
    planetkey_session_free(session);
    planetkey_options_free(options);
    return 0;
}
