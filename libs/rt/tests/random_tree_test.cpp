// Random trees of tasks under random cancellation and destruction, on virtual time. After every
// step nobody may wait for what is there (a lost wake-up), in the end nothing may be left, and each
// item that went into a channel came out once or is still there. A failure names its seed.
#include <gtest/gtest.h>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/rt/blocking_pool.hpp>
#include <alknet/rt/channel.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/gather.hpp>
#include <alknet/rt/race.hpp>
#include <alknet/testing/virtual_loop.hpp>
#include <memory>
#include <random>
#include <set>

namespace alknet {
namespace {

using std::chrono::milliseconds;

class Count {
public:
    explicit Count(int& counter) : counter_(counter) { ++counter_; }
    Count(const Count&) = delete;
    Count& operator=(const Count&) = delete;
    ~Count() { --counter_; }

private:
    int& counter_;
};

struct WatchedChannel {
    explicit WatchedChannel(std::size_t capacity) : channel(capacity) {}
    Channel<int> channel;
    int sending = 0;
    int receiving = 0;
};

struct WatchedEvent {
    Event event;
    int waiting = 0;
};

struct World {
    explicit World(std::uint64_t seed) : random(seed) {
        for (int i = 0; i < 3; ++i) {
            channels.push_back(std::make_unique<WatchedChannel>(1 + below(3)));
            events.push_back(std::make_unique<WatchedEvent>());
        }
        BlockingPoolOptions options;
        options.threads = 0;
        options.queue_max = 4;
        pool = *BlockingPool::create(options);
    }

    std::size_t below(std::size_t bound) { return random() % bound; }
    bool chance(std::size_t percent) { return below(100) < percent; }
    Duration some_time() { return milliseconds(below(4) == 0 ? 0 : below(200)); }
    WatchedChannel& some_channel() { return *channels[below(channels.size())]; }
    WatchedEvent& some_event() { return *events[below(events.size())]; }

    std::mt19937_64 random;
    sim::VirtualLoop virtual_loop;
    Loop& loop = virtual_loop.loop();
    std::unique_ptr<BlockingPool> pool;
    std::vector<std::unique_ptr<WatchedChannel>> channels;
    std::vector<std::unique_ptr<WatchedEvent>> events;
    int nodes = 0;         // that live
    int nodes_left = 400;  // that may still be made
    int next_item = 0;
    std::set<int> sent;
    std::set<int> received;
};

using Node = task<result<void>>;
Node node(World& world, int depth);

// ---- leaves ----

Node send_one(World& world, WatchedChannel& watched) {
    const int item = world.next_item++;
    const Count count(watched.sending);
    ALKNET_CO_CHECK(co_await watched.channel.send(item));
    world.sent.insert(item);
    co_return {};
}

Node receive_one(World& world, WatchedChannel& watched) {
    const Count count(watched.receiving);
    ALKNET_CO_TRY(const int item, co_await watched.channel.recv());
    EXPECT_TRUE(world.received.insert(item).second) << "item " << item << " came twice";
    co_return {};
}

Node wait_for_event(World&, WatchedEvent& watched) {
    const Count count(watched.waiting);
    co_return co_await watched.event.wait();
}

void try_both(World& world, WatchedChannel& watched) {
    if (world.chance(50)) {
        const int item = world.next_item++;
        if (watched.channel.try_send(int(item))) {
            world.sent.insert(item);
        }
    } else if (const auto item = watched.channel.try_recv()) {
        EXPECT_TRUE(world.received.insert(*item).second);
    }
}

Node yield_some(World& world) {
    for (std::size_t i = world.below(4); i > 0; --i) {
        co_await world.loop.yield();
    }
    co_return {};
}

Node run_in_pool(World& world) {
    ALKNET_CO_TRY(const int value, co_await world.pool->run([] { return 1; }));
    EXPECT_EQ(value, 1);
    co_return {};
}

Node fail_now(World& world) {
    if (world.chance(20)) {
        throw bug("deliberate");
    }
    co_return fail(causes::kProtocol);
}

Node touch_event(World& world) {
    WatchedEvent& watched = world.some_event();
    if (world.chance(60)) {
        watched.event.set();
    } else {
        watched.event.clear();
    }
    co_return {};
}

Node leaf(World& world) {
    switch (world.below(12)) {
        case 0:
        case 1:
            return send_one(world, world.some_channel());
        case 2:
        case 3:
            return receive_one(world, world.some_channel());
        case 4:
            return wait_for_event(world, world.some_event());
        case 5:
            return touch_event(world);
        case 6:
            return yield_some(world);
        case 7:
            return run_in_pool(world);
        case 8:
            return world.chance(30) ? fail_now(world) : yield_some(world);
        case 9:
            try_both(world, world.some_channel());
            return world.loop.sleep(Duration::zero());
        default:
            return world.loop.sleep(world.some_time());
    }
}

// ---- branches ----

std::vector<Node> some_nodes(World& world, int depth) {
    std::vector<Node> nodes;
    for (std::size_t i = 1 + world.below(3); i > 0; --i) {
        nodes.push_back(node(world, depth));
    }
    return nodes;
}

Node in_a_scope(World& world, int depth) {
    const TaskContext context = co_await current_context();
    TaskScope scope(world.loop, world.chance(50) ? context.cancel : nullptr);
    for (Node& child : some_nodes(world, depth)) {
        scope.spawn(std::move(child), "child");
    }
    const std::size_t ending = world.below(4);
    if (ending == 0) {
        ALKNET_CO_CHECK(co_await world.loop.sleep(world.some_time()));
        co_return {};  // destroys what runs
    }
    if (ending == 1) {
        (void)co_await with_timeout(world.some_time(), scope.idle());
        scope.cancel();
    }
    co_return co_await scope.join();
}

Node under_a_cancel(World& world, int depth) {
    const TaskContext context = co_await current_context();
    Cancel cancel(context.cancel);
    Timer timer(world.loop, [&cancel] { cancel.request(); });
    timer.arm_after(world.some_time());
    if (world.chance(50)) {
        co_return co_await node(world, depth).under(cancel);
    }
    co_return co_await with_timeout(world.some_time(), node(world, depth).under(cancel));
}

Node first_of(World& world, int depth) {
    FirstSuccessOptions options;
    options.stagger = world.some_time();
    if (world.chance(50)) {
        options.decisive = [](const error& failure) { return failure.is(errc::timeout); };
    }
    return first_success(some_nodes(world, depth), std::move(options));
}

Node race_of(World& world, int depth) {
    if (world.chance(50)) {
        auto raced = co_await race(some_nodes(world, depth));
        co_return std::move(raced.outcome);
    }
    Node left = node(world, depth);
    Node right = node(world, depth);
    auto winner = co_await race(std::move(left), std::move(right));
    co_return std::visit([](auto& outcome) { return std::move(outcome); }, winner);
}

Node gather_of(World& world, int depth) {
    if (world.chance(50)) {
        ALKNET_CO_CHECK(co_await gather(some_nodes(world, depth)));
        co_return {};
    }
    Node left = node(world, depth);
    Node right = node(world, depth);
    ALKNET_CO_CHECK(co_await gather(std::move(left), std::move(right)));
    co_return {};
}

Node in_sequence(World& world, int depth) {
    for (Node& child : some_nodes(world, depth)) {
        (void)co_await std::move(child);
    }
    co_return {};
}

Node branch(World& world, int depth) {
    switch (world.below(7)) {
        case 0:
            return in_a_scope(world, depth);
        case 1:
            return under_a_cancel(world, depth);
        case 2:
            return first_of(world, depth);
        case 3:
            return race_of(world, depth);
        case 4:
            return gather_of(world, depth);
        case 5:
            return in_sequence(world, depth);
        default:
            return with_timeout(world.some_time(), node(world, depth));
    }
}

Node node(World& world, int depth) {
    const Count count(world.nodes);
    if (depth == 0 || world.nodes_left <= 0) {
        co_return co_await leaf(world);
    }
    --world.nodes_left;
    co_return co_await branch(world, depth - 1);
}

// ---- the test ----

void expect_no_lost_wake_up(World& world) {
    for (const auto& watched : world.channels) {
        const auto& channel = watched->channel;
        if (channel.size() > 0 || channel.closed()) {
            EXPECT_EQ(watched->receiving, 0) << "receivers wait, and there are items";
        }
        if (channel.size() < channel.capacity() || channel.closed()) {
            EXPECT_EQ(watched->sending, 0) << "senders wait, and there is room";
        }
    }
    for (const auto& watched : world.events) {
        if (watched->event.is_set()) {
            EXPECT_EQ(watched->waiting, 0) << "waiters wait, and the event is set";
        }
    }
}

void expect_every_item_once(World& world) {
    for (const auto& watched : world.channels) {
        while (const auto item = watched->channel.try_recv()) {
            EXPECT_TRUE(world.received.insert(*item).second);
        }
    }
    EXPECT_EQ(world.received, world.sent);
}

/// What happens at the end of a seed if tasks are left.
enum class Ending { cancel, destroy, close };

void end(World& world, std::unique_ptr<TaskScope>& scope, Ending ending) {
    switch (ending) {
        case Ending::cancel:
            scope->cancel();
            world.virtual_loop.settle();
            EXPECT_EQ(scope->size(), 0U) << "cancelled tasks end without time passing";
            break;
        case Ending::destroy:
            scope.reset();
            break;
        case Ending::close:
            for (const auto& watched : world.channels) {
                watched->channel.close();
            }
            for (const auto& watched : world.events) {
                watched->event.set();
            }
            break;
    }
}

void run_seed(std::uint64_t seed) {
    World world(seed);
    auto scope = std::make_unique<TaskScope>(world.loop);
    for (int i = 0; i < 4; ++i) {
        scope->spawn(node(world, 6), "root");
    }
    const auto ending = static_cast<Ending>(world.below(3));
    const TimePoint end_at = world.loop.now() + milliseconds(world.below(2000));
    bool ended = false;
    while (scope != nullptr && scope->size() > 0) {
        world.virtual_loop.settle();
        expect_no_lost_wake_up(world);
        const auto deadline = world.loop.next_deadline();
        if (!ended && (!deadline || *deadline > end_at)) {
            ended = true;
            end(world, scope, ending);
        } else if (deadline) {
            world.virtual_loop.clock().advance_to(*deadline);
        } else if (scope->size() > 0) {
            break;  // stuck
        }
    }
    world.virtual_loop.settle();
    expect_no_lost_wake_up(world);
    EXPECT_EQ(world.virtual_loop.leftovers(), "");
    EXPECT_EQ(world.nodes, 0);
    expect_every_item_once(world);
}

TEST(RandomTree, NothingLeaksGetsStuckOrIsLost) {
    constexpr std::uint64_t kSeeds = 400;
    for (std::uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        run_seed(seed);
    }
}

}  // namespace
}  // namespace alknet
