// The programs beside Kubernetes: CoreDNS with the few plugins needed, metrics-server, Helm, and the
// provisioner of volumes. The name it is called by says which.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
	helmcmd "helm.sh/helm/v4/pkg/cmd"
	"helm.sh/helm/v4/pkg/kube"
	genericserver "k8s.io/apiserver/pkg/server"
	"k8s.io/component-base/logs"
	metricsserver "sigs.k8s.io/metrics-server/cmd/metrics-server/app"
)

var programs = map[string]func(){
	"coredns": coremain.Run,
	"metrics-server": func() {
		logs.InitLogs()
		if err := metricsserver.NewMetricsServerCommand(genericserver.SetupSignalHandler()).Execute(); err != nil {
			os.Exit(1)
		}
	},
	"helm": func() {
		kube.ManagedFieldsManager = "helm"
		c, err := helmcmd.NewRootCmd(os.Stdout, os.Args[1:], helmcmd.SetupLogging)
		if err == nil {
			err = c.Execute()
		}
		if err != nil {
			var ce helmcmd.CommandError
			if errors.As(err, &ce) {
				os.Exit(ce.ExitCode)
			}
			os.Exit(1)
		}
	},
}

func main() {
	name := filepath.Base(os.Args[0])
	run := programs[name]
	if run == nil {
		fmt.Fprintf(os.Stderr, "unknown program %q\n", name)
		os.Exit(2)
	}
	run()
}
