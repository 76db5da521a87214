// Router: which handler has a request, by its path and method. Built once, then only read.
//
//     router.add("GET", "/users/{id}/*rest", handler);
//
// A pattern's segments are literal, "{name}" for any one, or, as the last one, "*name" for all the
// rest, also none. Literal ones come first, then names, then rests. HEAD is GET without content,
// OPTIONS says which methods there are, and so does 405.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/http/exchange.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace alknet::http {

class Router {
public:
    static constexpr std::size_t kRoutesMax = 1024;

    Router();
    Router(Router&&) noexcept;
    Router& operator=(Router&&) noexcept;
    ~Router();

    /// Errors: kConfigInvalid for a pattern that is none, or that is there with another name, a
    /// method that is there, and more than kRoutesMax routes.
    result<void> add(std::string_view method, std::string_view pattern, Handler handler);

    /// Fills in what `request` says about its path. Never fails: it answers 400, 404 and 405 too.
    /// The router and the request must outlive the task.
    [[nodiscard]] task<Response> answer(Request& request) const;

private:
    struct Node;
    struct Match;
    [[nodiscard]] static const Node* find(const Node& node, const Request& request,
                                          std::size_t index, Match& match);
    std::unique_ptr<Node> root_;
    std::size_t routes_ = 0;
};

}  // namespace alknet::http
