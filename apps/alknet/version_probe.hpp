// Asks a server which QUIC versions it speaks, by offering one that nobody does: it answers with a
// Version Negotiation packet (RFC 8999 section 6). Sans-I/O, and the exchange itself.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/net/network.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace alknet::app {

/// Both connection ids of the question; the answer shows them the other way round.
struct ProbeIds {
    std::array<std::byte, 8> destination{};
    std::array<std::byte, 8> source{};
};

/// 1200 octets: servers ignore less.
[[nodiscard]] Bytes version_probe_packet(const ProbeIds& ids);

/// The versions of the answer, without those that only keep clients flexible (RFC 9000 section 15).
/// nullopt for anything else than an answer to this question.
[[nodiscard]] std::optional<std::vector<std::uint32_t>> parse_version_answer(BytesView datagram,
                                                                             const ProbeIds& ids);

/// "v1", "v2", "draft-29", "0x1234abcd".
[[nodiscard]] std::string version_name(std::uint32_t version);

/// Asks again each `timeout` / 3. Errors: kHandshakeTimeout without an answer, kUnreachable, kIo,
/// kCancelled.
task<result<std::vector<std::uint32_t>>> probe_versions(Loop& loop, net::Network& network,
                                                        SocketAddress remote, Duration timeout);

}  // namespace alknet::app
