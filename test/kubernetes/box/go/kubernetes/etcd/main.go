// etcd and etcdctl in one small program: the store of the control plane, and the whole of the etcd image.
// It is of the Kubernetes module, so that its version is the one which Kubernetes itself names.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	etcdctl "go.etcd.io/etcd/etcdctl/v3/ctlv3"
	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	switch name := filepath.Base(os.Args[0]); name {
	case "etcd":
		etcdmain.Main(os.Args)
	case "etcdctl":
		etcdctl.MustStart()
	default:
		fmt.Fprintf(os.Stderr, "unknown program %q\n", name)
		os.Exit(2)
	}
}
