// Standard input, a line at a time: how load.py tells its programs what to do.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace alknet::load {

class Lines {
public:
    /// Takes standard input and output over. Errors: kIo.
    static result<Lines> create(Loop& loop);

    /// nullopt: standard input has ended. Errors: kIo, kCancelled.
    task<result<std::optional<std::string>>> next();
    /// Errors: kReset, kIo.
    task<result<void>> print(std::string line);

private:
    explicit Lines(std::unique_ptr<ByteStream> stream) : stream_(std::move(stream)) {}

    std::unique_ptr<ByteStream> stream_;
    std::string read_;
};

}  // namespace alknet::load
