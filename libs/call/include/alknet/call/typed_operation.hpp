// An operation made from a function on structs: its schemas come from their members
// (described.hpp).
#pragma once

#include <alknet/base/assert.hpp>
#include <alknet/call/described.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/call/schema.hpp>
#include <functional>
#include <utility>

namespace alknet::call {

template <class Input, class Output>
using TypedFunction = std::function<task<result<Output>>(CallContext context, Input input)>;

/// The schema of a struct. A struct whose schema cannot be compiled is a bug.
template <class T>
[[nodiscard]] Schema compiled_schema(Direction direction) {
    auto schema = Schema::compile(schema_of<T>(direction));
    ALKNET_ASSERT(schema.has_value());
    return *std::move(schema);
}

namespace described {

template <class Input, class Output>
task<result<Json>> run(TypedFunction<Input, Output> function, CallContext context, Json json) {
    ALKNET_CO_TRY(Input input, from_json<Input>(std::move(json)));
    ALKNET_CO_TRY(const Output output, co_await function(std::move(context), std::move(input)));
    co_return to_json(output);
}

}  // namespace described

/// Sets `input`, `output` and `run`.
template <class Input, class Output>
void set_function(Operation& operation, TypedFunction<Input, Output> function) {
    operation.input = compiled_schema<Input>(Direction::input);
    operation.output = compiled_schema<Output>(Direction::output);
    operation.run = [function = std::move(function)](CallContext context, Json input) {
        return described::run(function, std::move(context), std::move(input));
    };
}

}  // namespace alknet::call
