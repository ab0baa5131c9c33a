package nvidia

import (
	"strings"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
)

// signs are the files by which a maintainer is recognised: its state or its program, and not a package's leftovers.
var signs = []struct {
	name  string
	paths []string
}{
	// The operator's driver container and its validator keep their state here.
	{facts.MaintainerOperator, []string{"/run/nvidia/driver", "/run/nvidia/validations"}},
	{facts.MaintainerRestarts, []string{"/usr/sbin/needrestart"}},
	{facts.MaintainerDKMS, []string{"/var/lib/dkms/nvidia", "/var/lib/dkms/nvidia-open", "/var/lib/dkms/nvidia-srv"}},
	{facts.MaintainerPuppet, []string{"/opt/puppetlabs/bin/puppet", "/usr/bin/puppet"}},
	{facts.MaintainerChef, []string{"/opt/chef/bin/chef-client", "/usr/bin/chef-client"}},
	{facts.MaintainerSalt, []string{"/usr/bin/salt-minion", "/opt/saltstack/salt/salt-minion"}},
	{facts.MaintainerAnsible, []string{"/usr/bin/ansible-pull", "/usr/local/bin/ansible-pull"}},
	{facts.MaintainerLandscape, []string{"/usr/bin/landscape-client"}},
	{facts.MaintainerSnap, []string{"/usr/lib/snapd/snapd"}},
}

// maintainers names the others that change this node. What the packages say of unattended upgrades is known already.
func maintainers(d *disk.Disk, n facts.NVIDIA) facts.Maintainers {
	var out facts.Maintainers
	for _, s := range signs {
		for _, p := range s.paths {
			if d.Exists(p) {
				out.Found = append(out.Found, facts.Maintainer{Name: s.name, Evidence: p})
				break
			}
		}
	}
	u := n.Packages.Unattended
	switch {
	case u.Unknown != "":
		out.Unknown = "unattended-upgrades: " + u.Unknown
	case u.Enabled:
		out.Found = append(out.Found, facts.Maintainer{Name: facts.MaintainerUnattended, Evidence: "apt-daily-upgrade.timer"})
	}
	if name, found := kured(d); found {
		out.Found = append(out.Found, facts.Maintainer{Name: facts.MaintainerKured, Evidence: name})
	}
	return out
}

// kured finds the directory of kured's pod logs: its lock and its labels are the cluster's to tell.
func kured(d *disk.Disk) (string, bool) {
	const pods = "/var/log/pods"
	dir, err := d.Dir(pods)
	if err != nil {
		return "", false
	}
	entries, err := dir.List()
	if err != nil {
		return "", false
	}
	for _, e := range entries {
		// NAMESPACE_POD_UID, as the kubelet makes it.
		if parts := strings.Split(e.Name, "_"); len(parts) == 3 && strings.HasPrefix(parts[1], "kured-") {
			return pods + "/" + e.Name, true
		}
	}
	return "", false
}
