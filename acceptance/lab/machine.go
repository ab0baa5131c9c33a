package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// machine is what the lab needs to know of the machine that it runs on.
type machine struct {
	distribution string // "debian" or "ubuntu", ID of os-release(5)
	suite        string // VERSION_CODENAME of os-release(5)
}

// tools are the programs that the lab runs on the machine, with the Debian package of each.
var tools = []struct{ program, pkg string }{
	{"systemd-nspawn", "systemd-container"},
	{"mmdebstrap", "mmdebstrap"},
	{"ip", "iproute2"},
	{"ssh", "openssh-client"},
	{"ssh-keygen", "openssh-client"},
}

// capSysAdmin is the bit of CAP_SYS_ADMIN, linux/capability.h.
const capSysAdmin = 21

// inspect says whether the lab can run here, and if not, why. It changes nothing.
func inspect() (machine, error) {
	if os.Geteuid() != 0 {
		return machine{}, fmt.Errorf("the lab makes hosts, networks and mounts and must run as root, this is user %d: run it with sudo -E", os.Geteuid())
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return machine{}, err
	}
	if ok, err := hasCapability(string(status), capSysAdmin); err != nil {
		return machine{}, err
	} else if !ok {
		return machine{}, errors.New("the lab mounts file systems and makes namespaces, and this process lacks CAP_SYS_ADMIN: run it on a virtual machine or in a privileged container")
	}
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return machine{}, fmt.Errorf("which distribution is this? %w", err)
	}
	return parseRelease(string(release))
}

// hasCapability reads the effective capabilities out of the text of /proc/PID/status, proc(5).
func hasCapability(status string, bit uint) (bool, error) {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			if err != nil {
				return false, fmt.Errorf("effective capabilities: %w", err)
			}
			return set&(1<<bit) != 0, nil
		}
	}
	return false, errors.New("/proc/self/status holds no CapEff line")
}

// parseRelease reads os-release(5) and refuses what the lab does not know.
func parseRelease(text string) (machine, error) {
	values := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), "="); ok {
			values[key] = strings.Trim(value, `"'`)
		}
	}
	m := machine{distribution: values["ID"], suite: values["VERSION_CODENAME"]}
	if m.distribution != "debian" && m.distribution != "ubuntu" || m.suite == "" {
		return machine{}, fmt.Errorf("the lab runs on Debian 12 and Ubuntu 22.04 or 24.04, this is %q %q", values["ID"], values["VERSION_ID"])
	}
	return m, nil
}

// installTools installs the packages of those tools that are missing.
func installTools(ctx context.Context, say func(string, ...any)) error {
	var missing []string
	for _, tool := range tools {
		if _, err := exec.LookPath(tool.program); err != nil {
			missing = append(missing, tool.pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	say("installing %s", strings.Join(missing, " "))
	apt := func(args ...string) error {
		_, err := command{name: "apt-get", args: args, env: []string{"DEBIAN_FRONTEND=noninteractive"}}.run(ctx)
		return err
	}
	if err := apt("update", "-q"); err != nil {
		return err
	}
	return apt(append([]string{"install", "-q", "-y", "--no-install-recommends"}, missing...)...)
}

// aptSources finds the file that names the distribution's own archives, and only those: packages of other
// archives on the machine have no place on a node.
func aptSources(m machine) (string, error) {
	candidates := []string{"/etc/apt/sources.list.d/" + m.distribution + ".sources", "/etc/apt/sources.list"}
	for _, path := range candidates {
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), m.suite) {
			return path, nil
		}
	}
	return "", fmt.Errorf("neither %s names an archive of %s", strings.Join(candidates, " nor "), m.suite)
}
