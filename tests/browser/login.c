/* login browser|device: logs somebody in to the built-in profile. Prints what they must see, the code first, and in the end what came of it. */
#include <planetkey.h>
#include <stdio.h>
#include <string.h>

static int32_t show(void *user_data, const planetkey_prompt *prompt) {
    const char *code = planetkey_prompt_user_code(prompt);
    (void)user_data;
    printf("%s %s\n", code ? code : "-", planetkey_prompt_url(prompt));
    fflush(stdout);
    return PLANETKEY_STATUS_OK;
}

int main(int argc, char **argv) {
    const int32_t method = argc > 1 && strcmp(argv[1], "device") == 0 ? PLANETKEY_LOGIN_METHOD_DEVICE : PLANETKEY_LOGIN_METHOD_BROWSER;
    planetkey_options *options = planetkey_options_new();
    planetkey_login_options *how = planetkey_login_options_new();
    planetkey_session *session = NULL;
    planetkey_logged_in *who = NULL;
    planetkey_string *token = NULL;
    planetkey_status status = planetkey_options_set_allow_insecure_loopback(options, true, NULL);
    if (status == PLANETKEY_STATUS_OK)
        status = planetkey_login_options_set_method(how, method, NULL);
    if (status == PLANETKEY_STATUS_OK)
        status = planetkey_login_options_set_prompt(how, show, NULL, NULL, NULL);
    if (status == PLANETKEY_STATUS_OK)
        status = planetkey_session_from_profile("planet-user", options, &session, NULL);
    if (status == PLANETKEY_STATUS_OK)
        status = planetkey_session_login(session, how, &who, NULL);
    if (status == PLANETKEY_STATUS_OK)
        status = planetkey_session_access_token(session, &token, NULL);
    if (status == PLANETKEY_STATUS_OK)
        printf("{\"subject\": \"%s\", \"token\": \"%s\"}\n", planetkey_logged_in_subject(who), planetkey_string_data(token));
    else
        printf("{\"error\": \"%s\"}\n", planetkey_status_name(status));
    planetkey_string_free(token);
    planetkey_logged_in_free(who);
    planetkey_session_free(session);
    planetkey_login_options_free(how);
    planetkey_options_free(options);
    return 0;
}
