#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/utf8.hpp>
#include <alknet/identity/scope.hpp>

namespace alknet::identity {

namespace {

constexpr std::string_view kAny = "*";
constexpr std::string_view kBelow = "/*";

bool is_word(std::string_view word) noexcept {
    const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
    const auto good = [&](char c) {
        return letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    };
    return !word.empty() && word.size() <= kScopeWordBytesMax && letter(word.front()) &&
           std::ranges::all_of(word, good);
}

bool is_space(char32_t c) noexcept {
    return c == 0x20 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

bool is_resource(std::string_view text) noexcept {
    if (text.empty() || text.size() > kScopeResourceBytesMax) {
        return false;
    }
    while (!text.empty()) {
        const CodePoint point = first_code_point(text);
        if (!point.valid || is_unprintable(point.value) || is_space(point.value)) {
            return false;
        }
        text.remove_prefix(point.size);
    }
    return true;
}

bool is_wild(std::string_view resource) noexcept {
    return resource == kAny || resource.ends_with(kBelow);
}

// "." and ".." would let a path leave the tree that a grant names.
bool climbs(std::string_view resource) noexcept {
    for (std::size_t begin = 0; begin <= resource.size();) {
        const std::size_t end = std::min(resource.find('/', begin), resource.size());
        const std::string_view part = resource.substr(begin, end - begin);
        if (part == "." || part == "..") {
            return true;
        }
        begin = end + 1;
    }
    return false;
}

bool covers_resource(std::string_view grant, std::string_view wanted) noexcept {
    if (grant == kAny || grant == wanted) {
        return true;
    }
    if (!grant.ends_with(kBelow)) {
        return false;
    }
    const std::string_view prefix = grant.substr(0, grant.size() - 1);
    return wanted.size() > prefix.size() && wanted.starts_with(prefix) && !climbs(wanted);
}

}  // namespace

result<Scope> Scope::parse(std::string_view text) {
    const std::size_t first = text.find(':');
    if (first == std::string_view::npos) {
        return fail(causes::kScopeInvalid, to_valid_utf8(text.substr(0, kScopeResourceBytesMax)));
    }
    const std::size_t second = std::min(text.find(':', first + 1), text.size());
    const std::string_view service = text.substr(0, first);
    const std::string_view action = text.substr(first + 1, second - first - 1);
    const bool words = (service == kAny || is_word(service)) && (action == kAny || is_word(action));
    if (!words || (second < text.size() && !is_resource(text.substr(second + 1)))) {
        return fail(causes::kScopeInvalid, to_valid_utf8(text.substr(0, kScopeResourceBytesMax)));
    }
    return Scope{
        .service = std::string(service),
        .action = std::string(action),
        .resource = std::string(second < text.size() ? text.substr(second + 1) : ""),
    };
}

result<ServiceResource> ServiceResource::parse(std::string_view text) {
    const std::size_t colon = std::min(text.find(':'), text.size());
    const std::string_view service = text.substr(0, colon);
    const std::string_view resource = text.substr(std::min(colon + 1, text.size()));
    if (!is_word(service) || !is_resource(resource) || resource == kOwnResources) {
        return fail(causes::kScopeInvalid, to_valid_utf8(text.substr(0, kScopeResourceBytesMax)) +
                                               " is no SERVICE:RESOURCE");
    }
    return ServiceResource{.service = std::string(service), .resource = std::string(resource)};
}

result<Scope> Scope::parse_exact(std::string_view text) {
    ALKNET_TRY(Scope scope, parse(text));
    if (!scope.exact()) {
        return fail(causes::kScopeInvalid, scope.text() + " names many, and one is needed");
    }
    return scope;
}

std::string Scope::text() const {
    std::string text = service + ":" + action;
    return resource.empty() ? text : text + ":" + resource;
}

bool Scope::exact() const noexcept {
    return service != kAny && action != kAny && !is_wild(resource) && resource != kOwnResources;
}

bool covers(const Scope& grant, const Scope& wanted) noexcept {
    return wanted.exact() && (grant.service == kAny || grant.service == wanted.service) &&
           (grant.action == kAny || grant.action == wanted.action) &&
           covers_resource(grant.resource, wanted.resource);
}

}  // namespace alknet::identity
