// Any octets as an invitation's line, as what stands behind a good checksum, and as frames of
// alknet/join: what is accepted is written back the same.
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_invitation.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/identity/invitation.hpp>
#include <alknet/identity/join_frames.hpp>

namespace {

using namespace alknet;
using namespace alknet::identity;

void check_line(std::string_view text) {
    const auto parsed = parse_invitation(text);
    if (!parsed) {
        ALKNET_ASSERT(parsed.error().is(causes::kInvitationInvalid));
        return;
    }
    const std::string written = encode_invitation(*parsed);
    ALKNET_ASSERT(written.size() <= kInvitationTextMax);
    const auto again = parse_invitation(written);
    ALKNET_ASSERT(again && *again == *parsed);
    const auto code = join_code(parsed->node, parsed->node, invitation_hash(parsed->secret));
    ALKNET_ASSERT(code.size() == 6);
}

// The checksum is put right, so that what is behind it is reached.
void check_body(BytesView body) {
    Bytes summed = to_bytes(as_bytes(kInvitationPrefix));
    summed.insert(summed.end(), body.begin(), body.end());
    const auto sum = crypto::sha256(summed);
    Bytes whole = to_bytes(body);
    whole.insert(whole.end(), sum.begin(), sum.begin() + 4);
    check_line(std::string(kInvitationPrefix) + base32_encode(whole));
}

void check_frames(BytesView bytes) {
    for (;;) {
        const auto frame = decode_join(bytes);
        if (!frame) {
            ALKNET_ASSERT(frame.error().is(causes::kProtocol));
            return;
        }
        if (!*frame) {
            ALKNET_ASSERT(bytes.size() < kJoinHeaderBytes + kJoinBodyBytesMax);
            return;
        }
        const Bytes written = encode_join((*frame)->message);
        ALKNET_ASSERT(written == to_bytes(bytes.first((*frame)->size)));
        bytes = bytes.subspan((*frame)->size);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView bytes = view_octets(data, size);
    check_line(as_text(bytes));
    check_body(bytes);
    check_frames(bytes);
    if (const auto scope = Scope::parse(as_text(bytes)); scope && needs_confirmation(*scope)) {
        ALKNET_ASSERT(!scope->service.empty());
    }
    return 0;
}
