// Scenarios with a story of their own.
#pragma once

#include "context.hpp"

namespace alknet::sim {

void late(Context& context);
void hole(Context& context);
void forgotten(Context& context);
void strangers(Context& context);
void resume_streams(Context& context);
void call_across(Context& context);

}  // namespace alknet::sim
