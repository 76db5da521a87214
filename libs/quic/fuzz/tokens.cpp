// Connection ids and address tokens as strangers write them. The first octets choose the version,
// the time and how the rest is cut into a destination id and a token.
#include <sodium.h>

#include <algorithm>
#include <alknet/base/assert.hpp>
#include <string>

#include "address_token.hpp"
#include "connection_id.hpp"
#include "routing_table.hpp"

namespace {

using namespace alknet;
using quic::AddressTokens;

constexpr WallTime kNow{std::chrono::seconds(1'767'225'600)};

/// What is made here is proven here, and nowhere else.
void check_own(const AddressTokens& tokens, ngtcp2_pkt_hd header, const SocketAddress& client) {
    const SocketAddress other = SocketAddress::v4({192, 0, 2, 9}, 1);
    const Bytes fresh = tokens.make_new_token(client, kNow);
    header.token = octets(BytesView(fresh));
    header.tokenlen = fresh.size();
    ALKNET_ASSERT(tokens.check(header, client, kNow).verdict == AddressTokens::Verdict::proven);
    ALKNET_ASSERT(tokens.check(header, other, kNow).verdict == AddressTokens::Verdict::none);

    const ngtcp2_cid original = header.dcid;
    const ngtcp2_cid given = quic::draw_connection_id({});
    const Bytes retry = tokens.make_retry(header, given, client, kNow);
    header.dcid = given;
    header.token = octets(BytesView(retry));
    header.tokenlen = retry.size();
    const auto checked = tokens.check(header, client, kNow);
    ALKNET_ASSERT(checked.verdict == AddressTokens::Verdict::proven);
    ALKNET_ASSERT(ngtcp2_cid_eq(&checked.original_dcid, &original) != 0);
    ALKNET_ASSERT(tokens.check(header, other, kNow).verdict == AddressTokens::Verdict::invalid);
}

void check_routes(BytesView id) {
    quic::RoutingTable<int> table;
    int target = 0;
    const bool usable = !id.empty() && id.size() <= NGTCP2_MAX_CIDLEN;
    ALKNET_ASSERT(table.add(id, target) == usable);
    ALKNET_ASSERT(!table.add(id, target));
    ALKNET_ASSERT((table.find(id) == &target) == usable);
    table.remove(id);
    ALKNET_ASSERT(table.find(id) == nullptr && table.ids() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (sodium_init() < 0 || size < 3) {
        return 0;
    }
    const std::string secret(32, 's');
    const AddressTokens tokens(as_bytes(secret));
    const auto rest = view_octets(data, size).subspan(3);
    const std::size_t id_size = std::min<std::size_t>(data[1], rest.size());
    check_routes(rest.first(id_size));

    ngtcp2_pkt_hd header{};
    header.version = (data[0] & 1) != 0 ? NGTCP2_PROTO_VER_V2 : NGTCP2_PROTO_VER_V1;
    ngtcp2_cid_init(&header.dcid, octets(rest), std::min<std::size_t>(id_size, NGTCP2_MAX_CIDLEN));
    const BytesView token = rest.subspan(id_size);
    header.token = octets(token);
    header.tokenlen = token.size();
    const SocketAddress client = (data[0] & 2) != 0 ? SocketAddress::v6({0x20, 1, 0xd, 0xb8}, 7)
                                                    : SocketAddress::v4({192, 0, 2, 1}, 1000);
    const auto checked = tokens.check(header, client, kNow + std::chrono::seconds(data[2]));
    ALKNET_ASSERT(!token.empty() || checked.verdict == AddressTokens::Verdict::none);
    if ((data[0] & 4) != 0) {
        check_own(tokens, header, client);
    }
    return 0;
}
