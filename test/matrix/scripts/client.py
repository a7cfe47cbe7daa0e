"""What a Python client sees of bunlb, as JSON: http.client on one kept connection, urllib, requests when asked for."""

import hashlib
import http.client
import json
import sys
import urllib.error
import urllib.request

library, port = sys.argv[1], int(sys.argv[2])
site = f"http://127.0.0.1:{port}"
payload = bytes(range(256)) * 4000


def pieces():
    for at in range(0, len(payload), 5000):
        yield payload[at : at + 5000]


def sha(data):
    return hashlib.sha256(data).hexdigest()


def with_http_client():
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def ask(method, path, **options):
        connection.request(method, path, **options)
        response = connection.getresponse()
        return response, response.read()

    get, hello = ask("GET", "/")
    socket = connection.sock
    head, nothing = ask("HEAD", "/bytes/5000")
    missing, _ = ask("GET", "/nothing")
    _, posted = ask("POST", "/echo", body=payload)
    _, chunked = ask("POST", "/echo", body=pieces(), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    _, large = ask("GET", "/bytes/20000000")
    return {
        "get": [get.status, hello.decode()],
        "head": [head.status, head.getheader("Content-Length"), len(nothing)],
        "missing": missing.status,
        "posted": json.loads(posted)["bodySha256"],
        "chunked": json.loads(chunked)["bodySha256"],
        "large": sha(large),
        "kept": connection.sock is socket,
    }


def with_urllib():
    def ask(method, path, data=None):
        return urllib.request.urlopen(urllib.request.Request(site + path, data=data, method=method), timeout=10)

    with ask("GET", "/") as get, ask("HEAD", "/bytes/5000") as head:
        seen = {
            "get": [get.status, get.read().decode()],
            "head": [head.status, head.getheader("Content-Length"), len(head.read())],
        }
    try:
        ask("GET", "/nothing")
    except urllib.error.HTTPError as error:
        seen["missing"] = error.code
    seen["posted"] = json.loads(ask("POST", "/echo", payload).read())["bodySha256"]
    seen["chunked"] = json.loads(ask("POST", "/echo", pieces()).read())["bodySha256"]
    seen["large"] = sha(ask("GET", "/bytes/20000000").read())
    return seen


def with_requests():
    import requests

    with requests.Session() as session:
        get = session.get(f"{site}/")
        head = session.head(f"{site}/bytes/5000")
        return {
            "get": [get.status_code, get.text],
            "head": [head.status_code, head.headers["Content-Length"], len(head.content)],
            "missing": session.get(f"{site}/nothing").status_code,
            "posted": session.post(f"{site}/echo", data=payload).json()["bodySha256"],
            "chunked": session.post(f"{site}/echo", data=pieces()).json()["bodySha256"],
            "large": sha(session.get(f"{site}/bytes/20000000").content),
        }


seen = {"http.client": with_http_client, "urllib": with_urllib, "requests": with_requests}[library]()
print(json.dumps({"payload": sha(payload), **seen}))
