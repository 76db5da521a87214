#include <alknet/rt/cancel.hpp>

namespace alknet {

Cancel::Cancel(Cancel* parent) noexcept {
    if (parent == nullptr) {
        return;
    }
    requested_ = parent->requested_;
    if (!requested_) {
        parent->children_.push_back(*this);
    }
}

void Cancel::request() noexcept {
    if (requested_) {
        return;
    }
    // Everything is gathered in locals before the first hook is told: a hook may destroy members of
    // the tree, this one included, and what dies leaves these lists by itself.
    IntrusiveList<CancelHook, CancelHookTag> hooks;
    IntrusiveList<Cancel, CancelChildTag> below;
    requested_ = true;
    hooks.splice_back(hooks_);
    below.splice_back(children_);
    while (Cancel* child = below.pop_front()) {
        if (!child->requested_) {
            child->requested_ = true;
            hooks.splice_back(child->hooks_);
            below.splice_back(child->children_);
        }
    }
    while (CancelHook* hook = hooks.pop_front()) {
        hook->on_cancel();
    }
}

void Cancel::add(CancelHook& hook) noexcept {
    if (requested_) {
        hook.on_cancel();
    } else {
        hooks_.push_back(hook);
    }
}

}  // namespace alknet
