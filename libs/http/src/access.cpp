#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/http/access.hpp>
#include <alknet/http/websocket.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/race.hpp>
#include <alknet/rt/scope.hpp>
#include <utility>
#include <vector>

#include "cross_origin.hpp"

namespace alknet::http {

namespace {

Response ask_for_token(const RequestHead& head) {
    Response response = page(head, 401, "Only known peers may have this.",
                             "Send a token: alknet token add makes one.");
    response.fields.add("www-authenticate", "Bearer");
    return response;
}

Response refuse_peer(const RequestHead& head, const error& why, const std::string& scope) {
    Response response = failure_response(head, why);
    response.fields.add("www-authenticate",
                        "Bearer error=\"insufficient_scope\", scope=\"" + scope + "\"");
    return response;
}

}  // namespace

std::optional<std::string> bearer_of(const RequestHead& head) {
    std::vector<std::string> tokens;
    for (const std::string& one : offered_protocols(head).value_or(std::vector<std::string>())) {
        if (one.starts_with(kBearerProtocol)) {
            tokens.push_back(one.substr(kBearerProtocol.size()));
        }
    }
    constexpr std::string_view kScheme = "bearer ";
    const auto field = head.fields.find("authorization");
    if (field && equal_ignoring_case(field->substr(0, kScheme.size()), kScheme)) {
        tokens.emplace_back(trim(field->substr(kScheme.size())));
    } else if (field) {
        return std::nullopt;
    }
    const bool doubtful = tokens.size() > 1 || head.fields.count("authorization") > 1 ||
                          std::ranges::find(tokens, "") != tokens.end();
    if (doubtful) {
        return std::nullopt;
    }
    return tokens.empty() ? std::string() : tokens.front();
}

bool has_credentials(const RequestHead& head) {
    const auto token = bearer_of(head);
    return !token || !token->empty();
}

Response refuse_token(const RequestHead& head) {
    Response response = page(head, 401, "The token is not accepted.",
                             "Use one that is valid; alknet token list shows them.");
    response.fields.add("www-authenticate", "Bearer error=\"invalid_token\"");
    return response;
}

task<std::optional<Response>> Access::refuse(Request& request,
                                             const std::vector<std::string>& origins) const {
    const RequestHead& head = request.head;
    const auto token = bearer_of(head);
    if (!token) {
        co_return refuse_token(head);
    }
    if (!token->empty()) {
        result<std::optional<Identity>> found = std::optional<Identity>();
        if (identities != nullptr) {
            std::string shown_for(purpose);
            found = preview ? co_await identities->preview_token(*token, std::move(shown_for))
                            : co_await identities->resolve_from_token(*token, std::move(shown_for));
        }
        if (!found && !found.error().is(errc::forbidden)) {
            co_return failure_response(head, found.error());
        }
        if (!found || !*found) {
            co_return refuse_token(head);
        }
        request.by_token = *std::move(found);
    } else if (!may_come_from(head, origins)) {
        // What the browser proves by itself is no wish of the page's.
        co_return page(head, 403, "Pages of that site may not ask for this.",
                       "Ask for it from a page of this site, or with a token.");
    }
    const std::optional<Identity>& caller = request.caller();
    if (!caller) {
        co_return ask_for_token(head);
    }
    if (caller->renewal_only) {
        co_return failure_response(head, error(causes::kForbidden));
    }
    if (const auto may = demand(*caller); !may) {
        co_return refuse_peer(head, may.error(), scope);
    }
    co_return std::nullopt;
}

namespace {

constexpr Duration kRecheckEach = std::chrono::seconds(1);

task<result<void>> until_refused(Access access, std::string token, Identity before) {
    const TaskContext context = co_await current_context();
    for (;;) {
        ALKNET_CO_CHECK(co_await context.loop->sleep(kRecheckEach));
        const auto now =
            co_await access.identities->recheck_token(token, std::string(access.purpose));
        if (now ? is_narrowed(before, *now) : now.error().is(errc::forbidden)) {
            co_return fail(causes::kTokenInvalid);
        }
    }
}

task<result<void>> first_of(task<result<void>> one, task<result<void>> other) {
    std::vector<task<result<void>>> works;
    works.push_back(std::move(one));
    works.push_back(std::move(other));
    Raced<void> first = co_await race(std::move(works));
    co_return std::move(first.outcome);
}

class AcceptedSource final : public BodySource {
public:
    AcceptedSource(Access access, std::string token, Identity before,
                   std::unique_ptr<BodySource> source)
        : access_(std::move(access)),
          token_(std::move(token)),
          before_(std::move(before)),
          source_(std::move(source)) {}

    task<result<std::size_t>> read(MutableBytes into) override {
        if (!watching_) {
            const TaskContext context = co_await current_context();
            reading_.emplace(context.cancel);
            watching_.emplace(*context.loop);
            watching_->spawn(watch(), "http.token");
        }
        auto count = co_await source_->read(into).under(*reading_);
        co_return refused_ ? fail(causes::kTokenInvalid) : std::move(count);
    }
    task<void> close() override {
        if (watching_) {
            watching_->cancel();
            (void)co_await watching_->join();
        }
        co_await source_->close();
    }

private:
    task<result<void>> watch() {
        const auto ended = co_await until_refused(access_, token_, before_);
        if (!ended && !ended.error().is(errc::cancelled)) {
            refused_ = true;
            reading_->request();
        }
        co_return result<void>();
    }

    const Access access_;
    const std::string token_;
    const Identity before_;
    const std::unique_ptr<BodySource> source_;
    bool refused_ = false;
    std::optional<Cancel> reading_;
    std::optional<TaskScope> watching_;
};

}  // namespace

Tunnel while_accepted(Access access, std::string token, Identity before, Tunnel tunnel) {
    return [access = std::move(access), token = std::move(token), before = std::move(before),
            tunnel = std::move(tunnel)](BiStream& stream) {
        return first_of(tunnel(stream), until_refused(access, token, before));
    };
}

std::unique_ptr<BodySource> while_accepted(Access access, std::string token, Identity before,
                                           std::unique_ptr<BodySource> source) {
    return std::make_unique<AcceptedSource>(std::move(access), std::move(token), std::move(before),
                                            std::move(source));
}

}  // namespace alknet::http
