/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A process exits during a refresh: the new refresh token of a user session is saved, the file is
 * always complete, and the process ends. The processes are this program, started again with the
 * name of an action and a pipe to report progress. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "simulator.h"
#include "support.h"
#include "test.h"

#define ENDED_BY_EXIT 7

/* ---- the process that exits ---- */

static int pipe_end = -1;
static planetkey_session *session;

static void tell(char what) {
    if (write(pipe_end, &what, 1) != 1) {
        _exit(3);
    }
}

static void tell_that_the_end_begins(void) { tell('b'); }

static void tell_that_the_end_is_near(void) { tell('e'); }

static void *ask(void *argument) {
    planetkey_string *token = NULL;
    (void)argument;
    if (planetkey_session_access_token(session, &token, NULL) == PLANETKEY_STATUS_OK) {
        planetkey_string_free(token);
    }
    return NULL;
}

/* In a handler that exit() calls, the session still works. */
static void ask_at_exit(void) {
    planetkey_string *token = NULL;
    tell('b');
    if (planetkey_session_access_token(session, &token, NULL) == PLANETKEY_STATUS_OK) {
        tell('k');
        planetkey_string_free(token);
    } else {
        tell('f');
    }
}

static void exit_in_a_signal_handler(int number) {
    (void)number;
    exit(ENDED_BY_EXIT);
}

/* A handler registered before the session was opened is called after the library's own handler, and
 * vice versa. */
static int be_ended(const char *what, const char *number) {
    pthread_t thread;
    int is_m2m = strcmp(what, "m2m") == 0;
    pipe_end = atoi(number);
    simulator_join();
    atexit(tell_that_the_end_is_near);
    session = is_m2m ? simulator_m2m_session() : simulator_user_session();
    atexit(strcmp(what, "handler_that_asks") == 0 ? ask_at_exit : tell_that_the_end_begins);
    signal(SIGUSR1, exit_in_a_signal_handler);
    if (pthread_create(&thread, NULL, ask, NULL) != 0) {
        return 3;
    }
    for (;;) {
        pause();
    }
}

/* ---- the process that starts it ---- */

static const char *self;

struct process {
    pid_t id;
    int pipe_end;
};

static struct process start(const char *what) {
    int ends[2];
    char number[16];
    const char *arguments[] = {what, number, NULL};
    struct process process;
    CHECK(pipe(ends) == 0);
    CHECK(fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0);
    snprintf(number, sizeof number, "%d", ends[1]);
    process = (struct process){.id = start_again(self, arguments), .pipe_end = ends[0]};
    close(ends[1]);
    return process;
}

/* The next report; 0 at the end. */
static char told(const struct process *process) {
    char what = 0;
    return read(process->pipe_end, &what, 1) == 1 ? what : 0;
}

static void end(const struct process *process) {
    CHECK(ended(process->id) == ENDED_BY_EXIT);
    close(process->pipe_end);
}

/* A member of the session on disk, which must be a complete JSON object. Free it with free(). */
static char *member_on_disk(const char *name) {
    char *text = read_text(home_file(".planet/planet-user/token.json"));
    cJSON *json = cJSON_Parse(text);
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
    char *copy = value ? strdup(value) : NULL;
    CHECK(copy != NULL);
    cJSON_Delete(json);
    free(text);
    return copy;
}

/* What another process finds afterwards. */
static void the_session_works(int rotations) {
    planetkey_session *next = simulator_user_session();
    planetkey_string *token = NULL;
    CHECK_OK(planetkey_session_access_token(next, &token, &error));
    planetkey_string_free(token);
    planetkey_session_free(next);
    CHECK(simulator_count("user.rotations") == rotations && simulator_count("user.reuse") == 0);
    CHECK(simulator_count("user.sessions.active") == 1);
    /* token.json, token.json.lock and token.planetkey.json, and no temporary file. */
    CHECK(entries(home_file(".planet/planet-user")) == 3);
}

static void f116_exit_in_a_signal_handler_waits_for_the_refresh(void) {
    struct process process;
    char *before;
    char *after;
    simulator_log_in("{\"lifetime\":0}");
    before = member_on_disk("refresh_token");
    simulator_script("user.token", "[{\"hold\":\"gate\"}]", 0);
    process = start("user");
    simulator_wait_held("gate", 1);
    CHECK(kill(process.id, SIGUSR1) == 0);
    CHECK(told(&process) == 'b');
    simulator_release("gate");
    CHECK(told(&process) == 'e');
    CHECK(told(&process) == 0);
    end(&process);
    after = member_on_disk("refresh_token");
    CHECK(before && after && strcmp(before, after) != 0);
    the_session_works(1);
    CHECK(simulator_count("user.token") == 1);
    free(before);
    free(after);
}

static void f116_a_handler_of_exit_may_use_the_session(void) {
    struct process process;
    simulator_log_in("{\"lifetime\":0}");
    simulator_script("user.token", "[{\"hold\":\"gate\"}]", 0);
    process = start("handler_that_asks");
    simulator_wait_held("gate", 1);
    CHECK(kill(process.id, SIGUSR1) == 0);
    CHECK(told(&process) == 'b');
    simulator_release("gate");
    CHECK(told(&process) == 'k');
    CHECK(told(&process) == 'e');
    end(&process);
    the_session_works(1);
    CHECK(simulator_count("user.token") == 1);
}

/* The server does not respond: process exit waits for as long as planetkey_settle() documents. The
 * old file is still there. */
static void f116_exit_waits_for_a_limited_time(void) {
    struct process process;
    char *before;
    char *after;
    simulator_settings("{\"overlap_ms\":600000}");
    simulator_log_in("{\"lifetime\":0}");
    before = read_text(home_file(".planet/planet-user/token.json"));
    simulator_script("user.token", "[{\"hold\":\"gate\"}]", 0);
    process = start("user");
    simulator_wait_held("gate", 1);
    CHECK(kill(process.id, SIGUSR1) == 0);
    CHECK(told(&process) == 'b');
    CHECK(told(&process) == 'e');
    end(&process);
    after = read_text(home_file(".planet/planet-user/token.json"));
    CHECK_TEXT(after, before);
    free(before);
    free(after);
    /* The request whose response was lost is sent again, because the server allows it. */
    simulator_release("gate");
    {
        planetkey_session *next = simulator_user_session();
        planetkey_string *token = NULL;
        CHECK_OK(planetkey_session_access_token(next, &token, &error));
        planetkey_string_free(token);
        planetkey_session_free(next);
    }
    CHECK(simulator_count("user.reuse") == 0 && simulator_count("user.sessions.active") == 1);
}

/* An M2M client requests another token: nothing is lost, and no temporary file is left. */
static void f116_exit_while_an_m2m_client_refreshes(void) {
    struct process process;
    planetkey_session *next;
    char directory[1024];
    planetkey_string *token = NULL;
    simulator_script("m2m.token", "[{\"hold\":\"gate\"}]", 0);
    process = start("m2m");
    simulator_wait_held("gate", 1);
    CHECK(kill(process.id, SIGUSR1) == 0);
    CHECK(told(&process) == 'b');
    CHECK(told(&process) == 'e');
    end(&process);
    snprintf(directory, sizeof directory, "%s%s", home_file(".planet/planet-m2m-"),
             simulator_variable("PL_AUTH_CLIENT_ID"));
    CHECK(entries(directory) == 1);
    next = simulator_m2m_session();
    CHECK_OK(planetkey_session_access_token(next, &token, &error));
    planetkey_string_free(token);
    planetkey_session_free(next);
    CHECK(simulator_count("m2m.token") == 2);
    CHECK(entries(directory) == 3);
}

int main(int argc, char **argv) {
    void (*const tests[])(void) = {f116_exit_in_a_signal_handler_waits_for_the_refresh,
                                   f116_a_handler_of_exit_may_use_the_session,
                                   f116_exit_waits_for_a_limited_time,
                                   f116_exit_while_an_m2m_client_refreshes};
    if (argc == 3) {
        return be_ended(argv[1], argv[2]);
    }
    self = argv[0];
    simulator_start();
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; ++i) {
        simulator_reset();
        tests[i]();
    }
    simulator_end();
    return finish();
}
