// alknet token sign: a proof of a key, for one node, one purpose and one session.
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/utf8.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/identity/signed_token.hpp>
#include <array>

#include "commands.hpp"
#include "output.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

result<std::shared_ptr<const NodeKey>> signing_key(const CommandLine& line) {
    if (!line.identity.empty()) {
        auto key = NodeKey::load(line.identity);
        if (!key && key.error().is(causes::kConfigMissing)) {
            return fail(causes::kKeyInvalid, "there is no file " + line.identity.native());
        }
        return key;
    }
    ALKNET_TRY(const auto home, open_home(line));
    ALKNET_TRY(const auto config, home.load_config());
    return home.load_key(config.fixed);
}

result<NodeId> key_of_peer(const CommandLine& line, const std::string& name) {
    ALKNET_TRY(const auto home, open_home(line));
    ALKNET_TRY(const auto config, home.load_config());
    ALKNET_TRY(const auto stored, stored_peers(home));
    ALKNET_TRY(const auto peers, all_peers(home, config.dynamic, stored));
    const identity::PeerRecord* peer = peers->find_name(name);
    if (peer == nullptr) {
        return fail(causes::kUnknownPeer, printable(name));
    }
    for (const std::string& fingerprint : peer->fingerprints) {
        if (const auto key = identity::key_of_fingerprint(fingerprint)) {
            return *key;
        }
    }
    return fail(causes::kUnknownPeer, "of peer '" + name + "' no node id is known");
}

result<NodeId> audience(const CommandLine& line, const std::string& text) {
    if (const auto id = NodeId::parse(text)) {
        return *id;
    }
    if (const auto address = NodeAddress::parse(text); address && address->id) {
        return *address->id;
    }
    return key_of_peer(line, text);
}

// Two runs within one second most likely make two tokens.
std::uint8_t draw_counter() {
    std::array<std::byte, 1> octet{};
    crypto::fill_random(octet);
    return std::to_integer<std::uint8_t>(octet.front());
}

result<identity::SignedToken> make(const CommandLine& line, const TokenSignOptions& options) {
    const WallTime now = SystemClock().wall_now();
    if (options.v1) {
        if (!options.audience.empty() || !options.purpose.empty()) {
            return fail(causes::kUsage,
                        "a token of the older form is for any node and purpose: --v1 takes neither "
                        "--for nor --purpose");
        }
        ALKNET_TRY(const auto key, signing_key(line));
        return identity::sign_token_v1(*key, now);
    }
    if (options.audience.empty() || options.purpose.empty()) {
        return fail(causes::kUsage, "token sign needs --for NODE and --purpose PURPOSE");
    }
    ALKNET_TRY(const auto key, signing_key(line));
    ALKNET_TRY(const NodeId node, audience(line, options.audience));
    return identity::sign_token(
        *key,
        {.audience = node, .purpose = options.purpose, .now = now, .counter = draw_counter()});
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const TokenSignOptions& options) {
    ALKNET_TRY(const identity::SignedToken token, make(line, options));
    const std::string text = token.encode();
    ALKNET_CHECK(line.json ? print_line(Json::object({{"token", text}}).text()) : print_line(text));
    return ExitCode::ok;
}

}  // namespace alknet::app
