// Enforces the cluster's network policies on this machine, with kube-router's firewall (iptables and ipset). Its router and its proxy
// stay away: the node of tools/cluster has a bridge and kube-proxy. Usage: policies KUBECONFIG NODE SERVICES, SERVICES being the range
// of cluster IPs. Runs until it is ended, and leaves its rules behind.
package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cloudnativelabs/kube-router/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/pkg/options"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

func run(kubeconfig, node, services string) error {
	access, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		return err
	}
	shared := informers.NewSharedInformerFactory(client, 0)
	pods, namespaces := shared.Core().V1().Pods().Informer(), shared.Core().V1().Namespaces().Informer()
	policies := shared.Networking().V1().NetworkPolicies().Informer()

	settings := options.NewKubeRouterConfig()
	settings.HostnameOverride, settings.ClusterIPCIDR = node, services
	var sets sync.Mutex
	firewall, err := netpol.NewNetworkPolicyController(client, settings, pods, policies, namespaces, &sets)
	if err != nil {
		return err
	}
	for informer, heard := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		pods: firewall.PodEventHandler, namespaces: firewall.NamespaceEventHandler, policies: firewall.NetworkPolicyEventHandler,
	} {
		informer.AddEventHandler(heard)
	}
	forever := make(chan struct{})
	shared.Start(forever)
	shared.WaitForCacheSync(forever)
	alive := make(chan *healthcheck.ControllerHeartbeat)
	go func() {
		for range alive { // it waits until each is heard
		}
	}()
	var running sync.WaitGroup
	running.Add(1)
	firewall.Run(alive, forever, &running)
	return nil
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: policies KUBECONFIG NODE SERVICES")
		os.Exit(2)
	}
	for {
		// The node's own object comes with its kubelet.
		fmt.Fprintln(os.Stderr, run(os.Args[1], os.Args[2], os.Args[3]))
		time.Sleep(time.Second)
	}
}
