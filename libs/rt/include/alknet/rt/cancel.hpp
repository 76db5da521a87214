// Cancellation is a tree of requests that tasks inherit through their awaits: a wait below a
// requested Cancel ends with kCancelled. Cancelling asks; the work unwinds by returning errors, and
// whoever started it still awaits its end.
//
// One thread: a Cancel belongs to its loop. From another thread: Loop::post.
#pragma once

#include <alknet/rt/intrusive_list.hpp>

namespace alknet {

/// Something that wants to know of a request. It is unlinked before it is told, and told once. It
/// may destroy any Cancel, hook or task that does not run, also the Cancel that tells it.
class CancelHook : public ListHook<struct CancelHookTag> {
public:
    virtual void on_cancel() noexcept = 0;

protected:
    ~CancelHook() = default;
};

class Cancel : public ListHook<struct CancelChildTag> {
public:
    /// A request at `parent`, past or to come, is a request here. A parent that dies first leaves
    /// its children alive and parentless.
    explicit Cancel(Cancel* parent = nullptr) noexcept;
    Cancel(const Cancel&) = delete;
    Cancel& operator=(const Cancel&) = delete;

    [[nodiscard]] bool requested() const noexcept { return requested_; }

    /// Idempotent. Marks everything below first, then tells the hooks. Resumes nobody by itself:
    /// waiters are put on their loop's ready queue.
    void request() noexcept;

    /// Adds `hook`, or tells it at once if the request was already made.
    void add(CancelHook& hook) noexcept;

private:
    bool requested_ = false;
    IntrusiveList<CancelHook, CancelHookTag> hooks_;
    IntrusiveList<Cancel, CancelChildTag> children_;
};

}  // namespace alknet
