package node

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSSHArguments(t *testing.T) {
	always := []string{"-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "RemoteCommand=none",
		"-o", "ForwardAgent=no", "-o", "ClearAllForwardings=yes"}
	for _, test := range []struct {
		name   string
		target Target
		want   []string
	}{
		{"as ~/.ssh/config has it", Target{Host: "cp1"}, []string{"--", "cp1", "id"}},
		{"all of it", Target{Host: "10.0.0.11", User: "ops", Port: 2222, KnownHosts: "/k h", Identity: "/i", SSHConfig: "/c"},
			[]string{"-F", "/c", "-i", "/i", "-o", `UserKnownHostsFile="/k h"`, "-p", "2222", "-l", "ops", "--", "10.0.0.11", "id"}},
		{"a jump host", Target{Host: "cp1", Port: 2222, KnownHosts: "/k", ProxyJump: "ops@bastion:2200"},
			[]string{"-o", `UserKnownHostsFile="/k"`, "-p", "2222",
				"-o", "ProxyCommand=ssh -T -o BatchMode=yes -o StrictHostKeyChecking=yes -o RemoteCommand=none -o ForwardAgent=no " +
					`-o 'UserKnownHostsFile="/k"' -p 2200 -l ops -W '[%h]:%p' -- bastion`, "--", "cp1", "id"}},
		{"two jump hosts", Target{Host: "cp1", ProxyJump: "a,b"},
			[]string{"-o", "ProxyCommand=ssh -T -o BatchMode=yes -o StrictHostKeyChecking=yes -o RemoteCommand=none -o ForwardAgent=no " +
				`-o 'ProxyCommand=ssh -T -o BatchMode=yes -o StrictHostKeyChecking=yes -o RemoteCommand=none -o ForwardAgent=no -W '\''[%%h]:%%p'\'' -- a' ` +
				`-W '[%h]:%p' -- b`, "--", "cp1", "id"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := append(append([]string{}, always...), test.want...)
			if diff := cmp.Diff(want, sshArguments("ssh", test.target, "id")); diff != "" {
				t.Errorf("arguments (-want +got):\n%s", diff)
			}
		})
	}
}

// The operator's login shell reads the bootstrap inside single quotes and may be csh or fish.
func TestBootstrapPassesAnyShell(t *testing.T) {
	if i := strings.IndexAny(bootstrap(), "'\\!\n\r"); i >= 0 {
		t.Errorf("the bootstrap has %q in it: %s", bootstrap()[i], bootstrap()[max(0, i-40):i+1])
	}
	if out, err := exec.Command("sh", "-n", "-c", bootstrap()).CombinedOutput(); err != nil {
		t.Errorf("sh -n: %v\n%s", err, out)
	}
}

func TestQuotedWordsComeBack(t *testing.T) {
	words := []string{"a", "", "a b", "it's", `"x"`, "$HOME", "`id`", "a\nb", `\`, "*", "~", "-n"}
	out, err := exec.Command("sh", "-c", "for w in "+quoteAll(words)+"; do printf '<%s>' \"$w\"; done").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := ""
	for _, w := range words {
		want += fmt.Sprintf("<%s>", w)
	}
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Error(diff)
	}
}

func TestNothingANodeSaysDrivesTheTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                       "plain",
		"a\tb\r\nc":                   "a b c",
		"\x1b]0;title\x07red\u009b1m": `\u001b]0;title\u0007red\u009b1m`,
		"\u202eevil\xff":              `\u202eevil\ufffd`,
	} {
		if got := oneLine(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	if got := len(oneLine(strings.Repeat("x", 1<<20))); got > lineLimit+3 {
		t.Errorf("a line of %d bytes is shown", got)
	}
}
