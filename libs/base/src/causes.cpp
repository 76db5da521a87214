#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_audit.hpp>
#include <alknet/base/causes_call.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/base/causes_exec.hpp>
#include <alknet/base/causes_invitation.hpp>
#include <alknet/base/causes_ssh.hpp>
#include <array>
#include <cctype>

namespace alknet {

namespace causes {

constexpr Cause kClosed{
    .id = "E-CONN-CLOSED",
    .condition = errc::closed,
    .what = "the connection is closed",
    .next = "connect again",
    .explain =
        "The other side, or this node, ended the connection in order. The detail "
        "carries the application's close code and reason when one was sent.",
};
constexpr Cause kReset{
    .id = "E-STREAM-RESET",
    .condition = errc::reset,
    .what = "the stream was reset",
    .next = "try the operation again",
    .explain =
        "The other side gave up on this stream (RESET_STREAM or STOP_SENDING on QUIC, "
        "a broken connection on TCP). The number is the code it gave.",
};
constexpr Cause kCancelled{
    .id = "E-CANCELLED",
    .condition = errc::cancelled,
    .what = "the operation was cancelled",
    .next = "try again, unless you stopped it yourself",
    .explain =
        "Something that this work belonged to ended first: the program is stopping, "
        "the connection closed, or another attempt succeeded.",
};
constexpr Cause kTimeout{
    .id = "E-TIMEOUT",
    .condition = errc::timeout,
    .what = "the operation took too long",
    .next = "check that the other side is running and reachable",
    .explain =
        "A deadline passed before the operation ended. Nothing was retried behind your "
        "back.",
};
constexpr Cause kNoHandler{
    .id = "E-CONN-NO-HANDLER",
    .condition = errc::unavailable,
    .what = "the node has no handler for this service",
    .next = "ask the node what it offers: alknet probe ADDRESS",
    .explain =
        "The service was removed between the TLS handshake and the moment the "
        "connection was handed over (close code 1).",
};
constexpr Cause kAuthRequired{
    .id = "E-AUTH-REQUIRED",
    .condition = errc::auth_required,
    .what = "this service needs a known identity",
    .next = "give the owner of the node your node id: alknet id",
    .explain =
        "The service is only for peers that the node knows, and this connection proved "
        "no key, or a key that the node does not know (close code 2).",
};
constexpr Cause kForbidden{
    .id = "E-AUTH-FORBIDDEN",
    .condition = errc::forbidden,
    .what = "this identity may not use this service",
    .next = "ask the owner of the node for access",
    .explain = "The node knows who you are, and its rules do not allow it (close code 3).",
};
constexpr Cause kLimit{
    .id = "E-LIMIT",
    .condition = errc::limit,
    .what = "a limit was reached",
    .next = "raise the named limit in alknet.toml, or try again later",
    .explain =
        "Every queue, map and rate has a limit so that one peer cannot use up the "
        "node. The detail names the configuration key of the limit that struck (close "
        "code 4).",
};
constexpr Cause kProtocol{
    .id = "E-PROTOCOL",
    .condition = errc::protocol,
    .what = "the other side broke the rules of the protocol",
    .next = "check that both ends speak the same service and version",
    .explain =
        "Bytes arrived that the protocol of this service does not allow (close code "
        "5). The detail says which rule.",
};
constexpr Cause kInternal{
    .id = "E-INTERNAL",
    .condition = errc::internal,
    .what = "a bug in this program stopped the operation",
    .next = "please report it with the detail and the log lines around it",
    .explain =
        "An assertion failed or an exception escaped. The connection it happened on "
        "was closed with code 6; nothing else is affected.",
};
constexpr Cause kShuttingDown{
    .id = "E-NODE-SHUTDOWN",
    .condition = errc::closed,
    .what = "the node is shutting down",
    .next = "connect again when it is back",
    .explain =
        "The node stops accepting, tells its handlers, waits for the grace period and "
        "closes what is left with code 7.",
};
constexpr Cause kHandlerFailed{
    .id = "E-HANDLER-FAILED",
    .condition = errc::internal,
    .what = "the handler of this service failed",
    .next = "look at the node's log for the event handler.failed",
    .explain = "A handler returned an error or threw. Only its own connection ended.",
};
constexpr Cause kNotSupported{
    .id = "E-NOT-SUPPORTED",
    .condition = errc::invalid,
    .what = "this transport cannot do that",
    .next = "use a transport that can: --transport quic",
    .explain =
        "A TLS-over-TCP connection or a plain byte stream carries exactly one "
        "bidirectional stream: no further streams and no datagrams.",
};
constexpr Cause kResumeLost{
    .id = "E-RESUME-LOST",
    .condition = errc::timeout,
    .what = "the connection was lost and could not be made again in time",
    .next = "see why the node cannot be reached: alknet ping ADDRESS; then start again",
    .explain =
        "A resumable stream waits for its connection to come back, and both ends keep what the "
        "other has not got. The time for which they do has passed: on the node "
        "resume.linger_max, or what the client asked for if that is less. The detail says why the "
        "last attempt failed.",
};
constexpr Cause kResumeUnknown{
    .id = "E-RESUME-UNKNOWN",
    .condition = errc::not_found,
    .what = "the node does not have this stream any more",
    .next = "start again; the node's log tells of a restart, or of the event resume.expired",
    .explain =
        "The connection came back, and the node has forgotten the stream that it carried: the "
        "node was started again, or the stream was left alone for longer than resume.linger_max. "
        "What it had received may be more than what was acknowledged.",
};
constexpr Cause kTls{
    .id = "E-TLS",
    .condition = errc::protocol,
    .what = "the TLS handshake failed",
    .next = "see the detail; alknet probe ADDRESS shows what the node offers",
    .explain =
        "TLS refused before any service was reached. The detail names the alert and "
        "which side sent it.",
};
constexpr Cause kNoCommonAlpn{
    .id = "E-TLS-NO-ALPN",
    .condition = errc::unavailable,
    .what = "the node does not offer this service",
    .next = "ask the node what it offers: alknet probe ADDRESS",
    .explain =
        "None of the ALPN names in the ClientHello is served there (TLS alert 120, "
        "QUIC error 0x178). Before the handshake ends nobody has proven a key, so a "
        "stranger in the path can cause this too.",
};
constexpr Cause kPeerKeyMismatch{
    .id = "E-TLS-KEY-MISMATCH",
    .condition = errc::forbidden,
    .what = "the node has another key than the one expected",
    .next =
        "check the node id; if the node was really given a new key, use the new id, or, for a "
        "host without one, forget the old key: alknet known remove HOST:PORT",
    .explain =
        "The peer proved possession of a key, and it is not the one that you pinned, or "
        "that its host name is known by (alknet known list). Either the address leads to "
        "another node, or somebody is in the way. Nothing was sent to it. A host that is "
        "met for the first time is not believed either if two of its ways, or two "
        "programs at a time, saw different keys there.",
};
constexpr Cause kPeerUnverified{
    .id = "E-TLS-UNVERIFIED",
    .condition = errc::forbidden,
    .what = "the node could not be verified",
    .next = "name its node id: alknet://NODE_ID@HOST:PORT; or trust it on first use: --tofu",
    .explain =
        "A bare host name is verified by the certificate authorities of this system, "
        "and this certificate does not verify; or the node has a raw key, which a node id "
        "verifies. Who is sure that nobody is in the way can trust what it shows the first "
        "time, with a yes at the terminal or --tofu: it is remembered in known_nodes, and "
        "nothing else is accepted later.",
};
constexpr Cause kAlpnInvalid{
    .id = "E-ALPN-INVALID",
    .condition = errc::invalid,
    .what = "this is not a usable service name",
    .next = "use 1 to 31 octets, for example alknet/echo",
    .explain =
        "ALPN names are 1 to 255 octets in TLS; the library used here carries at most "
        "31.",
};
constexpr Cause kKeyInvalid{
    .id = "E-KEY-INVALID",
    .condition = errc::invalid,
    .what = "this key cannot be read",
    .next = "give 64 hex digits, ed25519:HEX, z-base-32, base32 or an ssh-ed25519 line",
    .explain =
        "Node ids are Ed25519 public keys of 32 octets, in any of the listed text "
        "forms. Key files hold a PKCS#8 PEM block.",
};
constexpr Cause kCertificateInvalid{
    .id = "E-CERT-INVALID",
    .condition = errc::invalid,
    .what = "this certificate or its key cannot be used",
    .next = "check the files with: openssl x509 -in FILE -noout -text",
    .explain =
        "The certificate chain and private key must be PEM files, belong together and "
        "be readable by the node.",
};
constexpr Cause kVersionMismatch{
    .id = "E-QUIC-VERSION",
    .condition = errc::protocol,
    .what = "the other side speaks no QUIC version that we know",
    .next = "upgrade the older side",
    .explain =
        "The node answered with a Version Negotiation packet that lists neither QUIC "
        "version 1 nor version 2.",
};
constexpr Cause kStatelessReset{
    .id = "E-QUIC-STATELESS-RESET",
    .condition = errc::reset,
    .what = "the other side has forgotten this connection",
    .next = "connect again",
    .explain = "A stateless reset arrived: the other side restarted or lost its state.",
};
constexpr Cause kConfigInvalid{
    .id = "E-CONFIG-INVALID",
    .condition = errc::invalid,
    .what = "the configuration is not valid",
    .next = "correct the named line and try again",
    .explain =
        "alknet.toml could not be read as TOML, or has an unknown key or a value out "
        "of range. The detail has the line, the column and the reason.",
};
constexpr Cause kConfigMissing{
    .id = "E-CONFIG-MISSING",
    .condition = errc::not_found,
    .what = "there is no node in this home",
    .next = "make one: alknet init",
    .explain =
        "The directory that should hold alknet.toml and the node's key does not have "
        "them. --home DIR, the variable ALKNET_HOME or the XDG directories choose the "
        "place.",
};
constexpr Cause kHomeExists{
    .id = "E-HOME-EXISTS",
    .condition = errc::exists,
    .what = "there is already a node in this home",
    .next = "use it, or choose another place: --home DIR",
    .explain = "alknet init never overwrites a key or a configuration.",
};
constexpr Cause kHomeInvalid{
    .id = "E-HOME-INVALID",
    .condition = errc::invalid,
    .what = "the home directory cannot be used",
    .next = "mend what the detail names, or choose another home: --home DIR",
    .explain =
        "The home must be a directory that only its owner can write to, and the key "
        "file readable by its owner alone.",
};
constexpr Cause kUsage{
    .id = "E-USAGE",
    .condition = errc::invalid,
    .what = "what was asked for does not fit",
    .next = "see: alknet COMMAND --help; for an operation: alknet call NODE --schema OPERATION",
    .explain =
        "An option of the command line, an operand or a member of an operation's input is unknown, "
        "is missing, has a value that does not fit, or does not fit another one. The message says "
        "which, and what is expected.",
};
constexpr Cause kUnknownPeer{
    .id = "E-PEER-UNKNOWN",
    .condition = errc::not_found,
    .what = "there is no peer of this name",
    .next = "see who is known: alknet peer list; or use alknet://NODE_ID@HOST:PORT",
    .explain =
        "Names are looked up among the peers that alknet peer has added, the [[peer]] entries of "
        "alknet.toml and the lines of authorized_keys.",
};
constexpr Cause kOutputClosed{
    .id = "E-OUTPUT-CLOSED",
    .condition = errc::closed,
    .what = "nobody reads the standard output any more",
    .next = "run it again and read all of its output",
    .explain =
        "The program that this one wrote to has closed its end, as `head` does when it has seen "
        "enough. The command stops quietly with exit code 141.",
};
constexpr Cause kDiskFull{
    .id = "E-DISK-FULL",
    .condition = errc::io,
    .what = "the disk is full",
    .next = "make room on the disk that holds the home, and try again",
    .explain =
        "What was to be written did not fit, or the quota is used up. What was there before is "
        "there still.",
};
constexpr Cause kDiskReadOnly{
    .id = "E-DISK-READ-ONLY",
    .condition = errc::io,
    .what = "the disk can only be read",
    .next = "mount the disk that holds the home for writing, or choose another: --home DIR",
    .explain =
        "The file system or the state of the node was opened for reading alone. Nothing was "
        "changed.",
};
constexpr Cause kStoreInvalid{
    .id = "E-STORE-INVALID",
    .condition = errc::invalid,
    .what = "the node's state cannot be used",
    .next = "put state.db back from a backup, or move it away and add what it held again",
    .explain =
        "state.db is damaged, belongs to another program or user, or was written by a newer "
        "alknet. It is left as it is. The key and alknet.toml are files of their own and are not "
        "touched by this.",
};
constexpr Cause kStoreBusy{
    .id = "E-STORE-BUSY",
    .condition = errc::timeout,
    .what = "another program holds the node's state",
    .next = "wait until the other command has ended, and try again",
    .explain =
        "One writer at a time changes state.db, and the other one did not end within a few "
        "seconds. Nothing was changed.",
};
constexpr Cause kScopeInvalid{
    .id = "E-SCOPE-INVALID",
    .condition = errc::invalid,
    .what = "this is not a scope",
    .next = "write SERVICE:ACTION or SERVICE:ACTION:RESOURCE, for example git:read:website",
    .explain =
        "A scope names a service, what may be done there, and perhaps with what. Service and "
        "action are lower-case letters, digits, '.', '_' and '-', or '*' for any; the resource is "
        "everything after the second colon, without white space.",
};
constexpr Cause kScopeMissing{
    .id = "E-AUTH-SCOPE",
    .condition = errc::forbidden,
    .what = "this identity lacks a scope",
    .next = "ask the owner of the node for the named scope",
    .explain =
        "The node knows who you are, and none of your scopes covers what was asked (close code "
        "3). Its owner sees the line that decides with: alknet access check.",
};
constexpr Cause kPeerExists{
    .id = "E-PEER-EXISTS",
    .condition = errc::exists,
    .what = "another peer has this name or key",
    .next = "choose another name, or see who it is: alknet peer list",
    .explain =
        "A key belongs to one peer. Names must differ by more than letter case and characters "
        "that look alike, such as 0 and o or 1 and l, so that nobody can be mistaken for somebody "
        "else.",
};
constexpr Cause kTokenInvalid{
    .id = "E-TOKEN-INVALID",
    .condition = errc::forbidden,
    .what = "this token is not accepted",
    .next = "get a new token from the owner of the node",
    .explain =
        "The token is not known here, has expired, was used before, is for another node or "
        "purpose, or belongs to a peer that is disabled. Which of these is told to the node's "
        "owner alone, in its log. A token that fails is never ignored in favour of a weaker "
        "identity.",
};
constexpr Cause kAuditBroken{
    .id = "E-AUDIT-BROKEN",
    .condition = errc::invalid,
    .what = "the audit log is not as it was written",
    .next = "keep the files as they are, and find out who or what has changed them",
    .explain =
        "Each record carries the digest of the one before it, and the head names the last one. "
        "Somewhere they do not fit: a line was changed, taken out, put in or cut off, by somebody "
        "who can write into the home or by a disk that fails. What stands before the place is as "
        "it was written. alknet audit verify names every such place; docs/audit.md describes the "
        "format. The node goes on writing behind it.",
};
constexpr Cause kRotationInvalid{
    .id = "E-ROTATION-INVALID",
    .condition = errc::invalid,
    .what = "this change of a key is not to be believed",
    .next = "ask the owner of the other node for its key: alknet id",
    .explain =
        "A node that changes its key says so in a statement that both its keys have signed and "
        "that holds for a time. This one was not signed by the key that is known, is not for now, "
        "is older than one that was seen, or belongs to a peer that is not allowed in. Nothing has "
        "changed: the key that was known is the only one that is accepted.",
};
constexpr Cause kInvitationInvalid{
    .id = "E-INVITE-INVALID",
    .condition = errc::invalid,
    .what = "this is no whole invitation",
    .next = "copy the whole line again, as alknet peer invite printed it",
    .explain =
        "An invitation is one line without white space that begins with alkjoin1. Its last digits "
        "are a checksum of all the others, so that a line that was cut, or of which a character "
        "is wrong, is noticed before anything is sent.",
};
constexpr Cause kInvitationRefused{
    .id = "E-INVITE-REFUSED",
    .condition = errc::forbidden,
    .what = "the node does not accept this invitation",
    .next = "ask whoever invited you for a new one",
    .explain =
        "It has ended, was used or taken back, is for another key, or was never made there. Which "
        "of these is told to the node's owner alone, in its log (invitation.refused). An "
        "invitation that somebody else has used first means that the line was seen by others: "
        "tell its owner, whose log has invitation.alarm.",
};

}  // namespace causes

namespace {

constexpr std::array kAll = {
    &causes::kClosed,
    &causes::kReset,
    &causes::kCancelled,
    &causes::kTimeout,
    &causes::kNoHandler,
    &causes::kAuthRequired,
    &causes::kForbidden,
    &causes::kLimit,
    &causes::kProtocol,
    &causes::kInternal,
    &causes::kShuttingDown,
    &causes::kHandlerFailed,
    &causes::kNotSupported,
    &causes::kResumeLost,
    &causes::kResumeUnknown,
    &causes::kIo,
    &causes::kAddressInUse,
    &causes::kAddressInvalid,
    &causes::kResolve,
    &causes::kUnreachable,
    &causes::kProxyHeader,
    &causes::kHandshakeTimeout,
    &causes::kIdleTimeout,
    &causes::kClockWrong,
    &causes::kCutShort,
    &causes::kNoAnswer,
    &causes::kNodeDown,
    &causes::kNotForwarded,
    &causes::kPathLoss,
    &causes::kPathMtu,
    &causes::kProxyNeeded,
    &causes::kQuicForged,
    &causes::kTcpBlocked,
    &causes::kTlsOpened,
    &causes::kUdpBlocked,
    &causes::kUdpOneWay,
    &causes::kUdpPoliced,
    &causes::kProxyInvalid,
    &causes::kProxyAuth,
    &causes::kProxyRefused,
    &causes::kTls,
    &causes::kNoCommonAlpn,
    &causes::kPeerKeyMismatch,
    &causes::kPeerUnverified,
    &causes::kAlpnInvalid,
    &causes::kKeyInvalid,
    &causes::kCertificateInvalid,
    &causes::kVersionMismatch,
    &causes::kStatelessReset,
    &causes::kConfigInvalid,
    &causes::kConfigMissing,
    &causes::kAssertionFailed,
    &causes::kConfigBusy,
    &causes::kConfigChanged,
    &causes::kConfigPending,
    &causes::kConfigNotPending,
    &causes::kFileMissing,
    &causes::kLastAdmin,
    &causes::kOwnAccess,
    &causes::kRenewEarly,
    &causes::kHomeExists,
    &causes::kHomeInvalid,
    &causes::kUsage,
    &causes::kUnknownPeer,
    &causes::kOutputClosed,
    &causes::kDiskFull,
    &causes::kDiskReadOnly,
    &causes::kStoreInvalid,
    &causes::kStoreBusy,
    &causes::kScopeInvalid,
    &causes::kScopeMissing,
    &causes::kPeerExists,
    &causes::kTokenInvalid,
    &causes::kAuditBroken,
    &causes::kRotationInvalid,
    &causes::kNoOperation,
    &causes::kOperationType,
    &causes::kProgramDown,
    &causes::kProgramStart,
    &causes::kProgramUser,
    &causes::kNoRun,
    &causes::kImportAway,
    &causes::kImportLost,
    &causes::kImportRefused,
    &causes::kInvitationInvalid,
    &causes::kInvitationRefused,
    &causes::kNoAlgorithm,
    &causes::kLoginFailed,
    &causes::kSshUser,
};

char lower(char c) noexcept {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

}  // namespace

std::span<const Cause* const> all_causes() noexcept {
    return kAll;
}

const Cause* find_cause(std::string_view id) noexcept {
    const auto same = [id](const Cause* cause) {
        return std::ranges::equal(cause->id, id, {}, lower, lower);
    };
    const auto found = std::ranges::find_if(kAll, same);
    return found == kAll.end() ? nullptr : *found;
}

}  // namespace alknet
