/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* planetkey.hpp: sessions, errors and log records, with destructors and exceptions. */
#include "planetkey.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <thread>
#include <type_traits>

#include "simulator.h"
#include "test.h"

namespace {

using planetkey::Authorization;
using planetkey::Options;
using planetkey::Session;

static_assert(std::is_copy_constructible_v<Session> &&
              std::is_nothrow_move_constructible_v<Session>);
static_assert(!std::is_copy_constructible_v<Authorization> &&
              std::is_nothrow_move_constructible_v<Authorization>);
static_assert(!std::is_copy_constructible_v<Options> &&
              std::is_nothrow_move_constructible_v<Options>);
static_assert(std::is_base_of_v<std::runtime_error, planetkey::Error>);
static_assert(std::is_nothrow_copy_constructible_v<planetkey::Error> ||
              std::is_copy_constructible_v<planetkey::Error>);

/* A temporary object returns no views. */
template <typename T, typename = void> constexpr bool lends = false;
template <typename T> constexpr bool lends<T, std::void_t<decltype(std::declval<T>().url())>> =
    true;
static_assert(lends<const Authorization &> && !lends<Authorization>);

Options options() {
    Options options;
    options.allow_insecure_loopback(true)
        .deployment(simulator_variable("PLANETKEY_DEPLOYMENT"))
        .timeout(std::chrono::seconds(20));
    return options;
}

Session m2m() {
    return Session::from_m2m(simulator_variable("PL_AUTH_CLIENT_ID"),
                             simulator_variable("PL_AUTH_CLIENT_SECRET"), {}, std::nullopt,
                             options());
}

template <typename Call> void expect(planetkey_status status, Call call) {
    try {
        call();
        CHECK(!"an exception");
    } catch (const planetkey::Error &error) {
        if (!CHECK(error.status() == status)) {
            std::fprintf(stderr, "    %s\n", error.what());
        }
        CHECK(std::string(error.what()) == error.code() + ": " + error.message());
    }
}

void sessions() {
    const std::string url =
        simulator_url("PLANETKEY_SIMULATOR_SENTINEL_HUB_API", "/api/v1/catalog");
    Session session = Session::from_defaults(options());
    Session copy = session;
    Session moved = std::move(session);
    session = copy;
    copy = std::move(moved);
    CHECK(session.get() == copy.get());
    CHECK(session.is_initialized());
    Authorization authorization = session.authorize(url);
    CHECK(authorization.header_count() == 1 && authorization.headers().size() == 1);
    CHECK(authorization.headers()[0].first == "Authorization");
    CHECK(authorization.header_name(0) == "Authorization" &&
          authorization.header_value(0).substr(0, 7) == "Bearer ");
    CHECK(authorization.header_line(0) ==
          std::string("Authorization: ").append(authorization.header_value(0)));
    CHECK(authorization.header_line(1).empty());
    CHECK(authorization.url() == url && authorization.credential() == "access_token" &&
          authorization.transport() == "bearer");
    CHECK(!authorization.source().empty());
    CHECK(authorization.expires_at().value() > std::chrono::system_clock::now());
    CHECK(simulator_get(url.c_str(), authorization.header_line(0).data(), nullptr) == 200);
    CHECK(session.headers(url).generation() == authorization.generation());
    CHECK(authorization.source_index() == 0 && !authorization.under_development());

    char buffer[8192];
    const std::size_t needed = session.copy_header(url, nullptr, 0);
    CHECK(needed == authorization.header_line(0).size() + 1);
    CHECK(session.copy_header(url, buffer, sizeof buffer) == needed &&
          buffer == authorization.header_line(0));

    planetkey::String token = session.access_token();
    CHECK(authorization.header_value(0).substr(7) == token.view() && token.str() == token.c_str());
    const std::optional<Authorization> repeat =
        session.after_response(authorization, 401, "Bearer error=\"invalid_token\"");
    CHECK(repeat && repeat->header_value(0) != authorization.header_value(0));
    CHECK(!session.after_response(authorization, 200) && !session.after_response(*repeat, 403));
    CHECK(session.authorize_if_served(url)->header_value(0) == repeat->header_value(0));
    CHECK(!session.authorize_if_served("https://example.com/"));
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, [&] { session.authorize_if_served("example.com"); });
    CHECK(!session.invalidate("another"));
    session.refresh();
    CHECK(session.access_token().str() != token.str());
    CHECK(session.with_timeout(std::chrono::seconds(5)).access_token().str() ==
          session.access_token().str());

    planetkey::SessionInfo info = session.status();
    CHECK(info.source_count() == 2 && info.is_initialized() &&
          info.deployment() == "planet-simulator");
    CHECK(info.kind() == "access_token" && info.kind(1) == "api_key" && info.kind(2).empty());
    CHECK(info.client_id() == simulator_variable("PL_AUTH_CLIENT_ID") && !info.client_id(1));
    CHECK(info.issuer() == simulator_variable("PLANETKEY_SIMULATOR_M2M"));
    CHECK(info.token_cached() && info.source_is_initialized() && info.expires_at() &&
          !info.expires_at(1));
    CHECK(info.hosts().size() == 2 && info.hosts(1).size() == 1 && info.transport(1) == "basic" &&
          !info.profile(1));
    CHECK(info.client_type(1) == "static_apikey" && info.scopes(1).empty() &&
          !info.source(1).empty());
    CHECK(info.notes().empty() && info.json().substr(0, 1) == "{");

    Session by_config = Session::from_client_config(
        std::string("{\"client_type\":\"oidc_client_credentials_secret\",\"auth_server\":\"") +
            simulator_variable("PLANETKEY_SIMULATOR_M2M") + "\",\"client_id\":\"" +
            simulator_variable("PL_AUTH_CLIENT_ID") + "\",\"client_secret\":\"" +
            simulator_variable("PL_AUTH_CLIENT_SECRET") + "\"}",
        options());
    CHECK(!by_config.access_token().str().empty());
    const std::optional<Authorization> cached = session.headers_cached(url);
    CHECK(cached && cached->generation() == session.headers(url).generation());
    CHECK(info.file() && info.file()->find("/.planet/planet-m2m-") != std::string_view::npos &&
          !info.file(1));
    CHECK(!info.store() && !info.store_is_reachable() && !info.store_holds() &&
          !info.store_problem());
    CHECK(session.logout().removed() && !session.headers_cached(url));
    CHECK(planetkey::settle(std::chrono::milliseconds(0)));
    Session with_scopes = Session::from_m2m(simulator_variable("PL_AUTH_CLIENT_ID"),
                                            simulator_variable("PL_AUTH_CLIENT_SECRET"),
                                            {"one", "two"}, "https://api.planet.com/", options());
    CHECK(!with_scopes.access_token().str().empty());
    planetkey::SessionInfo scoped = with_scopes.status();
    CHECK(scoped.scopes() == (std::vector<std::string_view>{"one", "two"}));
}

void api_keys() {
    const std::string url = simulator_url("PLANETKEY_SIMULATOR_PLANET_API", "/basemaps/v1/mosaics");
    const std::string key = simulator_variable("PL_API_KEY");
    Session session = Session::from_api_key(key, PLANETKEY_API_KEY_TRANSPORT_QUERY, options());
    Authorization authorization = session.authorize(url);
    CHECK(authorization.header_count() == 0 && authorization.headers().empty() &&
          !authorization.expires_at());
    CHECK(simulator_get(authorization.url().data(), nullptr, nullptr) == 200);
    CHECK(session.api_key().str() == key);
    const std::string signed_url = session.signed_url(url).str();
    CHECK(authorization.url() == signed_url);
    CHECK(planetkey::strip_api_key(signed_url) == url);
    CHECK(planetkey::redact_url(signed_url).find(key) == std::string::npos);
    expect(PLANETKEY_STATUS_UNSUPPORTED, [&] { session.access_token(); });
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, [&] { session.headers(url); });
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, [&] { session.copy_header(url, nullptr, 0); });
    expect(PLANETKEY_STATUS_HOST_REFUSED, [&] { session.authorize("https://example.com/"); });
}

void errors() {
    const std::string nul("https://api.planet.com\0.evil.example/", 37);
    Session session = m2m();
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, [&] { session.authorize(nul); });
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, [&] { Session::from_api_key(nul); });
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, [&] { Options().proxy(nul); });
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, [&] { Options().storage_root(nul); });
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, [&] { Options().profile(nul); });
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, [&] { Session::from_m2m("id", "secret", {nul}); });
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, [&] { planetkey::strip_api_key(nul); });
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, [&] { Options().ca_file("\xff"); });
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, [&] { Options().add_allowed_host("\xff"); });
    expect(PLANETKEY_STATUS_MISCONFIGURED,
           [&] { Session::from_profile("no-such-profile", options()); });
    simulator_script("m2m.token", "[{\"status\":503,\"headers\":{\"Retry-After\":\"120\"}}]", 1);
    try {
        session.with_timeout(std::chrono::seconds(2)).access_token();
        CHECK(!"an exception");
    } catch (const std::exception &error) {
        const auto &details = dynamic_cast<const planetkey::Error &>(error);
        CHECK(details.status() == PLANETKEY_STATUS_UNAVAILABLE && details.code() == "UNAVAILABLE");
        CHECK(details.retry_after() == std::chrono::minutes(2) && details.retryable() &&
              details.http_status() == 503);
        CHECK(!details.oauth_error() && !details.oauth_error_description() && !details.profile());
        const planetkey::Error copy = details;
        CHECK(copy.message() == details.message() && !copy.reason());
    }
    /* All sessions of a client obey Retry-After. This one has another home directory. */
    simulator_reset();
    Session other = m2m();
    simulator_script(
        "m2m.token",
        "[{\"status\":401,\"json\":{\"error\":\"invalid_client\",\"error_description\":\"no\"}}]",
        1);
    try {
        other.refresh();
        CHECK(!"an exception");
    } catch (const planetkey::Error &error) {
        CHECK(error.oauth_error() == "invalid_client" && error.oauth_error_description() == "no" &&
              error.http_status() == 401);
        CHECK(!error.retryable() && !error.retry_after());
    }
    simulator_reset();
}

void log_callback() {
    auto records = std::make_shared<std::atomic<int>>(0);
    std::weak_ptr<std::atomic<int>> watched = records;
    planetkey::set_log_callback(
        [records](planetkey_log_level level, std::string_view target, std::string_view message) {
            if (level <= PLANETKEY_LOG_LEVEL_TRACE && !target.empty() && !message.empty()) {
                ++*records;
            }
            throw std::runtime_error("stays inside");
        },
        PLANETKEY_LOG_LEVEL_TRACE);
    records.reset();
    simulator_script("m2m.token",
                     "[{\"token_response\":{\"remove\":[\"expires_in\"],\"set\":{\"access_token\":"
                     "\"opaque\"}}}]",
                     0);
    m2m().refresh();
    CHECK(!watched.expired() && *watched.lock() > 0);
    planetkey::set_log_callback({});
    CHECK(watched.expired());
}

void threads() {
    Session session = m2m();
    std::atomic<int> good{0};
    std::vector<std::thread> threads;
    const std::string url = simulator_url("PLANETKEY_SIMULATOR_PLANET_API", "/data/v1/");
    simulator_reset();
    simulator_script("m2m.token", "[{\"hold\":\"gate\"}]", 0);
    for (int i = 0; i < 32; ++i) {
        threads.emplace_back(
            [session, url, &good] { good += session.authorize(url).header_count() == 1; });
    }
    simulator_wait_held("gate", 1);
    simulator_release("gate");
    std::for_each(threads.begin(), threads.end(), [](std::thread &thread) { thread.join(); });
    CHECK(good == 32);
    CHECK(simulator_count("m2m.token") == 1);
}

} // namespace

int main() {
    simulator_start();
    CHECK(planetkey::version() == PLANETKEY_VERSION);
    try {
        sessions();
        api_keys();
        errors();
        log_callback();
        threads();
    } catch (const planetkey::Error &error) {
        std::fprintf(stderr, "%s\n", error.what());
        CHECK(!"no exception");
    }
    simulator_end();
    return finish();
}
