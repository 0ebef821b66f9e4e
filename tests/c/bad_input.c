/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Invalid text, numbers, sizes and URLs: each gives a status, none crashes, and no message contains
 * the secret. */
#include <limits.h>
#include <stdlib.h>

#include "simulator.h"
#include "test.h"

#define CANARY "cAnArY-5f1c"

/* The call fails with one of two statuses, and the message does not contain its input. */
#define REFUSED2(first, second, call)                                                              \
    do {                                                                                           \
        planetkey_error *error = NULL;                                                             \
        planetkey_status status = (call);                                                          \
        const char *message = planetkey_error_message(error);                                      \
        if (!CHECK(status == (first) || status == (second))) {                                     \
            fprintf(stderr, "    is %s: %s (item %s)\n", planetkey_status_name(status),            \
                    message ? message : "", #call);                                                \
        }                                                                                          \
        CHECK(message != NULL && strstr(message, CANARY) == NULL &&                                \
              strpbrk(message, "\r\n") == NULL);                                                   \
        planetkey_error_free(error);                                                               \
    } while (0)

#define REFUSED(expected, call) REFUSED2(expected, expected, call)
#define INVALID PLANETKEY_STATUS_INVALID_ARGUMENT

/* The canary and `length` times 'a'. Free it. */
static char *huge(size_t length) {
    char *text = malloc(length + sizeof CANARY);
    memcpy(text, CANARY, sizeof CANARY - 1);
    memset(text + sizeof CANARY - 1, 'a', length);
    text[length + sizeof CANARY - 1] = '\0';
    return text;
}

static const char *const not_utf8[] = {CANARY "\xff", "\xc3\x28" CANARY, "\xed\xa0\x80" CANARY,
                                       CANARY "\xf0\x9f"};

static void api_keys(void) {
    static const char *const keys[] = {
        "",          CANARY ":colon", CANARY "\r",  CANARY "\nX-Injected: 1",
        "\n" CANARY, CANARY "\x01",   CANARY "\x7f"};
    static const int32_t transports[] = {-1, 3, INT32_MAX, INT32_MIN};
    planetkey_session *session = NULL;
    char *key = huge((size_t)2 << 20);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; ++i) {
        for (int32_t transport = 0; transport < 3; ++transport) {
            REFUSED(INVALID,
                    planetkey_session_from_api_key(keys[i], transport, NULL, &session, &error));
            CHECK(session == NULL);
        }
    }
    for (size_t i = 0; i < sizeof not_utf8 / sizeof not_utf8[0]; ++i) {
        REFUSED(INVALID, planetkey_session_from_api_key(not_utf8[i], 0, NULL, &session, &error));
    }
    for (size_t i = 0; i < sizeof transports / sizeof transports[0]; ++i) {
        REFUSED(INVALID,
                planetkey_session_from_api_key(CANARY, transports[i], NULL, &session, &error));
    }
    REFUSED(INVALID, planetkey_session_from_api_key(key, 0, NULL, &session, &error));
    free(key);
}

static void clients(void) {
    static const char *const offline[] = {"offline_access"};
    static const char *const bad_scopes[] = {"", "a\nb", "a\"b", "\xff"};
    static const char *const many[] = {"a"};
    static const char *const bad_configs[] = {
        "",
        "x",
        "[]",
        "null",
        "\"text\"",
        "{",
        "{}",
        "{\"client_id\":7}",
        "{\"client_type\":\"no such type\",\"client_id\":\"i\"}",
        "{\"client_type\":\"oidc_client_credentials_secret\",\"auth_server\":7,\"client_id\":\"i\","
        "\"client_secret\":\"" CANARY "\"}",
        "{\"client_type\":\"oidc_client_credentials_secret\",\"auth_server\":\"http://"
        "example.com\",\"client_id\":\"i\",\"client_secret\":\"" CANARY "\"}",
    };
    planetkey_session *session = NULL;
    char *text = huge((size_t)2 << 20);
    char *deep = malloc(200001);

    REFUSED(INVALID, planetkey_session_from_m2m("", CANARY, NULL, 0, NULL, NULL, &session, &error));
    REFUSED(INVALID, planetkey_session_from_m2m("id", "", NULL, 0, NULL, NULL, &session, &error));
    for (size_t i = 0; i < sizeof not_utf8 / sizeof not_utf8[0]; ++i) {
        REFUSED(INVALID, planetkey_session_from_m2m(not_utf8[i], CANARY, NULL, 0, NULL, NULL,
                                                    &session, &error));
        REFUSED(INVALID, planetkey_session_from_m2m("id", not_utf8[i], NULL, 0, NULL, NULL,
                                                    &session, &error));
        REFUSED(INVALID, planetkey_session_from_m2m("id", CANARY, &not_utf8[i], 1, NULL, NULL,
                                                    &session, &error));
        REFUSED(INVALID, planetkey_session_from_m2m("id", CANARY, NULL, 0, not_utf8[i], NULL,
                                                    &session, &error));
        REFUSED(INVALID, planetkey_session_from_client_config(not_utf8[i], NULL, &session, &error));
        REFUSED(INVALID, planetkey_session_from_profile(not_utf8[i], NULL, &session, &error));
    }
    REFUSED(INVALID, planetkey_session_from_m2m("id", text, NULL, 0, NULL, NULL, &session, &error));
    REFUSED(INVALID,
            planetkey_session_from_m2m("id", CANARY, many, SIZE_MAX, NULL, NULL, &session, &error));
    REFUSED(INVALID, planetkey_session_from_m2m("id", CANARY, many, (size_t)1 << 40, NULL, NULL,
                                                &session, &error));
    REFUSED2(INVALID, PLANETKEY_STATUS_MISCONFIGURED,
             planetkey_session_from_m2m("id", CANARY, offline, 1, NULL, NULL, &session, &error));
    for (size_t i = 0; i < sizeof bad_scopes / sizeof bad_scopes[0]; ++i) {
        REFUSED2(INVALID, PLANETKEY_STATUS_MISCONFIGURED,
                 planetkey_session_from_m2m("id", CANARY, &bad_scopes[i], 1, NULL, NULL, &session,
                                            &error));
    }

    for (size_t i = 0; i < sizeof bad_configs / sizeof bad_configs[0]; ++i) {
        planetkey_status status;
        planetkey_error *error = NULL;
        status = planetkey_session_from_client_config(bad_configs[i], NULL, &session, &error);
        if (!CHECK(status == INVALID || status == PLANETKEY_STATUS_MISCONFIGURED ||
                   status == PLANETKEY_STATUS_UNSUPPORTED)) {
            fprintf(stderr, "    %s for %s\n", planetkey_status_name(status), bad_configs[i]);
        }
        CHECK(session == NULL && strstr(planetkey_error_message(error), CANARY) == NULL);
        planetkey_error_free(error);
    }
    REFUSED(INVALID, planetkey_session_from_client_config(text, NULL, &session, &error));
    memset(deep, '[', 200000);
    deep[200000] = '\0';
    REFUSED2(INVALID, PLANETKEY_STATUS_MISCONFIGURED,
             planetkey_session_from_client_config(deep, NULL, &session, &error));
    free(deep);
    free(text);
}

static void profiles(void) {
    static const char *const names[] = {
        "", "..", "../x", "a/b", "/etc", "a\nb", "no-such-profile-here"};
    planetkey_session *session = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
        REFUSED2(INVALID, PLANETKEY_STATUS_MISCONFIGURED,
                 planetkey_session_from_profile(names[i], NULL, &session, &error));
        CHECK(session == NULL);
    }
}

/* No URL of these may get a header, because another HTTP client may read another host in it. */
static const char *const urls[] = {
    "",
    " ",
    "api.planet.com",
    "//api.planet.com/",
    "http://api.planet.com/",
    "ftp://api.planet.com/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://",
    "https:///",
    "https:api.planet.com/",
    "https:/api.planet.com/",
    "https:\\\\api.planet.com/",
    "https://api.planet.com\\@evil.example/",
    "https://evil.example\\@api.planet.com/",
    "https://user@api.planet.com/",
    "https://user:word@api.planet.com/",
    "https://@api.planet.com/",
    "https://:@api.planet.com/",
    "https://api.planet.com@evil.example/",
    "https://api.planet.com:443@evil.example/",
    "https://api.planet.com.evil.example/",
    "https://evil.example/api.planet.com",
    "https://evil.example/?https://api.planet.com/",
    "https://evil.example#@api.planet.com/",
    "https://api.planet.com./",
    "https://api.planet.com:8443/",
    "https://api.planet.com:80/",
    "https://api.planet.com:0443/",
    "https://api.planet.com:/",
    "https://api.planet.com:443:443/",
    "https://api.planet.com:65979/",
    "https://api%2eplanet.com/",
    "https://api.planet.com%2f.evil.example/",
    "https://api.planet.com%00.evil.example/",
    "https://\xef\xbd\x81pi.planet.com/",
    "https://api\xe3\x80\x82planet.com/",
    "https://api.plan\xd0\xb5t.com/",
    "https://api.planet.com\t/",
    "https://api.planet.com\n/",
    "https://api.\tplanet.com/",
    "https://api.planet.com /",
    " https://api.planet.com/",
    "\thttps://api.planet.com/",
    "https://api.planet.com/\r\nHost: evil.example",
    "https://api.planet.com/a\nb",
    "https://api.planet.com/\x01",
    "https://[::1]/",
    "https://127.0.0.1/",
    "https://localhost/",
    "https://2130706433/",
    "https://xn--pi-planet-com/",
    "https://planet.com/",
    "https://login.planet.com/",
    "https://api_planet.com/",
    "https://-api.planet.com/",
    "https://*.planet.com/",
};

static void url_tricks(void) {
    planetkey_session *session = NULL;
    planetkey_authorization *authorization = NULL;
    planetkey_string *string = NULL;
    char buffer[256];
    char *text = huge((size_t)2 << 20);
    char *path;
    CHECK_OK(planetkey_session_from_api_key(CANARY, 0, NULL, &session, &error));
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; ++i) {
        size_t needed = 1;
        planetkey_status status =
            planetkey_session_authorize(session, urls[i], &authorization, NULL);
        if (!CHECK(status == INVALID || status == PLANETKEY_STATUS_HOST_REFUSED)) {
            fprintf(stderr, "    %s for %s\n", planetkey_status_name(status), urls[i]);
        }
        CHECK(authorization == NULL);
        REFUSED2(INVALID, PLANETKEY_STATUS_HOST_REFUSED,
                 planetkey_session_headers(session, urls[i], &authorization, &error));
        REFUSED2(INVALID, PLANETKEY_STATUS_HOST_REFUSED,
                 planetkey_session_signed_url(session, urls[i], &string, &error));
        REFUSED2(INVALID, PLANETKEY_STATUS_HOST_REFUSED,
                 planetkey_session_copy_header(session, urls[i], buffer, sizeof buffer, &needed,
                                               &error));
        CHECK(authorization == NULL && string == NULL && needed == 0 && buffer[0] == '\0');
    }
    for (size_t i = 0; i < sizeof not_utf8 / sizeof not_utf8[0]; ++i) {
        REFUSED(INVALID, planetkey_session_authorize(session, not_utf8[i], &authorization, &error));
        REFUSED(INVALID, planetkey_strip_api_key(not_utf8[i], &string, &error));
        REFUSED(INVALID, planetkey_redact_url(not_utf8[i], &string, &error));
    }
    REFUSED(INVALID, planetkey_session_authorize(session, text, &authorization, &error));
    REFUSED(INVALID, planetkey_redact_url(text, &string, &error));
    free(text);

    /* A long path is valid, unless it is longer than any server accepts. */
    path = malloc(100001);
    memset(path, 'a', 100000);
    memcpy(path, "https://api.planet.com/", 23);
    path[100000] = '\0';
    REFUSED(INVALID, planetkey_session_authorize(session, path, &authorization, &error));
    path[60000] = '\0';
    CHECK_OK(planetkey_session_authorize(session, path, &authorization, &error));
    CHECK_TEXT(planetkey_authorization_url(authorization), path);
    planetkey_authorization_free(authorization);
    free(path);

    CHECK_OK(planetkey_session_authorize(session, "https://API.Planet.com:443/a?b#c",
                                         &authorization, &error));
    planetkey_authorization_free(authorization);
    planetkey_session_free(session);
}

static void tokens_and_answers(void) {
    static const int32_t numbers[] = {-1, 0, 99, 1000, 65537, INT32_MAX, INT32_MIN};
    planetkey_session *session = simulator_m2m_session();
    planetkey_session *other = NULL;
    planetkey_authorization *authorization = NULL;
    planetkey_authorization *repeat = NULL;
    bool answer = true;
    /* Without a token request. */
    other = simulator_api_key_session(PLANETKEY_API_KEY_TRANSPORT_BASIC);
    CHECK_OK(planetkey_session_authorize(
        other, simulator_url("PLANETKEY_SIMULATOR_PLANET_API", "/"), &authorization, &error));
    planetkey_session_free(other);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; ++i) {
        REFUSED(INVALID, planetkey_session_after_response(session, authorization, numbers[i], NULL,
                                                          &repeat, &error));
        CHECK(repeat == NULL);
    }
    REFUSED(INVALID,
            planetkey_session_after_response(session, authorization, 401, "\xff", &repeat, &error));
    CHECK(repeat == NULL);
    planetkey_authorization_free(authorization);
    REFUSED(INVALID, planetkey_session_invalidate(session, "\xff", &answer, &error));
    CHECK_OK(planetkey_session_with_timeout_ms(session, 0, &other, &error));
    planetkey_session_free(other);
    CHECK_OK(planetkey_session_with_timeout_ms(session, UINT32_MAX, &other, &error));
    planetkey_session_free(other);
    planetkey_session_free(session);
    CHECK(simulator_count("m2m.token") == 0);
}

/* The constructors refuse invalid options. */
static void options(void) {
    static const struct {
        const char *what;
        const char *value;
    } wrong[] = {
        {"deployment", "no such preset"},
        {"deployment", "{"},
        {"deployment", "{\"name\":7}"},
        {"deployment", ""},
        {"ca_file", "/no/such/file"},
        {"proxy", "not a URL"},
        {"host", "https://example.com/"},
        {"host", ""},
        {"host", "*.example.com"},
        {"host", "a b"},
        {"timeout", ""},
        {"storage_root", ""},
        {"profile", ""},
        {"profile", ".."},
        {"profile", "../" CANARY},
        {"profile", CANARY "/b"},
        {"profile", CANARY "\n"},
        {"profile", "." CANARY},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; ++i) {
        planetkey_options *options = planetkey_options_new();
        planetkey_session *session = NULL;
        planetkey_string *token = NULL;
        planetkey_error *error = NULL;
        planetkey_status status;
        if (strcmp(wrong[i].what, "deployment") == 0) {
            CHECK_OK(planetkey_options_set_deployment(options, wrong[i].value, &error));
        } else if (strcmp(wrong[i].what, "ca_file") == 0) {
            CHECK_OK(planetkey_options_set_ca_file(options, wrong[i].value, &error));
        } else if (strcmp(wrong[i].what, "proxy") == 0) {
            CHECK_OK(planetkey_options_set_proxy(options, wrong[i].value, &error));
        } else if (strcmp(wrong[i].what, "host") == 0) {
            CHECK_OK(planetkey_options_add_allowed_host(options, wrong[i].value, &error));
        } else if (strcmp(wrong[i].what, "storage_root") == 0) {
            CHECK_OK(planetkey_options_set_storage_root(options, wrong[i].value, &error));
        } else if (strcmp(wrong[i].what, "profile") == 0) {
            CHECK_OK(planetkey_options_set_profile(options, wrong[i].value, &error));
        } else {
            CHECK_OK(planetkey_options_set_timeout_ms(options, 0, &error));
        }
        status = planetkey_session_from_m2m("id", CANARY, NULL, 0, NULL, options, &session, &error);
        if (status == PLANETKEY_STATUS_OK) {
            /* Some options are checked before the first request only. */
            status = planetkey_session_access_token(session, &token, &error);
        }
        if (!CHECK(status == INVALID || status == PLANETKEY_STATUS_MISCONFIGURED)) {
            fprintf(stderr, "    %s for %s \"%s\"\n", planetkey_status_name(status), wrong[i].what,
                    wrong[i].value);
        }
        CHECK(token == NULL && error != NULL &&
              strstr(planetkey_error_message(error), CANARY) == NULL);
        planetkey_error_free(error);
        planetkey_session_free(session);
        planetkey_options_free(options);
    }
    {
        planetkey_options *options = planetkey_options_new();
        char *text = huge((size_t)2 << 20);
        REFUSED(INVALID, planetkey_options_set_deployment(options, text, &error));
        REFUSED(INVALID, planetkey_options_add_allowed_host(options, text, &error));
        REFUSED(INVALID, planetkey_options_set_ca_file(options, "\xff", &error));
        REFUSED(INVALID, planetkey_options_set_proxy(options, "\xff", &error));
        REFUSED(INVALID, planetkey_options_set_deployment(options, "\xff", &error));
        REFUSED(INVALID, planetkey_options_add_allowed_host(options, "\xff", &error));
        REFUSED(INVALID, planetkey_options_set_storage_root(options, "\xff", &error));
        REFUSED(INVALID, planetkey_options_set_storage_root(options, text, &error));
        REFUSED(INVALID, planetkey_options_set_profile(options, "\xff", &error));
        REFUSED(INVALID, planetkey_options_set_profile(options, text, &error));
        free(text);
        planetkey_options_free(options);
    }
}

int main(void) {
    /* Without the simulator's deployment: these tests use Planet's own hosts and send no requests.
     */
    char deployment[1024];
    simulator_start();
    tokens_and_answers();
    snprintf(deployment, sizeof deployment, "%s", simulator_variable("PLANETKEY_DEPLOYMENT"));
    unsetenv("PLANETKEY_DEPLOYMENT");
    api_keys();
    clients();
    profiles();
    url_tricks();
    options();
    setenv("PLANETKEY_DEPLOYMENT", deployment, 1);
    simulator_end();
    return finish();
}
