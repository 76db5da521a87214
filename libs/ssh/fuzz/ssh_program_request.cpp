// Requests of a `session` channel: the first octet says which, the rest is its body.
#include <alknet/base/assert.hpp>

#include "program_request.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace alknet;
    const BytesView all = view_octets(data, size);
    if (all.empty()) {
        return 0;
    }
    const BytesView body = all.subspan(1);
    switch (std::to_integer<unsigned>(all.front()) % 6) {
        case 0:
            if (const auto request = ssh::TerminalRequest::parse(body)) {
                ALKNET_ASSERT(request->term.size() <= ssh::kTermBytesMax);
                ALKNET_ASSERT(request->options.modes.size() <= ssh::kTerminalModesMax);
            }
            break;
        case 1:
            if (const auto variable = ssh::Variable::parse(body);
                variable && variable->may_pass()) {
                const std::string text = variable->name + "=" + variable->value;
                ALKNET_ASSERT(text.starts_with("LANG=") || text.starts_with("LC_"));
                ALKNET_ASSERT(text.find('\0') == std::string::npos);
                ALKNET_ASSERT(text.find('\n') == std::string::npos);
            }
            break;
        case 2:
            if (const auto command = ssh::parse_command(body); command && *command) {
                ALKNET_ASSERT((*command)->size() <= ssh::kCommandBytesMax);
            }
            break;
        case 3:
            (void)ssh::parse_window(body);
            break;
        case 4:
            (void)ssh::parse_signal(body);
            break;
        default:
            for (const std::byte one : body) {
                ALKNET_ASSERT(!ssh::exit_signal(std::to_integer<int>(one)).body.empty());
                ALKNET_ASSERT(ssh::exit_status(std::to_integer<std::uint32_t>(one)).body.size() ==
                              4);
            }
            break;
    }
    return 0;
}
