package certificates_test

import (
	"time"

	"upkeep/config"
	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
)

// silent is the cause of what is found where the member of cp3 does not answer.
var silent = facts.EtcdCause(worlds.ControlPlanes(3, now).Etcd.Members[2].ID, facts.EtcdSilent)

// planeCases are about authorities, what runs, nodes and the cluster.
func planeCases() []findingCase {
	return []findingCase{
		{name: "healthy", change: func(*facts.World, *certificates.Spec) {}},
		{
			name: "the key of an authority is another's",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp2"], "ca").Key = "mismatch"
				worlds.Age(now, day, w.Nodes["cp2"], "apiserver")
			},
			want: []providers.Finding{
				{
					ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "apiserver", Summary: `expires in 24h; renewal starts 30d before`,
					Hint: "upkeep cannot renew it: the key of its authority ca does not belong to it",
				},
				{
					ID: "CERT_KEY_MISMATCH", Severity: "error", Address: address("cp2"), Object: "ca", Summary: "its key does not belong to it",
					Hint: "restore the pair from a backup or another control plane",
				},
			},
		},
		{
			name: "a component runs since before its kubeconfig was changed",
			change: func(w *facts.World, _ *certificates.Spec) {
				n := w.Nodes["cp2"]
				worlds.File(n, "controller-manager.conf").Modified = worlds.Pod(n, "kube-controller-manager").StartedAt.Add(40 * day)
			},
			want: []providers.Finding{{
				ID: "CERT_SERVED_DIFFERS", Severity: "error", Address: address("cp2"), Object: "kube-controller-manager",
				Summary: "runs since 40d before its kubeconfig was changed",
			}},
			steps: []string{cp2 + "/restart: restart kube-controller-manager"},
		},
		{
			name: "a port serves an old certificate for long",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.Served(w.Nodes["cp1"], "etcd-peer").SHA256 = "old"
				worlds.Served(w.Nodes["cp1"], "etcd-peer").Serial = "OLD"
				worlds.File(w.Nodes["cp1"], "etcd-peer").Blocks[0].Serial = "DISK"
			},
			want: []providers.Finding{{
				ID: "CERT_SERVED_DIFFERS", Severity: "error", Address: address("cp1"), Object: "etcd 10.0.0.11:2380",
				Summary: "serves OLD, not DISK as on disk",
			}},
			steps: []string{cp1 + "/restart: restart etcd"},
		},
		{
			name: "a port that may still reload is not restarted",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.Served(w.Nodes["cp1"], "apiserver").SHA256 = "old"
				worlds.Served(w.Nodes["cp1"], "apiserver").Serial = "OLD"
				f := worlds.File(w.Nodes["cp1"], "apiserver")
				f.Blocks[0].Serial, f.Modified = "DISK", now.Add(-30*time.Second)
			},
			want: []providers.Finding{{
				ID: "CERT_SERVED_DIFFERS", Severity: "warning", Address: address("cp1"), Object: "kube-apiserver 10.0.0.11:6443",
				Summary: "serves OLD, not DISK as on disk", Hint: "it reloads by itself within a minute or two; look again",
			}},
		},
		{
			name: "the kubelet is left alone",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.Served(w.Nodes["cp1"], "kubelet-server").SHA256 = "old"
				worlds.Served(w.Nodes["cp1"], "kubelet-server").Serial = "OLD"
				worlds.File(w.Nodes["cp1"], "kubelet-server").Blocks[0].Serial = "DISK"
			},
			want: []providers.Finding{{
				ID: "CERT_SERVED_DIFFERS", Severity: "warning", Address: address("cp1"), Object: "kubelet 10.0.0.11:10250",
				Summary: "serves OLD, not DISK as on disk", Hint: "upkeep leaves the kubelet alone: `systemctl restart kubelet` on cp1",
			}},
		},
		{
			name: "a port that does not answer",
			change: func(w *facts.World, _ *certificates.Spec) {
				s := worlds.Served(w.Nodes["cp3"], "etcd-server")
				s.Unknown, s.Serial, s.SHA256 = "connection refused", "", ""
			},
			want: []providers.Finding{{
				ID: "CERT_SERVED_UNKNOWN", Severity: "error", Address: address("cp3"), Object: "etcd 10.0.0.13:2379", Unknown: true,
				Summary: "cannot be told what it serves: connection refused",
			}},
		},
		{
			name: "a container without a start time",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.Pod(w.Nodes["cp3"], "kube-scheduler").StartedAt = time.Time{}
			},
			want: []providers.Finding{{
				ID: "CERT_SERVED_UNKNOWN", Severity: "error", Address: address("cp3"), Object: "kube-scheduler", Unknown: true,
				Summary: "cannot be told whether it runs with the certificate on disk: the container's start or the file's time is not known",
			}},
		},
		{
			name: "an authority ends soon",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp1"], "etcd-ca").Blocks[0].NotAfter = now.Add(320 * day)
			},
			want: []providers.Finding{{
				ID: "CERT_AUTHORITY_EXPIRES_SOON", Severity: "warning", Address: address("cp1"), Object: "etcd-ca",
				Summary: "320d left; a certificate issued now would outlive it",
				Hint:    "upkeep does not renew authorities: plan a rotation by hand, see https://kubernetes.io/docs/tasks/tls/manual-rotation-of-ca-certificates/",
			}},
		},
		{
			name: "an authority has expired, and nothing is issued under it",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp1"], "front-proxy-ca").Blocks[0].NotAfter = now.Add(-day)
				worlds.Age(now, -day, w.Nodes["cp1"], "front-proxy-client")
			},
			want: []providers.Finding{
				{
					ID: "CERT_AUTHORITY_EXPIRES_SOON", Severity: "error", Address: address("cp1"), Object: "front-proxy-ca",
					Summary: "expired 24h ago",
					Hint:    "upkeep does not renew authorities: plan a rotation by hand, see https://kubernetes.io/docs/tasks/tls/manual-rotation-of-ca-certificates/",
				},
				{
					ID: "CERT_EXPIRED", Severity: "error", Address: address("cp1"), Object: "front-proxy-client", Summary: "expired 24h ago",
					Hint: "upkeep cannot renew it: its authority front-proxy-ca has expired",
				},
			},
		},
		{
			name: "authorities differ between control planes",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp2"], "etcd-ca").Blocks[0].SHA256 = "other"
				worlds.Age(now, day, w.Nodes["cp2"], "etcd-peer", "apiserver")
			},
			want: []providers.Finding{
				{
					ID: "CERT_AUTHORITY_DIFFERS", Severity: "error", Address: address("cp2"), Object: "etcd-ca",
					Summary: "not the certificates that cp1 has; nothing is renewed under it here",
					Hint:    "find out which is right before anything is renewed: compare /etc/kubernetes/pki/etcd/ca.crt on all control planes",
				},
				{ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "apiserver", Summary: `expires in 24h; renewal starts 30d before`},
				{
					ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "etcd-peer", Summary: `expires in 24h; renewal starts 30d before`,
					Hint: "upkeep cannot renew it: its authority etcd-ca is not that of cp1",
				},
			},
			steps: []string{cp2 + "/renew: renew apiserver"},
		},
		{
			name: "a node of another cluster",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp1"], "ca").Blocks[0].SHA256 = "other"
				worlds.Age(now, day, w.Nodes["cp1"], "etcd-peer")
			},
			want: []providers.Finding{
				{
					ID: "CERT_AUTHORITY_DIFFERS", Severity: "error", Address: address("cp1"), Object: "ca",
					Summary: "this is not the authority that cluster.kubeconfig trusts; nothing is renewed here",
					Hint:    "does this node belong to another cluster? Compare `openssl x509 -noout -fingerprint -sha256 -in /etc/kubernetes/pki/ca.crt` with the kubeconfig",
				},
				{
					ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp1"), Object: "etcd-peer", Summary: `expires in 24h; renewal starts 30d before`,
					Hint: "upkeep cannot renew it: its authority is not the one that cluster.kubeconfig trusts",
				},
			},
		},
		{
			name: "an interrupted renewal",
			change: func(w *facts.World, _ *certificates.Spec) {
				n := w.Nodes["cp2"]
				n.Certificates.Unfinished = []facts.Unfinished{{ID: "r1", Step: cp2 + "/renew", Installed: []string{"apiserver"}, Remaining: []string{"etcd-peer"}}}
				worlds.File(n, "etcd-peer").Key = "mismatch"
				worlds.Age(now, 12*day, w.Nodes["cp1"], "front-proxy-client")
			},
			want: []providers.Finding{
				{ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp1"), Object: "front-proxy-client", Summary: `expires in 12d; renewal starts 30d before`},
				{
					ID: "CERT_UNFINISHED", Severity: "error", Address: address("cp2"), Object: "r1",
					Summary: "a renewal was interrupted; not yet in place: etcd-peer",
				},
				{ID: "CERT_KEY_MISMATCH", Severity: "error", Address: address("cp2"), Object: "etcd-peer", Summary: "its key does not belong to it"},
			},
			steps: []string{
				cp2 + "/repair: repair the renewal that was interrupted",
				cp1 + "/renew: renew front-proxy-client",
			},
		},
		{
			name: "a node that does not answer",
			change: func(w *facts.World, _ *certificates.Spec) {
				w.Nodes["cp1"] = &facts.Node{Name: "cp1", Unknown: "ssh: no answer in 10s"}
				worlds.Age(now, 12*day, w.Nodes["cp2"], "front-proxy-client")
			},
			want: []providers.Finding{
				{
					ID: "NODE_UNREACHABLE", Cause: "node/cp1/silent", Severity: "error", Address: address("cp1"), Summary: "ssh: no answer in 10s", Unknown: true,
					Hint: "its part of this plan is unknown; see whether `ssh` reaches it from here",
				},
				{ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "front-proxy-client", Summary: `expires in 12d; renewal starts 30d before`},
			},
			steps: []string{cp2 + "/renew: renew front-proxy-client"},
		},
		{
			name:   "a node that was not observed",
			change: func(w *facts.World, _ *certificates.Spec) { delete(w.Nodes, "cp3") },
			want: []providers.Finding{{
				ID: "NODE_UNREACHABLE", Cause: "node/cp3/silent", Severity: "error", Address: address("cp3"), Summary: "not observed", Unknown: true,
				Hint: "its part of this plan is unknown; see whether `ssh` reaches it from here",
			}},
		},
		{
			name: "an unknown layout",
			change: func(w *facts.World, _ *certificates.Spec) {
				w.Nodes["cp3"].Certificates = facts.Certificates{Unknown: "no known layout"}
			},
			want: []providers.Finding{{
				ID: "CERT_LAYOUT_UNKNOWN", Severity: "error", Address: address("cp3"), Summary: "no known layout", Unknown: true,
				Hint: `set layout to "kubeadm", "kubespray", "k3s" or "rke2", or take the node out of nodes`,
			}},
		},
		{
			name: "renew_before as long as certificates live",
			change: func(w *facts.World, s *certificates.Spec) {
				s.RenewBefore = config.Duration(365 * day)
				worlds.Age(now, 122*day, w.Nodes["cp1"], "apiserver")
				worlds.Age(now, 121*day, w.Nodes["cp2"], "apiserver")
			},
			want: []providers.Finding{
				{
					ID: "CERT_RENEW_BEFORE_TOO_LONG", Severity: "warning", Address: address(""), Object: "renew_before",
					Summary: `renew_before = "1y", but the cluster issues certificates for 365d: a new one would be due at once; until this is changed those with less than 121d left are renewed`,
					Hint:    "set renew_before to less than 365d, or raise certificateValidityPeriod in the ConfigMap kube-system/kubeadm-config",
				},
				{ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "apiserver", Summary: `expires in 121d; renewal starts 1y before`},
			},
			steps: []string{cp2 + "/renew: renew apiserver"},
		},
		{
			name: "an etcd member is down",
			change: func(w *facts.World, _ *certificates.Spec) {
				m := &w.Etcd.Members[2]
				*m = facts.Member{ID: m.ID, Name: m.Name, Unknown: "connection refused"}
			},
			want: []providers.Finding{{
				ID: "ETCD_UNHEALTHY", Severity: "error", Address: address(""), Object: "cp3", Summary: "member cp3 does not answer: connection refused", Cause: silent,
				Hint: "etcd works without this member. upkeep changes no other member until then, and does the work that does not change etcd",
			}},
		},
		{
			name: "an etcd member is down, and certificates of etcd and of others are due",
			change: func(w *facts.World, _ *certificates.Spec) {
				m := &w.Etcd.Members[2]
				*m = facts.Member{ID: m.ID, Name: m.Name, Node: "cp3", Unknown: "connection refused"}
				worlds.Age(now, 12*day, w.Nodes["cp1"], "apiserver", "etcd-server", "etcd-peer", "etcd-healthcheck-client")
			},
			want: []providers.Finding{
				{
					ID: "ETCD_UNHEALTHY", Severity: "error", Address: address(""), Object: "cp3", Summary: "member cp3 does not answer: connection refused", Cause: silent,
					Hint: "etcd works without this member. upkeep changes no other member until then, and does the work that does not change etcd",
				},
				{ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp1"), Object: "apiserver", Summary: `expires in 12d; renewal starts 30d before`},
				{ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp1"), Object: "etcd-healthcheck-client", Summary: `expires in 12d; renewal starts 30d before`},
				{ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp1"), Object: "etcd-peer", Summary: `expires in 12d; renewal starts 30d before`},
				{ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp1"), Object: "etcd-server", Summary: `expires in 12d; renewal starts 30d before`},
				{
					ID: "ETCD_WORK_WAITS", Severity: "error", Address: address("cp1"), Object: "etcd", Waits: true,
					Summary: "etcd-server, etcd-peer must wait: no etcd member is changed while another etcd member is not serving (cp3)",
					Hint:    "bring the member back. If its machine is lost, remove the member: `etcdctl member remove ID`, and its node out of the configuration; then plan again",
				},
			},
			steps: []string{cp1 + "/renew: renew apiserver, etcd-healthcheck-client"},
		},
		{
			name: "a control plane is broken",
			change: func(w *facts.World, _ *certificates.Spec) {
				n := w.Nodes["cp2"]
				worlds.Pod(n, "kube-scheduler").ContainerID = ""
				n.ControlPlane.APIServer = facts.APIServer{NotReady: "etcd"}
			},
			want: []providers.Finding{
				{
					ID: "NODE_CONTROL_PLANE_BROKEN", Severity: "error", Address: address("cp2"), Object: "kube-scheduler", Summary: "has no running container",
					Hint: "look at `crictl ps -a` and `journalctl -u kubelet` on cp2; until then upkeep changes no other control plane",
				},
				{
					ID: "NODE_CONTROL_PLANE_BROKEN", Severity: "error", Address: address("cp2"), Object: "kube-apiserver", Summary: "is not ready: etcd",
					Hint: "look at `crictl ps -a` and `journalctl -u kubelet` on cp2; until then upkeep changes no other control plane",
				},
			},
		},
		{
			name: "the operator's own kubeconfig ends",
			change: func(w *facts.World, _ *certificates.Spec) {
				w.Kubernetes.Kubeconfig.Blocks[0].NotAfter = now.Add(5 * day)
			},
			want: []providers.Finding{{
				ID: "CERT_OPERATOR_KUBECONFIG", Severity: "warning", Address: address(""), Object: "cluster.kubeconfig",
				Summary: "its client certificate expires in 5d; renewal starts 30d before (/home/ops/.kube/config)",
				Hint: "set operator_kubeconfig = true, and `upkeep apply` renews it; " +
					"or copy the client certificate and key of a renewed /etc/kubernetes/admin.conf into it",
			}},
		},
		{
			name:   "the operator's own kubeconfig verifies nobody",
			change: func(w *facts.World, _ *certificates.Spec) { w.Kubernetes.Kubeconfig.Insecure = "not verified" },
			want: []providers.Finding{{
				ID: "CERT_KUBECONFIG_INSECURE", Severity: "error", Address: address(""), Object: "cluster.kubeconfig",
				Summary: "not verified (/home/ops/.kube/config)",
				Hint:    "put the CA of the cluster into the kubeconfig (certificate-authority-data), remove insecure-skip-tls-verify, and use https://",
			}},
		},
		{
			name: "kubeadm's configuration is not known, and nothing is renewed by defaults",
			change: func(w *facts.World, _ *certificates.Spec) {
				w.Kubernetes.ClusterConfiguration, w.Kubernetes.ClusterConfigurationUnknown = "", "forbidden"
				worlds.Age(now, 12*day, w.Nodes["cp2"], "apiserver")
			},
			want: []providers.Finding{
				{
					ID: "CERT_CONFIGURATION_UNKNOWN", Severity: "error", Address: address(""), Summary: "forbidden", Unknown: true,
					Hint: "without the cluster's own kubeadm configuration kubeadm falls back to its defaults, so upkeep renews nothing; check cluster.kubeconfig, and `kubectl -n kube-system get configmap kubeadm-config`",
				},
				{
					ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "apiserver", Summary: `expires in 12d; renewal starts 30d before`,
					Hint: "upkeep cannot renew it: the cluster's kubeadm configuration is not known",
				},
			},
		},
		{
			name: "the cluster is dark, and certificates have expired",
			change: func(w *facts.World, _ *certificates.Spec) {
				w.Kubernetes = facts.Kubernetes{Unknown: "connection refused", Authority: w.Kubernetes.Authority, Kubeconfig: w.Kubernetes.Kubeconfig}
				w.Etcd = facts.Etcd{Unknown: "no member answered"}
				worlds.Age(now, -day, w.Nodes["cp2"], "etcd-peer", "scheduler.conf")
			},
			want: []providers.Finding{
				{
					ID: "CERT_CONFIGURATION_UNKNOWN", Severity: "error", Address: address(""), Summary: "connection refused", Unknown: true,
					Hint: "without the cluster's own kubeadm configuration kubeadm falls back to its defaults, so upkeep renews nothing; check cluster.kubeconfig, and `kubectl -n kube-system get configmap kubeadm-config`",
				},
				{
					ID: "ETCD_UNHEALTHY", Severity: "error", Address: address(""), Summary: "etcd could not be asked: no member answered", Unknown: true, Cause: "etcd//silent",
					Hint: "upkeep touches no control plane while etcd is unhealthy",
				},
				{
					ID: "CERT_EXPIRED", Severity: "error", Address: address("cp2"), Object: "etcd-peer", Summary: "expired 24h ago",
					Hint: "upkeep cannot renew it: the cluster's kubeadm configuration is not known",
				},
				{
					ID: "CERT_EXPIRED", Severity: "error", Address: address("cp2"), Object: "scheduler.conf", Summary: "expired 24h ago",
					Hint: "upkeep cannot renew it: the cluster's kubeadm configuration is not known",
				},
				{
					ID: "CERT_CLUSTER_DOWN", Severity: "error", Address: address("cp2"), Object: "control plane",
					Summary: "neither the API nor etcd answers, and etcd-peer expired 24h ago, and 1 more",
					Hint: "by hand, one control plane after the other: `tar -czf /root/kubernetes.tar.gz -C / etc/kubernetes`; " +
						"`kubeadm certs renew all --config FILE`, where FILE is the cluster's own ClusterConfiguration (in a plan that upkeep applied before: `zcat -f journal/PLAN.plan | jq -r .request.world.kubernetes.cluster_configuration`); " +
						"then restart kube-controller-manager and kube-scheduler; see `docs/findings/CERT_CLUSTER_DOWN.md`",
				},
			},
		},
		{
			name: "the API is silent, and etcd knows kubeadm's configuration",
			change: func(w *facts.World, _ *certificates.Spec) {
				w.Kubernetes = facts.Kubernetes{Unknown: "connection refused", ClusterConfiguration: w.Kubernetes.ClusterConfiguration, Authority: w.Kubernetes.Authority, Kubeconfig: w.Kubernetes.Kubeconfig}
			},
			want: []providers.Finding{{
				ID: "API_UNREACHABLE", Severity: "error", Address: address(""), Summary: "connection refused", Unknown: true,
				Hint: "kubeadm's configuration was read from etcd instead, so what is due is known; apply touches no control plane until the API answers",
			}},
		},
		{
			name:   "no node is selected",
			change: func(_ *facts.World, s *certificates.Spec) { s.Nodes = config.Selection{Roles: []string{"master"}} },
			want: []providers.Finding{{
				ID: "NODE_NONE_SELECTED", Severity: "error", Address: address(""), Summary: "nodes selects no node",
				Hint: "declare nodes with the role or name that the block selects",
			}},
		},
	}
}
