package apt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/dpkg"
	"upkeep/providers/node/agent/program"
	"upkeep/providers/node/protocol"
)

const (
	maxTrial = 4 << 20
	// maxChanges bounds how many packages one change may touch.
	maxChanges = 2000
	// maxRefusal bounds what apt says of a change that it cannot do, in bytes.
	maxRefusal = 800
)

var places = []string{"/usr/bin/apt-get"}

// arguments are those of apt-get for a change. Packages that are only recommended are not installed: a driver
// recommends what a desktop needs.
func arguments(c facts.AptChange) []string {
	out := []string{"-y", "--no-install-recommends", "--allow-downgrades"}
	if c.Held {
		out = append(out, "--allow-change-held-packages")
	}
	out = append(out, "install")
	for _, p := range c.Install {
		out = append(out, p.Name+"="+p.Version)
	}
	for _, name := range c.Remove {
		out = append(out, name+"-") // apt-get(8): a hyphen behind the name removes the package
	}
	return out
}

// try asks apt what it would do for a change, and which archives it would download.
func try(ctx context.Context, d *disk.Disk, c facts.AptChange) *facts.AptTrial {
	t := &facts.AptTrial{Change: c}
	if err := protocol.CheckChange(c); err != nil {
		t.Unknown = err.Error()
		return t
	}
	ask := func(options ...string) ([]byte, error) {
		return program.Ask(ctx, d, program.Question{
			Places: places, Args: append(append(dpkg.NoCache(), options...), arguments(c)...), Limit: askTime, Most: maxTrial,
		})
	}
	var wg sync.WaitGroup
	var archives []byte
	var archivesErr error
	wg.Go(func() { archives, archivesErr = ask("--print-uris", "-qq") })
	answer, err := ask("-s")
	wg.Wait()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		t.Refused = refusal(answer, err)
		return t
	case err != nil:
		t.Unknown = err.Error()
		return t
	}
	if t.Installs, t.Removes, err = parseTrial(answer); err != nil {
		t.Unknown = err.Error()
		return t
	}
	if archivesErr != nil {
		t.Unknown = "which archives are missing: " + archivesErr.Error()
		return t
	}
	if t.Missing, t.Bytes, err = parseArchives(archives); err != nil {
		t.Unknown = err.Error()
	}
	return t
}

// refusal is what apt says of a change that it cannot do: the dependencies that are not met, and its last word.
func refusal(answer []byte, err error) string {
	var said []string
	_, unmet, found := strings.Cut(string(answer), "unmet dependencies:\n")
	for line := range strings.Lines(unmet) {
		if found && strings.HasPrefix(line, " ") {
			said = append(said, strings.Join(strings.Fields(line), " "))
		}
	}
	said = append(said, err.Error())
	text := strings.Join(said, "; ")
	return strings.ToValidUTF8(text[:min(len(text), maxRefusal)], "")
}

var (
	installLine = regexp.MustCompile(`^Inst (\S+) (?:\[([^\]\s]+)\] )?\((\S+)[ )]`)
	removeLine  = regexp.MustCompile(`^(?:Remv|Purg) (\S+) \[([^\]\s]+)\]`)
)

// parseTrial reads the answer of `apt-get -s`:
//
//	Remv nvidia-driver-570-server [570.124.06-0ubuntu1]
//	Inst libnvidia-compute-580-server (580.95.05-0ubuntu1 Ubuntu:24.04/noble-updates [amd64])
//	Inst nvidia-utils-570-server [570.124.06-0ubuntu1] (570.133.20-0ubuntu1 Ubuntu:24.04/noble-updates [amd64]) []
//
// A line that begins like one of these and cannot be read is an error: a removal must not be missed.
func parseTrial(answer []byte) (installs []facts.PackageChange, removes []facts.PackageAt, err error) {
	for line := range bytes.Lines(answer) {
		text := strings.TrimRight(string(line), "\r\n")
		word, _, _ := strings.Cut(text, " ")
		switch word {
		case "Inst":
			m := installLine.FindStringSubmatch(text)
			if m == nil {
				return nil, nil, fmt.Errorf("apt-get -s says %.200q, which cannot be read", text)
			}
			installs = append(installs, facts.PackageChange{Name: m[1], From: m[2], To: m[3]})
		case "Remv", "Purg":
			m := removeLine.FindStringSubmatch(text)
			if m == nil {
				return nil, nil, fmt.Errorf("apt-get -s says %.200q, which cannot be read", text)
			}
			removes = append(removes, facts.PackageAt{Name: m[1], Version: m[2]})
		}
		if len(installs)+len(removes) > maxChanges {
			return nil, nil, fmt.Errorf("apt-get -s would change more than %d packages", maxChanges)
		}
	}
	return installs, removes, nil
}

var archiveLine = regexp.MustCompile(`^'([^']*)' \S+ ([0-9]+) `)

// parseArchives reads the answer of `apt-get --print-uris`: a line for each archive that apt would fetch. What lies in
// a repository of the node itself is there.
func parseArchives(answer []byte) (missing int, size uint64, err error) {
	for line := range bytes.Lines(answer) {
		text := strings.TrimRight(string(line), "\r\n") + " "
		if !strings.HasPrefix(text, "'") {
			continue
		}
		m := archiveLine.FindStringSubmatch(text)
		if m == nil {
			return 0, 0, fmt.Errorf("apt-get --print-uris says %.200q, which cannot be read", text)
		}
		if strings.HasPrefix(m[1], "file:") || strings.HasPrefix(m[1], "copy:") {
			continue
		}
		n, err := strconv.ParseUint(m[2], 10, 50)
		if err != nil {
			return 0, 0, fmt.Errorf("apt-get --print-uris: %w", err)
		}
		missing++
		size += n
	}
	return missing, size, nil
}
