// The keys of each table of alknet.toml: a new key is one entry here. Private to tables.cpp.
#pragma once

#include <array>

#include "fields.hpp"
#include "values.hpp"

namespace alknet::config {

// What both ends of a range mean is said by the type; these are the widest useful ones.
inline constexpr std::uint64_t kManyConnections = 10'000'000;
inline constexpr std::int64_t kSecond = 1000;
inline constexpr std::int64_t kHour = 3600 * kSecond;

inline constexpr std::array kNodeFields = {
    field<&StaticConfig::key_file, Path>(
        {.name = "key",
         .about =
             "The node's private key: Ed25519, in PKCS#8 PEM or as ssh-keygen writes it without a "
             "passphrase, readable by its owner alone.",
         .restart = true}),
};

// Of the two keys one can change while the node runs, and the other cannot.
struct LogKeys {
    LogLevel level = DynamicConfig().log_level;
    LogFormat format = StaticConfig().log_format;
};

inline constexpr std::array kLogFields = {
    field<&LogKeys::level, Level>(
        {.name = "level", .about = "The least important events that are written."}),
    field<&LogKeys::format, Format>(
        {.name = "format",
         .about = "Lines of key=value pairs, or of JSON, on standard error.",
         .restart = true}),
};

inline constexpr std::array kQuicFields = {
    field<&StaticConfig::qlog_directory, Path>(
        {.name = "qlog_directory",
         .about = "Write a qlog trace of every QUIC connection into this directory. For finding "
                  "faults: the files grow without limit.",
         .example = "\"qlog\"",
         .restart = true}),
};

inline constexpr std::array kRuntimeFields = {
    field<&StaticConfig::loops, Integer<1, LoopGroup::kLoopsMax>>(
        {.name = "loops",
         .about = "Threads that serve connections; each connection stays on one. One is enough for "
                  "most nodes; more help where one processor is too little.",
         .restart = true}),
};

inline constexpr std::array kListenerFields = {
    field<&Listener::name, Name>({.name = "name",
                                  .about = "What logs call this listener.",
                                  .example = "\"main\"",
                                  .required = true}),
    field<&Listener::addresses, List<Address, kAddressesMax>>(
        {.name = "addresses",
         .about =
             "Where it listens. UDP and TCP use the same port number; port 0 takes a free one.",
         .required = true}),
    field<&Listener::quic, Flag>({.name = "quic", .about = "Accept QUIC, on UDP."}),
    field<&Listener::tcp, Flag>({.name = "tcp", .about = "Accept TLS, on TCP."}),
    field<&Listener::alpns, List<Alpn, kAlpnsMax>>(
        {.name = "alpns",
         .about = "The services that are offered here; an empty array offers all that there are."}),
    field<&Listener::congestion, CongestionControl>(
        {.name = "congestion", .about = "The congestion control of QUIC connections."}),
    field<&Listener::proxies, List<Range, kProxiesMax>>(
        {.name = "proxy_protocol_from",
         .about = "Proxies whose TCP connections begin with a PROXY protocol header (version 1 or "
                  "2), which says who the client is. From these it is demanded, from others "
                  "refused. QUIC is not affected."}),
    field<&Listener::unknown_alpn, UnknownAlpnAnswer>(
        {.name = "unknown_alpn",
         .about = "What a TCP client gets that asks for no service that there is: an alert, as TLS "
                  "wants it, or \"http\", the sites over HTTP/1.1."}),
};

inline constexpr std::array kAlpnFields = {
    field<&AlpnRules::identity_required, Flag>(
        {.name = "identity_required", .about = "Only peers that are known may use this service."}),
    field<&AlpnRules::scope, ExactScope>(
        {.name = "scope",
         .about = "Only peers that were given this scope may use this service.",
         .example = "\"echo:use\""}),
    field<&AlpnRules::transports, TransportSet>(
        {.name = "transports", .about = "What this service may be reached by."}),
};

inline constexpr std::array kPeerFields = {
    field<&Peer::name, Name>(
        {.name = "name",
         .about = "Who this is, in logs and as an ADDRESS on the command line. It is the peer's "
                  "identity: its keys may change, its name stays.",
         .example = "\"alice\"",
         .required = true}),
    field<&Peer::keys, List<PeerKey, kKeysMax>>(
        {.name = "keys",
         .about = "What proves that it is this peer: node ids as `alknet id` prints them (hex, "
                  "ed25519:HEX, z-base-32, base32 or an ssh-ed25519 line), or x509-sha256:HEX, the "
                  "SHA-256 digest of a client certificate, or SHA256:BASE64, as ssh-keygen -l "
                  "prints it. Over SSH also cert-authority and such a key, or "
                  "cert:PRINCIPAL:SHA256:BASE64: whose certificates for the principal, by itself "
                  "the name, are the peer's.",
         .example =
             "[\"ed25519:e78c2766a792f09bfccb51493968ac322283e8d021a30063784d806929762ecc\"]",
         .required = true}),
    field<&Peer::scopes, List<Scope, kScopesMax>>(
        {.name = "scopes",
         .about = "What the peer may do: SERVICE:ACTION or SERVICE:ACTION:RESOURCE, where * stands "
                  "for any, and @ for each of its resources.",
         .example = "[\"git:read:*\"]"}),
    field<&Peer::roles, List<Name, kRolesMax>>({.name = "roles",
                                                .about = "Roles, whose scopes the peer has too.",
                                                .example = "[\"ops\"]"}),
    field<&Peer::resources, List<Resource, kScopesMax>>(
        {.name = "resources",
         .about = "What @ in its scopes, and in those of its roles, stands for: with git:website "
                  "the scope git:read:@ is git:read:website.",
         .example = "[\"git:website\"]"}),
    field<&Peer::enabled, Flag>(
        {.name = "enabled", .about = "If false, the peer is treated as a stranger."}),
    field<&Peer::expires, Expiry>(
        {.name = "expires",
         .about = "When the peer's term ends. For 7 days after it the peer is known still, and "
                  "may do nothing but renew it, if 'renew' lets it.",
         .example = "2099-12-31"}),
    field<&Peer::renew, Renewal>(
        {.name = "renew",
         .about =
             "Lets the peer renew its own term (alknet renew), from 14 days before its end (or "
             "half of this, where that is less) to 7 days after it: the term then ends so "
             "far from that moment. What it has made of it is kept in state.db for as long "
             "as 'expires' stays as it is.",
         .example = "\"30d\""}),
    field<&Peer::address, Reach>(
        {.name = "address",
         .about = "Where commands find this peer when they are given its name.",
         .example = "\"node.example:4433\""}),
    field<&Peer::transports, WaySet>(
        {.name = "transports",
         .about = "What commands, and a node that dials back for the doctor, may use to reach this "
                  "peer: QUIC, TLS on TCP, or TLS on TCP through the proxy of the environment. "
                  "Nothing else is tried, whatever was "
                  "remembered."}),
    field<&Peer::congestion, CongestionControl>(
        {.name = "congestion",
         .about = "The congestion control of QUIC connections to this peer."}),
};

inline constexpr std::array kRoleFields = {
    field<&Role::name, Name>({.name = "name",
                              .about = "What peers call this role.",
                              .example = "\"ops\"",
                              .required = true}),
    field<&Role::scopes, List<Scope, kScopesMax>>({.name = "scopes",
                                                   .about = "What a peer with this role may do.",
                                                   .example = "[\"node:status\"]",
                                                   .required = true}),
};

inline constexpr std::array kAssertionFields = {
    field<&Assertion::peer, Name>(
        {.name = "peer", .about = "Who asks.", .example = "\"alice\"", .required = true}),
    field<&Assertion::wanted, ExactScope>(
        {.name = "do",
         .about = "What for: SERVICE:ACTION or SERVICE:ACTION:RESOURCE.",
         .example = "\"git:read:website\"",
         .required = true}),
    field<&Assertion::allow, Flag>(
        {.name = "allow", .about = "Whether it must be allowed, or must not."}),
};

inline constexpr std::array kForwardFields = {
    field<&identity::ForwardRule::target, Target>(
        {.name = "target",
         .about = "What the rule is about. Names are compared with what the peer has asked for, "
                  "addresses and ranges with what that has turned out to be. What belongs to this "
                  "machine or its link must be named by its address, or as localhost, a unix "
                  "socket by its path without links.",
         .example = "\"*.example:443\"",
         .required = true}),
    field<&identity::ForwardRule::allow, Action>(
        {.name = "action", .about = "What follows if this is the first rule that matches."}),
    field<&identity::ForwardRule::claim, Claim>(
        {.name = "claim",
         .about = "Whether the node connects to the target for the peer, or listens there."}),
    field<&identity::ForwardRule::peers, List<Name, kRulePeersMax>>(
        {.name = "peers",
         .about = "Whom the rule is for; with neither these nor roles, every known peer.",
         .example = "[\"alice\"]"}),
    field<&identity::ForwardRule::roles, List<Name, kRolesMax>>(
        {.name = "roles", .about = "Peers with these roles too.", .example = "[\"ops\"]"}),
    field<&identity::ForwardRule::streams_max, Integer<0, 100'000>>(
        {.name = "streams_max",
         .about = "Connections of one peer at a time by this rule; 0 sets no limit of its own."}),
};

inline constexpr std::array kLimitFields = {
    field<&EndpointLimits::connections_max, Integer<1, kManyConnections>>(
        {.name = "connections_max", .about = "Connections in all."}),
    field<&EndpointLimits::connections_per_ip_max, Integer<1, kManyConnections>>(
        {.name = "connections_per_ip_max",
         .about = "Connections from one address; IPv6 counts by /56."}),
    field<&EndpointLimits::connections_per_identity_max, Integer<1, kManyConnections>>(
        {.name = "connections_per_identity_max", .about = "Connections of one peer."}),
    field<&EndpointLimits::half_open_max, Integer<1, kManyConnections>>(
        {.name = "half_open_max",
         .about =
             "Handshakes that are not finished; more are refused, and those of an address that "
             "has an eighth of the free places."}),
    field<&EndpointLimits::half_open_retry, Integer<0, kManyConnections>>(
        {.name = "half_open_retry",
         .about = "Above this many of them, and above a quarter of connections_max, QUIC clients "
                  "must first prove their address."}),
    field<&EndpointLimits::handshake_timeout, Span<100, 5 * 60 * kSecond>>(
        {.name = "handshake_timeout", .about = "How long a handshake may take."}),
    field<&EndpointLimits::idle_timeout, Span<kSecond, 24 * kHour>>(
        {.name = "idle_timeout",
         .about = "A connection on which nothing arrives for so long is given up."}),
    field<&EndpointLimits::streams_max, Integer<1, 100'000>>(
        {.name = "streams_max", .about = "Streams of one connection at a time."}),
    field<&EndpointLimits::streams_unauthenticated_max, Integer<1, 100'000>>(
        {.name = "streams_unauthenticated_max",
         .about = "The same for connections of nobody in particular."}),
    field<&EndpointLimits::connection_bytes_max, Size<64 << 10, 1 << 30>>(
        {.name = "connection_bytes_max", .about = "Octets that are held for one connection."}),
    field<&EndpointLimits::connection_bytes_unauthenticated_max, Size<64 << 10, 1 << 30>>(
        {.name = "connection_bytes_unauthenticated_max",
         .about = "The same for connections of nobody in particular."}),
    field<&EndpointLimits::shutdown_grace, Span<0, 10 * 60 * kSecond>>(
        {.name = "shutdown_grace",
         .about = "How long connections may finish what they do when the node stops."}),
    field<&EndpointLimits::handler_unwind_timeout, Span<100, 5 * 60 * kSecond>>(
        {.name = "handler_unwind_timeout",
         .about = "How long a handler may go on once its connection has ended."}),
    field<&EndpointLimits::linger_timeout, Span<0, 5 * 60 * kSecond>>(
        {.name = "linger_timeout",
         .about = "How long what a handler wrote at its end has to reach the other side."}),
};

using resume::ResumeLimits;

inline constexpr std::array kResumeFields = {
    field<&ResumeLimits::streams_max, Integer<1, 1'000'000>>(
        {.name = "streams_max", .about = "Resumable streams in all, connected or not."}),
    field<&ResumeLimits::streams_per_identity_max, Integer<1, 1'000'000>>(
        {.name = "streams_per_identity_max", .about = "Those of one peer."}),
    field<&ResumeLimits::streams_unauthenticated_max, Integer<0, 1'000'000>>(
        {.name = "streams_unauthenticated_max",
         .about = "Those of all together who prove a key that this file does not list."}),
    field<&ResumeLimits::ring_bytes_max, Size<4 << 10, 64 << 20>>(
        {.name = "ring_bytes_max",
         .about = "Octets that are held for each direction of one stream until the other side has "
                  "them."}),
    field<&ResumeLimits::ring_bytes_unauthenticated_max, Size<4 << 10, 64 << 20>>(
        {.name = "ring_bytes_unauthenticated_max",
         .about = "The same for keys that are not listed."}),
    field<&ResumeLimits::linger_max, Span<kSecond, 30 * 24 * kHour>>(
        {.name = "linger_max",
         .about = "How long a stream that has lost its connection is kept for its client."}),
    field<&ResumeLimits::linger_unauthenticated_max, Span<kSecond, 30 * 24 * kHour>>(
        {.name = "linger_unauthenticated_max", .about = "The same for keys that are not listed."}),
};

inline constexpr std::array kSshFields = {
    field<&SshRules::listen, List<Address, kAddressesMax>>(
        {.name = "listen",
         .about = "Addresses where plain SSH clients are served, without TLS in front: whoever can "
                  "reach them learns that this is SSH. Without any, SSH is reached as alknet/ssh "
                  "alone.",
         .example = "[\"127.0.0.1:2222\"]"}),
    field<&SshRules::run_as, OptionalName>(
        {.name = "run_as",
         .about = "Whom the commands and shells run as of peers with ssh:exec and ssh:shell, with "
                  "that user's first group alone and no way to more rights. Only root can start "
                  "them as somebody else. Without this they are refused.",
         .example = "\"guest\""}),
    field<&SshRules::run_as_self, Flag>(
        {.name = "run_as_self",
         .about = "In place of run_as: they run as the node itself does, and can read the node's "
                  "key and whatever else the node has."}),
    field<&SshRules::shell, Path>(
        {.name = "shell",
         .about = "What runs commands and is their shell, in place of the one that the system "
                  "knows for the user.",
         .example = "\"/bin/bash\""}),
};

inline constexpr std::array kIdentityFields = {
    field<&AuthorizedKeysFile::file, Path>(
        {.name = "authorized_keys",
         .about =
             "OpenSSH's file of that name, whose ssh-ed25519 keys become peers, named by their "
             "comments. A line with an option that cannot be kept here is refused, and the "
             "log says which. Read again when it changes.",
         .example = "\"/etc/ssh/people/authorized_keys\""}),
    field<&AuthorizedKeysFile::scopes, List<Scope, kScopesMax>>(
        {.name = "authorized_keys_scopes",
         .about = "What each of these peers may do.",
         .example = "[\"git:read:*\"]"}),
};

using identity::SignedTokenRules;

inline constexpr std::array kTokenFields = {
    field<&SignedTokenRules::v1, Flag>(
        {.name = "signed_v1",
         .about = "Accept signed tokens of the first form too, which are good for every node and "
                  "purpose: whoever sees one before it is used here can use it elsewhere."}),
    field<&SignedTokenRules::window, Span<kSecond, kHour>>(
        {.name = "signed_window",
         .about = "How far the time in a signed token may be from this node's, both ways."}),
};

inline constexpr std::array kCertificateFields = {
    field<&tls::CertificateFiles::chain, Path>(
        {.name = "chain", .about = "The certificate and its issuers.", .required = true}),
    field<&tls::CertificateFiles::key, Path>(
        {.name = "key", .about = "The certificate's private key.", .required = true}),
};

inline constexpr std::array kTlsFields = {
    field<&DynamicConfig::certificates, List<Certificate, kCertificatesMax>>(
        {.name = "certificates",
         .about = "X.509 certificates for clients that know no raw public keys, chosen by the name "
                  "that a client asks for. Without any, the node's own self-signed one is used. "
                  "The files are read again on a reload.",
         .example = "[{ chain = \"example.org.pem\", key = \"example.org-key.pem\" }]"}),
};

}  // namespace alknet::config
