"""websocket_client.py: the cases of peers/README.md by Python's websocket-client, which does not compress."""
import json
import struct
import sys

from websocket import ABNF, create_connection

CHAT, ECHO, CA = sys.argv[1:4]


def connect(url):
    return create_connection(url, sslopt={"ca_certs": CA}, timeout=60)


def chat():
    socket = connect(CHAT)
    socket.send(json.dumps({"type": "login", "name": "Ana"}))
    while json.loads(socket.recv())["type"] != "login":
        pass
    for number in range(5):
        socket.send(json.dumps({"type": "say", "to_uid": "all", "content": f"hello {number}"}))
        said = json.loads(socket.recv())
        assert (said["type"], said["content"]) == ("say", f"hello {number}"), said
    socket.close()


def echoes(socket, message):
    socket.send(message, ABNF.OPCODE_BINARY if isinstance(message, bytes) else ABNF.OPCODE_TEXT)
    answer = socket.recv()
    assert answer == message, f"{answer!r:.80} for {message!r:.80}"


def alike():
    socket = connect(ECHO)
    for number in range(5):
        echoes(socket, f"message {number}: " + "the same words again and again, " * 60)
    socket.close()


def big():
    socket = connect(ECHO)
    echoes(socket, "".join(f"{number} ñ€😀 " for number in range(40000)))
    echoes(socket, bytes(range(256)) * 3000)
    socket.close()


def fragments():
    socket = connect(ECHO)
    text = "a€" * 300
    data = text.encode()
    pieces = [data[at : at + 100] for at in range(0, len(data), 100)]  # some end within a character
    for at, piece in enumerate(pieces):
        opcode = ABNF.OPCODE_CONT if at else ABNF.OPCODE_TEXT
        socket.send_frame(ABNF.create_frame(piece, opcode, int(at == len(pieces) - 1)))
        socket.ping("between")
    assert socket.recv() == text
    socket.close()


def closed(socket):
    while True:
        opcode, data = socket.recv_data(control_frame=True)
        if opcode == ABNF.OPCODE_CLOSE:
            return struct.unpack("!H", data[:2])[0], data[2:].decode()


def leaves():
    socket = connect(ECHO)
    echoes(socket, "before")
    socket.send_close(4001, b"websocket-client")
    code, _ = closed(socket)
    assert code == 4001, code


def sent_away():
    socket = connect(ECHO)
    socket.send("send me away")
    assert closed(socket) == (4005, "away")


for case in chat, alike, big, fragments, leaves, sent_away:
    try:
        case()
        print(case.__name__, "ok", flush=True)
    except Exception as error:
        print(case.__name__, "failed:", repr(error), flush=True)
