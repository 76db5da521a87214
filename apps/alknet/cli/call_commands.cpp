#include <alknet/base/number.hpp>

#include "grammar.hpp"
#include "options.hpp"
#include "values.hpp"

namespace alknet::app {

void add_call_commands(Grammar& grammar) {
    const auto call = std::make_shared<CallOptions>();
    CLI::App& command =
        grammar.leaf(grammar.root(), "call", "Call an operation of a node by its name", call);
    grammar.add_identity(command);
    command.footer(
        "INPUT is one JSON object, @FILE or - (standard input) with one, and members by name: "
        "KEY=VALUE is read as what the operation takes there (lists with commas), KEY:=JSON as it "
        "is. On a terminal the answer is set out for reading; else, and with --json, it is one "
        "line of JSON. --list shows what this identity may call, and nothing else; a shell that "
        "completes OPERATION asks the node for the same (alknet completion). The command "
        "ends with 2 where the input does not fit, and with 5 where the node refuses: the error "
        "names the scope that is missing. ADDRESS . is the node of this home, by its control "
        "socket and with every right. Without --subscribe one item of a subscription is awaited. " +
        std::string(kAddressDetails));
    add_address(command, call->address);
    metavar(command.add_option("OPERATION", call->operation, "SERVICE/NAME"), "OPERATION");
    metavar(command.add_option("INPUT", call->input, "What the operation takes; may be repeated"),
            "INPUT")
        ->allow_extra_args();
    command.add_flag("--list", call->list, "Show the operations instead");
    metavar(command.add_option("--schema", call->schema,
                               "Show what this operation takes instead, as JSON Schema"),
            "OPERATION");
    auto* const subscribe =
        command.add_flag("--subscribe", call->subscribe,
                         "Print the items of a subscription as they come, until it ends: each with "
                         "its number (seq), and how many before it are lost (missed)");
    const auto after = [call](const std::string& text) {
        call->after = parse_number<std::uint64_t>(text);
        if (!call->after) {
            throw CLI::ValidationError("--after is the number of an item, and not '" + text + "'");
        }
    };
    metavar(command.add_option_function<std::string>("--after", after,
                                                     "Go on after the item of this number"),
            "SEQ")
        ->needs(subscribe);
    auto* const batch = command.add_flag(
        "--batch", call->batch,
        "Call once for each line of standard input, over one connection. A line is "
        "{\"operation\": NAME, \"input\": {...}, \"id\": ANY}, or with OPERATION the input alone. "
        "Each is answered with a line as soon as it has ended: its id, or else the number of its "
        "line, and output or error");
    add_count(command, "--parallel", call->parallel, "How many calls of a batch run at a time",
              1024)
        ->needs(batch);
    add_wishes(command, call->wishes);
    add_duration(command, "--timeout", call->timeout, "How long an answer may take");
}

}  // namespace alknet::app
