#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/http/event_stream.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <utility>

namespace alknet::http {

namespace {

constexpr std::string_view kLineEnds = "\r\n";
constexpr std::string_view kHeartbeat = ":\n\n";

void add_line(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\n");
}

std::string_view first_line(std::string_view text) noexcept {
    constexpr std::string_view kEnds("\r\n\0", 3);
    return text.substr(0, text.find_first_of(kEnds));
}

task<result<void>> wait_for(WaitList& list) {
    co_return co_await list.wait();
}

class Source final : public BodySource, private EventStream {
public:
    Source(Request& request, EventStreamOptions options)
        : request_(request), options_(std::move(options)) {
        const auto retry = std::chrono::floor<std::chrono::milliseconds>(options_.retry).count();
        pending_ = "retry: " + std::to_string(retry) + "\n\n";
    }

    // Nothing has begun before somebody reads.
    task<result<std::size_t>> read(MutableBytes into) override {
        if (!serving_) {
            const TaskContext context = co_await current_context();
            serving_.emplace(*context.loop);
            serving_->spawn(run(), "http.events");
        }
        while (taken_ == pending_.size()) {
            if (outcome_) {
                co_return *outcome_ ? result<std::size_t>(0U) : unexpected(outcome_->error());
            }
            const auto arrived = co_await with_timeout(options_.heartbeat, wait_for(arrived_));
            if (!arrived && !arrived.error().is(errc::timeout)) {
                co_return unexpected(arrived.error());
            }
            if (!arrived && taken_ == pending_.size()) {
                put(std::string(kHeartbeat));
            }
        }
        const BytesView there = as_bytes(pending_).subspan(taken_);
        const std::size_t count = std::min(there.size(), into.size());
        std::copy_n(there.begin(), count, into.begin());
        taken_ += count;
        if (taken_ == pending_.size()) {
            room_.wake_all();
        }
        co_return count;
    }
    task<void> close() override {
        if (serving_) {
            serving_->cancel();
            (void)co_await serving_->join();
        }
    }

private:
    task<result<void>> send(ServerEvent event) override {
        while (taken_ < pending_.size()) {
            ALKNET_CO_CHECK(co_await room_.wait());
        }
        put(encode_event(event));
        co_return result<void>();
    }
    task<result<void>> run() {
        result<void> ended = co_await options_.serve(*this, request_);
        outcome_ = std::move(ended);
        arrived_.wake_all();
        co_return result<void>();
    }
    void put(std::string text) {
        pending_ = std::move(text);
        taken_ = 0;
        arrived_.wake_all();
    }

    Request& request_;
    const EventStreamOptions options_;
    std::string pending_;
    std::size_t taken_ = 0;
    WaitList arrived_;
    WaitList room_;
    std::optional<result<void>> outcome_;
    std::optional<TaskScope> serving_;
};

}  // namespace

std::string encode_event(const ServerEvent& event) {
    std::string out;
    if (!event.name.empty()) {
        add_line(out, "event", first_line(event.name));
    }
    if (!event.id.empty()) {
        add_line(out, "id", first_line(event.id));
    } else if (event.forgets_id) {
        out.append("id:\n");
    }
    std::string_view rest = event.data;
    for (;;) {
        const std::size_t end = std::min(rest.find_first_of(kLineEnds), rest.size());
        add_line(out, "data", rest.substr(0, end));
        if (end == rest.size()) {
            break;
        }
        rest.remove_prefix(rest.substr(end).starts_with(kLineEnds) ? end + 2 : end + 1);
    }
    return out.append("\n");
}

std::optional<std::string_view> last_event_id(const RequestHead& head) {
    return head.fields.find("last-event-id");
}

Response event_stream(Request& request, EventStreamOptions options) {
    Response response;
    response.fields.add("content-type", "text/event-stream; charset=utf-8");
    response.fields.add("cache-control", "no-store");
    response.fields.add("x-accel-buffering", "no");  // of servers that stand before us
    response.fields.add("x-content-type-options", "nosniff");
    response.source = std::make_unique<Source>(request, std::move(options));
    return response;
}

}  // namespace alknet::http
