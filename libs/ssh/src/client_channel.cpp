#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/rt/scope.hpp>
#include <utility>

#include "client_driver.hpp"

namespace alknet::ssh {

void Arrived::add(BytesView more) {
    if (begin > octets.size() / 2) {
        octets.erase(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(begin));
        begin = 0;
    }
    octets.insert(octets.end(), more.begin(), more.end());
    news.wake_all();
}

void Arrived::took(std::size_t size) noexcept {
    begin += size;
    if (begin == octets.size()) {
        octets = Bytes();
        begin = 0;
    }
}

namespace {

using State = ClientChannelState;

class ClientChannel final : public SshChannel {
public:
    explicit ClientChannel(std::shared_ptr<State> state) : state_(std::move(state)) {}
    ClientChannel(const ClientChannel&) = delete;
    ClientChannel& operator=(const ClientChannel&) = delete;
    ~ClientChannel() override { close(); }

    result<std::optional<std::size_t>> try_read(MutableBytes into) override {
        return take_from(state_->data, into);
    }

    result<std::size_t> try_write(BytesView data) override {
        if (state_->why) {
            return unexpected(*state_->why);
        }
        if (state_->closed_in) {
            return fail(causes::kReset, "the other end has closed the channel");
        }
        if (state_->finished || state_->driver == nullptr) {
            return fail(causes::kClosed, "writing has ended");
        }
        ClientDriver& driver = *state_->driver;
        const std::size_t size = std::min(driver.sendable_now(state_->id), data.size());
        if (size > 0) {
            std::ranges::copy(data.first(size), driver.channels().begin(state_->id, size).begin());
            driver.channels().commit(state_->id, size);
            driver.flush();
        }
        return size;
    }

    task<result<void>> readable() override {
        const auto state = state_;
        while (state->data.left().empty() && !ended(*state)) {
            ALKNET_CO_CHECK(co_await state->data.news.wait());
        }
        co_return result<void>();
    }

    task<result<void>> writable() override {
        const auto state = state_;
        if (state->driver != nullptr) {
            (void)co_await state->driver->may_send(state);
        }
        co_return result<void>();
    }

    task<result<void>> finish() override {
        if (state_->why) {
            co_return unexpected(*state_->why);
        }
        if (state_->driver != nullptr && !std::exchange(state_->finished, true)) {
            state_->driver->check(state_->driver->channels().finish(state_->id));
        }
        co_return result<void>();
    }

    void reset(std::uint64_t) noexcept override { close(); }
    void stop(std::uint64_t) noexcept override {}

    task<result<void>> join(ByteStream& stream) override;

    task<result<std::size_t>> read_errors(MutableBytes into) override {
        const auto state = state_;
        for (;;) {
            ALKNET_CO_TRY(const auto size, take_from(state->errors, into));
            if (size) {
                co_return *size;
            }
            ALKNET_CO_CHECK(co_await state->errors.news.wait());
        }
    }

    task<result<void>> request(std::string type, Bytes body) override;

    result<void> tell(std::string_view type, BytesView body) override {
        if (state_->driver == nullptr) {
            return state_->why ? result<void>(unexpected(*state_->why)) : fail(causes::kClosed);
        }
        ClientDriver& driver = *state_->driver;
        const auto told = driver.channels().request(state_->id, type, false, body);
        driver.check(told);
        return told;
    }

    task<result<void>> wait_closed() override {
        const auto state = state_;
        while (!state->closed_in && !state->why) {
            ALKNET_CO_CHECK(co_await state->news.wait());
        }
        co_return state->closed_in ? result<void>() : unexpected(*state->why);
    }

    [[nodiscard]] const std::optional<SshExit>& exit() const noexcept override {
        return state_->exit;
    }

private:
    static bool ended(const State& state) noexcept {
        return state.eof_in || state.closed_in || state.why;
    }

    static void done_with(State& state, std::size_t size) {
        if (state.driver != nullptr && size > 0) {
            state.driver->check(state.driver->channels().consumed(state.id, size));
        }
    }

    result<std::optional<std::size_t>> take_from(Arrived& arrived, MutableBytes into) {
        ALKNET_ASSERT(!into.empty());
        const BytesView left = arrived.left();
        if (!left.empty()) {
            const std::size_t size = std::min(left.size(), into.size());
            std::ranges::copy(left.first(size), into.begin());
            arrived.took(size);
            done_with(*state_, size);
            return std::optional(size);
        }
        if (state_->eof_in || state_->closed_in) {
            return std::optional<std::size_t>(0);
        }
        if (state_->why) {
            return unexpected(*state_->why);
        }
        return std::optional<std::size_t>();
    }

    void close() noexcept {
        if (state_->driver == nullptr) {
            return;
        }
        state_->finished = true;
        if (!state_->open) {
            state_->abandoned = true;
            return;
        }
        ClientDriver& driver = *std::exchange(state_->driver, nullptr);
        driver.forget(state_->id);
        if (state_->token && state_->carrier == nullptr) {
            driver.check(driver.channels().request(state_->id, kNoChannelStream, false));
        }
        driver.check(driver.channels().close(state_->id));
    }

    task<result<void>> send_from(ByteStream& stream);
    task<result<void>> receive_into(ByteStream& stream);
    task<result<void>> receive_or_end(ByteStream& stream);

    std::shared_ptr<State> state_;
};

task<result<void>> ClientChannel::request(std::string type, Bytes body) {
    const auto state = state_;
    if (state->driver == nullptr) {
        co_return state->why ? result<void>(unexpected(*state->why)) : fail(causes::kClosed);
    }
    ClientDriver& driver = *state->driver;
    ALKNET_CO_CHECK(driver.channels().request(state->id, type, true, body));
    driver.flush();
    while (state->answers.empty() && !state->closed_in && !state->why) {
        ALKNET_CO_CHECK(co_await state->news.wait());
    }
    if (state->answers.empty()) {
        co_return state->why ? unexpected(*state->why)
                             : fail(causes::kReset, "the other end has closed the channel");
    }
    const bool granted = state->answers.front();
    state->answers.pop_front();
    co_return granted ? result<void>()
                      : fail(causes::kForbidden, "the SSH server does not grant '" + type + "'");
}

// From the stream into the packets themselves.
task<result<void>> ClientChannel::send_from(ByteStream& stream) {
    const auto state = state_;
    for (;;) {
        if (state->driver == nullptr) {
            co_return state->why ? unexpected(*state->why) : fail(causes::kClosed);
        }
        result<void> ready = co_await state->driver->may_send(state);
        if (ready && !state->closed_in) {
            ready = co_await stream.readable();
        }
        if (state->closed_in) {
            co_return result<void>();
        }
        if (!ready || state->driver == nullptr) {
            co_return state->why ? unexpected(*state->why) : std::move(ready);
        }
        ClientDriver& driver = *state->driver;
        const std::size_t size = driver.sendable_now(state->id);
        if (size == 0) {
            continue;
        }
        const auto got = stream.try_read(driver.channels().begin(state->id, size));
        driver.channels().commit(state->id, got ? got->value_or(0) : 0);
        driver.flush();
        if (!got) {
            co_return unexpected(got.error());
        }
        if (*got && **got == 0) {
            co_return co_await finish();
        }
    }
}

// What the stream did not take at once.
task<result<void>> ClientChannel::receive_into(ByteStream& stream) {
    const auto state = state_;
    for (;;) {
        if (!state->data.left().empty()) {
            ALKNET_CO_CHECK(co_await stream.writable());
            ALKNET_CO_TRY(const std::size_t taken, stream.try_write(state->data.left()));
            state->data.took(taken);
            done_with(*state, taken);
        } else if (state->eof_in || state->closed_in) {
            co_return co_await stream.finish();
        } else if (state->why) {
            co_return unexpected(*state->why);
        } else {
            ALKNET_CO_CHECK(co_await state->data.news.wait());
        }
    }
}

task<result<void>> ClientChannel::receive_or_end(ByteStream& stream) {
    result<void> ended = co_await receive_into(stream);
    if (!ended) {
        state_->sending->request();
    }
    co_return ended;
}

task<result<void>> ClientChannel::join(ByteStream& stream) {
    const TaskContext context = co_await current_context();
    const auto state = state_;
    Cancel sending(context.cancel);
    TaskScope pumps(*context.loop, context.cancel);
    state->sending = &sending;
    state->sink = &stream;
    if (state->closed_in) {
        sending.request();
    }
    pumps.spawn(send_from(stream).under(sending), "ssh.send");
    pumps.spawn(receive_or_end(stream), "ssh.receive");
    auto ended = co_await pumps.join();
    state->sending = nullptr;
    state->sink = nullptr;
    co_return ended;
}

}  // namespace

std::unique_ptr<SshChannel> make_channel(std::shared_ptr<ClientChannelState> state) {
    return std::make_unique<ClientChannel>(std::move(state));
}

}  // namespace alknet::ssh
