// The client's agent (draft-ietf-sshm-ssh-agent), where its programs can ask it: a socket in a
// directory of the user whom they run as, for as long as they run.
#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/identity/policy.hpp>
#include <cerrno>
#include <utility>

#include "forward.hpp"
#include "session.hpp"

namespace alknet::ssh {

namespace {

constexpr std::string_view kDirectoryPattern = "/tmp/alknet-agent-XXXXXX";
constexpr const char* kSocketName = "agent";

struct AgentPlace {
    std::shared_ptr<const void> kept;  // the directory goes with it, if it is empty then
    net::UnixPlace socket;
};

result<AgentPlace> make_place() {
    std::string path(kDirectoryPattern);
    if (::mkdtemp(path.data()) == nullptr) {
        return os_fail("mkdtemp", errno, path);
    }
    AgentPlace place;
    place.kept = std::shared_ptr<const void>(static_cast<const void*>(nullptr),
                                             [path](const void*) { (void)::rmdir(path.c_str()); });
    place.socket.real = path + "/" + kSocketName;
    place.socket.held =
        UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!place.socket.held) {
        return os_fail("open", errno, path);
    }
    return place;
}

// The socket first: as long as the directory is the node's nobody else can put anything there.
result<void> give_away(int directory, const process::ProcessUser& user) {
    if (::fchownat(directory, kSocketName, user.user, user.group, AT_SYMLINK_NOFOLLOW) != 0 ||
        ::fchownat(directory, "", user.user, user.group, AT_EMPTY_PATH) != 0) {
        return os_fail("chown", errno, "the directory of the agent's socket");
    }
    return {};
}

}  // namespace

// The node's own user could ask for signatures in the name of everybody whose agent is there.
result<void> Session::may_forward_agent() const {
    const auto run_as =
        adapter_.options_.run_as ? adapter_.options_.run_as() : std::optional<process::RunAs>();
    if (!run_as || run_as->own) {
        return fail(causes::kForbidden, "agents are asked only by programs of another user");
    }
    ALKNET_CHECK(identity::require(*identity_, *identity::Scope::parse_exact(kAgentScope)));
    if (certificate_ && !certificate_->may_forward_agent) {
        return fail(causes::kForbidden, "the certificate does not permit it to forward an agent");
    }
    return {};
}

result<void> Session::listen_for_agent(Program& program) {
    ALKNET_CHECK(may_forward_agent());
    ALKNET_TRY(AgentPlace place, make_place());
    const int directory = place.socket.held.get();
    auto agent = std::make_shared<Listening>();
    agent->path = place.socket.real.native();
    agent->agent_of = program.run_as->user.user;
    agent->directory = std::move(place.kept);
    ALKNET_TRY(agent->socket, net::listen_unix(loop_, std::move(place.socket)));
    ALKNET_CHECK(give_away(directory, program.run_as->user));
    tasks_->spawn(accept_all(agent), "ssh.agent");
    program.agent = std::move(agent);
    audit("ssh.agent", nullptr);
    return {};
}

// What has come goes too.
void Session::end_agent(Program& program) {
    const std::shared_ptr<Listening> agent = std::move(program.agent);
    if (agent == nullptr) {
        return;
    }
    stop_listening(agent);
    for (const auto& [id, forward] : forwards_) {
        if (forward->listening == agent && forward->pumps != nullptr) {
            forward->pumps->request();
            forward->down->request();
        }
    }
}

void Session::recheck_agent(Program& program) {
    if (program.agent == nullptr) {
        return;
    }
    if (const auto may = may_forward_agent(); !may) {
        audit("ssh.program_refused", &may.error());
        end_agent(program);
    }
}

std::size_t Session::agent_connections(const Listening& agent) const noexcept {
    const auto of_agent = [&agent](const auto& one) {
        return one.second->listening.get() == &agent;
    };
    return static_cast<std::size_t>(std::ranges::count_if(forwards_, of_agent));
}

result<void> Session::may_arrive(const Listening& listening) const {
    if (!listening.agent_of) {
        return may_listen(listening.where());
    }
    return listening.stopped ? fail(causes::kClosed) : may_forward_agent();
}

}  // namespace alknet::ssh
