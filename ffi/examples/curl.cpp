// SPDX-License-Identifier: Apache-2.0 OR MIT
// C++ with libcurl: sends a request with the credential for its URL, and repeats it once if the API
// refuses the access token.
//
//     c++ -std=c++17 curl.cpp $(pkg-config --cflags --libs planetkey libcurl) -o curl-example
//     ./curl-example [URL]
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
    long status = 0;
    headers.authorize(url);
    do {
        curl_easy_setopt(curl.get(), CURLOPT_URL, headers.url());
        curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
        sent = curl_easy_perform(curl.get()); // prints the response
        curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
    } while (status != 0 && headers.after_response(status));
    if (sent != CURLE_OK) {
        std::cerr << curl_easy_strerror(sent) << '\n';
    }
    return sent == CURLE_OK ? 0 : 1;
} catch (const planetkey::Error &error) {
    std::cerr << error.what() << '\n';
    return error.status();
}
