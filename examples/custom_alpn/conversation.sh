#!/usr/bin/env bash
# Starts the service, says a word to it over each transport, and stops it.
set -euo pipefail

coproc service { exec "$1"; }
pid=$service_PID # which bash forgets once it has seen the end
read -r address <&"${service[0]}"
for transport in quic tcp; do
    answer=$("$2" pipe "$address" --alpn example/capitals --only "$transport" <<<"hello, $transport")
    test "$answer" = "HELLO, ${transport^^}"
done
kill "$pid"
wait "$pid"
