#include <alknet/config/reference.hpp>

#include "fields.hpp"
#include "values.hpp"

namespace alknet::config {

namespace {

constexpr std::string_view kHead =
    "The configuration of this node. Every key is here with its default; take the # away to "
    "change it. A running node reads this file again when it changes, or on SIGHUP; what needs "
    "a restart says so. `alknet config check` tells what is wrong, if anything is.";

constexpr std::size_t kWidth = 96;

// The text as comment lines.
void comment(std::string& out, std::string_view text) {
    std::string line = "#";
    while (!text.empty()) {
        const std::size_t end = text.find(' ');
        const std::string_view word = text.substr(0, end);
        if (line.size() + 1 + word.size() > kWidth) {
            out.append(line).append("\n");
            line = "#";
        }
        line.append(" ").append(word);
        if (end == std::string_view::npos) {
            break;
        }
        text.remove_prefix(end + 1);
    }
    out.append(line).append("\n");
}

void write_key(std::string& out, const KeyInfo& key) {
    std::string about(key.about);
    about.append(" (").append(key.type).append(key.restart ? "; needs a restart)" : ")");
    comment(out, about);
    out.append("# ").append(key.name).append(" = ").append(key.example).append("\n");
}

void write_listener(std::string& out, const std::vector<std::string>& addresses) {
    Listener listener = default_listener();
    std::string list;
    for (const std::string& address : addresses) {
        list.append(list.empty() ? "" : ", ").append(toml_text(address));
    }
    if (addresses.empty()) {
        list = List<Address, kAddressesMax>::show(listener.addresses);
        list = list.substr(1, list.size() - 2);
    }
    out.append("[[listener]]\nname = ").append(toml_text(listener.name)).append("\n");
    out.append("addresses = [").append(list).append("]\n");
}

}  // namespace

std::string TableInfo::header() const {
    std::string text(name);
    if (shape == Shape::list) {
        return "[[" + text + "]]";
    }
    return "[" + text + (shape == Shape::named ? ".\"alknet/echo\"]" : "]");
}

std::vector<TableInfo> reference() {
    std::vector<TableInfo> all;
    for (const Table& table : tables()) {
        all.push_back({table.name, table.shape, table.about, table.keys()});
    }
    return all;
}

std::string default_file(const std::vector<std::string>& addresses) {
    std::string out;
    comment(out, kHead);
    for (const TableInfo& table : reference()) {
        out += "\n";
        comment(out, table.about);
        const bool listener = table.name == "listener";
        if (listener) {
            write_listener(out, addresses);
        } else {
            out.append(table.shape == TableInfo::Shape::single ? "" : "# ");
            out.append(table.header()).append("\n");
        }
        for (const KeyInfo& key : table.keys) {
            if (!listener || !key.required) {
                out += "\n";
                write_key(out, key);
            }
        }
    }
    return out;
}

}  // namespace alknet::config
