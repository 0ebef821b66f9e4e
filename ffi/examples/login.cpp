// SPDX-License-Identifier: Apache-2.0 OR MIT
// C++: logs in if needed, and prints who is logged in.
//
//     c++ -std=c++17 login.cpp $(pkg-config --cflags --libs planetkey) -o login-example
//     ./login-example [browser|device]
#include <iostream>
#include <planetkey.hpp>
#include <string>

int main(int argc, char **argv) try {
    const std::string method = argc > 1 ? argv[1] : "";
    const auto session = planetkey::Session::from_defaults();
    planetkey::LoginOptions options;
    options.method(method == "browser"  ? PLANETKEY_LOGIN_METHOD_BROWSER
                   : method == "device" ? PLANETKEY_LOGIN_METHOD_DEVICE
                                        : PLANETKEY_LOGIN_METHOD_AUTO);
    options.prompt([](const planetkey::Prompt &prompt) -> std::optional<std::string> {
        std::cout << prompt.message() << std::endl;
        std::string answer;
        if (prompt.kind() == PLANETKEY_PROMPT_KIND_PASTE ||
            prompt.kind() == PLANETKEY_PROMPT_KIND_OTHER_USER)
            std::getline(std::cin, answer);
        return answer;
    });
    const planetkey::LoginResult result = session.login(options);
    std::cout << "logged in as " << result.subject().value_or("an unknown user") << '\n';
    return 0;
} catch (const planetkey::Error &error) {
    std::cerr << error.what() << '\n';
    return error.status();
}
