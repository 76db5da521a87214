// What a session shows of itself in the table of all.
#include <utility>

#include "forward.hpp"
#include "session.hpp"

namespace alknet::ssh {

std::shared_ptr<const SessionTable::Place> Session::note(SessionEntry::Kind kind, std::string place,
                                                         std::function<void()> close) {
    if (adapter_.options_.table == nullptr) {
        return nullptr;
    }
    SessionEntry entry{.session = entry_ == nullptr ? 0 : entry_->id(),
                       .kind = kind,
                       .peer = identity_->id,
                       .place = std::move(place),
                       .fingerprint = fingerprint_,
                       .began = loop_.now()};
    if (kind == SessionEntry::Kind::session) {
        entry.traffic = traffic_;
    }
    const auto on_loop = [&loop = loop_, weak = std::weak_ptr(life_), close = std::move(close)] {
        loop.post([weak, close] {
            if (weak.lock() != nullptr) {
                close();
            }
        });
    };
    return adapter_.options_.table->add(std::move(entry), on_loop);
}

std::shared_ptr<const SessionTable::Place> Session::note(const Forward& forward) {
    const bool came = forward.listening != nullptr;
    std::string place = came ? text_of(forward.listening->where())
                        : forward.to_socket
                            ? forward.path
                            : forward.route.host + ":" + std::to_string(forward.route.port);
    return note(came ? SessionEntry::Kind::arrival : SessionEntry::Kind::connect, std::move(place),
                [this, id = forward.id] {
                    const auto found = forwards_.find(id);
                    if (found != forwards_.end() && found->second->pumps != nullptr) {
                        found->second->pumps->request();
                        found->second->down->request();
                    }
                });
}

}  // namespace alknet::ssh
