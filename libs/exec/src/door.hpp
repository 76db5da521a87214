// Door: the way into a program, for all loops of a node: its socket, whether anybody is there, and
// how many are inside.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/loop.hpp>
#include <atomic>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

namespace alknet::exec {

class Door : public std::enable_shared_from_this<Door> {
public:
    Door(std::string name, std::filesystem::path socket, std::size_t inside_max)
        : name_(std::move(name)), socket_(std::move(socket)), inside_max_(inside_max) {}
    Door(const Door&) = delete;
    Door& operator=(const Door&) = delete;
    ~Door() = default;

    /// One connection to the program. The stream goes before its place does.
    class Visit {
    public:
        explicit Visit(std::shared_ptr<Door> door) noexcept : door_(std::move(door)) {}
        Visit(Visit&&) noexcept = default;
        Visit& operator=(Visit&&) = delete;
        ~Visit();
        [[nodiscard]] ByteStream& stream() noexcept { return *stream_; }
        /// For a connection that outlives the visit.
        [[nodiscard]] std::unique_ptr<ByteStream> take_stream() noexcept {
            return std::move(stream_);
        }

    private:
        friend class Door;
        std::shared_ptr<Door> door_;
        std::unique_ptr<ByteStream> stream_;
    };

    /// On any loop. Errors: kProgramDown; kLimit.
    result<Visit> enter(Loop& loop);

    void open() noexcept { open_ = true; }
    void close() noexcept { open_ = false; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const std::filesystem::path& socket() const noexcept { return socket_; }
    [[nodiscard]] std::size_t inside() const noexcept { return inside_; }

private:
    const std::string name_;
    const std::filesystem::path socket_;
    const std::size_t inside_max_;
    std::atomic<bool> open_ = false;
    std::atomic<std::size_t> inside_ = 0;
};

}  // namespace alknet::exec
