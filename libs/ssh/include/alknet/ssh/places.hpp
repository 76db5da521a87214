// Places: so many of something at a time for each identity, over all of its connections and loops.
#pragma once

#include <alknet/base/causes.hpp>
#include <alknet/base/result.hpp>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace alknet::ssh {

/// Thread-safe.
class Places final : public std::enable_shared_from_this<Places> {
public:
    explicit Places(std::size_t most) noexcept : most_(most) {}
    Places(const Places&) = delete;
    Places& operator=(const Places&) = delete;

    /// One for `identity`, given up with what this gives. Errors: kLimit.
    result<std::shared_ptr<const void>> take(const std::string& identity);
    [[nodiscard]] std::size_t taken(const std::string& identity) const;

private:
    const std::size_t most_;
    mutable std::mutex mutex_;
    std::map<std::string, std::size_t> taken_;
};

}  // namespace alknet::ssh
