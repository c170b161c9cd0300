// Command lab-flanneld runs flannel's own packages on a node of a lab.
//
// It is not the stock flanneld: it knows the Kubernetes subnet manager, IPv4, iptables and the backends
// vxlan, host-gw, ipip, udp and wireguard, and nothing else. Its flags have the names of flanneld's.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/flannel-io/flannel/pkg/backend"
	_ "github.com/flannel-io/flannel/pkg/backend/hostgw"
	_ "github.com/flannel-io/flannel/pkg/backend/ipip"
	_ "github.com/flannel-io/flannel/pkg/backend/udp"
	_ "github.com/flannel-io/flannel/pkg/backend/vxlan"
	_ "github.com/flannel-io/flannel/pkg/backend/wireguard"
	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/ipmatch"
	"github.com/flannel-io/flannel/pkg/subnet/kube"
	"github.com/flannel-io/flannel/pkg/trafficmngr/iptables"
	"k8s.io/klog/v2"
)

// Set with -ldflags -X to the version of the flannel packages.
var version = "unknown"

type options struct {
	iface            string
	ipMasq           bool
	kubeconfig       string
	apiURL           string
	netConfig        string
	subnetFile       string
	annotationPrefix string
	resyncSeconds    int
	showVersion      bool
}

func parseOptions() options {
	var o options
	klog.InitFlags(nil)
	flag.StringVar(&o.iface, "iface", "", "interface (name or address) that carries the traffic between nodes; empty: that of the default route")
	flag.BoolVar(&o.ipMasq, "ip-masq", false, "masquerade traffic that leaves the pod network")
	flag.Bool("kube-subnet-mgr", true, "accepted for flanneld's sake: this program knows no other subnet manager")
	flag.StringVar(&o.kubeconfig, "kubeconfig-file", "", "kubeconfig; empty: the pod's service account")
	flag.StringVar(&o.apiURL, "kube-api-url", "", "address of the Kubernetes API; empty: as the kubeconfig or the pod's environment says")
	flag.StringVar(&o.netConfig, "net-config-path", "/etc/kube-flannel/net-conf.json", "network configuration")
	flag.StringVar(&o.subnetFile, "subnet-file", "/run/flannel/subnet.env", "file that tells the CNI plugin this node's subnet and MTU")
	flag.StringVar(&o.annotationPrefix, "kube-annotation-prefix", "flannel.alpha.coreos.com", "prefix of the node annotations")
	flag.IntVar(&o.resyncSeconds, "iptables-resync", 5, "seconds between two looks at the iptables rules")
	flag.BoolVar(&o.showVersion, "version", false, "print the version and exit")
	flag.Parse()
	return o
}

func main() {
	o := parseOptions()
	if o.showVersion {
		fmt.Printf("lab-flanneld, built from the packages of flannel %s\n", version)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil && ctx.Err() == nil {
		klog.ErrorS(err, "lab-flanneld ends")
		klog.Flush()
		os.Exit(1)
	}
	klog.Flush()
}

func run(ctx context.Context, o options) error {
	manager, err := kube.NewSubnetManager(ctx, o.apiURL, o.kubeconfig, o.annotationPrefix, o.netConfig, true)
	if err != nil {
		return fmt.Errorf("no subnet manager: %w", err)
	}
	config, err := manager.GetNetworkConfig(ctx)
	if err != nil {
		return fmt.Errorf("network configuration %s: %w", o.netConfig, err)
	}
	if !config.EnableIPv4 || config.EnableIPv6 || config.EnableNFTables {
		return fmt.Errorf("%s: only IPv4 with iptables is supported", o.netConfig)
	}
	if _, err := os.Stat("/proc/sys/net/bridge/bridge-nf-call-iptables"); err != nil {
		return fmt.Errorf("the kernel module br_netfilter is not loaded: %w", err)
	}

	external, err := externalInterface(o.iface)
	if err != nil {
		return err
	}
	klog.InfoS("Starting", "backend", config.BackendType, "interface", external.IfaceName, "address", external.IfaceAddr)
	chosen, err := backend.NewManager(ctx, manager, external).GetBackend(config.BackendType)
	if err != nil {
		return fmt.Errorf("backend %s: %w", config.BackendType, err)
	}
	var tasks sync.WaitGroup
	network, err := chosen.RegisterNetwork(ctx, &tasks, config)
	if err != nil {
		return fmt.Errorf("backend %s does not take the network: %w", config.BackendType, err)
	}

	if err := keepRules(ctx, o, config.Network, network); err != nil {
		return err
	}
	lease := network.Lease()
	if err := manager.HandleSubnetFile(o.subnetFile, config, o.ipMasq, lease.Subnet, lease.IPv6Subnet, network.MTU()); err != nil {
		return fmt.Errorf("cannot write %s: %w", o.subnetFile, err)
	}
	klog.InfoS("Running", "subnet", lease.Subnet, "MTU", network.MTU(), "file", o.subnetFile)

	tasks.Add(1)
	go func() {
		defer tasks.Done()
		network.Run(ctx)
	}()
	err = manager.CompleteLease(ctx, lease, &tasks)
	tasks.Wait()
	return err
}

func externalInterface(name string) (*backend.ExternalInterface, error) {
	family, err := ipmatch.GetIPFamily(true, false)
	if err != nil {
		return nil, err
	}
	found, err := ipmatch.LookupExtIface(name, "", "", family, ipmatch.PublicIPOpts{})
	if err != nil {
		return nil, fmt.Errorf("no interface %q to reach the other nodes: %w", name, err)
	}
	return found, nil
}

// keepRules writes the iptables rules and sees to it that they stay.
func keepRules(ctx context.Context, o options, pods ip.IP4Net, network backend.Network) error {
	rules := &iptables.IPTablesManager{}
	if err := rules.Init(ctx); err != nil {
		return fmt.Errorf("iptables: %w", err)
	}
	noIPv6 := ip.IP6Net{}
	if o.ipMasq {
		previousPods, previousSubnet := previous(o.subnetFile)
		err := rules.SetupAndEnsureMasqRules(ctx, pods, previousSubnet, previousPods,
			noIPv6, noIPv6, noIPv6, network.Lease(), o.resyncSeconds, false)
		if err != nil {
			return fmt.Errorf("iptables rules for masquerading: %w", err)
		}
	}
	rules.SetupAndEnsureForwardRules(ctx, pods, noIPv6, o.resyncSeconds)
	return nil
}

// previous reads from the subnet file which networks an earlier run had; the zero network where it has none.
func previous(subnetFile string) (pods, subnet ip.IP4Net) {
	content, err := os.ReadFile(subnetFile)
	if err != nil {
		return pods, subnet
	}
	for _, line := range strings.Split(string(content), "\n") {
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "FLANNEL_NETWORK":
			_ = pods.UnmarshalJSON([]byte(`"` + value + `"`))
		case "FLANNEL_SUBNET":
			_ = subnet.UnmarshalJSON([]byte(`"` + value + `"`))
		}
	}
	return pods, subnet
}
