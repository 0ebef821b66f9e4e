/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* planetkey.hpp: sessions on disk, and the application's own storage as a class. */
#include "planetkey.hpp"

#include <sched.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <type_traits>

#include "simulator.h"
#include "support.h"
#include "test.h"

namespace {

using planetkey::Options;
using planetkey::Session;

static_assert(std::is_abstract_v<planetkey::Storage> &&
              !std::is_copy_constructible_v<planetkey::Storage>);

Options options() {
    Options options;
    options.allow_insecure_loopback(true).deployment(simulator_variable("PLANETKEY_DEPLOYMENT"));
    return options;
}

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

/* A storage with the required members only. */
class Plain : public planetkey::Storage {
  public:
    std::optional<std::string> load() override {
        const std::lock_guard<std::mutex> guard(mutex);
        return text;
    }
    void save(std::optional<std::string_view> given) override {
        const std::lock_guard<std::mutex> guard(mutex);
        text = given;
    }

    std::mutex mutex;
    std::optional<std::string> text;
};

/* A storage that counts its calls, and throws on request. */
class Nervous : public Plain {
  public:
    std::optional<std::string> load() override {
        ++loads;
        if (throws_in_load) {
            throw std::runtime_error("load");
        }
        return Plain::load();
    }
    void save(std::optional<std::string_view> given) override {
        ++saves;
        if (throws_in_save) {
            throw 42;
        }
        Plain::save(given);
    }
    bool lock(std::chrono::milliseconds timeout) override {
        ++locks;
        if (throws_in_lock) {
            throw planetkey::Error(PLANETKEY_STATUS_DENIED, "lock");
        }
        return timeout.count() > 0 && !busy;
    }
    void unlock() override {
        ++unlocks;
        throw std::runtime_error("stays inside");
    }

    std::atomic<int> loads{0}, saves{0}, locks{0}, unlocks{0};
    std::atomic<bool> throws_in_load{false}, throws_in_save{false}, throws_in_lock{false},
        busy{false};
};

std::string seeded(const char *members) {
    char *text = simulator_seed(members);
    std::string copy = text;
    std::free(text);
    return copy;
}

Session user(std::shared_ptr<planetkey::Storage> storage) {
    return Session::from_profile("planet-user", options().storage(std::move(storage)));
}

void it_lives_as_long_as_its_sessions() {
    auto plain = std::make_shared<Plain>();
    const std::weak_ptr<Plain> watched = plain;
    plain->text = seeded("{\"lifetime\":0}");
    {
        Options with_storage = options();
        with_storage.storage(std::move(plain));
        Session session = Session::from_profile("planet-user", with_storage);
        with_storage.storage(nullptr);
        Session copy = session.with_timeout(std::chrono::seconds(20));
        session = copy;
        const std::string token = session.access_token().str();
        CHECK(simulator_count("user.rotations") == 1);
        CHECK(watched.lock()->text->find(token) != std::string::npos);
        CHECK(entries(home_file("")) == 0);
        const planetkey::SessionInfo info = session.status();
        CHECK(!info.file() && info.profile() == "planet-user");
        CHECK(session.logout().removed() && !watched.lock()->text);
        CHECK(!session.logout().removed() && !session.is_initialized());
        expect(PLANETKEY_STATUS_LOGIN_REQUIRED, "logged out", [&] { session.access_token(); });
        CHECK(!watched.expired());
    }
    /* The thread of the refresh may still hold it for a moment. */
    WAIT_FOR(watched.expired());

    const auto replaced = std::make_shared<Plain>();
    Options again = options();
    again.storage(replaced);
    CHECK(replaced.use_count() == 2);
    again.storage(std::make_shared<Plain>());
    CHECK(replaced.use_count() == 1);
    Options moved = std::move(again);
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, "options", [&] { again.storage(replaced); });
    CHECK(replaced.use_count() == 1);
    // It is for the first M2M client that from_defaults finds.
    CHECK(Session::from_defaults(moved).status().is_initialized());
}

void what_it_throws_is_a_status() {
    auto nervous = std::make_shared<Nervous>();
    nervous->text = seeded(nullptr);
    nervous->throws_in_load = true;
    expect(PLANETKEY_STATUS_STORAGE, "load returned", [&] { user(nervous).access_token(); });
    nervous->throws_in_load = false;
    nervous->throws_in_lock = true;
    expect(PLANETKEY_STATUS_STORAGE, "lock returned", [&] { user(nervous).access_token(); });
    nervous->throws_in_lock = false;
    nervous->busy = true;
    expect(PLANETKEY_STATUS_TIMEOUT, "storage lock", [&] { user(nervous).access_token(); });
    nervous->busy = false;
    Session session = user(nervous);
    CHECK(nervous->text->find(session.access_token().str()) != std::string::npos);
    CHECK(nervous->saves == 0 && nervous->loads >= 2 && nervous->locks == 4);

    nervous->throws_in_save = true;
    session.refresh();
    const planetkey::SessionInfo info = session.status();
    CHECK(info.notes().size() == 1 &&
          info.notes()[0].find("save returned") != std::string_view::npos);
    expect(PLANETKEY_STATUS_STORAGE, "save returned", [&] { session.logout(); });
    nervous->throws_in_save = false;
    CHECK(session.logout().removed());
    CHECK(nervous->unlocks == nervous->locks - 2);
}

void on_disk() {
    const auto m2m = [](const Options &options) {
        return Session::from_m2m(simulator_variable("PL_AUTH_CLIENT_ID"),
                                 simulator_variable("PL_AUTH_CLIENT_SECRET"), {}, std::nullopt,
                                 options);
    };
    const std::string root = home_file("elsewhere");
    Options in_memory = options();
    in_memory.save(false);
    const std::string token = m2m(in_memory).access_token().str();
    CHECK(entries(home_file("")) == 0);

    Options elsewhere = options();
    elsewhere.storage_root(root).profile("mine").save(true);
    const Session session = m2m(elsewhere);
    const std::string other = session.access_token().str();
    CHECK(other != token && m2m(elsewhere).access_token().str() == other);
    const planetkey::SessionInfo info = session.status();
    CHECK(info.file() == root + "/.planet/mine/token.json" && info.profile() == "mine");
    CHECK(permissions((root + "/.planet/mine/token.json").c_str()) == 0600);
    CHECK(simulator_count("m2m.token") == 2);
    expect(PLANETKEY_STATUS_INVALID_ARGUMENT, "profile",
           [&] { Session::from_profile("planet-user", elsewhere); });
}

} // namespace

int main() {
    void (*const tests[])() = {it_lives_as_long_as_its_sessions, what_it_throws_is_a_status,
                               on_disk};
    simulator_start();
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
