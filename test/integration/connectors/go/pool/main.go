// Writes rows over a pool of go-tarantool until its input ends, and prints what it sees, an object of JSON a line.
// Its arguments are the ports of a replica set.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	tt "github.com/tarantool/go-tarantool/v2"
	"github.com/tarantool/go-tarantool/v2/pool"
)

var output = struct {
	sync.Mutex
	*json.Encoder
}{Encoder: json.NewEncoder(os.Stdout)}

func tell(what string, value any, more ...any) {
	line := map[string]any{what: value}
	if len(more) > 0 {
		line["readOnly"] = more[0]
	}
	output.Lock()
	defer output.Unlock()
	if err := output.Encode(line); err != nil {
		panic(err)
	}
}

func dialer(port string) tt.Dialer {
	return tt.NetDialer{Address: "127.0.0.1:" + port, User: "admin", Password: "test-cookie"}
}

// tellStatus prints each event of box.status with the port from which it came.
func tellStatus(what string) tt.WatchCallback {
	return func(event tt.WatchEvent) {
		status, _ := event.Value.(map[string]any)
		_, port, _ := net.SplitHostPort(event.Conn.Addr().String())
		tell(what, port, status["is_ro"])
	}
}

func main() {
	ctx := context.Background()
	var instances []pool.Instance
	for _, port := range os.Args[1:] {
		// Without a timeout the whole pool waits for an instance that is frozen.
		opts := tt.Opts{Timeout: time.Second}
		instances = append(instances, pool.Instance{Name: port, Dialer: dialer(port), Opts: opts})
		watchAlone(ctx, port)
	}
	connections, err := pool.Connect(ctx, instances)
	if err != nil {
		panic(err)
	}
	if _, err := connections.NewWatcher("box.status", tellStatus("told pool"), pool.ANY); err != nil {
		panic(err)
	}
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	write(connections, ended)
	connections.Close()
}

// watchAlone watches over a connection of its own, which connects itself again.
func watchAlone(ctx context.Context, port string) {
	conn, err := tt.Connect(ctx, dialer(port), tt.Opts{Reconnect: 100 * time.Millisecond})
	if err != nil {
		panic(err)
	}
	if _, err := conn.NewWatcher("box.status", tellStatus("told one")); err != nil {
		panic(err)
	}
}

func write(connections *pool.ConnectionPool, ended <-chan struct{}) {
	for id := 0; ; id++ {
		select {
		case <-ended:
			return
		case <-time.After(2 * time.Millisecond):
		}
		tellWho(connections, "reads", pool.RO)
		tellWho(connections, "writes", pool.RW)
		name := fmt.Sprint(id)
		row := []any{name, 0, id, name, 0, nil, 0, ""}
		_, err := connections.Do(tt.NewInsertRequest("row").Tuple(row), pool.RW).Get()
		var failure tt.Error
		switch {
		case err == nil:
			tell("acknowledged", name)
		case errors.As(err, &failure):
			tell("refused", failure.Code)
		default:
			tell("failed", err.Error())
		}
	}
}

// tellWho prints the uuid of the instance that a mode gives now.
func tellWho(connections *pool.ConnectionPool, what string, mode pool.Mode) {
	data, err := connections.Do(tt.NewCallRequest("box.info"), mode).Get()
	if err != nil || len(data) == 0 {
		return
	}
	if info, ok := data[0].(map[any]any); ok {
		tell(what, info["uuid"])
	}
}
