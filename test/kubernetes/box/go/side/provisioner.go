package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

// localDirs makes "local" volumes: a directory per claim, bound to the node the
// scheduler chose. Unlike hostPath volumes they honour fsGroup.
type localDirs struct{ root string }

func (p localDirs) Provision(_ context.Context, o controller.ProvisionOptions) (*v1.PersistentVolume, controller.ProvisioningState, error) {
	// The storage class waits for the first consumer, so the scheduler has always chosen.
	node := o.SelectedNodeName
	dir := filepath.Join(p.root, node, o.PVName)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	return &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: o.PVName},
		Spec: v1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *o.StorageClass.ReclaimPolicy,
			AccessModes:                   o.PVC.Spec.AccessModes,
			Capacity:                      v1.ResourceList{v1.ResourceStorage: o.PVC.Spec.Resources.Requests[v1.ResourceStorage]},
			PersistentVolumeSource:        v1.PersistentVolumeSource{Local: &v1.LocalVolumeSource{Path: dir}},
			NodeAffinity: &v1.VolumeNodeAffinity{Required: &v1.NodeSelector{NodeSelectorTerms: []v1.NodeSelectorTerm{{
				MatchExpressions: []v1.NodeSelectorRequirement{{Key: v1.LabelHostname, Operator: v1.NodeSelectorOpIn, Values: []string{node}}},
			}}}},
		},
	}, controller.ProvisioningFinished, nil
}

func (p localDirs) Delete(_ context.Context, pv *v1.PersistentVolume) error {
	return os.RemoveAll(pv.Spec.Local.Path)
}

func provisioner() {
	fs := flag.NewFlagSet("provisioner", flag.ExitOnError)
	conf := fs.String("kubeconfig", "", "how to reach the API server")
	root := fs.String("root", "", "the folder of all volumes")
	_ = fs.Parse(os.Args[1:])
	cfg, err := clientcmd.BuildConfigFromFlags("", *conf)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	controller.NewProvisionController(ctx, kubernetes.NewForConfigOrDie(cfg), "tonearm.test/local", localDirs{*root},
		controller.LeaderElection(false), controller.MetricsPort(0)).Run(ctx)
}

func init() { programs["provisioner"] = provisioner }
