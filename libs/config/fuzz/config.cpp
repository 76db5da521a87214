// Any octets: parse ends without a crash, and what it accepts is within the limits that the rest of
// the program relies on.
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/config/config.hpp>
#include <alknet/config/settings.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace alknet;
    const config::Parsed parsed =
        config::parse(as_text(view_octets(data, size)), {.file = "fuzz", .base = "/"});
    ALKNET_ASSERT(parsed.problems.size() <= config::kProblemsMax);
    for (const config::Problem& problem : parsed.problems) {
        ALKNET_ASSERT(!problem.reason.empty() && problem.text().starts_with("fuzz"));
    }
    ALKNET_ASSERT(as_error(parsed.problems).is(errc::invalid));
    if (parsed.problems.empty()) {
        const config::DynamicConfig& config = parsed.config.dynamic;
        ALKNET_ASSERT(!config.listeners.empty());
        ALKNET_ASSERT(config.limits.streams_max > 0);
        for (const config::Listener& listener : config.listeners) {
            ALKNET_ASSERT(!listener.addresses.empty() && (listener.quic || listener.tcp));
        }
        for (const config::Peer& peer : config.peers) {
            ALKNET_ASSERT(!peer.name.empty());
            ALKNET_ASSERT(!peer.node_id() || !peer.keys.empty());
        }
        const identity::PeerList records = peer_list(config, "fuzz");
        ALKNET_ASSERT(records.peers.size() == config.peers.size());
        ALKNET_ASSERT(records.roles.size() == config.roles.size());
        const auto shown = config::settings(parsed.config, as_text(view_octets(data, size)));
        ALKNET_ASSERT(config::differences(shown, shown).empty());
        const auto nothing = config::settings(config::parse("", {}).config, "");
        for (const config::Difference& one : config::differences(nothing, shown)) {
            ALKNET_ASSERT(!one.text().empty());
        }
    }
    return 0;
}
