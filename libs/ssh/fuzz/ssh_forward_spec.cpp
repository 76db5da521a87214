// What a person writes behind -L, -R and -D: what is taken has two ends that can be used.
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/ssh/forward_spec.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace alknet;
    using Kind = ssh::ForwardSpec::Kind;
    const std::string_view text = as_text(view_octets(data, size));
    for (const Kind kind : {Kind::local, Kind::remote, Kind::dynamic}) {
        const auto spec = ssh::ForwardSpec::parse(kind, text);
        if (spec) {
            ALKNET_ASSERT(!spec->to_string().empty());
            ALKNET_ASSERT(kind == Kind::dynamic || spec->target.is_socket() ||
                          spec->target.port != 0);
        }
    }
    (void)ssh::parse_target(text);
    return 0;
}
