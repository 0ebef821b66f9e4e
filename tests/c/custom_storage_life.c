/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The application's own storage: which structs are valid, when its user data is freed, and on which
 * threads it is called. */
#include "book.h"

/* The user data is freed once, and not before the last callback. */
static void user_data_is_freed_once(void) {
    struct book first;
    struct book second;
    planetkey_storage storage;
    planetkey_options *options;
    planetkey_session *session;
    planetkey_session *copy;
    planetkey_session *hurried = NULL;

    begin(&first);
    options = options_with(&first);
    session = simulator_user_session_with(options);
    copy = planetkey_session_clone(session);
    CHECK_OK(planetkey_session_with_timeout_ms(session, 1000, &hurried, &error));
    planetkey_options_free(options);
    planetkey_session_free(session);
    planetkey_session_free(copy);
    CHECK(first.destroyed == 0);
    planetkey_session_free(hurried);
    end(&first);

    /* Another storage replaces it, then none. */
    begin(&first);
    begin(&second);
    options = options_with(&first);
    storage = all_callbacks(&second);
    CHECK_OK(planetkey_options_set_storage(options, &storage, &error));
    CHECK(first.destroyed == 1 && second.destroyed == 0);
    CHECK_OK(planetkey_options_set_storage(options, NULL, &error));
    CHECK(second.destroyed == 1);
    planetkey_options_free(options);
    end(&first);
    end(&second);

    /* A constructor that fails does not hold the storage. */
    begin(&first);
    options = options_with(&first);
    CHECK_STATUS(planetkey_session_from_profile("no such profile", options, &session, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(planetkey_session_from_m2m("id", "", NULL, 0, NULL, options, &session, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(first.destroyed == 0);
    planetkey_options_free(options);
    end(&first);

    /* It is for the first M2M client that planetkey_session_from_defaults() finds. */
    begin(&first);
    options = options_with(&first);
    CHECK_OK(planetkey_session_from_defaults(options, &session, &error));
    planetkey_options_free(options);
    CHECK(first.destroyed == 0);
    planetkey_session_free(session);
    end(&first);
}

/* The last handle is freed during a refresh: the refresh finishes, and its tokens are saved. */
static void user_data_is_freed_after_a_refresh_in_progress(void) {
    struct book book;
    planetkey_session *session;
    planetkey_session *hurried = NULL;
    planetkey_string *token = NULL;
    char *before;
    char *after;
    begin_with(&book, "{\"lifetime\":0}");
    before = member_of(book.text, "refresh_token");
    session = session_with(&book);
    CHECK_OK(planetkey_session_with_timeout_ms(session, 1, &hurried, &error));
    simulator_script("user.token", "[{\"hold\":\"gate\"}]", 0);
    CHECK_STATUS(planetkey_session_access_token(hurried, &token, &error), PLANETKEY_STATUS_TIMEOUT);
    simulator_wait_held("gate", 1);
    planetkey_session_free(hurried);
    planetkey_session_free(session);
    CHECK(book.destroyed == 0);
    CHECK(!planetkey_settle(0));
    simulator_release("gate");
    CHECK(planetkey_settle(30000));
    after = member_of(book.text, "refresh_token");
    CHECK(after && strcmp(after, before) != 0);
    end(&book);
    free(before);
    free(after);
}

static void invalid_structs_are_refused(void) {
    static const size_t sizes[] = {0,       1, sizeof(planetkey_storage) - 1, 4097, (size_t)1 << 40,
                                   SIZE_MAX};
    struct {
        planetkey_storage storage;
        void (*later)(void);
        char more[16];
    } larger;
    struct book book;
    planetkey_storage storage;
    planetkey_options *options = simulator_options();
    begin(&book);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; ++i) {
        storage = all_callbacks(&book);
        storage.size = sizes[i];
        CHECK_STATUS(planetkey_options_set_storage(options, &storage, &error),
                     PLANETKEY_STATUS_INVALID_ARGUMENT);
        /* A wrong size, with which nothing may be read. */
        CHECK(book.destroyed == 0);
    }
    storage = all_callbacks(&book);
    storage.load = NULL;
    CHECK_STATUS(planetkey_options_set_storage(options, &storage, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(book.destroyed == 1);
    storage = all_callbacks(&book);
    storage.save = NULL;
    CHECK_STATUS(planetkey_options_set_storage(options, &storage, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(book.destroyed == 2);
    storage = all_callbacks(&book);
    storage.lock = NULL;
    CHECK_STATUS(planetkey_options_set_storage(options, &storage, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(book.destroyed == 3);
    storage = all_callbacks(&book);
    storage.unlock = NULL;
    CHECK_STATUS(planetkey_options_set_storage(options, &storage, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(book.destroyed == 4);
    storage = all_callbacks(&book);
    CHECK_STATUS(planetkey_options_set_storage(NULL, &storage, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(book.destroyed == 5);
    /* The struct of a later version, whose last member is zero or set. */
    memset(&larger, 0, sizeof larger);
    larger.storage = all_callbacks(&book);
    larger.storage.size = sizeof larger;
    CHECK_OK(planetkey_options_set_storage(options, &larger.storage, &error));
    CHECK(book.destroyed == 5);
    larger.more[sizeof larger.more - 1] = 1;
    CHECK_STATUS(planetkey_options_set_storage(options, &larger.storage, &error),
                 PLANETKEY_STATUS_UNSUPPORTED);
    CHECK(book.destroyed == 6);
    planetkey_options_free(options);
    CHECK(book.destroyed == 7);
}

/* A callback may use other sessions, and its own without waiting. A call that would wait fails at
 * once. */
static void call_planetkey(struct book *book) {
    planetkey_session *key = NULL;
    planetkey_session_info *info = NULL;
    planetkey_authorization *authorization = NULL;
    book->inside_load = NULL;
    if (planetkey_session_from_api_key("key", 0, NULL, &key, NULL) != PLANETKEY_STATUS_OK ||
        planetkey_session_get_info(book->session, &info, NULL) != PLANETKEY_STATUS_OK ||
        planetkey_session_headers_cached(book->session,
                                         simulator_variable("PLANETKEY_SIMULATOR_PLANET_API"),
                                         &authorization, NULL) != PLANETKEY_STATUS_OK ||
        planetkey_session_logout(book->session, true, NULL, NULL) != PLANETKEY_STATUS_UNAVAILABLE) {
        ++book->wrong;
    }
    book->found_inside = planetkey_session_refresh(book->session, NULL);
    planetkey_authorization_free(authorization);
    planetkey_session_info_free(info);
    planetkey_session_free(key);
}

static void a_callback_may_call_planetkey(void) {
    struct book book;
    planetkey_session *session;
    char token[8192];
    begin_with(&book, NULL);
    book.inside_load = call_planetkey;
    session = session_with(&book);
    book.session = session;
    token_of(session, token, sizeof token);
    CHECK(book.found_inside == PLANETKEY_STATUS_UNAVAILABLE);
    /* The same on the thread of a logout. */
    book.inside_load = call_planetkey;
    book.found_inside = PLANETKEY_STATUS_INTERNAL;
    CHECK_OK(planetkey_session_logout(session, true, NULL, &error));
    CHECK(book.found_inside == PLANETKEY_STATUS_UNAVAILABLE);
    planetkey_session_free(session);
    end(&book);
}

static void *refresh(void *argument) {
    struct book *book = argument;
    book->found_inside = planetkey_session_refresh(book->session, NULL);
    return NULL;
}

/* Also without a lock in the storage, a logout waits for a refresh in progress, which would undo
 * it. */
static void logout_waits_for_a_refresh(void) {
    struct book book;
    planetkey_storage storage;
    planetkey_options *options = simulator_options();
    planetkey_session *session;
    planetkey_session *hurried = NULL;
    planetkey_string *token = NULL;
    pthread_t thread;
    char text[8192];
    bool removed = true;
    begin_with(&book, NULL);
    storage = all_callbacks(&book);
    storage.lock = NULL;
    storage.unlock = NULL;
    CHECK_OK(planetkey_options_set_storage(options, &storage, &error));
    session = simulator_user_session_with(options);
    planetkey_options_free(options);
    book.session = session;
    token_of(session, text, sizeof text);
    CHECK_OK(planetkey_session_with_timeout_ms(session, 50, &hurried, &error));
    simulator_script("user.token", "[{\"hold\":\"gate\"}]", 0);
    CHECK(pthread_create(&thread, NULL, refresh, &book) == 0);
    simulator_wait_held("gate", 1);
    CHECK_STATUS(log_out(hurried, true, &removed, NULL, &error), PLANETKEY_STATUS_TIMEOUT);
    CHECK(!removed && book.text != NULL);
    simulator_release("gate");
    CHECK_OK(log_out(session, true, &removed, NULL, &error));
    pthread_join(thread, NULL);
    CHECK(removed && book.text == NULL);
    CHECK(book.found_inside == PLANETKEY_STATUS_OK);
    CHECK_STATUS(planetkey_session_access_token(session, &token, &error),
                 PLANETKEY_STATUS_LOGIN_REQUIRED);
    planetkey_session_free(hurried);
    planetkey_session_free(session);
    end(&book);
}

struct busy {
    pthread_t thread;
    const planetkey_session *session;
    int turn;
    int wrong;
};

static void *be_busy(void *argument) {
    struct busy *busy = argument;
    for (int i = 0; i < 20; ++i) {
        planetkey_string *token = NULL;
        planetkey_status status;
        switch ((busy->turn + i) % 4) {
        case 0:
            status = planetkey_session_refresh(busy->session, NULL);
            break;
        case 1:
            status = planetkey_session_logout(busy->session, true, NULL, NULL);
            break;
        default:
            status = planetkey_session_access_token(busy->session, &token, NULL);
        }
        busy->wrong += status != PLANETKEY_STATUS_OK;
        planetkey_string_free(token);
    }
    return NULL;
}

/* A storage without a lock: a session calls it on one thread at a time. */
static void one_session_calls_from_one_thread_at_a_time(void) {
    struct busy busy[16];
    struct book book;
    planetkey_storage storage;
    planetkey_options *options = simulator_options();
    planetkey_session *session;
    begin(&book);
    storage = all_callbacks(&book);
    storage.lock = NULL;
    storage.unlock = NULL;
    CHECK_OK(planetkey_options_set_storage(options, &storage, &error));
    session = simulator_m2m_session_with(options);
    planetkey_options_free(options);
    for (int i = 0; i < 16; ++i) {
        busy[i] = (struct busy){.session = session, .turn = i};
        CHECK(pthread_create(&busy[i].thread, NULL, be_busy, &busy[i]) == 0);
    }
    for (int i = 0; i < 16; ++i) {
        pthread_join(busy[i].thread, NULL);
        CHECK(busy[i].wrong == 0);
    }
    planetkey_session_free(session);
    end(&book);
}

int main(void) {
    void (*const tests[])(void) = {
        user_data_is_freed_once,     user_data_is_freed_after_a_refresh_in_progress,
        invalid_structs_are_refused, a_callback_may_call_planetkey,
        logout_waits_for_a_refresh,  one_session_calls_from_one_thread_at_a_time};
    simulator_start();
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; ++i) {
        simulator_reset();
        tests[i]();
    }
    simulator_end();
    return finish();
}
