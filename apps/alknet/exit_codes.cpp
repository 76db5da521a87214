#include "exit_codes.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_call.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/base/causes_exec.hpp>
#include <alknet/base/causes_invitation.hpp>
#include <alknet/base/causes_ssh.hpp>
#include <array>

namespace alknet::app {

namespace {

constexpr std::array kTable = {
    ExitCodeInfo{ExitCode::ok, "It worked."},
    ExitCodeInfo{ExitCode::failure, "It failed for a reason that no other code stands for."},
    ExitCodeInfo{ExitCode::usage,
                 "What was asked for does not fit: an option, an address, a key or a name of "
                 "a service."},
    ExitCodeInfo{ExitCode::config, "The home or its configuration is missing or cannot be used."},
    ExitCodeInfo{ExitCode::unreachable, "Nothing answers there, or not in time."},
    ExitCodeInfo{ExitCode::refused,
                 "The other side refused, does not offer the service, or could "
                 "not be verified."},
    ExitCodeInfo{ExitCode::interrupted, "Interrupted: SIGINT, as Ctrl-C sends it."},
    ExitCodeInfo{ExitCode::output_closed, "Nobody reads the standard output any more."},
};

struct Mapping {
    const Cause* cause;
    ExitCode code;
};

// Where the condition alone would say too little.
constexpr std::array kByCause = {
    Mapping{&causes::kUsage, ExitCode::usage},
    Mapping{&causes::kAddressInvalid, ExitCode::usage},
    Mapping{&causes::kAlpnInvalid, ExitCode::usage},
    Mapping{&causes::kKeyInvalid, ExitCode::usage},
    Mapping{&causes::kScopeInvalid, ExitCode::usage},
    Mapping{&causes::kInvitationInvalid, ExitCode::usage},
    Mapping{&causes::kConfigInvalid, ExitCode::config},
    Mapping{&causes::kProgramUser, ExitCode::config},
    Mapping{&causes::kSshUser, ExitCode::config},
    Mapping{&causes::kConfigMissing, ExitCode::config},
    Mapping{&causes::kAssertionFailed, ExitCode::config},
    Mapping{&causes::kConfigBusy, ExitCode::config},
    Mapping{&causes::kConfigChanged, ExitCode::config},
    Mapping{&causes::kConfigPending, ExitCode::config},
    Mapping{&causes::kConfigNotPending, ExitCode::config},
    Mapping{&causes::kFileMissing, ExitCode::config},
    Mapping{&causes::kLastAdmin, ExitCode::config},
    Mapping{&causes::kOwnAccess, ExitCode::config},
    Mapping{&causes::kHomeExists, ExitCode::config},
    Mapping{&causes::kHomeInvalid, ExitCode::config},
    Mapping{&causes::kCertificateInvalid, ExitCode::config},
    Mapping{&causes::kUnknownPeer, ExitCode::config},
    Mapping{&causes::kPeerExists, ExitCode::config},
    Mapping{&causes::kStoreInvalid, ExitCode::config},
    Mapping{&causes::kNoHandler, ExitCode::refused},
    Mapping{&causes::kNoOperation, ExitCode::refused},
    Mapping{&causes::kOperationType, ExitCode::usage},
    Mapping{&causes::kNoRun, ExitCode::refused},
    Mapping{&causes::kNoCommonAlpn, ExitCode::refused},
    Mapping{&causes::kTls, ExitCode::refused},
    Mapping{&causes::kVersionMismatch, ExitCode::refused},
    Mapping{&causes::kCancelled, ExitCode::interrupted},
    Mapping{&causes::kOutputClosed, ExitCode::output_closed},
};

}  // namespace

std::span<const ExitCodeInfo> exit_codes() noexcept {
    return kTable;
}

ExitCode exit_code(const error& failure) noexcept {
    const auto found = std::ranges::find(kByCause, &failure.cause(), &Mapping::cause);
    if (found != kByCause.end()) {
        return found->code;
    }
    switch (failure.condition()) {
        case errc::timeout:
        case errc::unavailable:
            return ExitCode::unreachable;
        case errc::auth_required:
        case errc::forbidden:
        case errc::limit:
            return ExitCode::refused;
        default:
            return ExitCode::failure;
    }
}

}  // namespace alknet::app
