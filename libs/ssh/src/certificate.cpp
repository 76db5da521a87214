#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/ssh/certificate.hpp>
#include <array>
#include <chrono>
#include <utility>

#include "messages.hpp"

namespace alknet::ssh {

namespace {

constexpr std::string_view kSuffix = "-cert-v01@openssh.com";
constexpr std::uint32_t kUserType = 1;

struct CertifiedType {
    std::string_view name;   // in a certificate, without the suffix
    std::string_view plain;  // of the key by itself
    std::size_t members;     // of the key: strings all of them
};
constexpr std::array kTypes = {
    CertifiedType{.name = "ssh-ed25519", .plain = "ssh-ed25519", .members = 1},
    CertifiedType{.name = "sk-ssh-ed25519", .plain = "sk-ssh-ed25519@openssh.com", .members = 2},
    CertifiedType{.name = "ecdsa-sha2-nistp256", .plain = "ecdsa-sha2-nistp256", .members = 2},
    CertifiedType{.name = "ssh-rsa", .plain = "ssh-rsa", .members = 2},
};
/// What a request may name besides: an RSA key signs with more than the digest of its name, which
/// is not taken.
constexpr std::array<std::string_view, 2> kRsaAlgorithms = {"rsa-sha2-256", "rsa-sha2-512"};

std::string_view without_suffix(std::string_view type) noexcept {
    return type.ends_with(kSuffix) ? type.substr(0, type.size() - kSuffix.size())
                                   : std::string_view();
}

std::unexpected<error> invalid(std::string_view why) {
    return fail(causes::kKeyInvalid, "a certificate that is " + std::string(why));
}

// The same key as it is without one.
result<PublicKey> key_of(const CertifiedType& type, WireReader& in) {
    WireWriter blob;
    put_text(blob, type.plain);
    for (std::size_t i = 0; i < type.members; ++i) {
        put_string(blob, take_string(in));
    }
    return PublicKey::parse(blob.view());
}

result<std::vector<std::string>> read_principals(BytesView list) {
    WireReader in(list);
    std::vector<std::string> principals;
    while (in.ok() && !in.empty()) {
        principals.emplace_back(take_text(in));
        if (principals.size() > kPrincipalsMax) {
            return invalid("for too many principals");
        }
    }
    // For OpenSSH nobody in particular is everybody. Here it is nobody.
    if (!in.complete() || principals.empty()) {
        return invalid("for nobody");
    }
    return principals;
}

result<std::vector<net::AddressRange>> read_sources(std::string_view list) {
    std::vector<net::AddressRange> sources;
    while (!list.empty()) {
        const std::size_t end = std::min(list.find(','), list.size());
        const auto range = net::AddressRange::parse(list.substr(0, end));
        if (!range) {
            return invalid("for what is no address");
        }
        sources.push_back(*range);
        list.remove_prefix(std::min(end + 1, list.size()));
        if (sources.size() > kSourcesMax) {
            return invalid("for too many addresses");
        }
    }
    if (sources.empty()) {
        return invalid("for no address");
    }
    return sources;
}

// Options that must be heeded: a certificate with one that is not known here is worth nothing.
result<void> read_options(BytesView list, CertificateRules& rules) {
    WireReader in(list);
    while (in.ok() && !in.empty()) {
        const std::string_view name = take_text(in);
        WireReader data(take_string(in));
        const std::string_view value = take_text(data);
        if (!in.ok() || !data.complete()) {
            return invalid("malformed");
        }
        if (name == "force-command" && !rules.force_command) {
            rules.force_command = std::string(value);
        } else if (name == "source-address" && rules.sources.empty()) {
            ALKNET_TRY(rules.sources, read_sources(value));
        } else {
            return invalid("bound to what is not known here");
        }
    }
    return in.complete() ? result<void>() : invalid("malformed");
}

result<void> read_extensions(BytesView list, CertificateRules& rules) {
    WireReader in(list);
    while (in.ok() && !in.empty()) {
        const std::string_view name = take_text(in);
        (void)take_string(in);
        rules.may_have_terminal = rules.may_have_terminal || name == "permit-pty";
        rules.may_forward = rules.may_forward || name == "permit-port-forwarding";
        rules.may_forward_agent = rules.may_forward_agent || name == "permit-agent-forwarding";
    }
    return in.complete() ? result<void>() : invalid("malformed");
}

bool is_signed(const PublicKey& authority, BytesView message, BytesView signature) {
    WireReader in(signature);
    return authority.verify(take_text(in), message, signature);
}

}  // namespace

bool CertificateRules::holds_at(WallTime now) const noexcept {
    const auto since =
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    const auto seconds = static_cast<std::uint64_t>(std::max<std::int64_t>(since, 0));
    return seconds >= valid_after && seconds < valid_before;
}

bool CertificateRules::holds_from(const SocketAddress& remote) const noexcept {
    return sources.empty() || std::ranges::any_of(sources, [&](const net::AddressRange& range) {
               return range.contains(remote);
           });
}

bool Certificate::is_one(std::string_view algorithm) noexcept {
    return algorithm.ends_with(kSuffix);
}

// RSA keys sign with SHA-2 alone, and so `ssh-rsa` is the name of a type and of no algorithm.
std::string_view Certificate::plain_algorithm(std::string_view algorithm) noexcept {
    const std::string_view name = without_suffix(algorithm);
    const auto* const rsa = std::ranges::find(kRsaAlgorithms, name);
    if (rsa != kRsaAlgorithms.end()) {
        return *rsa;
    }
    const auto* const found = std::ranges::find(kTypes, name, &CertifiedType::name);
    return found == kTypes.end() || name == "ssh-rsa" ? std::string_view() : found->plain;
}

result<Certificate> Certificate::parse(BytesView blob) {
    if (blob.size() > kKeyBlobBytesMax) {
        return invalid("too large");
    }
    WireReader in(blob);
    const std::string_view name = without_suffix(take_text(in));
    const auto* const type = std::ranges::find(kTypes, name, &CertifiedType::name);
    if (type == kTypes.end()) {
        return invalid("none, or of a type that is not used here");
    }
    (void)take_string(in);  // what makes its signature differ from all others
    ALKNET_TRY(PublicKey key, key_of(*type, in));
    CertificateRules rules{
        .key_id = {}, .key = key.fingerprint(), .sources = {}, .force_command = {}};
    rules.serial = in.number<std::uint64_t>();
    const auto kind = in.number<std::uint32_t>();
    rules.key_id = take_text(in);
    const BytesView principals = take_string(in);
    rules.valid_after = in.number<std::uint64_t>();
    rules.valid_before = in.number<std::uint64_t>();
    const BytesView options = take_string(in);
    const BytesView extensions = take_string(in);
    (void)take_string(in);  // reserved
    const BytesView authority_blob = take_string(in);
    const BytesView signature = take_string(in);
    if (!in.complete() || kind != kUserType) {
        return invalid("malformed, or a host's");
    }
    const std::size_t covered = blob.size() - 4 - signature.size();
    ALKNET_CHECK(read_options(options, rules));
    ALKNET_CHECK(read_extensions(extensions, rules));
    ALKNET_TRY(std::vector<std::string> names, read_principals(principals));
    ALKNET_TRY(const PublicKey authority, PublicKey::parse(authority_blob));
    if (!is_signed(authority, blob.first(covered), signature)) {
        return invalid("signed by somebody else");
    }
    return Certificate{.key = std::move(key),
                       .authority = authority.fingerprint(),
                       .principals = std::move(names),
                       .rules = std::move(rules)};
}

}  // namespace alknet::ssh
