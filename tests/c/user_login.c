/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* User sessions: userinfo, ID token, introspection, logout. */
#include <stdlib.h>

#include "simulator.h"
#include "support.h"
#include "test.h"

/* A session as if a user had logged in with these scopes. */
static planetkey_session *logged_in_with(const char *scope) {
    char members[256];
    snprintf(members, sizeof members, "{\"subject\":\"user|ada\",\"scope\":\"%s\"}", scope);
    simulator_log_in(members);
    return simulator_user_session();
}

/* A text member of a JSON object. Frees the object. */
static void member_is(planetkey_string *json, const char *member, const char *expected) {
    cJSON *object = cJSON_Parse(planetkey_string_data(json));
    CHECK(cJSON_IsObject(object));
    CHECK_TEXT(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, member)), expected);
    cJSON_Delete(object);
    planetkey_string_free(json);
}

static void is_active(planetkey_string *json, int expected) {
    cJSON *object = cJSON_Parse(planetkey_string_data(json));
    const cJSON *active = cJSON_GetObjectItemCaseSensitive(object, "active");
    CHECK(cJSON_IsBool(active) && cJSON_IsTrue(active) == expected);
    cJSON_Delete(object);
    planetkey_string_free(json);
}

static void the_logged_in_user(void) {
    planetkey_session *session = logged_in_with("planet offline_access openid email");
    planetkey_string *json = NULL;
    planetkey_string *token = NULL;
    CHECK_OK(planetkey_session_userinfo(session, &json, &error));
    member_is(json, "sub", "user|ada");
    CHECK_OK(planetkey_session_id_token_claims(session, &json, &error));
    member_is(json, "sub", "user|ada");
    CHECK_OK(planetkey_session_id_token_claims(session, &json, &error));
    member_is(json, "iss", simulator_variable("PLANETKEY_SIMULATOR_USER"));
    CHECK(simulator_count("user.jwks") == 1);

    CHECK_OK(planetkey_session_introspect(session, NULL, &json, &error));
    is_active(json, 1);
    CHECK_OK(planetkey_session_access_token(session, &token, &error));
    CHECK_OK(planetkey_session_introspect(session, planetkey_string_data(token), &json, &error));
    member_is(json, "sub", "user|ada");
    CHECK_OK(planetkey_session_introspect(session, "an unknown token", &json, &error));
    is_active(json, 0);
    CHECK_STATUS(planetkey_session_introspect(session, "", &json, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(planetkey_session_introspect(session, "\xff", &json, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(json == NULL);
    planetkey_string_free(token);

    /* About a different user. */
    simulator_script("user.userinfo",
                     "[{\"userinfo_response\":{\"set\":{\"sub\":\"user|mallory\"}}}]", 0);
    CHECK_STATUS(planetkey_session_userinfo(session, &json, &error),
                 PLANETKEY_STATUS_TOKEN_INVALID);
    CHECK(json == NULL);
    planetkey_session_free(session);
}

static void without_openid_or_a_session(void) {
    planetkey_session *session = logged_in_with("planet offline_access");
    planetkey_session *logged_out_session;
    planetkey_session *m2m = simulator_m2m_session();
    planetkey_session *key = simulator_api_key_session(PLANETKEY_API_KEY_TRANSPORT_BASIC);
    planetkey_string *json = NULL;
    CHECK_STATUS(planetkey_session_userinfo(session, &json, &error),
                 PLANETKEY_STATUS_MISCONFIGURED);
    CHECK_STATUS(planetkey_session_id_token_claims(session, &json, &error),
                 PLANETKEY_STATUS_MISCONFIGURED);
    CHECK_OK(planetkey_session_logout(session, false, NULL, &error));
    logged_out_session = simulator_user_session();
    CHECK_STATUS(planetkey_session_userinfo(logged_out_session, &json, &error),
                 PLANETKEY_STATUS_LOGIN_REQUIRED);
    CHECK_STATUS(planetkey_session_id_token_claims(logged_out_session, &json, &error),
                 PLANETKEY_STATUS_LOGIN_REQUIRED);
    CHECK_STATUS(planetkey_session_introspect(logged_out_session, NULL, &json, &error),
                 PLANETKEY_STATUS_LOGIN_REQUIRED);
    CHECK_STATUS(planetkey_session_userinfo(m2m, &json, &error), PLANETKEY_STATUS_UNSUPPORTED);
    CHECK_STATUS(planetkey_session_id_token_claims(m2m, &json, &error),
                 PLANETKEY_STATUS_UNSUPPORTED);
    /* Its server does not support it. */
    CHECK_STATUS(planetkey_session_introspect(m2m, NULL, &json, &error),
                 PLANETKEY_STATUS_UNSUPPORTED);
    CHECK_STATUS(planetkey_session_userinfo(key, &json, &error), PLANETKEY_STATUS_UNSUPPORTED);
    CHECK_STATUS(planetkey_session_introspect(key, NULL, &json, &error),
                 PLANETKEY_STATUS_UNSUPPORTED);
    CHECK(json == NULL);
    planetkey_session_free(session);
    planetkey_session_free(logged_out_session);
    planetkey_session_free(m2m);
    planetkey_session_free(key);
}

static void logged_out(void) {
    static const struct {
        bool revoke;
        /* The responses of the revocation endpoint. */
        const char *steps;
        planetkey_revocation revocation;
        const char *name;
        int requests;
        int alive;
    } cases[] = {
        {true, "[]", PLANETKEY_REVOCATION_REVOKED, "revoked", 1, 0},
        {false, "[]", PLANETKEY_REVOCATION_NONE, "none", 0, 1},
        {true, "[{\"status\":503}]", PLANETKEY_REVOCATION_UNKNOWN, "unknown", 1, 1},
        {true, "[{\"fault\":\"reset_after_read\"}]", PLANETKEY_REVOCATION_UNKNOWN, "unknown", 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        planetkey_session *session;
        planetkey_authorization *authorization = NULL;
        planetkey_logout_result *result = NULL;
        const char *revocation_error;
        bool removed = true;
        int32_t revocation = -1;
        simulator_reset();
        session = logged_in_with("planet offline_access");
        CHECK(planetkey_session_is_initialized(session));
        simulator_script("user.revoke", cases[i].steps, 1);
        CHECK_OK(planetkey_session_logout(session, cases[i].revoke, &result, &error));
        revocation_error = planetkey_logout_result_revocation_error(result);
        CHECK((revocation_error != NULL) == (cases[i].revocation == PLANETKEY_REVOCATION_UNKNOWN));
        CHECK(revocation_error == NULL ||
              (*revocation_error && strpbrk(revocation_error, "\r\n") == NULL));
        CHECK(planetkey_logout_result_removed(result));
        CHECK(planetkey_logout_result_revocation(result) == cases[i].revocation);
        CHECK_TEXT(planetkey_revocation_name((int32_t)planetkey_logout_result_revocation(result)),
                   cases[i].name);
        planetkey_logout_result_free(result);
        CHECK(simulator_count("user.revoke") == cases[i].requests &&
              simulator_sessions_alive() == cases[i].alive);
        /* The tokens are deleted, whatever the server responded. */
        CHECK(!planetkey_session_is_initialized(session));
        CHECK_STATUS(planetkey_session_authorize(
                         session, simulator_url("PLANETKEY_SIMULATOR_PLANET_API", "/data/v1/"),
                         &authorization, &error),
                     PLANETKEY_STATUS_LOGIN_REQUIRED);
        /* Nothing is left to revoke. */
        CHECK_OK(log_out(session, true, &removed, &revocation, &error));
        CHECK(!removed && revocation == PLANETKEY_REVOCATION_NONE);
        planetkey_session_free(session);
    }
}

/* A session of the defaults gets the session of the user who logged in, and its logout ends that.
 */
static void the_defaults_get_the_session_of_a_login(void) {
    planetkey_options *options = simulator_options();
    planetkey_session *everything = NULL;
    planetkey_session *user = NULL;
    planetkey_login *login = NULL;
    char *location;
    int32_t revocation = -1;
    unsetenv("PL_AUTH_CLIENT_ID");
    unsetenv("PL_AUTH_CLIENT_SECRET");
    unsetenv("PL_API_KEY");
    CHECK_OK(planetkey_session_from_defaults(options, &everything, &error));
    planetkey_options_free(options);
    CHECK(!planetkey_session_is_initialized(everything));
    CHECK_OK(planetkey_session_start_browser_login(everything, NULL, &login, &error));
    location = simulator_log_in_in_browser(planetkey_login_authorization_url(login), NULL);
    CHECK_OK(planetkey_login_complete(login, location, NULL, &error));
    free(location);
    planetkey_login_free(login);
    CHECK(planetkey_session_is_initialized(everything));
    user = simulator_user_session();
    CHECK(planetkey_session_is_initialized(user));
    planetkey_session_free(user);
    CHECK_OK(log_out(everything, true, NULL, &revocation, &error));
    CHECK(revocation == PLANETKEY_REVOCATION_REVOKED && simulator_sessions_alive() == 0);
    planetkey_session_free(everything);
}

int main(void) {
    void (*const tests[])(void) = {the_logged_in_user, without_openid_or_a_session, logged_out,
                                   the_defaults_get_the_session_of_a_login};
    simulator_start();
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; ++i) {
        simulator_reset();
        tests[i]();
    }
    simulator_end();
    return finish();
}
