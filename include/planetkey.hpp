/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/**
 * @file planetkey.hpp
 * @brief Authentication to the Planet Insights Platform for C++17: planetkey.h with destructors and exceptions. Header-only.
 *
 *     planetkey::Session session = planetkey::Session::from_defaults();
 *     planetkey::Authorization authorization = session.authorize(url);
 *     for (const auto &[name, value] : authorization.headers())
 *         request.set_header(name, value);
 *
 * planetkey::CurlHeaders does this for libcurl.
 *
 * Whatever fails throws planetkey::Error. Views that an object lends live as long as the object (so a temporary lends none) and
 * their text ends with a NUL. planetkey.h says the rest about each function.
 */
#ifndef PLANETKEY_HPP
#define PLANETKEY_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "planetkey.h"

namespace planetkey {

/// Why a call failed. `what()` is the status's name and the message; nothing here holds a secret.
class Error : public std::runtime_error {
  public:
    /// Takes over a C error, which may be NULL.
    Error(planetkey_status status, planetkey_error *error) : Error(status, Owned(error)) {}

    /// An error that C++ noticed itself.
    Error(planetkey_status status, const std::string &message)
        : std::runtime_error(name_of(status) + ": " + message), status_(status), message_(message) {}

    /// What the caller should do.
    planetkey_status status() const noexcept { return status_; }
    /// The status's name, the same in all languages: "INVALID_ARGUMENT".
    std::string code() const { return name_of(status_); }
    /// One line for people, which says what to do next.
    const std::string &message() const noexcept { return message_; }
    /// A word that refines the status.
    const std::optional<std::string> &reason() const noexcept { return reason_; }
    /// `error` of the authorization server's answer (RFC 6749 5.2).
    const std::optional<std::string> &oauth_error() const noexcept { return oauth_error_; }
    /// `error_description` of the authorization server's answer.
    const std::optional<std::string> &oauth_error_description() const noexcept { return oauth_error_description_; }
    /// The HTTP status of the authorization server's answer.
    std::optional<int> http_status() const noexcept { return http_status_; }
    /// How long to wait before trying again.
    std::optional<std::int64_t> retry_after_ms() const noexcept { return retry_after_ms_; }
    /// Whether the same call may succeed later without anybody changing anything.
    bool retryable() const noexcept { return retryable_; }
    /// The profile that this is about.
    const std::optional<std::string> &profile() const noexcept { return profile_; }

  private:
    struct Free {
        void operator()(planetkey_error *error) const noexcept { planetkey_error_free(error); }
    };
    using Owned = std::unique_ptr<planetkey_error, Free>;

    Error(planetkey_status status, const Owned &error)
        : Error(status, optional(planetkey_error_message(error.get())).value_or("no details")) {
        reason_ = optional(planetkey_error_reason(error.get()));
        oauth_error_ = optional(planetkey_error_oauth_error(error.get()));
        oauth_error_description_ = optional(planetkey_error_oauth_error_description(error.get()));
        if (const int http_status = planetkey_error_http_status(error.get())) {
            http_status_ = http_status;
        }
        if (const std::int64_t ms = planetkey_error_retry_after_ms(error.get()); ms >= 0) {
            retry_after_ms_ = ms;
        }
        retryable_ = planetkey_error_retryable(error.get());
        profile_ = optional(planetkey_error_profile(error.get()));
    }

    static std::string name_of(planetkey_status status) {
        const char *name = planetkey_status_name(status);
        return name ? name : "status " + std::to_string(static_cast<std::int32_t>(status));
    }

    static std::optional<std::string> optional(const char *text) {
        return text ? std::optional<std::string>(text) : std::nullopt;
    }

    planetkey_status status_;
    std::string message_;
    std::optional<std::string> reason_;
    std::optional<std::string> oauth_error_;
    std::optional<std::string> oauth_error_description_;
    std::optional<int> http_status_;
    std::optional<std::int64_t> retry_after_ms_;
    bool retryable_ = false;
    std::optional<std::string> profile_;
};

/// What the functions below share; not part of the interface.
namespace detail {

inline void check(planetkey_status status, planetkey_error *error) {
    if (status != PLANETKEY_STATUS_OK) {
        throw Error(status, error);
    }
}

/// C reads up to the first NUL: what stands behind it would escape every check.
inline const char *text(const char *name, const std::string &text) {
    if (text.find('\0') != std::string::npos) {
        throw Error(PLANETKEY_STATUS_INVALID_ARGUMENT, std::string(name) + " holds a NUL");
    }
    return text.c_str();
}

inline std::string_view view(const char *text) noexcept { return text ? std::string_view(text) : std::string_view(); }

inline std::optional<std::string_view> optional_view(const char *text) noexcept {
    return text ? std::optional<std::string_view>(text) : std::nullopt;
}

inline std::optional<std::int64_t> time(std::int64_t time) noexcept {
    return time == PLANETKEY_TIME_NONE ? std::nullopt : std::optional<std::int64_t>(time);
}

/// The header and the library must agree before anything is called.
inline void check_abi() {
    if (planetkey_abi_version() != PLANETKEY_ABI_VERSION) {
        throw Error(PLANETKEY_STATUS_INTERNAL, "compiled for libplanetkey.so." + std::to_string(PLANETKEY_ABI_VERSION) +
                                                   " and run with libplanetkey.so." +
                                                   std::to_string(planetkey_abi_version()));
    }
}

template <typename T, void (*free)(T *)> struct Free {
    void operator()(T *handle) const noexcept { free(handle); }
};

template <typename T, void (*free)(T *)> using Handle = std::unique_ptr<T, Free<T, free>>;

} // namespace detail

/// The version of the library that the program runs with; PLANETKEY_VERSION is that of the header.
inline std::string_view version() noexcept { return planetkey_version(); }

/// Text that is often a secret; wiped at the end.
class String {
  public:
    /// Takes over a C handle.
    explicit String(planetkey_string *handle) noexcept : handle_(handle) {}

    /// The text, lent.
    std::string_view view() const & noexcept {
        return {planetkey_string_data(handle_.get()), planetkey_string_length(handle_.get())};
    }
    std::string_view view() const && = delete;
    /// The text with its NUL, lent.
    const char *c_str() const & noexcept { return planetkey_string_data(handle_.get()); }
    const char *c_str() const && = delete;
    /// A copy, which nobody wipes.
    std::string str() const { return {planetkey_string_data(handle_.get()), planetkey_string_length(handle_.get())}; }

  private:
    detail::Handle<planetkey_string, planetkey_string_free> handle_;
};

namespace detail {

/// Takes over a C handle, which may be NULL.
inline std::optional<std::string> optional_string(planetkey_string *handle) {
    const String string(handle);
    return handle ? std::optional<std::string>(string.str()) : std::nullopt;
}

} // namespace detail

/// An application's own place for the tokens of a session, instead of `token.json` on disk: what is loaded and saved is the text of that file,
/// a JSON object with secrets in it.
///
/// Called on threads of planetkey, by logout() on the caller's; never from two threads at once for one session, but sessions that share
/// it may come at the same time. Whatever a member throws is dropped: the call that needs it then gives ::PLANETKEY_STATUS_STORAGE, and a session
/// that has its tokens in memory goes on with them. A call that would wait for the session that a member works for gives
/// ::PLANETKEY_STATUS_UNAVAILABLE.
class Storage {
  public:
    Storage() = default;
    Storage(const Storage &) = delete;
    Storage &operator=(const Storage &) = delete;
    virtual ~Storage() = default;

    /// The text that was saved last, if there is one.
    virtual std::optional<std::string> load() = 0;
    /// Keeps this text in place of what was there; after a logout there is none, and nothing is to be kept any more. When this throws, what
    /// was there before must still be there.
    virtual void save(std::optional<std::string_view> text) = 0;
    /// Keeps everybody else who shares this storage from renewing until unlock(); false when they did not leave it in this time. By
    /// default there is nobody else.
    virtual bool lock(std::uint32_t timeout_ms) {
        static_cast<void>(timeout_ms);
        return true;
    }
    /// Ends what lock() began, on the same thread.
    virtual void unlock() {}
};

namespace detail {

/// The functions that C calls, with a shared_ptr as user data. Nothing may be thrown through the library.
struct StorageCallbacks {
    static Storage &storage(void *user_data) noexcept { return **static_cast<std::shared_ptr<Storage> *>(user_data); }

    static void wipe(char *text, std::size_t length) noexcept {
        for (volatile char *byte = text; length > 0; --length) {
            *byte++ = 0;
        }
    }

    static std::int32_t load(void *user_data, char **text, std::size_t *length) noexcept {
        try {
            std::optional<std::string> kept = storage(user_data).load();
            if (kept) {
                *text = new char[kept->size() + 1];
                *length = kept->size();
                kept->copy(*text, kept->size());
                wipe(kept->data(), kept->size());
            }
            return PLANETKEY_STATUS_OK;
        } catch (...) {
            return PLANETKEY_STATUS_STORAGE;
        }
    }

    static void free_text(void *, char *text, std::size_t length) noexcept {
        wipe(text, length);
        delete[] text;
    }

    static std::int32_t save(void *user_data, const char *text, std::size_t length) noexcept {
        try {
            storage(user_data).save(text ? std::optional<std::string_view>({text, length}) : std::nullopt);
            return PLANETKEY_STATUS_OK;
        } catch (...) {
            return PLANETKEY_STATUS_STORAGE;
        }
    }

    static std::int32_t lock(void *user_data, std::uint32_t timeout_ms) noexcept {
        try {
            return storage(user_data).lock(timeout_ms) ? PLANETKEY_STATUS_OK : PLANETKEY_STATUS_TIMEOUT;
        } catch (...) {
            return PLANETKEY_STATUS_STORAGE;
        }
    }

    static void unlock(void *user_data) noexcept {
        try {
            storage(user_data).unlock();
        } catch (...) {
        }
    }

    static void free_user_data(void *user_data) noexcept { delete static_cast<std::shared_ptr<Storage> *>(user_data); }
};

} // namespace detail

/// What every constructor of a session takes; what is not set has its default.
class Options {
  public:
    Options() {
        detail::check_abi();
        handle_.reset(planetkey_options_new());
    }

    /// Whether tokens are kept on disk, where all processes and Planet's own tools share them; they are by default.
    Options &save(bool save) {
        return set([=](auto *handle, auto **error) { return planetkey_options_set_save(handle, save, error); });
    }
    /// The directory that takes the place of the home directory.
    Options &storage_root(const std::string &storage_root) {
        const char *text = detail::text("storage_root", storage_root);
        return set([=](auto *handle, auto **error) { return planetkey_options_set_storage_root(handle, text, error); });
    }
    /// The profile whose directory keeps the tokens of Session::from_m2m() and Session::from_client_config().
    Options &profile(const std::string &profile) {
        const char *text = detail::text("profile", profile);
        return set([=](auto *handle, auto **error) { return planetkey_options_set_profile(handle, text, error); });
    }
    /// The application's own storage in place of files; none means files. It lives at least as long as the sessions made with it.
    Options &storage(std::shared_ptr<Storage> storage) {
        if (!storage) {
            return set([](auto *handle, auto **error) { return planetkey_options_set_storage(handle, nullptr, error); });
        }
        using Callbacks = detail::StorageCallbacks;
        planetkey_storage callbacks{};
        callbacks.size = sizeof callbacks;
        callbacks.user_data = new std::shared_ptr<Storage>(std::move(storage));
        callbacks.load = Callbacks::load;
        callbacks.free_text = Callbacks::free_text;
        callbacks.save = Callbacks::save;
        callbacks.lock = Callbacks::lock;
        callbacks.unlock = Callbacks::unlock;
        callbacks.free_user_data = Callbacks::free_user_data;
        return set([&](auto *handle, auto **error) { return planetkey_options_set_storage(handle, &callbacks, error); });
    }
    /// The total deadline of each call that may use the network.
    Options &timeout_ms(std::uint32_t timeout_ms) {
        return set([=](auto *handle, auto **error) { return planetkey_options_set_timeout_ms(handle, timeout_ms, error); });
    }
    /// The name of a preset, the path of a JSON document, or the document itself.
    Options &deployment(const std::string &deployment) {
        const char *text = detail::text("deployment", deployment);
        return set([=](auto *handle, auto **error) { return planetkey_options_set_deployment(handle, text, error); });
    }
    /// One more host that the session's credentials may go to.
    Options &add_allowed_host(const std::string &host) {
        const char *text = detail::text("host", host);
        return set([=](auto *handle, auto **error) { return planetkey_options_add_allowed_host(handle, text, error); });
    }
    /// Whether credentials may go over plain http to loopback hosts of the deployment: for tests only.
    Options &allow_insecure_loopback(bool allow) {
        return set([=](auto *handle, auto **error) {
            return planetkey_options_set_allow_insecure_loopback(handle, allow, error);
        });
    }
    /// A file of certificates (PEM) to trust beside the system's.
    Options &ca_file(const std::string &ca_file) {
        const char *text = detail::text("ca_file", ca_file);
        return set([=](auto *handle, auto **error) { return planetkey_options_set_ca_file(handle, text, error); });
    }
    /// The proxy for requests to authorization servers.
    Options &proxy(const std::string &proxy) {
        const char *text = detail::text("proxy", proxy);
        return set([=](auto *handle, auto **error) { return planetkey_options_set_proxy(handle, text, error); });
    }

    /// The C handle, lent.
    const planetkey_options *get() const noexcept { return handle_.get(); }

  private:
    template <typename Setter> Options &set(Setter setter) {
        planetkey_error *error = nullptr;
        const planetkey_status status = setter(handle_.get(), &error);
        detail::check(status, error);
        return *this;
    }

    detail::Handle<planetkey_options, planetkey_options_free> handle_;
};

/// What one request carries: its URL and its headers; wiped at the end.
class Authorization {
  public:
    /// Takes over a C handle.
    explicit Authorization(planetkey_authorization *handle) noexcept : handle_(handle) {}

    /// The URL to request; in the query form with `api_key`, which makes it a secret.
    std::string_view url() const & noexcept { return detail::view(planetkey_authorization_url(get())); }
    std::string_view url() const && = delete;
    /// 0 in the query form, else 1.
    std::size_t header_count() const noexcept { return planetkey_authorization_header_count(get()); }
    /// "Authorization"; empty when there is no such header.
    std::string_view header_name(std::size_t index) const & noexcept {
        return detail::view(planetkey_authorization_header_name(get(), index));
    }
    std::string_view header_name(std::size_t index) const && = delete;
    /// "Bearer ..."; empty when there is no such header.
    std::string_view header_value(std::size_t index) const & noexcept {
        return detail::view(planetkey_authorization_header_value(get(), index));
    }
    std::string_view header_value(std::size_t index) const && = delete;
    /// "Authorization: Bearer ...", as curl_slist_append() takes it; empty when there is no such header.
    std::string_view header_line(std::size_t index) const & noexcept {
        return detail::view(planetkey_authorization_header_line(get(), index));
    }
    std::string_view header_line(std::size_t index) const && = delete;
    /// All headers as pairs of name and value.
    std::vector<std::pair<std::string_view, std::string_view>> headers() const & {
        std::vector<std::pair<std::string_view, std::string_view>> headers;
        for (std::size_t i = 0; i < header_count(); ++i) {
            headers.emplace_back(header_name(i), header_value(i));
        }
        return headers;
    }
    std::vector<std::pair<std::string_view, std::string_view>> headers() const && = delete;
    /// "access_token" or "api_key".
    std::string_view credential() const & noexcept { return detail::view(planetkey_authorization_credential(get())); }
    std::string_view credential() const && = delete;
    /// The access token by itself; none for an API key.
    std::optional<std::string_view> access_token() const & noexcept {
        return detail::optional_view(planetkey_authorization_access_token(get()));
    }
    std::optional<std::string_view> access_token() const && = delete;
    /// "bearer", "basic", "header" or "query".
    std::string_view transport() const & noexcept { return detail::view(planetkey_authorization_transport(get())); }
    std::string_view transport() const && = delete;
    /// Where the credential came from, for people: "environment: PL_API_KEY".
    std::string_view source() const & noexcept { return detail::view(planetkey_authorization_source(get())); }
    std::string_view source() const && = delete;
    /// When the access token ends, in Unix seconds.
    std::optional<std::int64_t> expires_at() const noexcept {
        return detail::time(planetkey_authorization_expires_at(get()));
    }
    /// Changes whenever the header of this credential changes.
    std::uint64_t generation() const noexcept { return planetkey_authorization_generation(get()); }
    /// Which source of Session::status() the credential is.
    std::size_t source_index() const noexcept { return planetkey_authorization_source_index(get()); }
    /// Whether Planet lists this kind of credential at this host as under development.
    bool under_development() const noexcept { return planetkey_authorization_under_development(get()); }

    /// The C handle, lent.
    const planetkey_authorization *get() const noexcept { return handle_.get(); }

  private:
    detail::Handle<planetkey_authorization, planetkey_authorization_free> handle_;
};

/// What a session is, without any secret, at one moment. `source` counts from 0, in the order in which a URL tries them.
class SessionInfo {
  public:
    /// Takes over a C handle.
    explicit SessionInfo(planetkey_session_info *handle) noexcept : handle_(handle) {}

    /// Everything as one JSON object.
    std::string_view json() const & noexcept { return detail::view(planetkey_session_info_json(get())); }
    std::string_view json() const && = delete;
    /// The name of the deployment.
    std::string_view deployment() const & noexcept { return detail::view(planetkey_session_info_deployment(get())); }
    std::string_view deployment() const && = delete;
    /// Whether the session could authorize requests without anybody logging in.
    bool is_initialized() const noexcept { return planetkey_session_info_is_initialized(get()); }
    /// How many sources there are.
    std::size_t source_count() const noexcept { return planetkey_session_info_source_count(get()); }
    /// "access_token" or "api_key"; empty when there is no such source.
    std::string_view kind(std::size_t source = 0) const & noexcept {
        return detail::view(planetkey_session_info_kind(get(), source));
    }
    std::string_view kind(std::size_t source = 0) const && = delete;
    /// Where the credential came from; empty when there is no such source.
    std::string_view source(std::size_t source = 0) const & noexcept {
        return detail::view(planetkey_session_info_source(get(), source));
    }
    std::string_view source(std::size_t source = 0) const && = delete;
    /// The profile.
    std::optional<std::string_view> profile(std::size_t source = 0) const & noexcept {
        return detail::optional_view(planetkey_session_info_profile(get(), source));
    }
    std::optional<std::string_view> profile(std::size_t source = 0) const && = delete;
    /// The kind of client, as in auth_client.json; empty when there is no such source.
    std::string_view client_type(std::size_t source = 0) const & noexcept {
        return detail::view(planetkey_session_info_client_type(get(), source));
    }
    std::string_view client_type(std::size_t source = 0) const && = delete;
    /// The client identifier.
    std::optional<std::string_view> client_id(std::size_t source = 0) const & noexcept {
        return detail::optional_view(planetkey_session_info_client_id(get(), source));
    }
    std::optional<std::string_view> client_id(std::size_t source = 0) const && = delete;
    /// The authorization server.
    std::optional<std::string_view> issuer(std::size_t source = 0) const & noexcept {
        return detail::optional_view(planetkey_session_info_issuer(get(), source));
    }
    std::optional<std::string_view> issuer(std::size_t source = 0) const && = delete;
    /// The scopes.
    std::vector<std::string_view> scopes(std::size_t source = 0) const & {
        std::vector<std::string_view> scopes;
        for (std::size_t i = 0; i < planetkey_session_info_scope_count(get(), source); ++i) {
            scopes.push_back(detail::view(planetkey_session_info_scope(get(), source, i)));
        }
        return scopes;
    }
    std::vector<std::string_view> scopes(std::size_t source = 0) const && = delete;
    /// When the access token ends, in Unix seconds.
    std::optional<std::int64_t> expires_at(std::size_t source = 0) const noexcept {
        return detail::time(planetkey_session_info_expires_at(get(), source));
    }
    /// Whether a source can give a credential without anybody logging in.
    bool source_is_initialized(std::size_t source = 0) const noexcept {
        return planetkey_session_info_source_is_initialized(get(), source);
    }
    /// Whether a source holds a valid access token now.
    bool token_cached(std::size_t source = 0) const noexcept {
        return planetkey_session_info_token_cached(get(), source);
    }
    /// The hosts that accept the credential.
    std::vector<std::string_view> hosts(std::size_t source = 0) const & {
        std::vector<std::string_view> hosts;
        for (std::size_t i = 0; i < planetkey_session_info_host_count(get(), source); ++i) {
            hosts.push_back(detail::view(planetkey_session_info_host(get(), source, i)));
        }
        return hosts;
    }
    std::vector<std::string_view> hosts(std::size_t source = 0) const && = delete;
    /// How the credential travels: "bearer", "basic", "header" or "query"; empty when there is no such source.
    std::string_view transport(std::size_t source = 0) const & noexcept {
        return detail::view(planetkey_session_info_transport(get(), source));
    }
    std::string_view transport(std::size_t source = 0) const && = delete;
    /// The file that keeps the tokens.
    std::optional<std::string_view> file(std::size_t source = 0) const & noexcept {
        return detail::optional_view(planetkey_session_info_file(get(), source));
    }
    std::optional<std::string_view> file(std::size_t source = 0) const && = delete;
    /// What was passed over when the session was opened, or could not be kept, and why, for people.
    std::vector<std::string_view> notes() const & {
        std::vector<std::string_view> notes;
        for (std::size_t i = 0; i < planetkey_session_info_note_count(get()); ++i) {
            notes.push_back(detail::view(planetkey_session_info_note(get(), i)));
        }
        return notes;
    }
    std::vector<std::string_view> notes() const && = delete;

    /// The C handle, lent.
    const planetkey_session_info *get() const noexcept { return handle_.get(); }

  private:
    detail::Handle<planetkey_session_info, planetkey_session_info_free> handle_;
};

/// What a login has brought, without any secret.
class LoggedIn {
  public:
    /// Takes over a C handle.
    explicit LoggedIn(planetkey_logged_in *handle) noexcept : handle_(handle) {}

    /// Everything as one JSON object.
    std::string_view json() const & noexcept { return detail::view(planetkey_logged_in_json(get())); }
    std::string_view json() const && = delete;
    /// Whether a person was asked: not where the session was good, or could be renewed.
    bool asked() const noexcept { return planetkey_logged_in_asked(get()); }
    /// Who is logged in: `sub` of the ID token, else of the access token.
    std::optional<std::string_view> subject() const & noexcept {
        return detail::optional_view(planetkey_logged_in_subject(get()));
    }
    std::optional<std::string_view> subject() const && = delete;
    /// Their e-mail address, with the scope `email`.
    std::optional<std::string_view> email() const & noexcept {
        return detail::optional_view(planetkey_logged_in_email(get()));
    }
    std::optional<std::string_view> email() const && = delete;
    /// The scopes that were granted.
    std::vector<std::string_view> scopes() const & {
        std::vector<std::string_view> scopes;
        for (std::size_t i = 0; i < planetkey_logged_in_scope_count(get()); ++i) {
            scopes.push_back(detail::view(planetkey_logged_in_scope(get(), i)));
        }
        return scopes;
    }
    std::vector<std::string_view> scopes() const && = delete;
    /// When the access token ends, in Unix seconds.
    std::optional<std::int64_t> expires_at() const noexcept {
        return detail::time(planetkey_logged_in_expires_at(get()));
    }
    /// The profile whose session it is.
    std::optional<std::string_view> profile() const & noexcept {
        return detail::optional_view(planetkey_logged_in_profile(get()));
    }
    std::optional<std::string_view> profile() const && = delete;
    /// The file that keeps the session.
    std::optional<std::string_view> file() const & noexcept {
        return detail::optional_view(planetkey_logged_in_file(get()));
    }
    std::optional<std::string_view> file() const && = delete;

    /// The C handle, lent.
    const planetkey_logged_in *get() const noexcept { return handle_.get(); }

  private:
    detail::Handle<planetkey_logged_in, planetkey_logged_in_free> handle_;
};

/// What a person must see for a login; lent to a PromptCallback for the call, with all that it lends.
class Prompt {
  public:
    explicit Prompt(const planetkey_prompt *prompt) noexcept : prompt_(prompt) {}
    Prompt(const Prompt &) = delete;
    Prompt &operator=(const Prompt &) = delete;

    /// What it is about.
    planetkey_prompt_kind kind() const noexcept {
        return static_cast<planetkey_prompt_kind>(planetkey_prompt_kind_of(prompt_));
    }
    /// All that must be said, in a few lines.
    std::string_view message() const noexcept { return detail::view(planetkey_prompt_message(prompt_)); }
    /// The address to open.
    std::optional<std::string_view> url() const noexcept { return detail::optional_view(planetkey_prompt_url(prompt_)); }
    /// The code to enter or to compare; to be shown in any case.
    std::optional<std::string_view> user_code() const noexcept {
        return detail::optional_view(planetkey_prompt_user_code(prompt_));
    }
    /// The address at which the code is entered.
    std::optional<std::string_view> verification_uri() const noexcept {
        return detail::optional_view(planetkey_prompt_verification_uri(prompt_));
    }
    /// The address that holds the code already.
    std::optional<std::string_view> verification_uri_complete() const noexcept {
        return detail::optional_view(planetkey_prompt_verification_uri_complete(prompt_));
    }
    /// How long there is for it.
    std::optional<std::int64_t> expires_in_ms() const noexcept {
        const std::int64_t ms = planetkey_prompt_expires_in_ms(prompt_);
        return ms < 0 ? std::nullopt : std::optional<std::int64_t>(ms);
    }
    /// Whether a browser was opened at the address.
    bool browser_opened() const noexcept { return planetkey_prompt_browser_opened(prompt_); }
    /// The address as a QR code, in lines of text.
    std::optional<std::string> qr_code(bool ascii = false) const {
        return detail::optional_string(planetkey_prompt_qr_code(prompt_, ascii));
    }

    /// The C handle, lent.
    const planetkey_prompt *get() const noexcept { return prompt_; }

  private:
    const planetkey_prompt *prompt_;
};

/// Shows a prompt, and gives the answer where one is needed; nothing means that the person does not want to go on. Comes on the thread that called
/// the login. What it throws ends the login, and comes out of the call.
using PromptCallback = std::function<std::optional<std::string>(const Prompt &)>;

namespace detail {

/// What a prompt of a call on this thread has thrown.
inline thread_local std::exception_ptr prompt_failure;

inline std::int32_t show_prompt(void *user_data, const planetkey_prompt *prompt) noexcept {
    try {
        const std::optional<std::string> answer = (*static_cast<PromptCallback *>(user_data))(Prompt(prompt));
        planetkey_error *error = nullptr;
        check(planetkey_prompt_set_answer(prompt, answer ? text("answer", *answer) : nullptr, &error), error);
        return PLANETKEY_STATUS_OK;
    } catch (...) {
        // Nothing may be thrown through the library.
        prompt_failure = std::current_exception();
        return PLANETKEY_STATUS_CANCELLED;
    }
}

/// Calls what may show a prompt.
template <typename T, typename Call> T with_prompts(Call call) {
    T out{};
    planetkey_error *error = nullptr;
    prompt_failure = nullptr;
    const planetkey_status status = call(&out, &error);
    if (const std::exception_ptr thrown = std::exchange(prompt_failure, nullptr); thrown && status != PLANETKEY_STATUS_OK) {
        planetkey_error_free(error);
        std::rethrow_exception(thrown);
    }
    check(status, error);
    return out;
}

} // namespace detail

/// How a login is to go; what is not set has its default.
class LoginOptions {
  public:
    LoginOptions() {
        detail::check_abi();
        handle_.reset(planetkey_login_options_new());
    }

    /// How Session::login() is to go.
    LoginOptions &method(planetkey_login_method method) {
        return set([=](auto *handle, auto **error) {
            return planetkey_login_options_set_method(handle, static_cast<std::int32_t>(method), error);
        });
    }
    /// Whether Session::login() may open a browser; by default where one is likely to be there.
    LoginOptions &open_browser(bool open_browser) {
        return set([=](auto *handle, auto **error) {
            return planetkey_login_options_set_open_browser(handle, open_browser, error);
        });
    }
    /// The scopes to ask for; none means the client's.
    LoginOptions &scopes(const std::vector<std::string> &scopes) {
        std::vector<const char *> texts;
        for (const std::string &scope : scopes) {
            texts.push_back(detail::text("scopes", scope));
        }
        return set([&](auto *handle, auto **error) {
            return planetkey_login_options_set_scopes(handle, texts.data(), texts.size(), error);
        });
    }
    /// The time that the person has, in total.
    LoginOptions &timeout_ms(std::uint32_t timeout_ms) {
        return set([=](auto *handle, auto **error) {
            return planetkey_login_options_set_timeout_ms(handle, timeout_ms, error);
        });
    }
    /// Whether Session::login() asks even where the session is good.
    LoginOptions &force(bool force) {
        return set([=](auto *handle, auto **error) { return planetkey_login_options_set_force(handle, force, error); });
    }
    /// Whether another person may take the place of the one whose session is saved, without a prompt.
    LoginOptions &allow_other_user(bool allow) {
        return set([=](auto *handle, auto **error) {
            return planetkey_login_options_set_allow_other_user(handle, allow, error);
        });
    }
    /// The HTML of the page that the browser shows when somebody has logged in.
    LoginOptions &page(const std::string &page) {
        const char *text = detail::text("page", page);
        return set([=](auto *handle, auto **error) { return planetkey_login_options_set_page(handle, text, error); });
    }
    /// Who shows the prompts and answers them; an empty one is nobody. It lives at least as long as the logins made with it.
    LoginOptions &prompt(PromptCallback prompt) {
        if (!prompt) {
            return set([](auto *handle, auto **error) {
                return planetkey_login_options_set_prompt(handle, nullptr, nullptr, nullptr, error);
            });
        }
        auto *callback = new PromptCallback(std::move(prompt));
        const auto destroy = [](void *user_data) { delete static_cast<PromptCallback *>(user_data); };
        return set([=](auto *handle, auto **error) {
            return planetkey_login_options_set_prompt(handle, detail::show_prompt, callback, destroy, error);
        });
    }

    /// The C handle, lent.
    const planetkey_login_options *get() const noexcept { return handle_.get(); }

  private:
    template <typename Setter> LoginOptions &set(Setter setter) {
        planetkey_error *error = nullptr;
        const planetkey_status status = setter(handle_.get(), &error);
        detail::check(status, error);
        return *this;
    }

    detail::Handle<planetkey_login_options, planetkey_login_options_free> handle_;
};

/// How far a login is.
struct LoginProgress {
    /// Who it is, once somebody has logged in.
    std::optional<LoggedIn> logged_in;
    /// When to poll again; what comes earlier asks nobody.
    std::uint32_t next_poll_ms;
};

/// A login of a person that is under way. A copy is the same login, as for a thread that is to cancel it; the last one ends a login that nobody
/// waits for.
class Login {
  public:
    /// Takes over a C handle.
    explicit Login(planetkey_login *handle) noexcept : handle_(handle) {}
    Login(const Login &other) noexcept : handle_(planetkey_login_clone(other.get())) {}
    Login &operator=(const Login &other) noexcept {
        Login copy(other);
        handle_.swap(copy.handle_);
        return *this;
    }
    Login(Login &&) noexcept = default;
    Login &operator=(Login &&) noexcept = default;
    ~Login() = default;

    /// The code that the person enters, or compares; nothing for a login in a browser.
    std::optional<std::string_view> user_code() const & noexcept {
        return detail::optional_view(planetkey_login_user_code(get()));
    }
    std::optional<std::string_view> user_code() const && = delete;
    /// The address at which the code is entered; nothing for a login in a browser.
    std::optional<std::string_view> verification_uri() const & noexcept {
        return detail::optional_view(planetkey_login_verification_uri(get()));
    }
    std::optional<std::string_view> verification_uri() const && = delete;
    /// The address that holds the code already, where the server gives one.
    std::optional<std::string_view> verification_uri_complete() const & noexcept {
        return detail::optional_view(planetkey_login_verification_uri_complete(get()));
    }
    std::optional<std::string_view> verification_uri_complete() const && = delete;
    /// The address to open in a browser; nothing for a login on any device. Show it to this user only: it holds the `state`.
    std::optional<std::string_view> authorization_url() const & noexcept {
        return detail::optional_view(planetkey_login_authorization_url(get()));
    }
    std::optional<std::string_view> authorization_url() const && = delete;
    /// Where the browser returns to; nothing for a login on any device.
    std::optional<std::string_view> redirect_uri() const & noexcept {
        return detail::optional_view(planetkey_login_redirect_uri(get()));
    }
    std::optional<std::string_view> redirect_uri() const && = delete;
    /// How long the person still has.
    std::int64_t expires_in_ms() const noexcept { return planetkey_login_expires_in_ms(get()); }
    /// The address to open as a QR code, in lines of text.
    std::optional<std::string> qr_code(bool ascii = false) const {
        return detail::optional_string(planetkey_login_qr_code(get(), ascii));
    }

    /// Goes on without waiting for the person: for event loops.
    LoginProgress poll() const {
        std::uint32_t next_poll_ms = 0;
        auto *made = detail::with_prompts<planetkey_logged_in *>(
            [&](auto *out, auto **error) { return planetkey_login_poll(get(), out, &next_poll_ms, error); });
        return {made ? std::optional<LoggedIn>(LoggedIn(made)) : std::nullopt, next_poll_ms};
    }
    /// Waits for the person, at most so long; 0 means until the login ends.
    LoggedIn wait(std::uint32_t timeout_ms = 0) const {
        return LoggedIn(detail::with_prompts<planetkey_logged_in *>(
            [&](auto *out, auto **error) { return planetkey_login_wait(get(), timeout_ms, out, error); }));
    }
    /// Ends a login in a browser with the address that the browser ended at.
    LoggedIn complete(const std::string &callback_url) const {
        return LoggedIn(detail::with_prompts<planetkey_logged_in *>([&](auto *out, auto **error) {
            return planetkey_login_complete(get(), detail::text("callback_url", callback_url), out, error);
        }));
    }
    /// Ends it: whoever waits gets ::PLANETKEY_STATUS_CANCELLED.
    void cancel() const noexcept { planetkey_login_cancel(get()); }

    /// The C handle, lent.
    const planetkey_login *get() const noexcept { return handle_.get(); }

  private:
    detail::Handle<planetkey_login, planetkey_login_free> handle_;
};

/// What a logout has done.
struct LoggedOut {
    /// Whether there were tokens.
    bool removed;
    /// What became of the refresh token.
    planetkey_revocation revocation;
    /// Why that is ::PLANETKEY_REVOCATION_UNKNOWN, in one line for people.
    std::optional<std::string> why_unknown;
};

/// Credentials kept fresh behind one host policy. A copy is the same session; any number of threads may use it.
class Session {
  public:
    /// Takes over a C handle.
    explicit Session(planetkey_session *handle) noexcept : handle_(handle) {}
    Session(const Session &other) noexcept : handle_(planetkey_session_clone(other.get())) {}
    Session &operator=(const Session &other) noexcept {
        Session copy(other);
        handle_.swap(copy.handle_);
        return *this;
    }
    Session(Session &&) noexcept = default;
    Session &operator=(Session &&) noexcept = default;
    ~Session() = default;

    /// Of everything that the environment and configuration files offer.
    static Session from_defaults(const Options &options = Options()) {
        return make([&](auto **session, auto **error) {
            return planetkey_session_from_defaults(options.get(), session, error);
        });
    }
    /// Of a saved or built-in profile.
    static Session from_profile(const std::string &name, const Options &options = Options()) {
        return make([&](auto **session, auto **error) {
            return planetkey_session_from_profile(detail::text("name", name), options.get(), session, error);
        });
    }
    /// Of one API key.
    static Session from_api_key(const std::string &api_key,
                                planetkey_api_key_transport transport = PLANETKEY_API_KEY_TRANSPORT_BASIC,
                                const Options &options = Options()) {
        return make([&](auto **session, auto **error) {
            return planetkey_session_from_api_key(detail::text("api_key", api_key), static_cast<std::int32_t>(transport),
                                                  options.get(), session, error);
        });
    }
    /// Of a machine-to-machine client (RFC 6749 4.4).
    static Session from_m2m(const std::string &client_id, const std::string &client_secret,
                            const std::vector<std::string> &scopes = {},
                            const std::optional<std::string> &audience = std::nullopt,
                            const Options &options = Options()) {
        std::vector<const char *> texts;
        for (const std::string &scope : scopes) {
            texts.push_back(detail::text("scopes", scope));
        }
        return make([&](auto **session, auto **error) {
            return planetkey_session_from_m2m(
                detail::text("client_id", client_id), detail::text("client_secret", client_secret), texts.data(),
                texts.size(), audience ? detail::text("audience", *audience) : nullptr, options.get(), session, error);
        });
    }
    /// Of any registered client, by the fields of auth_client.json.
    static Session from_client_config(const std::string &json, const Options &options = Options()) {
        return make([&](auto **session, auto **error) {
            return planetkey_session_from_client_config(detail::text("json", json), options.get(), session, error);
        });
    }

    /// The same session with another deadline for calls through the new object.
    Session with_timeout_ms(std::uint32_t timeout_ms) const {
        return make([&](auto **session, auto **error) {
            return planetkey_session_with_timeout_ms(get(), timeout_ms, session, error);
        });
    }

    /// What a request to this URL carries.
    Authorization authorize(const std::string &url) const {
        return Authorization(call<planetkey_authorization *>([&](auto *out, auto **error) {
            return planetkey_session_authorize(get(), detail::text("url", url), out, error);
        }));
    }
    /// The same, for programs that cannot change the URL.
    Authorization headers(const std::string &url) const {
        return Authorization(call<planetkey_authorization *>([&](auto *out, auto **error) {
            return planetkey_session_headers(get(), detail::text("url", url), out, error);
        }));
    }
    /// The same from what is at hand; nothing where headers() would have to wait for a token.
    std::optional<Authorization> headers_cached(const std::string &url) const {
        auto *made = call<planetkey_authorization *>([&](auto *out, auto **error) {
            return planetkey_session_headers_cached(get(), detail::text("url", url), out, error);
        });
        return made ? std::optional<Authorization>(Authorization(made)) : std::nullopt;
    }
    /// Writes the header line into the caller's buffer; returns its length with its NUL, and writes nothing when that is
    /// more than `size`.
    std::size_t copy_header(const std::string &url, char *buffer, std::size_t size) const {
        std::size_t needed = 0;
        planetkey_error *error = nullptr;
        const planetkey_status status =
            planetkey_session_copy_header(get(), detail::text("url", url), buffer, size, &needed, &error);
        if (status == PLANETKEY_STATUS_INVALID_ARGUMENT && needed > size) {
            planetkey_error_free(error);
            return needed;
        }
        detail::check(status, error);
        return needed;
    }
    /// A URL with the API key in it: a secret.
    String signed_url(const std::string &url) const {
        return String(call<planetkey_string *>([&](auto *out, auto **error) {
            return planetkey_session_signed_url(get(), detail::text("url", url), out, error);
        }));
    }
    /// The access token itself.
    String access_token() const {
        return String(call<planetkey_string *>(
            [&](auto *out, auto **error) { return planetkey_session_access_token(get(), out, error); }));
    }
    /// The API key itself.
    String api_key() const {
        return String(call<planetkey_string *>(
            [&](auto *out, auto **error) { return planetkey_session_api_key(get(), out, error); }));
    }
    /// An API answered 401 to this token; whether the next call renews it.
    bool invalidate(const std::string &access_token) const {
        return call<bool>([&](auto *out, auto **error) {
            return planetkey_session_invalidate(get(), detail::text("access_token", access_token), out, error);
        });
    }
    /// An API answered so; whether to repeat the request once.
    bool should_retry(const std::string &access_token, int http_status,
                      const std::optional<std::string> &www_authenticate = std::nullopt) const {
        return call<bool>([&](auto *out, auto **error) {
            return planetkey_session_should_retry(
                get(), detail::text("access_token", access_token), http_status,
                www_authenticate ? detail::text("www_authenticate", *www_authenticate) : nullptr, out, error);
        });
    }
    /// The same for what a request carried; never for an API key.
    bool should_retry(const Authorization &carried, int http_status,
                      const std::optional<std::string> &www_authenticate = std::nullopt) const {
        const std::optional<std::string_view> access_token = carried.access_token();
        return access_token && should_retry(std::string(*access_token), http_status, www_authenticate);
    }
    /// Renews the access token now.
    void refresh() const {
        planetkey_error *error = nullptr;
        const planetkey_status status = planetkey_session_refresh(get(), &error);
        detail::check(status, error);
    }
    /// Makes sure that somebody is logged in; a person is asked only where the session is no longer good.
    LoggedIn login(const LoginOptions &options = LoginOptions()) const {
        return LoggedIn(detail::with_prompts<planetkey_logged_in *>(
            [&](auto *out, auto **error) { return planetkey_session_login(get(), options.get(), out, error); }));
    }
    /// Starts a login on any device (RFC 8628).
    Login start_device_login(const LoginOptions &options = LoginOptions()) const {
        return Login(call<planetkey_login *>([&](auto *out, auto **error) {
            return planetkey_session_start_device_login(get(), options.get(), out, error);
        }));
    }
    /// Starts a login in a browser (RFC 6749 4.1 with PKCE); opens none.
    Login start_browser_login(const LoginOptions &options = LoginOptions()) const {
        return Login(call<planetkey_login *>([&](auto *out, auto **error) {
            return planetkey_session_start_browser_login(get(), options.get(), out, error);
        }));
    }
    /// Forgets the tokens, in memory and where they are kept; with `revoke` a refresh token is given back first.
    LoggedOut logout(bool revoke = true) const {
        std::int32_t revocation = PLANETKEY_REVOCATION_NONE;
        planetkey_string *why_unknown = nullptr;
        const bool removed = call<bool>([&](auto *out, auto **error) {
            return planetkey_session_logout(get(), revoke, out, &revocation, &why_unknown, error);
        });
        return {removed, static_cast<planetkey_revocation>(revocation), detail::optional_string(why_unknown)};
    }
    /// What the server says of the person who is logged in, as JSON.
    String userinfo() const {
        return String(call<planetkey_string *>(
            [&](auto *out, auto **error) { return planetkey_session_userinfo(get(), out, error); }));
    }
    /// The claims of the session's ID token, verified, as JSON.
    String id_token_claims() const {
        return String(call<planetkey_string *>(
            [&](auto *out, auto **error) { return planetkey_session_id_token_claims(get(), out, error); }));
    }
    /// What the server says of a token, of the session's own access token where none is given, as JSON.
    String introspect(const std::optional<std::string> &token = std::nullopt) const {
        return String(call<planetkey_string *>([&](auto *out, auto **error) {
            return planetkey_session_introspect(get(), token ? detail::text("token", *token) : nullptr, out, error);
        }));
    }
    /// What this session is.
    SessionInfo status() const {
        return SessionInfo(call<planetkey_session_info *>(
            [&](auto *out, auto **error) { return planetkey_session_status(get(), out, error); }));
    }
    /// Whether the session can authorize requests without anybody logging in.
    bool is_initialized() const noexcept { return planetkey_session_is_initialized(get()); }

    /// The C handle, lent.
    const planetkey_session *get() const noexcept { return handle_.get(); }

  private:
    template <typename T, typename Call> static T call(Call call) {
        T out{};
        planetkey_error *error = nullptr;
        const planetkey_status status = call(&out, &error);
        detail::check(status, error);
        return out;
    }
    template <typename Call> static Session make(Call call) {
        return Session(Session::call<planetkey_session *>(call));
    }

    detail::Handle<planetkey_session, planetkey_session_free> handle_;
};

/// The headers and the URL of requests by libcurl, made anew for each. `List` is `curl_slist`: include <curl/curl.h>, before or after this file.
///
///     planetkey::CurlHeaders<curl_slist> headers(session);
///     headers.append("Accept: application/json");
///     for (int attempt = 1; attempt <= 2; ++attempt) {
///         headers.authorize(url); // before each request, also before its repetition
///         curl_easy_setopt(curl, CURLOPT_URL, headers.url());
///         curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
///         curl_easy_perform(curl);
///         curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
///         curl_easy_getinfo(curl, CURLINFO_REDIRECT_COUNT, &redirects);
///         if (redirects > 0 || !headers.should_retry(status))
///             break;
///     }
///
/// With CURLOPT_FOLLOWLOCATION libcurl from 7.83 on leaves the header behind when a redirect leads to another host, port or scheme; 7.58
/// to 7.82 look at the host alone, and older ones at nothing: there set CURLOPT_FOLLOWLOCATION to 0. Never set CURLOPT_UNRESTRICTED_AUTH, which
/// sends it on to everybody. What another host of the session is to get, it gets by authorize() for CURLINFO_REDIRECT_URL. A host's entry in
/// .netrc does not take the header's place.
template <typename List> class CurlHeaders {
  public:
    explicit CurlHeaders(Session session) noexcept : session_(std::move(session)) {}
    CurlHeaders(const CurlHeaders &) = delete;
    CurlHeaders &operator=(const CurlHeaders &) = delete;
    ~CurlHeaders() { curl_slist_free_all(list_); }

    /// One more line of the caller's own, for all requests from the next authorize() on.
    void append(std::string line) {
        detail::text("line", line);
        lines_.push_back(std::move(line));
    }
    /// Makes the list for a request to this URL. What url() and get() gave before is gone, so set both again.
    void authorize(const std::string &url) {
        std::optional<Authorization> authorization(session_.authorize(url));
        List *list = nullptr;
        try {
            for (const std::string &line : lines_) {
                list = appended(list, line.c_str());
            }
            for (std::size_t i = 0; i < authorization->header_count(); ++i) {
                list = appended(list, authorization->header_line(i).data());
            }
        } catch (...) {
            curl_slist_free_all(list);
            throw;
        }
        curl_slist_free_all(list_);
        list_ = list;
        authorization_ = std::move(authorization);
    }
    /// For CURLOPT_HTTPHEADER, lent until the next authorize(): before the first there is none.
    List *get() const noexcept { return list_; }
    /// For CURLOPT_URL, lent until the next authorize(); with an API key in it if that is how the key travels.
    const char *url() const noexcept { return authorization_ ? authorization_->url().data() : nullptr; }
    /// What the request carries, or carried.
    const std::optional<Authorization> &authorization() const noexcept { return authorization_; }
    /// The request was answered so, and not by a server that it was redirected to; whether to authorize() and send it once more.
    bool should_retry(long http_status, const char *www_authenticate = nullptr) const {
        return authorization_ && session_.should_retry(*authorization_, static_cast<int>(http_status),
                                                       www_authenticate ? std::optional<std::string>(www_authenticate)
                                                                        : std::nullopt);
    }

  private:
    // curl's functions are found by their arguments, when this is used.
    static List *appended(List *list, const char *line) {
        List *longer = curl_slist_append(list, line);
        if (!longer) {
            throw std::bad_alloc();
        }
        return longer;
    }

    Session session_;
    std::vector<std::string> lines_;
    List *list_ = nullptr;
    std::optional<Authorization> authorization_;
};

/// How Gdal gives GDAL credentials; what is not set has its default.
class GdalOptions {
  public:
    GdalOptions() {
        detail::check_abi();
        handle_.reset(planetkey_gdal_options_new());
    }

    /// Which requests of `/vsicurl/` carry a credential; those to the session's hosts by default.
    GdalOptions &scope(planetkey_gdal_scope scope) {
        return set([=](auto *handle, auto **error) {
            return planetkey_gdal_options_set_scope(handle, static_cast<std::int32_t>(scope), error);
        });
    }
    /// When GDAL learns of a new token; with every request by default.
    GdalOptions &header(planetkey_gdal_header header) {
        return set([=](auto *handle, auto **error) {
            return planetkey_gdal_options_set_header(handle, static_cast<std::int32_t>(header), error);
        });
    }
    /// One of the session's hosts for which GDAL asks it; without any, all of them.
    GdalOptions &add_host(const std::string &host) {
        const char *text = detail::text("host", host);
        return set([=](auto *handle, auto **error) { return planetkey_gdal_options_add_host(handle, text, error); });
    }
    /// Whether requests by CPLHTTPFetch carry a credential too; they do by default.
    GdalOptions &fetch(bool fetch) {
        return set([=](auto *handle, auto **error) { return planetkey_gdal_options_set_fetch(handle, fetch, error); });
    }

    /// The C handle, lent.
    const planetkey_gdal_options *get() const noexcept { return handle_.get(); }

  private:
    template <typename Setter> GdalOptions &set(Setter setter) {
        planetkey_error *error = nullptr;
        const planetkey_status status = setter(handle_.get(), &error);
        detail::check(status, error);
        return *this;
    }

    detail::Handle<planetkey_gdal_options, planetkey_gdal_options_free> handle_;
};

/// Has GDAL ask a session as long as this lives, which must not be longer than main(). planetkey_gdal_install() says how.
class Gdal {
  public:
    /// Installs a session in every GDAL of this process.
    explicit Gdal(const Session &session, const GdalOptions &options = GdalOptions()) {
        planetkey_gdal *gdal = nullptr;
        planetkey_error *error = nullptr;
        const planetkey_status status = planetkey_gdal_install(session.get(), options.get(), &gdal, &error);
        detail::check(status, error);
        handle_.reset(gdal);
    }

    /// Has GDAL forget what it knows of files at the session's hosts: after a login, or when something has changed there.
    void refresh() const {
        planetkey_error *error = nullptr;
        const planetkey_status status = planetkey_gdal_refresh(get(), &error);
        detail::check(status, error);
    }
    /// The name under which GDAL opens a URL with the session's credential.
    String path(const std::string &url) const {
        planetkey_string *path = nullptr;
        planetkey_error *error = nullptr;
        const planetkey_status status = planetkey_gdal_path(get(), detail::text("url", url), &path, &error);
        detail::check(status, error);
        return String(path);
    }
    /// Why the last request of GDAL that should have carried a credential carried none; nothing when there was no such request.
    std::optional<Error> last_error() const {
        planetkey_error *error = planetkey_gdal_last_error(get());
        return error ? std::optional<Error>(Error(planetkey_error_status(error), error)) : std::nullopt;
    }

    /// The C handle, lent.
    const planetkey_gdal *get() const noexcept { return handle_.get(); }

  private:
    detail::Handle<planetkey_gdal, planetkey_gdal_free> handle_;
};

/// Waits for the renewals of people's sessions that are under way in this process; whether none is left. The end of a process does so itself.
inline bool settle(std::uint32_t timeout_ms) noexcept { return planetkey_settle(timeout_ms); }

/// A URL without its `api_key` parameters.
inline std::string strip_api_key(const std::string &url) {
    planetkey_string *out = nullptr;
    planetkey_error *error = nullptr;
    const planetkey_status status = planetkey_strip_api_key(detail::text("url", url), &out, &error);
    detail::check(status, error);
    return String(out).str();
}

/// A URL with its user information and the values of `api_key` and other secret parameters replaced, for logs.
inline std::string redact_url(const std::string &url) {
    planetkey_string *out = nullptr;
    planetkey_error *error = nullptr;
    const planetkey_status status = planetkey_redact_url(detail::text("url", url), &out, &error);
    detail::check(status, error);
    return String(out).str();
}

/// Takes a log record: its level, the part of planetkey that speaks, and one line. Several threads may call it at once. What it
/// throws is dropped.
using LogCallback = std::function<void(planetkey_log_level, std::string_view, std::string_view)>;

/// Says where planetkey's log records go, in the whole process; an empty callback ends logging.
inline void set_log_callback(LogCallback callback, planetkey_log_level max_level = PLANETKEY_LOG_LEVEL_INFO) {
    planetkey_error *error = nullptr;
    planetkey_status status;
    if (!callback) {
        status = planetkey_set_log_callback(nullptr, nullptr, nullptr, PLANETKEY_LOG_LEVEL_OFF, &error);
    } else {
        const auto write = [](void *user_data, std::int32_t level, const char *target, const char *message) {
            try {
                (*static_cast<LogCallback *>(user_data))(static_cast<planetkey_log_level>(level), target, message);
            } catch (...) {
                // Nothing may be thrown through the library.
            }
        };
        const auto destroy = [](void *user_data) { delete static_cast<LogCallback *>(user_data); };
        status = planetkey_set_log_callback(write, new LogCallback(std::move(callback)), destroy,
                                            static_cast<std::int32_t>(max_level), &error);
    }
    detail::check(status, error);
}

} // namespace planetkey

#endif /* PLANETKEY_HPP */
