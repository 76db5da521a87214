#include <algorithm>
#include <alknet/core/auth.hpp>

namespace alknet {

// A provider that knows no tokens.
task<result<std::optional<Identity>>> IdentityProvider::resolve_from_token(
    std::string /*token*/, std::string /*purpose*/) {
    co_return std::optional<Identity>();
}

task<result<std::optional<Identity>>> IdentityProvider::recheck_token(std::string token,
                                                                      std::string purpose) {
    return resolve_from_token(std::move(token), std::move(purpose));
}

bool is_narrowed(const Identity& before, const std::optional<Identity>& after) {
    if (!after || after->id != before.id || (after->renewal_only && !before.renewal_only)) {
        return true;
    }
    const auto has = [](const std::vector<std::string>& all, const std::string& one) {
        return std::ranges::find(all, one) != all.end();
    };
    for (const std::string& scope : before.scopes) {
        if (!has(after->scopes, scope)) {
            return true;
        }
    }
    for (const auto& [type, names] : before.resources) {
        const auto now = after->resources.find(type);
        for (const std::string& name : names) {
            if (now == after->resources.end() || !has(now->second, name)) {
                return true;
            }
        }
    }
    return false;
}

}  // namespace alknet
