module connectors

go 1.24

require github.com/tarantool/go-tarantool/v2 v2.3.0

require (
	github.com/tarantool/go-iproto v1.1.0 // indirect
	github.com/vmihailenco/msgpack/v5 v5.3.5 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
)
