// EitherCancel: below two parents, which Cancel alone cannot be.
#pragma once

#include <alknet/rt/cancel.hpp>

namespace alknet {

class EitherCancel final : private CancelHook {
public:
    /// `a` may be null. Both outlive this or are requested before they die.
    EitherCancel(Cancel* a, Cancel& b) : token_(a) { b.add(*this); }

    [[nodiscard]] Cancel& token() noexcept { return token_; }

private:
    void on_cancel() noexcept override { token_.request(); }
    Cancel token_;
};

}  // namespace alknet
