#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/store/store.hpp>
#include <alknet/testing/co_test.hpp>
#include <alknet/testing/temp_dir.hpp>

namespace alknet::store {
namespace {

using sim::TempDir;

constexpr std::string_view kSchema = "CREATE TABLE word (id INTEGER PRIMARY KEY, word TEXT) STRICT";

StoreOptions options(bool own_thread, std::size_t queue_max = 256) {
    return {.database = {.schema = {kSchema}, .application_id = 77},
            .queue_max = queue_max,
            .own_thread = own_thread};
}

result<std::int64_t> insert(Database& database) {
    ALKNET_CHECK(database.run("INSERT INTO word (word) VALUES ('x')"));
    ALKNET_TRY(const auto rows, database.query("SELECT count(*) FROM word"));
    return rows.front().integer(0);
}

task<result<void>> insert_many(std::shared_ptr<Store> store, int times) {
    for (int i = 0; i < times; ++i) {
        ALKNET_CO_CHECK(co_await store->transact(insert));
    }
    co_return result<void>();
}

task<result<std::int64_t>> two_at_a_time(Loop& loop, std::shared_ptr<Store> store) {
    TaskScope scope(loop);
    scope.spawn(insert_many(store, 20), "one");
    scope.spawn(insert_many(store, 20), "other");
    (void)co_await scope.join();
    co_return co_await store->transact(insert);
}

TEST(Store, IsWrittenByOneThread) {
    const TempDir dir;
    const SystemClock clock;
    const auto loop = Loop::create(clock).value();
    const auto store = Store::open(dir / "db", options(true)).value();
    const auto count = block_on(*loop, two_at_a_time(*loop, store), "test");
    ASSERT_TRUE(count) << sim::describe(count);
    EXPECT_EQ(*count, 41);
}

ALKNET_CO_TEST(Store, WorksOnVirtualTime) {
    const TempDir dir;
    const auto store = Store::open(dir / "db", options(false));
    ALKNET_CO_ASSERT_OK(store);
    EXPECT_EQ((co_await (*store)->transact(insert)).value(), 1);
    const auto failed = co_await (*store)->transact([](Database& database) -> result<void> {
        ALKNET_CHECK(insert(database));
        return fail(causes::kForbidden);
    });
    EXPECT_TRUE(!failed && failed.error().is(causes::kForbidden));
    EXPECT_EQ((co_await (*store)->transact(insert)).value(), 2);
}

task<result<void>> insert_and_count(std::shared_ptr<Store> store, int& refused) {
    const auto inserted = co_await store->transact(insert);
    refused += !inserted && inserted.error().is(causes::kLimit) ? 1 : 0;
    co_return result<void>();
}

ALKNET_CO_TEST(Store, HasALongestQueue) {
    const TempDir dir;
    const auto store = Store::open(dir / "db", options(false, 3));
    ALKNET_CO_ASSERT_OK(store);
    int refused = 0;
    TaskScope scope(loop);
    for (int i = 0; i < 5; ++i) {
        scope.spawn(insert_and_count(*store, refused), "test.insert");
    }
    (void)co_await scope.join();
    EXPECT_EQ(refused, 2);
    EXPECT_EQ((co_await (*store)->transact(insert)).value(), 4);
}

TEST(Store, SaysWhyItCannotBeOpened) {
    const TempDir dir;
    const auto store = Store::open(dir / "missing" / "db", options(true));
    ASSERT_FALSE(store);
    EXPECT_TRUE(store.error().is(causes::kIo));
}

}  // namespace
}  // namespace alknet::store
