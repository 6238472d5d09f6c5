"""Writes rows over a pool of PyPI's tarantool until its input ends, and prints what it sees, an object of JSON a line.

Its arguments are the ports of a replica set.
"""
import json
import sys
import threading
import time
import warnings

import tarantool

warnings.simplefilter("ignore")
addresses = [{"host": "127.0.0.1", "port": int(port)} for port in sys.argv[1:]]
pool = tarantool.ConnectionPool(addresses, user="admin", password="test-cookie", socket_timeout=1)
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()


def tell(what, value):
    print(json.dumps({what: value}), flush=True)


def tell_who(what, mode):
    """The uuid of the instance that a mode gives now."""
    try:
        tell(what, pool.call("box.info", mode=mode).data[0]["uuid"])
    except tarantool.error.Error:
        pass


def tell_failure(error):
    """What the pool says itself has no number of the server: its own errors have one of the system, or 0."""
    is_of_pool = isinstance(error, (tarantool.error.NetworkError, tarantool.error.PoolTopologyError))
    if is_of_pool or not isinstance(error, tarantool.error.DatabaseError):
        tell("failed", str(error))
    else:
        tell("refused", error.code)


row = 0
while not ended.is_set():
    time.sleep(0.002)
    tell_who("reads", tarantool.Mode.RO)
    tell_who("writes", tarantool.Mode.RW)
    name = str(row)
    try:
        pool.insert("row", (name, 0, row, name, 0, None, 0, ""))
        tell("acknowledged", name)
    except tarantool.error.Error as error:
        tell_failure(error)
    row += 1
pool.close()
