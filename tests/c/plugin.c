/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A plug-in that links the library, for plugin_host.c. */
#include <stdio.h>

#include "planetkey.h"

int plugin_refresh(const char *deployment, const char *client_id, const char *client_secret,
                   uint32_t timeout_ms);

/* Returns the status. */
int plugin_refresh(const char *deployment, const char *client_id, const char *client_secret,
                   uint32_t timeout_ms) {
    planetkey_options *options = planetkey_options_new();
    planetkey_session *session = NULL;
    planetkey_session *hurried = NULL;
    planetkey_status status = planetkey_options_set_allow_insecure_loopback(options, true, NULL);
    if (status == PLANETKEY_STATUS_OK) {
        status = planetkey_options_set_deployment(options, deployment, NULL);
    }
    if (status == PLANETKEY_STATUS_OK) {
        status = planetkey_options_set_save(options, false, NULL);
    }
    if (status == PLANETKEY_STATUS_OK) {
        status = planetkey_session_from_m2m(client_id, client_secret, NULL, 0, NULL, options,
                                            &session, NULL);
    }
    if (status == PLANETKEY_STATUS_OK) {
        status = planetkey_session_with_timeout_ms(session, timeout_ms, &hurried, NULL);
    }
    if (status == PLANETKEY_STATUS_OK) {
        status = planetkey_session_refresh(hurried, NULL);
    }
    planetkey_session_free(hurried);
    planetkey_session_free(session);
    planetkey_options_free(options);
    return (int)status;
}
