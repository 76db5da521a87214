#include "call_batch.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/call/envelope.hpp>
#include <alknet/net/stdio_stream.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/wait.hpp>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "json.hpp"
#include "output.hpp"

namespace alknet::app {

namespace {

/// Lines of a stream, each without its end.
class Lines {
public:
    explicit Lines(std::unique_ptr<ByteStream> from) : from_(std::move(from)) {}

    struct Line {
        std::string text;
        bool too_long = false;  // `text` is its beginning
    };
    /// nullopt: the end. Errors: kIo; kCancelled.
    task<result<std::optional<Line>>> next();

private:
    std::unique_ptr<ByteStream> from_;
    std::string waiting_;
    bool ended_ = false;
};

task<result<std::optional<Lines::Line>>> Lines::next() {
    Line line;
    std::array<std::byte, 64 << 10> piece{};
    for (;;) {
        const std::size_t end = waiting_.find('\n');
        const std::string_view part = std::string_view(waiting_).substr(0, end);
        const std::size_t room = kBatchLineBytesMax - line.text.size();
        line.too_long = line.too_long || part.size() > room;
        line.text.append(part.substr(0, room));
        waiting_.erase(0, end == std::string::npos ? end : end + 1);
        if (end != std::string::npos) {
            co_return line;
        }
        if (ended_) {
            break;
        }
        ALKNET_CO_TRY(const std::size_t size, co_await from_->read(piece));
        ended_ = size == 0;
        waiting_ = as_text(BytesView(piece).first(size));
    }
    co_return line.text.empty() ? std::nullopt : std::optional(std::move(line));
}

/// A line that was understood.
struct Request {
    Json id;
    std::string operation;
    Json input;
};

struct Batch {
    call::CallClient& client;
    BatchOptions options;
    TaskScope calls;
    WaitList ended{};
    std::uint64_t failed = 0;
};

result<Request> request_of(const BatchOptions& options, Json& id, std::string_view text) {
    auto parsed = call::parse_json(text);
    if (!parsed) {
        return fail(causes::kUsage, "the line is no JSON: " + parsed.error().detail());
    }
    Request request{.id = id, .operation = options.operation, .input = Json::Object()};
    if (!options.operation.empty()) {
        request.input = *std::move(parsed);
        return request;
    }
    if (parsed->as_object() == nullptr) {
        return fail(causes::kUsage, "a line is an object with operation, and perhaps input and id");
    }
    for (auto& [name, value] : *parsed->as_object()) {
        if (name == "id") {
            id = value;
            request.id = std::move(value);
        } else if (name == "operation" && value.as_string() != nullptr) {
            const std::string_view whole = *value.as_string();
            request.operation = whole.substr(whole.starts_with('/') ? 1 : 0);
        } else if (name == "input") {
            request.input = std::move(value);
        } else {
            return fail(causes::kUsage, "a line has no " + name + " of this kind");
        }
    }
    if (!call::is_operation_name(request.operation)) {
        return fail(causes::kUsage, "operation is SERVICE/NAME");
    }
    return request;
}

result<void> answer(Batch& batch, const Json& id, const result<Json>& outcome) {
    if (outcome) {
        return print_line(Json::object({{"id", id}, {"output", *outcome}}).text());
    }
    ++batch.failed;
    const error& why = outcome.error();
    return print_line(Json::object({{"id", id},
                                    {"error", Json::object({{"id", why.cause().id},
                                                            {"what", why.cause().what},
                                                            {"detail", why.detail()},
                                                            {"next", why.cause().next}})}})
                          .text());
}

task<result<void>> call_one(Batch& batch, Request request) {
    const call::CallOptions how{.timeout = batch.options.timeout};
    const auto outcome =
        co_await batch.client.call(std::move(request.operation), std::move(request.input), how);
    batch.ended.wake_one();
    if (!outcome && outcome.error().is(causes::kCancelled) && batch.calls.token().requested()) {
        co_return unexpected(outcome.error());
    }
    co_return answer(batch, request.id, outcome);
}

task<result<void>> take_line(Batch& batch, Lines::Line line, std::uint64_t number) {
    Json id = number;
    auto request = line.too_long
                       ? result<Request>(fail(causes::kLimit, "a line has at most 16 MiB"))
                       : request_of(batch.options, id, line.text);
    if (!request) {
        co_return answer(batch, id, unexpected(std::move(request).error()));
    }
    while (batch.calls.size() >= batch.options.parallel && !batch.calls.token().requested()) {
        ALKNET_CO_CHECK(co_await batch.ended.wait());
    }
    batch.calls.spawn(call_one(batch, *std::move(request)), "call.batch");
    co_return result<void>();
}

task<result<void>> take_lines(Batch& batch, Lines& lines) {
    for (std::uint64_t number = 1; !batch.calls.token().requested(); ++number) {
        ALKNET_CO_TRY(auto line, co_await lines.next());
        if (!line) {
            break;
        }
        if (line->text.find_first_not_of(" \t\r") != std::string::npos) {
            ALKNET_CO_CHECK(co_await take_line(batch, *std::move(line), number));
        }
    }
    co_return result<void>();
}

result<std::unique_ptr<ByteStream>> standard_input(Loop& loop) {
    UniqueFd in(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
    UniqueFd out(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    if (!in || !out) {
        return os_fail("open", errno, "standard input");
    }
    return net::make_fd_stream(loop, std::move(in), std::move(out));
}

}  // namespace

task<result<std::uint64_t>> call_batch(Loop& loop, call::CallClient& client, BatchOptions options) {
    const TaskContext context = co_await current_context();
    ALKNET_CO_TRY(auto input, standard_input(loop));
    Lines lines(std::move(input));
    Batch batch{
        .client = client, .options = std::move(options), .calls = TaskScope(loop, context.cancel)};
    auto taken = co_await take_lines(batch, lines);
    if (!taken) {
        batch.calls.cancel();
    }
    ALKNET_CO_CHECK(co_await batch.calls.join());
    ALKNET_CO_CHECK(taken);
    co_return batch.failed;
}

}  // namespace alknet::app
