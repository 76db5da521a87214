// What any program says that claims to be an SSH agent, or asks one.
#include <alknet/base/assert.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/ssh/agent.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace alknet;
    const BytesView answer = view_octets(data, size);
    const auto keys = ssh::agent::parse_keys(answer);
    ALKNET_ASSERT(!keys || keys->size() <= ssh::kAgentKeysMax);
    (void)ssh::agent::parse_signature(answer);
    // What a program asks is read in no more than what it has sent.
    const auto asked = ssh::agent::read_question(answer);
    ALKNET_ASSERT(asked.key.size() <= answer.size());
    if (keys) {
        const Bytes told = ssh::agent::keys_answer(*keys);
        ALKNET_ASSERT(ssh::agent::parse_keys(BytesView(told).subspan(4)).value() == *keys);
    }
    ALKNET_ASSERT(ssh::agent::failure_answer().size() == 5);
    // Questions of any size have their size in front.
    for (const Bytes& question :
         {ssh::agent::list_request(), ssh::agent::sign_request(answer, answer, 4),
          ssh::agent::bind_request(answer, answer, answer)}) {
        ALKNET_ASSERT(WireReader(question).number<std::uint32_t>() + 4 == question.size());
    }
    return 0;
}
