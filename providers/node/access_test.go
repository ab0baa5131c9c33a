package node_test

import (
	"fmt"
	"strings"
	"testing"

	"upkeep/providers/node"
	"upkeep/providers/node/protocol"
)

func TestAccessLines(t *testing.T) {
	s := newSite(t)
	s.write(s.helper(), "amd64")
	s.write("helpers/upkeep-node-linux-amd64", "amd64")
	s.write("helpers/upkeep-node-linux-arm64", "arm64")
	s.options.Installed = ""
	restricted := node.Target{Name: "cp1", Host: "10.0.0.11", User: "upkeep", Access: node.AccessRestricted,
		ProxyJump: "ops@bastion.example.net:2200", KnownHosts: "/etc/upkeep/known_hosts"}
	second := restricted
	second.Name, second.Host, second.Port = "cp2", "10.0.0.12", 2222
	got, err := s.client().AccessLines("ops", []node.Target{
		restricted, second,
		{Name: "cp3", Host: "cp3.example.net", Become: true},
		{Name: "cp4", Host: "10.0.0.14", User: "root"},
		local("here"),
	})
	if err != nil {
		t.Fatal(err)
	}
	// What a class offers grows with the table of methods; the lines stay.
	for _, class := range protocol.Classes() {
		line := fmt.Sprintf("Requests: %s\n", strings.Join(class.Offers(), ", "))
		if strings.Count(got, line) != 1 || len(class.Offers()) == 0 {
			t.Errorf("no line %q in\n%s", line, got)
		}
		got = strings.Replace(got, line, "Requests: METHODS\n", 1)
	}
	golden(t, "access.txt", got)
}

func TestAccessLinesRefuse(t *testing.T) {
	s := newSite(t)
	s.options.Helpers = t.TempDir()
	for _, test := range []struct {
		user   string
		target node.Target
		want   string
	}{
		{"a b", remote("cp1"), "is not a user name"},
		{"ops", remote("-x"), "neither an IP address nor a DNS name"},
		{"ops", node.Target{Name: "n", Host: "h", Access: node.AccessRestricted}, "digest is unknown"},
	} {
		if _, err := s.client().AccessLines(test.user, []node.Target{test.target}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want one with %q", err, test.want)
		}
	}
}
