/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* planetkey::CurlHeaders with libcurl. <curl/curl.h> is included after it here. */
#include "planetkey.hpp"

#include <curl/curl.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "simulator.h"
#include "support.h"
#include "test.h"

namespace {

using planetkey::Options;
using planetkey::Session;
using Headers = planetkey::CurlHeaders<curl_slist>;

static_assert(!std::is_copy_constructible_v<Headers>);

Options options() {
    Options options;
    options.allow_insecure_loopback(true)
        .deployment(simulator_variable("PLANETKEY_DEPLOYMENT"))
        .timeout(std::chrono::seconds(20))
        .save(false);
    return options;
}

Session m2m() {
    return Session::from_m2m(simulator_variable("PL_AUTH_CLIENT_ID"),
                             simulator_variable("PL_AUTH_CLIENT_SECRET"), {}, std::nullopt,
                             options());
}

std::string url(const char *variable, const std::string &path = "/x") {
    return simulator_url(variable, path.c_str());
}
std::string planet() { return url("PLANETKEY_SIMULATOR_PLANET_API"); }
std::string sentinel_hub() { return url("PLANETKEY_SIMULATOR_SENTINEL_HUB_API"); }

/* A header of the last request to a target. Empty if there is none. */
std::string last_header(const char *target, const char *name = "authorization") {
    char *value = simulator_last_header(target, name);
    const std::string copy = value ? value : "";
    std::free(value);
    return copy;
}

/* A program that uses one libcurl handle for everything. */
class Client {
  public:
    Client() : curl_(curl_easy_init()) {
        set(CURLOPT_PROXY, "");
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_TIMEOUT, 60L);
        set(CURLOPT_WRITEDATA, &body);
        set(
            CURLOPT_WRITEFUNCTION,
            +[](char *data, std::size_t size, std::size_t count, void *text) {
                static_cast<std::string *>(text)->append(data, size * count);
                return size * count;
            });
    }
    Client(const Client &) = delete;
    ~Client() { curl_easy_cleanup(curl_); }

    template <typename Value> void set(CURLoption option, Value value) {
        curl_easy_setopt(curl_, option, value);
    }

    /* One request as planetkey.hpp shows it, repeated once if necessary. */
    long get(Headers &headers, const std::string &to) {
        long status = 0, redirects = 0;
        headers.authorize(to);
        do {
            set(CURLOPT_URL, headers.url());
            set(CURLOPT_HTTPHEADER, headers.get());
            status = perform();
            curl_easy_getinfo(curl_, CURLINFO_REDIRECT_COUNT, &redirects);
        } while (redirects == 0 && headers.after_response(status, challenge().c_str()));
        return status;
    }

    long perform() {
        long status = 0;
        body.clear();
        if (curl_easy_perform(curl_) == CURLE_OK) {
            curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
        }
        return status;
    }

    bool saw(const std::string &credential) const {
        return body.find("\"credential\":\"" + credential + "\"") != std::string::npos;
    }

    std::string redirect_url() const {
        const char *to = nullptr;
        curl_easy_getinfo(curl_, CURLINFO_REDIRECT_URL, &to);
        return to ? to : "";
    }

    std::string body;

  private:
    std::string challenge() const {
#if LIBCURL_VERSION_NUM >= 0x075400
        curl_header *header = nullptr;
        if (curl_easy_header(curl_, "WWW-Authenticate", 0, CURLH_HEADER, -1, &header) ==
            CURLHE_OK) {
            return header->value;
        }
#endif
        return "";
    }

    CURL *curl_;
};

void both_domains() {
    Client client;
    Headers headers(Session::from_defaults(options()));
    CHECK(headers.get() == nullptr && headers.url() == nullptr && !headers.authorization() &&
          !headers.after_response(401));
    headers.append("X-Own: 1");
    CHECK(client.get(headers, planet()) == 200 && client.saw("api_key_basic"));
    CHECK(last_header("planet_api", "x-own") == "1");
    CHECK(client.get(headers, sentinel_hub()) == 200 && client.saw("bearer"));
    CHECK(last_header("sentinel_hub_api", "x-own") == "1");
    CHECK(headers.authorization()->credential() == "access_token" &&
          headers.url() == sentinel_hub());
    CHECK(client.get(headers, planet()) == 200 && client.saw("api_key_basic"));
}

void api_keys() {
    const std::pair<planetkey_api_key_transport, const char *> forms[] = {
        {PLANETKEY_API_KEY_TRANSPORT_BASIC, "api_key_basic"},
        {PLANETKEY_API_KEY_TRANSPORT_HEADER, "api_key_header"},
        {PLANETKEY_API_KEY_TRANSPORT_QUERY, "api_key_query"}};
    for (const auto &[transport, expected] : forms) {
        Client client;
        Headers headers(
            Session::from_api_key(simulator_variable("PL_API_KEY"), transport, options()));
        CHECK(client.get(headers, planet() + "?page=1") == 200 && client.saw(expected));
        CHECK((headers.get() == nullptr) == (transport == PLANETKEY_API_KEY_TRANSPORT_QUERY));
        /* Without a token there is nothing to refresh. */
        CHECK(!headers.after_response(401));
        /* A failure leaves the last list unchanged. */
        const curl_slist *list = headers.get();
        try {
            headers.authorize(sentinel_hub());
            CHECK(!"an exception");
        } catch (const planetkey::Error &error) {
            CHECK(error.status() == PLANETKEY_STATUS_HOST_REFUSED);
        }
        CHECK(headers.get() == list && headers.url() != nullptr);
    }
}

void a096_libcurl_refreshes_once_and_repeats_once() {
    simulator_reset();
    const Session session = m2m();
    session.access_token();
    simulator_revoke_all();
    std::vector<std::thread> threads;
    std::vector<int> seen(4);
    std::vector<Client> clients(seen.size());
    for (std::size_t i = 0; i < seen.size(); ++i) {
        threads.emplace_back([&, i] {
            Headers headers(session);
            seen[i] = clients[i].get(headers, sentinel_hub()) == 200 && clients[i].saw("bearer");
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    CHECK(seen == (std::vector<int>{1, 1, 1, 1}));
    CHECK(simulator_count("m2m.token") == 2);

    /* A second refusal stands. */
    simulator_reset();
    simulator_script("sentinel_hub_api", "[{\"status\":401}]", 1);
    Client client;
    Headers headers(m2m());
    CHECK(client.get(headers, sentinel_hub()) == 401);
    CHECK(simulator_count("m2m.token") == 2 && simulator_count("sentinel_hub_api") == 2);

    simulator_reset();
    Headers forbidden(m2m());
    CHECK(client.get(forbidden, url("PLANETKEY_SIMULATOR_SENTINEL_HUB_API", "/forbidden")) == 403);
    CHECK(simulator_count("m2m.token") == 1 && simulator_count("sentinel_hub_api") == 1);
}

void a095_libcurl_takes_no_credential_to_another_host() {
    simulator_reset();
    Client client;
    Headers headers(m2m());
    client.set(CURLOPT_FOLLOWLOCATION, 1L);
    /* Another port, and another host: the other name of the same computer. */
    const std::string port = url("PLANETKEY_SIMULATOR_M2M", "/elsewhere");
    std::string host = port;
    host.replace(host.find("127.0.0.1"), 9, "localhost");
    for (const std::string &elsewhere : {port, host}) {
        CHECK(client.get(headers, url("PLANETKEY_SIMULATOR_SENTINEL_HUB_API",
                                      "/redirect?to=" + elsewhere)) == 404);
        CHECK(last_header("m2m.other").empty());
    }
    CHECK(simulator_count("m2m.other") == 2);
    /* The option that planetkey.hpp warns of. It proves that the test would see the header. */
    client.set(CURLOPT_UNRESTRICTED_AUTH, 1L);
    CHECK(client.get(headers,
                     url("PLANETKEY_SIMULATOR_SENTINEL_HUB_API", "/redirect?to=" + port)) == 404);
    CHECK(last_header("m2m.other") == headers.authorization()->header_value(0));
    client.set(CURLOPT_UNRESTRICTED_AUTH, 0L);
    CHECK(simulator_count("m2m.token") == 1 && !last_header("sentinel_hub_api").empty());

    /* Another host of the session gets no header by a redirect, and its own by authorize(). */
    const std::string redirecting =
        url("PLANETKEY_SIMULATOR_SENTINEL_HUB_API", "/redirect?to=" + planet());
    CHECK(client.get(headers, redirecting) == 401 && last_header("planet_api").empty());
    client.set(CURLOPT_FOLLOWLOCATION, 0L);
    CHECK(client.get(headers, redirecting) == 302 && client.redirect_url() == planet());
    CHECK(client.get(headers, client.redirect_url()) == 200 && client.saw("bearer"));
    CHECK(simulator_count("m2m.token") == 1);
}

void netrc_does_not_take_the_headers_place() {
    simulator_reset();
    write_text(home_file(".netrc"), "machine 127.0.0.1 login someone password else\n");
    for (const long netrc :
         {static_cast<long>(CURL_NETRC_OPTIONAL), static_cast<long>(CURL_NETRC_REQUIRED)}) {
        Client client;
        client.set(CURLOPT_NETRC, netrc);
        client.set(CURLOPT_NETRC_FILE, home_file(".netrc"));
        Headers headers(Session::from_defaults(options()));
        CHECK(client.get(headers, planet()) == 200 && client.saw("api_key_basic"));
        CHECK(client.get(headers, sentinel_hub()) == 200 && client.saw("bearer"));
        CHECK(last_header("sentinel_hub_api") == headers.authorization()->header_value(0));
        /* The file is used if there is no header. */
        client.set(CURLOPT_HTTPHEADER, static_cast<curl_slist *>(nullptr));
        CHECK(client.perform() == 401 &&
              last_header("sentinel_hub_api") == "Basic c29tZW9uZTplbHNl");
    }
}

} // namespace

int main() {
    simulator_start();
    both_domains();
    api_keys();
    a096_libcurl_refreshes_once_and_repeats_once();
    a095_libcurl_takes_no_credential_to_another_host();
    netrc_does_not_take_the_headers_place();
    simulator_end();
    return finish();
}
