/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * C: logs a person in, where nobody is, and says who it is. With `browser` or `device` the way is chosen.
 *
 *     cc login.c $(pkg-config --cflags --libs planetkey) -o login-example && ./login-example [browser|device]
 */
#include <planetkey.h>
#include <stdio.h>
#include <string.h>

/* Shows what the person must see. A window would show it with its own means, and end it with a button. */
static int32_t show(void *user_data, const planetkey_prompt *prompt) {
    const int32_t kind = planetkey_prompt_kind_of(prompt);
    char answer[8192];
    (void)user_data;
    puts(planetkey_prompt_message(prompt));
    fflush(stdout);
    if (kind != PLANETKEY_PROMPT_KIND_PASTE && kind != PLANETKEY_PROMPT_KIND_OTHER_USER)
        return PLANETKEY_STATUS_OK;
    if (!fgets(answer, sizeof answer, stdin))
        return PLANETKEY_STATUS_CANCELLED;
    return planetkey_prompt_set_answer(prompt, answer, NULL);
}

static int32_t method_of(const char *name) {
    if (strcmp(name, "browser") == 0)
        return PLANETKEY_LOGIN_METHOD_BROWSER;
    return strcmp(name, "device") == 0 ? PLANETKEY_LOGIN_METHOD_DEVICE : PLANETKEY_LOGIN_METHOD_AUTO;
}

int main(int argc, char **argv) {
    planetkey_session *session = NULL;
    planetkey_login_options *options = planetkey_login_options_new();
    planetkey_logged_in *who = NULL;
    planetkey_error *error = NULL;
    planetkey_status status = planetkey_session_from_defaults(NULL, &session, &error);
    if (status == PLANETKEY_STATUS_OK)
        status = planetkey_login_options_set_method(options, method_of(argc > 1 ? argv[1] : ""), &error);
    if (status == PLANETKEY_STATUS_OK)
        status = planetkey_login_options_set_prompt(options, show, NULL, NULL, &error);
    if (status == PLANETKEY_STATUS_OK)
        status = planetkey_session_login(session, options, &who, &error);
    if (status == PLANETKEY_STATUS_OK)
        printf("logged in as %s\n", planetkey_logged_in_subject(who) ? planetkey_logged_in_subject(who) : "nobody by name");
    else
        fprintf(stderr, "%s: %s\n", planetkey_status_name(status), planetkey_error_message(error));
    planetkey_error_free(error);
    planetkey_logged_in_free(who);
    planetkey_login_options_free(options);
    planetkey_session_free(session);
    return status;
}
