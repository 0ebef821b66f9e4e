/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/**
 * @file planetkey.hpp
 * @brief Authentication to the Planet Insights Platform for C++17: planetkey.h with destructors,
 * exceptions, std::optional and std::chrono. Header-only.
 *
 *     planetkey::Session session = planetkey::Session::from_defaults();
 *     planetkey::Authorization authorization = session.authorize(url);
 *     for (const auto &[name, value] : authorization.headers())
 *         request.set_header(name, value);
 *
 * planetkey::CurlHeaders does this for libcurl.
 *
 * A call that fails throws planetkey::Error. A view that an object returns is valid as long as the
 * object, so that temporary objects return none. Its text is NUL-terminated. planetkey.h documents
 * each function: its statuses, whether it blocks, and which threads may call it.
 */
#ifndef PLANETKEY_HPP
#define PLANETKEY_HPP

#include <algorithm>
#include <chrono>
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

/// Why a call failed. `what()` is the name of the status and the message. No text in it is a
/// secret.
class Error : public std::runtime_error {
  public:
    /// Takes the ownership of a C error, which may be NULL.
    Error(planetkey_status status, planetkey_error *error) : Error(status, owned(error)) {}

    /// An error of this header, or of a token provider.
    Error(planetkey_status status, const std::string &message)
        : std::runtime_error(name_of(status) + ": " + message), status_(status), message_(message) {
    }

    /// What the caller should do.
    planetkey_status status() const noexcept { return status_; }
    /// The name of the status, which is the same in all languages: "INVALID_ARGUMENT".
    std::string code() const { return name_of(status_); }
    /// One line that says what failed and what to do next. Safe to log.
    const std::string &message() const noexcept { return message_; }
    /// A word that refines the status.
    const std::optional<std::string> &reason() const noexcept { return reason_; }
    /// `error` of the authorization server's response (RFC 6749 section 5.2).
    const std::optional<std::string> &oauth_error() const noexcept { return oauth_error_; }
    /// `error_description` of the authorization server's response.
    const std::optional<std::string> &oauth_error_description() const noexcept {
        return oauth_error_description_;
    }
    /// The HTTP status of the authorization server's response.
    std::optional<int> http_status() const noexcept { return http_status_; }
    /// How long to wait before the next attempt.
    std::optional<std::chrono::milliseconds> retry_after() const noexcept { return retry_after_; }
    /// Whether the same call may succeed later, without any change by the user.
    bool retryable() const noexcept { return retryable_; }
    /// The profile that the error is about.
    const std::optional<std::string> &profile() const noexcept { return profile_; }

    /// The C handle, borrowed. NULL for an error of this header or of the application.
    const planetkey_error *get() const noexcept { return handle_.get(); }

  private:
    static std::shared_ptr<planetkey_error> owned(planetkey_error *error) {
        return {error, [](planetkey_error *owned) { planetkey_error_free(owned); }};
    }

    Error(planetkey_status status, const std::shared_ptr<planetkey_error> &error)
        : Error(status, optional(planetkey_error_message(error.get())).value_or("no details")) {
        reason_ = optional(planetkey_error_reason(error.get()));
        oauth_error_ = optional(planetkey_error_oauth_error(error.get()));
        oauth_error_description_ = optional(planetkey_error_oauth_error_description(error.get()));
        if (const int http_status = planetkey_error_http_status(error.get())) {
            http_status_ = http_status;
        }
        if (const std::int64_t ms = planetkey_error_retry_after_ms(error.get()); ms >= 0) {
            retry_after_ = std::chrono::milliseconds(ms);
        }
        retryable_ = planetkey_error_retryable(error.get());
        profile_ = optional(planetkey_error_profile(error.get()));
        handle_ = error;
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
    std::optional<std::chrono::milliseconds> retry_after_;
    bool retryable_ = false;
    std::optional<std::string> profile_;
    std::shared_ptr<planetkey_error> handle_;
};

/// Implementation details.
namespace detail {

inline void check(planetkey_status status, planetkey_error *error) {
    if (status != PLANETKEY_STATUS_OK) {
        throw Error(status, error);
    }
}

/// Text for C, which reads up to the first NUL: what follows it would escape every check.
inline const char *text(const char *name, const std::string &text) {
    if (text.find('\0') != std::string::npos) {
        throw Error(PLANETKEY_STATUS_INVALID_ARGUMENT, std::string(name) + " contains a NUL");
    }
    return text.c_str();
}

inline std::string_view view(const char *text) noexcept {
    return text ? std::string_view(text) : std::string_view();
}

inline std::optional<std::string_view> optional_view(const char *text) noexcept {
    return text ? std::optional<std::string_view>(text) : std::nullopt;
}

inline std::optional<std::chrono::system_clock::time_point> time(std::int64_t time) noexcept {
    using std::chrono::seconds;
    using std::chrono::system_clock;
    if (time == PLANETKEY_TIME_NONE) {
        return std::nullopt;
    }
    const auto latest = std::chrono::duration_cast<seconds>(system_clock::duration::max());
    return system_clock::time_point(std::min(seconds(time), latest));
}

inline std::optional<std::chrono::milliseconds> duration(std::int64_t ms) noexcept {
    return ms < 0 ? std::nullopt : std::optional<std::chrono::milliseconds>(ms);
}

inline std::uint32_t milliseconds(const char *name, std::chrono::milliseconds duration) {
    if (duration.count() < 0 || duration.count() > UINT32_MAX) {
        throw Error(PLANETKEY_STATUS_INVALID_ARGUMENT,
                    std::string(name) + " is " + std::to_string(duration.count()) +
                        " ms; it must be from 0 to " + std::to_string(UINT32_MAX));
    }
    return static_cast<std::uint32_t>(duration.count());
}

/// Throws if the library is not that of this header.
inline void check_abi() {
    if (planetkey_abi_version() != PLANETKEY_ABI_VERSION) {
        throw Error(PLANETKEY_STATUS_INTERNAL, "this program was compiled for libplanetkey.so." +
                                                   std::to_string(PLANETKEY_ABI_VERSION) +
                                                   " and runs with libplanetkey.so." +
                                                   std::to_string(planetkey_abi_version()));
    }
}

template <typename T, void (*free)(T *)> struct Free {
    void operator()(T *handle) const noexcept { free(handle); }
};

template <typename T, void (*free)(T *)> using Handle = std::unique_ptr<T, Free<T, free>>;

} // namespace detail

/// The version of the library that the program runs with. PLANETKEY_VERSION is that of the header.
inline std::string_view version() noexcept { return planetkey_version(); }

/// Text that is often a secret. The destructor wipes it.
class String {
  public:
    /// Takes the ownership of a C handle.
    explicit String(planetkey_string *handle) noexcept : handle_(handle) {}

    /// The text, borrowed.
    std::string_view view() const &noexcept {
        return {planetkey_string_data(handle_.get()), planetkey_string_length(handle_.get())};
    }
    std::string_view view() const && = delete;
    /// The text with its NUL, borrowed.
    const char *c_str() const &noexcept { return planetkey_string_data(handle_.get()); }
    const char *c_str() const && = delete;
    /// A copy, which is not wiped.
    std::string str() const {
        return {planetkey_string_data(handle_.get()), planetkey_string_length(handle_.get())};
    }

  private:
    detail::Handle<planetkey_string, planetkey_string_free> handle_;
};

namespace detail {

/// Takes the ownership of a C handle, which may be NULL.
inline std::optional<std::string> optional_string(planetkey_string *handle) {
    const String string(handle);
    return handle ? std::optional<std::string>(string.str()) : std::nullopt;
}

} // namespace detail

/// The application's own storage for the tokens of a session, instead of `token.json` on disk. It
/// loads and saves the text of that file: a JSON object with secrets.
///
/// planetkey calls it on its own threads; logout() calls it on the caller's. For one session it
/// makes one call at a time, but sessions that share a storage may call it at the same time.
/// Exceptions are dropped: the call that needs the storage then gives ::PLANETKEY_STATUS_STORAGE,
/// and a session with tokens in memory continues to use them. A call that would wait for the
/// session that the storage works for gives ::PLANETKEY_STATUS_UNAVAILABLE.
class Storage {
  public:
    Storage() = default;
    Storage(const Storage &) = delete;
    Storage &operator=(const Storage &) = delete;
    virtual ~Storage() = default;

    /// Loads the text that was saved last, if there is one.
    virtual std::optional<std::string> load() = 0;
    /// Saves this text, which replaces the saved one; without a text, after a logout, deletes it.
    /// If it throws, the saved text must be unchanged.
    virtual void save(std::optional<std::string_view> text) = 0;
    /// Locks the storage: until unlock(), no other process and no other session that shares it may
    /// refresh. Returns false if it cannot be locked within this time. Override both if more than
    /// one session uses the storage.
    virtual bool lock(std::chrono::milliseconds timeout) {
        static_cast<void>(timeout);
        return true;
    }
    /// Unlocks the storage, on the thread that locked it.
    virtual void unlock() {}
};

namespace detail {

/// The functions that C calls, with a shared_ptr as user data. No exception may pass through C.
struct StorageCallbacks {
    static Storage &storage(void *user_data) noexcept {
        return **static_cast<std::shared_ptr<Storage> *>(user_data);
    }

    static void wipe(char *text, std::size_t length) noexcept {
        for (volatile char *byte = text; length > 0; --length) {
            *byte++ = 0;
        }
    }

    static std::int32_t load(void *user_data, char **text, std::size_t *length) noexcept {
        try {
            std::optional<std::string> saved = storage(user_data).load();
            if (saved) {
                *text = new char[saved->size() + 1];
                *length = saved->size();
                saved->copy(*text, saved->size());
                wipe(saved->data(), saved->size());
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
            storage(user_data).save(text ? std::optional<std::string_view>({text, length})
                                         : std::nullopt);
            return PLANETKEY_STATUS_OK;
        } catch (...) {
            return PLANETKEY_STATUS_STORAGE;
        }
    }

    static std::int32_t lock(void *user_data, std::uint32_t timeout_ms) noexcept {
        try {
            return storage(user_data).lock(std::chrono::milliseconds(timeout_ms))
                       ? PLANETKEY_STATUS_OK
                       : PLANETKEY_STATUS_TIMEOUT;
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

    static void free_user_data(void *user_data) noexcept {
        delete static_cast<std::shared_ptr<Storage> *>(user_data);
    }
};

} // namespace detail

/// What a session asks its token provider for. Valid during the call of the provider.
class TokenRequest {
  public:
    /// Borrows a C handle.
    explicit TokenRequest(const planetkey_token_request *handle) noexcept : handle_(handle) {}

    /// How long the provider may take. Callers of the session do not wait longer than their own
    /// deadlines.
    std::chrono::milliseconds timeout() const noexcept {
        return std::chrono::milliseconds(planetkey_token_request_timeout_ms(handle_));
    }
    /// The last token, a secret, if an API refused it with 401. Do not provide it again from a
    /// cache.
    std::optional<std::string_view> rejected_token() const noexcept {
        return detail::optional_view(planetkey_token_request_rejected_token(handle_));
    }

  private:
    const planetkey_token_request *handle_;
};

/// An access token that a provider obtained.
struct ProvidedToken {
    /// The token alone, without "Bearer".
    std::string access_token;
    /// How long it is valid from now. Without this and `expires_at` the claim `exp` of a JWT
    /// decides; any other token is used for 5 minutes.
    std::optional<std::chrono::milliseconds> expires_in = std::nullopt;
    /// When it expires, by the clock of this computer. Not used if `expires_in` is set.
    std::optional<std::chrono::system_clock::time_point> expires_at = std::nullopt;
};

/// Obtains a token. Called on a thread of planetkey, one call at a time for each session. A
/// planetkey::Error that it throws reaches the callers of the session unchanged. Any other
/// exception becomes ::PLANETKEY_STATUS_UNAVAILABLE without its text, which may contain a token.
using TokenProvider = std::function<ProvidedToken(const TokenRequest &)>;

namespace detail {

/// The functions that C calls, with a TokenProvider as user data. No exception may pass through C.
struct ProviderCallbacks {
    static std::int32_t token(void *user_data, const planetkey_token_request *request) noexcept {
        try {
            ProvidedToken provided =
                (*static_cast<TokenProvider *>(user_data))(TokenRequest(request));
            const char *text = detail::text("access_token", provided.access_token);
            planetkey_error *error = nullptr;
            planetkey_status status = PLANETKEY_STATUS_OK;
            if (!provided.expires_in && provided.expires_at) {
                const auto since = provided.expires_at->time_since_epoch();
                const auto s = std::chrono::duration_cast<std::chrono::seconds>(since).count();
                status = planetkey_token_request_provide_until(request, text, s, &error);
            } else {
                const std::int64_t ms =
                    provided.expires_in ? std::max<std::int64_t>(provided.expires_in->count(), 0)
                                        : -1;
                status = planetkey_token_request_provide(request, text, ms, &error);
            }
            StorageCallbacks::wipe(provided.access_token.data(), provided.access_token.size());
            planetkey_error_free(error);
            return status;
        } catch (const Error &failure) {
            if (failure.get()) {
                static_cast<void>(planetkey_token_request_fail(request, failure.get(), nullptr));
            } else {
                static_cast<void>(planetkey_token_request_set_message(
                    request, failure.message().c_str(), -1, nullptr));
            }
            return failure.status();
        } catch (...) {
            return PLANETKEY_STATUS_UNAVAILABLE;
        }
    }

    static void destroy(void *user_data) noexcept {
        delete static_cast<TokenProvider *>(user_data);
    }
};

} // namespace detail

/// Options of a session. Options that are not set have their defaults.
class Options {
  public:
    Options() {
        detail::check_abi();
        handle_.reset(planetkey_options_new());
    }

    /// Whether tokens are saved on disk, where all processes and Planet's own tools share them.
    /// They are by default.
    Options &save(bool save) {
        return set([=](auto *handle, auto **error) {
            return planetkey_options_set_save(handle, save, error);
        });
    }
    /// The directory that contains `.planet` instead of the home directory.
    Options &storage_root(const std::string &storage_root) {
        const char *text = detail::text("storage_root", storage_root);
        return set([=](auto *handle, auto **error) {
            return planetkey_options_set_storage_root(handle, text, error);
        });
    }
    /// The profile in whose directory Session::from_m2m() and Session::from_client_config() save
    /// tokens.
    Options &profile(const std::string &profile) {
        const char *text = detail::text("profile", profile);
        return set([=](auto *handle, auto **error) {
            return planetkey_options_set_profile(handle, text, error);
        });
    }
    /// The application's own storage instead of files. A null pointer means files. The sessions
    /// made with it share its ownership.
    Options &storage(std::shared_ptr<Storage> storage) {
        if (!storage) {
            return set([](auto *handle, auto **error) {
                return planetkey_options_set_storage(handle, nullptr, error);
            });
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
        return set([&](auto *handle, auto **error) {
            return planetkey_options_set_storage(handle, &callbacks, error);
        });
    }
    /// The total deadline of each call that may use the network. 30 seconds by default.
    Options &timeout(std::chrono::milliseconds timeout) {
        const std::uint32_t ms = detail::milliseconds("timeout", timeout);
        return set([=](auto *handle, auto **error) {
            return planetkey_options_set_timeout_ms(handle, ms, error);
        });
    }
    /// The name of a built-in deployment, the path of a JSON document, or the document itself.
    Options &deployment(const std::string &deployment) {
        const char *text = detail::text("deployment", deployment);
        return set([=](auto *handle, auto **error) {
            return planetkey_options_set_deployment(handle, text, error);
        });
    }
    /// Adds a host to which the session's credentials may go.
    Options &add_allowed_host(const std::string &host) {
        const char *text = detail::text("host", host);
        return set([=](auto *handle, auto **error) {
            return planetkey_options_add_allowed_host(handle, text, error);
        });
    }
    /// Whether credentials may go over plain http to loopback hosts of the deployment. For tests
    /// only.
    Options &allow_insecure_loopback(bool allow) {
        return set([=](auto *handle, auto **error) {
            return planetkey_options_set_allow_insecure_loopback(handle, allow, error);
        });
    }
    /// A file of certificates (PEM) to trust besides the system's.
    Options &ca_file(const std::string &ca_file) {
        const char *text = detail::text("ca_file", ca_file);
        return set([=](auto *handle, auto **error) {
            return planetkey_options_set_ca_file(handle, text, error);
        });
    }
    /// The proxy for requests to authorization servers.
    Options &proxy(const std::string &proxy) {
        const char *text = detail::text("proxy", proxy);
        return set([=](auto *handle, auto **error) {
            return planetkey_options_set_proxy(handle, text, error);
        });
    }
    /// The URL of a server that speaks the Redis protocol, whose tokens all machines share that
    /// name it.
    Options &store(const std::string &store) {
        const char *text = detail::text("store", store);
        return set([=](auto *handle, auto **error) {
            return planetkey_options_set_store(handle, text, error);
        });
    }

    /// The C handle, borrowed.
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

/// What one request carries: its URL and its headers. The destructor wipes it.
class Authorization {
  public:
    /// Takes the ownership of a C handle.
    explicit Authorization(planetkey_authorization *handle) noexcept : handle_(handle) {}

    /// The URL to request. A secret if it contains `api_key`.
    std::string_view url() const &noexcept {
        return detail::view(planetkey_authorization_url(get()));
    }
    std::string_view url() const && = delete;
    /// 0 if the URL carries the credential, otherwise 1.
    std::size_t header_count() const noexcept {
        return planetkey_authorization_header_count(get());
    }
    /// "Authorization". Empty if there is no such header.
    std::string_view header_name(std::size_t index) const &noexcept {
        return detail::view(planetkey_authorization_header_name(get(), index));
    }
    std::string_view header_name(std::size_t index) const && = delete;
    /// "Bearer ...". Empty if there is no such header.
    std::string_view header_value(std::size_t index) const &noexcept {
        return detail::view(planetkey_authorization_header_value(get(), index));
    }
    std::string_view header_value(std::size_t index) const && = delete;
    /// "Authorization: Bearer ...", as curl_slist_append() takes it. Empty if there is no such
    /// header.
    std::string_view header_line(std::size_t index) const &noexcept {
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
    std::string_view credential() const &noexcept {
        return detail::view(planetkey_authorization_credential(get()));
    }
    std::string_view credential() const && = delete;
    /// The access token without the rest of the header. None for an API key.
    std::optional<std::string_view> access_token() const &noexcept {
        return detail::optional_view(planetkey_authorization_access_token(get()));
    }
    std::optional<std::string_view> access_token() const && = delete;
    /// "bearer", "basic", "header" or "query".
    std::string_view transport() const &noexcept {
        return detail::view(planetkey_authorization_transport(get()));
    }
    std::string_view transport() const && = delete;
    /// Where the credential came from, for messages: "environment: PL_API_KEY".
    std::string_view source() const &noexcept {
        return detail::view(planetkey_authorization_source(get()));
    }
    std::string_view source() const && = delete;
    /// When the access token expires.
    std::optional<std::chrono::system_clock::time_point> expires_at() const noexcept {
        return detail::time(planetkey_authorization_expires_at(get()));
    }
    /// Changes whenever the header of this credential changes.
    std::uint64_t generation() const noexcept { return planetkey_authorization_generation(get()); }
    /// The index of the source of the credential in Session::status().
    std::size_t source_index() const noexcept {
        return planetkey_authorization_source_index(get());
    }
    /// Whether Planet lists this kind of credential as under development for this host.
    bool under_development() const noexcept {
        return planetkey_authorization_under_development(get());
    }

    /// The C handle, borrowed.
    const planetkey_authorization *get() const noexcept { return handle_.get(); }

  private:
    detail::Handle<planetkey_authorization, planetkey_authorization_free> handle_;
};

/// What a session is at one moment, without any secret. `source` counts from 0, in the order in
/// which a URL tries the sources.
class SessionInfo {
  public:
    /// Takes the ownership of a C handle.
    explicit SessionInfo(planetkey_session_info *handle) noexcept : handle_(handle) {}

    /// Everything as one JSON object.
    std::string_view json() const &noexcept {
        return detail::view(planetkey_session_info_json(get()));
    }
    std::string_view json() const && = delete;
    /// The name of the deployment.
    std::string_view deployment() const &noexcept {
        return detail::view(planetkey_session_info_deployment(get()));
    }
    std::string_view deployment() const && = delete;
    /// Whether the session could authorize requests without a login.
    bool is_initialized() const noexcept { return planetkey_session_info_is_initialized(get()); }
    /// The number of credential sources.
    std::size_t source_count() const noexcept { return planetkey_session_info_source_count(get()); }
    /// "access_token" or "api_key". Empty if there is no such source.
    std::string_view kind(std::size_t source = 0) const &noexcept {
        return detail::view(planetkey_session_info_kind(get(), source));
    }
    std::string_view kind(std::size_t source = 0) const && = delete;
    /// Where the credential came from. Empty if there is no such source.
    std::string_view source(std::size_t source = 0) const &noexcept {
        return detail::view(planetkey_session_info_source(get(), source));
    }
    std::string_view source(std::size_t source = 0) const && = delete;
    /// The profile.
    std::optional<std::string_view> profile(std::size_t source = 0) const &noexcept {
        return detail::optional_view(planetkey_session_info_profile(get(), source));
    }
    std::optional<std::string_view> profile(std::size_t source = 0) const && = delete;
    /// The type of client, as in auth_client.json. Empty if there is no such source.
    std::string_view client_type(std::size_t source = 0) const &noexcept {
        return detail::view(planetkey_session_info_client_type(get(), source));
    }
    std::string_view client_type(std::size_t source = 0) const && = delete;
    /// The client identifier.
    std::optional<std::string_view> client_id(std::size_t source = 0) const &noexcept {
        return detail::optional_view(planetkey_session_info_client_id(get(), source));
    }
    std::optional<std::string_view> client_id(std::size_t source = 0) const && = delete;
    /// The authorization server.
    std::optional<std::string_view> issuer(std::size_t source = 0) const &noexcept {
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
    /// When the access token expires.
    std::optional<std::chrono::system_clock::time_point>
    expires_at(std::size_t source = 0) const noexcept {
        return detail::time(planetkey_session_info_expires_at(get(), source));
    }
    /// Whether a source can give a credential without a login.
    bool source_is_initialized(std::size_t source = 0) const noexcept {
        return planetkey_session_info_source_is_initialized(get(), source);
    }
    /// Whether a source has a valid access token in memory.
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
    /// "bearer", "basic", "header" or "query". Empty if there is no such source.
    std::string_view transport(std::size_t source = 0) const &noexcept {
        return detail::view(planetkey_session_info_transport(get(), source));
    }
    std::string_view transport(std::size_t source = 0) const && = delete;
    /// The file in which the tokens are saved.
    std::optional<std::string_view> file(std::size_t source = 0) const &noexcept {
        return detail::optional_view(planetkey_session_info_file(get(), source));
    }
    std::optional<std::string_view> file(std::size_t source = 0) const && = delete;
    /// The store in which the tokens are saved, or the storage_command of the profile.
    std::optional<std::string_view> store(std::size_t source = 0) const &noexcept {
        return detail::optional_view(planetkey_session_info_store(get(), source));
    }
    std::optional<std::string_view> store(std::size_t source = 0) const && = delete;
    /// Whether the store could be used when it was used last. Before the first time it is false.
    bool store_is_reachable(std::size_t source = 0) const noexcept {
        return planetkey_session_info_store_is_reachable(get(), source);
    }
    /// What the store holds: "nothing", "token", "session". Nothing before it was read.
    std::optional<std::string_view> store_holds(std::size_t source = 0) const &noexcept {
        return detail::optional_view(planetkey_session_info_store_holds(get(), source));
    }
    std::optional<std::string_view> store_holds(std::size_t source = 0) const && = delete;
    /// Why the store could not be used, or is not used.
    std::optional<std::string_view> store_problem(std::size_t source = 0) const &noexcept {
        return detail::optional_view(planetkey_session_info_store_problem(get(), source));
    }
    std::optional<std::string_view> store_problem(std::size_t source = 0) const && = delete;
    /// What was ignored when the session was opened, or could not be saved, and why.
    std::vector<std::string_view> notes() const & {
        std::vector<std::string_view> notes;
        for (std::size_t i = 0; i < planetkey_session_info_note_count(get()); ++i) {
            notes.push_back(detail::view(planetkey_session_info_note(get(), i)));
        }
        return notes;
    }
    std::vector<std::string_view> notes() const && = delete;

    /// The C handle, borrowed.
    const planetkey_session_info *get() const noexcept { return handle_.get(); }

  private:
    detail::Handle<planetkey_session_info, planetkey_session_info_free> handle_;
};

/// The result of a login, without any secret.
class LoginResult {
  public:
    /// Takes the ownership of a C handle.
    explicit LoginResult(planetkey_login_result *handle) noexcept : handle_(handle) {}

    /// Everything as one JSON object.
    std::string_view json() const &noexcept {
        return detail::view(planetkey_login_result_json(get()));
    }
    std::string_view json() const && = delete;
    /// Whether the user was prompted. They are not if the session was valid or could be refreshed.
    bool prompted() const noexcept { return planetkey_login_result_prompted(get()); }
    /// The subject identifier of the user: `sub` of the ID token, or of the access token.
    std::optional<std::string_view> subject() const &noexcept {
        return detail::optional_view(planetkey_login_result_subject(get()));
    }
    std::optional<std::string_view> subject() const && = delete;
    /// The e-mail address of the user. Needs the scope `email`.
    std::optional<std::string_view> email() const &noexcept {
        return detail::optional_view(planetkey_login_result_email(get()));
    }
    std::optional<std::string_view> email() const && = delete;
    /// The granted scopes.
    std::vector<std::string_view> scopes() const & {
        std::vector<std::string_view> scopes;
        for (std::size_t i = 0; i < planetkey_login_result_scope_count(get()); ++i) {
            scopes.push_back(detail::view(planetkey_login_result_scope(get(), i)));
        }
        return scopes;
    }
    std::vector<std::string_view> scopes() const && = delete;
    /// When the access token expires.
    std::optional<std::chrono::system_clock::time_point> expires_at() const noexcept {
        return detail::time(planetkey_login_result_expires_at(get()));
    }
    /// The profile of the session.
    std::optional<std::string_view> profile() const &noexcept {
        return detail::optional_view(planetkey_login_result_profile(get()));
    }
    std::optional<std::string_view> profile() const && = delete;
    /// The file in which the session is saved.
    std::optional<std::string_view> file() const &noexcept {
        return detail::optional_view(planetkey_login_result_file(get()));
    }
    std::optional<std::string_view> file() const && = delete;

    /// The C handle, borrowed.
    const planetkey_login_result *get() const noexcept { return handle_.get(); }

  private:
    detail::Handle<planetkey_login_result, planetkey_login_result_free> handle_;
};

/// What a user must see for a login. Borrowed by a PromptCallback for the call, with all its views.
class Prompt {
  public:
    explicit Prompt(const planetkey_prompt *prompt) noexcept : prompt_(prompt) {}
    Prompt(const Prompt &) = delete;
    Prompt &operator=(const Prompt &) = delete;

    /// The kind of the prompt.
    planetkey_prompt_kind kind() const noexcept {
        return static_cast<planetkey_prompt_kind>(planetkey_prompt_kind_of(prompt_));
    }
    /// All that the user must know, in a few lines.
    std::string_view message() const noexcept {
        return detail::view(planetkey_prompt_message(prompt_));
    }
    /// The URL to open.
    std::optional<std::string_view> url() const noexcept {
        return detail::optional_view(planetkey_prompt_url(prompt_));
    }
    /// The user code, which the user enters or compares. Always show it.
    std::optional<std::string_view> user_code() const noexcept {
        return detail::optional_view(planetkey_prompt_user_code(prompt_));
    }
    /// The URI at which the user enters the code.
    std::optional<std::string_view> verification_uri() const noexcept {
        return detail::optional_view(planetkey_prompt_verification_uri(prompt_));
    }
    /// The URI that contains the code.
    std::optional<std::string_view> verification_uri_complete() const noexcept {
        return detail::optional_view(planetkey_prompt_verification_uri_complete(prompt_));
    }
    /// How much time the user has. None if there is no limit.
    std::optional<std::chrono::milliseconds> expires_in() const noexcept {
        return detail::duration(planetkey_prompt_expires_in_ms(prompt_));
    }
    /// Whether a browser was opened at the URL.
    bool browser_opened() const noexcept { return planetkey_prompt_browser_opened(prompt_); }
    /// The URL as a QR code in lines of text.
    std::optional<std::string> qr_code(bool ascii = false) const {
        return detail::optional_string(planetkey_prompt_qr_code(prompt_, ascii));
    }

    /// The C handle, borrowed.
    const planetkey_prompt *get() const noexcept { return prompt_; }

  private:
    const planetkey_prompt *prompt_;
};

/// Shows a prompt, and returns the answer if one is needed; without an answer the user gives up. It
/// runs on the thread that called the login. An exception ends the login, and is thrown by the
/// call.
using PromptCallback = std::function<std::optional<std::string>(const Prompt &)>;

namespace detail {

/// The exception of a prompt callback on this thread.
inline thread_local std::exception_ptr prompt_failure;

inline std::int32_t show_prompt(void *user_data, const planetkey_prompt *prompt) noexcept {
    try {
        const std::optional<std::string> answer =
            (*static_cast<PromptCallback *>(user_data))(Prompt(prompt));
        planetkey_error *error = nullptr;
        check(
            planetkey_prompt_set_answer(prompt, answer ? text("answer", *answer) : nullptr, &error),
            error);
        return PLANETKEY_STATUS_OK;
    } catch (...) {
        // No exception may pass through C.
        prompt_failure = std::current_exception();
        return PLANETKEY_STATUS_CANCELLED;
    }
}

/// Makes a call that may show a prompt.
template <typename T, typename Call> T with_prompts(Call call) {
    T out{};
    planetkey_error *error = nullptr;
    prompt_failure = nullptr;
    const planetkey_status status = call(&out, &error);
    if (const std::exception_ptr thrown = std::exchange(prompt_failure, nullptr);
        thrown && status != PLANETKEY_STATUS_OK) {
        planetkey_error_free(error);
        std::rethrow_exception(thrown);
    }
    check(status, error);
    return out;
}

} // namespace detail

/// Options of a login. Options that are not set have their defaults.
class LoginOptions {
  public:
    LoginOptions() {
        detail::check_abi();
        handle_.reset(planetkey_login_options_new());
    }

    /// How Session::login() logs in.
    LoginOptions &method(planetkey_login_method method) {
        return set([=](auto *handle, auto **error) {
            return planetkey_login_options_set_method(handle, static_cast<std::int32_t>(method),
                                                      error);
        });
    }
    /// Whether Session::login() may open a browser. By default if one is likely to be available.
    LoginOptions &open_browser(bool open_browser) {
        return set([=](auto *handle, auto **error) {
            return planetkey_login_options_set_open_browser(handle, open_browser, error);
        });
    }
    /// The scopes to request. An empty list means the client's.
    LoginOptions &scopes(const std::vector<std::string> &scopes) {
        std::vector<const char *> texts;
        for (const std::string &scope : scopes) {
            texts.push_back(detail::text("scopes", scope));
        }
        return set([&](auto *handle, auto **error) {
            return planetkey_login_options_set_scopes(handle, texts.data(), texts.size(), error);
        });
    }
    /// The total time that the user has.
    LoginOptions &timeout(std::chrono::milliseconds timeout) {
        const std::uint32_t ms = detail::milliseconds("timeout", timeout);
        return set([=](auto *handle, auto **error) {
            return planetkey_login_options_set_timeout_ms(handle, ms, error);
        });
    }
    /// Whether Session::login() prompts the user even if the session is valid.
    LoginOptions &force(bool force) {
        return set([=](auto *handle, auto **error) {
            return planetkey_login_options_set_force(handle, force, error);
        });
    }
    /// Whether a different user than the one whose session is saved may log in without a prompt.
    LoginOptions &allow_other_user(bool allow) {
        return set([=](auto *handle, auto **error) {
            return planetkey_login_options_set_allow_other_user(handle, allow, error);
        });
    }
    /// The HTML page that the browser shows after a successful login.
    LoginOptions &page(const std::string &page) {
        const char *text = detail::text("page", page);
        return set([=](auto *handle, auto **error) {
            return planetkey_login_options_set_page(handle, text, error);
        });
    }
    /// The callback that shows prompts; an empty one removes it. The logins made with it share it.
    LoginOptions &prompt(PromptCallback prompt) {
        if (!prompt) {
            return set([](auto *handle, auto **error) {
                return planetkey_login_options_set_prompt(handle, nullptr, nullptr, nullptr, error);
            });
        }
        auto *callback = new PromptCallback(std::move(prompt));
        const auto destroy = [](void *user_data) {
            delete static_cast<PromptCallback *>(user_data);
        };
        return set([=](auto *handle, auto **error) {
            return planetkey_login_options_set_prompt(handle, detail::show_prompt, callback,
                                                      destroy, error);
        });
    }

    /// The C handle, borrowed.
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

/// A pending login of a user. A copy is the same login, as for a thread that may cancel it. The
/// last destructor cancels a pending login.
class Login {
  public:
    /// Takes the ownership of a C handle.
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

    /// The user code, which the user enters or compares. None for a browser login.
    std::optional<std::string_view> user_code() const &noexcept {
        return detail::optional_view(planetkey_login_user_code(get()));
    }
    std::optional<std::string_view> user_code() const && = delete;
    /// The URI at which the user enters the code. None for a browser login.
    std::optional<std::string_view> verification_uri() const &noexcept {
        return detail::optional_view(planetkey_login_verification_uri(get()));
    }
    std::optional<std::string_view> verification_uri() const && = delete;
    /// The URI that contains the code, if the server gives one.
    std::optional<std::string_view> verification_uri_complete() const &noexcept {
        return detail::optional_view(planetkey_login_verification_uri_complete(get()));
    }
    std::optional<std::string_view> verification_uri_complete() const && = delete;
    /// The URL to open in a browser. None for a device code login. Show it to this user only,
    /// because it contains the `state` of the login.
    std::optional<std::string_view> authorization_url() const &noexcept {
        return detail::optional_view(planetkey_login_authorization_url(get()));
    }
    std::optional<std::string_view> authorization_url() const && = delete;
    /// The URI to which the browser is redirected. None for a device code login.
    std::optional<std::string_view> redirect_uri() const &noexcept {
        return detail::optional_view(planetkey_login_redirect_uri(get()));
    }
    std::optional<std::string_view> redirect_uri() const && = delete;
    /// How much time the user has left.
    std::chrono::milliseconds expires_in() const noexcept {
        return std::chrono::milliseconds(planetkey_login_expires_in_ms(get()));
    }
    /// The URL to open as a QR code in lines of text.
    std::optional<std::string> qr_code(bool ascii = false) const {
        return detail::optional_string(planetkey_login_qr_code(get(), ascii));
    }

    /// Continues the login without waiting for the user, for event loops. None while it is pending.
    std::optional<LoginResult> poll() const {
        auto *made = detail::with_prompts<planetkey_login_result *>(
            [&](auto *out, auto **error) { return planetkey_login_poll(get(), out, error); });
        return made ? std::optional<LoginResult>(LoginResult(made)) : std::nullopt;
    }
    /// How long to wait before the next poll(). An earlier one sends no request.
    std::chrono::milliseconds poll_interval() const noexcept {
        return std::chrono::milliseconds(planetkey_login_poll_interval_ms(get()));
    }
    /// Waits for the user, until the login succeeds, fails or expires.
    LoginResult wait() const { return wait_ms(0); }
    /// Waits for the user, for at most this time. Less than 1 ms means 1 ms.
    LoginResult wait(std::chrono::milliseconds timeout) const {
        return wait_ms(std::max(detail::milliseconds("timeout", timeout), std::uint32_t{1}));
    }
    /// Completes a browser login with the URL to which the browser was redirected.
    LoginResult complete(const std::string &callback_url) const {
        return LoginResult(
            detail::with_prompts<planetkey_login_result *>([&](auto *out, auto **error) {
                return planetkey_login_complete(get(), detail::text("callback_url", callback_url),
                                                out, error);
            }));
    }
    /// Cancels the login. Calls that wait for it throw ::PLANETKEY_STATUS_CANCELLED.
    void cancel() const noexcept { planetkey_login_cancel(get()); }

    /// The C handle, borrowed.
    const planetkey_login *get() const noexcept { return handle_.get(); }

  private:
    LoginResult wait_ms(std::uint32_t timeout_ms) const {
        return LoginResult(
            detail::with_prompts<planetkey_login_result *>([&](auto *out, auto **error) {
                return planetkey_login_wait(get(), timeout_ms, out, error);
            }));
    }

    detail::Handle<planetkey_login, planetkey_login_free> handle_;
};

/// The result of a logout.
class LogoutResult {
  public:
    /// Takes the ownership of a C handle.
    explicit LogoutResult(planetkey_logout_result *handle) noexcept : handle_(handle) {}

    /// Whether there were tokens to delete.
    bool removed() const noexcept { return planetkey_logout_result_removed(get()); }
    /// What became of the refresh token.
    planetkey_revocation revocation() const noexcept {
        return planetkey_logout_result_revocation(get());
    }
    /// Why the revocation is ::PLANETKEY_REVOCATION_UNKNOWN, in one line that is safe to log.
    std::optional<std::string_view> revocation_error() const &noexcept {
        return detail::optional_view(planetkey_logout_result_revocation_error(get()));
    }
    std::optional<std::string_view> revocation_error() const && = delete;

    /// The C handle, borrowed.
    const planetkey_logout_result *get() const noexcept { return handle_.get(); }

  private:
    detail::Handle<planetkey_logout_result, planetkey_logout_result_free> handle_;
};

/// A list of credential sources behind one host policy, which keeps access tokens fresh. A copy is
/// the same session. Any number of threads may use it.
class Session {
  public:
    /// Takes the ownership of a C handle.
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

    /// A session with all credentials that the environment and configuration files offer.
    static Session from_defaults(const Options &options = Options()) {
        return make([&](auto **session, auto **error) {
            return planetkey_session_from_defaults(options.get(), session, error);
        });
    }
    /// A session of a saved or built-in profile.
    static Session from_profile(const std::string &name, const Options &options = Options()) {
        return make([&](auto **session, auto **error) {
            return planetkey_session_from_profile(detail::text("name", name), options.get(),
                                                  session, error);
        });
    }
    /// A session of an API key.
    static Session
    from_api_key(const std::string &api_key,
                 planetkey_api_key_transport transport = PLANETKEY_API_KEY_TRANSPORT_BASIC,
                 const Options &options = Options()) {
        return make([&](auto **session, auto **error) {
            return planetkey_session_from_api_key(detail::text("api_key", api_key),
                                                  static_cast<std::int32_t>(transport),
                                                  options.get(), session, error);
        });
    }
    /// A session of an M2M client (RFC 6749 section 4.4).
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
                detail::text("client_id", client_id), detail::text("client_secret", client_secret),
                texts.data(), texts.size(),
                audience ? detail::text("audience", *audience) : nullptr, options.get(), session,
                error);
        });
    }
    /// A session with tokens that something else obtains: a broker, a scheduler, a vault. They are
    /// cached in memory and refreshed as those of every other source, and never saved.
    static Session from_token_provider(TokenProvider provider, const Options &options = Options()) {
        using Callbacks = detail::ProviderCallbacks;
        if (!provider) {
            throw Error(PLANETKEY_STATUS_INVALID_ARGUMENT, "provider must not be empty");
        }
        // The C function frees it, also if it fails.
        auto *user_data = new TokenProvider(std::move(provider));
        return make([&](auto **session, auto **error) {
            return planetkey_session_from_token_provider(
                &Callbacks::token, user_data, &Callbacks::destroy, options.get(), session, error);
        });
    }
    /// A session of any registered client, described by the fields of auth_client.json.
    static Session from_client_config(const std::string &json, const Options &options = Options()) {
        return make([&](auto **session, auto **error) {
            return planetkey_session_from_client_config(detail::text("json", json), options.get(),
                                                        session, error);
        });
    }

    /// The same session with another deadline for calls through the new object.
    Session with_timeout(std::chrono::milliseconds timeout) const {
        return make([&](auto **session, auto **error) {
            return planetkey_session_with_timeout_ms(
                get(), detail::milliseconds("timeout", timeout), session, error);
        });
    }

    /// What a request to this URL carries.
    Authorization authorize(const std::string &url) const {
        return Authorization(call<planetkey_authorization *>([&](auto *out, auto **error) {
            return planetkey_session_authorize(get(), detail::text("url", url), out, error);
        }));
    }
    /// As authorize(), for HTTP clients that also send requests to hosts that this session does not
    /// serve: none for these hosts.
    std::optional<Authorization> authorize_if_served(const std::string &url) const {
        return optional_authorization([&](auto *out, auto **error) {
            return planetkey_session_authorize_if_served(get(), detail::text("url", url), out,
                                                         error);
        });
    }
    /// As authorize(), for programs that cannot change the URL.
    Authorization headers(const std::string &url) const {
        return Authorization(call<planetkey_authorization *>([&](auto *out, auto **error) {
            return planetkey_session_headers(get(), detail::text("url", url), out, error);
        }));
    }
    /// As headers(), but never waits for a token: none if headers() would.
    std::optional<Authorization> headers_cached(const std::string &url) const {
        return optional_authorization([&](auto *out, auto **error) {
            return planetkey_session_headers_cached(get(), detail::text("url", url), out, error);
        });
    }
    /// Writes the header line into the caller's buffer. Returns its length with its NUL, and writes
    /// nothing if that is more than `size`.
    std::size_t copy_header(const std::string &url, char *buffer, std::size_t size) const {
        std::size_t needed = 0;
        planetkey_error *error = nullptr;
        const planetkey_status status = planetkey_session_copy_header(
            get(), detail::text("url", url), buffer, size, &needed, &error);
        if (status == PLANETKEY_STATUS_INVALID_ARGUMENT && needed > size) {
            planetkey_error_free(error);
            return needed;
        }
        detail::check(status, error);
        return needed;
    }
    /// The URL with the API key in it, which is a secret.
    String signed_url(const std::string &url) const {
        return String(call<planetkey_string *>([&](auto *out, auto **error) {
            return planetkey_session_signed_url(get(), detail::text("url", url), out, error);
        }));
    }
    /// The access token.
    String access_token() const {
        return String(call<planetkey_string *>([&](auto *out, auto **error) {
            return planetkey_session_access_token(get(), out, error);
        }));
    }
    /// The API key.
    String api_key() const {
        return String(call<planetkey_string *>(
            [&](auto *out, auto **error) { return planetkey_session_api_key(get(), out, error); }));
    }
    /// Takes an access token out of use, because an API refused it. Returns whether the next call
    /// refreshes it.
    bool invalidate(const std::string &access_token) const {
        return call<bool>([&](auto *out, auto **error) {
            return planetkey_session_invalidate(get(), detail::text("access_token", access_token),
                                                out, error);
        });
    }
    /// Decides what follows an API's response. None: the response is final. Otherwise: repeat the
    /// request once, with this authorization.
    std::optional<Authorization>
    after_response(const Authorization &carried, int http_status,
                   const std::optional<std::string> &www_authenticate = std::nullopt) const {
        return optional_authorization([&](auto *out, auto **error) {
            return planetkey_session_after_response(
                get(), carried.get(), http_status,
                www_authenticate ? detail::text("www_authenticate", *www_authenticate) : nullptr,
                out, error);
        });
    }
    /// Gets a new access token now.
    void refresh() const {
        planetkey_error *error = nullptr;
        const planetkey_status status = planetkey_session_refresh(get(), &error);
        detail::check(status, error);
    }
    /// Makes sure that a user is logged in. Prompts the user only if the session is not valid and
    /// cannot be refreshed.
    LoginResult login(const LoginOptions &options = LoginOptions()) const {
        return LoginResult(
            detail::with_prompts<planetkey_login_result *>([&](auto *out, auto **error) {
                return planetkey_session_login(get(), options.get(), out, error);
            }));
    }
    /// Starts a device code login (RFC 8628).
    Login start_device_login(const LoginOptions &options = LoginOptions()) const {
        return Login(call<planetkey_login *>([&](auto *out, auto **error) {
            return planetkey_session_start_device_login(get(), options.get(), out, error);
        }));
    }
    /// Starts a browser login (RFC 6749 section 4.1 with PKCE). It does not open a browser.
    Login start_browser_login(const LoginOptions &options = LoginOptions()) const {
        return Login(call<planetkey_login *>([&](auto *out, auto **error) {
            return planetkey_session_start_browser_login(get(), options.get(), out, error);
        }));
    }
    /// Deletes the tokens, in memory and where they are saved. With `revoke` it revokes the refresh
    /// token first.
    LogoutResult logout(bool revoke = true) const {
        return LogoutResult(call<planetkey_logout_result *>([&](auto *out, auto **error) {
            return planetkey_session_logout(get(), revoke, out, error);
        }));
    }
    /// What the authorization server says about the user, as JSON.
    String userinfo() const {
        return String(call<planetkey_string *>([&](auto *out, auto **error) {
            return planetkey_session_userinfo(get(), out, error);
        }));
    }
    /// The claims of the session's ID token, whose signature is verified, as JSON.
    String id_token_claims() const {
        return String(call<planetkey_string *>([&](auto *out, auto **error) {
            return planetkey_session_id_token_claims(get(), out, error);
        }));
    }
    /// What the authorization server says about a token, as JSON. By default about the session's
    /// own access token.
    String introspect(const std::optional<std::string> &token = std::nullopt) const {
        return String(call<planetkey_string *>([&](auto *out, auto **error) {
            return planetkey_session_introspect(
                get(), token ? detail::text("token", *token) : nullptr, out, error);
        }));
    }
    /// Describes the session.
    SessionInfo status() const {
        return SessionInfo(call<planetkey_session_info *>([&](auto *out, auto **error) {
            return planetkey_session_get_info(get(), out, error);
        }));
    }
    /// Whether the session can authorize requests without a login.
    bool is_initialized() const noexcept { return planetkey_session_is_initialized(get()); }

    /// The C handle, borrowed.
    const planetkey_session *get() const noexcept { return handle_.get(); }

  private:
    template <typename T, typename Call> static T call(Call call) {
        T out{};
        planetkey_error *error = nullptr;
        const planetkey_status status = call(&out, &error);
        detail::check(status, error);
        return out;
    }
    template <typename Call> static std::optional<Authorization> optional_authorization(Call call) {
        auto *made = Session::call<planetkey_authorization *>(call);
        return made ? std::optional<Authorization>(Authorization(made)) : std::nullopt;
    }
    template <typename Call> static Session make(Call call) {
        return Session(Session::call<planetkey_session *>(call));
    }

    detail::Handle<planetkey_session, planetkey_session_free> handle_;
};

/// The URL and the headers of requests by libcurl. `List` is `curl_slist`: include <curl/curl.h>,
/// before or after this header.
///
///     planetkey::CurlHeaders<curl_slist> headers(session);
///     headers.append("Accept: application/json");
///     headers.authorize(url); // before each request
///     do {
///         curl_easy_setopt(curl, CURLOPT_URL, headers.url());
///         curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
///         curl_easy_perform(curl);
///         curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
///         curl_easy_getinfo(curl, CURLINFO_REDIRECT_COUNT, &redirects);
///     } while (redirects == 0 && headers.after_response(status)); // true at most once
///
/// With CURLOPT_FOLLOWLOCATION, libcurl 7.83 and later do not send the header to another host, port
/// or scheme. 7.58 to 7.82 check only the host, and older versions check nothing: with those, set
/// CURLOPT_FOLLOWLOCATION to 0. Never set CURLOPT_UNRESTRICTED_AUTH, which sends the header to
/// every host. For a redirect to another host of the session, call authorize() with
/// CURLINFO_REDIRECT_URL. An entry of .netrc does not replace the header.
template <typename List> class CurlHeaders {
  public:
    explicit CurlHeaders(Session session) noexcept : session_(std::move(session)) {}
    CurlHeaders(const CurlHeaders &) = delete;
    CurlHeaders &operator=(const CurlHeaders &) = delete;
    ~CurlHeaders() { curl_slist_free_all(list_); }

    /// Adds a header line for all requests from the next authorize() on.
    void append(std::string line) {
        detail::text("line", line);
        lines_.push_back(std::move(line));
    }
    /// Makes the list for a request to this URL. What url() and get() returned before becomes
    /// invalid, so set both options again.
    void authorize(const std::string &url) {
        use(session_.authorize(url));
        repeated_ = false;
    }
    /// For CURLOPT_HTTPHEADER, valid until the next authorize() or after_response(). Null before
    /// the first.
    List *get() const noexcept { return list_; }
    /// For CURLOPT_URL, valid as long as get(). A secret if it contains an API key.
    const char *url() const noexcept {
        return authorization_ ? authorization_->url().data() : nullptr;
    }
    /// What the request carries.
    const std::optional<Authorization> &authorization() const noexcept { return authorization_; }
    /// Decides what follows a response, which must not be that of a redirect's target. Returns true
    /// if the request must be repeated with what url() and get() return now, at most once after
    /// each authorize().
    bool after_response(long http_status, const char *www_authenticate = nullptr) {
        if (!authorization_ || repeated_) {
            return false;
        }
        std::optional<Authorization> repeat = session_.after_response(
            *authorization_, static_cast<int>(http_status),
            www_authenticate ? std::optional<std::string>(www_authenticate) : std::nullopt);
        if (repeat) {
            use(std::move(*repeat));
            repeated_ = true;
        }
        return repeat.has_value();
    }

  private:
    // curl's functions are found by their arguments, when this template is used.
    static List *appended(List *list, const char *line) {
        List *longer = curl_slist_append(list, line);
        if (!longer) {
            throw std::bad_alloc();
        }
        return longer;
    }

    void use(Authorization authorization) {
        List *list = nullptr;
        try {
            for (const std::string &line : lines_) {
                list = appended(list, line.c_str());
            }
            for (std::size_t i = 0; i < authorization.header_count(); ++i) {
                list = appended(list, authorization.header_line(i).data());
            }
        } catch (...) {
            curl_slist_free_all(list);
            throw;
        }
        curl_slist_free_all(list_);
        list_ = list;
        authorization_ = std::move(authorization);
    }

    Session session_;
    std::vector<std::string> lines_;
    List *list_ = nullptr;
    std::optional<Authorization> authorization_;
    bool repeated_ = false;
};

/// Options of Gdal. Options that are not set have their defaults.
class GdalOptions {
  public:
    GdalOptions() {
        detail::check_abi();
        handle_.reset(planetkey_gdal_options_new());
    }

    /// Which requests of `/vsicurl/` carry a credential. By default those to the session's hosts.
    GdalOptions &scope(planetkey_gdal_scope scope) {
        return set([=](auto *handle, auto **error) {
            return planetkey_gdal_options_set_scope(handle, static_cast<std::int32_t>(scope),
                                                    error);
        });
    }
    /// When GDAL gets a new token. By default with every request.
    GdalOptions &header(planetkey_gdal_header header) {
        return set([=](auto *handle, auto **error) {
            return planetkey_gdal_options_set_header(handle, static_cast<std::int32_t>(header),
                                                     error);
        });
    }
    /// Adds one of the session's hosts for which GDAL asks the session. Without any, all its hosts.
    GdalOptions &add_host(const std::string &host) {
        const char *text = detail::text("host", host);
        return set([=](auto *handle, auto **error) {
            return planetkey_gdal_options_add_host(handle, text, error);
        });
    }
    /// Whether requests by CPLHTTPFetch carry a credential too. By default they do.
    GdalOptions &fetch(bool fetch) {
        return set([=](auto *handle, auto **error) {
            return planetkey_gdal_options_set_fetch(handle, fetch, error);
        });
    }

    /// The C handle, borrowed.
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

/// Makes GDAL ask a session, as long as this object exists. Destroy it before main() ends. See
/// planetkey_gdal_install().
class Gdal {
  public:
    /// Installs a session in every GDAL of this process.
    explicit Gdal(const Session &session, const GdalOptions &options = GdalOptions()) {
        planetkey_gdal *gdal = nullptr;
        planetkey_error *error = nullptr;
        const planetkey_status status =
            planetkey_gdal_install(session.get(), options.get(), &gdal, &error);
        detail::check(status, error);
        handle_.reset(gdal);
    }

    /// Makes GDAL forget what it knows of files at the session's hosts, after a login or when files
    /// on the server changed.
    void refresh() const {
        planetkey_error *error = nullptr;
        const planetkey_status status = planetkey_gdal_refresh(get(), &error);
        detail::check(status, error);
    }
    /// The name under which GDAL opens a URL with the session's credential.
    String path(const std::string &url) const {
        planetkey_string *path = nullptr;
        planetkey_error *error = nullptr;
        const planetkey_status status =
            planetkey_gdal_path(get(), detail::text("url", url), &path, &error);
        detail::check(status, error);
        return String(path);
    }
    /// Why the last request of GDAL that should have carried a credential carried none. None if
    /// there was no such request.
    std::optional<Error> last_error() const {
        planetkey_error *error = planetkey_gdal_last_error(get());
        return error ? std::optional<Error>(Error(planetkey_error_status(error), error))
                     : std::nullopt;
    }

    /// The C handle, borrowed.
    const planetkey_gdal *get() const noexcept { return handle_.get(); }

  private:
    detail::Handle<planetkey_gdal, planetkey_gdal_free> handle_;
};

/// Waits for refreshes of user sessions that are in progress in this process, so that their new
/// refresh tokens are saved. Returns true if none is in progress. Process exit does so by itself.
inline bool settle(std::chrono::milliseconds timeout) noexcept {
    const std::int64_t longest = UINT32_MAX;
    return planetkey_settle(
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(timeout.count(), 0, longest)));
}

/// Removes the `api_key` parameters from a URL.
inline std::string strip_api_key(const std::string &url) {
    planetkey_string *out = nullptr;
    planetkey_error *error = nullptr;
    const planetkey_status status = planetkey_strip_api_key(detail::text("url", url), &out, &error);
    detail::check(status, error);
    return String(out).str();
}

/// Makes a URL safe to log: replaces its user information and the values of `api_key` and other
/// secret parameters.
inline std::string redact_url(const std::string &url) {
    planetkey_string *out = nullptr;
    planetkey_error *error = nullptr;
    const planetkey_status status = planetkey_redact_url(detail::text("url", url), &out, &error);
    detail::check(status, error);
    return String(out).str();
}

/// Receives a log record: its level, the part of planetkey that logs, and one line. Several threads
/// may call it at once. Its exceptions are dropped.
using LogCallback = std::function<void(planetkey_log_level, std::string_view, std::string_view)>;

/// Sets where planetkey's log records go, for the whole process. An empty callback ends logging.
inline void set_log_callback(LogCallback callback,
                             planetkey_log_level max_level = PLANETKEY_LOG_LEVEL_INFO) {
    planetkey_error *error = nullptr;
    planetkey_status status;
    if (!callback) {
        status =
            planetkey_set_log_callback(nullptr, nullptr, nullptr, PLANETKEY_LOG_LEVEL_OFF, &error);
    } else {
        const auto write = [](void *user_data, std::int32_t level, const char *target,
                              const char *message) {
            try {
                (*static_cast<LogCallback *>(user_data))(static_cast<planetkey_log_level>(level),
                                                         target, message);
            } catch (...) {
                // No exception may pass through C.
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
