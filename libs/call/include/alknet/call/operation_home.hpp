// OperationHome: the loop on which operations run, for callers whose connections live on others.
// What operations use belongs to one loop; a node accepts connections on several.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/scope.hpp>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

namespace alknet::call {

class OperationHome : public std::enable_shared_from_this<OperationHome> {
public:
    /// Of callers on other loops, all together.
    static constexpr std::size_t kErrandsMax = 4096;

    /// `loop` outlives it, as do the loops of its callers.
    static std::shared_ptr<OperationHome> create(Loop& loop);
    /// After `close`.
    ~OperationHome() = default;
    OperationHome(const OperationHome&) = delete;
    OperationHome& operator=(const OperationHome&) = delete;

    /// On any loop. `function` stays where it is until all that uses it has ended. When this is
    /// cancelled the work is, and is awaited. Errors: those of the work; kLimit; kShuttingDown.
    /// Exceptions of the work come out here.
    task<result<Json>> run(const CallFunction& function, CallContext context, Json input);

    /// Likewise; `items` is used on the caller's loop, one at a time.
    task<result<void>> subscribe(const SubscribeFunction& function, CallContext context, Json input,
                                 ItemSink& items);

    /// On its loop: work that nobody waits for, below `token`.
    void spawn(task<void> work, std::string_view name) { scope_.spawn(std::move(work), name); }
    [[nodiscard]] Cancel& token() noexcept { return scope_.token(); }
    [[nodiscard]] Loop& loop() noexcept { return loop_; }

    /// On its loop. Ends what runs for other loops, or for nobody, and from then on nothing more
    /// does.
    task<void> close();

private:
    struct Errand;
    class Guard;
    class HomeSink;
    using Work = std::function<task<result<Json>>(Errand& errand)>;
    explicit OperationHome(Loop& loop) : loop_(loop), scope_(loop) {}
    task<result<Json>> send(std::shared_ptr<Errand> errand, ItemSink* items);
    static task<result<Json>> subscribed(Errand& errand, const SubscribeFunction& function);
    void begin(const std::shared_ptr<Errand>& errand);
    static task<void> work(std::shared_ptr<Errand> errand);

    Loop& loop_;
    TaskScope scope_;
    bool closed_ = false;
    std::atomic<std::size_t> errands_ = 0;
};

}  // namespace alknet::call
