// Any text as a command that the node may answer itself.
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>

#include "node_command.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace alknet;
    using namespace alknet::ssh;
    const auto command = NodeCommand::parse(as_text(view_octets(data, size)));
    if (!command || !*command) {
        return 0;
    }
    const bool is_call = (*command)->kind == NodeCommand::Kind::call;
    ALKNET_ASSERT(is_call != (*command)->operation.empty());
    if (is_call) {
        const std::string again = "call /" + (*command)->operation + " " + (*command)->input;
        ALKNET_ASSERT(NodeCommand::parse(again).value() == *command);
    }
    return 0;
}
