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

/* The first of these in a process that another one, which goes on with the simulator, has started. */
void simulator_join(void);

/* An environment variable that the simulator set. */
const char *simulator_variable(const char *name);

/* base URL in the environment variable + path; valid until the second next call. */
const char *simulator_url(const char *variable, const char *path);

/* Forgets scripts, counters, settings and sessions, and empties the home directory. */
void simulator_reset(void);

/* The next requests to `target` take these steps, a JSON array. */
void simulator_script(const char *target, const char *steps, int repeat);

/* How many requests a target had. */
int simulator_count(const char *target);

/* Waits until this many requests wait in the hold, or more. */
void simulator_wait_held(const char *hold, int count);

/* Lets the requests in the hold go on. */
void simulator_release(const char *hold);

/* Has the APIs refuse all access tokens issued so far. */
void simulator_revoke_all(void);

/* A header of the last request to a target, its name in lower case; NULL when there is none. To be freed with free(). */
char *simulator_last_header(const char *target, const char *name);

/* GET with this header line (NULL: none). Returns the HTTP status and, if asked, the body, to be freed with free(). */
long simulator_get(const char *url, const char *header_line, char **body);

/* Opens a person's session at the authorization server. Members as for POST /sessions, without them NULL; gives the token response that
   ends a login, to be freed with free(). */
char *simulator_seed(const char *members);

/* The same, kept in the home directory for the profile planet-user, as Planet's own tools keep it. */
void simulator_log_in(const char *members);

/* What a person does: goes through the login pages from an authorization URL on, or enters a device's code. More members as for POST /login, as
   "\"username\":\"ada\"", or NULL. The former gives the address that the browser is sent to, to be freed with free(). May be called on any thread
   while no other one talks to the simulator. */
char *simulator_person_in_browser(const char *authorization_url, const char *members);
void simulator_person_on_device(const char *user_code, const char *members);

/* How many sessions of people are alive at the authorization server. */
int simulator_sessions_alive(void);

/* Changes settings, a JSON object. */
void simulator_settings(const char *settings);

/* Options with which planetkey may use the simulator. */
planetkey_options *simulator_options(void);

/* A session of the simulator's M2M client, by these options or by those of simulator_options(). */
planetkey_session *simulator_m2m_session(void);
planetkey_session *simulator_m2m_session_with(const planetkey_options *options);

/* A session of the profile planet-user, in the same way. */
planetkey_session *simulator_user_session(void);
planetkey_session *simulator_user_session_with(const planetkey_options *options);

/* A session of the simulator's API key. */
planetkey_session *simulator_api_key_session(planetkey_api_key_transport transport);

#ifdef __cplusplus
}
#endif

#endif
