#include <alknet/base/causes.hpp>
#include <alknet/http/path.hpp>
#include <alknet/http/router.hpp>
#include <utility>

namespace alknet::http {

struct Router::Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> literal;
    std::unique_ptr<Node> named;
    std::unique_ptr<Node> rest;
    std::string name;  // of `named` and `rest` nodes
    std::map<std::string, Handler, std::less<>> methods;
};

struct Router::Match {
    std::map<std::string, std::string, std::less<>> parameters;
};

namespace {

constexpr std::string_view kNothingThere = "There is nothing at this address.";
constexpr std::string_view kCheckIt =
    "Check it for a typing error, or begin at the start of the site: /";

std::string allowed(const std::map<std::string, Handler, std::less<>>& methods) {
    std::string list;
    for (const auto& [method, handler] : methods) {
        list.append(list.empty() ? "" : ", ").append(method);
        list.append(method == "GET" ? ", HEAD" : "");
    }
    return list.append(", OPTIONS");
}

}  // namespace

Router::Router() : root_(std::make_unique<Node>()) {}
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;
Router::~Router() = default;

result<void> Router::add(std::string_view method, std::string_view pattern, Handler handler) {
    if (!pattern.starts_with('/') || !is_token(method) || routes_ == kRoutesMax) {
        return fail(causes::kConfigInvalid, "no route: " + std::string(pattern));
    }
    Node* node = root_.get();
    std::string_view left = pattern.substr(1);
    while (!left.empty()) {
        const std::size_t end = std::min(left.find('/'), left.size());
        const std::string_view segment = left.substr(0, end);
        left.remove_prefix(std::min(end + 1, left.size()));
        const bool named = segment.starts_with('{') && segment.ends_with('}');
        const bool rest = segment.starts_with('*');
        if (segment.empty() || (rest && !left.empty())) {
            return fail(causes::kConfigInvalid, "no route: " + std::string(pattern));
        }
        if (!named && !rest) {
            auto& next = node->literal[std::string(segment)];
            next = next ? std::move(next) : std::make_unique<Node>();
            node = next.get();
            continue;
        }
        const std::string_view name =
            rest ? segment.substr(1) : segment.substr(1, segment.size() - 2);
        auto& next = rest ? node->rest : node->named;
        if (!next) {
            next = std::make_unique<Node>();
            next->name = name;
        } else if (next->name != name) {
            return fail(causes::kConfigInvalid, "two names in one place: " + std::string(pattern));
        }
        node = next.get();
    }
    if (!node->methods.emplace(method, std::move(handler)).second) {
        return fail(causes::kConfigInvalid, "there is another route: " + std::string(pattern));
    }
    ++routes_;
    return {};
}

const Router::Node* Router::find(const Node& node, const Request& request, std::size_t index,
                                 Match& match) {
    if (index == request.segments.size()) {
        if (!node.methods.empty()) {
            return &node;
        }
    } else {
        const std::string& segment = request.segments[index];
        const auto literal = node.literal.find(segment);
        if (literal != node.literal.end()) {
            if (const Node* const found = find(*literal->second, request, index + 1, match)) {
                return found;
            }
        }
        if (node.named) {
            if (const Node* const found = find(*node.named, request, index + 1, match)) {
                match.parameters.emplace(node.named->name, segment);
                return found;
            }
        }
    }
    if (node.rest) {
        std::string rest;
        for (std::size_t i = index; i < request.segments.size(); ++i) {
            rest.append(i == index ? "" : "/").append(request.segments[i]);
        }
        match.parameters.emplace(node.rest->name, std::move(rest));
    }
    return node.rest.get();
}

task<Response> Router::answer(Request& request) const {
    auto path = parse_file_path(request.head.path);
    if (request.head.path == "*") {
        Response everything;
        everything.status = 204;
        co_return everything;
    }
    if (!path) {
        co_return page(request.head, 400, "This address is not one that can be had.", kCheckIt);
    }
    request.segments = std::move(path->segments);
    request.directory = path->directory;
    Match match;
    const Node* const found = find(*root_, request, 0, match);
    if (found == nullptr) {
        co_return page(request.head, 404, kNothingThere, kCheckIt);
    }
    request.parameters = std::move(match.parameters);
    const std::string method = request.head.protocol.empty() ? request.head.method : "GET";
    auto handler = found->methods.find(method);
    if (handler == found->methods.end() && method == "HEAD") {
        handler = found->methods.find("GET");
    }
    if (handler != found->methods.end()) {
        auto response = co_await handler->second(request);
        co_return response ? *std::move(response)
                           : failure_response(request.head, response.error());
    }
    Response other;
    if (method == "OPTIONS") {
        other.status = 204;
    } else {
        other = page(request.head, 405, "This address cannot be used in this way.",
                     "The field Allow says which methods there are.");
    }
    other.fields.add("allow", allowed(found->methods));
    co_return other;
}

}  // namespace alknet::http
