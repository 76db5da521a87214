#include <alknet/rt/cancel.hpp>

namespace alknet {

Cancel::Cancel(Cancel* parent) noexcept {
    if (parent != nullptr) {
        requested_ = parent->requested_;
        parent->children_.push_back(*this);
    }
}

void Cancel::request() noexcept {
    if (requested_) {
        return;
    }
    requested_ = true;
    while (CancelHook* hook = hooks_.pop_front()) {
        hook->on_cancel();
    }
    children_.for_each([](Cancel& child) { child.request(); });
}

void Cancel::add(CancelHook& hook) noexcept {
    if (requested_) {
        hook.on_cancel();
    } else {
        hooks_.push_back(hook);
    }
}

}  // namespace alknet
