#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/utf8.hpp>
#include <alknet/identity/names.hpp>

namespace alknet::identity {

namespace {

char plain(char c) noexcept {
    if (c >= 'A' && c <= 'Z') {
        c = static_cast<char>(c - 'A' + 'a');
    }
    switch (c) {
        case '0':
            return 'o';
        case '1':
        case 'i':
            return 'l';
        case '_':
            return '-';
        default:
            return c;
    }
}

}  // namespace

result<void> check_name(std::string_view name) {
    const auto word = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    const auto good = [&](char c) { return word(c) || c == '.' || c == '_' || c == '-'; };
    if (name.empty() || name.size() > kNameBytesMax || !word(name.front()) ||
        !std::ranges::all_of(name, good)) {
        return fail(causes::kUsage, "'" + to_valid_utf8(name.substr(0, kNameBytesMax)) +
                                        "' is no name: it takes 1 to 64 letters (a to z), digits, "
                                        "'.', '_' and '-', and begins with a letter or digit");
    }
    return {};
}

std::string name_skeleton(std::string_view name) {
    std::string skeleton;
    for (std::size_t i = 0; i < name.size(); ++i) {
        // I and l look alike in capitals too, and so `plain` comes first.
        const char c = plain(name[i]);
        const char next = i + 1 < name.size() ? plain(name[i + 1]) : '\0';
        if (c == 'r' && next == 'n') {
            skeleton.push_back('m');
            ++i;
        } else if (c == 'v' && next == 'v') {
            skeleton.push_back('w');
            ++i;
        } else {
            skeleton.push_back(c);
        }
    }
    return skeleton;
}

}  // namespace alknet::identity
