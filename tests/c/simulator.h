/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Talking to planetkey-simulator, which started this program. Ends the program when the simulator does not answer. */
#ifndef SIMULATOR_H
#define SIMULATOR_H

#include <cjson/cJSON.h>

#include "planetkey.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Once before and once after everything else. The end waits until no thread but the caller's is left. */
void simulator_start(void);
void simulator_end(void);

/* An environment variable that the simulator set. */
const char *simulator_variable(const char *name);

/* base URL in the environment variable + path; valid until the second next call. */
const char *simulator_url(const char *variable, const char *path);

/* Forgets scripts, counters and settings. */
void simulator_reset(void);

/* The next requests to `target` take these steps, a JSON array. */
void simulator_script(const char *target, const char *steps, int repeat);

/* How many requests a target had. */
int simulator_count(const char *target);

/* Waits until this many requests wait in the hold, or more. */
void simulator_wait_held(const char *hold, int count);

/* Lets the requests in the hold go on. */
void simulator_release(const char *hold);

/* GET with this header line (NULL: none). Returns the HTTP status and, if asked, the body, to be freed with free(). */
long simulator_get(const char *url, const char *header_line, char **body);

/* Options with which planetkey may use the simulator. */
planetkey_options *simulator_options(void);

/* A session of the simulator's M2M client. */
planetkey_session *simulator_m2m_session(void);

/* A session of the simulator's API key. */
planetkey_session *simulator_api_key_session(planetkey_api_key_transport transport);

#ifdef __cplusplus
}
#endif

#endif
