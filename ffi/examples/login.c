/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* C: logs in if needed, and prints who is logged in.
 *
 *     cc login.c $(pkg-config --cflags --libs planetkey) -o login-example
 *     ./login-example [browser|device]
 */
#include <planetkey.h>
#include <stdio.h>
#include <string.h>

/* Shows a prompt. A program with a window shows it there, with a button to cancel. */
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
    return strcmp(name, "device") == 0 ? PLANETKEY_LOGIN_METHOD_DEVICE
                                       : PLANETKEY_LOGIN_METHOD_AUTO;
}

static void print_user(const char *subject) {
    printf("logged in as %s\n", subject ? subject : "an unknown user");
}

int main(int argc, char **argv) {
    planetkey_session *session = NULL;
    planetkey_login_options *options = planetkey_login_options_new();
    planetkey_login_result *result = NULL;
    planetkey_error *error = NULL;
    planetkey_status status = planetkey_session_from_defaults(NULL, &session, &error);
    if (status == PLANETKEY_STATUS_OK)
        status =
            planetkey_login_options_set_method(options, method_of(argc > 1 ? argv[1] : ""), &error);
    if (status == PLANETKEY_STATUS_OK)
        status = planetkey_login_options_set_prompt(options, show, NULL, NULL, &error);
    if (status == PLANETKEY_STATUS_OK)
        status = planetkey_session_login(session, options, &result, &error);
    if (status == PLANETKEY_STATUS_OK)
        print_user(planetkey_login_result_subject(result));
    else
        fprintf(stderr, "%s: %s\n", planetkey_status_name(status), planetkey_error_message(error));
    planetkey_error_free(error);
    planetkey_login_result_free(result);
    planetkey_login_options_free(options);
    planetkey_session_free(session);
    return status;
}
