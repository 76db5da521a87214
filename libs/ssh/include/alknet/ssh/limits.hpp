// What one SSH connection may use up. Each limit has a test that reaches it.
#pragma once

#include <alknet/rt/time.hpp>
#include <cstddef>
#include <cstdint>

namespace alknet::ssh {

// The transport.
inline constexpr std::size_t kIdentBytesMax = 255;  // of its line, the end included (RFC 4253, 4.2)
inline constexpr std::size_t kIdentLinesMax = 64;   // that a server may send before its own
inline constexpr std::size_t kPacketsBeforeKeysMax = 64;
/// Of a packet, its length field and the tag aside.
inline constexpr std::size_t kPacketBytesBeforeAuthMax = 35'000;
inline constexpr std::size_t kPacketBytesMax = (256 << 10) + 1024;
inline constexpr std::size_t kNameListBytesMax = 8 << 10;
/// What waits for new keys before it can be sent.
inline constexpr std::size_t kHeldBytesMax = 4 << 20;
/// New keys are asked for after so much in either direction …
inline constexpr std::uint64_t kRekeyBytes = 1 << 30;
inline constexpr std::uint64_t kRekeyPackets = 1U << 31;
/// … and a peer that goes on under the old ones for this often as much is cut off.
inline constexpr std::uint64_t kRekeyPatience = 4;

// Who logs in.
inline constexpr std::size_t kAuthFailuresMax = 6;
inline constexpr std::size_t kAuthRequestsMax = 64;  // those for known keys included
inline constexpr std::size_t kUserBytesMax = 256;
inline constexpr std::size_t kKeyBlobBytesMax = 4096;
inline constexpr std::size_t kBannersMax = 16;  // that a server may show whoever logs in to it
inline constexpr std::size_t kRsaBitsMin = 2048;
inline constexpr std::size_t kRsaBitsMax = 8192;

// Channels.
inline constexpr std::size_t kChannelsMax = 4096;
inline constexpr std::uint32_t kWindowBytes = 2 << 20;  // that a channel's peer may send ahead
inline constexpr std::uint32_t kChannelPacketBytes = 128 << 10;  // of data, that we take
inline constexpr std::uint32_t kDataBytesMax = 64 << 10;         // of data, that we send at once
inline constexpr std::size_t kHostBytesMax = 255;
inline constexpr std::size_t kSocketPathBytesMax = 1024;
/// Requests of ours that wait for answers: of a channel, and of none.
inline constexpr std::size_t kQuestionsMax = 64;

// Streams of the connection below that carry channels.
inline constexpr std::size_t kChannelStreamsMax = 32;  // of one connection; others carry themselves
/// Streams of one connection that have not said yet for what they are, and how long they may.
inline constexpr std::size_t kUnboundStreamsMax = 16;
inline constexpr Duration kBindTime = std::chrono::seconds(10);
inline constexpr std::size_t kStreamReadBytesMin = 4 << 10;
inline constexpr std::size_t kStreamReadBytesMax = 64 << 10;

inline constexpr std::size_t kGlobalsMax = 64;    // global requests that wait for their answers
inline constexpr std::size_t kListenersMax = 64;  // of one connection
inline constexpr std::size_t kListenersOfIdentityMax = 128;  // of all of its connections
/// A silent predecessor has so long to show that it is there …
inline constexpr Duration kProofTime = std::chrono::seconds(2);
/// … and whoever wants its listener waits so long for it.
inline constexpr Duration kTakeOverTime = std::chrono::seconds(3);

// Commands and shells.
inline constexpr std::size_t kProgramsMax = 64;             // of one connection
inline constexpr std::size_t kProgramsOfIdentityMax = 128;  // of all of its connections
inline constexpr std::uint64_t kProgramFilesMax = 1024;
inline constexpr std::uint64_t kProgramProcessesMax = 1024;  // of the user, in all
inline constexpr std::size_t kAgentConnectionsMax = 16;      // of one program, at a time
/// Between SIGHUP and SIGKILL, for a program whose client has gone.
inline constexpr Duration kHangUpTime = std::chrono::seconds(1);
/// What a program has said is sent on for so long after its end, if somebody else still holds its
/// output and says nothing.
inline constexpr Duration kLastWordsTime = std::chrono::seconds(1);

// What the node answers by itself.
inline constexpr std::size_t kNodeInputBytesMax = 1 << 20;  // of an operation, on standard input
inline constexpr Duration kNodeCallTime = std::chrono::seconds(30);

/// A certificate's time is looked at so often, and when it ends.
inline constexpr Duration kCertificateLookTime = std::chrono::minutes(1);

// The driver.
inline constexpr std::size_t kReadBytesMin = 4 << 10;
inline constexpr std::size_t kReadBytesMax = 256 << 10;
/// Sealed and not yet taken by the stream: above it channels do not send, and nothing is read.
inline constexpr std::size_t kOutBytesMax = 256 << 10;
inline constexpr Duration kLoginTime = std::chrono::seconds(30);
inline constexpr Duration kRekeyTime = std::chrono::hours(1);
inline constexpr Duration kExchangeTime = std::chrono::seconds(60);
/// After so long without a word of the client it is asked for one, lest the connection below takes
/// the session for idle.
inline constexpr Duration kQuietTime = std::chrono::seconds(60);
/// A client's servers are asked after so long without a word of theirs, and given up after so many
/// questions.
inline constexpr Duration kServerQuietTime = std::chrono::seconds(15);
inline constexpr std::size_t kServerQuestions = 3;
inline constexpr Duration kConnectTime = std::chrono::seconds(30);
/// Connections of the node that have not logged in.
inline constexpr std::size_t kLoginsMax = 128;

}  // namespace alknet::ssh
