/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* planetkey_session_copy_header() writes the whole header or nothing, and never beyond the end of
 * the buffer. */
#include <stdlib.h>

#include "simulator.h"
#include "test.h"

static void f113_buffers_of_every_size(const planetkey_session *session, const char *url,
                                       const char *line) {
    size_t full = strlen(line) + 1;
    size_t needed = 12345;
    char *buffer = malloc(full + 8);

    CHECK_STATUS(planetkey_session_copy_header(session, url, NULL, 0, &needed, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(needed == full);
    for (size_t size = 0; size <= full + 8; size += size + 2 < full || size > full ? full / 2 : 1) {
        memset(buffer, 'x', full + 8);
        CHECK_STATUS(planetkey_session_copy_header(session, url, buffer, size, &needed, &error),
                     size < full ? PLANETKEY_STATUS_INVALID_ARGUMENT : PLANETKEY_STATUS_OK);
        CHECK(needed == full);
        if (size >= full) {
            CHECK_TEXT(buffer, line);
        } else if (size > 0) {
            CHECK(buffer[0] == '\0');
            CHECK(buffer[size] == 'x');
        }
        CHECK(buffer[full] == 'x');
    }
    /* `needed` is optional. NULL with a size is not a buffer. */
    CHECK_OK(planetkey_session_copy_header(session, url, buffer, full, NULL, &error));
    CHECK_TEXT(buffer, line);
    CHECK(planetkey_session_copy_header(session, url, buffer, full, NULL, NULL) ==
          PLANETKEY_STATUS_OK);
    CHECK_STATUS(planetkey_session_copy_header(session, url, NULL, full, &needed, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(needed == full);
    CHECK(planetkey_session_copy_header(session, url, NULL, 0, NULL, NULL) ==
          PLANETKEY_STATUS_INVALID_ARGUMENT);

    /* After a failure the text is empty and `needed` is 0. */
    memset(buffer, 'x', full);
    CHECK_STATUS(planetkey_session_copy_header(session, "https://example.com/", buffer, full,
                                               &needed, &error),
                 PLANETKEY_STATUS_HOST_REFUSED);
    CHECK(buffer[0] == '\0' && needed == 0);
    free(buffer);
}

int main(void) {
    planetkey_session *sessions[3];
    char url[1024];
    char buffer[64];
    size_t needed = 12345;
    simulator_start();
    snprintf(url, sizeof url, "%s",
             simulator_url("PLANETKEY_SIMULATOR_PLANET_API", "/data/v1/item-types"));
    sessions[0] = simulator_m2m_session();
    sessions[1] = simulator_api_key_session(PLANETKEY_API_KEY_TRANSPORT_BASIC);
    sessions[2] = simulator_api_key_session(PLANETKEY_API_KEY_TRANSPORT_HEADER);
    for (size_t i = 0; i < 3; ++i) {
        planetkey_authorization *authorization = NULL;
        CHECK_OK(planetkey_session_authorize(sessions[i], url, &authorization, &error));
        f113_buffers_of_every_size(sessions[i], url,
                                   planetkey_authorization_header_line(authorization, 0));
        CHECK(simulator_get(url, planetkey_authorization_header_line(authorization, 0), NULL) ==
              200);
        planetkey_authorization_free(authorization);
        planetkey_session_free(sessions[i]);
    }
    CHECK(simulator_count("m2m.token") == 1);

    /* A key in the URL has no header. */
    sessions[0] = simulator_api_key_session(PLANETKEY_API_KEY_TRANSPORT_QUERY);
    CHECK_STATUS(
        planetkey_session_copy_header(sessions[0], url, buffer, sizeof buffer, &needed, &error),
        PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(needed == 0);
    planetkey_session_free(sessions[0]);
    simulator_end();
    return finish();
}
