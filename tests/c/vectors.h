/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the driver of the shared vectors consists of: vectors.c reads the cases and compares, vectors_calls.c calls planetkey,
   vectors_support.c does the rest. */
#ifndef VECTORS_H
#define VECTORS_H

#include <cjson/cJSON.h>

#include "planetkey.h"

/* The case that is running, and in how many ways it is not as expected; quiet says nothing of them. */
extern const char *case_id;
extern int differences;
extern int quiet;

/* Ends the program: not the case is wrong but its form, or something around it. */
void die(const char *what, const char *detail);

/* Something of the case that is running is not as expected. */
void differ(const char *format, ...);

/* The pointer, which is not NULL, or else the end of the program. */
void *some(void *pointer);

/* A copy, to be freed with free(). */
void *copied(const char *text);

/* NULL when there is no such member. */
const cJSON *member(const cJSON *object, const char *name);

/* A member that is a string. */
const char *text(const cJSON *object, const char *name);

/* NULL when the member is no string. */
const char *text_or_null(const cJSON *object, const char *name);

/* NULL becomes null. */
void add_text(cJSON *object, const char *name, const char *value);

void different(const char *what, const cJSON *wanted, const cJSON *actual);

/* Members that are not named may be anything; lists have the same length. */
void different_subset(const char *what, const cJSON *wanted, const cJSON *actual);

/* What ${name} stands for. */
void set_variable(const char *name, const char *value);
void release_variables(void);

/* Replaces ${name} in every string. */
void resolve(cJSON *value);

/* GET, or POST with a body, to the control API of the simulator. */
cJSON *control(const char *path, const cJSON *body);

/* POST, unless there is no body. */
void tell(const char *path, const cJSON *body);
void tell_each(const char *path, const cJSON *bodies);

/* NULL when it does not open; without an error when the case cannot be tried, which is a difference. */
planetkey_session *open_session(const cJSON *wanted, planetkey_error **error);

/* What a call gives, or NULL and an error; NULL without one when the call cannot be tried, which is a difference. */
cJSON *perform(const planetkey_session *session, const cJSON *call, planetkey_error **error);

#endif
