#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_invitation.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/core/node_address.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/identity/invitation.hpp>
#include <alknet/identity/names.hpp>
#include <limits>

namespace alknet::identity {

namespace {

constexpr std::string_view kFamily = "alkjoin";  // of all versions
constexpr std::size_t kChecksumBytes = 4;
constexpr std::uint8_t kFlagConfirm = 1;
constexpr std::string_view kHashContext = "alknet-invitation-v1";
constexpr std::string_view kCodeContext = "alknet-join-code-v1";
constexpr std::uint64_t kCodes = 1'000'000;
constexpr std::size_t kCodeDigits = 6;

std::unexpected<error> invalid(const char* why) {
    return fail(causes::kInvitationInvalid, why);
}

std::array<std::byte, 32> digest(std::string_view context, std::initializer_list<BytesView> parts) {
    Bytes all = to_bytes(as_bytes(context));
    for (const BytesView part : parts) {
        all.insert(all.end(), part.begin(), part.end());
    }
    return crypto::sha256(all);
}

bool is_blank(char c) noexcept {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_blank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

std::string lower_case(std::string_view text) {
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return lower;
}

// As NodeAddress writes it, so that one place has one text.
bool is_address(const std::string& text) {
    const auto address = NodeAddress::parse(text);
    return address && !address->id && !address->host.empty() && address->port &&
           address->to_string() == text;
}

result<Bytes> checked_body(const std::string& text) {
    if (!text.starts_with(kFamily)) {
        return invalid("it does not begin with alkjoin1");
    }
    if (text.size() > kFamily.size() && !text.starts_with(kInvitationPrefix)) {
        return invalid("it was made by another version of alknet");
    }
    const std::string_view digits =
        std::string_view(text).substr(std::min(kInvitationPrefix.size(), text.size()));
    const bool plain = std::ranges::all_of(
        digits, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7'); });
    if (!plain) {
        return invalid("it has a character that no invitation has");
    }
    auto body = base32_decode(digits);
    if (!body || body->size() < kChecksumBytes) {
        return invalid("a part of it is missing, or a character is wrong");
    }
    const std::size_t size = body->size() - kChecksumBytes;
    const auto sum = digest(kInvitationPrefix, {BytesView(*body).first(size)});
    if (!std::equal(sum.begin(), sum.begin() + kChecksumBytes,
                    body->begin() + std::ptrdiff_t(size))) {
        return invalid("a part of it is missing, or a character is wrong");
    }
    body->resize(size);
    return *std::move(body);
}

}  // namespace

std::string encode_invitation(const Invitation& invitation) {
    WireWriter out;
    out.number(invitation.confirm ? kFlagConfirm : std::uint8_t{0});
    out.append(invitation.node.bytes());
    out.append(invitation.secret);
    out.number(invitation.expires);
    out.text<std::uint8_t>(invitation.name);
    out.number(static_cast<std::uint8_t>(invitation.addresses.size()));
    for (const std::string& address : invitation.addresses) {
        out.text<std::uint8_t>(address);
    }
    const auto sum = digest(kInvitationPrefix, {out.view()});
    out.append(BytesView(sum).first(kChecksumBytes));
    return std::string(kInvitationPrefix) + base32_encode(out.view());
}

result<Invitation> parse_invitation(std::string_view text) {
    text = trimmed(text);
    if (text.empty()) {
        return invalid("nothing was given");
    }
    if (text.size() > kInvitationTextMax) {
        return invalid("it is too long");
    }
    ALKNET_TRY(const Bytes body, checked_body(lower_case(text)));
    WireReader in(body);
    Invitation invitation;
    const auto flags = in.number<std::uint8_t>();
    const auto node = NodeId::from_bytes(in.take(NodeId::kSize));
    std::ranges::copy(in.take(invitation.secret.size()), invitation.secret.begin());
    invitation.expires = in.number<std::int64_t>();
    invitation.confirm = (flags & kFlagConfirm) != 0;
    invitation.name = in.text<std::uint8_t>();
    const auto addresses = in.number<std::uint8_t>();
    for (std::size_t i = 0; i < std::min<std::size_t>(addresses, kInvitationAddressesMax); ++i) {
        invitation.addresses.push_back(in.text<std::uint8_t>());
    }
    if ((flags & ~kFlagConfirm) != 0) {
        return invalid("it asks for something that this version of alknet does not have");
    }
    if (!in.complete() || !node || invitation.expires < 0 || !check_name(invitation.name) ||
        addresses == 0 || !std::ranges::all_of(invitation.addresses, is_address)) {
        return invalid("what it says cannot be right");
    }
    invitation.node = *node;
    return invitation;
}

std::array<std::byte, 32> invitation_hash(const InvitationSecret& secret) noexcept {
    return digest(kHashContext, {secret});
}

bool needs_confirmation(const Scope& grant) noexcept {
    constexpr std::array kServices = {
        "*",       "access", "admin", "audit", "config", "exec",   "import",
        "imports", "node",   "peer",  "peers", "token",  "tokens", "vault",
    };
    constexpr std::array kActions = {"*", "admin", "exec", "import", "imports", "manage", "shell"};
    // To look and to measure is no rule over the node.
    if (grant.service == "node" && (grant.action == "diagnose" || grant.action == "bench")) {
        return false;
    }
    return std::ranges::find(kServices, grant.service) != kServices.end() ||
           std::ranges::find(kActions, grant.action) != kActions.end();
}

bool needs_confirmation(const Scope& grant, std::span<const Scope> programs) noexcept {
    return needs_confirmation(grant) ||
           std::ranges::any_of(programs, [&](const Scope& one) { return covers(grant, one); });
}

std::string join_code(const NodeId& node, const NodeId& joiner, BytesView exported) {
    const auto sum = digest(kCodeContext, {node.bytes(), joiner.bytes(), exported});
    const auto number = WireReader(sum).number<std::uint64_t>();
    const std::string digits = std::to_string(number % kCodes);
    return std::string(kCodeDigits - digits.size(), '0') + digits;
}

}  // namespace alknet::identity
