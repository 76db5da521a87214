#include <alknet/base/causes.hpp>

#include "tcp.hpp"

namespace alknet::sim {

// ---- one end of a connection ----

SimTcpEnd::SimTcpEnd(SimProcess& process, std::shared_ptr<TcpLink> link, std::size_t side)
    : process_(process), link_(std::move(link)), side_(side) {
    own().end = this;
    process_.state().streams.push_back(this);
}

SimTcpEnd::~SimTcpEnd() {
    std::erase(process_.state().streams, this);
    link_->close(side_);
}

void SimTcpEnd::wake() {
    changed_reading_.wake_all();
    changed_writing_.wake_all();
    process_.state().touched = true;
}

void SimTcpEnd::detach() {
    link_->reset_from(side_);
}

bool SimTcpEnd::may_read() const noexcept {
    return own().readable() > 0 || own().fin_received || own().broken || own().deaf;
}

bool SimTcpEnd::may_write() const noexcept {
    return own().outstanding < kTcpWindowBytes || own().broken || own().fin_sent;
}

result<std::optional<std::size_t>> SimTcpEnd::try_read(MutableBytes into) {
    if (own().readable() > 0) {
        return link_->read(side_, into);
    }
    if (own().broken) {
        return fail(causes::kReset);
    }
    if (own().fin_received || own().deaf) {
        return std::optional<std::size_t>(0);
    }
    return std::optional<std::size_t>();
}

result<std::size_t> SimTcpEnd::try_write(BytesView data) {
    if (own().broken) {
        return fail(causes::kReset);
    }
    if (own().fin_sent) {
        return fail(causes::kClosed, "written after finish");
    }
    return link_->write(side_, data);
}

task<result<void>> SimTcpEnd::readable() {
    while (!may_read()) {
        ALKNET_CO_CHECK(co_await changed_reading_.wait());
    }
    co_return result<void>{};
}

task<result<void>> SimTcpEnd::writable() {
    while (!may_write()) {
        ALKNET_CO_CHECK(co_await changed_writing_.wait());
    }
    co_return result<void>{};
}

task<result<void>> SimTcpEnd::finish() {
    if (own().broken) {
        co_return fail(causes::kReset);
    }
    link_->finish(side_);
    co_return result<void>{};
}

void SimTcpEnd::stop(std::uint64_t) noexcept {
    link_->go_deaf(side_);
    wake();
}

void SimTcpEnd::reset(std::uint64_t) noexcept {
    link_->reset_from(side_);
}

// ---- listener ----

SimTcpListener::SimTcpListener(Fabric& fabric, SimProcess& process, SocketAddress local)
    : fabric_(fabric), process_(process), local_(local) {
    process_.state().listeners.push_back(this);
    fabric_.ports(process_.host()).tcp.emplace(local_, this);
}

SimTcpListener::~SimTcpListener() {
    detach();
    std::erase(process_.state().listeners, this);
}

void SimTcpListener::detach() noexcept {
    if (!detached_) {
        detached_ = true;
        fabric_.ports(process_.host()).tcp.erase(local_);
        backlog_.clear();
    }
}

void SimTcpListener::offer(net::TcpStream stream) {
    backlog_.push_back(std::move(stream));
    arrived_.wake_one();
    process_.state().touched = true;
}

task<result<net::TcpStream>> SimTcpListener::accept() {
    while (backlog_.empty()) {
        ALKNET_CO_CHECK(co_await arrived_.wait());
    }
    net::TcpStream stream = std::move(backlog_.front());
    backlog_.pop_front();
    co_return stream;
}

}  // namespace alknet::sim
