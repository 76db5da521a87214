#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/base/number.hpp>
#include <alknet/core/known_nodes.hpp>
#include <utility>

namespace alknet {

namespace {

constexpr std::string_view kHeader = "alknet-known-nodes 1";
constexpr std::string_view kAuthorities = "ca";
constexpr std::string_view kRawKeyPrefix = "ed25519:";
constexpr std::string_view kCertificatePrefix = "x509-sha256:";
constexpr std::string_view kFirst = "first";
constexpr std::string_view kDisputed = "disputed";
constexpr std::string_view kNothingYet = "-";

std::string_view take(std::string_view& text, char separator) {
    const std::size_t end = std::min(text.find(separator), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
}

std::array<std::byte, 32> octets_of(BytesView bytes) {
    std::array<std::byte, 32> octets{};
    std::ranges::copy(bytes, octets.begin());
    return octets;
}

/// Exactly as known_name would write it.
bool is_known_name(std::string_view text) {
    const auto address = NodeAddress::parse(text);
    return address && !address->id && address->port && known_name(*address) == text;
}

result<std::uint64_t> parse_nonce(std::string_view text) {
    const auto nonce = parse_plain_number<std::uint64_t>(text);
    return nonce && *nonce != 0 ? result<std::uint64_t>(*nonce)
                                : fail(causes::kKeyInvalid, "a first contact without a number");
}

/// What follows `NAME first ` or `NAME disputed `.
result<KnownNodes::FirstContact> parse_contact(std::string_view name, bool disputed,
                                               std::string_view rest) {
    KnownNodes::FirstContact contact;
    contact.name = name;
    contact.disputed = disputed;
    ALKNET_TRY(contact.nonce, parse_nonce(take(rest, ' ')));
    if (rest != kNothingYet) {
        ALKNET_TRY(contact.identity, KnownIdentity::parse(rest));
    }
    return contact;
}

std::unexpected<error> bad_line(std::size_t number, std::string_view why) {
    return fail(causes::kHomeInvalid, "line " + std::to_string(number) + ": " + std::string(why));
}

}  // namespace

std::optional<KnownIdentity> KnownIdentity::of(const PeerIdentity& peer) {
    KnownIdentity identity;
    switch (peer.kind) {
        case PeerIdentity::Kind::raw_key:
            identity.kind = Kind::raw_key;
            identity.value = octets_of(peer.key.bytes());
            return identity;
        case PeerIdentity::Kind::x509:
            if (!peer.verified_by_ca) {
                identity.kind = Kind::certificate;
                identity.value = peer.certificate_sha256;
            }
            return identity;
        case PeerIdentity::Kind::none:
            break;
    }
    return std::nullopt;
}

result<KnownIdentity> KnownIdentity::parse(std::string_view text) {
    KnownIdentity identity;
    if (text == kAuthorities) {
        return identity;
    }
    if (text.starts_with(kRawKeyPrefix)) {
        ALKNET_TRY(const NodeId key, NodeId::parse(text));
        identity.kind = Kind::raw_key;
        identity.value = octets_of(key.bytes());
    } else if (text.starts_with(kCertificatePrefix)) {
        const auto digest = hex_decode(text.substr(kCertificatePrefix.size()));
        if (!digest || digest->size() != identity.value.size()) {
            return fail(causes::kKeyInvalid, "x509-sha256: takes 64 hex digits");
        }
        identity.kind = Kind::certificate;
        identity.value = octets_of(*digest);
    } else {
        return fail(causes::kKeyInvalid, "neither ca, ed25519:HEX nor x509-sha256:HEX");
    }
    return identity;
}

std::string KnownIdentity::to_string() const {
    switch (kind) {
        case Kind::raw_key:
            return std::string(kRawKeyPrefix) + hex_encode(value);
        case Kind::certificate:
            return std::string(kCertificatePrefix) + hex_encode(value);
        case Kind::authorities:
            break;
    }
    return std::string(kAuthorities);
}

tls::Verify KnownIdentity::demand(const std::string& host) const {
    switch (kind) {
        case Kind::raw_key:
            return tls::VerifyPin{NodeId(value)};
        case Kind::certificate:
            return tls::VerifyCertificate{value};
        case Kind::authorities:
            break;
    }
    return tls::VerifyCa{host};
}

std::string known_name(const NodeAddress& address) {
    std::string host = address.host;
    std::ranges::transform(host, host.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (host.ends_with('.')) {
        host.pop_back();
    }
    if (host.find(':') != std::string::npos) {
        host = "[" + host + "]";
    }
    return host + ":" + std::to_string(address.port.value_or(kDefaultPort));
}

result<KnownNodes> KnownNodes::parse(std::string_view text) {
    if (text.size() > kTextBytesMax) {
        return fail(causes::kHomeInvalid, "the file is too long");
    }
    KnownNodes known;
    if (text.empty()) {
        return known;
    }
    if (take(text, '\n') != kHeader) {
        return bad_line(1, "this is no list of known nodes");
    }
    for (std::size_t number = 2; !text.empty(); ++number) {
        std::string_view line = take(text, '\n');
        if (line.size() > kLineBytesMax) {
            return bad_line(number, "it is too long");
        }
        const std::string_view name = take(line, ' ');
        if (!is_known_name(name)) {
            return bad_line(number, "it does not begin with HOST:PORT");
        }
        const bool disputed = line.starts_with(kDisputed);
        if (disputed || line.starts_with(kFirst)) {
            take(line, ' ');
            auto contact = parse_contact(name, disputed, line);
            if (!contact || known.contact(contact->nonce) != nullptr) {
                return bad_line(number, contact ? "it stands here twice"
                                                : std::string_view(contact.error().detail()));
            }
            if (known.contacts_.size() == kFirstContactsMax) {
                return bad_line(number, "too many first contacts");
            }
            known.contacts_.push_back(std::move(*contact));
            continue;
        }
        const auto identity = KnownIdentity::parse(line);
        if (!identity) {
            return bad_line(number, identity.error().detail());
        }
        if (known.find(name) != nullptr) {
            return bad_line(number, "another line is about the same name");
        }
        if (known.entries_.size() == kEntriesMax) {
            return bad_line(number, "too many nodes");
        }
        known.entries_.push_back({.name = std::string(name), .identity = *identity});
    }
    return known;
}

std::string KnownNodes::to_text() const {
    std::string text(kHeader);
    text += "\n";
    for (const Entry& entry : entries_) {
        text += entry.name + " " + entry.identity.to_string() + "\n";
    }
    for (const FirstContact& contact : contacts_) {
        text += contact.name + " ";
        text += contact.disputed ? kDisputed : kFirst;
        text += " " + std::to_string(contact.nonce) + " ";
        text += contact.identity ? contact.identity->to_string() : std::string(kNothingYet);
        text += "\n";
    }
    return text;
}

const KnownNodes::Entry* KnownNodes::find(std::string_view name) const noexcept {
    const auto found = std::ranges::find(entries_, name, &Entry::name);
    return found == entries_.end() ? nullptr : &*found;
}

std::size_t KnownNodes::line_of(std::string_view name) const noexcept {
    const Entry* const entry = find(name);
    return entry == nullptr ? 0 : static_cast<std::size_t>(entry - entries_.data()) + 2;
}

void KnownNodes::renew(std::string_view name, const NodeId& before, const NodeId& now) {
    const KnownIdentity old{.kind = KnownIdentity::Kind::raw_key,
                            .value = octets_of(before.bytes())};
    for (Entry& entry : entries_) {
        if (entry.name == name && entry.identity == old) {
            entry.identity.value = octets_of(now.bytes());
        }
    }
}

bool KnownNodes::remove(std::string_view name) {
    const auto about = [name](const auto& one) { return one.name == name; };
    const std::size_t entries = std::erase_if(entries_, about);
    return entries + std::erase_if(contacts_, about) > 0;
}

KnownNodes::FirstContact* KnownNodes::contact(std::uint64_t nonce) noexcept {
    const auto found = std::ranges::find(contacts_, nonce, &FirstContact::nonce);
    return found == contacts_.end() ? nullptr : &*found;
}

result<void> KnownNodes::begin(const std::string& name, std::uint64_t nonce) {
    if (contacts_.size() >= kFirstContactsMax) {
        return fail(causes::kLimit, "kFirstContactsMax: too many first contacts at a time");
    }
    contacts_.push_back({.name = name, .nonce = nonce, .identity = {}});
    return {};
}

KnownNodes::Judgement KnownNodes::saw(std::uint64_t nonce, const KnownIdentity& identity) {
    FirstContact* const own = contact(nonce);
    if (own == nullptr) {
        return Judgement::disputed;  // somebody has removed it
    }
    own->identity = identity;
    const Entry* const known = find(own->name);
    own->disputed = own->disputed || (known != nullptr && known->identity != identity);
    bool waits = false;
    for (FirstContact& other : contacts_) {
        if (other.nonce == nonce || other.name != own->name) {
            continue;
        }
        const bool differs = other.identity && *other.identity != identity;
        other.disputed = other.disputed || differs;
        own->disputed = own->disputed || other.disputed;
        waits = waits || !other.identity;
    }
    if (own->disputed) {
        return Judgement::disputed;
    }
    return waits ? Judgement::wait : Judgement::agreed;
}

void KnownNodes::dispute(std::uint64_t nonce) {
    if (const FirstContact* const own = contact(nonce)) {
        for (FirstContact& one : contacts_) {
            one.disputed = one.disputed || one.name == own->name;
        }
    }
}

result<void> KnownNodes::keep(std::uint64_t nonce) {
    const FirstContact* const own = contact(nonce);
    if (own == nullptr || own->disputed || !own->identity) {
        return fail(causes::kPeerKeyMismatch, "its first contact is disputed");
    }
    if (find(own->name) == nullptr) {
        if (entries_.size() >= kEntriesMax) {
            return fail(causes::kLimit, "kEntriesMax: too many known nodes; alknet known remove");
        }
        entries_.push_back({.name = own->name, .identity = *own->identity});
    }
    end(nonce);
    return {};
}

void KnownNodes::end(std::uint64_t nonce) noexcept {
    std::erase_if(contacts_, [nonce](const FirstContact& one) { return one.nonce == nonce; });
}

void KnownNodes::drop_dead(const std::function<bool(std::uint64_t nonce)>& alive) {
    std::erase_if(contacts_, [&](const FirstContact& one) { return !alive(one.nonce); });
}

}  // namespace alknet
