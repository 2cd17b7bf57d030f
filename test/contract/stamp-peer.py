"""A STAMP Session-Sender and Session-Reflector in unauthenticated mode, written from RFC 8762 alone (sections 4.2.1,
4.3.1) as an independent second opinion. Standard library only.

    stamp-peer.py reflect ADDRESS PORT HOLD_MS      answers until it is killed; holds each packet HOLD_MS
    stamp-peer.py send ADDRESS PORT COUNT SIZE      sends COUNT packets of SIZE bytes and prints one JSON object
"""
import json
import socket
import struct
import sys
import time

NTP_UNIX_OFFSET_S = 2208988800


def ntp_now():
    ns = time.time_ns()
    return (ns // 10**9 + NTP_UNIX_OFFSET_S) << 32 | (ns % 10**9 << 32) // 10**9


def reflect(address, port, hold_ms):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, port))
    print("ready", flush=True)
    sessions = {}
    while True:
        packet, source = sock.recvfrom(65535)
        received = ntp_now()
        if len(packet) < 44:
            continue
        sequence, stamp, error = struct.unpack_from("!IQH", packet, 0)
        own = sessions.get(source, 0)
        sessions[source] = own + 1
        time.sleep(hold_ms / 1000)
        reply = struct.pack(
            "!I Q H 2x Q I Q H 2x B 3x", own, ntp_now(), 0x8A01, received, sequence, stamp, error, 64
        )
        sock.sendto(reply + packet[44:], source)


def send(address, port, count, size):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(2)
    sock.bind(("127.0.0.1", 0))
    replies = []
    for sequence in range(count):
        packet = struct.pack("!I Q H 30x", sequence, ntp_now(), 0x8A01) + bytes(i % 251 for i in range(size - 44))
        sock.sendto(packet, (address, port))
        reply, source = sock.recvfrom(65535)
        back = ntp_now()
        replies.append({"sent": packet.hex(), "reply": reply.hex(), "from": source, "back": f"{back:016x}"})
    print(json.dumps(replies), flush=True)


if sys.argv[1] == "reflect":
    reflect(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
else:
    send(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
