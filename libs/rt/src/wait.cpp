#include <alknet/base/causes.hpp>
#include <alknet/base/mutation.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/wait.hpp>

namespace alknet {

bool WaitNode::suspend(PromiseBase& promise) noexcept {
    promise_ = &promise;
    Cancel* cancel = cancellable_ ? promise.context.cancel : nullptr;
    if (cancel != nullptr && cancel->requested()) {
        // Through the ready queue: a coroutine that goes on in spite of being cancelled must not
        // keep the loop from everybody else.
        cancelled_ = true;
        promise.context.loop->make_ready(promise);
        return true;
    }
    state_ = State::waiting;
    list_.waiters_.push_back(*this);
    if (cancel != nullptr) {
        cancel->add(*this);
    }
    return true;
}

result<void> WaitNode::await_resume() {
    leave(true);
    if (cancelled_) {
        return fail(causes::kCancelled);
    }
    return {};
}

void WaitNode::wake(State how) noexcept {
    ListHook<WaitTag>::unlink();
    state_ = how;
    list_.woken_.push_back(*this);
    promise_->context.loop->make_ready(*promise_);
}

void WaitNode::leave(bool offer_taken) noexcept {
    const bool offered = state_ == State::offered && ListHook<WaitTag>::linked();
    state_ = State::idle;
    ListHook<WaitTag>::unlink();
    CancelHook::unlink();
    if (offered) {
        --list_.offers_;
        if (!offer_taken) {
            list_.wake_one();
        }
    }
}

void WaitNode::on_cancel() noexcept {
    cancelled_ = true;
    const bool was_waiting = state_ == State::waiting;
    leave(false);
    if (was_waiting && !ALKNET_MUTATION(lose_cancel_wakeup)) {
        promise_->context.loop->make_ready(*promise_);
    }
}

void WaitList::wake_one() noexcept {
    if (WaitNode* node = waiters_.front()) {
        ++offers_;
        node->wake(WaitNode::State::offered);
    }
}

void WaitList::wake_all() noexcept {
    while (WaitNode* node = waiters_.front()) {
        node->wake(WaitNode::State::woken);
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
