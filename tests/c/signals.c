/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Writes of the library do not end a program with the default handlers by SIGPIPE or SIGXFSZ. Each
 * test is a process, so that its end by a signal is one failed check. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "simulator.h"
#include "support.h"
#include "test.h"

/* A proxy that responds to CONNECT, then closes the connection. */
struct rude_proxy {
    int listener;
    int connections;
    const char *answer;
    pthread_t thread;
    char url[64];
};

static void *break_off(void *argument) {
    struct rude_proxy *proxy = argument;
    for (int i = 0; i < proxy->connections; ++i) {
        const char established[] = "HTTP/1.1 200 OK\r\n\r\n";
        const struct linger reset = {1, 0};
        char bytes[4096];
        int connection = accept(proxy->listener, NULL, NULL);
        if (connection < 0) {
            break;
        }
        if (recv(connection, bytes, sizeof bytes, 0) > 0) {
            send(connection, established, sizeof established - 1, MSG_NOSIGNAL);
            /* The client's first TLS message. */
            if (recv(connection, bytes, sizeof bytes, 0) > 0) {
                send(connection, proxy->answer, strlen(proxy->answer), MSG_NOSIGNAL);
            }
        }
        setsockopt(connection, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(connection);
    }
    return NULL;
}

static void start_proxy(struct rude_proxy *proxy, const char *answer, int connections) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    proxy->answer = answer;
    proxy->connections = connections;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(proxy->listener >= 0 &&
          bind(proxy->listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(proxy->listener, 16) == 0);
    CHECK(getsockname(proxy->listener, (struct sockaddr *)&address, &length) == 0);
    snprintf(proxy->url, sizeof proxy->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    CHECK(pthread_create(&proxy->thread, NULL, break_off, proxy) == 0);
}

static void stop_proxy(struct rude_proxy *proxy) {
    shutdown(proxy->listener, SHUT_RDWR);
    pthread_join(proxy->thread, NULL);
    close(proxy->listener);
}

static planetkey_session *session_of_planet(const char *proxy, const char *ca_file) {
    planetkey_options *options = planetkey_options_new();
    planetkey_session *session;
    CHECK_OK(planetkey_options_set_deployment(options, "planet", &error));
    CHECK_OK(planetkey_options_set_save(options, false, &error));
    CHECK_OK(planetkey_options_set_proxy(options, proxy, &error));
    CHECK_OK(planetkey_options_set_ca_file(options, ca_file, &error));
    session = simulator_m2m_session_with(options);
    planetkey_options_free(options);
    return session;
}

static void i9_08_sigpipe_server_answers_a_few_bytes_and_closes(void) {
    const char *const answers[] = {"abcdefghij", "HTTP/1.1 400 Bad Request\r\n\r\n", "\x15\x03\x03",
                                   ""};
    for (int i = 0; i < 8; ++i) {
        struct rude_proxy proxy;
        planetkey_session *session;
        start_proxy(&proxy, answers[i % 4], 32);
        session = session_of_planet(proxy.url, NULL);
        CHECK(planetkey_session_refresh(session, NULL) == PLANETKEY_STATUS_UNAVAILABLE);
        planetkey_session_free(session);
        stop_proxy(&proxy);
    }
}

static void i9_08_sigpipe_reset_after_the_handshake(void) {
    const char *proxy = simulator_variable("PLANETKEY_SIMULATOR_PROXY");
    const char *const steps[] = {"[{\"fault\":\"reset_after_read\"}]",
                                 "[{\"fault\":\"close_after_read\"}]",
                                 "[{\"fault\":\"reset_before_read\"}]"};
    for (int i = 0; i < 9; ++i) {
        planetkey_session *session =
            session_of_planet(proxy, simulator_variable("PLANETKEY_SIMULATOR_CA"));
        simulator_script("m2m.token", steps[i % 3], 1);
        CHECK(planetkey_session_refresh(session, NULL) == PLANETKEY_STATUS_UNAVAILABLE);
        planetkey_session_free(session);
    }
}

static char *repeated(char character, size_t count) {
    char *text = malloc(count + 1);
    if (!text) {
        exit(2);
    }
    memset(text, character, count);
    text[count] = '\0';
    return text;
}

/* A program that prints a session and encrypts nothing. Its input is larger than a pipe, so that
 * the library still writes when the program ends. */
static void i9_08_sigpipe_sops_ends_before_it_has_read(void) {
    char *seeded = simulator_seed("{\"lifetime\":0}");
    char *pad = repeated('x', 200000);
    char *text = NULL;
    char *blocked;
    const char *path = getenv("PATH");
    planetkey_session *session;
    /* An unknown member remains in the file. */
    CHECK(asprintf(&text, "{\"pad\":\"%s\",%s", pad, strchr(seeded, '{') + 1) > 0);
    write_text(home_file("clear.json"), text);
    free(text);
    CHECK(asprintf(&text,
                   "#!/bin/sh\ngrep SigBlk /proc/self/status > '%s'\nif [ \"$1\" = -d ]; then exec "
                   "cat '%s'; fi\nexit 1\n",
                   home_file("blocked"), home_file("clear.json")) > 0);
    write_text(home_file("bin/sops"), text);
    CHECK(chmod(home_file("bin/sops"), 0700) == 0);
    free(text);
    CHECK(asprintf(&text, "%s:%s", home_file("bin"), path ? path : "") > 0);
    CHECK(setenv("PATH", text, 1) == 0);
    write_text(home_file(".planet/planet-user/token.sops.json"), "{\"sops\":{\"version\":\"1\"}}");
    session = simulator_user_session();
    /* The server rotated the refresh token: the session continues in memory. */
    CHECK(planetkey_session_refresh(session, NULL) == PLANETKEY_STATUS_OK);
    CHECK(planetkey_settle(30000));
    CHECK(simulator_count("user.rotations") == 1);
    blocked = read_text(home_file("blocked"));
    CHECK_TEXT(blocked, "SigBlk:\t0000000000000000\n");
    free(blocked);
    free(text);
    free(pad);
    free(seeded);
    planetkey_session_free(session);
}

static void limit_files(rlim_t bytes) {
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void i9_08_sigxfsz_refresh_beyond_the_limit_of_file_sizes(void) {
    for (rlim_t bytes = 0; bytes <= 64; bytes += 64) {
        planetkey_session *session;
        planetkey_status status;
        simulator_reset();
        simulator_log_in(NULL);
        session = simulator_user_session();
        limit_files(bytes);
        status = planetkey_session_refresh(session, NULL);
        CHECK(status == PLANETKEY_STATUS_OK || status == PLANETKEY_STATUS_STORAGE);
        limit_files(RLIM_INFINITY);
        CHECK_OK(planetkey_session_refresh(session, &error));
        CHECK(simulator_count("user.reuse") == 0);
        planetkey_session_free(session);
    }
}

/* This call writes on the thread of the caller. */
static void i9_08_sigxfsz_login_beyond_the_limit_of_file_sizes(void) {
    planetkey_options *options = simulator_options();
    planetkey_session *session = simulator_m2m_session_with(options);
    planetkey_string *token = NULL;
    planetkey_status status;
    limit_files(0);
    status = planetkey_session_login(session, NULL, NULL, NULL);
    CHECK(status == PLANETKEY_STATUS_OK || status == PLANETKEY_STATUS_STORAGE ||
          status == PLANETKEY_STATUS_UNSUPPORTED);
    status = planetkey_session_logout(session, false, NULL, NULL);
    CHECK(status == PLANETKEY_STATUS_OK || status == PLANETKEY_STATUS_STORAGE ||
          status == PLANETKEY_STATUS_UNSUPPORTED);
    limit_files(RLIM_INFINITY);
    CHECK_OK(planetkey_session_access_token(session, &token, &error));
    planetkey_string_free(token);
    planetkey_session_free(session);
    planetkey_options_free(options);
}

static void i9_08_handlers_and_mask_of_the_host_are_unchanged(void) {
    const int signals[] = {SIGPIPE, SIGXFSZ};
    planetkey_session *session;
    sigset_t mask;
    simulator_log_in(NULL);
    session = simulator_user_session();
    CHECK_OK(planetkey_session_refresh(session, &error));
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
    for (int i = 0; i < 2; ++i) {
        struct sigaction action;
        CHECK(sigaction(signals[i], NULL, &action) == 0 && action.sa_handler == SIG_DFL);
        CHECK(sigismember(&mask, signals[i]) == 0);
    }
    planetkey_session_free(session);
}

struct test {
    const char *name;
    void (*run)(void);
};

#define TEST(name)                                                                                 \
    { #name, name }

int main(int argc, char **argv) {
    const struct test tests[] = {TEST(i9_08_sigpipe_server_answers_a_few_bytes_and_closes),
                                 TEST(i9_08_sigpipe_reset_after_the_handshake),
                                 TEST(i9_08_sigpipe_sops_ends_before_it_has_read),
                                 TEST(i9_08_sigxfsz_refresh_beyond_the_limit_of_file_sizes),
                                 TEST(i9_08_sigxfsz_login_beyond_the_limit_of_file_sizes),
                                 TEST(i9_08_handlers_and_mask_of_the_host_are_unchanged)};
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; ++i) {
        if (argc < 2) {
            const char *const arguments[] = {tests[i].name, NULL};
            int end = ended(start_again(argv[0], arguments));
            if (!CHECK(end == 0)) {
                fprintf(stderr, "    %s ended with %d\n", tests[i].name, end);
            }
        } else if (strcmp(argv[1], tests[i].name) == 0) {
            signal(SIGPIPE, SIG_DFL);
            signal(SIGXFSZ, SIG_DFL);
            simulator_start();
            tests[i].run();
            simulator_end();
        }
    }
    return finish();
}
