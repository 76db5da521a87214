#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_call.hpp>
#include <alknet/call/client.hpp>
#include <alknet/call/peer_import.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/wait.hpp>
#include <optional>
#include <utility>

#include "peer_link.hpp"

namespace alknet::call {

namespace {

class Import final : public PeerImport {
public:
    Import(Loop& loop, PeerImportOptions options)
        : loop_(loop),
          options_(std::move(options)),
          calls_(std::make_shared<PeerCalls>(loop, options_.peer)),
          operations_(std::make_shared<ImportedOperations>(import_options())) {}

    [[nodiscard]] std::shared_ptr<const OperationSource> operations() const override {
        return operations_;
    }

    task<result<void>> run() override {
        const TaskContext context = co_await current_context();
        Duration pause = kAgainFirst;
        for (;;) {
            const TimePoint begun = loop_.now();
            const auto ended = co_await session();
            // The peer can say too that something was cancelled.
            if (context.cancel != nullptr && context.cancel->requested()) {
                co_return fail(causes::kCancelled);
            }
            if (loop_.now() - begun >= kAgainLongest) {
                pause = kAgainFirst;
            }
            away(ended.error().message());
            ALKNET_CO_CHECK(co_await wait(pause));
            pause = std::min(pause * 2, kAgainLongest);
        }
    }

    task<void> recheck() override {
        const std::shared_ptr<PeerLink> link = calls_->link();
        if (link == nullptr) {
            calls_->missed().set();  // the way there may be another one now
            co_return;
        }
        if (!options_.still(link->connection())) {
            link->connection().close(close_code::kForbidden, {});
            co_return;
        }
        (void)co_await admit(false);
    }

    [[nodiscard]] PeerImportStatus status() const override {
        const std::shared_ptr<PeerLink> link = calls_->link();
        return {.prefix = options_.prefix,
                .peer = options_.peer,
                .connected = link != nullptr && !link->ended(),
                .offered = offered_,
                .held_back = held_back_,
                .problem = link == nullptr ? problem_ : std::string()};
    }

private:
    ImportOptions import_options() {
        return {
            .prefix = options_.prefix,
            .scope = [scope = options_.scope, prefix = options_.prefix](
                         std::string_view remote) { return scope(imported_name(prefix, remote)); },
            .calls = calls_,
            .hops = 1};
    }

    // Said once, however often it is tried.
    void away(std::string problem) {
        if (problem != problem_) {
            options_.log.warn(
                "call.import_away",
                {{"prefix", options_.prefix}, {"peer", options_.peer}, {"reason", problem}});
        }
        problem_ = std::move(problem);
    }

    // Whoever calls meanwhile may end it, once the first pause is over.
    task<result<void>> wait(Duration pause) {
        calls_->missed().clear();
        ALKNET_CO_CHECK(co_await loop_.sleep(kAgainFirst));
        if (pause == kAgainFirst) {
            co_return result<void>();
        }
        const auto woken = co_await with_timeout(pause - kAgainFirst, calls_->missed().wait());
        co_return woken || woken.error().is(errc::timeout) ? result<void>() : woken;
    }

    task<result<void>> session() {
        ALKNET_CO_TRY(const auto connection, co_await options_.dial());
        const auto link = std::make_shared<PeerLink>(loop_, connection);
        auto outcome = co_await learn(*link);
        if (outcome) {
            calls_->set_link(link);
            problem_.clear();
            outcome = co_await keep(*link);
            calls_->set_link(nullptr);
        }
        Cancel patient;
        co_await link->close().under(patient);
        co_return outcome;
    }

    // The list tells whether anything is new; the schemas are asked for where it does.
    task<result<void>> learn(PeerLink& link) {
        ALKNET_CO_TRY(std::string list, co_await listed(link));
        auto found = co_await discover(link.client(), kDiscoveryTimeout);
        if (!found) {
            co_return unexpected(std::move(found).error().within("what it offers"));
        }
        std::erase_if(*found, [&](const RemoteOperation& one) {
            return one.hops > options_.hops_max || !options_.wanted(one.name);
        });
        // Who this node is was looked up when it connected: later it may be somebody.
        if (found->empty()) {
            co_return fail(causes::kImportRefused,
                           options_.peer + ": it offers nothing to this node");
        }
        list_ = std::move(list);
        found_ = *std::move(found);
        co_return co_await admit(true);
    }

    task<result<std::string>> listed(PeerLink& link) {
        CallOptions options;
        options.timeout = kDiscoveryTimeout;
        ALKNET_CO_TRY(const Json list,
                      co_await link.client().call("services/list", Json(), std::move(options)));
        co_return list.text();
    }

    /// `always`: what comes of it is logged, even if it is nothing new.
    task<result<void>> admit(bool always) {
        const std::uint64_t mine = ++asked_;
        auto admitted = co_await options_.admit(found_);
        if (!admitted) {
            co_return unexpected(std::move(admitted).error());
        }
        if (mine != asked_) {
            co_return result<void>();
        }
        const auto refused = operations_->offer(*admitted);
        for (const auto& one : refused) {
            options_.log.warn(
                "call.import_refused",
                {{"prefix", options_.prefix}, {"operation", one.name}, {"reason", one.why}});
        }
        const std::size_t offered = admitted->size() - refused.size();
        const std::size_t held_back = found_.size() - admitted->size();
        if (always || offered != offered_ || held_back != held_back_) {
            options_.log.info("call.imported", {{"prefix", options_.prefix},
                                                {"peer", options_.peer},
                                                {"operations", offered},
                                                {"held_back", held_back}});
        }
        offered_ = offered;
        held_back_ = held_back;
        co_return result<void>();
    }

    // Until the connection ends, or the peer does not answer.
    task<result<void>> keep(PeerLink& link) {
        for (;;) {
            const auto ended = co_await with_timeout(kLookAgain, link.connection().wait_closed());
            if (ended || !ended.error().is(causes::kTimeout)) {
                co_return link.reason(ended);
            }
            ALKNET_CO_TRY(const std::string list, co_await listed(link));
            if (list != list_) {
                ALKNET_CO_CHECK(co_await learn(link));
            }
        }
    }

    Loop& loop_;
    const PeerImportOptions options_;
    const std::shared_ptr<PeerCalls> calls_;
    const std::shared_ptr<ImportedOperations> operations_;
    std::string list_;
    std::vector<RemoteOperation> found_;
    std::size_t offered_ = 0;
    std::size_t held_back_ = 0;
    std::uint64_t asked_ = 0;  // `admit`, the last of which counts
    std::string problem_ = "not yet reached";
};

}  // namespace

std::unique_ptr<PeerImport> PeerImport::create(Loop& loop, PeerImportOptions options) {
    return std::make_unique<Import>(loop, std::move(options));
}

}  // namespace alknet::call
