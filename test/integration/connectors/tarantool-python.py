"""Runs the cases of connectors with PyPI's tarantool and prints what it saw as one line of JSON."""
import json
import sys

import tarantool
from tarantool.const import ITERATOR_GE

port = int(sys.argv[1])
results = {}


def record(name, work):
    try:
        value = work()
        results[name] = {"value": value.data if hasattr(value, "data") else value}
    except tarantool.error.DatabaseError as error:
        results[name] = {"number": error.code, "message": error.message}


def connect(user=None, password=None):
    return tarantool.Connection("127.0.0.1", port, user=user, password=password,
                                reconnect_max_attempts=1)


record("wrong password", lambda: connect("admin", "wrong"))
guest = connect()
record("guest ping", lambda: guest.ping() >= 0)
record("guest select", lambda: guest.select("books", 1))
record("guest call", lambda: guest.call("books.sum", 1, 2))
guest.close()

conn = connect("admin", "test-cookie")
record("insert", lambda: conn.insert("books", (1, "Dune", 412)))
record("insert again", lambda: conn.insert("books", (1, "Dune", 412)))
record("replace", lambda: conn.replace("books", (2, "Emma", 474)))
record("update", lambda: conn.update("books", 1, [("+", 2, 8), ("=", 1, "Dune II")]))
record("update nothing", lambda: conn.update("books", 99, [("+", 2, 8)]))
record("upsert new", lambda: conn.upsert("books", (3, "Ulysses", 730), [("+", 2, 1)]))
record("upsert old", lambda: conn.upsert("books", (3, "Ulysses", 730), [("+", 2, 1)]))
record("get by text", lambda: conn.select("books", "Ulysses", index="title"))
record("select GE", lambda: conn.select("books", 2, iterator=ITERATOR_GE, limit=10))
record("select page", lambda: conn.select("books", limit=1, offset=1))
record("delete", lambda: conn.delete("books", 2))
record("bad type", lambda: conn.insert("books", ("x", "y", 1)))
record("call", lambda: conn.call("books.sum", 1, 2))
record("call two values", lambda: conn.call("books.two"))
record("call fails", lambda: conn.call("books.fail"))
record("call unknown", lambda: conn.call("books.nothing"))
record("eval", lambda: conn.eval("return 1"))
conn.close()

print(json.dumps(results))
