#include <alknet/core/goodput_meter.hpp>

namespace alknet {

std::optional<GoodputMeter::Measured> GoodputMeter::look(TimePoint now, std::uint64_t bytes,
                                                         bool pushing) noexcept {
    const Mark here{.at = now, .bytes = bytes};
    if (!began_) {
        began_ = looked_ = here;
        return std::nullopt;
    }
    const Duration since = now - looked_.at;
    if (since < kLook) {
        return std::nullopt;
    }
    const double rate =
        static_cast<double>(bytes - looked_.bytes) / std::chrono::duration<double>(since).count();
    looked_ = here;
    if (!pushing && rate < static_cast<double>(kBusyRate)) {
        began_ = here;
        return std::nullopt;
    }
    const Measured measured{.bytes = bytes - began_->bytes, .time = now - began_->at};
    if (measured.time < PathMemory::kGoodputTimeMin) {
        return std::nullopt;
    }
    began_ = here;
    return measured;
}

}  // namespace alknet
