#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/call/composition.hpp>
#include <alknet/rt/combine.hpp>
#include <utility>

namespace alknet::call {

class Composition::Running {
public:
    explicit Running(std::size_t& count) noexcept : count_(count) { ++count_; }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() { --count_; }

private:
    std::size_t& count_;
};

Composition::Composition(const OperationRegistry& registry, const Operation& operation,
                         const CallContext& context)
    : registry_(registry),
      operation_(operation),
      transport_(context.transport),
      connected_(context.connected),
      deadline_(context.deadline),
      traceparent_(context.traceparent),
      depth_(context.depth) {}

task<result<Json>> Composition::call(std::string name, Json input) {
    const Authority& authority = *operation_.authority;
    if (std::ranges::find(authority.reach, name) == authority.reach.end()) {
        co_return fail(causes::kInternal, "/" + operation_.name + " does not reach /" + name);
    }
    if (depth_ >= kDepthMax) {
        co_return fail(causes::kLimit,
                       "depth_max: " + std::to_string(kDepthMax) + " calls inside one another");
    }
    if (running_ >= kFanOutMax) {
        co_return fail(causes::kLimit, "fan_out_max: " + std::to_string(kFanOutMax) +
                                           " calls of /" + operation_.name + " at a time");
    }
    const Running running(running_);
    const TaskContext here = co_await current_context();
    Identity identity;
    identity.id = authority.label;
    identity.scopes = authority.scopes;
    CallContext context{.identity = std::move(identity),
                        .transport = transport_,
                        .connected = connected_,
                        .deadline = deadline_,
                        .traceparent = traceparent_,
                        .depth = depth_ + 1};
    auto work = registry_.call_composed(std::move(name), std::move(context), std::move(input));
    co_return co_await with_timeout(time_left(deadline_, here.loop->now()), std::move(work));
}

}  // namespace alknet::call
