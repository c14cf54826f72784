"""Asks each service, as its users do, and each process whether it is ready. `helm test` runs it in a pod; shell."""

import json
import os
import socket
import ssl
import sys
import urllib.request

TIMEOUT_S = 20


def kafka(bus):
    from tradewind.bus import open_bus

    log = open_bus(bus)
    try:
        return f"topic control ends at {log.end_offset('control')}"
    finally:
        log.close()


def postgres(address):
    import sqlalchemy

    with sqlalchemy.create_engine(address, connect_args={"connect_timeout": TIMEOUT_S}).connect() as connection:
        return connection.execute(sqlalchemy.text("SELECT current_user || ' at ' || current_database()")).scalar_one()


def redis(address):
    host, port = address.removeprefix("redis://").split("/")[0].rsplit(":", 1)
    with socket.create_connection((host, int(port)), TIMEOUT_S) as connection:
        connection.sendall(f"AUTH {os.environ['REDIS_PASSWORD']}\r\nPING\r\n".encode())
        answer = b""
        while answer.count(b"\r\n") < 2:
            part = connection.recv(1024)
            if not part:
                break
            answer += part
    assert answer == b"+OK\r\n+PONG\r\n", answer
    return "PONG"


def http(url):
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:  # noqa: S310
        return response.read(200).decode().strip()


def venue(url):
    keys = {f"APCA-API-{name}": os.environ[f"APCA_API_{name.replace('-', '_')}"] for name in ("KEY-ID", "SECRET-KEY")}
    request = urllib.request.Request(f"{url}/v2/account", headers=keys)  # noqa: S310
    context = ssl.create_default_context(cafile="/run/venue-ca/ca.pem")
    with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=context) as response:  # noqa: S310
        return f"account {json.load(response)['status']}"


CHECKS = {"kafka": kafka, "postgres": postgres, "redis": redis, "mlflow": http, "ray": http, "venue": venue}
CHECKS |= {"operator": http, "recorder": http}


def main():
    failed = False
    for name, address in json.loads(os.environ["SERVICES"]).items():
        try:
            said = CHECKS[name](address)
        except Exception as error:  # noqa: BLE001  whatever is wrong with one, the others are asked, too
            failed, said = True, f"FAILED: {type(error).__name__}: {error}"
        print(f"{name:9} {address}: {said}", flush=True)  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
