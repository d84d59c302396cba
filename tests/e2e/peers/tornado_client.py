"""tornado_client.py: the cases of peers/README.md by Tornado's WebSocket client.

It offers permessage-deflate as Tornado does by itself: it accepts client_no_context_takeover, and compresses with the
context of its earlier messages all the same."""
import asyncio
import json
import ssl
import sys

from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

CHAT, ECHO, CA = sys.argv[1:4]


async def connect(url):
    tls = ssl.create_default_context(cafile=CA) if url.startswith("wss:") else None
    return await websocket_connect(HTTPRequest(url, ssl_options=tls), compression_options={})


async def chat():
    socket = await connect(CHAT)
    await socket.write_message(json.dumps({"type": "login", "name": "Ana"}))
    while json.loads(await socket.read_message())["type"] != "login":
        pass
    for number in range(5):
        await socket.write_message(json.dumps({"type": "say", "to_uid": "all", "content": f"hello {number}"}))
        said = json.loads(await socket.read_message())
        assert (said["type"], said["content"]) == ("say", f"hello {number}"), said
    socket.close()


async def echoes(socket, message):
    await socket.write_message(message, binary=isinstance(message, bytes))
    answer = await socket.read_message()
    assert answer == message, f"{answer!r:.80} for {message!r:.80} (close code {socket.close_code})"


async def alike():
    socket = await connect(ECHO)
    assert "permessage-deflate" in socket.headers.get("Sec-WebSocket-Extensions", ""), "deflate was not negotiated"
    for number in range(5):
        await echoes(socket, f"message {number}: " + "the same words again and again, " * 60)
    socket.close()


async def big():
    socket = await connect(ECHO)
    await echoes(socket, "".join(f"{number} ñ€😀 " for number in range(40000)))
    await echoes(socket, bytes(range(256)) * 3000)
    socket.close()


async def leaves():
    socket = await connect(ECHO)
    await echoes(socket, "before")
    socket.close(4001, "tornado")
    assert await socket.read_message() is None
    assert socket.close_code == 4001, socket.close_code


async def sent_away():
    socket = await connect(ECHO)
    await socket.write_message("send me away")
    assert await socket.read_message() is None
    assert (socket.close_code, socket.close_reason) == (4005, "away"), (socket.close_code, socket.close_reason)


async def main():
    for case in chat, alike, big, leaves, sent_away:
        try:
            await case()
            print(case.__name__, "ok", flush=True)
        except Exception as error:
            print(case.__name__, "failed:", repr(error), flush=True)


asyncio.run(main())
