package pki

import (
	"fmt"
	"time"

	"upkeep/providers/node/agent/disk"
)

// Written returns when the kubeconfig was written that a component reads once, when it starts.
func Written(d *disk.Disk, component string) (time.Time, error) {
	name := ""
	switch component {
	case "kube-controller-manager":
		name = "controller-manager.conf"
	case "kube-scheduler":
		name = "scheduler.conf"
	}
	entry, ok := Lookup(d, name)
	if !ok {
		return time.Time{}, fmt.Errorf("%s reads no kubeconfig of its own", component)
	}
	info, err := d.Stat(entry.Path)
	if err != nil {
		return time.Time{}, err
	}
	return info.Modified, nil
}
