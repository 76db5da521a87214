// Any octets as forwarding rules and a question: a line is a target, with `!` before it for one
// that is denied, `<` for one to listen on and `@` for one that is for bob alone. The first line is
// the host, or a socket's path, the second where it has led. A target reads back as it was; the
// change that a decision names allows what was asked.
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/identity/forwarding.hpp>

namespace {

using namespace alknet;
using namespace alknet::identity;

std::string_view next_line(std::string_view& text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

bool take(std::string_view& line, char mark) {
    const bool there = line.starts_with(mark);
    line.remove_prefix(there ? 1 : 0);
    return there;
}

void ask(const std::vector<ForwardRule>& rules, const ForwardQuestion& question) {
    const ForwardDecision decision = decide_forward(rules, question);
    ALKNET_ASSERT(decision.allowed() == (to_string(decision.verdict) == "allowed"));
    ALKNET_ASSERT(decision.allowed() == decision.explain().starts_with("allowed"));
    const auto change = change_to_allow(rules, question);
    if (!change) {
        return;
    }
    ALKNET_ASSERT(!decision.allowed() && change->before <= rules.size());
    std::vector<ForwardRule> after = rules;
    after.insert(after.begin() + static_cast<std::ptrdiff_t>(change->before), change->rule);
    ALKNET_ASSERT(decide_forward(after, question).allowed());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text = as_text(view_octets(data, size));
    const std::string_view host = next_line(text);
    const auto resolved = SocketAddress::parse(next_line(text));
    std::vector<ForwardRule> rules;
    while (!text.empty() && rules.size() < 64) {
        std::string_view line = next_line(text);
        ForwardRule rule;
        rule.allow = !take(line, '!');
        rule.claim = take(line, '<') ? ForwardClaim::listen : ForwardClaim::connect;
        if (take(line, '@')) {
            rule.peers = {"bob"};
            rule.roles = {"ops"};
        }
        auto target = ForwardTarget::parse(line);
        if (!target) {
            continue;
        }
        ALKNET_ASSERT(ForwardTarget::parse(target->text()) == *target);
        rule.target = *std::move(target);
        rule.origin.file = "fuzz";
        rules.push_back(std::move(rule));
    }
    const std::vector<std::string> roles = {"dev", "ops"};
    for (const ForwardClaim claim : {ForwardClaim::connect, ForwardClaim::listen}) {
        const ForwardQuestion question{.claim = claim,
                                       .peer = "bob",
                                       .host = host,
                                       .resolved = resolved.value_or(SocketAddress()),
                                       .path = host.starts_with('/') ? host : std::string_view()};
        ask(rules, question);
        ForwardQuestion in_a_role = question;
        in_a_role.peer = "eve";
        in_a_role.roles = roles;
        ask(rules, in_a_role);
    }
    return 0;
}
