package node

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"upkeep/providers/node/protocol"
)

// AccessLines returns what sets up access to the targets, as a text that a person reads and then runs part by part: for
// each user the lines for the nodes (the user, its key, its sudoers file), and for each node how to get its host key into
// known_hosts. The user is in for targets that name none. A sudoers line for restricted access names the installed
// helper with its SHA-256, so it must be printed again when upkeep is updated.
//
// It asks nobody: no node is contacted.
func (c *Client) AccessLines(user string, targets []Target) (string, error) {
	if !isUser(user) {
		return "", fmt.Errorf("%q is not a user name", user)
	}
	type account struct{ user, access string }
	var accounts []account
	nodes := map[account][]string{}
	var reached []Target
	for _, t := range targets {
		if err := t.Check(); err != nil {
			return "", asError(t, err)
		}
		a := account{orElse(t.User, user), orElse(t.Access, AccessFull)}
		if t.Transport != TransportLocal {
			reached = append(reached, t)
		} else if a.access == AccessFull && !t.Become {
			continue // runs as the one who runs upkeep
		}
		if !slices.Contains(accounts, a) {
			accounts = append(accounts, a)
		}
		nodes[a] = append(nodes[a], t.Name)
	}

	var b strings.Builder
	for _, a := range accounts {
		fmt.Fprintf(&b, "# User %s, %s access: on %s, as root\n", a.user, a.access, strings.Join(nodes[a], ", "))
		sudoers, err := c.sudoers(a.user, a.access)
		if err != nil {
			return "", err
		}
		b.WriteString(accountLines(a.user, sudoers))
	}
	if len(reached) > 0 {
		b.WriteString("# Host keys: where upkeep runs. Compare each line with what the machine's own console prints for\n" +
			"#   ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\n" +
			"# before you keep it (ssh-keygen -lf FILE prints the fingerprints of what is kept).\n")
	}
	var seen []string
	for _, t := range reached {
		for _, line := range hostKeyLines(t) {
			if !slices.Contains(seen, line) {
				seen = append(seen, line)
				b.WriteString(line + "\n")
			}
		}
	}
	return b.String(), nil
}

// accountLines are the commands that make one user. The key is let in for sessions alone: no terminal, no forwarding
// (sshd(8), AUTHORIZED_KEYS FILE FORMAT). The user may have put a link anywhere in the home directory: so the key is written
// with the user's own rights, and in a session without a terminal that the user's processes could write to.
func accountLines(user, sudoers string) string {
	const key = `umask 077; mkdir -p "$HOME/.ssh" && cat >>"$HOME/.ssh/authorized_keys"`
	const lines = "# Put your public key for PUBLIC-KEY.\n%s <<'KEY'\nrestrict PUBLIC-KEY\nKEY\n"
	if user == "root" {
		return fmt.Sprintf(lines+"\n", "(HOME=$(getent passwd root | cut -d: -f6); "+key+")")
	}
	return fmt.Sprintf("id -u %[1]s >/dev/null 2>&1 || useradd --system --create-home --shell /bin/sh %[1]s\n", user) +
		fmt.Sprintf(lines, fmt.Sprintf("setsid -w su -s /bin/sh %s -c '%s'", user, key)) +
		fmt.Sprintf(`cat >/etc/sudoers.d/.upkeep.new <<'LINES'
%sLINES
chmod 0440 /etc/sudoers.d/.upkeep.new
visudo -cf /etc/sudoers.d/.upkeep.new && mv /etc/sudoers.d/.upkeep.new /etc/sudoers.d/upkeep

`, sudoers)
}

// sudoers are the lines of the sudoers file: for restricted access one a class and architecture. sudo compares the digest
// each time it runs the command (sudoers(5), Digest_Spec), and the first words with the class. The words that follow are
// left free: the helper takes none that could do harm, and refuses a second class.
func (c *Client) sudoers(user, access string) (string, error) {
	if access == AccessFull {
		return fmt.Sprintf("%s ALL=(root) NOPASSWD: ALL\n", user), nil
	}
	digests := map[string]string{}
	for _, architecture := range []string{"amd64", "arm64"} {
		digest, err := c.helpers.digest(architecture)
		if err != nil {
			return "", err
		}
		if digest != noHelper {
			digests[architecture] = digest
		}
	}
	if len(digests) == 0 {
		return "", fmt.Errorf("%s has no helper, so the helper's digest is unknown; install the complete package", c.helpers.directory)
	}
	var b strings.Builder
	b.WriteString("# Leave out the classes that this user must not have: a plan needs observe, and change where it looks at etcd.\n")
	for _, class := range protocol.Classes() {
		fmt.Fprintf(&b, "# Class %s: %s. Requests: %s\n", class, class.Means(), strings.Join(class.Offers(), ", "))
		for _, architecture := range slices.Sorted(maps.Keys(digests)) {
			fmt.Fprintf(&b, "# %s\n%s ALL=(root) NOPASSWD: sha256:%s %s -class %s *\n", architecture, user, digests[architecture], c.options.Installed, class)
		}
	}
	return b.String(), nil
}

// hostKeyLines are the commands that fetch the keys of a target and of the jump hosts before it, first hop first.
func hostKeyLines(t Target) []string {
	var lines []string
	if t.ProxyJump != "" {
		hops := strings.Split(t.ProxyJump, ",")
		for i, hop := range hops {
			j, _ := parseJump(hop) // Check came first
			h := jumpTarget(t, j, hops[:i])
			lines = append(lines, scanCommand(h, h.Host))
		}
	}
	return append(lines, scanCommand(t, t.Host))
}
