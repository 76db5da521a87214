#include "services.hpp"

#include <alknet/call/envelope.hpp>
#include <alknet/core/echo.hpp>
#include <alknet/doctor/handler.hpp>
#include <alknet/identity/join.hpp>
#include <alknet/identity/rotate.hpp>
#include <alknet/resume/frames.hpp>

namespace alknet::app {

namespace {

// Of adapters that a build may leave out: a file that names them has no typing error.
constexpr std::string_view kHttp11 = "http/1.1";
constexpr std::string_view kHttp2 = "h2";
constexpr std::string_view kHttp3 = "h3";
constexpr std::string_view kHttp = "alknet/http";
constexpr std::string_view kSsh = "alknet/ssh";

}  // namespace

std::vector<std::string> services() {
    std::vector<std::string> all;
    for (const std::string_view name : {kEchoAlpn, resume::kResumeAlpn, identity::kJoinAlpn,
                                        call::kCallAlpn, identity::kRotateAlpn, doctor::kDoctorAlpn,
                                        doctor::kBenchAlpn, kHttp11, kHttp2, kHttp3, kHttp, kSsh}) {
        all.emplace_back(name);
    }
    return all;
}

bool is_for_quic_alone(std::string_view alpn) {
    return alpn == kHttp3;
}

}  // namespace alknet::app
