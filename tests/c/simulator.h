/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Control of planetkey-simulator, which started this program. Ends the program if the simulator
 * does not respond. */
#ifndef SIMULATOR_H
#define SIMULATOR_H

#include <cjson/cJSON.h>

#include "planetkey.h"

#ifdef __cplusplus
extern "C" {
#endif

/* To call before and after everything else. simulator_end() waits until the caller's thread is the
 * last one. */
void simulator_start(void);
void simulator_end(void);

/* Instead of simulator_start() in a process that such a process started. */
void simulator_join(void);

/* An environment variable that the simulator set. */
const char *simulator_variable(const char *name);

/* The base URL in the environment variable and the path. Valid until the second next call. */
const char *simulator_url(const char *variable, const char *path);

/* Resets scripts, counters, settings and sessions, and empties the home directory. */
void simulator_reset(void);

/* Sets the responses to the next requests to `target`: steps, as a JSON array. */
void simulator_script(const char *target, const char *steps, int repeat);

/* The number of requests that a target got. */
int simulator_count(const char *target);

/* Waits until at least this many requests are held. */
void simulator_wait_held(const char *hold, int count);

/* Releases the held requests. */
void simulator_release(const char *hold);

/* Makes the APIs refuse all access tokens issued so far. */
void simulator_revoke_all(void);

/* A header of the last request to a target, by its name in lower case. NULL if there is none. Free
 * it with free(). */
char *simulator_last_header(const char *target, const char *name);

/* GET with this header line (NULL: none). Returns the HTTP status and, through `body` if not NULL,
 * the body. Free it with free(). */
long simulator_get(const char *url, const char *header_line, char **body);

/* Opens a user session at the authorization server. Members as for POST /sessions, without them
   NULL; gives the token response that ends a login, to be freed with free(). */
char *simulator_seed(const char *members);

/* The same, saved in the home directory for the profile planet-user, as Planet's own tools save it.
 */
void simulator_log_in(const char *members);

/* A user logs in: goes through the login pages from an authorization URL on, or enters a
   device's code. More members as for POST /login, as
   "\"username\":\"ada\"", or NULL. The former gives the address that the browser is sent to, to be
   freed with free(). May be called on any thread while no other one talks to the simulator. */
char *simulator_log_in_in_browser(const char *authorization_url, const char *members);
void simulator_log_in_on_device(const char *user_code, const char *members);

/* The number of user sessions that are valid at the authorization server. */
int simulator_sessions_alive(void);

/* Changes settings, given as a JSON object. */
void simulator_settings(const char *settings);

/* Options with which planetkey can use the simulator. */
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
