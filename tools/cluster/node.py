"""A Kubernetes node on this machine: containerd, kubelet, kube-proxy, bridge network, network policies, DNS. Shell.

One CPU is shared (by everything that asks for a fraction, and by the host); every other one is handed out whole to a
Guaranteed container that asks for whole CPUs. The container restart back-off is capped at a second, for chaos tests.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from pause_image import PAUSE, write_pause_image
from processes import await_ready, end, start

NAME = "tradewind-node"
BRIDGE, GATEWAY, PODS, SERVICES = "twbr0", "10.244.0.1", "10.244.0.0/24", "10.96.0.0/16"
DNS = "10.96.0.10"
# Policies see the port that a Service leads to: these are where policies expect the API server and DNS.
API_PORT, DNS_PORT = 6443, 53
TOOLS = ("containerd", "ctr", "runc", "iptables", "iptables-save", "iptables-restore", "ipset", "conntrack", "ip")


def check() -> None:
    """Ends this process where a node can't run: a tool is missing, or another node is here."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        sys.exit(f"missing: {', '.join(missing)}; as root: tools/system-packages cluster")
    if Path(f"/sys/class/net/{BRIDGE}").exists() or _own_rules("nat"):
        sys.exit(
            "another Kubernetes node runs on this machine, or was left behind: end it with tools/cluster/down first"
        )


def prepare(state: Path) -> None:
    """What must be there before the API server: the bridge that it listens on, and its key to the kubelet."""
    (state / "kubelet.yaml").write_text(json.dumps(_kubelet(state)))  # also tells `down` that there is a node
    _run("ip", "link", "add", BRIDGE, "type", "bridge")
    _run("ip", "addr", "add", f"{GATEWAY}/24", "dev", BRIDGE)
    _run("ip", "link", "set", BRIDGE, "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    Path("/proc/sys/net/bridge/bridge-nf-call-iptables").write_text("1")  # from pod to pod is through the firewall, too
    _run(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "365",
        "-subj", "/O=system:masters/CN=kube-apiserver-kubelet-client",
        "-keyout", str(state / "pki" / "kubelet-client.key"), "-out", str(state / "pki" / "kubelet-client.crt"),
    )  # fmt: skip


def apiserver_options(state: Path) -> list[str]:
    """How the API server reaches a kubelet: `kubectl logs`, `exec`, `port-forward`."""
    return [
        f"--kubelet-client-certificate={state / 'pki' / 'kubelet-client.crt'}",
        f"--kubelet-client-key={state / 'pki' / 'kubelet-client.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        "--allow-privileged",
    ]


def start_node(state: Path, binaries: Path) -> None:
    """Starts everything of the node; returns when it is Ready."""
    kubectl = [str(binaries / "kubectl"), f"--kubeconfig={state / 'kubeconfig'}"]
    start(
        state, "kube-scheduler", str(binaries / "kube-scheduler"), "--leader-elect=false", "--secure-port=0",
        f"--kubeconfig={state / 'kube-scheduler.kubeconfig'}",
    )  # fmt: skip
    _network(state, binaries)
    containerd = start(state, "containerd", "containerd", "-c", str(state / "containerd.toml"))
    ctr = ["ctr", "-a", str(state / "containerd.sock")]
    await_ready(state, containerd, lambda: _succeeds(*ctr, "version"))
    write_pause_image(binaries / "pause", state / "pause.tar")
    _run(*ctr, "-n", "k8s.io", "images", "import", str(state / "pause.tar"))
    kubelet = start(
        state, "kubelet", str(binaries / "kubelet"), f"--config={state / 'kubelet.yaml'}",
        f"--kubeconfig={state / 'kubelet.kubeconfig'}", f"--root-dir={state / 'kubelet'}",
        f"--hostname-override={NAME}", f"--node-ip={GATEWAY}",
    )  # fmt: skip
    start(
        state, "kube-proxy", str(binaries / "kube-proxy"), f"--kubeconfig={state / 'kube-proxy.kubeconfig'}",
        f"--hostname-override={NAME}", f"--cluster-cidr={PODS}", "--proxy-mode=iptables",
        "--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0",
        f"--healthz-bind-address={GATEWAY}:10256", f"--metrics-bind-address={GATEWAY}:10249",
    )  # fmt: skip
    start(state, "policies", str(binaries / "policies"), str(state / "kubeconfig"), NAME, SERVICES)
    _name_service(state, binaries, kubectl)
    ready = ["wait", "--for=condition=Ready", f"node/{NAME}", "--timeout=1s"]
    await_ready(state, kubelet, lambda: _succeeds(*kubectl, *ready))


def end_node(state: Path) -> None:
    """Ends every process of the node, its containers among them."""
    for name in ("kubelet", "kube-proxy", "policies", "coredns", "kube-scheduler"):
        end(state, name, signal.SIGTERM)
    ctr = ["ctr", "-a", str(state / "containerd.sock"), "-n", "k8s.io"]
    containers = _output(*ctr, "containers", "ls", "-q").split()
    for container in containers:
        _succeeds(*ctr, "tasks", "kill", "-s", "SIGKILL", container)
    for container in containers:
        for _ in range(50):
            if _succeeds(*ctr, "tasks", "rm", "-f", container) or f"{container} " not in _output(*ctr, "tasks", "ls"):
                break
            time.sleep(0.1)
        _succeeds(*ctr, "containers", "rm", container)
    end(state, "containerd", signal.SIGTERM)


def clear(state: Path) -> None:
    """Takes away what the node left in the kernel: mounts, network, firewall chains, control groups."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{state}/")), reverse=True):
        _run("umount", "-l", mount)
    for namespace in _output("ip", "netns", "list").split():
        if namespace.startswith("cni-"):
            _succeeds("ip", "netns", "del", namespace)
    _succeeds("ip", "link", "del", BRIDGE)
    for table in ("nat", "filter", "mangle"):
        if _own_rules(table):
            kept = [r for r in _output("iptables-save", "-t", table).splitlines() if not _is_own(r)]
            subprocess.run(["iptables-restore", "-T", table], input="\n".join([*kept, ""]), text=True, check=True)
    for name in _output("ipset", "list", "-name").split():
        if name.startswith("KUBE-"):
            _run("ipset", "destroy", name)
    for hierarchy in Path("/sys/fs/cgroup").glob("**/kubepods"):
        for group in sorted((p for p in hierarchy.glob("**/") if p.is_dir()), reverse=True):
            group.rmdir()


def _kubelet(state: Path) -> dict[str, object]:
    trusted = str(state / "pki" / "kubelet-client.crt")
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": GATEWAY,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": trusted},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "containerRuntimeEndpoint": f"unix://{state / 'containerd.sock'}",
        "cpuManagerPolicy": "static",
        "systemReserved": {"cpu": "100m"},
        "enforceNodeAllocatable": [],
        "crashLoopBackOff": {"maxContainerRestartPeriod": "1s"},
        "featureGates": {"KubeletInUserNamespace": True, "KubeletCrashLoopBackOffMax": True},
        "failSwapOn": False,
        "failCgroupV1": False,
        "localStorageCapacityIsolation": False,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "clusterDNS": [DNS],
        "clusterDomain": "cluster.local",
        "resolvConf": "/dev/null",
        "maxPods": 60,
    }


def _network(state: Path, binaries: Path) -> None:
    """The network plugins with their configuration, and containerd's that names both."""
    plugins, network = state / "cni" / "bin", state / "cni" / "net.d"
    for directory in (plugins, network):
        directory.mkdir(parents=True, exist_ok=True)
    for name in ("bridge", "loopback", "host-local", "portmap"):
        shutil.copy(binaries / name, plugins / name)
    addresses = {
        "type": "host-local",
        "dataDir": str(state / "cni" / "addresses"),
        "ranges": [[{"subnet": PODS, "rangeStart": "10.244.0.10"}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": addresses,
    }
    told = {"cniVersion": "1.0.0", "name": "tradewind"}
    told["plugins"] = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]
    (network / "10-tradewind.conflist").write_text(json.dumps(told))
    (state / "containerd.toml").write_text(
        f"""version = 2
root = "{state}/containerd"
state = "{state}/containerd-state"
[grpc]
  address = "{state}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{network}"
"""
    )


def _name_service(state: Path, binaries: Path, kubectl: list[str]) -> None:
    """CoreDNS on the host, behind the Service that every pod asks."""
    (state / "Corefile").write_text(
        f""".:{DNS_PORT} {{
  bind {GATEWAY}
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {state / "kubeconfig"}
  }}
  cache 5
}}
"""
    )
    start(state, "coredns", str(binaries / "coredns"), "-conf", str(state / "Corefile"))
    name = {"name": "kube-dns", "namespace": "kube-system"}
    ports = [{"name": f"dns-{p.lower()}", "port": 53, "protocol": p, "targetPort": DNS_PORT} for p in ("UDP", "TCP")]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": name, "spec": {"clusterIP": DNS, "ports": ports}}
    labels = {"kubernetes.io/service-name": "kube-dns"}
    slice_ = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {**name, "labels": labels}}
    slice_ |= {"addressType": "IPv4", "endpoints": [{"addresses": [GATEWAY], "conditions": {"ready": True}}]}
    slice_["ports"] = [{"name": p["name"], "port": DNS_PORT, "protocol": p["protocol"]} for p in ports]
    both = {"apiVersion": "v1", "kind": "List", "items": [service, slice_]}
    subprocess.run(
        [*kubectl, "apply", "-f", "-"], input=json.dumps(both), text=True, check=True, stdout=subprocess.DEVNULL
    )


def _is_own(rule: str) -> bool:
    return "KUBE-" in rule or "CNI-" in rule


def _own_rules(table: str) -> bool:
    return any(_is_own(rule) for rule in _output("iptables-save", "-t", table).splitlines())


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30).stdout
