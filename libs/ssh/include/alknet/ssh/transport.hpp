// The SSH transport (RFC 4253), sans-I/O, for both roles: octets of the peer in, messages out, and
// the other way round. It does the key exchanges by itself, those of later on too; whoever uses it
// sees the messages of the layers above, and sends its own.
//
// Key exchange is curve25519-sha256 (RFC 8731) with an Ed25519 host key (RFC 8709). Ciphers are
// AES-GCM (RFC 5647 as OpenSSH has it), chacha20-poly1305@openssh.com, and AES-CTR with HMAC-SHA-2
// (RFC 4344, 6668), behind and before encryption. Strict key exchange (the answer to Terrapin) is
// used with every peer that has it; without it only ciphers are that do not need it.
//
// Packets are built and opened in place.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/ssh/limits.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::ssh {

enum class Role : std::uint8_t { server, client };

/// Names in the order of preference, the client's being the one that counts.
struct Algorithms {
    std::string_view kex = "curve25519-sha256,curve25519-sha256@libssh.org";
    std::string_view ciphers =
        "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,"
        "aes128-ctr,aes256-ctr";
    std::string_view macs =
        "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512";
    bool strict = true;          // for tests of peers that are not
    bool guess_follows = false;  // the client's, which sends its share of the exchange at once
};

struct TransportOptions {
    Role role = Role::server;
    /// A server's. A client has none.
    std::shared_ptr<const NodeKey> host_key{};
    /// Which key a client demands; null: the caller looks at `host_key` when it is known.
    std::optional<NodeId> expected{};
    Algorithms algorithms{};
    /// Some programs look for two digits side by side in it before they use OpenSSH's extensions.
    std::string_view software = "alknet_2026.11";
    std::function<void(MutableBytes)> random{};  // empty: the system's
    std::uint64_t rekey_bytes = kRekeyBytes;
};

/// Why a connection ends (RFC 4253 section 11.1).
enum class Disconnect : std::uint8_t {
    protocol_error = 2,
    key_exchange_failed = 3,
    mac_error = 5,
    service_not_available = 7,
    host_key_not_verifiable = 9,
    by_application = 11,
    too_many_connections = 12,
    no_more_auth_methods = 14,
};

class PacketCipher;

class Transport final {
public:
    /// Says who we are, and in the first key exchange what we can.
    explicit Transport(TransportOptions options);
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;
    ~Transport();

    /// Where octets of the peer go, at least one; grows with what arrives.
    [[nodiscard]] MutableBytes room();
    /// So many have been put there.
    void filled(std::size_t size);
    /// The next message for the layers above, or nothing until more has arrived. Whatever it gives
    /// is good until the next call of `next` or `room`. Errors end the connection: kProtocol,
    /// kLimit, kNoAlgorithm, kPeerKeyMismatch, kClosed when the peer has said goodbye.
    result<std::optional<BytesView>> next();
    /// Of the message that `next` gave last.
    [[nodiscard]] std::uint32_t sequence() const noexcept { return in_sequence_ - 1; }

    /// Seals a message, or keeps it until there are new keys. Errors: kLimit (kHeldBytesMax).
    result<void> send(BytesView message);
    /// Room for a message of at most `size` in the packet itself; `commit` seals as much of it as
    /// was written, none if `size` is 0. Only while `ready`, with nothing between the two.
    [[nodiscard]] MutableBytes begin(std::size_t size);
    void commit(std::size_t size);
    /// Keys are in use and none are being exchanged, as far as what we send is concerned.
    [[nodiscard]] bool ready() const noexcept { return keyed_ && !sending_blocked_; }

    /// Sealed octets for the peer, in order; the buffer comes back through `give_back`.
    struct Sealed {
        Bytes buffer;
        std::size_t size = 0;
        [[nodiscard]] BytesView view() const noexcept { return BytesView(buffer).first(size); }
    };
    [[nodiscard]] Sealed take_out() noexcept;
    void give_back(Sealed sealed) noexcept;
    [[nodiscard]] std::size_t out_bytes() const noexcept { return out_.size; }

    /// Asks for new keys, unless that is under way.
    void rekey();
    [[nodiscard]] bool exchanging() const noexcept { return exchange_ != nullptr; }
    /// Whoever is above says so; packets may be larger from then on.
    void set_authenticated() noexcept { packet_bytes_max_ = kPacketBytesMax; }
    /// The last message.
    void disconnect(Disconnect reason, std::string_view text);
    /// Tells the peer that we do not know what it sent last.
    result<void> unimplemented();

    [[nodiscard]] bool keyed() const noexcept { return keyed_; }
    [[nodiscard]] bool strict() const noexcept { return strict_; }
    /// Of the first exchange; what signatures are bound to.
    [[nodiscard]] BytesView session_id() const noexcept { return session_id_; }
    /// The server's, over the session id; empty at the server.
    [[nodiscard]] BytesView session_signature() const noexcept { return session_signature_; }
    /// The server's, once it is proven.
    [[nodiscard]] const std::optional<NodeId>& host_key() const noexcept { return host_key_; }
    /// `SSH-2.0-…`, without the end of the line.
    [[nodiscard]] const std::string& peer_ident() const noexcept { return peer_ident_; }
    [[nodiscard]] std::string_view cipher() const noexcept { return cipher_name_; }
    /// The key exchanges that have ended.
    [[nodiscard]] std::uint64_t exchanges() const noexcept { return exchanges_; }

private:
    struct Exchange;

    result<bool> read_ident();
    result<std::optional<BytesView>> read_packet();
    result<void> read_length();
    result<bool> dispatch(BytesView payload);
    result<bool> take_control(BytesView payload);
    result<void> take_kexinit(BytesView payload);
    result<void> take_ecdh_init(BytesView payload);
    result<void> take_ecdh_reply(BytesView payload);
    result<void> take_newkeys();
    void make_keys(BytesView shared, BytesView hash);
    void begin_exchange();
    [[nodiscard]] result<void> check_safe() const;
    void send_client_share();
    void send_newkeys();
    void release_held();
    void send_ext_info();
    void count_and_rekey();
    void seal_now(BytesView message);
    void fill_random(MutableBytes into) const;
    [[nodiscard]] bool is_server() const noexcept { return options_.role == Role::server; }

    TransportOptions options_;
    std::string own_ident_;
    std::string peer_ident_;
    std::size_t ident_lines_ = 0;

    Bytes in_;
    std::size_t in_begin_ = 0;
    std::size_t in_end_ = 0;
    bool in_was_full_ = false;
    std::optional<std::size_t> packet_bytes_;  // of the packet at the front, once known
    std::size_t packet_bytes_max_ = kPacketBytesBeforeAuthMax;
    Sealed out_;
    Bytes spare_;
    std::size_t building_ = 0;  // octets reserved by `begin`
    std::vector<Bytes> held_;
    std::size_t held_bytes_ = 0;

    std::unique_ptr<PacketCipher> in_cipher_;
    std::unique_ptr<PacketCipher> out_cipher_;
    std::uint32_t in_sequence_ = 0;
    std::uint32_t out_sequence_ = 0;
    std::uint64_t in_packets_ = 0;  // of the connection
    std::uint64_t in_bytes_ = 0;    // under these keys
    std::uint64_t out_bytes_ = 0;
    std::uint64_t in_key_packets_ = 0;
    std::uint64_t out_key_packets_ = 0;

    std::unique_ptr<Exchange> exchange_;
    bool keyed_ = false;
    bool sending_blocked_ = false;
    bool strict_ = false;
    bool peer_wants_ext_info_ = false;
    bool disconnected_ = false;
    std::uint64_t exchanges_ = 0;
    Bytes session_id_;
    Bytes session_signature_;
    std::optional<NodeId> host_key_;
    std::string_view cipher_name_;
    std::string_view unsafe_;  // the cipher that lacks strict key exchange; empty: none
};

}  // namespace alknet::ssh
