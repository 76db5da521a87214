#include <alknet/store/store.hpp>

namespace alknet::store {

result<std::shared_ptr<Store>> Store::open(const std::filesystem::path& file,
                                           StoreOptions options) {
    ALKNET_TRY(auto database, Database::open(file, options.database));
    ALKNET_TRY(auto pool, BlockingPool::create({.name = "store",
                                                .threads = options.own_thread ? 1U : 0U,
                                                .queue_max = options.queue_max}));
    return std::shared_ptr<Store>(new Store(std::move(database), std::move(pool)));
}

}  // namespace alknet::store
