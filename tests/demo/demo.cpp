// One session with an API key and an M2M client: each API gets the credential that it takes.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

#include <curl/curl.h>
#include <planetkey.hpp>

namespace {

void print_row(const std::string &api, const std::string &credential, const std::string &result) {
    std::printf("%-8s %-26s %-22s %s\n", "C++", api.c_str(), credential.c_str(), result.c_str());
}

std::string variable(const char *name) {
    const char *value = std::getenv(name);
    if (value == nullptr) {
        throw std::runtime_error("run this by tests/demo/run");
    }
    return value;
}

// Sends one request with its authorization. Returns the HTTP status, 0 if there is no response.
long request(const planetkey::Authorization &authorization) {
    curl_slist *list = nullptr;
    for (std::size_t i = 0; i < authorization.header_count(); ++i) {
        list = curl_slist_append(list, authorization.header_line(i).data());
    }
    const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(list,
                                                                              curl_slist_free_all);
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                   curl_easy_cleanup);
    const curl_write_callback ignore = [](char *, std::size_t size, std::size_t count, void *) {
        return size * count;
    };
    curl_easy_setopt(curl.get(), CURLOPT_URL, authorization.url().data());
    curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, ignore);
    long http_status = 0;
    if (curl_easy_perform(curl.get()) == CURLE_OK) {
        curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &http_status);
    }
    return http_status;
}

void call(const planetkey::Session &session, const std::string &api, const std::string &url) {
    const planetkey::Authorization authorization = session.authorize(url);
    const std::string transport(authorization.transport());
    const std::string credential = std::string(authorization.credential()) + " (" + transport + ")";
    print_row(api, credential, std::to_string(request(authorization)));
}

// An API key alone must not get an authorization for this URL. If it does, the request is made, and
// counted.
void refuse(const planetkey::Options &options, const std::string &api, const std::string &url) {
    const auto session = planetkey::Session::from_api_key(
        variable("PL_API_KEY"), PLANETKEY_API_KEY_TRANSPORT_BASIC, options);
    try {
        request(session.authorize(url));
        print_row(api, "api_key alone", "OK");
    } catch (const planetkey::Error &error) {
        print_row(api, "api_key alone", error.code());
    }
}

} // namespace

int main() try {
    const std::string sentinel_hub_api =
        variable("PLANETKEY_SIMULATOR_SENTINEL_HUB_API") + "/api/v1/catalog/1.0.0/";
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const planetkey::Session session = planetkey::Session::from_defaults();
    call(session, "planet api",
         variable("PLANETKEY_SIMULATOR_PLANET_API") + "/basemaps/v1/mosaics");
    call(session, "sentinel hub api", sentinel_hub_api);

    refuse(planetkey::Options().allow_insecure_loopback(true), "sentinel hub api",
           sentinel_hub_api);
    refuse(planetkey::Options().deployment("planet"), "services.sentinel-hub.com",
           "https://services.sentinel-hub.com/api/v1/catalog/1.0.0/");
    curl_global_cleanup();
    return EXIT_SUCCESS;
} catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
}
