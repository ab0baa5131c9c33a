// Package systemd asks systemd for the states of units.
//
// It starts `systemctl show` once for all of them, which changes nothing. A unit that does not exist is an answer; a
// systemd that does not answer is an unknown.
package systemd

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/program"
)

const (
	limit     = 5 * time.Second
	maxAnswer = 1 << 20
)

// properties are what is asked for, by the names of org.freedesktop.systemd1(5).
const properties = "Id,Names,LoadState,ActiveState,SubState,UnitFileState,Result,ExecMainStatus,NRestarts," +
	"ActiveEnterTimestamp,InactiveEnterTimestamp"

// Name is a unit that may be asked for: no pattern, and no option.
var Name = regexp.MustCompile(`^[A-Za-z0-9@_.][A-Za-z0-9@_.\\-]*\.(service|timer|socket)$`)

// Show returns the states of units in the order of their names.
func Show(ctx context.Context, d *disk.Disk, names ...string) []facts.Unit {
	units := make([]facts.Unit, len(names))
	for i, name := range names {
		units[i] = facts.Unit{Name: name, Unknown: "systemd did not answer for this unit"}
	}
	unknown := func(reason string) []facts.Unit {
		for i := range units {
			units[i] = facts.Unit{Name: names[i], Unknown: reason}
		}
		return units
	}
	for _, name := range names {
		if !Name.MatchString(name) {
			return unknown("not asked: " + strconv.Quote(name) + " is no name of a unit")
		}
	}
	answer, err := program.Ask(ctx, d, program.Question{
		Places: []string{"/usr/bin/systemctl", "/bin/systemctl"},
		Args:   append([]string{"show", "--no-pager", "--property=" + properties, "--"}, names...),
		Limit:  limit, Most: maxAnswer,
	})
	if errors.Is(err, fs.ErrNotExist) {
		return unknown("systemd does not run on this node: there is no systemctl")
	}
	if err != nil {
		return unknown(err.Error())
	}
	// One paragraph a unit, in the order of the question.
	for i, paragraph := range bytes.Split(bytes.TrimSpace(answer), []byte("\n\n")) {
		if i < len(units) {
			units[i] = unit(names[i], paragraph)
		}
	}
	return units
}

func unit(name string, paragraph []byte) facts.Unit {
	p := map[string]string{}
	for line := range bytes.Lines(paragraph) {
		if key, value, ok := strings.Cut(strings.TrimSpace(string(line)), "="); ok {
			p[key] = value
		}
	}
	u := facts.Unit{
		Name: name, Load: p["LoadState"], Active: p["ActiveState"], Sub: p["SubState"], Enabled: p["UnitFileState"],
		Result: p["Result"],
	}
	// An alias has another Id, and is among the names.
	if !strings.Contains(" "+p["Names"]+" "+p["Id"]+" ", " "+name+" ") || u.Load == "" || u.Active == "" {
		return facts.Unit{Name: name, Unknown: "systemd's answer for this unit cannot be read"}
	}
	u.Status, _ = strconv.Atoi(p["ExecMainStatus"]) // a unit that never ran has 0, and an old systemd has none
	u.Restarts, _ = strconv.Atoi(p["NRestarts"])    // systemd before 235 does not count them
	since := p["InactiveEnterTimestamp"]
	if u.Active == "active" {
		since = p["ActiveEnterTimestamp"]
	}
	if at, err := time.Parse("Mon 2006-01-02 15:04:05 MST", since); err == nil {
		u.Since = at.UTC()
	}
	return u
}
