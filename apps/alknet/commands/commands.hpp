// The verbs. Each is one function: it does its work, prints its result and gives the exit code; an
// error is printed by main.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/config/home.hpp>

#include "cli.hpp"
#include "exit_codes.hpp"

namespace alknet::app {

inline constexpr std::string_view kVersion = ALKNET_VERSION;

result<ExitCode> run(const CommandLine& line, const InitOptions& options);
result<ExitCode> run(const CommandLine& line, const IdOptions& options);
result<ExitCode> run(const CommandLine& line, const ServeOptions& options);
result<ExitCode> run(const CommandLine& line, const StatusOptions& options);
result<ExitCode> run(const CommandLine& line, const ReloadOptions& options);
result<ExitCode> run(const CommandLine& line, const PingOptions& options);
result<ExitCode> run(const CommandLine& line, const PathsOptions& options);
result<ExitCode> run(const CommandLine& line, const PipeOptions& options);
result<ExitCode> run(const CommandLine& line, const SshOptions& options);
result<ExitCode> run(const CommandLine& line, const ForwardOptions& options);
result<ExitCode> run(const CommandLine& line, const SshConfigOptions& options);
result<ExitCode> run(const CommandLine& line, const SessionsOptions& options);
result<ExitCode> run(const CommandLine& line, const CallOptions& options);
result<ExitCode> run(const CommandLine& line, const ProbeOptions& options);
result<ExitCode> run(const CommandLine& line, const DoctorOptions& options);
result<ExitCode> run(const CommandLine& line, const BenchOptions& options);
result<ExitCode> run(const CommandLine& line, const ExplainOptions& options);
result<ExitCode> run(const CommandLine& line, const ConfigCheckOptions& options);
result<ExitCode> run(const CommandLine& line, const ConfigShowOptions& options);
result<ExitCode> run(const CommandLine& line, const ConfigDiffOptions& options);
result<ExitCode> run(const CommandLine& line, const ConfigApplyOptions& options);
result<ExitCode> run(const CommandLine& line, const ConfigPendingOptions& options);
result<ExitCode> run(const CommandLine& line, const PeerOptions& options);
result<ExitCode> run(const CommandLine& line, const RenewOptions& options);
result<ExitCode> run(const CommandLine& line, const InvitationOptions& options);
result<ExitCode> run(const CommandLine& line, const JoinOptions& options);
result<ExitCode> run(const CommandLine& line, const ImportOptions& options);
result<ExitCode> run(const CommandLine& line, const TokenOptions& options);
result<ExitCode> run(const CommandLine& line, const TokenSignOptions& options);
result<ExitCode> run(const CommandLine& line, const AccessCheckOptions& options);
result<ExitCode> run(const CommandLine& line, const AuditOptions& options);
result<ExitCode> run(const CommandLine& line, const KeyOptions& options);
result<ExitCode> run(const CommandLine& line, const KnownOptions& options);
result<ExitCode> run(const CommandLine& line, const CompletionOptions& options);
result<ExitCode> run(const CommandLine& line, const ManualOptions& options);
result<ExitCode> run(const CommandLine& line, const HelpOptions& options);
result<ExitCode> run(const CommandLine& line, const VersionOptions& options);

/// Where --home, the environment or the XDG directories say. Errors: kHomeInvalid.
[[nodiscard]] result<std::filesystem::path> home_directory(const CommandLine& line);
/// The node that lives there. Errors: those of Home::open.
[[nodiscard]] result<config::Home> open_home(const CommandLine& line);

/// The host name or address that was given to `option`, without brackets. Errors: kAddressInvalid.
[[nodiscard]] result<std::string> host_given(std::string_view option, std::string_view text);

/// `alknet://NODE_ID@HOST:PORT` for the first listener. A wildcard address, which takes IPv4 along,
/// becomes 127.0.0.1, unless `host` says what others see.
[[nodiscard]] std::string node_url(const NodeId& id, const config::Config& config,
                                   std::string_view host);

}  // namespace alknet::app
