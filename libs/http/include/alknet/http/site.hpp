// Sites: what the node serves over HTTP, by the name that a request asks for. What no site says is
// not there. Built from the configuration as a whole and then only read, on every loop.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/http/access.hpp>
#include <alknet/http/exchange.hpp>
#include <alknet/http/limits.hpp>
#include <alknet/http/proxy.hpp>
#include <alknet/http/router.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::http {

/// Requests below a path go to an upstream server; the longest path that fits counts.
struct RouteOptions {
    std::string path;  // "/" or "/a/b"
    ProxyOptions proxy;
    std::optional<Access> access{};  // in place of the site's
};

/// What the program itself answers at one path, which no route and no file hides.
struct OwnAnswer {
    std::string path;
    Handler handler;  // of GET
    /// Asks by itself who may have it, so that the site's access does not count.
    bool admits = false;
    std::optional<Access> access{};  // else: in place of the site's
};

struct SiteOptions {
    std::vector<std::string> names{};  // hosts without ports, in lower case; empty: every other one
    std::filesystem::path root{};      // empty: no files
    std::vector<RouteOptions> routes{};  // before files
    std::vector<OwnAnswer> own{};
    bool health = false;             // GET /healthz says that the node serves
    std::optional<Access> access{};  // nullopt: everybody may have everything
    /// Whose pages may read what this one serves (CORS), as "https://example.org".
    std::vector<std::string> origins{};
};

class RateBuckets;

class Sites {
public:
    /// Errors: kConfigInvalid for a name that two sites have, or no name twice; kIo for a root that
    /// is no directory. With the site's name before them. `reach`: of the routes.
    static result<std::shared_ptr<const Sites>> create(const std::vector<SiteOptions>& options,
                                                       const Limits& limits,
                                                       const Reach& reach = {});

    /// Never fails: 421 for a host that no site has. This and the request must outlive the task.
    [[nodiscard]] task<Response> answer(Request& request) const;
    [[nodiscard]] const Limits& limits() const noexcept { return limits_; }
    [[nodiscard]] bool empty() const noexcept { return by_name_.empty() && other_ == nullptr; }

private:
    struct Site;
    static result<std::shared_ptr<const Site>> make_site(const SiteOptions& options,
                                                         const Reach& reach);

    [[nodiscard]] std::optional<Response> over_rate(const Request& request, std::string_view whose,
                                                    TimePoint now, bool taken) const;
    [[nodiscard]] static task<Response> answer_admitted(const Site& site, Request& request);
    [[nodiscard]] task<std::optional<Response>> refuse(const Site& site, Request& request) const;

    Limits limits_;
    std::shared_ptr<RateBuckets> rate_;  // null: everybody may ask as often as he likes
    std::map<std::string, std::shared_ptr<const Site>, std::less<>> by_name_;
    std::shared_ptr<const Site> other_;  // for every name that is not there; may be null
};

}  // namespace alknet::http
