/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Logins in planetkey.hpp: handles with destructors, prompts that are lambdas, exceptions in both
 * directions. */
#include "planetkey.hpp"

#include <atomic>
#include <cstdlib>
#include <thread>
#include <type_traits>

#include "simulator.h"
#include "test.h"

namespace {

using planetkey::Login;
using planetkey::LoginOptions;
using planetkey::LoginResult;
using planetkey::Prompt;
using planetkey::Session;
using std::chrono::milliseconds;

static_assert(!std::is_copy_constructible_v<LoginResult> &&
              std::is_nothrow_move_constructible_v<LoginResult>);
static_assert(!std::is_copy_constructible_v<LoginOptions> &&
              std::is_nothrow_move_constructible_v<LoginOptions>);
static_assert(std::is_copy_constructible_v<Login> && std::is_nothrow_move_constructible_v<Login>);
static_assert(!std::is_copy_constructible_v<Prompt> && !std::is_move_constructible_v<Prompt>);

/* A temporary object returns no views. */
template <typename T, typename = void> constexpr bool lends = false;
template <typename T> constexpr bool lends<T, std::void_t<decltype(std::declval<T>().subject())>> =
    true;
static_assert(lends<const LoginResult &> && !lends<LoginResult>);

using Answer = std::optional<std::string>;

Session user() {
    planetkey::Options options;
    options.allow_insecure_loopback(true).deployment(simulator_variable("PLANETKEY_DEPLOYMENT"));
    return Session::from_profile("planet-user", options);
}

std::string in_browser(const std::string_view &authorization_url, const char *members = nullptr) {
    char *location = simulator_log_in_in_browser(std::string(authorization_url).c_str(), members);
    std::string copy = location;
    std::free(location);
    return copy;
}

std::string who(const LoginResult &result) { return std::string(result.subject().value()); }

template <typename Call> void expect(planetkey_status status, Call call) {
    try {
        call();
        CHECK(!"an exception");
    } catch (const planetkey::Error &error) {
        if (!CHECK(error.status() == status)) {
            std::fprintf(stderr, "    %s\n", error.what());
        }
    }
}

void on_a_device() {
    const Session session = user();
    int shown = 0;
    LoginOptions options;
    options.method(PLANETKEY_LOGIN_METHOD_DEVICE)
        .open_browser(false)
        .timeout(std::chrono::minutes(1))
        .scopes({"planet", "openid", "email"});
    options.prompt([&](const Prompt &prompt) -> Answer {
        ++shown;
        CHECK(prompt.kind() == PLANETKEY_PROMPT_KIND_DEVICE && !prompt.browser_opened() &&
              prompt.get());
        CHECK(prompt.message().find(*prompt.user_code()) != std::string_view::npos);
        CHECK(prompt.url() == prompt.verification_uri_complete() && prompt.verification_uri());
        CHECK(prompt.expires_in() > milliseconds(50000) &&
              prompt.expires_in() <= milliseconds(60000));
        CHECK(prompt.qr_code().value().size() > 500 &&
              prompt.qr_code(true)->find('#') != std::string::npos);
        simulator_log_in_on_device(std::string(*prompt.user_code()).c_str(),
                                   "\"username\":\"ada\"");
        return std::nullopt;
    });
    const LoginResult result = session.login(options);
    CHECK(shown == 1 && result.prompted() && result.subject() == "user|ada" &&
          result.email() == "ada@example.com");
    CHECK(result.scopes() == (std::vector<std::string_view>{"planet", "openid", "email"}));
    CHECK(result.expires_at().value() > std::chrono::system_clock::now() &&
          result.profile() == "planet-user");
    CHECK(result.file()->find("/.planet/planet-user/token.json") != std::string_view::npos);
    CHECK(result.json().find("\"user|ada\"") != std::string_view::npos);
    CHECK(!session.login(options).prompted() && shown == 1);

    CHECK(session.userinfo().str().find("\"sub\":\"user|ada\"") != std::string_view::npos);
    CHECK(session.id_token_claims().str().find("\"sub\":\"user|ada\"") != std::string_view::npos);
    CHECK(session.introspect().str().find("\"active\":true") != std::string_view::npos);
    CHECK(session.introspect("unknown").str().find("\"active\":false") != std::string_view::npos);
    const planetkey::LogoutResult out = session.logout();
    /* offline_access was not requested. */
    CHECK(out.removed() && out.revocation() == PLANETKEY_REVOCATION_NONE);
    expect(PLANETKEY_STATUS_LOGIN_REQUIRED, [&] { session.userinfo(); });
    expect(PLANETKEY_STATUS_LOGIN_REQUIRED, [&] { session.id_token_claims(); });
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, [&] { session.introspect(""); });
}

void driven_by_hand() {
    const Session session = user();
    const Login device = session.start_device_login();
    CHECK(device.user_code() && device.verification_uri() && device.verification_uri_complete());
    CHECK(!device.authorization_url() && !device.redirect_uri());
    CHECK(!device.poll() && device.poll_interval() > milliseconds(0) &&
          device.expires_in() > milliseconds(800000));
    simulator_log_in_on_device(std::string(*device.user_code()).c_str(), nullptr);
    expect(PLANETKEY_STATUS_TIMEOUT, [&] { device.wait(milliseconds(1)); });
    expect(PLANETKEY_STATUS_UNSUPPORTED, [&] { device.complete("http://127.0.0.1/?code=c"); });
    CHECK(who(device.wait()) == "simulator-user");
    const std::optional<LoginResult> polled = device.poll();
    CHECK(polled && polled->subject() == "simulator-user");
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, [&] { device.wait(milliseconds(-1)); });
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT,
           [&] { LoginOptions().timeout(std::chrono::hours(2000)); });
    CHECK(who(device.wait(milliseconds(0))) == "simulator-user");

    Login browser = session.start_browser_login();
    CHECK(browser.authorization_url() && browser.redirect_uri() && browser.qr_code(true) &&
          !browser.user_code());
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, [&] { browser.complete("nothing"); });
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, [&] { browser.complete(std::string("a\0b", 3)); });
    const std::string location = in_browser(*browser.authorization_url());
    CHECK(browser.complete(location).prompted());
    const planetkey::LogoutResult out = session.logout();
    CHECK(out.removed() && out.revocation() == PLANETKEY_REVOCATION_REVOKED &&
          !out.revocation_error() && simulator_sessions_alive() == 1);
}

void cancelled_by_a_copy() {
    const Session session = user();
    for (Login login : {session.start_device_login(), session.start_browser_login()}) {
        std::atomic<bool> cancelled{false};
        std::thread waiting([login, &cancelled] {
            try {
                login.wait();
            } catch (const planetkey::Error &error) {
                cancelled = error.status() == PLANETKEY_STATUS_CANCELLED;
            }
        });
        Login moved = std::move(login);
        moved.cancel();
        waiting.join();
        CHECK(cancelled);
        login = moved;
        expect(PLANETKEY_STATUS_CANCELLED, [&] { login.poll(); });
    }
}

struct Oops : std::runtime_error {
    Oops() : std::runtime_error("oops") {}
};

void prompts_that_throw() {
    const Session session = user();
    auto counted = std::make_shared<int>(0);
    LoginOptions options;
    options.method(PLANETKEY_LOGIN_METHOD_PASTE).prompt([counted](const Prompt &) -> Answer {
        ++*counted;
        throw Oops();
    });
    try {
        session.login(options);
        CHECK(!"an exception");
    } catch (const Oops &oops) {
        CHECK(*counted == 1 && std::string(oops.what()) == "oops");
    }
    /* That exception does not affect the next call. */
    expect(PLANETKEY_STATUS_LOGIN_REQUIRED,
           [&] { session.login(LoginOptions().open_browser(false)); });
    options.prompt([](const Prompt &) -> Answer { return std::nullopt; });
    CHECK(counted.use_count() == 1);
    expect(PLANETKEY_STATUS_CANCELLED, [&] { session.login(options); });
    options.prompt([](const Prompt &) -> Answer { return std::string("a\0b", 3); });
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, [&] { session.login(options); });
    options.prompt({});
    expect(PLANETKEY_STATUS_LOGIN_REQUIRED, [&] { session.login(options); });
    /* A prompt callback that logs in itself, with a prompt callback that throws. */
    options.prompt([&](const Prompt &prompt) -> Answer {
        try {
            LoginOptions inner;
            inner.method(PLANETKEY_LOGIN_METHOD_PASTE).prompt([](const Prompt &) -> Answer {
                throw Oops();
            });
            session.login(inner);
        } catch (const Oops &) {
            return in_browser(*prompt.url(), "\"username\":\"ada\"");
        }
        return std::nullopt;
    });
    CHECK(who(session.login(options)) == "user|ada");
}

void different_user() {
    const Session session = user();
    const auto log_in = [&](const std::string &name, const Answer &answer, bool allow = false) {
        LoginOptions options;
        options.force(true)
            .allow_other_user(allow)
            .page("<p>Thanks</p>")
            .prompt([&](const Prompt &prompt) -> Answer {
                CHECK(prompt.kind() == PLANETKEY_PROMPT_KIND_OTHER_USER && !prompt.url() &&
                      !prompt.qr_code() && !prompt.expires_in());
                if (answer == "throw") {
                    throw Oops();
                }
                return answer;
            });
        const Login login = session.start_browser_login(options);
        return login.complete(
            in_browser(*login.authorization_url(), ("\"username\":\"" + name + "\"").c_str()));
    };
    CHECK(who(log_in("ada", std::nullopt)) == "user|ada");
    try {
        log_in("bob", "no");
        CHECK(!"an exception");
    } catch (const planetkey::Error &error) {
        CHECK(error.status() == PLANETKEY_STATUS_DENIED && error.reason() == "other_user" &&
              error.profile() == "planet-user");
    }
    bool thrown = false;
    try {
        log_in("bob", "throw");
    } catch (const Oops &) {
        thrown = true;
    }
    CHECK(thrown);
    CHECK(who(log_in("bob", "yes")) == "user|bob");
    CHECK(who(log_in("ada", "no", true)) == "user|ada");
    simulator_script("user.revoke", "[{\"status\":503}]", 1);
    const planetkey::LogoutResult out = session.logout();
    CHECK(out.removed() && out.revocation() == PLANETKEY_REVOCATION_UNKNOWN &&
          !out.revocation_error().value().empty());
}

} // namespace

int main() {
    void (*const tests[])() = {on_a_device, driven_by_hand, cancelled_by_a_copy, prompts_that_throw,
                               different_user};
    simulator_start();
    for (const auto test : tests) {
        simulator_reset();
        simulator_settings("{\"device_interval\":1}");
        try {
            test();
        } catch (const std::exception &error) {
            std::fprintf(stderr, "%s\n", error.what());
            CHECK(!"no exception");
        }
    }
    simulator_end();
    return finish();
}
