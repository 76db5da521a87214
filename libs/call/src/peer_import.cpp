#include <fmt/format.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_call.hpp>
#include <alknet/call/client.hpp>
#include <alknet/call/peer_import.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/wait.hpp>
#include <map>
#include <set>
#include <utility>

#include "peer_link.hpp"

namespace alknet::call {

namespace {

/// So many names stand in one line of the log.
constexpr std::size_t kNamesLoggedMax = 8;

/// By their names there.
using Digests = std::map<std::string, std::string>;

std::string names_text(const Digests& operations) {
    std::string text;
    std::size_t named = 0;
    for (const auto& [name, digest] : operations) {
        if (named == kNamesLoggedMax) {
            text += fmt::format(", and {} more", operations.size() - named);
            break;
        }
        text.append(named++ == 0 ? "/" : ", /").append(name);
    }
    return text;
}

/// What the peers of one import have in common.
struct Shared {
    const PeerImportOptions options;
    std::shared_ptr<PeerRoutes> routes{};
    std::shared_ptr<ImportedOperations> operations{};
};

/// One peer of an import.
class Session {
public:
    Session(Loop& loop, Shared& shared, std::size_t number, std::shared_ptr<PeerCalls> calls)
        : loop_(loop), shared_(shared), number_(number), calls_(std::move(calls)) {}

    task<result<void>> run() {
        const TaskContext context = co_await current_context();
        Duration pause = PeerImport::kAgainFirst;
        for (;;) {
            const TimePoint begun = loop_.now();
            const auto ended = co_await session();
            // The peer can say too that something was cancelled.
            if (context.cancel != nullptr && context.cancel->requested()) {
                co_return fail(causes::kCancelled);
            }
            if (loop_.now() - begun >= PeerImport::kAgainLongest) {
                pause = PeerImport::kAgainFirst;
            }
            away(ended.error().message());
            ALKNET_CO_CHECK(co_await wait(pause));
            pause = std::min(pause * 2, PeerImport::kAgainLongest);
        }
    }

    task<void> recheck() {
        const std::shared_ptr<PeerLink> link = calls_->link();
        if (link == nullptr) {
            calls_->missed().set();  // the way there may be another one now
            co_return;
        }
        if (!shared_.options.still(peer(), link->connection())) {
            link->connection().close(close_code::kForbidden, {});
            co_return;
        }
        (void)co_await admit(false);
    }

    [[nodiscard]] PeerImportStatus status() const {
        const std::shared_ptr<PeerLink> link = calls_->link();
        const bool connected = link != nullptr && !link->ended();
        return {.prefix = shared_.options.prefix,
                .peer = peer(),
                .connected = connected,
                .offered = offered_,
                .held_back = held_back_,
                .problem = connected ? not_offered_ : problem_};
    }

private:
    [[nodiscard]] const std::string& peer() const noexcept { return calls_->peer(); }

    // Said once, however often it is tried.
    void away(std::string problem) {
        if (problem != problem_) {
            shared_.options.log.warn(
                "call.import_away",
                {{"prefix", shared_.options.prefix}, {"peer", peer()}, {"reason", problem}});
        }
        problem_ = std::move(problem);
    }

    // Whoever calls meanwhile may end it, once the first pause is over.
    task<result<void>> wait(Duration pause) {
        calls_->missed().clear();
        ALKNET_CO_CHECK(co_await loop_.sleep(PeerImport::kAgainFirst));
        if (pause == PeerImport::kAgainFirst) {
            co_return result<void>();
        }
        const auto woken =
            co_await with_timeout(pause - PeerImport::kAgainFirst, calls_->missed().wait());
        co_return woken || woken.error().is(errc::timeout) ? result<void>() : woken;
    }

    task<result<void>> session() {
        ALKNET_CO_TRY(const auto connection, co_await shared_.options.dial(peer()));
        const auto link = std::make_shared<PeerLink>(loop_, connection);
        auto outcome = co_await learn(*link, true);
        if (outcome) {
            outcome = still_known(*link);  // nobody rechecked this link while the peer spoke
        }
        if (outcome) {
            calls_->set_link(link);
            problem_ = "the connection has ended";
            outcome = co_await keep(*link);
            calls_->set_link(nullptr);
        }
        Cancel patient;
        co_await link->close().under(patient);
        co_return outcome;
    }

    // `first` of this link. The whole of it each time: a program behind the peer may have changed a
    // schema, of which the list says nothing.
    task<result<void>> learn(PeerLink& link, bool first) {
        ALKNET_CO_TRY(std::string list, co_await listed(link));
        Discovery discovery{.timeout = PeerImport::kDiscoveryTimeout};
        discovery.wanted = [&options = shared_.options](const RemoteOperation& one) {
            return one.hops <= options.hops_max && options.wanted(one.name);
        };
        auto found = co_await discover(link.client(), std::move(discovery));
        if (!found) {
            co_return unexpected(std::move(found).error().within("what it offers"));
        }
        // Who this node is was looked up when it connected: later it may be somebody.
        if (found->empty()) {
            co_return fail(causes::kImportRefused, peer() + ": it offers nothing to this node");
        }
        ALKNET_CO_CHECK(still_known(link));
        const bool news = list != std::exchange(list_, list);
        found_ = *std::move(found);
        co_return co_await admit(first || news);
    }

    result<void> still_known(PeerLink& link) const {
        return shared_.options.still(peer(), link.connection())
                   ? result<void>()
                   : fail(causes::kImportRefused, peer() + ": it is not this peer any more");
    }

    static task<result<std::string>> listed(PeerLink& link) {
        ALKNET_CO_TRY(const Json list,
                      co_await ask_for_list(link.client(), PeerImport::kDiscoveryTimeout));
        co_return list.text();
    }

    void refuse(const std::string& name, const std::string& why) {
        shared_.options.log.warn(
            "call.import_refused",
            {{"prefix", shared_.options.prefix}, {"operation", name}, {"reason", why}});
        if (refused_++ == 0) {
            not_offered_ = "/" + name + " is not offered: " + why;
        }
    }

    /// Of what was admitted, the names here of what is offered.
    task<std::set<std::string>> offer(std::vector<RemoteOperation> admitted) {
        const std::string& prefix = shared_.options.prefix;
        std::set<std::string> names;
        for (const RemoteOperation& one : admitted) {
            names.insert(imported_name(prefix, one.name));
        }
        refused_ = 0;
        not_offered_.clear();
        const std::vector<std::string> different =
            shared_.routes->offer(number_, std::move(admitted));
        for (const std::string& name : different) {
            refuse(name, "it is not what another peer of this import offers");
            names.erase(imported_name(prefix, name));
        }
        const auto refused = co_await shared_.operations->offer(shared_.routes->all());
        for (const auto& one : refused) {
            if (names.erase(imported_name(prefix, one.name)) > 0) {
                refuse(one.name, one.why);
            }
        }
        if (refused_ > 1) {
            not_offered_ += fmt::format(", and {} more", refused_ - 1);
        }
        co_return names;
    }

    // What waits is said once, until it is something else that waits.
    void follow_waiting(const std::vector<RemoteOperation>& admitted) {
        std::set<std::string> in_force;
        for (const RemoteOperation& one : admitted) {
            in_force.insert(one.name);
        }
        Digests waiting;
        for (const RemoteOperation& one : found_) {
            if (!in_force.contains(one.name)) {
                waiting.emplace(one.name, one.digest());
            }
        }
        Digests accepted = std::exchange(waiting_, waiting);
        std::erase_if(waiting, [&](const auto& one) {
            const auto before = accepted.find(one.first);
            return before != accepted.end() && before->second == one.second;
        });
        std::erase_if(accepted, [&](const auto& one) { return !in_force.contains(one.first); });
        const Log& log = shared_.options.log;
        const std::string& prefix = shared_.options.prefix;
        if (!waiting.empty()) {
            log.warn("call.import_waits", {{"prefix", prefix},
                                           {"peer", peer()},
                                           {"waiting", waiting_.size()},
                                           {"operations", names_text(waiting)},
                                           {"next", shared_.options.next_step}});
        }
        if (!accepted.empty()) {
            log.info("call.import_accepted", {{"prefix", prefix},
                                              {"peer", peer()},
                                              {"waiting", waiting_.size()},
                                              {"operations", names_text(accepted)}});
        }
    }

    /// `always`: what comes of it is logged, even if it is nothing new.
    task<result<void>> admit(bool always) {
        const std::uint64_t mine = ++asked_;
        auto admitted = co_await shared_.options.admit(peer(), found_);
        if (!admitted) {
            co_return unexpected(std::move(admitted).error());
        }
        if (mine != asked_) {
            co_return result<void>();
        }
        const std::size_t held_back = found_.size() - admitted->size();
        follow_waiting(*admitted);
        auto offered = co_await offer(*std::move(admitted));
        if (always || offered != offered_ || held_back != held_back_) {
            shared_.options.log.info("call.imported", {{"prefix", shared_.options.prefix},
                                                       {"peer", peer()},
                                                       {"operations", offered.size()},
                                                       {"held_back", held_back}});
        }
        offered_ = std::move(offered);
        held_back_ = held_back;
        co_return result<void>();
    }

    // Until the connection ends, or the peer does not answer.
    task<result<void>> keep(PeerLink& link) {
        for (;;) {
            const auto ended =
                co_await with_timeout(PeerImport::kLookAgain, link.connection().wait_closed());
            if (ended || !ended.error().is(causes::kTimeout)) {
                co_return link.reason(ended);
            }
            ALKNET_CO_CHECK(co_await learn(link, false));
        }
    }

    Loop& loop_;
    Shared& shared_;
    const std::size_t number_;
    const std::shared_ptr<PeerCalls> calls_;
    std::string list_;
    std::vector<RemoteOperation> found_;
    std::set<std::string> offered_;
    std::size_t held_back_ = 0;
    Digests waiting_;  // of what is held back, also while the peer is away
    std::size_t refused_ = 0;
    std::uint64_t asked_ = 0;  // `admit`, the last of which counts
    std::string problem_ = "not yet reached";
    std::string not_offered_;
};

ImportOptions import_options(const PeerImportOptions& options, std::shared_ptr<RemoteCalls> calls) {
    return {.prefix = options.prefix,
            .scope = [scope = options.scope, prefix = options.prefix](
                         std::string_view remote) { return scope(imported_name(prefix, remote)); },
            .calls = std::move(calls),
            .hops = 1};
}

class Import final : public PeerImport {
public:
    Import(Loop& loop, PeerImportOptions options)
        : loop_(loop), shared_{.options = std::move(options)} {
        std::vector<std::shared_ptr<PeerCalls>> peers;
        for (const std::string& peer : shared_.options.peers) {
            peers.push_back(std::make_shared<PeerCalls>(loop, peer));
            sessions_.push_back(
                std::make_unique<Session>(loop, shared_, sessions_.size(), peers.back()));
        }
        shared_.routes = std::make_shared<PeerRoutes>(std::move(peers));
        shared_.operations =
            std::make_shared<ImportedOperations>(import_options(shared_.options, shared_.routes));
    }

    [[nodiscard]] std::shared_ptr<const OperationSource> operations() const override {
        return shared_.operations;
    }
    task<result<void>> run() override {
        const TaskContext context = co_await current_context();
        TaskScope scope(loop_, context.cancel);
        for (const auto& one : sessions_) {
            scope.spawn(one->run(), "call.import_peer");
        }
        ALKNET_CO_CHECK(co_await scope.join());
        co_return fail(causes::kCancelled);
    }
    task<void> recheck() override {
        for (const auto& one : sessions_) {
            co_await one->recheck();
        }
    }
    [[nodiscard]] std::vector<PeerImportStatus> status() const override {
        std::vector<PeerImportStatus> all;
        for (const auto& one : sessions_) {
            all.push_back(one->status());
        }
        return all;
    }

private:
    Loop& loop_;
    Shared shared_;
    std::vector<std::unique_ptr<Session>> sessions_;
};

}  // namespace

std::unique_ptr<PeerImport> PeerImport::create(Loop& loop, PeerImportOptions options) {
    return std::make_unique<Import>(loop, std::move(options));
}

}  // namespace alknet::call
