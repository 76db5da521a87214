#include "interop.hpp"

#include <cstdio>

int main(int argc, char** argv) {
    const std::span arguments(argv, static_cast<std::size_t>(argc));
    alknet::result<void> outcome;
    if (argc == 3 && std::string(arguments[1]) == "serve") {
        outcome = alknet::interop::serve(arguments[2], {});
    } else if (argc == 4 && std::string(arguments[1]) == "splice") {
        outcome = alknet::interop::serve(arguments[2], {.splice_to = arguments[3]});
    } else if (argc == 4 && std::string(arguments[1]) == "behind") {
        outcome = alknet::interop::serve(arguments[2], {.proxies = arguments[3]});
    } else if (argc == 3 && std::string(arguments[1]) == "schemas") {
        outcome = alknet::interop::schemas(arguments[2]);
    } else if (argc == 4) {
        outcome = alknet::interop::dial(arguments[1], arguments[2], arguments[3]);
    } else {
        std::fputs(
            "usage: alknet_interop serve DIRECTORY | splice DIRECTORY HOST:PORT |"
            " behind DIRECTORY RANGE |"
            " schemas FILE |"
            " resume|migrate|key-update ADDRESS ALPN\n",
            stderr);
        return 2;
    }
    if (!outcome) {
        std::fprintf(stderr, "%s\n", outcome.error().message().c_str());
        return 1;
    }
    return 0;
}
