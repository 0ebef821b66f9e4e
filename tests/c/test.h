/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Checks, for the programs of this directory. */
#ifndef TEST_H
#define TEST_H

#include <stdio.h>
#include <string.h>

#include "planetkey.h"

static int checks_passed = 0;
static int checks_failed = 0;

/* For the thread of main() only. Other threads record what main() then checks. */
static inline int check_(int condition, const char *file, int line, const char *text) {
    if (condition) {
        ++checks_passed;
    } else {
        ++checks_failed;
        fprintf(stderr, "%s:%d: failed: %s\n", file, line, text);
    }
    return condition;
}

#define CHECK(condition) check_((condition) != 0, __FILE__, __LINE__, #condition)

static inline int check_text_(const char *actual, const char *expected, const char *file, int line,
                              const char *text) {
    int same = actual == expected || (actual && expected && strcmp(actual, expected) == 0);
    if (!check_(same, file, line, text)) {
        fprintf(stderr, "    is       %.200s\n    expected %.200s\n", actual ? actual : "NULL",
                expected ? expected : "NULL");
    }
    return same;
}

/* NULL equals NULL only. */
#define CHECK_TEXT(actual, expected) check_text_((actual), (expected), __FILE__, __LINE__, #actual)

static inline int check_status_(planetkey_status actual, planetkey_status expected,
                                planetkey_error *error, const char *file, int line,
                                const char *text) {
    int good = actual == expected && (expected == PLANETKEY_STATUS_OK) == (error == NULL) &&
               (error == NULL || planetkey_error_status(error) == actual);
    if (!check_(good, file, line, text)) {
        const char *message = planetkey_error_message(error);
        fprintf(stderr, "    is %d, expected %d; %s\n", (int)actual, (int)expected,
                message ? message : "no error object");
    }
    planetkey_error_free(error);
    return good;
}

/* `call` names its last argument `&error`. The status and the error must agree. */
#define CHECK_STATUS(call, expected)                                                               \
    do {                                                                                           \
        planetkey_error *error = NULL;                                                             \
        planetkey_status status_ = (call);                                                         \
        check_status_(status_, (expected), error, __FILE__, __LINE__, #call);                      \
    } while (0)

#define CHECK_OK(call) CHECK_STATUS(call, PLANETKEY_STATUS_OK)

/* The last line of main(). A program without checks fails too. */
static inline int finish(void) {
    printf("%d passed, %d failed\n", checks_passed, checks_failed);
    return checks_failed > 0 || checks_passed == 0;
}

#endif
