// What a session does for its subsystems: they are served in the node, over a stream in memory.
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/identity/policy.hpp>
#include <alknet/net/memory_stream.hpp>
#include <utility>

#include "forward.hpp"
#include "printable.hpp"
#include "session.hpp"

namespace alknet::ssh {

namespace {

constexpr std::uint32_t kFailed = 1;

}  // namespace

result<void> Session::may_use(const Subsystem& subsystem) const {
    if (certificate_ && certificate_->force_command) {
        return fail(causes::kForbidden, "the certificate is for a command alone");
    }
    return identity::require(*identity_, *identity::Scope::parse_exact(subsystem.scope));
}

bool Session::may_use_a_subsystem() const {
    const auto& all = adapter_.options_.subsystems;
    return all != nullptr && std::ranges::any_of(all->by_name, [&](const auto& one) {
               return may_use(one.second).has_value();
           });
}

const Subsystem* Session::find_subsystem(std::string_view name) const {
    if (adapter_.options_.subsystems == nullptr) {
        return nullptr;
    }
    const auto& all = adapter_.options_.subsystems->by_name;
    const auto found = all.find(name);
    return found == all.end() ? nullptr : &found->second;
}

// One that is not there is refused by the answer, as programs that try several expect it. Whether
// somebody may use one that is there is said in words, as for commands.
result<bool> Session::take_subsystem(Program& program, const ChannelEvent& event) {
    ALKNET_TRY(const auto name, parse_command(event.body));
    if (!name || program.asked) {
        return false;
    }
    program.subsystem = find_subsystem(*name);
    if (program.subsystem == nullptr) {
        const error why(causes::kNoHandler, "there is no subsystem " + printable(*name));
        audit("ssh.program_refused", &why);
        adapter_.options_.log.warn(
            "ssh.program_refused",
            {{"peer", identity_->id}, {"id", why.cause().id}, {"detail", why.detail()}});
        return false;
    }
    program.asked = true;
    program.decided.set();
    return true;
}

task<result<void>> Session::run_subsystem(Forward& forward) {
    const Subsystem& subsystem = *forward.program->subsystem;
    if (const auto may = may_use(subsystem); !may) {
        co_return co_await refuse_program(forward, may.error());
    }
    audit("ssh.subsystem", nullptr);
    auto [near, far] = net::make_memory_streams();
    forward.stream = std::move(near);
    forward.arrived.set();
    auto served = co_await join_subsystem(forward, *far);
    forward.deaf = true;
    forward.stream.reset();
    if (served) {
        co_return end_program(forward, exit_status(0));
    }
    if (served.error().is(errc::cancelled)) {
        co_return served;
    }
    ALKNET_CO_CHECK(co_await say(forward, "alknet: " + printable(served.error().message()) + "\r\n",
                                 kErrorData));
    co_return end_program(forward, exit_status(kFailed));
}

// Until it has ended, and all that it said has been sent.
task<result<void>> Session::join_subsystem(Forward& forward, ByteStream& far) {
    const TaskContext context = co_await current_context();
    Cancel ended(context.cancel);
    forward.program->ended = &ended;
    TaskScope input(loop_, context.cancel);
    TaskScope output(loop_, context.cancel);
    input.spawn(pump_input(forward), "ssh.input");
    output.spawn(pump_output(forward, *forward.stream, kPlainData), "ssh.output");
    result<void> served = co_await forward.program->subsystem->serve(far, *identity_);
    input.cancel();
    (void)co_await input.join();
    drop_input(forward);
    (void)co_await far.finish();  // as it may have itself
    const auto sent = co_await output.join();
    forward.program->ended = nullptr;
    co_return served && !sent ? unexpected(sent.error()) : std::move(served);
}

}  // namespace alknet::ssh
