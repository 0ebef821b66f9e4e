/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The application's own storage: which callbacks are called, and what their failures mean. */
#include "book.h"

static void a_saved_token_is_used(void) {
    struct book book;
    planetkey_session *session;
    planetkey_session_info *info = NULL;
    char token[8192];
    char *stored;
    begin_with(&book, NULL);
    session = session_with(&book);
    /* Opening a session calls no callback. */
    CHECK_TEXT(book.events, "");
    CHECK_TEXT(book.foreign_events, "");
    token_of(session, token, sizeof token);
    stored = member_of(book.text, "access_token");
    CHECK_TEXT(token, stored);
    CHECK_TEXT(book.foreign_events, "lock load unlock ");
    CHECK(book.lock_timeout_ms > 0 && book.lock_timeout_ms <= 30000);
    CHECK(planetkey_session_is_initialized(session));
    CHECK_OK(planetkey_session_get_info(session, &info, &error));
    CHECK(planetkey_session_info_file(info, 0) == NULL);
    CHECK_TEXT(planetkey_session_info_profile(info, 0), "planet-user");
    planetkey_session_info_free(info);
    token_of(session, token, sizeof token);
    CHECK_TEXT(book.foreign_events, "lock load unlock ");
    CHECK_TEXT(book.events, "");
    CHECK(simulator_count("user.token") == 0);
    CHECK(entries(home_file("")) == 0);
    free(stored);
    planetkey_session_free(session);
    end(&book);
}

static void a_new_token_is_saved_before_it_is_used(void) {
    struct book book;
    struct book without_lock;
    planetkey_options *options;
    planetkey_storage storage;
    planetkey_session *session;
    planetkey_session *other;
    char token[8192];
    char same[8192];
    char *before;
    char *stored;
    char *refresh_token;
    begin_with(&book, "{\"lifetime\":0}");
    before = member_of(book.text, "refresh_token");
    options = options_with(&book);
    session = simulator_user_session_with(options);
    token_of(session, token, sizeof token);
    CHECK_TEXT(book.foreign_events, "lock load save unlock ");
    stored = member_of(book.text, "access_token");
    refresh_token = member_of(book.text, "refresh_token");
    CHECK_TEXT(stored, token);
    CHECK(refresh_token && strcmp(refresh_token, before) != 0);
    CHECK(simulator_count("user.rotations") == 1);

    /* Another session with the same options has the same storage. */
    other = simulator_user_session_with(options);
    planetkey_options_free(options);
    token_of(other, same, sizeof same);
    CHECK_TEXT(same, token);
    CHECK(simulator_count("user.token") == 1);
    planetkey_session_free(other);
    CHECK(book.destroyed == 0);
    planetkey_session_free(session);
    end(&book);
    free(before);
    free(stored);
    free(refresh_token);

    /* A storage with the required members only, which also saves the tokens of an M2M client. */
    begin(&without_lock);
    storage = (planetkey_storage){
        .size = sizeof storage, .user_data = &without_lock, .load = load, .save = save};
    options = simulator_options();
    CHECK_OK(planetkey_options_set_storage(options, &storage, &error));
    session = simulator_m2m_session_with(options);
    planetkey_options_free(options);
    token_of(session, token, sizeof token);
    CHECK_TEXT(without_lock.foreign_events, "load save ");
    stored = member_of(without_lock.text, "access_token");
    CHECK_TEXT(stored, token);
    CHECK(entries(home_file("")) == 0);
    planetkey_session_free(session);
    CHECK(without_lock.wrong == 0 && without_lock.destroyed == 0);
    free(stored);
    free(without_lock.text);
}

static void a_logout_deletes_the_saved_text(void) {
    struct book book;
    planetkey_session *session;
    planetkey_string *token = NULL;
    planetkey_error *error = NULL;
    char text[8192];
    bool removed = false;
    int32_t revocation = -1;
    begin_with(&book, NULL);
    session = session_with(&book);
    token_of(session, text, sizeof text);
    CHECK_OK(log_out(session, true, &removed, &revocation, &error));
    CHECK(removed && book.text == NULL && revocation == PLANETKEY_REVOCATION_REVOKED);
    /* The first load is for the token to revoke. */
    CHECK_TEXT(book.events, "lock load load save-nothing unlock ");
    CHECK(planetkey_session_access_token(session, &token, &error) ==
          PLANETKEY_STATUS_LOGIN_REQUIRED);
    CHECK_TEXT(planetkey_error_reason(error), "logged_out");
    planetkey_error_free(error);
    CHECK_OK(log_out(session, true, &removed, NULL, &error));
    CHECK(!removed);
    book.save_status = PLANETKEY_STATUS_STORAGE;
    CHECK_STATUS(log_out(session, true, &removed, NULL, &error), PLANETKEY_STATUS_STORAGE);
    planetkey_session_free(session);
    end(&book);
}

/* The first call of a session with this storage. */
static void refuses(struct book *book, planetkey_status expected, const char *reason,
                    const char *words) {
    planetkey_session *session = session_with(book);
    planetkey_string *token = NULL;
    planetkey_error *error = NULL;
    planetkey_status status = planetkey_session_access_token(session, &token, &error);
    const char *message = planetkey_error_message(error);
    if (!CHECK(status == expected)) {
        fprintf(stderr, "    %s: %s\n", planetkey_status_name((int32_t)status),
                message ? message : "");
    }
    CHECK_TEXT(planetkey_error_reason(error), reason);
    if (!CHECK(message && strstr(message, words) != NULL)) {
        fprintf(stderr, "    %s\n", message ? message : "");
    }
    CHECK(token == NULL);
    planetkey_error_free(error);
    planetkey_session_free(session);
    end(book);
}

static void a_failed_load_is_the_error_of_the_call(void) {
    static char long_text[(1 << 20) + 1];
    static const int32_t statuses[] = {10, 6, 4711, -1, INT32_MIN};
    struct book book;
    char words[64];
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; ++i) {
        snprintf(words, sizeof words, "load returned %d", (int)statuses[i]);
        begin_with(&book, NULL);
        book.load_status = statuses[i];
        refuses(&book, PLANETKEY_STATUS_STORAGE, NULL, words);
        snprintf(words, sizeof words, "lock returned %d", (int)statuses[i]);
        begin_with(&book, NULL);
        book.lock_status = statuses[i];
        refuses(&book, PLANETKEY_STATUS_STORAGE, NULL, words);
    }
    begin_with(&book, NULL);
    book.lock_status = PLANETKEY_STATUS_TIMEOUT;
    refuses(&book, PLANETKEY_STATUS_TIMEOUT, NULL, "storage lock");

    /* The saved text is not a session. */
    begin(&book);
    refuses(&book, PLANETKEY_STATUS_LOGIN_REQUIRED, "never_logged_in", "log in");
    begin(&book);
    store(&book, "", 0);
    refuses(&book, PLANETKEY_STATUS_LOGIN_REQUIRED, "never_logged_in", "log in");
    begin(&book);
    store(&book, "{\"access_token\":", 16);
    refuses(&book, PLANETKEY_STATUS_LOGIN_REQUIRED, "corrupt", "log in");
    begin(&book);
    store(&book, "{}\0{}", 5);
    refuses(&book, PLANETKEY_STATUS_LOGIN_REQUIRED, "corrupt", "log in");
    begin(&book);
    store(&book, "\xff\xfe", 2);
    refuses(&book, PLANETKEY_STATUS_STORAGE, NULL, "UTF-8");
    begin(&book);
    memset(long_text, ' ', sizeof long_text);
    store(&book, long_text, sizeof long_text);
    refuses(&book, PLANETKEY_STATUS_STORAGE, NULL, "longer than 1048576 bytes");
    CHECK(simulator_count("user.token") == 0);
}

/* A refreshed token that cannot be saved is used nevertheless, and the session info has a note. */
static void a_token_that_cannot_be_saved_is_used(void) {
    struct book book;
    planetkey_session *session;
    planetkey_session_info *info = NULL;
    char token[8192];
    begin_with(&book, "{\"lifetime\":0}");
    book.save_status = 4711;
    session = session_with(&book);
    token_of(session, token, sizeof token);
    CHECK(simulator_count("user.rotations") == 1);
    CHECK_OK(planetkey_session_get_info(session, &info, &error));
    CHECK(planetkey_session_info_note_count(info) == 1 &&
          strstr(planetkey_session_info_note(info, 0), "save returned 4711") != NULL);
    planetkey_session_info_free(info);

    /* The next refresh uses the tokens in memory, and saves the new ones. */
    book.save_status = 0;
    CHECK_OK(planetkey_session_refresh(session, &error));
    CHECK(simulator_count("user.reuse") == 0 && simulator_count("user.sessions.active") == 1);
    CHECK_OK(planetkey_session_get_info(session, &info, &error));
    CHECK(planetkey_session_info_note_count(info) == 0);
    planetkey_session_info_free(info);
    planetkey_session_free(session);
    end(&book);
}

int main(void) {
    void (*const tests[])(void) = {a_saved_token_is_used, a_new_token_is_saved_before_it_is_used,
                                   a_logout_deletes_the_saved_text,
                                   a_failed_load_is_the_error_of_the_call,
                                   a_token_that_cannot_be_saved_is_used};
    simulator_start();
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; ++i) {
        simulator_reset();
        tests[i]();
    }
    simulator_end();
    return finish();
}
