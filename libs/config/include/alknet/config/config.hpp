// The configuration: what alknet.toml says, as values. StaticConfig is read when the node starts;
// DynamicConfig is read again on a reload and swapped as a whole, or not at all.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/log_sink.hpp>
#include <alknet/base/result.hpp>
#include <alknet/core/endpoint.hpp>
#include <alknet/core/node_address.hpp>
#include <alknet/core/registry.hpp>
#include <alknet/identity/audit_log.hpp>
#include <alknet/identity/forwarding.hpp>
#include <alknet/identity/peers.hpp>
#include <alknet/identity/signed_token.hpp>
#include <alknet/quic/endpoint.hpp>
#include <alknet/resume/handler.hpp>
#include <alknet/tls/context.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::config {

inline constexpr std::size_t kFileBytesMax = 1 << 20;
inline constexpr std::size_t kProblemsMax = 20;  // reported at once
inline constexpr std::size_t kListenersMax = 64;
inline constexpr std::size_t kAddressesMax = 16;  // of one listener
inline constexpr std::size_t kProxiesMax = 64;    // of one listener
inline constexpr std::size_t kPeersMax = 10'000;
inline constexpr std::size_t kKeysMax = 16;    // of one peer
inline constexpr std::size_t kScopesMax = 64;  // of one peer
inline constexpr std::size_t kRolesMax = 256;
inline constexpr std::size_t kRulePeersMax = 256;  // of one forwarding rule
inline constexpr std::size_t kAlpnsMax = 256;
inline constexpr std::size_t kCertificatesMax = 64;
inline constexpr std::size_t kImportsMax = 64;
inline constexpr std::size_t kImportPeersMax = 16;  // of one import
inline constexpr std::size_t kProgramsMax = 64;
inline constexpr std::size_t kPrefixBytesMax = 32;  // of names of operations
inline constexpr std::size_t kTextBytesMax = 4096;  // of one value
inline constexpr std::size_t kSitesMax = 256;
inline constexpr std::size_t kSiteNamesMax = 64;  // of one site
inline constexpr std::size_t kRoutesMax = 64;     // likewise

/// Operations of other nodes, offered here.
struct Import {
    std::string peer;                // its name; and, or in its place,
    std::vector<std::string> peers;  // those of others: any of them, the first that is there
    std::string prefix;              // of their names here
    /// Which, as they are called there: SERVICE/NAME, either of which may be *; empty: all.
    std::vector<std::string> operations;
    std::string scope;     // that a peer needs here; empty: what the name says
    std::size_t hops = 0;  // of what the peer has imported itself: over how many more nodes

    bool operator==(const Import&) const = default;
    [[nodiscard]] std::vector<std::string> from() const;
    [[nodiscard]] bool wants(std::string_view operation) const;
};

/// A service that is a program of its own.
struct Program {
    std::string name;
    std::vector<std::string> command;  // the first is an absolute path
    std::string alpn;                  // what it serves
    bool operations = false;           // in place of that: operations, under its name
    std::string scope;                 // that a peer needs; empty: what the name says
    std::string user;                  // that it runs as
    bool as_node = false;              // in place of that
    std::filesystem::path directory = "/";
    std::vector<std::string> environment;  // NAME=VALUE, or NAME as the node has it
    bool proxy_header = false;
    std::size_t streams_max = 256;
    std::uint64_t memory_max = 1 << 30;   // RLIMIT_DATA
    std::uint64_t address_space_max = 0;  // RLIMIT_AS; 0: no limit of its own
    std::size_t files_max = 1024;         // RLIMIT_NOFILE
    std::size_t processes_max = 64;       // RLIMIT_NPROC
    Duration stop_timeout = std::chrono::seconds(5);
    std::size_t attempts_max = 10;  // ends in a row, each soon after its start; 0: no limit

    bool operator==(const Program&) const = default;
};

struct StaticConfig {
    std::filesystem::path key_file = "node.key";
    LogFormat log_format = LogFormat::key_value;
    std::filesystem::path qlog_directory;  // empty: none
    std::size_t loops = 1;
    std::vector<Program> programs;

    bool operator==(const StaticConfig&) const = default;
};

/// The transports that a listener has, or that a service may be reached by.
struct Transports {
    bool quic = true;
    bool tcp = true;

    bool operator==(const Transports&) const = default;
};

/// The ways that a dial may take.
struct Ways {
    bool quic = true;
    bool tcp = true;
    bool proxy = true;

    bool operator==(const Ways&) const = default;
};

struct Listener {
    std::string name;
    std::vector<SocketAddress> addresses;
    bool quic = true;
    bool tcp = true;
    std::vector<std::string> alpns;  // empty: all
    quic::Congestion congestion = quic::Congestion::bbr;
    std::vector<net::AddressRange> proxies;  // whose PROXY protocol header is believed
    UnknownAlpn unknown_alpn = UnknownAlpn::alert;

    bool operator==(const Listener&) const = default;
};

/// Somebody whom this node knows. The name is the stable id, and never the key.
struct Peer {
    std::string name;
    /// Canonical: `ed25519:<hex>`, `x509-sha256:<hex>`, `SHA256:<base64>`.
    std::vector<std::string> keys;
    std::vector<std::string> scopes;
    std::vector<std::string> roles;
    std::vector<std::string> resources;  // `service:resource`
    bool enabled = true;
    std::optional<WallTime> expires;
    Duration renew{};                                     // PeerRecord::renew
    std::optional<NodeAddress> address;                   // where to reach it
    Ways transports{};                                    // by which alone it is dialled
    quic::Congestion congestion = quic::Congestion::bbr;  // of QUIC to it
    std::size_t line = 0;                                 // of its entry
    std::vector<std::size_t> scope_lines;

    bool operator==(const Peer&) const = default;
    /// The first Ed25519 key, which is what dialling this peer demands.
    [[nodiscard]] std::optional<NodeId> node_id() const;
};

/// Scopes that several peers have.
struct Role {
    std::string name;
    std::vector<std::string> scopes;
    std::vector<std::size_t> scope_lines;

    bool operator==(const Role&) const = default;
};

/// What must come out when a peer asks for something; checked before a configuration is accepted.
struct Assertion {
    std::string peer;
    std::string wanted;  // an exact scope
    bool allow = true;
    std::size_t line = 0;  // of its entry

    bool operator==(const Assertion&) const = default;
};

struct AlpnRules {
    bool identity_required = false;
    std::string scope;  // that a peer needs; empty: none
    Transports transports;

    bool operator==(const AlpnRules&) const = default;
};

/// OpenSSH's file as a source of peers.
struct AuthorizedKeysFile {
    std::filesystem::path file;       // empty: none
    std::vector<std::string> scopes;  // of each of these peers
    std::vector<std::size_t> scope_lines;

    bool operator==(const AuthorizedKeysFile&) const = default;
};

/// A server that requests are passed on to.
struct HttpUpstream {
    std::string host;  // a name, or an address without brackets
    std::uint16_t port = 80;
    std::filesystem::path socket;  // of a unix socket, in place of both

    bool operator==(const HttpUpstream&) const = default;
};

/// What becomes of requests below a path.
struct HttpRoute {
    std::string path;  // "/" or "/a/b"
    HttpUpstream proxy;
    bool strip = false;
    bool proxy_header = false;
    Duration connect_timeout = std::chrono::seconds(5);
    Duration answer_timeout = std::chrono::seconds(60);
    Duration idle_timeout = std::chrono::seconds(60);
    std::string require;  // a scope; empty: the site's

    bool operator==(const HttpRoute&) const = default;
};

/// What is served over HTTP under some names, to whoever asks.
struct HttpSite {
    std::vector<std::string> names;  // hosts without ports, in lower case; empty: every other one
    std::filesystem::path root;      // empty: no files
    std::vector<HttpRoute> routes;
    bool health = false;
    bool call = false;                 // alknet/call over WebSocket
    bool events = false;               // events/watch as Server-Sent Events
    bool metrics = false;              // for Prometheus
    std::string require;               // a scope that clients need; empty: none
    std::vector<std::string> origins;  // of pages that may use it, in lower case

    bool operator==(const HttpSite&) const = default;
};

/// What one HTTP client can make the node hold or do.
struct HttpLimits {
    std::uint64_t header_bytes_max = 16 << 10;
    std::size_t fields_max = 100;
    std::uint64_t target_bytes_max = 8 << 10;
    std::uint64_t body_bytes_max = 16 << 20;
    Duration header_timeout = std::chrono::seconds(10);
    Duration body_timeout = std::chrono::seconds(30);
    Duration send_timeout = std::chrono::seconds(30);
    Duration keep_alive_timeout = std::chrono::seconds(75);
    std::uint64_t body_rate_min = 500;
    std::size_t requests_max = 10'000;
    std::uint64_t requests_per_second = 0;  // 0: no limit
    std::uint64_t requests_burst = 100;

    bool operator==(const HttpLimits&) const = default;
};

/// SSH besides the ALPN.
struct SshRules {
    std::vector<SocketAddress> listen;  // bare TCP; empty: nowhere
    std::string run_as;                 // whom commands and shells run as
    bool run_as_self = false;           // as the node; neither: they do not
    std::filesystem::path shell;        // empty: the user's

    [[nodiscard]] bool runs_programs() const noexcept { return run_as_self || !run_as.empty(); }

    bool operator==(const SshRules&) const = default;
};

struct DynamicConfig {
    std::vector<Listener> listeners;  // never empty after parsing
    EndpointLimits limits;
    resume::ResumeLimits resume;
    LogLevel log_level = LogLevel::info;
    identity::AuditRules audit;
    std::vector<tls::CertificateFiles> certificates;
    std::vector<Peer> peers;
    std::vector<Role> roles;
    std::vector<Assertion> assertions;
    std::vector<identity::ForwardRule> forwarding;  // in their order; origins have no file
    std::map<std::string, AlpnRules, std::less<>> alpns;
    identity::SignedTokenRules signed_tokens;
    AuthorizedKeysFile authorized_keys;
    std::vector<HttpSite> http_sites;
    HttpLimits http_limits;
    SshRules ssh;
    std::vector<Import> imports;
};

struct Config {
    StaticConfig fixed;
    DynamicConfig dynamic;
};

/// What is wrong, and where. Lines and columns count from 1.
struct Problem {
    std::string file;
    std::size_t line = 0;  // 0: the file as a whole
    std::size_t column = 0;
    std::string key;  // "limits.idle_timeout"; empty when the text is no TOML
    std::string reason;

    bool operator==(const Problem&) const = default;
    /// `FILE:LINE:COLUMN: KEY: REASON`
    [[nodiscard]] std::string text() const;
};

struct ParseOptions {
    std::string file = "alknet.toml";  // for problems
    std::filesystem::path base;        // what relative paths in the file are relative to
    /// Of the program, by their ALPNs: a name that is nearly one of them is a problem.
    std::vector<std::string> services{};
};

struct Parsed {
    Config config;                  // usable only without problems
    std::vector<Problem> problems;  // in the order of the file; at most kProblemsMax
};

/// Reads TOML 1.0. Every key that is not known is a problem, so that a typing error cannot pass for
/// a setting.
[[nodiscard]] Parsed parse(std::string_view text, const ParseOptions& options);

/// The peers, roles and assertions as records, each with the line of `file` that says it.
[[nodiscard]] identity::PeerList peer_list(const DynamicConfig& config, const std::string& file);

/// What each peer of authorized_keys may do.
[[nodiscard]] std::vector<identity::Grant> authorized_grants(const DynamicConfig& config,
                                                             const std::string& file);

/// The problems as one error, kConfigInvalid: the first one, and how many there are.
[[nodiscard]] error as_error(const std::vector<Problem>& problems);

/// The name in `known` that was probably meant by `typed`; empty if none is near.
[[nodiscard]] std::string_view nearest_name(std::string_view typed,
                                            const std::vector<std::string_view>& known);

}  // namespace alknet::config
