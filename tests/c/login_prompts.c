/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* planetkey_session_login(): what the user is shown, what they answer, and how the login ends. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "simulator.h"
#include "support.h"
#include "test.h"

/* A user of the program, and what they do when a prompt is shown. */
struct visitor {
    /* Members of POST /login, which say how they log in. */
    const char *members;
    /* Their answers, one for each prompt. PASTES is the URL of the redirect. */
    const char *answers[4];
    int32_t returns;
    bool stays_away;
    planetkey_login *cancels;
    /* The prompts that were shown. */
    int shown;
    int destroyed;
    int32_t kind;
    char message[2048];
    /* Their browser. */
    pthread_t browser;
    bool has_browser;
    char *url;
};

static const char PASTES[] = "pastes";

static planetkey_session *session;

static void *browse(void *argument) {
    struct visitor *visitor = argument;
    char *location = simulator_log_in_in_browser(visitor->url, visitor->members);
    simulator_get(location, NULL, NULL);
    free(location);
    free(visitor->url);
    return NULL;
}

/* Runs on the thread that logs in, here always that of main(). */
static int32_t show(void *user_data, const planetkey_prompt *prompt) {
    struct visitor *visitor = user_data;
    const char *answer = visitor->answers[visitor->shown];
    ++visitor->shown;
    visitor->kind = planetkey_prompt_kind_of(prompt);
    snprintf(visitor->message, sizeof visitor->message, "%s", planetkey_prompt_message(prompt));
    CHECK(planetkey_prompt_kind_name(visitor->kind) != NULL);
    if (visitor->kind == PLANETKEY_PROMPT_KIND_DEVICE && !visitor->stays_away) {
        simulator_log_in_on_device(planetkey_prompt_user_code(prompt), visitor->members);
    }
    if (visitor->kind == PLANETKEY_PROMPT_KIND_BROWSER && !visitor->stays_away) {
        visitor->url = strdup(planetkey_prompt_url(prompt));
        visitor->has_browser = CHECK(pthread_create(&visitor->browser, NULL, browse, visitor) == 0);
    }
    if (answer == PASTES) {
        char *location =
            simulator_log_in_in_browser(planetkey_prompt_url(prompt), visitor->members);
        CHECK_OK(planetkey_prompt_set_answer(prompt, "something else first", &error));
        CHECK_OK(planetkey_prompt_set_answer(prompt, location, &error));
        free(location);
    } else {
        CHECK_OK(planetkey_prompt_set_answer(prompt, answer, &error));
    }
    planetkey_login_cancel(visitor->cancels);
    return visitor->returns;
}

static void destroy(void *user_data) { ++((struct visitor *)user_data)->destroyed; }

static planetkey_login_options *options_for(struct visitor *visitor,
                                            planetkey_login_method method) {
    planetkey_login_options *options = planetkey_login_options_new();
    CHECK_OK(planetkey_login_options_set_method(options, (int32_t)method, &error));
    CHECK_OK(planetkey_login_options_set_open_browser(options, false, &error));
    CHECK_OK(planetkey_login_options_set_prompt(options, show, visitor, destroy, &error));
    return options;
}

/* Frees the options. */
static planetkey_login_result *log_in(planetkey_login_options *options, struct visitor *visitor,
                                      planetkey_status expected) {
    planetkey_login_result *result = NULL;
    CHECK_STATUS(planetkey_session_login(session, options, &result, &error), expected);
    CHECK((result != NULL) == (expected == PLANETKEY_STATUS_OK));
    planetkey_login_options_free(options);
    if (visitor->has_browser) {
        pthread_join(visitor->browser, NULL);
        visitor->has_browser = false;
    }
    CHECK(visitor->destroyed == 1);
    visitor->destroyed = 0;
    return result;
}

static int32_t look_closely(void *user_data, const planetkey_prompt *prompt) {
    int *shown = user_data;
    planetkey_string *qr_code = planetkey_prompt_qr_code(prompt, true);
    ++*shown;
    CHECK(planetkey_prompt_kind_of(prompt) == PLANETKEY_PROMPT_KIND_DEVICE);
    CHECK_TEXT(planetkey_prompt_kind_name(planetkey_prompt_kind_of(prompt)), "device");
    CHECK(strstr(planetkey_prompt_message(prompt), planetkey_prompt_user_code(prompt)) != NULL);
    CHECK(strstr(planetkey_prompt_message(prompt), planetkey_prompt_url(prompt)) != NULL);
    CHECK_TEXT(planetkey_prompt_url(prompt), planetkey_prompt_verification_uri_complete(prompt));
    CHECK(strncmp(planetkey_prompt_url(prompt), planetkey_prompt_verification_uri(prompt),
                  strlen(planetkey_prompt_verification_uri(prompt))) == 0);
    CHECK(planetkey_prompt_expires_in_ms(prompt) > 800000 &&
          !planetkey_prompt_browser_opened(prompt));
    CHECK(strspn(planetkey_string_data(qr_code), "# \n") == planetkey_string_length(qr_code));
    planetkey_string_free(qr_code);
    /* A prompt callback may call planetkey. */
    CHECK(!planetkey_session_is_initialized(session));
    CHECK_STATUS(planetkey_prompt_set_answer(prompt, "\xff", &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    simulator_log_in_on_device(planetkey_prompt_user_code(prompt), NULL);
    return PLANETKEY_STATUS_OK;
}

static void a_valid_session_needs_no_prompt(void) {
    static const char *const scopes[] = {"planet", "offline_access", "openid", "email"};
    planetkey_login_options *options = planetkey_login_options_new();
    planetkey_login_result *result = NULL;
    struct visitor visitor = {.members = "\"username\":\"simulator-user\""};
    int shown = 0;
    CHECK_OK(planetkey_login_options_set_open_browser(options, false, &error));
    CHECK_OK(planetkey_login_options_set_prompt(options, look_closely, &shown, NULL, &error));
    CHECK_OK(planetkey_session_login(session, options, &result, &error));
    CHECK(shown == 1 && planetkey_login_result_prompted(result));
    planetkey_login_result_free(result);
    /* The session is valid, so that the user is not prompted. */
    CHECK_OK(planetkey_session_login(session, options, &result, &error));
    CHECK(shown == 1 && !planetkey_login_result_prompted(result));
    CHECK_TEXT(planetkey_login_result_subject(result), "simulator-user");
    planetkey_login_result_free(result);
    CHECK_OK(planetkey_session_login(session, NULL, NULL, &error));
    planetkey_login_options_free(options);

    /* The session lacks a scope. */
    options = options_for(&visitor, PLANETKEY_LOGIN_METHOD_DEVICE);
    CHECK_OK(planetkey_login_options_set_scopes(options, scopes, 4, &error));
    result = log_in(options, &visitor, PLANETKEY_STATUS_OK);
    CHECK(visitor.shown == 1 && planetkey_login_result_scope_count(result) == 4);
    CHECK_TEXT(planetkey_login_result_email(result), "simulator-user@example.com");
    planetkey_login_result_free(result);

    options = options_for(&visitor, PLANETKEY_LOGIN_METHOD_DEVICE);
    CHECK_OK(planetkey_login_options_set_force(options, true, &error));
    result = log_in(options, &visitor, PLANETKEY_STATUS_OK);
    CHECK(visitor.shown == 2 && planetkey_login_result_prompted(result));
    planetkey_login_result_free(result);
}

static void pasted(void) {
    struct visitor visitor = {.members = "\"username\":\"ada\"",
                              .answers = {"http://127.0.0.1/callback", "not an address", PASTES}};
    planetkey_login_result *result =
        log_in(options_for(&visitor, PLANETKEY_LOGIN_METHOD_PASTE), &visitor, PLANETKEY_STATUS_OK);
    CHECK(visitor.shown == 3 && visitor.kind == PLANETKEY_PROMPT_KIND_PASTE);
    /* Why the last answer was not good. */
    CHECK(strstr(visitor.message, "paste the whole address") != NULL);
    CHECK_TEXT(planetkey_login_result_subject(result), "user|ada");
    planetkey_login_result_free(result);
}

static void a_user_cancels_at_a_prompt(void) {
    struct visitor visitor = {.answers = {"not an address", NULL}};
    CHECK(log_in(options_for(&visitor, PLANETKEY_LOGIN_METHOD_PASTE), &visitor,
                 PLANETKEY_STATUS_CANCELLED) == NULL);
    CHECK(visitor.shown == 2);
    CHECK(!planetkey_session_is_initialized(session));
}

static void a_prompt_that_fails(void) {
    static const struct {
        int32_t returns;
        planetkey_status status;
        const char *message;
    } failures[] = {
        {PLANETKEY_STATUS_CANCELLED, PLANETKEY_STATUS_CANCELLED, "it returned 8, CANCELLED"},
        {PLANETKEY_STATUS_UNAVAILABLE, PLANETKEY_STATUS_UNAVAILABLE, "it returned 6, UNAVAILABLE"},
        {-7, PLANETKEY_STATUS_CANCELLED, "it returned -7"},
        {INT32_MAX, PLANETKEY_STATUS_CANCELLED, "it returned 2147483647"},
    };
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; ++i) {
        for (planetkey_login_method method = PLANETKEY_LOGIN_METHOD_BROWSER;
             method <= PLANETKEY_LOGIN_METHOD_PASTE; ++method) {
            struct visitor visitor = {
                .returns = failures[i].returns, .stays_away = true, .answers = {"not an address"}};
            planetkey_login_options *options = options_for(&visitor, method);
            planetkey_error *error = NULL;
            planetkey_status status = planetkey_session_login(session, options, NULL, &error);
            CHECK(strstr(planetkey_error_message(error), failures[i].message) != NULL);
            CHECK_TEXT(planetkey_error_profile(error), "planet-user");
            check_status_(status, failures[i].status, error, __FILE__, __LINE__, "login");
            planetkey_login_options_free(options);
            CHECK(visitor.shown == 1 && visitor.destroyed == 1 && visitor.kind == (int32_t)method);
        }
    }
    CHECK(simulator_count("user.token") == 0);
}

static void in_a_browser_that_the_user_opens(void) {
    struct visitor visitor = {.members = "\"username\":\"ada\""};
    planetkey_login_result *result = log_in(options_for(&visitor, PLANETKEY_LOGIN_METHOD_BROWSER),
                                            &visitor, PLANETKEY_STATUS_OK);
    CHECK(visitor.shown == 1 && visitor.kind == PLANETKEY_PROMPT_KIND_BROWSER);
    CHECK_TEXT(planetkey_login_result_subject(result), "user|ada");
    planetkey_login_result_free(result);
}

/* What planetkey opened, once it has been opened. */
static void *browse_what_was_opened(void *argument) {
    struct visitor *visitor = argument;
    char *url = NULL;
    WAIT_FOR((url = read_text(home_file("opened"))) != NULL);
    visitor->url = url;
    return browse(visitor);
}

/* Without a prompt callback: the browser on this computer is enough. */
static void in_a_browser_that_planetkey_opens(void) {
    struct visitor visitor = {.members = NULL};
    planetkey_login_options *options = planetkey_login_options_new();
    planetkey_login_result *result = NULL;
    char browser[1024];
    CHECK_OK(planetkey_login_options_set_method(options, PLANETKEY_LOGIN_METHOD_BROWSER, &error));
    snprintf(browser, sizeof browser, "%s", home_file("browser"));
    write_text(browser, "#!/bin/sh\nprintf %s \"$1\" > \"$HOME/opening\" && mv \"$HOME/opening\" "
                        "\"$HOME/opened\"\n");
    CHECK(chmod(browser, 0700) == 0);
    setenv("BROWSER", browser, 1);
    CHECK(pthread_create(&visitor.browser, NULL, browse_what_was_opened, &visitor) == 0);
    CHECK_OK(planetkey_session_login(session, options, &result, &error));
    pthread_join(visitor.browser, NULL);
    unsetenv("BROWSER");
    planetkey_login_options_free(options);
    CHECK(planetkey_login_result_prompted(result));
    CHECK_TEXT(planetkey_login_result_subject(result), "simulator-user");
    planetkey_login_result_free(result);
}

static void no_prompt_handler(void) {
    planetkey_login_options *options = planetkey_login_options_new();
    planetkey_login_result *result = NULL;
    planetkey_error *error = NULL;
    CHECK_OK(planetkey_login_options_set_open_browser(options, false, &error));
    CHECK(planetkey_session_login(session, options, &result, &error) ==
          PLANETKEY_STATUS_LOGIN_REQUIRED);
    CHECK(result == NULL);
    CHECK_TEXT(planetkey_error_reason(error), "never_logged_in");
    CHECK(strstr(planetkey_error_message(error), "no prompt handler was provided") != NULL);
    planetkey_error_free(error);
    planetkey_login_options_free(options);
}

static void different_user(void) {
    static const char *const answers[] = {NULL, "no", "", "yes please"};
    planetkey_login_result *result = NULL;
    planetkey_login_options *options;
    struct visitor ada = {.members = "\"username\":\"ada\"", .answers = {PASTES}};
    char *before;
    planetkey_login_result_free(
        log_in(options_for(&ada, PLANETKEY_LOGIN_METHOD_PASTE), &ada, PLANETKEY_STATUS_OK));
    before = read_text(home_file(".planet/planet-user/token.json"));
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; ++i) {
        struct visitor bob = {.members = "\"username\":\"bob\"", .answers = {PASTES, answers[i]}};
        planetkey_error *error = NULL;
        char *after;
        options = options_for(&bob, PLANETKEY_LOGIN_METHOD_PASTE);
        CHECK_OK(planetkey_login_options_set_force(options, true, &error));
        CHECK(planetkey_session_login(session, options, &result, &error) ==
              PLANETKEY_STATUS_DENIED);
        CHECK_TEXT(planetkey_error_reason(error), "other_user");
        planetkey_error_free(error);
        planetkey_login_options_free(options);
        CHECK(bob.shown == 2 && bob.kind == PLANETKEY_PROMPT_KIND_OTHER_USER);
        CHECK(strstr(bob.message, "user|ada") != NULL && strstr(bob.message, "user|bob") != NULL);
        after = read_text(home_file(".planet/planet-user/token.json"));
        CHECK_TEXT(after, before);
        free(after);
        /* The unused tokens were revoked. */
        CHECK(planetkey_settle(30000) && simulator_sessions_alive() == 1);
    }
    free(before);
    for (int allowed = 0; allowed < 2; ++allowed) {
        struct visitor bob = {.members = allowed ? "\"username\":\"ada\"" : "\"username\":\"bob\"",
                              .answers = {PASTES, "Yes"}};
        options = options_for(&bob, PLANETKEY_LOGIN_METHOD_PASTE);
        CHECK_OK(planetkey_login_options_set_force(options, true, &error));
        CHECK_OK(planetkey_login_options_set_allow_other_user(options, allowed, &error));
        result = log_in(options, &bob, PLANETKEY_STATUS_OK);
        CHECK(bob.shown == (allowed ? 1 : 2));
        CHECK_TEXT(planetkey_login_result_subject(result), allowed ? "user|ada" : "user|bob");
        planetkey_login_result_free(result);
    }
}

/* The prompt is shown on the thread that completes the login, and may cancel it. */
static void cancelled_in_the_prompt(void) {
    struct visitor ada = {.members = "\"username\":\"ada\"", .answers = {PASTES}};
    struct visitor bob = {.answers = {"yes"}};
    planetkey_login_options *options = options_for(&bob, PLANETKEY_LOGIN_METHOD_AUTO);
    planetkey_login *login = NULL;
    char *location;
    planetkey_login_result_free(
        log_in(options_for(&ada, PLANETKEY_LOGIN_METHOD_PASTE), &ada, PLANETKEY_STATUS_OK));
    CHECK_OK(planetkey_session_start_browser_login(session, options, &login, &error));
    planetkey_login_options_free(options);
    CHECK(bob.destroyed == 0);
    bob.cancels = login;
    location = simulator_log_in_in_browser(planetkey_login_authorization_url(login),
                                           "\"username\":\"bob\"");
    CHECK_STATUS(planetkey_login_complete(login, location, NULL, &error),
                 PLANETKEY_STATUS_CANCELLED);
    CHECK(bob.shown == 1 && bob.kind == PLANETKEY_PROMPT_KIND_OTHER_USER);
    free(location);
    planetkey_login_free(login);
    CHECK(bob.destroyed == 1);
    CHECK_OK(planetkey_session_login(session, NULL, NULL, &error));
}

static void wrong_options(void) {
    static const char *const bad_scopes[] = {"", "a b", "a\"b", "\xc3\xa9"};
    static const int32_t methods[] = {-1, 4, INT32_MAX, INT32_MIN};
    planetkey_login_options *options = planetkey_login_options_new();
    planetkey_login *login = NULL;
    const char *not_utf8 = "\xff";
    char *page = malloc((1 << 20) + 2);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; ++i) {
        CHECK_STATUS(planetkey_login_options_set_method(options, methods[i], &error),
                     PLANETKEY_STATUS_INVALID_ARGUMENT);
    }
    CHECK_STATUS(planetkey_login_options_set_scopes(options, &not_utf8, 1, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(planetkey_login_options_set_scopes(options, bad_scopes, SIZE_MAX, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(planetkey_login_options_set_page(options, not_utf8, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    memset(page, 'a', (1 << 20) + 1);
    page[(1 << 20) + 1] = '\0';
    CHECK_STATUS(planetkey_login_options_set_page(options, page, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    free(page);
    for (size_t i = 0; i < sizeof bad_scopes / sizeof bad_scopes[0]; ++i) {
        CHECK_OK(planetkey_login_options_set_scopes(options, &bad_scopes[i], 1, &error));
        CHECK_STATUS(planetkey_session_login(session, options, NULL, &error),
                     PLANETKEY_STATUS_INVALID_ARGUMENT);
    }
    CHECK_OK(planetkey_login_options_set_scopes(options, NULL, 0, &error));
    for (int i = 0; i < 2; ++i) {
        CHECK_OK(planetkey_login_options_set_timeout_ms(options, i ? UINT32_MAX : 0, &error));
        CHECK_STATUS(planetkey_session_login(session, options, NULL, &error),
                     PLANETKEY_STATUS_INVALID_ARGUMENT);
        CHECK_STATUS(planetkey_session_start_device_login(session, options, &login, &error),
                     PLANETKEY_STATUS_INVALID_ARGUMENT);
        CHECK_STATUS(planetkey_session_start_browser_login(session, options, &login, &error),
                     PLANETKEY_STATUS_INVALID_ARGUMENT);
        CHECK(login == NULL);
    }
    planetkey_login_options_free(options);
    CHECK(simulator_count("user.device") == 0);
}

int main(void) {
    void (*const tests[])(void) = {a_valid_session_needs_no_prompt,
                                   pasted,
                                   a_user_cancels_at_a_prompt,
                                   a_prompt_that_fails,
                                   in_a_browser_that_the_user_opens,
                                   in_a_browser_that_planetkey_opens,
                                   no_prompt_handler,
                                   different_user,
                                   cancelled_in_the_prompt,
                                   wrong_options};
    unsetenv("BROWSER");
    simulator_start();
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; ++i) {
        simulator_reset();
        simulator_settings("{\"device_interval\":1}");
        session = simulator_user_session();
        tests[i]();
        planetkey_session_free(session);
    }
    simulator_end();
    return finish();
}
