// alknet peer join: the side that was invited.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_invitation.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/identity/join.hpp>
#include <alknet/identity/names.hpp>
#include <alknet/identity/state.hpp>
#include <array>
#include <cerrno>

#include "client.hpp"
#include "commands.hpp"
#include "control_client.hpp"
#include "inputs.hpp"
#include "introduce.hpp"
#include "joining.hpp"
#include "output.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

using identity::Invitation;
using identity::PeerRecord;

struct Introduction {
    const CommandLine& line;
    const JoinOptions& options;
    config::Home home;
    config::Config config;
    Invitation invitation;
    NodeId self;
    std::string self_name;
    PeerRecord inviter{};  // as it will be, or is, in this home
    bool inviter_known = false;
    identity::Joined joined{};
};

// The first line, or as much of it as is needed to see that it is too long.
result<std::string> read_line() {
    std::string text;
    while (text.size() <= identity::kInvitationTextMax && text.find('\n') == std::string::npos) {
        std::array<char, 512> piece{};
        const ssize_t size = ::read(STDIN_FILENO, piece.data(), piece.size());
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0) {
            return os_fail("read", errno, "standard input");
        }
        if (size == 0) {
            break;
        }
        text.append(piece.data(), static_cast<std::size_t>(size));
    }
    return text.substr(0, text.find('\n'));
}

// The inviting node as a peer of this home, checked with all the others; or as it is known already.
result<void> prepare(Introduction& introduction, const identity::PeerList& stored) {
    const Invitation& invitation = introduction.invitation;
    const std::string fingerprint = invitation.node.fingerprint();
    ALKNET_TRY(const auto peers, all_peers(introduction.home, introduction.config.dynamic, stored));
    if (const PeerRecord* known = peers->find_fingerprint(fingerprint)) {
        introduction.inviter = *known;
        introduction.inviter_known = true;
        return {};
    }
    PeerRecord& peer = introduction.inviter;
    peer.id = identity::make_peer_id();
    peer.name = introduction.options.name.empty() ? invitation.name : introduction.options.name;
    ALKNET_CHECK(identity::check_name(peer.name));
    const std::string place = named_by(introduction.config, peer.name);
    if (introduction.options.name.empty() && !place.empty()) {
        return fail(causes::kUsage, "the other node calls itself " + peer.name + ", and " + place +
                                        " of alknet.toml is about a peer of that name; say what "
                                        "to call it: --name NAME");
    }
    peer.fingerprints = {fingerprint};
    if (peer.address.empty()) {
        peer.address = invitation.addresses.front();
    }
    identity::PeerList then = stored;
    then.peers.push_back(peer);
    const auto fits = accepted_peers(introduction.home, introduction.config.dynamic, then);
    if (!fits && !fits.error().is(causes::kPeerExists)) {
        return unexpected(fits.error());
    }
    if (!fits) {
        return fail(fits.error().cause(),
                    fits.error().detail() + "; say what to call the other node: --name NAME");
    }
    return check_with_undone(introduction.home, then);
}

task<result<std::shared_ptr<Connection>>> dial(Client& client, Introduction& introduction) {
    error last(causes::kUnreachable);
    for (const std::string& text : introduction.invitation.addresses) {
        ALKNET_CO_TRY(NodeAddress address, NodeAddress::parse(text));
        address.id = introduction.invitation.node;
        DialOptions options;
        options.alpns = {std::string(identity::kJoinAlpn)};
        options.transport.handshake_timeout = introduction.options.timeout;
        auto connection = co_await client.dialer().dial(address, std::move(options));
        if (connection) {
            introduction.inviter.address =
                introduction.inviter_known ? introduction.inviter.address : text;
            co_return connection;
        }
        if (connection.error().is(errc::cancelled)) {
            co_return connection;
        }
        last = std::move(connection).error();
    }
    if (last.is(errc::unavailable) || last.is(errc::timeout)) {
        const std::string where = fmt::format(
            "the inviting node must run (alknet serve) and be reached at {}; the invitation is "
            "not spent",
            fmt::join(introduction.invitation.addresses, " or "));
        co_return unexpected(std::move(last).within(where));
    }
    co_return unexpected(std::move(last));
}

result<void> show_digits(const CommandLine& line, const std::string& code) {
    if (line.json) {
        return print_line(Json::object({{"digits", code}}).text());
    }
    return print_line(fmt::format("tell whoever invited you these digits, and wait: {} {}",
                                  code.substr(0, 3), code.substr(3)));
}

task<result<void>> join(Client& client, Introduction& introduction) {
    ALKNET_CO_TRY(auto connection, co_await dial(client, introduction));
    identity::Joiner joiner;
    joiner.id = introduction.self;
    joiner.name = introduction.self_name;
    joiner.compare = [&line = introduction.line](const std::string& code) {
        return show_digits(line, code);
    };
    joiner.answer_timeout = introduction.options.timeout + joiner.answer_timeout;
    ALKNET_CO_TRY(introduction.joined,
                  co_await identity::spend_invitation(connection, introduction.invitation, joiner));
    connection->close(close_code::kOk, "");
    co_return result<void>();
}

// A running node does it, and follows it at once; else it is done on the files.
result<void> keep_inviter(Introduction& introduction) {
    const PeerRecord& inviter = introduction.inviter;
    if (introduction.inviter_known) {
        return {};
    }
    const std::string key = introduction.invitation.node.fingerprint();
    const PeerAddInput input{.name = {.value = inviter.name},
                             .keys = words_of({key}),
                             .address = given(inviter.address)};
    const auto kept = at_own_node(introduction.line, "peers/add", call::to_json(input));
    if (!kept) {
        return unexpected(error(kept.error())
                              .within(fmt::format("the other node knows this one now, and is not "
                                                  "known here; add it: alknet peer add {} --key "
                                                  "{} --address {}",
                                                  inviter.name, key, inviter.address)));
    }
    return {};
}

result<void> report(const Introduction& introduction) {
    const identity::Joined& joined = introduction.joined;
    const PeerRecord& inviter = introduction.inviter;
    if (introduction.line.json) {
        return print_line(
            Json::object({{"peer", inviter.name},
                          {"key", introduction.invitation.node.fingerprint()},
                          {"address", inviter.address.empty() ? Json() : Json(inviter.address)},
                          {"known_there_as", joined.name.empty() ? Json() : Json(joined.name)},
                          {"scopes", Json::list(joined.scopes)},
                          {"known_before", joined.known_before}})
                .text());
    }
    if (joined.known_before) {
        return print_line(
            fmt::format("{} knew this node already; nothing has changed there, and "
                        "the invitation is still good",
                        inviter.name));
    }
    return print_line(fmt::format(
        "joined {}, which knows this node as {} and lets it do: {}", inviter.name, joined.name,
        joined.scopes.empty() ? std::string("nothing that needs a scope")
                              : fmt::format("{}", fmt::join(joined.scopes, ", "))));
}

error explain(error failure, const Invitation& invitation) {
    const auto now = std::chrono::floor<std::chrono::seconds>(SystemClock().wall_now());
    if (failure.is(causes::kInvitationRefused) &&
        now.time_since_epoch().count() >= invitation.expires) {
        return std::move(failure).within("by the clock here it has ended");
    }
    return explain_close(std::move(failure));
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const JoinOptions& options) {
    std::string text = options.line;
    if (text == "-") {
        ALKNET_TRY(text, read_line());
    }
    ALKNET_TRY(Invitation invitation, identity::parse_invitation(text));
    ALKNET_TRY(auto home, open_home(line));
    ALKNET_TRY(auto config, home.load_config());
    ALKNET_TRY(const auto key, home.load_key(config.fixed));
    if (key->id() == invitation.node) {
        return fail(causes::kUsage, "this home has made the invitation itself");
    }
    ALKNET_TRY(std::string self_name, own_name(options.as, key->id()));
    Introduction introduction{.line = line,
                              .options = options,
                              .home = std::move(home),
                              .config = std::move(config),
                              .invitation = std::move(invitation),
                              .self = key->id(),
                              .self_name = std::move(self_name)};
    // Before anything is spent: what is needed afterwards must be possible.
    ALKNET_TRY(const auto stored, stored_peers(introduction.home));
    ALKNET_CHECK(prepare(introduction, stored));
    ALKNET_TRY(auto client, Client::create(line));
    if (auto outcome = client->run(join(*client, introduction)); !outcome) {
        return unexpected(explain(std::move(outcome).error(), introduction.invitation));
    }
    ALKNET_CHECK(keep_inviter(introduction));
    ALKNET_CHECK(report(introduction));
    return ExitCode::ok;
}

}  // namespace alknet::app
