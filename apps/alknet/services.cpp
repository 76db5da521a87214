#include "services.hpp"

#include <alknet/call/envelope.hpp>
#include <alknet/core/echo.hpp>
#include <alknet/doctor/handler.hpp>
#include <alknet/identity/join.hpp>
#include <alknet/identity/rotate.hpp>
#include <alknet/resume/frames.hpp>

namespace alknet::app {

std::vector<std::string> services() {
    std::vector<std::string> all;
    for (const std::string_view name :
         {kEchoAlpn, resume::kResumeAlpn, identity::kJoinAlpn, call::kCallAlpn,
          identity::kRotateAlpn, doctor::kDoctorAlpn, doctor::kBenchAlpn}) {
        all.emplace_back(name);
    }
    return all;
}

}  // namespace alknet::app
