package pki

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
)

// What kubespray installs where auto_renew_certificates is true (roles/kubernetes/control-plane/templates).
const (
	foreignScript = "/usr/local/bin/k8s-certs-renew.sh"
	foreignTimer  = "k8s-certs-renew.timer"
	systemdDir    = "/etc/systemd/system"
)

// foreign looks for kubespray's own script that renews certificates, and for its timer; nil where there is none.
func foreign(d *disk.Disk) *facts.ForeignRenewal {
	text, _, err := d.Read(foreignScript, MaxFile)
	if err != nil {
		return nil
	}
	sum := sha256.Sum256(text)
	f := &facts.ForeignRenewal{Script: foreignScript, SHA256: hex.EncodeToString(sum[:]), Revision: foreignRevision(text)}
	if unit, _, err := d.Read(systemdDir+"/"+foreignTimer, MaxFile); err == nil {
		f.Timer = foreignTimer
		for line := range strings.Lines(string(unit)) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), "OnCalendar="); ok {
				f.Schedule = clipped(v)
			}
		}
		f.Enabled = d.Exists(systemdDir + "/timers.target.wants/" + foreignTimer)
	}
	return f
}

// foreignRevision says which of kubespray's scripts a text is, by what the script does: the text holds names of the
// cluster, so no digest of it tells.
func foreignRevision(text []byte) string {
	switch has := func(s string) bool { return bytes.Contains(text, []byte(s)) }; {
	case !has("certs renew"):
		return "a script of another making"
	case !has("residualTime"):
		return "the first revision: renews on every run"
	case !has("missing"):
		return "the revision of kubespray#12875: renews on every run where super-admin.conf is missing"
	default:
		return "the revision with the correction of kubespray#13414: renews what ends before the next run"
	}
}

// clipped makes one short printable line.
func clipped(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, s[:min(len(s), 100)])
}
