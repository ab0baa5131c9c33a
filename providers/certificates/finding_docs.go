package certificates

import "upkeep/providers"

// findingDocs documents every finding of this domain; docs/findings holds a page for each, checked fresh by a test.
func findingDocs() []providers.FindingDoc {
	return []providers.FindingDoc{
		{
			ID: "CERT_AUTHORITY_DIFFERS", Title: "A control plane has another authority than the others",
			Meaning: "The certificates in a CA file of this control plane are not those of the first control plane, or its `ca` is not the one that `cluster.kubeconfig` trusts. Whatever is issued under it here is refused elsewhere. A node of another cluster looks the same.",
			Remedy:  "upkeep renews nothing under that authority on this node, since a renewal would spread the damage. Find out which authority is right (`openssl x509 -noout -fingerprint -sha256 -in /etc/kubernetes/pki/ca.crt` on each control plane), and put that pair back from a backup.",
		},
		{
			ID: "CERT_AUTHORITY_EXPIRES_SOON", Title: "An authority ends soon",
			Meaning: "A CA of the cluster ends within `renew_before`, or sooner than a certificate that it would sign now. When a CA ends, everything below it ends with it.",
			Remedy:  "upkeep does not renew authorities. Plan a rotation by hand: https://kubernetes.io/docs/tasks/tls/manual-rotation-of-ca-certificates/. It takes a bundle of old and new authority for a while; upkeep keeps such bundles whole.",
		},
		{
			ID: "CERT_CHAIN_BROKEN", Title: "A certificate does not chain to its authority",
			Meaning: "The certificate was not signed by the CA that lies on the same node, so clients refuse it. `kubeadm certs check-expiration` does not see this.",
			Remedy:  "upkeep does not guess which of the two is right. When the authority is as it should be, `upkeep apply -replace=ADDRESS@NODE` issues the certificates of the node anew.",
		},
		{
			ID: "API_UNREACHABLE", Title: "The Kubernetes API does not answer",
			Meaning: "No answer came through `cluster.kubeconfig`. kubeadm's configuration was read from etcd instead, so what is due is known; the leader leases, the nodes and the cluster's identity are not.",
			Remedy:  "apply touches no control plane until the API answers. Look at the endpoint and the dates of `cluster.kubeconfig`, then at kube-apiserver on the control planes: `upkeep doctor USER@HOST`.",
		},
		{
			ID: "CERT_CLUSTER_DARK", Title: "The cluster is dark, and its certificates have expired",
			Meaning: "Neither the API nor etcd answers, and certificates of the control plane have expired: most likely for that reason. kubeadm's configuration cannot be asked for, and kubeadm without it falls back to its defaults, so upkeep renews nothing here.",
			Remedy: "On each control plane in turn, the primary first, as root:\n\n" +
				"1. Keep what is there: `tar -czf /root/kubernetes.tar.gz -C / etc/kubernetes`, and `cp -a /var/lib/etcd /root/etcd` where there is room.\n" +
				"2. Take the cluster's own ClusterConfiguration: from a plan that upkeep applied before, kept in the directory `journal` beside the state (`jq -r .request.world.kubernetes.cluster_configuration journal/PLAN.plan`), from kubespray's `/etc/kubernetes/kubeadm-config.yaml`, or from a backup. Without one, stop: `kubeadm certs renew` would use its defaults.\n" +
				"3. `kubeadm certs renew all --config FILE`. See with `openssl x509 -enddate -noout -in /etc/kubernetes/pki/apiserver.crt` that it ends later, and that names and key type are as before.\n" +
				"4. Copy `/etc/kubernetes/admin.conf` to where copies of it are used.\n" +
				"5. etcd and kube-apiserver load the new files by themselves, etcd at the next connection, the API server within a minute or two; kube-controller-manager and kube-scheduler must be restarted: `crictl stop $(crictl ps -q --name 'kube-controller-manager|kube-scheduler')`.\n" +
				"6. etcd answers once a majority of its members has new certificates: `etcdctl endpoint health --cluster`. Only then go on to what else is due. A kubelet whose own client certificate has expired as well needs `kubeadm init phase kubeconfig kubelet` or a new join.\n\n" +
				"Then `upkeep plan` sees the rest.",
		},
		{
			ID: "CERT_CONFIGURATION_UNKNOWN", Title: "The cluster's kubeadm configuration is not known",
			Meaning: "The ConfigMap `kube-system/kubeadm-config` could not be read, or does not hold a ClusterConfiguration. kubeadm would fall back to its defaults without a word: another key type, another life, stacked etcd.",
			Remedy:  "upkeep renews nothing until the configuration is known. Check `cluster.kubeconfig` and `kubectl -n kube-system get configmap kubeadm-config -o yaml`; `kubeadm init phase upload-config kubeadm --config FILE` writes it anew.",
		},
		{
			ID: "CERT_EXPIRED", Title: "A certificate has expired",
			Meaning: "Its end lies in the past. Peers refuse it; what serves or uses it is down, or will be at the next connection.",
			Remedy:  "upkeep renews it with the cluster's own kubeadm configuration and restarts what does not reload by itself.",
		},
		{
			ID: "CERT_EXPIRES_SOON", Title: "A certificate ends within renew_before",
			Meaning: "What is left of its life is no more than `renew_before`.",
			Remedy:  "upkeep renews it with the cluster's own kubeadm configuration, one control plane at a time, and restarts what does not reload by itself (kube-controller-manager and kube-scheduler, where their kubeconfigs are renewed).",
		},
		{
			ID: "CERT_KEY_EXPOSED", Title: "A private key can be read by others",
			Meaning: "The mode of the file that holds the private key is wider than 0600.",
			Remedy:  "`chmod 0600` the file. If others could have read it, issue the certificate anew with `upkeep apply -replace=ADDRESS@NODE`: every renewal makes a new key.",
		},
		{
			ID: "CERT_KEY_MISMATCH", Title: "A key does not belong to its certificate",
			Meaning: "The public half of the private key is not the one in the certificate, or there is no key. An interrupted `kubeadm certs renew` leaves such a pair, since it writes key and certificate one after the other; kubeadm itself calls it healthy.",
			Remedy:  "upkeep issues the certificate anew, with a key of its own. The pair of an authority is never touched: restore that from a backup.",
		},
		{
			ID: "CERT_KUBECONFIG_STALE", Title: "A copy of admin.conf has not followed it",
			Meaning: "A file in `kubeconfigs` holds a client certificate that ends within `renew_before`, has expired, or ends before the one of the kubeconfig on the same node that it was copied from (admin.conf, or super-admin.conf: the one of the same user). Tools that read the copy stop working although the control plane was renewed.",
			Remedy:  "upkeep gives the copy the newer client certificate and key and keeps its server and its whole bundle of authorities. A copy of another user is left alone: copy admin.conf over it once by hand, or take it out of `kubeconfigs`.",
		},
		{
			ID: "CERT_KUBELET_EXPIRES_SOON", Title: "A certificate of the kubelet was not rotated",
			Meaning: "The kubelet rotates its client certificate after 70 to 90 percent of its life; less than a tenth of this one is left, so rotation does not work. A self-signed serving certificate is made once and never rotated.",
			Remedy:  "upkeep leaves the kubelet's certificates to it. Look at `journalctl -u kubelet` and `kubectl get csr`: requests that nobody approves are the usual reason.",
		},
		{
			ID: "CERT_LAYOUT_UNKNOWN", Title: "The layout of a node's certificates is not known",
			Meaning: "The node answered, but its certificates were not found where the layout has them, or could not be listed. Nothing is known of them, and unknown is not healthy.",
			Remedy:  "Set `layout`, or take the node out of `nodes` if it is no control plane.",
		},
		{
			ID: "CERT_MISSING", Title: "A certificate is missing",
			Meaning: "A file that a kubeadm control plane has is not there. (super-admin.conf is normally on the first control plane alone; its absence elsewhere is not a finding.)",
			Remedy:  "kubeadm cannot renew what is not there. Restore the file from a backup, or run `kubeadm init phase certs NAME --config FILE` (`init phase kubeconfig NAME` for a .conf) with the cluster's own configuration.",
		},
		{
			ID: "CERT_NOT_YET_VALID", Title: "A certificate is not valid yet",
			Meaning: "Its beginning lies in the future. The clock of the machine that issued it, or of the machine that upkeep runs on, is wrong.",
			Remedy:  "Compare the clocks of the control planes, then look again.",
		},
		{
			ID: "CERT_OPERATOR_KUBECONFIG", Title: "The operator's own kubeconfig ends soon",
			Meaning: "The client certificate in `cluster.kubeconfig`, with which upkeep and you talk to the cluster, ends within `renew_before` or has expired.",
			Remedy:  "upkeep does not change it. Copy the client certificate and key of a renewed /etc/kubernetes/admin.conf into it.",
		},
		{
			ID: "CERT_OUTLIVES_AUTHORITY", Title: "A certificate ends after its authority",
			Meaning: "kubeadm does not clamp the end of a certificate to that of its CA. The certificate stops working when the CA ends, whatever its own date says.",
			Remedy:  "Rotate the authority. Renewing the certificate does not help.",
		},
		{
			ID: "CERT_RENEW_BEFORE_TOO_LONG", Title: "renew_before is longer than a certificate's life",
			Meaning: "The cluster issues certificates for no longer than `renew_before`, so that a new certificate would be due at once and renewal would never end.",
			Remedy:  "Set `renew_before` to less than the cluster's `certificateValidityPeriod`. Until then upkeep renews certificates that have less than a third of their life left.",
		},
		{
			ID: "CERT_SERVED_DIFFERS", Title: "What runs is not what is on disk",
			Meaning: "A port serves another certificate than the file it should serve, or a component that reads its kubeconfig only once (kube-controller-manager, kube-scheduler) has run since before that file was changed. It stops working when the old certificate ends, although the file was renewed. Deleting the mirror pod does not help: that restarts nothing.",
			Remedy:  "upkeep restarts the component for real, and proves it by a new container, its start time and its lease. A port that has changed less than two minutes ago is given the time to reload.",
		},
		{
			ID: "CERT_SERVED_UNKNOWN", Title: "It is not known what runs",
			Meaning: "A TLS port of the control plane did not answer, or container and file times are missing, so that nobody can say whether what runs is what is on disk.",
			Remedy:  "Look at why the port or the container runtime does not answer: `crictl ps -a`, `journalctl -u kubelet`.",
		},
		{
			ID: "CERT_UNFINISHED", Title: "A renewal was interrupted",
			Meaning: "upkeep's helper wrote down what it was about to replace and did not come to the end: the node lost power, or the helper was killed.",
			Remedy:  "The next apply finishes or undoes it before anything else.",
		},
		{
			ID: "CERT_UNREADABLE", Title: "A certificate or its key cannot be read",
			Meaning: "The file is there and could not be read or parsed, so nothing is known of it. One such file makes kubeadm's whole report, and a `renew all` half-way through, fail.",
			Remedy:  "Restore the file from a backup, or move it and its key away and let `kubeadm init phase certs NAME --config FILE` make it anew with the cluster's own configuration.",
		},
		{
			ID: "ETCD_UNHEALTHY", Title: "etcd is unhealthy", General: true,
			Meaning: "A member does not answer, follows no leader or another one, lags, reports an error or an alarm, or holds other data than its peers at the same revision. One more disturbance could cost the quorum.",
			Remedy:  "Where all that is wrong is that members take no part (they do not answer or follow no leader), and a majority does, upkeep goes on with what leaves etcd alone, and touches no other member; in every other case it touches no control plane until etcd is healthy. A healthy learner holds nothing back. Look at `etcdctl endpoint status --cluster -w table` and `etcdctl alarm list`.",
		},
		{
			ID: "ETCD_WORK_WAITS", Title: "Work on etcd waits for a member that takes no part",
			Meaning: "A certificate that etcd itself loads is due, or etcd must be restarted, and another member does not answer or follows no leader: one more that fails could cost the quorum. The plan holds everything else that is due.",
			Remedy:  "Bring the member back, or, where its machine is gone for good, take it out of etcd (`etcdctl member remove ID`) and its node out of the configuration. Then plan again.",
		},
		{
			ID: "NODE_CONTROL_PLANE_BROKEN", Title: "The control plane of a node is not whole",
			Meaning: "A static pod has no manifest or no running container, or the API server of the node is not ready.",
			Remedy:  "upkeep does the work that is due on this node. On others it restarts nothing meanwhile that does not run here, and where certificates of this node were changed within a day it does nothing there at all: the same might happen again. Look at `crictl ps -a` and `journalctl -u kubelet` on the node.",
		},
		{
			ID: "NODE_NONE_SELECTED", Title: "A block selects no node",
			Meaning: "No declared or discovered node belongs to the selection in `nodes`, so the block watches nothing.",
			Remedy:  "Declare the nodes, or correct the role or name.",
		},
		{
			ID: "NODE_SELECTION_UNKNOWN", Title: "Not all nodes of a selection are known",
			Meaning: "The members of a `nodes` block could not be discovered, so the block may miss nodes.",
			Remedy:  "Make the cluster reachable (`cluster.kubeconfig`), and look again.",
		},
		{
			ID: "NODE_UNREACHABLE", Title: "A node did not answer",
			Meaning: "Nothing is known of the node, so its part of the plan is unknown. That is never the same as \"no changes\".",
			Remedy:  "Connect to it with `ssh` as upkeep does. While it does not answer, upkeep goes on with the other control planes as long as etcd holds without it: their members of etcd are left alone, and nothing is restarted that no other control plane could take over from.",
		},
	}
}
