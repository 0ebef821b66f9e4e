// SPDX-License-Identifier: Apache-2.0 OR MIT
// Prints the value of the Authorization header for a URL.
#include <iostream>
#include <planetkey.hpp>

int main(int argc, char **argv) try {
    planetkey::Options options;
    options.allow_insecure_loopback(true);
    const auto session = planetkey::Session::from_defaults(options);
    const auto authorization = session.headers(argc > 1 ? argv[1] : "");
    std::cout << authorization.header_value(0) << '\n';
    return 0;
} catch (const planetkey::Error &error) {
    std::cerr << error.what() << '\n';
    return error.status();
}
