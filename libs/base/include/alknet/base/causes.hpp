// The catalogue of causes: every error that a person can see has its entry here, with a stable id,
// the next step and a longer explanation for `alknet explain ID`. A test checks that ids are unique
// and that each entry is complete; the tree lint, that a test of another room meets each cause.
#pragma once

#include <alknet/base/result.hpp>
#include <span>
#include <string_view>

namespace alknet {

namespace causes {

// Streams and connections.
extern const Cause kClosed;
extern const Cause kReset;
extern const Cause kCancelled;
extern const Cause kTimeout;
extern const Cause kNoHandler;
extern const Cause kAuthRequired;
extern const Cause kForbidden;
extern const Cause kLimit;
extern const Cause kProtocol;
extern const Cause kInternal;
extern const Cause kShuttingDown;
extern const Cause kHandlerFailed;
extern const Cause kNotSupported;
extern const Cause kResumeLost;
extern const Cause kResumeUnknown;

// The operating system and the network.
extern const Cause kIo;
extern const Cause kAddressInUse;
extern const Cause kAddressInvalid;
extern const Cause kResolve;
extern const Cause kUnreachable;
extern const Cause kProxyHeader;
extern const Cause kHandshakeTimeout;
extern const Cause kIdleTimeout;
extern const Cause kProxyInvalid;
extern const Cause kProxyAuth;
extern const Cause kProxyRefused;

// What the doctor finds on the way between two nodes.
extern const Cause kClockWrong;
extern const Cause kCutShort;
extern const Cause kNoAnswer;
extern const Cause kNodeDown;
extern const Cause kNotForwarded;
extern const Cause kPathLoss;
extern const Cause kPathMtu;
extern const Cause kProxyNeeded;
extern const Cause kQuicForged;
extern const Cause kTcpBlocked;
extern const Cause kTlsOpened;
extern const Cause kUdpBlocked;
extern const Cause kUdpOneWay;
extern const Cause kUdpPoliced;

// TLS and identity.
extern const Cause kTls;
extern const Cause kNoCommonAlpn;
extern const Cause kPeerKeyMismatch;
extern const Cause kPeerUnverified;
extern const Cause kAlpnInvalid;
extern const Cause kKeyInvalid;
extern const Cause kCertificateInvalid;
extern const Cause kVersionMismatch;
extern const Cause kStatelessReset;

// Configuration, files and the command line.
extern const Cause kConfigInvalid;
extern const Cause kConfigMissing;
extern const Cause kHomeExists;
extern const Cause kHomeInvalid;
extern const Cause kUsage;
extern const Cause kUnknownPeer;
extern const Cause kOutputClosed;

// State on the disk.
extern const Cause kDiskFull;
extern const Cause kDiskReadOnly;
extern const Cause kStoreInvalid;
extern const Cause kStoreBusy;

// Peers and what they may do.
extern const Cause kScopeInvalid;
extern const Cause kScopeMissing;
extern const Cause kPeerExists;
extern const Cause kTokenInvalid;

}  // namespace causes

/// All entries, in the order above.
[[nodiscard]] std::span<const Cause* const> all_causes() noexcept;

/// Finds an entry by its id, letter case ignored; null if there is none.
[[nodiscard]] const Cause* find_cause(std::string_view id) noexcept;

}  // namespace alknet
