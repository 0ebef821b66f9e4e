// SPDX-License-Identifier: Apache-2.0 OR MIT
// C++ with libcurl: the right credential for a URL, and one repetition when an API refuses the access token.
//
//     c++ -std=c++17 curl.cpp $(pkg-config --cflags --libs planetkey libcurl) -o curl-example && ./curl-example [URL]
#include <curl/curl.h>
#include <iostream>
#include <planetkey.hpp>

int main(int argc, char **argv) try {
    const std::string url = argc > 1 ? argv[1] : "https://api.planet.com/basemaps/v1/mosaics";
    planetkey::CurlHeaders<curl_slist> headers(planetkey::Session::from_defaults());
    headers.append("Accept: application/json");

    const std::unique_ptr<CURL, void (*)(CURL *)> curl(curl_easy_init(), curl_easy_cleanup);
    curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
    CURLcode sent = CURLE_OK;
    for (int attempt = 1; attempt <= 2; ++attempt) {
        headers.authorize(url); // what the URL gets now
        curl_easy_setopt(curl.get(), CURLOPT_URL, headers.url());
        curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
        sent = curl_easy_perform(curl.get()); // prints the answer
        long status = 0;
        curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
        if (status == 0 || !headers.should_retry(status)) {
            break;
        }
    }
    if (sent != CURLE_OK) {
        std::cerr << curl_easy_strerror(sent) << '\n';
    }
    return sent == CURLE_OK ? 0 : 1;
} catch (const planetkey::Error &error) {
    std::cerr << error.what() << '\n';
    return error.status();
}
