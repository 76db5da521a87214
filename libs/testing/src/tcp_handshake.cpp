#include "tcp.hpp"

namespace alknet::sim {

namespace {

using Answer = TcpAttempt::Answer;

void send_answer(Fabric& fabric, const std::weak_ptr<TcpAttempt>& weak, SimHost& target,
                 SimHost& dialler, Answer answer) {
    if (fabric.link(target, dialler).options.cut) {
        return;  // the dialler tries again
    }
    fabric.at(fabric.tcp_arrival(target, dialler, 0), [weak, &dialler, answer] {
        const std::shared_ptr<TcpAttempt> attempt = weak.lock();
        if (attempt != nullptr && !dialler.asleep()) {
            attempt->answer = answer;
            attempt->answered.wake_all();
            attempt->process->state().touched = true;
        }
    });
}

void answer_syn(Fabric& fabric, const std::weak_ptr<TcpAttempt>& weak, SimHost& target,
                const SocketAddress& source) {
    const std::shared_ptr<TcpAttempt> attempt = weak.lock();
    if (attempt == nullptr || target.asleep()) {
        return;
    }
    SimHost& dialler = attempt->process->host();
    if (attempt->link != nullptr) {
        send_answer(fabric, weak, target, dialler, Answer::accepted);
        return;
    }
    const auto inner = attempt->remote.is_loopback() ? std::optional(attempt->remote)
                                                     : fabric.nat_inbound(target, attempt->remote);
    if (!inner) {
        return;
    }
    SimTcpListener* const listener = Fabric::find_bound(fabric.ports(target).tcp, *inner);
    if (listener == nullptr) {
        send_answer(fabric, weak, target, dialler, Answer::refused);
        return;
    }
    if (listener->full()) {
        return;
    }
    attempt->link = std::make_shared<TcpLink>(fabric, dialler, target);
    attempt->link->side(0).address = source;
    attempt->link->side(1).address = attempt->remote;
    fabric.tcp_links.push_back(attempt->link);
    listener->offer(
        {std::make_unique<SimTcpEnd>(listener->process(), attempt->link, 1), *inner, source});
    send_answer(fabric, weak, target, dialler, Answer::accepted);
}

}  // namespace

TcpAttempt::~TcpAttempt() {
    if (link != nullptr && !claimed) {
        link->close(0);
    }
}

void send_syn(Fabric& fabric, const std::shared_ptr<TcpAttempt>& attempt) {
    SimHost& dialler = attempt->process->host();
    SimHost* const target =
        attempt->remote.is_loopback() ? &dialler : fabric.host_at(attempt->remote);
    if (target == nullptr || attempt->process->detached()) {
        return;  // silence, as from an address that nobody has
    }
    const SocketAddress source = fabric.nat_outbound(dialler, attempt->inner);
    fabric.hash_packet(source, attempt->remote, {});
    fabric.trace("tcp syn", source, attempt->remote, 0);
    if (fabric.link(dialler, *target).options.cut) {
        return;
    }
    const std::weak_ptr<TcpAttempt> weak = attempt;
    fabric.at(fabric.tcp_arrival(dialler, *target, 0),
              [&fabric, weak, target, source] { answer_syn(fabric, weak, *target, source); });
}

}  // namespace alknet::sim
