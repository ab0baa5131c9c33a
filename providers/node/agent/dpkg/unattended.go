package dpkg

import (
	"bytes"
	"context"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/program"
)

const configTime = 5 * time.Second

// unattended asks apt for its own configuration, which many files make together.
func unattended(ctx context.Context, d *disk.Disk, installed bool) facts.Unattended {
	u := facts.Unattended{Installed: installed}
	if !installed {
		return u
	}
	answer, err := program.Ask(ctx, d, program.Question{
		Places: []string{"/usr/bin/apt-config"}, Args: []string{"dump"}, Limit: configTime, Most: maxAnswer,
	})
	if err != nil {
		u.Unknown = err.Error()
		return u
	}
	periodic := false
	for line := range bytes.Lines(answer) {
		name, value, ok := strings.Cut(strings.TrimSpace(string(line)), " ")
		if !ok {
			continue
		}
		value = strings.Trim(strings.TrimSuffix(value, ";"), `"`)
		switch name {
		case "APT::Periodic::Unattended-Upgrade":
			periodic = value != "" && value != "0"
		case "Unattended-Upgrade::Package-Blacklist::":
			u.Blacklist = append(u.Blacklist, value)
		case "Unattended-Upgrade::Automatic-Reboot":
			u.Reboots = truth(value)
		}
	}
	u.Enabled = periodic && !masked(d, "apt-daily-upgrade.timer")
	return u
}

// truth is what apt takes for true.
func truth(s string) bool {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "with", "enable", "1":
		return true
	}
	return false
}

// masked reports whether root masked a unit: a link to /dev/null, or an empty file.
func masked(d *disk.Disk, unit string) bool {
	const place = "/etc/systemd/system"
	dir, err := d.Dir(place)
	if err != nil {
		return false
	}
	if target, ok := dir.Link(unit); ok {
		return target == "/dev/null"
	}
	info, err := dir.Stat(unit)
	return err == nil && info.Size == 0
}
