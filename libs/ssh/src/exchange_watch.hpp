// Keys that are exchanged in time, at either end of a connection.
#pragma once

#include <alknet/rt/loop.hpp>
#include <alknet/rt/wait.hpp>
#include <alknet/ssh/transport.hpp>
#include <functional>

namespace alknet::ssh {

class ExchangeWatch {
public:
    /// Both must outlive it.
    ExchangeWatch(Loop& loop, Transport& transport) noexcept : loop_(loop), transport_(transport) {}

    /// After whatever may have begun an exchange.
    void look();
    /// Asks for new keys every kRekeyTime, and then calls `flush`. Errors: kTimeout if the other
    /// end leaves an exchange unfinished; kCancelled.
    task<result<void>> run(std::function<void()> flush);

private:
    Loop& loop_;
    Transport& transport_;
    Event began_;
};

}  // namespace alknet::ssh
