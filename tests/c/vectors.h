/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the driver of the shared vectors consists of: vectors.c reads the cases and compares,
   vectors_calls.c calls planetkey, vectors_support.c does the rest. */
#ifndef VECTORS_H
#define VECTORS_H

#include <cjson/cJSON.h>

#include "planetkey.h"

/* The current case and the number of its differences, which `quiet` does not print. */
extern const char *case_id;
extern int differences;
extern int quiet;

/* Ends the program, because the form of a case or the environment is wrong. */
void die(const char *what, const char *detail);

/* Reports a difference of the current case. */
void differ(const char *format, ...);

/* Returns the pointer. Ends the program if it is NULL. */
void *some(void *pointer);

/* A copy. Free it with free(). */
void *copied(const char *text);

/* NULL if there is no such member. */
const cJSON *member(const cJSON *object, const char *name);

/* A string member. */
const char *text(const cJSON *object, const char *name);

/* NULL if the member is not a string. */
const char *text_or_null(const cJSON *object, const char *name);

/* NULL becomes null. */
void add_text(cJSON *object, const char *name, const char *value);

void different(const char *what, const cJSON *wanted, const cJSON *actual);

/* Members that are not named may have any value. Lists have the same length. */
void different_subset(const char *what, const cJSON *wanted, const cJSON *actual);

/* Sets the value of ${name}. */
void set_variable(const char *name, const char *value);
void release_variables(void);

/* Replaces ${name} in every string. */
void resolve(cJSON *value);

/* GET, or POST with a body, to the control interface of the simulator. */
cJSON *control(const char *path, const cJSON *body);

/* POST if there is a body, otherwise GET. */
void tell(const char *path, const cJSON *body);
void tell_each(const char *path, const cJSON *bodies);

/* NULL if it does not open; without an error if the case cannot be tried, which is a difference. */
planetkey_session *open_session(const cJSON *wanted, planetkey_error **error);

/* The result of a call, or NULL and an error; NULL without an error if the call cannot be tried,
 * which is a difference. */
cJSON *perform(const planetkey_session *session, const cJSON *call, planetkey_error **error);

/* Frees what the calls of a case left for later calls. */
void end_case(void);

#endif
