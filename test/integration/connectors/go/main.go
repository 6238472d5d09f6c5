// Runs the cases of connectors with go-tarantool and prints what it saw as one line of JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	tt "github.com/tarantool/go-tarantool/v2"
	"github.com/tarantool/go-tarantool/v2/pool"
)

type outcome struct {
	Value  any `json:"value,omitempty"`
	Number any `json:"number,omitempty"`
	Text   any `json:"message,omitempty"`
}

var results = map[string]outcome{}

func keep(name string, value any, err error) {
	var failure tt.Error
	switch {
	case errors.As(err, &failure):
		results[name] = outcome{Number: failure.Code, Text: failure.Msg}
	case err != nil:
		results[name] = outcome{Text: err.Error()}
	default:
		results[name] = outcome{Value: plain(value)}
	}
}

// plain makes of maps with any keys such as JSON has.
func plain(value any) any {
	switch value := value.(type) {
	case map[any]any:
		texts := map[string]any{}
		for key, item := range value {
			texts[fmt.Sprint(key)] = plain(item)
		}
		return texts
	case []any:
		for index, item := range value {
			value[index] = plain(item)
		}
	}
	return value
}

func record(doer tt.Doer, name string, request tt.Request) {
	value, err := doer.Do(request).Get()
	keep(name, value, err)
}

func dialer(user, password string) tt.Dialer {
	return tt.NetDialer{Address: "127.0.0.1:" + os.Args[1], User: user, Password: password}
}

func connect(user, password string) (*tt.Connection, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return tt.Connect(ctx, dialer(user, password), tt.Opts{Timeout: 5 * time.Second})
}

func main() {
	_, err := connect("admin", "wrong")
	keep("wrong password", nil, err)
	guest, err := connect("", "")
	if err != nil {
		panic(err)
	}
	record(guest, "guest ping", tt.NewPingRequest())
	record(guest, "guest select", tt.NewSelectRequest("books").Key([]any{1}))
	record(guest, "guest call", tt.NewCallRequest("books.sum").Args([]any{1, 2}))
	guest.Close()

	conn, err := connect("admin", "test-cookie")
	if err != nil {
		panic(err)
	}
	rows(conn)
	calls(conn)
	transactions(conn)
	watchers(conn)
	pools()
	shutdown(conn)
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		panic(err)
	}
}

func rows(conn *tt.Connection) {
	dune := []any{1, "Dune", 412}
	ulysses := []any{3, "Ulysses", 730}
	record(conn, "insert", tt.NewInsertRequest("books").Tuple(dune))
	record(conn, "insert again", tt.NewInsertRequest("books").Tuple(dune))
	record(conn, "replace", tt.NewReplaceRequest("books").Tuple([]any{2, "Emma", 474}))
	record(conn, "update", tt.NewUpdateRequest("books").Key([]any{1}).
		Operations(tt.NewOperations().Add(2, 8).Assign(1, "Dune II")))
	record(conn, "update nothing", tt.NewUpdateRequest("books").Key([]any{99}).
		Operations(tt.NewOperations().Add(2, 8)))
	upsert := tt.NewUpsertRequest("books").Tuple(ulysses).Operations(tt.NewOperations().Add(2, 1))
	record(conn, "upsert new", upsert)
	record(conn, "upsert old", upsert)
	record(conn, "get by text", tt.NewSelectRequest("books").Index("title").Key([]any{"Ulysses"}))
	record(conn, "select GE", tt.NewSelectRequest("books").Iterator(tt.IterGe).Key([]any{2}).Limit(10))
	record(conn, "select page", tt.NewSelectRequest("books").Limit(1).Offset(1))
	record(conn, "pages", tt.NewSelectRequest("books").Limit(1).FetchPos(true))
	future := conn.Do(tt.NewSelectRequest("books").Limit(1).FetchPos(true))
	if response, err := future.GetResponse(); err == nil {
		position, _ := response.(*tt.SelectResponse).Pos()
		record(conn, "next page", tt.NewSelectRequest("books").Limit(1).After(position))
	}
	record(conn, "delete", tt.NewDeleteRequest("books").Key([]any{2}))
	record(conn, "bad type", tt.NewInsertRequest("books").Tuple([]any{"x", "y", 1}))
}

func calls(conn *tt.Connection) {
	record(conn, "call", tt.NewCallRequest("books.sum").Args([]any{1, 2}))
	record(conn, "call two values", tt.NewCallRequest("books.two"))
	record(conn, "call 16", tt.NewCall16Request("books.sum").Args([]any{1, 2}))
	record(conn, "call fails", tt.NewCallRequest("books.fail"))
	record(conn, "call unknown", tt.NewCallRequest("books.nothing"))
	record(conn, "eval", tt.NewEvalRequest("return 1"))
}

func transactions(conn *tt.Connection) {
	mine, _ := conn.NewStream()
	record(mine, "begin", tt.NewBeginRequest())
	record(mine, "insert in transaction", tt.NewInsertRequest("books").Tuple([]any{10, "Ten", 10}))
	record(mine, "seen inside", tt.NewSelectRequest("books").Key([]any{10}))
	record(conn, "not seen outside", tt.NewSelectRequest("books").Key([]any{10}))
	record(mine, "commit", tt.NewCommitRequest())
	record(conn, "seen outside", tt.NewSelectRequest("books").Key([]any{10}))

	record(mine, "begin again", tt.NewBeginRequest())
	record(mine, "replace in transaction", tt.NewReplaceRequest("books").Tuple([]any{10, "X", 1}))
	record(mine, "rollback", tt.NewRollbackRequest())
	record(conn, "after rollback", tt.NewSelectRequest("books").Key([]any{10}))

	record(mine, "begin for conflict", tt.NewBeginRequest())
	record(mine, "read for conflict", tt.NewSelectRequest("books").Key([]any{10}))
	record(conn, "change by another", tt.NewReplaceRequest("books").Tuple([]any{10, "Y", 1}))
	record(mine, "commit with conflict", tt.NewCommitRequest())
}

func watchers(conn *tt.Connection) {
	record(conn, "watch once", tt.NewWatchOnceRequest("box.status"))
	for _, key := range []string{"box.status", "box.id", "box.schema", "nothing"} {
		events := make(chan any, 8)
		watcher, err := conn.NewWatcher(key, func(event tt.WatchEvent) { events <- event.Value })
		if err != nil {
			keep("watch "+key, nil, err)
			continue
		}
		select {
		case value := <-events:
			if key == "box.schema" {
				value = nameSchemaVersion(conn, value)
			}
			keep("watch "+key, value, nil)
		case <-time.After(5 * time.Second):
			keep("watch "+key, "nothing came", nil)
		}
		watcher.Unregister()
	}
}

// nameSchemaVersion says so where the event names the version that box.info has.
func nameSchemaVersion(conn *tt.Connection, event any) any {
	info, err := conn.Do(tt.NewCallRequest("box.info")).Get()
	if err != nil {
		return err.Error()
	}
	told, _ := plain(event).(map[string]any)
	known, _ := plain(info[0]).(map[string]any)
	if told["version"] != nil && fmt.Sprint(told["version"]) == fmt.Sprint(known["schema_version"]) {
		return "the version of box.info"
	}
	return event
}

func pools() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	instances := []pool.Instance{{Name: "one", Dialer: dialer("admin", "test-cookie")}}
	connections, err := pool.Connect(ctx, instances)
	if err != nil {
		keep("pool", nil, err)
		return
	}
	value, err := connections.Do(tt.NewPingRequest(), pool.RW).Get()
	keep("pool", value, err)
	connections.Close()
}

// The server begins to shut down in this call; the connection then closes by itself, its last request answered.
func shutdown(conn *tt.Connection) {
	record(conn, "answered in shutdown", tt.NewCallRequest("books.shutdown"))
	for attempt := 0; attempt < 500 && !conn.ClosedNow(); attempt++ {
		time.Sleep(10 * time.Millisecond)
	}
	keep("closed by shutdown", conn.ClosedNow(), nil)
}
