/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Sessions on disk: shared by handles and processes, ended for all of them, saved elsewhere or not
 * at all. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "simulator.h"
#include "support.h"
#include "test.h"

static const char *self;
static char api_url[1024];

/* The access token of a session. */
static void token_of(const planetkey_session *session, char *text, size_t size) {
    planetkey_string *token = NULL;
    text[0] = '\0';
    CHECK_OK(planetkey_session_access_token(session, &token, &error));
    if (token) {
        snprintf(text, size, "%s", planetkey_string_data(token));
    }
    planetkey_string_free(token);
}

/* Called repeatedly, so that it counts no checks. */
static int has_another_token(const planetkey_session *session, const char *than) {
    planetkey_string *token = NULL;
    int another = planetkey_session_access_token(session, &token, NULL) != PLANETKEY_STATUS_OK ||
                  strcmp(planetkey_string_data(token), than) != 0;
    planetkey_string_free(token);
    return another;
}

/* The file in which the tokens of a session are saved. Free it with free(). */
static char *file_of(const planetkey_session *session) {
    planetkey_session_info *info = NULL;
    char *file = NULL;
    CHECK_OK(planetkey_session_get_info(session, &info, &error));
    if (planetkey_session_info_file(info, 0)) {
        file = malloc(strlen(planetkey_session_info_file(info, 0)) + 1);
        strcpy(file, planetkey_session_info_file(info, 0));
    }
    CHECK(planetkey_session_info_file(info, 1) == NULL);
    planetkey_session_info_free(info);
    return file;
}

static void handles_share_the_session_on_disk(void) {
    planetkey_session *first = simulator_m2m_session();
    planetkey_session *second;
    planetkey_authorization *authorization = NULL;
    char token[8192];
    char same[8192];
    char path[512];
    char *file = file_of(first);
    snprintf(path, sizeof path, ".planet/planet-m2m-%s/token.json",
             simulator_variable("PL_AUTH_CLIENT_ID"));
    for (char *c = path; *c; ++c) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    }
    CHECK_TEXT(file, home_file(path));
    /* Opening a session writes nothing. */
    CHECK(entries(home_file("")) == 0);
    CHECK_OK(planetkey_session_headers_cached(first, api_url, &authorization, &error));
    CHECK(authorization == NULL);
    token_of(first, token, sizeof token);
    CHECK(permissions(file) == 0600);
    CHECK(permissions(home_file(".planet")) == 0700);

    second = simulator_m2m_session();
    CHECK_OK(planetkey_session_headers_cached(second, api_url, &authorization, &error));
    CHECK(authorization != NULL &&
          strcmp(planetkey_authorization_header_value(authorization, 0) + 7, token) == 0);
    planetkey_authorization_free(authorization);
    token_of(second, same, sizeof same);
    CHECK_TEXT(same, token);
    CHECK(simulator_count("m2m.token") == 1);

    /* The other session adopts a refreshed token: it checks the file once a second. If it did not,
     * the test would time out. */
    CHECK_OK(planetkey_session_refresh(second, &error));
    WAIT_FOR(has_another_token(first, token));
    token_of(first, same, sizeof same);
    token_of(second, token, sizeof token);
    CHECK_TEXT(same, token);
    CHECK(simulator_count("m2m.token") == 2);
    CHECK_STATUS(
        planetkey_session_headers_cached(first, "https://example.com/", &authorization, &error),
        PLANETKEY_STATUS_HOST_REFUSED);
    CHECK(authorization == NULL);
    free(file);
    planetkey_session_free(first);
    planetkey_session_free(second);
}

/* The other process: writes its access token to a file for the first one. */
static int show_token(void) {
    planetkey_session *session;
    planetkey_string *token = NULL;
    int good;
    simulator_join();
    session = simulator_user_session();
    good = planetkey_session_access_token(session, &token, NULL) == PLANETKEY_STATUS_OK;
    if (good) {
        write_text(home_file("shown"), planetkey_string_data(token));
    }
    planetkey_string_free(token);
    planetkey_session_free(session);
    return good ? 0 : 1;
}

struct asking {
    const planetkey_session *session;
    planetkey_status status;
};

static void *ask(void *argument) {
    struct asking *asking = argument;
    planetkey_string *token = NULL;
    asking->status = planetkey_session_access_token(asking->session, &token, NULL);
    planetkey_string_free(token);
    return NULL;
}

/* Both need a new token: one request, with a refresh token that can be used once. */
static void processes_share_a_refresh(void) {
    const char *const arguments[] = {"show_token", NULL};
    planetkey_session *session;
    struct asking asking;
    pthread_t thread;
    pid_t child;
    char token[8192];
    char *shown;
    simulator_log_in("{\"lifetime\":0}");
    session = simulator_user_session();
    simulator_script("user.token", "[{\"hold\":\"gate\"}]", 0);
    asking = (struct asking){.session = session, .status = PLANETKEY_STATUS_INTERNAL};
    CHECK(pthread_create(&thread, NULL, ask, &asking) == 0);
    child = start_again(self, arguments);
    simulator_wait_held("gate", 1);
    simulator_release("gate");
    pthread_join(thread, NULL);
    CHECK(ended(child) == 0);
    CHECK(asking.status == PLANETKEY_STATUS_OK);
    shown = read_text(home_file("shown"));
    token_of(session, token, sizeof token);
    CHECK_TEXT(shown, token);
    CHECK(simulator_count("user.token") == 1);
    CHECK(simulator_count("user.rotations") == 1 && simulator_count("user.reuse") == 0);
    CHECK(simulator_count("user.sessions.active") == 1);
    free(shown);
    planetkey_session_free(session);
}

static planetkey_status headers(const planetkey_session *session, char *reason, size_t size) {
    planetkey_authorization *authorization = NULL;
    planetkey_error *error = NULL;
    planetkey_status status = planetkey_session_headers(session, api_url, &authorization, &error);
    snprintf(reason, size, "%s",
             planetkey_error_reason(error) ? planetkey_error_reason(error) : "");
    planetkey_authorization_free(authorization);
    planetkey_error_free(error);
    return status;
}

static void logout_ends_the_session_for_all(void) {
    planetkey_session *session;
    planetkey_session *other;
    planetkey_session *later;
    char reason[64];
    char *file;
    bool removed = false;
    simulator_log_in(NULL);
    session = simulator_user_session();
    other = simulator_user_session();
    CHECK(planetkey_session_is_initialized(session));
    CHECK(headers(session, reason, sizeof reason) == PLANETKEY_STATUS_OK);
    CHECK(headers(other, reason, sizeof reason) == PLANETKEY_STATUS_OK);
    file = file_of(session);
    CHECK_TEXT(file, home_file(".planet/planet-user/token.json"));
    CHECK_OK(log_out(session, true, &removed, NULL, &error));
    CHECK(removed);
    CHECK(permissions(file) == -1);
    CHECK(!planetkey_session_is_initialized(session));
    CHECK(headers(session, reason, sizeof reason) == PLANETKEY_STATUS_LOGIN_REQUIRED);
    CHECK_TEXT(reason, "logged_out");
    /* The others check the file once a second. If they did not, the test would time out. */
    WAIT_FOR(headers(other, reason, sizeof reason) != PLANETKEY_STATUS_OK);
    CHECK(headers(other, reason, sizeof reason) == PLANETKEY_STATUS_LOGIN_REQUIRED);
    CHECK_TEXT(reason, "logged_out");
    CHECK(!planetkey_session_is_initialized(other));
    later = simulator_user_session();
    CHECK(headers(later, reason, sizeof reason) == PLANETKEY_STATUS_LOGIN_REQUIRED);
    CHECK_TEXT(reason, "never_logged_in");

    /* Nothing is left to delete, and no request is sent. */
    CHECK_OK(log_out(other, true, &removed, NULL, &error));
    CHECK(!removed);
    CHECK_OK(planetkey_session_logout(other, true, NULL, &error));
    CHECK(simulator_count("user.token") == 0);
    free(file);
    planetkey_session_free(session);
    planetkey_session_free(other);
    planetkey_session_free(later);
}

static void an_m2m_client_gets_new_tokens_after_logout(void) {
    planetkey_session *session = simulator_m2m_session();
    planetkey_session *key = simulator_api_key_session(PLANETKEY_API_KEY_TRANSPORT_BASIC);
    char token[8192];
    char next[8192];
    bool removed = false;
    token_of(session, token, sizeof token);
    CHECK_OK(log_out(session, true, &removed, NULL, &error));
    CHECK(removed && planetkey_session_is_initialized(session));
    token_of(session, next, sizeof next);
    CHECK(strcmp(next, token) != 0);
    CHECK(simulator_count("m2m.token") == 2);
    removed = true;
    CHECK_STATUS(log_out(key, true, &removed, NULL, &error), PLANETKEY_STATUS_UNSUPPORTED);
    CHECK(!removed);
    planetkey_session_free(session);
    planetkey_session_free(key);
}

static void save_false_writes_nothing(void) {
    planetkey_options *options = simulator_options();
    planetkey_session *saved = NULL;
    planetkey_session *in_memory;
    char token[8192];
    char other[8192];
    CHECK_OK(planetkey_options_set_save(options, false, &error));
    in_memory = simulator_m2m_session_with(options);
    token_of(in_memory, token, sizeof token);
    CHECK(entries(home_file("")) == 0);
    CHECK(file_of(in_memory) == NULL);
    planetkey_session_free(in_memory);

    /* The tokens on disk are ignored too. */
    saved = simulator_m2m_session();
    token_of(saved, token, sizeof token);
    CHECK(simulator_count("m2m.token") == 2);
    in_memory = simulator_m2m_session_with(options);
    token_of(in_memory, other, sizeof other);
    CHECK(strcmp(token, other) != 0);
    CHECK(simulator_count("m2m.token") == 3);
    CHECK_OK(planetkey_session_logout(in_memory, true, NULL, &error));
    CHECK(entries(home_file(".planet")) == 1);
    token_of(saved, other, sizeof other);
    CHECK_TEXT(other, token);
    planetkey_session_free(in_memory);
    planetkey_session_free(saved);

    CHECK_OK(planetkey_options_set_save(options, true, &error));
    saved = simulator_m2m_session_with(options);
    token_of(saved, other, sizeof other);
    CHECK_TEXT(other, token);
    planetkey_session_free(saved);
    planetkey_options_free(options);
}

static void another_storage_root_and_profile(void) {
    planetkey_options *options = simulator_options();
    planetkey_session *session;
    planetkey_session *refused = NULL;
    char token[8192];
    char root[1024];
    char path[1200];
    char config[2048];
    char *file;
    snprintf(root, sizeof root, "%s", home_file("elsewhere"));
    CHECK_OK(planetkey_options_set_storage_root(options, root, &error));
    session = simulator_m2m_session_with(options);
    token_of(session, token, sizeof token);
    file = file_of(session);
    CHECK(strncmp(file, root, strlen(root)) == 0 && permissions(file) == 0600);
    CHECK(entries(home_file("")) == 1);
    free(file);
    planetkey_session_free(session);

    CHECK_OK(planetkey_options_set_profile(options, "mine", &error));
    session = simulator_m2m_session_with(options);
    token_of(session, token, sizeof token);
    file = file_of(session);
    snprintf(path, sizeof path, "%s/.planet/mine/token.json", root);
    CHECK_TEXT(file, path);
    CHECK(permissions(path) == 0600);
    free(file);
    planetkey_session_free(session);
    CHECK(simulator_count("m2m.token") == 2);
    snprintf(config, sizeof config,
             "{\"client_type\":\"oidc_client_credentials_secret\",\"auth_server\":\"%s\",\"client_"
             "id\":\"%s\",\"client_secret\":\"%s\"}",
             simulator_variable("PLANETKEY_SIMULATOR_M2M"), simulator_variable("PL_AUTH_CLIENT_ID"),
             simulator_variable("PL_AUTH_CLIENT_SECRET"));
    CHECK_OK(planetkey_session_from_client_config(config, options, &session, &error));
    file = file_of(session);
    CHECK_TEXT(file, path);
    free(file);
    planetkey_session_free(session);

    /* The other constructors have a profile, or need none. */
    CHECK_STATUS(planetkey_session_from_profile("planet-user", options, &refused, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(planetkey_session_from_api_key("key", 0, options, &refused, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(planetkey_session_from_defaults(options, &refused, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    planetkey_options_free(options);
}

/* A program saves the session, and no file holds it. */
static void a_storage_command_saves_the_session(void) {
    static const char *const helper = "#!/bin/sh\n"
                                      "case $1 in\n"
                                      "get) cat \"$0.secret\" 2>/dev/null || echo '{}' ;;\n"
                                      "store) cat >\"$0.secret\" ;;\n"
                                      "erase) rm -f \"$0.secret\" ;;\n"
                                      "esac\n";
    planetkey_options *options = simulator_options();
    planetkey_session *session = NULL;
    planetkey_session_info *info = NULL;
    char token[8192];
    char program[1024];
    char secret[1100];
    char shown[1100];
    char config[4096];
    snprintf(program, sizeof program, "%s", home_file("helper"));
    snprintf(secret, sizeof secret, "%s.secret", program);
    snprintf(shown, sizeof shown, "storage_command %s", program);
    write_text(program, helper);
    CHECK(chmod(program, 0700) == 0);
    snprintf(config, sizeof config,
             "{\"client_type\":\"oidc_client_credentials_secret\",\"auth_server\":\"%s\",\"client_"
             "id\":\"%s\",\"client_secret\":\"%s\",\"storage_command\":[\"%s\"]}",
             simulator_variable("PLANETKEY_SIMULATOR_M2M"), simulator_variable("PL_AUTH_CLIENT_ID"),
             simulator_variable("PL_AUTH_CLIENT_SECRET"), program);
    CHECK_STATUS(planetkey_session_from_client_config(config, options, &session, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(mkdir(home_file(".planet"), 0700) == 0 && mkdir(home_file(".planet/mine"), 0700) == 0);
    write_text(home_file(".planet/mine/auth_client.json"), config);
    CHECK_OK(planetkey_session_from_profile("mine", options, &session, &error));
    CHECK_OK(planetkey_session_get_info(session, &info, &error));
    CHECK(planetkey_session_info_file(info, 0) == NULL);
    CHECK_TEXT(planetkey_session_info_store(info, 0), shown);
    CHECK(!planetkey_session_info_store_is_reachable(info, 0));
    CHECK(planetkey_session_info_store_holds(info, 0) == NULL);
    CHECK(planetkey_session_info_store_problem(info, 0) == NULL);
    CHECK(planetkey_session_info_store(info, 1) == NULL);
    planetkey_session_info_free(info);
    token_of(session, token, sizeof token);
    CHECK(access(secret, F_OK) == 0);
    CHECK(access(home_file(".planet/mine/token.json"), F_OK) != 0);
    CHECK_OK(planetkey_session_get_info(session, &info, &error));
    CHECK(planetkey_session_info_store_is_reachable(info, 0));
    CHECK_TEXT(planetkey_session_info_store_holds(info, 0), "token");
    planetkey_session_info_free(info);

    write_text(program, "#!/bin/sh\necho locked >&2\nexit 1\n");
    CHECK_STATUS(planetkey_session_logout(session, false, NULL, &error), PLANETKEY_STATUS_STORAGE);
    CHECK_OK(planetkey_session_get_info(session, &info, &error));
    CHECK(!planetkey_session_info_store_is_reachable(info, 0));
    CHECK(planetkey_session_info_store_problem(info, 0) != NULL &&
          strstr(planetkey_session_info_store_problem(info, 0), "\"locked\"") != NULL);
    planetkey_session_info_free(info);
    write_text(program, helper);
    CHECK_OK(planetkey_session_logout(session, false, NULL, &error));
    CHECK(access(secret, F_OK) != 0);
    planetkey_session_free(session);
    planetkey_options_free(options);
}

/* No directory can be made there: the tokens stay in memory, and a note says so. */
static void tokens_that_cannot_be_saved_are_noted(void) {
    planetkey_options *options = simulator_options();
    planetkey_session *session;
    planetkey_session_info *info = NULL;
    char token[8192];
    CHECK_OK(planetkey_options_set_storage_root(options, "/sys", &error));
    session = simulator_m2m_session_with(options);
    token_of(session, token, sizeof token);
    CHECK(token[0] != '\0');
    CHECK_OK(planetkey_session_get_info(session, &info, &error));
    CHECK(planetkey_session_info_note_count(info) == 1);
    CHECK(planetkey_session_info_note(info, 0) != NULL &&
          strstr(planetkey_session_info_note(info, 0), "/sys/.planet") != NULL);
    planetkey_session_info_free(info);
    planetkey_session_free(session);
    planetkey_options_free(options);
}

int main(int argc, char **argv) {
    void (*const tests[])(void) = {
        handles_share_the_session_on_disk,   processes_share_a_refresh,
        logout_ends_the_session_for_all,     an_m2m_client_gets_new_tokens_after_logout,
        save_false_writes_nothing,           another_storage_root_and_profile,
        a_storage_command_saves_the_session, tokens_that_cannot_be_saved_are_noted};
    if (argc == 2 && strcmp(argv[1], "show_token") == 0) {
        return show_token();
    }
    self = argv[0];
    simulator_start();
    snprintf(api_url, sizeof api_url, "%s",
             simulator_url("PLANETKEY_SIMULATOR_PLANET_API", "/data/v1/item-types"));
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; ++i) {
        simulator_reset();
        tests[i]();
    }
    simulator_end();
    return finish();
}
