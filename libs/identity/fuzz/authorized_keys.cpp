// Any octets as an authorized_keys file: the peers that come out can stand in one directory, each
// key once, each line counted once, and a key that some line restricts never gets in.
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/identity/authorized_keys.hpp>
#include <alknet/identity/names.hpp>
#include <set>

namespace {

using namespace alknet;
using namespace alknet::identity;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const AuthorizedKeys keys = parse_authorized_keys(as_text(view_octets(data, size)));
    std::set<NodeId> seen;
    std::set<std::size_t> lines;
    for (const AuthorizedKey& one : keys.keys) {
        ALKNET_ASSERT(seen.insert(one.key).second && lines.insert(one.line).second);
        ALKNET_ASSERT(check_name(one.name));
    }
    for (const RefusedLine& one : keys.refused) {
        ALKNET_ASSERT(!one.reason.empty() && lines.insert(one.line).second);
    }
    PeerList list;
    PeerRecord bob;
    bob.id = "bob";
    bob.name = "bob";
    bob.fingerprints = {"SHA256:F0YtA4EZe6p9T0vW92Y8PsMvPsFJQ6lC4EhL6AGyLls"};
    list.peers.push_back(std::move(bob));
    const auto refused = add_authorized(list, keys, {.file = "keys", .grants = {}});
    ALKNET_ASSERT(list.peers.size() - 1 + refused.size() == lines.size());
    ALKNET_ASSERT(PeerDirectory::create(std::move(list)));
    return 0;
}
