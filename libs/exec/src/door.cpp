#include "door.hpp"

#include <alknet/base/causes.hpp>
#include <alknet/base/causes_exec.hpp>
#include <alknet/net/unix_socket.hpp>

namespace alknet::exec {

Door::Visit::~Visit() {
    if (door_ != nullptr) {
        stream_.reset();
        --door_->inside_;
    }
}

result<Door::Visit> Door::enter(Loop& loop) {
    if (!open_) {
        return fail(causes::kProgramDown, name_);
    }
    Visit visit(shared_from_this());
    if (++inside_ > inside_max_) {
        return fail(causes::kLimit, "exec." + name_ +
                                        ".streams_max: " + std::to_string(inside_max_) +
                                        " connections to the program");
    }
    auto connected = net::connect_unix(loop, socket_);
    if (!connected) {
        return fail(causes::kProgramDown, name_ + " takes no connection");
    }
    visit.stream_ = std::move(connected->stream);
    return visit;
}

}  // namespace alknet::exec
