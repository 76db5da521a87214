#!/usr/bin/env python3
"""Says `answered` for each Version Negotiation packet over IPv4 that this machine is sent: a knock's answer."""

import socket

IPV4 = 0x0800
UDP = 17
UDP_HEADER = 8


def is_version_negotiation(packet):
    """RFC 8999 section 6: the long form, and version 0."""
    if packet[9] != UDP:
        return False
    payload = packet[(packet[0] & 15) * 4 + UDP_HEADER:]
    return len(payload) > 5 and payload[0] & 0x80 != 0 and payload[1:5] == bytes(4)


def main():
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(IPV4)) as link:
        print("ready", flush=True)
        while True:
            if is_version_negotiation(link.recv(1 << 16)):
                print("answered", flush=True)


if __name__ == "__main__":
    main()
