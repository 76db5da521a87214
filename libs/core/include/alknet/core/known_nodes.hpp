// KnownNodes: what nodes that are named by their host alone were seen to be, and which first
// contacts are under way. Values and text; the file and its lock are
// TrustingDialer's.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/core/node_address.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/tls/context.hpp>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet {

/// How a name is known. A name that is known in one way is never accepted in another.
struct KnownIdentity {
    enum class Kind : std::uint8_t {
        authorities,  // its certificate is verified by the system's authorities, for its name
        raw_key,      // this Ed25519 key
        certificate,  // the X.509 certificate of this SHA-256 digest, whoever signed it
    };
    Kind kind = Kind::authorities;
    std::array<std::byte, 32> value{};  // zero for authorities

    /// What a handshake showed; nullopt if that is nothing.
    [[nodiscard]] static std::optional<KnownIdentity> of(const PeerIdentity& peer);
    /// `ca`, `ed25519:<hex>`, `x509-sha256:<hex>`. Errors: kKeyInvalid.
    static result<KnownIdentity> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;
    /// What a dial of this host must demand.
    [[nodiscard]] tls::Verify demand(const std::string& host) const;
    bool operator==(const KnownIdentity&) const = default;
};

/// What a node without an id is known by: `host:port`, in lower case, IPv6 in brackets.
[[nodiscard]] std::string known_name(const NodeAddress& address);

class KnownNodes {
public:
    static constexpr std::size_t kEntriesMax = 4096;
    static constexpr std::size_t kFirstContactsMax = 64;  // under way at a time
    static constexpr std::size_t kLineBytesMax = 400;
    static constexpr std::size_t kTextBytesMax = 1 << 20;

    struct Entry {
        std::string name;
        KnownIdentity identity;
    };
    /// Somebody is about to see a name for the first time. `identity` is what was seen so far.
    struct FirstContact {
        std::string name;
        std::uint64_t nonce = 0;  // never 0
        std::optional<KnownIdentity> identity;
        bool disputed = false;  // others saw something else
    };
    /// What one first contact has to make of the others.
    enum class Judgement : std::uint8_t {
        agreed,    // nobody saw anything else
        wait,      // somebody has not seen yet what is there
        disputed,  // somebody saw something else: nobody is to be believed
    };

    /// What to_text wrote, and what is left of it when lines are removed. Errors: kHomeInvalid with
    /// the number of the line.
    static result<KnownNodes> parse(std::string_view text);
    [[nodiscard]] std::string to_text() const;

    [[nodiscard]] const Entry* find(std::string_view name) const noexcept;
    /// Of the entry in to_text(), counted from 1; 0 if there is none.
    [[nodiscard]] std::size_t line_of(std::string_view name) const noexcept;
    [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }
    [[nodiscard]] const std::vector<FirstContact>& first_contacts() const noexcept {
        return contacts_;
    }
    /// If the name is known by the key `before`, it is known by `now` from then on.
    void renew(std::string_view name, const NodeId& before, const NodeId& now);
    /// True if there was such an entry, or a first contact, which then fails.
    bool remove(std::string_view name);

    /// Errors: kLimit for too many first contacts.
    result<void> begin(const std::string& name, std::uint64_t nonce);
    /// This one saw `identity`. May be asked again, while it waits and before it is kept. A dispute
    /// is told to all who take part, and stays with those who do not know of it yet.
    Judgement saw(std::uint64_t nonce, const KnownIdentity& identity);
    /// This one saw two different things by itself.
    void dispute(std::uint64_t nonce);
    /// The end of a first contact that saw() agreed to: its name is known from now on. Errors:
    /// kLimit for too many entries; kPeerKeyMismatch if it is gone, or disputed.
    result<void> keep(std::uint64_t nonce);
    /// The end of a first contact that came to nothing.
    void end(std::uint64_t nonce) noexcept;
    /// Ends those whose process has gone.
    void drop_dead(const std::function<bool(std::uint64_t nonce)>& alive);

private:
    FirstContact* contact(std::uint64_t nonce) noexcept;

    std::vector<Entry> entries_;
    std::vector<FirstContact> contacts_;
};

}  // namespace alknet
