#include <alknet/base/causes.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/wait.hpp>

namespace alknet {

bool WaitNode::suspend(PromiseBase& promise) noexcept {
    promise_ = &promise;
    Cancel* cancel = cancellable_ ? promise.context.cancel : nullptr;
    if (cancel != nullptr && cancel->requested()) {
        cancelled_ = true;
        return false;
    }
    list_.waiters_.push_back(*this);
    if (cancel != nullptr) {
        cancel->add(*this);
    }
    return true;
}

result<void> WaitNode::await_resume() const {
    if (cancelled_) {
        return fail(causes::kCancelled);
    }
    return {};
}

void WaitNode::wake() noexcept {
    ListHook<WaitTag>::unlink();
    CancelHook::unlink();
    promise_->context.loop->make_ready(*promise_);
}

void WaitNode::on_cancel() noexcept {
    cancelled_ = true;
    wake();
}

void WaitList::wake_one() noexcept {
    if (WaitNode* node = waiters_.front()) {
        node->wake();
    }
}

void WaitList::wake_all() noexcept {
    while (WaitNode* node = waiters_.front()) {
        node->wake();
    }
}

task<result<void>> Event::wait() {
    while (!set_) {
        ALKNET_CO_CHECK(co_await waiters_.wait());
    }
    co_return result<void>{};
}

task<void> Event::wait_uncancellable() {
    while (!set_) {
        (void)co_await waiters_.wait_uncancellable();
    }
}

}  // namespace alknet
