// Any ssh_config, which includes itself.
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/ssh/ssh_config.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace alknet;
    const std::string text(as_text(view_octets(data, size)));
    std::size_t included = 0;
    ssh::HostSettingsReader reader("db.example", [&](const std::string&) {
        ++included;
        return result<std::vector<std::string>>({text});
    });
    (void)reader.read(text);
    ALKNET_ASSERT(included <= ssh::kConfigFilesMax);
    ALKNET_ASSERT(reader.settings().identity_files.size() <= ssh::kIdentityFilesMax);
    (void)ssh::expand_tokens(text, [](char name) -> std::optional<std::string> {
        return name == 'h' ? std::optional<std::string>("db") : std::nullopt;
    });
    return 0;
}
