#include <alknet/base/causes.hpp>
#include <alknet/core/handler.hpp>

namespace alknet {

task<result<void>> ProtocolHandler::tell_refused(std::shared_ptr<Connection> /*connection*/,
                                                 error /*why*/) {
    co_return fail(causes::kNotSupported);
}

task<void> ProtocolHandler::shutdown() {
    co_return;
}

task<void> ProtocolHandler::recheck_identities() {
    co_return;
}

std::uint64_t ProtocolHandler::close_code(const error& failure) const noexcept {
    return default_close_code(failure.condition());
}

}  // namespace alknet
