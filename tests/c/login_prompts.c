/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* planetkey_session_login(): what a person is shown, what they answer, and how that ends the login. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "simulator.h"
#include "support.h"
#include "test.h"

/* Somebody before the program, and what they do when they are shown something. */
struct person {
    /* Members of POST /login; what they do there. */
    const char *members;
    /* What they answer, one prompt after the other; PASTES is the address that the browser ended at. */
    const char *answers[4];
    int32_t returns;
    bool stays_away;
    planetkey_login *cancels;
    /* What they saw. */
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
    struct person *person = argument;
    char *location = simulator_person_in_browser(person->url, person->members);
    simulator_get(location, NULL, NULL);
    free(location);
    free(person->url);
    return NULL;
}

/* Comes on the thread that logs in, here always that of main(). */
static int32_t show(void *user_data, const planetkey_prompt *prompt) {
    struct person *person = user_data;
    const char *answer = person->answers[person->shown];
    ++person->shown;
    person->kind = planetkey_prompt_kind_of(prompt);
    snprintf(person->message, sizeof person->message, "%s", planetkey_prompt_message(prompt));
    CHECK(planetkey_prompt_kind_name(person->kind) != NULL);
    if (person->kind == PLANETKEY_PROMPT_KIND_DEVICE && !person->stays_away) {
        simulator_person_on_device(planetkey_prompt_user_code(prompt), person->members);
    }
    if (person->kind == PLANETKEY_PROMPT_KIND_BROWSER && !person->stays_away) {
        person->url = strdup(planetkey_prompt_url(prompt));
        person->has_browser = CHECK(pthread_create(&person->browser, NULL, browse, person) == 0);
    }
    if (answer == PASTES) {
        char *location = simulator_person_in_browser(planetkey_prompt_url(prompt), person->members);
        CHECK_OK(planetkey_prompt_set_answer(prompt, "something else first", &error));
        CHECK_OK(planetkey_prompt_set_answer(prompt, location, &error));
        free(location);
    } else {
        CHECK_OK(planetkey_prompt_set_answer(prompt, answer, &error));
    }
    planetkey_login_cancel(person->cancels);
    return person->returns;
}

static void destroy(void *user_data) { ++((struct person *)user_data)->destroyed; }

static planetkey_login_options *options_for(struct person *person, planetkey_login_method method) {
    planetkey_login_options *options = planetkey_login_options_new();
    CHECK_OK(planetkey_login_options_set_method(options, (int32_t)method, &error));
    CHECK_OK(planetkey_login_options_set_open_browser(options, false, &error));
    CHECK_OK(planetkey_login_options_set_prompt(options, show, person, destroy, &error));
    return options;
}

/* Frees the options. */
static planetkey_logged_in *log_in(planetkey_login_options *options, struct person *person, planetkey_status expected) {
    planetkey_logged_in *logged_in = NULL;
    CHECK_STATUS(planetkey_session_login(session, options, &logged_in, &error), expected);
    CHECK((logged_in != NULL) == (expected == PLANETKEY_STATUS_OK));
    planetkey_login_options_free(options);
    if (person->has_browser) {
        pthread_join(person->browser, NULL);
        person->has_browser = false;
    }
    CHECK(person->destroyed == 1);
    person->destroyed = 0;
    return logged_in;
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
    CHECK(planetkey_prompt_expires_in_ms(prompt) > 800000 && !planetkey_prompt_browser_opened(prompt));
    CHECK(strspn(planetkey_string_data(qr_code), "# \n") == planetkey_string_length(qr_code));
    planetkey_string_free(qr_code);
    /* A prompt may ask planetkey. */
    CHECK(!planetkey_session_is_initialized(session));
    CHECK_STATUS(planetkey_prompt_set_answer(prompt, "\xff", &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
    simulator_person_on_device(planetkey_prompt_user_code(prompt), NULL);
    return PLANETKEY_STATUS_OK;
}

static void only_where_it_is_needed(void) {
    static const char *const scopes[] = {"planet", "offline_access", "openid", "email"};
    planetkey_login_options *options = planetkey_login_options_new();
    planetkey_logged_in *logged_in = NULL;
    struct person person = {.members = "\"username\":\"simulator-user\""};
    int shown = 0;
    CHECK_OK(planetkey_login_options_set_open_browser(options, false, &error));
    CHECK_OK(planetkey_login_options_set_prompt(options, look_closely, &shown, NULL, &error));
    CHECK_OK(planetkey_session_login(session, options, &logged_in, &error));
    CHECK(shown == 1 && planetkey_logged_in_asked(logged_in));
    planetkey_logged_in_free(logged_in);
    /* Good; nobody is asked again. */
    CHECK_OK(planetkey_session_login(session, options, &logged_in, &error));
    CHECK(shown == 1 && !planetkey_logged_in_asked(logged_in));
    CHECK_TEXT(planetkey_logged_in_subject(logged_in), "simulator-user");
    planetkey_logged_in_free(logged_in);
    CHECK_OK(planetkey_session_login(session, NULL, NULL, &error));
    planetkey_login_options_free(options);

    /* It lacks a scope. */
    options = options_for(&person, PLANETKEY_LOGIN_METHOD_DEVICE);
    CHECK_OK(planetkey_login_options_set_scopes(options, scopes, 4, &error));
    logged_in = log_in(options, &person, PLANETKEY_STATUS_OK);
    CHECK(person.shown == 1 && planetkey_logged_in_scope_count(logged_in) == 4);
    CHECK_TEXT(planetkey_logged_in_email(logged_in), "simulator-user@example.com");
    planetkey_logged_in_free(logged_in);

    options = options_for(&person, PLANETKEY_LOGIN_METHOD_DEVICE);
    CHECK_OK(planetkey_login_options_set_force(options, true, &error));
    logged_in = log_in(options, &person, PLANETKEY_STATUS_OK);
    CHECK(person.shown == 2 && planetkey_logged_in_asked(logged_in));
    planetkey_logged_in_free(logged_in);
}

static void pasted(void) {
    struct person person = {.members = "\"username\":\"ada\"", .answers = {"http://127.0.0.1/callback", "not an address", PASTES}};
    planetkey_logged_in *logged_in = log_in(options_for(&person, PLANETKEY_LOGIN_METHOD_PASTE), &person, PLANETKEY_STATUS_OK);
    CHECK(person.shown == 3 && person.kind == PLANETKEY_PROMPT_KIND_PASTE);
    /* Why the last answer was not good. */
    CHECK(strstr(person.message, "paste the whole address") != NULL);
    CHECK_TEXT(planetkey_logged_in_subject(logged_in), "user|ada");
    planetkey_logged_in_free(logged_in);
}

static void given_up(void) {
    struct person person = {.answers = {"not an address", NULL}};
    CHECK(log_in(options_for(&person, PLANETKEY_LOGIN_METHOD_PASTE), &person, PLANETKEY_STATUS_CANCELLED) == NULL);
    CHECK(person.shown == 2);
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
        for (planetkey_login_method method = PLANETKEY_LOGIN_METHOD_BROWSER; method <= PLANETKEY_LOGIN_METHOD_PASTE; ++method) {
            struct person person = {.returns = failures[i].returns, .stays_away = true, .answers = {"not an address"}};
            planetkey_login_options *options = options_for(&person, method);
            planetkey_error *error = NULL;
            planetkey_status status = planetkey_session_login(session, options, NULL, &error);
            CHECK(strstr(planetkey_error_message(error), failures[i].message) != NULL);
            CHECK_TEXT(planetkey_error_profile(error), "planet-user");
            check_status_(status, failures[i].status, error, __FILE__, __LINE__, "login");
            planetkey_login_options_free(options);
            CHECK(person.shown == 1 && person.destroyed == 1 && person.kind == (int32_t)method);
        }
    }
    CHECK(simulator_count("user.token") == 0);
}

static void in_a_browser_that_the_person_opens(void) {
    struct person person = {.members = "\"username\":\"ada\""};
    planetkey_logged_in *logged_in = log_in(options_for(&person, PLANETKEY_LOGIN_METHOD_BROWSER), &person, PLANETKEY_STATUS_OK);
    CHECK(person.shown == 1 && person.kind == PLANETKEY_PROMPT_KIND_BROWSER);
    CHECK_TEXT(planetkey_logged_in_subject(logged_in), "user|ada");
    planetkey_logged_in_free(logged_in);
}

/* What planetkey opened, once it has been opened. */
static void *browse_what_was_opened(void *argument) {
    struct person *person = argument;
    char *url = NULL;
    WAIT_FOR((url = read_text(home_file("opened"))) != NULL);
    person->url = url;
    return browse(person);
}

/* No prompt at all: the browser of the machine is enough. */
static void in_a_browser_that_planetkey_opens(void) {
    struct person person = {.members = NULL};
    planetkey_login_options *options = planetkey_login_options_new();
    planetkey_logged_in *logged_in = NULL;
    char browser[1024];
    CHECK_OK(planetkey_login_options_set_method(options, PLANETKEY_LOGIN_METHOD_BROWSER, &error));
    snprintf(browser, sizeof browser, "%s", home_file("browser"));
    write_text(browser, "#!/bin/sh\nprintf %s \"$1\" > \"$HOME/opening\" && mv \"$HOME/opening\" \"$HOME/opened\"\n");
    CHECK(chmod(browser, 0700) == 0);
    setenv("BROWSER", browser, 1);
    CHECK(pthread_create(&person.browser, NULL, browse_what_was_opened, &person) == 0);
    CHECK_OK(planetkey_session_login(session, options, &logged_in, &error));
    pthread_join(person.browser, NULL);
    unsetenv("BROWSER");
    planetkey_login_options_free(options);
    CHECK(planetkey_logged_in_asked(logged_in));
    CHECK_TEXT(planetkey_logged_in_subject(logged_in), "simulator-user");
    planetkey_logged_in_free(logged_in);
}

static void nobody_to_ask(void) {
    planetkey_login_options *options = planetkey_login_options_new();
    planetkey_logged_in *logged_in = NULL;
    planetkey_error *error = NULL;
    CHECK_OK(planetkey_login_options_set_open_browser(options, false, &error));
    CHECK(planetkey_session_login(session, options, &logged_in, &error) == PLANETKEY_STATUS_LOGIN_REQUIRED);
    CHECK(logged_in == NULL);
    CHECK_TEXT(planetkey_error_reason(error), "never_logged_in");
    CHECK(strstr(planetkey_error_message(error), "planetkey login") != NULL);
    planetkey_error_free(error);
    planetkey_login_options_free(options);
}

static void somebody_else(void) {
    static const char *const answers[] = {NULL, "no", "", "yes please"};
    planetkey_logged_in *logged_in = NULL;
    planetkey_login_options *options;
    struct person ada = {.members = "\"username\":\"ada\"", .answers = {PASTES}};
    char *before;
    planetkey_logged_in_free(log_in(options_for(&ada, PLANETKEY_LOGIN_METHOD_PASTE), &ada, PLANETKEY_STATUS_OK));
    before = read_text(home_file(".planet/planet-user/token.json"));
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; ++i) {
        struct person bob = {.members = "\"username\":\"bob\"", .answers = {PASTES, answers[i]}};
        planetkey_error *error = NULL;
        char *after;
        options = options_for(&bob, PLANETKEY_LOGIN_METHOD_PASTE);
        CHECK_OK(planetkey_login_options_set_force(options, true, &error));
        CHECK(planetkey_session_login(session, options, &logged_in, &error) == PLANETKEY_STATUS_DENIED);
        CHECK_TEXT(planetkey_error_reason(error), "other_user");
        planetkey_error_free(error);
        planetkey_login_options_free(options);
        CHECK(bob.shown == 2 && bob.kind == PLANETKEY_PROMPT_KIND_OTHER_USER);
        CHECK(strstr(bob.message, "user|ada") != NULL && strstr(bob.message, "user|bob") != NULL);
        after = read_text(home_file(".planet/planet-user/token.json"));
        CHECK_TEXT(after, before);
        free(after);
        /* What nobody uses is not left alive. */
        CHECK(planetkey_settle(30000) && simulator_sessions_alive() == 1);
    }
    free(before);
    for (int allowed = 0; allowed < 2; ++allowed) {
        struct person bob = {.members = allowed ? "\"username\":\"ada\"" : "\"username\":\"bob\"", .answers = {PASTES, "Yes"}};
        options = options_for(&bob, PLANETKEY_LOGIN_METHOD_PASTE);
        CHECK_OK(planetkey_login_options_set_force(options, true, &error));
        CHECK_OK(planetkey_login_options_set_allow_other_user(options, allowed, &error));
        logged_in = log_in(options, &bob, PLANETKEY_STATUS_OK);
        CHECK(bob.shown == (allowed ? 1 : 2));
        CHECK_TEXT(planetkey_logged_in_subject(logged_in), allowed ? "user|ada" : "user|bob");
        planetkey_logged_in_free(logged_in);
    }
}

/* The question comes to whoever completes the login, and may cancel it. */
static void cancelled_in_the_prompt(void) {
    struct person ada = {.members = "\"username\":\"ada\"", .answers = {PASTES}};
    struct person bob = {.answers = {"yes"}};
    planetkey_login_options *options = options_for(&bob, PLANETKEY_LOGIN_METHOD_AUTO);
    planetkey_login *login = NULL;
    char *location;
    planetkey_logged_in_free(log_in(options_for(&ada, PLANETKEY_LOGIN_METHOD_PASTE), &ada, PLANETKEY_STATUS_OK));
    CHECK_OK(planetkey_session_start_browser_login(session, options, &login, &error));
    planetkey_login_options_free(options);
    CHECK(bob.destroyed == 0);
    bob.cancels = login;
    location = simulator_person_in_browser(planetkey_login_authorization_url(login), "\"username\":\"bob\"");
    CHECK_STATUS(planetkey_login_complete(login, location, NULL, &error), PLANETKEY_STATUS_CANCELLED);
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
        CHECK_STATUS(planetkey_login_options_set_method(options, methods[i], &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
    }
    CHECK_STATUS(planetkey_login_options_set_scopes(options, &not_utf8, 1, &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(planetkey_login_options_set_scopes(options, bad_scopes, SIZE_MAX, &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(planetkey_login_options_set_page(options, not_utf8, &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
    memset(page, 'a', (1 << 20) + 1);
    page[(1 << 20) + 1] = '\0';
    CHECK_STATUS(planetkey_login_options_set_page(options, page, &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
    free(page);
    for (size_t i = 0; i < sizeof bad_scopes / sizeof bad_scopes[0]; ++i) {
        CHECK_OK(planetkey_login_options_set_scopes(options, &bad_scopes[i], 1, &error));
        CHECK_STATUS(planetkey_session_login(session, options, NULL, &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
    }
    CHECK_OK(planetkey_login_options_set_scopes(options, NULL, 0, &error));
    for (int i = 0; i < 2; ++i) {
        CHECK_OK(planetkey_login_options_set_timeout_ms(options, i ? UINT32_MAX : 0, &error));
        CHECK_STATUS(planetkey_session_login(session, options, NULL, &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
        CHECK_STATUS(planetkey_session_start_device_login(session, options, &login, &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
        CHECK_STATUS(planetkey_session_start_browser_login(session, options, &login, &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
        CHECK(login == NULL);
    }
    planetkey_login_options_free(options);
    CHECK(simulator_count("user.device") == 0);
}

int main(void) {
    void (*const tests[])(void) = {only_where_it_is_needed, pasted, given_up, a_prompt_that_fails,
                                   in_a_browser_that_the_person_opens, in_a_browser_that_planetkey_opens, nobody_to_ask,
                                   somebody_else, cancelled_in_the_prompt, wrong_options};
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
