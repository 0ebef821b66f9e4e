/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* consumer.c in C++. */
#include <planetkey.hpp>

#include <cstdlib>
#include <iostream>

int main() {
    try {
        planetkey::Options options;
        options.allow_insecure_loopback(true);
        const planetkey::Authorization token = planetkey::Session::from_defaults(options).authorize(
            std::getenv("PLANETKEY_SIMULATOR_SENTINEL_HUB_API"));
        const planetkey::Authorization key =
            planetkey::Session::from_api_key(std::getenv("PL_API_KEY"),
                                             PLANETKEY_API_KEY_TRANSPORT_BASIC, options)
                .authorize(std::getenv("PLANETKEY_SIMULATOR_PLANET_API"));
        std::cout << token.credential() << ": " << token.source() << "\n"
                  << key.credential() << ": " << key.source() << "\n";
        return token.credential() == "access_token" && key.credential() == "api_key" ? 0 : 1;
    } catch (const planetkey::Error &error) {
        std::cerr << error.what() << "\n";
        return 1;
    }
}
