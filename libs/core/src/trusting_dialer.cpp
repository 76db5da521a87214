#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/core/known_nodes_file.hpp>
#include <alknet/core/trusting_dialer.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/scope.hpp>
#include <array>
#include <optional>
#include <utility>
#include <vector>

namespace alknet {

namespace {

using Judgement = KnownNodes::Judgement;

/// How long a first contact waits for others that have not seen yet what is there.
constexpr Duration kOthersPatience = std::chrono::seconds(30);
constexpr Duration kOthersStep = std::chrono::milliseconds(50);
/// Once one rung has been answered, how long the others may take.
constexpr Duration kLookPatience = std::chrono::seconds(2);

/// What one rung showed.
struct Seen {
    Rung rung = Rung::quic_v4;
    KnownIdentity identity;
};

/// All rungs at a time, looked at by a stranger.
struct Survey {
    std::vector<Seen> seen;
    std::size_t running = 0;
    TimePoint first_seen{};
    WaitList changed;

    /// Two that differ; nullopt if all agree.
    [[nodiscard]] std::optional<std::pair<Seen, Seen>> difference() const {
        for (const Seen& one : seen) {
            if (one.identity != seen.front().identity) {
                return std::pair(seen.front(), one);
            }
        }
        return std::nullopt;
    }
};

/// Leaves `options` with this rung alone; false if it is not allowed.
bool restrict_to(Rung rung, DialOptions& options) {
    const bool v6 = rung == Rung::quic_v6 || rung == Rung::tcp_v6;
    options.quic = options.quic && is_quic(rung);
    options.tcp = options.tcp && (rung == Rung::tcp_v6 || rung == Rung::tcp_v4);
    options.proxy = options.proxy && rung == Rung::proxy;
    options.v6 = options.v6 && v6;
    options.v4 = options.v4 && !v6;
    return rung == Rung::proxy ? options.proxy
                               : (options.quic || options.tcp) && (options.v4 || options.v6);
}

/// Whether this failure can mean that somebody answered who is not as expected.
bool concerns_identity(const error& why) {
    return why.is(causes::kPeerKeyMismatch) || why.is(causes::kPeerUnverified) ||
           why.is(causes::kTlsOpened) || why.is(causes::kTls);
}

class TrustingDialer final : public Dialer {
public:
    TrustingDialer(Loop& loop, std::unique_ptr<Dialer> dialer, std::unique_ptr<Dialer> stranger,
                   TrustOptions options)
        : loop_(loop),
          dialer_(std::move(dialer)),
          stranger_(std::move(stranger)),
          options_(std::move(options)),
          file_(options_.file) {}

    task<result<std::shared_ptr<Connection>>> dial(NodeAddress address,
                                                   DialOptions options) override;
    task<result<Dialled>> dial_way(NodeAddress address, DialOptions options) override;
    task<result<bool>> knock(NodeAddress address, DialOptions options) override {
        return dialer_->knock(std::move(address), std::move(options));
    }
    void report(const Dialled& way, std::uint64_t bytes, Duration time) override {
        dialer_->report(way, bytes, time);
    }
    [[nodiscard]] bool demoted(const Dialled& way) const override { return dialer_->demoted(way); }
    void set_place(DialPlace place) override {
        DialPlace strange = place;
        strange.memory = nullptr;
        stranger_->set_place(std::move(strange));
        dialer_->set_place(std::move(place));
    }
    void set_tls(std::shared_ptr<const tls::TlsContext> tls) override {
        dialer_->set_tls(std::move(tls));
    }
    task<void> shutdown() override {
        co_await stranger_->shutdown();
        co_await dialer_->shutdown();
    }

private:
    struct Contact;

    task<result<Dialled>> dial_told(NodeAddress address, DialOptions options);
    task<result<std::optional<NodeId>>> successor(NodeAddress address, DialOptions options,
                                                  NodeId pinned);
    task<result<Dialled>> dial_renewed(NodeAddress address, DialOptions options, NodeId before,
                                       NodeId now);
    void note(const result<Dialled>& dialled) const;
    task<result<Dialled>> dial_known(NodeAddress address, DialOptions options, KnownNodes known);
    task<result<Dialled>> meet(NodeAddress address, DialOptions options);
    task<result<Dialled>> meet_held(Contact& contact);
    task<result<Dialled>> trust_on_first_use(Contact& contact, error unproven);
    task<result<void>> agree(Contact& contact, KnownIdentity identity, bool keep);
    task<result<Judgement>> judge(Contact& contact, KnownIdentity identity, bool keep);
    task<result<void>> end(Contact& contact, bool disputed);
    task<result<void>> look(NodeAddress address, DialOptions options, Survey& survey);
    task<void> look_at(NodeAddress address, DialOptions options, Rung rung, Survey& survey);

    Loop& loop_;
    std::unique_ptr<Dialer> dialer_;
    std::unique_ptr<Dialer> stranger_;
    TrustOptions options_;
    KnownNodesFile file_;
};

/// A first contact under way.
struct TrustingDialer::Contact {
    std::string name;
    NodeAddress address;
    DialOptions options;
    KnownNodesFile::Hold hold;
    std::optional<KnownIdentity> known;  // somebody else was first
};

std::unexpected<error> fail_disputed(const std::string& name) {
    return fail(causes::kPeerKeyMismatch,
                name +
                    ": two first contacts at a time saw different keys there, so that neither "
                    "is believed and nothing was remembered; ask its owner for the node id");
}

task<result<std::shared_ptr<Connection>>> TrustingDialer::dial(NodeAddress address,
                                                               DialOptions options) {
    ALKNET_CO_TRY(Dialled dialled, co_await dial_way(std::move(address), std::move(options)));
    co_return std::move(dialled.connection);
}

task<result<Dialled>> TrustingDialer::dial_way(NodeAddress address, DialOptions options) {
    if (address.id || options.verify || address.host.empty()) {
        co_return co_await dial_told(std::move(address), std::move(options));
    }
    if (options_.file.empty()) {
        auto dialled = co_await dialer_->dial_way(std::move(address), std::move(options));
        if (!dialled && dialled.error().is(causes::kPeerUnverified)) {
            const error why = std::move(dialled).error();
            co_return fail(why.cause(),
                           why.detail() + "; to trust it on first use needs a home: alknet init",
                           why.code());
        }
        co_return dialled;
    }
    ALKNET_CO_TRY(KnownNodes known, file_.load());
    if (known.find(known_name(address)) != nullptr) {
        co_return co_await dial_known(std::move(address), std::move(options), std::move(known));
    }
    co_return co_await meet(std::move(address), std::move(options));
}

/// Whoever is reached by a key that was demanded has it.
void TrustingDialer::note(const result<Dialled>& dialled) const {
    if (!options_.reached || !dialled) {
        return;
    }
    const PeerIdentity& peer = dialled->connection->info().peer;
    if (peer.kind == PeerIdentity::Kind::raw_key) {
        options_.reached(peer.key);
    }
}

/// nullopt too if nobody can be asked. Errors: kCancelled.
task<result<std::optional<NodeId>>> TrustingDialer::successor(NodeAddress address,
                                                              DialOptions options, NodeId pinned) {
    if (!options_.successor) {
        co_return std::nullopt;
    }
    auto found =
        co_await options_.successor(std::move(address), std::move(options), std::move(pinned));
    if (!found && !found.error().is(errc::cancelled)) {
        co_return std::nullopt;  // what was wrong with the known key says more
    }
    co_return found;
}

/// Who has to be reached is said by the caller.
task<result<Dialled>> TrustingDialer::dial_told(NodeAddress address, DialOptions options) {
    std::optional<NodeId> pinned = address.id;
    if (options.verify) {
        const auto* const pin = std::get_if<tls::VerifyPin>(&*options.verify);
        pinned = pin == nullptr ? std::nullopt : std::optional(pin->id);
    }
    auto dialled = co_await dialer_->dial_way(address, options);
    if (!pinned) {
        co_return dialled;
    }
    if (dialled || !dialled.error().is(causes::kPeerKeyMismatch)) {
        note(dialled);
        co_return dialled;
    }
    ALKNET_CO_TRY(const auto next, co_await successor(address, options, *pinned));
    if (!next) {
        co_return dialled;
    }
    address.id = *next;
    options.verify.reset();
    dialled = co_await dialer_->dial_way(std::move(address), std::move(options));
    note(dialled);
    co_return dialled;
}

/// A known name has another key from now on, once the node has proven it.
task<result<Dialled>> TrustingDialer::dial_renewed(NodeAddress address, DialOptions options,
                                                   NodeId before, NodeId now) {
    const std::string name = known_name(address);
    options.verify = tls::VerifyPin{now};
    ALKNET_CO_TRY(Dialled dialled,
                  co_await dialer_->dial_way(std::move(address), std::move(options)));
    const auto work = [&](KnownNodes& known) -> result<void> {
        known.renew(name, before, now);
        return {};
    };
    const auto kept = co_await file_.change(loop_, work);
    if (!kept) {
        dialled.connection->close(close_code::kOk, {});
        co_return unexpected(kept.error());
    }
    note(dialled);
    co_return dialled;
}

/// What a known name demands is demanded on every rung, and nothing else helps.
task<result<Dialled>> TrustingDialer::dial_known(NodeAddress address, DialOptions options,
                                                 KnownNodes known) {
    const std::string name = known_name(address);
    const KnownIdentity identity = known.find(name)->identity;
    DialOptions demanding = options;
    demanding.verify = identity.demand(address.host);
    auto dialled = co_await dialer_->dial_way(address, std::move(demanding));
    if (dialled || !concerns_identity(dialled.error())) {
        if (identity.kind == KnownIdentity::Kind::raw_key) {
            note(dialled);
        }
        co_return dialled;
    }
    const error why = std::move(dialled).error();
    if (identity.kind == KnownIdentity::Kind::raw_key && why.is(causes::kPeerKeyMismatch)) {
        const NodeId before(identity.value);
        ALKNET_CO_TRY(const auto next, co_await successor(address, options, before));
        if (next) {
            co_return co_await dial_renewed(std::move(address), std::move(options), before, *next);
        }
    }
    // A connection that has a way already, and looks for a better one, stays where it is.
    if (options.better_than) {
        co_return unexpected(why);
    }
    Survey survey;
    ALKNET_CO_CHECK(co_await look(std::move(address), std::move(options), survey));
    const bool same =
        !survey.seen.empty() && !survey.difference() && survey.seen.front().identity == identity;
    if (why.is(causes::kTls) && (survey.seen.empty() || same)) {
        co_return unexpected(why);  // broken, and not by another identity
    }
    const auto other = std::ranges::find_if(
        survey.seen, [&](const Seen& one) { return one.identity != identity; });
    const TrustBroken broken{
        .name = name,
        .known = identity,
        .file = options_.file,
        .line = known.line_of(name),
        .shown = other == survey.seen.end() ? why.detail() : other->identity.to_string(),
        .remove = options_.remove_command + " " + name};
    if (options_.broken) {
        options_.broken(broken);
    }
    co_return fail(why.is(causes::kTlsOpened) ? causes::kTlsOpened : causes::kPeerKeyMismatch,
                   name + " is known as " + identity.to_string() + " (" + broken.file.native() +
                       " line " + std::to_string(broken.line) + "), and now: " + broken.shown +
                       "; if the change is right: " + broken.remove,
                   why.code());
}

task<void> TrustingDialer::look_at(NodeAddress address, DialOptions options, Rung rung,
                                   Survey& survey) {
    options.verify = tls::VerifyNothing{};
    auto dialled = co_await stranger_->dial(std::move(address), std::move(options));
    if (dialled) {
        if (const auto identity = KnownIdentity::of((*dialled)->info().peer)) {
            if (survey.seen.empty()) {
                survey.first_seen = loop_.now();
            }
            survey.seen.push_back({.rung = rung, .identity = *identity});
        }
        (*dialled)->close(close_code::kOk, {});
    }
    --survey.running;
    survey.changed.wake_all();
}

/// Who answers, on every rung that `options` allow. Nothing is sent to them. Errors: kCancelled.
task<result<void>> TrustingDialer::look(NodeAddress address, DialOptions options, Survey& survey) {
    const TaskContext context = co_await current_context();
    TaskScope scope(loop_, context.cancel);
    for (const Rung rung : kRungs) {
        DialOptions one = options;
        if (restrict_to(rung, one)) {
            ++survey.running;
            scope.spawn(look_at(address, std::move(one), rung, survey), "core.look");
        }
    }
    Timer enough(loop_, [&survey] { survey.changed.wake_all(); });
    while (survey.running > 0) {
        const TimePoint end = survey.first_seen + kLookPatience;
        if (!survey.seen.empty() && loop_.now() >= end) {
            break;
        }
        if (!survey.seen.empty()) {
            enough.arm(end);
        }
        ALKNET_CO_CHECK(co_await survey.changed.wait());
        enough.disarm();
    }
    scope.cancel();
    (void)co_await scope.join();
    co_return result<void>{};
}

task<result<Dialled>> TrustingDialer::meet(NodeAddress address, DialOptions options) {
    Contact contact;
    contact.name = known_name(address);
    contact.address = std::move(address);
    contact.options = std::move(options);
    ALKNET_CO_TRY(contact.hold, file_.hold());
    const auto begin = [&contact](KnownNodes& known) -> result<void> {
        if (const auto* const entry = known.find(contact.name)) {
            contact.known = entry->identity;
            return {};
        }
        return known.begin(contact.name, contact.hold.nonce);
    };
    ALKNET_CO_CHECK(co_await file_.change(loop_, begin));
    if (contact.known) {  // since we looked
        co_return co_await dial_way(std::move(contact.address), std::move(contact.options));
    }
    auto dialled = co_await meet_held(contact);
    if (!dialled) {
        // Also when this is cancelled; and if it cannot be written, the next who writes does it.
        Cancel never;
        (void)co_await end(contact, false).under(never);
    }
    co_return dialled;
}

task<result<Dialled>> TrustingDialer::meet_held(Contact& contact) {
    DialOptions options = contact.options;
    options.verify = tls::VerifyCa{contact.address.host};
    auto dialled = co_await dialer_->dial_way(contact.address, std::move(options));
    if (!dialled) {
        if (!concerns_identity(dialled.error())) {
            co_return dialled;
        }
        error unproven = std::move(dialled).error();
        co_return co_await trust_on_first_use(contact, std::move(unproven));
    }
    const auto agreed = co_await agree(contact, KnownIdentity{}, true);
    if (!agreed) {
        dialled->connection->close(close_code::kOk, {});
        co_return unexpected(agreed.error());
    }
    co_return dialled;
}

task<result<Dialled>> TrustingDialer::trust_on_first_use(Contact& contact, error unproven) {
    Survey survey;
    ALKNET_CO_CHECK(co_await look(contact.address, contact.options, survey));
    if (survey.seen.empty()) {
        co_return unexpected(std::move(unproven));
    }
    if (const auto difference = survey.difference()) {
        const auto& [one, other] = *difference;
        ALKNET_CO_CHECK(co_await end(contact, true));
        co_return fail(causes::kPeerKeyMismatch,
                       contact.name + ": " + std::string(to_string(one.rung)) + " shows " +
                           one.identity.to_string() + " and " + std::string(to_string(other.rung)) +
                           " shows " + other.identity.to_string() +
                           ", so that neither is believed: something on the way may open TLS; "
                           "ask the owner of the node for its node id");
    }
    const KnownIdentity shown = survey.seen.front().identity;
    ALKNET_CO_CHECK(co_await agree(contact, shown, false));
    bool trusted = options_.trust_first_use;
    if (!trusted && options_.ask) {
        TrustQuestion question{.name = contact.name, .shown = shown, .unproven = unproven.detail()};
        ALKNET_CO_TRY(trusted, co_await options_.ask(std::move(question)));
    }
    if (!trusted) {
        co_return fail(causes::kPeerUnverified,
                       unproven.detail() + "; it shows " + shown.to_string(), unproven.code());
    }
    ALKNET_CO_CHECK(co_await agree(contact, shown, false));  // a question takes time
    DialOptions options = contact.options;
    options.verify = shown.demand(contact.address.host);
    ALKNET_CO_TRY(Dialled dialled, co_await dialer_->dial_way(contact.address, std::move(options)));
    const auto agreed = co_await agree(contact, shown, true);
    if (!agreed) {
        dialled.connection->close(close_code::kOk, {});
        co_return unexpected(agreed.error());
    }
    co_return dialled;
}

task<result<Judgement>> TrustingDialer::judge(Contact& contact, KnownIdentity identity, bool keep) {
    Judgement judgement = Judgement::disputed;
    const auto work = [&](KnownNodes& known) -> result<void> {
        judgement = known.saw(contact.hold.nonce, identity);
        return keep && judgement == Judgement::agreed ? known.keep(contact.hold.nonce)
                                                      : result<void>();
    };
    ALKNET_CO_CHECK(co_await file_.change(loop_, work));
    co_return judgement;
}

/// Until nobody is left who could have seen something else. With `keep`, the name is known then.
task<result<void>> TrustingDialer::agree(Contact& contact, KnownIdentity identity, bool keep) {
    const TimePoint deadline = loop_.now() + kOthersPatience;
    for (;;) {
        ALKNET_CO_TRY(const Judgement judgement, co_await judge(contact, identity, keep));
        if (judgement == Judgement::agreed) {
            co_return result<void>{};
        }
        if (judgement == Judgement::disputed) {
            co_return fail_disputed(contact.name);
        }
        if (loop_.now() >= deadline) {
            co_return fail(causes::kStoreBusy, "another first contact with " + contact.name +
                                                   " does not come to its end");
        }
        ALKNET_CO_CHECK(co_await loop_.sleep(kOthersStep));
    }
}

task<result<void>> TrustingDialer::end(Contact& contact, bool disputed) {
    const auto work = [&](KnownNodes& known) -> result<void> {
        if (disputed) {
            known.dispute(contact.hold.nonce);
        } else {
            known.end(contact.hold.nonce);
        }
        return {};
    };
    co_return co_await file_.change(loop_, work);
}

}  // namespace

std::unique_ptr<Dialer> make_trusting_dialer(Loop& loop, std::unique_ptr<Dialer> dialer,
                                             std::unique_ptr<Dialer> stranger,
                                             TrustOptions options) {
    return std::make_unique<TrustingDialer>(loop, std::move(dialer), std::move(stranger),
                                            std::move(options));
}

}  // namespace alknet
