#include <algorithm>
#include <alknet/core/auth.hpp>
#include <alknet/core/grants.hpp>

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

task<result<std::optional<Identity>>> IdentityProvider::preview_token(std::string token,
                                                                      std::string purpose) {
    return recheck_token(std::move(token), std::move(purpose));
}

namespace {

std::string_view take_part(std::string_view& scope) noexcept {
    const std::size_t end = std::min(scope.find(':'), scope.size());
    const std::string_view part = scope.substr(0, end);
    scope.remove_prefix(std::min(end + 1, scope.size()));
    return part;
}

}  // namespace

bool grant_covers(std::string_view grant, std::string_view scope) noexcept {
    for (int part = 0; part < 2; ++part) {
        const std::string_view mine = take_part(grant);
        const std::string_view its = take_part(scope);
        if (mine != "*" && mine != its) {
            return false;
        }
    }
    return grant == "*" || grant == scope;
}

bool is_narrowed(const Identity& before, const std::optional<Identity>& after) {
    if (!after || after->id != before.id || (after->renewal_only && !before.renewal_only)) {
        return true;
    }
    const auto has = [](const std::vector<std::string>& all, const std::string& one) {
        return std::ranges::find(all, one) != all.end();
    };
    for (const std::string& scope : before.scopes) {
        // Which comes and goes with a term, and allows no more than to keep it.
        const bool lost = scope != kRenewScope &&
                          std::ranges::none_of(after->scopes, [&](const std::string& grant) {
                              return grant_covers(grant, scope);
                          });
        if (lost) {
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
