/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* planetkey.hpp: token providers, and what they throw. */
#include "planetkey.hpp"

#include <sched.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <thread>

#include "simulator.h"
#include "support.h"
#include "test.h"

namespace {

using planetkey::ProvidedToken;
using planetkey::Session;
using planetkey::TokenRequest;
using namespace std::chrono_literals;

constexpr const char *url = "https://services.sentinel-hub.com/api/v1/catalog";

std::string token_of(const Session &session) { return session.access_token().str(); }

template <typename Call> void expect(planetkey_status status, const std::string &words, Call call) {
    try {
        call();
        CHECK(!"an exception");
    } catch (const planetkey::Error &error) {
        if (!CHECK(error.status() == status && error.message().find(words) != std::string::npos)) {
            std::fprintf(stderr, "    %s\n", error.what());
        }
    }
}

void tokens_are_cached_and_refused_ones_told() {
    std::atomic<int> calls{0};
    std::string rejected;
    bool has_time = true;
    auto alive = std::make_shared<int>(0);
    const std::weak_ptr<int> watched = alive;
    {
        const Session session =
            Session::from_token_provider([&, alive](const TokenRequest &request) -> ProvidedToken {
                has_time = has_time && request.timeout() > 0ms;
                rejected = request.rejected_token().value_or("none");
                return {"token-" + std::to_string(++calls), 1h};
            });
        alive.reset();
        CHECK(calls == 0 && !watched.expired());
        CHECK(token_of(session) == "token-1" && token_of(session) == "token-1" && calls == 1);
        const planetkey::Authorization authorization = session.authorize(url);
        const auto left = *authorization.expires_at() - std::chrono::system_clock::now();
        CHECK(left > 59min && left <= 1h);
        const auto repeat = session.after_response(authorization, 401);
        CHECK(repeat && repeat->access_token() == "token-2");
        CHECK(rejected == "token-1" && has_time);
    }
    WAIT_FOR(watched.expired());
}

void an_expiry_is_a_time_or_that_of_the_token() {
    const auto now = std::chrono::system_clock::now();
    const Session until = Session::from_token_provider([=](const TokenRequest &) -> ProvidedToken {
        return {"token", std::nullopt, now + 10min};
    });
    const auto left = *until.authorize(url).expires_at() - now;
    CHECK(left > 9min && left <= 10min);
    const Session unknown = Session::from_token_provider(
        [](const TokenRequest &) -> ProvidedToken { return {"token"}; });
    CHECK(*unknown.authorize(url).expires_at() - now < 6min);
    const Session expired = Session::from_token_provider([](const TokenRequest &) -> ProvidedToken {
        return {"token", -1ms};
    });
    expect(PLANETKEY_STATUS_UNAVAILABLE, "expired", [&] { expired.access_token(); });
}

void threads_share_one_call() {
    std::atomic<int> calls{0};
    std::atomic<int> right{0};
    std::atomic<bool> is_closed{true};
    const Session session = Session::from_token_provider([&](const TokenRequest &) {
        ++calls;
        while (is_closed) {
            sched_yield();
        }
        return ProvidedToken{"token", 1h};
    });
    std::vector<std::thread> threads;
    for (int i = 0; i < 32; ++i) {
        threads.emplace_back([&] { right += token_of(session) == "token"; });
    }
    WAIT_FOR(calls == 1);
    is_closed = false;
    for (std::thread &thread : threads) {
        thread.join();
    }
    CHECK(right == 32 && calls == 1);
}

void what_it_throws_is_a_status() {
    const auto throwing = [](auto thrown) {
        return Session::from_token_provider(
            [=](const TokenRequest &) -> ProvidedToken { throw thrown; });
    };
    const Session other = throwing(std::runtime_error("SECRET"));
    expect(PLANETKEY_STATUS_UNAVAILABLE, "the token provider failed",
           [&] { other.access_token(); });
    try {
        other.access_token();
    } catch (const planetkey::Error &error) {
        CHECK(error.message().find("SECRET") == std::string::npos);
    }
    const Session number = throwing(7);
    expect(PLANETKEY_STATUS_UNAVAILABLE, "the token provider failed",
           [&] { number.access_token(); });
    const Session own =
        throwing(planetkey::Error(PLANETKEY_STATUS_DENIED, std::string("not this worker")));
    expect(PLANETKEY_STATUS_DENIED, "not this worker", [&] { own.access_token(); });
    const Session nul = Session::from_token_provider([](const TokenRequest &) {
        return ProvidedToken{std::string("a\0b", 3), 1h};
    });
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, "NUL", [&] { nul.access_token(); });

    /* The error of another session, with all its details. */
    const auto logged_out = std::make_shared<Session>(Session::from_profile("planet-user"));
    const Session session = Session::from_token_provider([logged_out](const TokenRequest &) {
        return ProvidedToken{logged_out->access_token().str(), 1h};
    });
    try {
        session.access_token();
        CHECK(!"an exception");
    } catch (const planetkey::Error &error) {
        CHECK(error.status() == PLANETKEY_STATUS_LOGIN_REQUIRED);
        CHECK(error.reason() == "never_logged_in" && error.profile() == "planet-user");
    }
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, "provider",
           [] { Session::from_token_provider(planetkey::TokenProvider()); });
}

} // namespace

int main() {
    void (*const tests[])() = {tokens_are_cached_and_refused_ones_told,
                               an_expiry_is_a_time_or_that_of_the_token, threads_share_one_call,
                               what_it_throws_is_a_status};
    simulator_start();
    /* No server is asked, so that the hosts are those of Planet. */
    unsetenv("PLANETKEY_DEPLOYMENT");
    for (const auto test : tests) {
        simulator_reset();
        try {
            test();
        } catch (const planetkey::Error &error) {
            std::fprintf(stderr, "%s\n", error.what());
            CHECK(!"no exception");
        }
    }
    simulator_end();
    return finish();
}
