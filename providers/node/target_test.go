package node_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/providers/facts"
	"upkeep/providers/node"
)

func TestTargetOf(t *testing.T) {
	got := node.TargetOf(config.Node{Name: "cp1", Host: "10.0.0.11", Connection: "bastion"}, config.Connection{
		Name: "bastion", Transport: "ssh", User: "ops", Port: 22, Become: true, ProxyJump: "b", KnownHosts: "/k", Identity: "/i",
		SSHConfig: "/c", Access: "restricted", MaxSessions: 4,
	})
	want := node.Target{Name: "cp1", Host: "10.0.0.11", Transport: "ssh", Connection: "bastion", User: "ops", Port: 22, Become: true,
		ProxyJump: "b", KnownHosts: "/k", Identity: "/i", SSHConfig: "/c", Access: "restricted", MaxSessions: 4}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestHostsAreAddressesOrNames(t *testing.T) {
	for _, good := range []string{"10.0.0.11", "fe80::1", "fe80::1%eth0", "2001:db8::1", "cp1", "cp1.example.net", "cp1.example.net.", "cp_1", "CP1", "1password"} {
		if err := (node.Target{Name: "n", Host: good}).Check(); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "-oProxyCommand=id", "-", "a b", "a;id", "$(id)", "`id`", "a|b", "a&b", "a\nb", "a'b", "user@host", "a/b", "a..b", ".a", "[::1]",
		"host:22", "fe80::1%eth0;id", "fe80::1%-x", "a.-b", strings.Repeat("a", 64), strings.Repeat("a.", 127) + "aa", "hôte"} {
		s := newSite(t)
		target := node.Target{Name: "n", Host: bad}
		if _, err := s.client().Observe(t.Context(), target, facts.Question{}); err == nil || !strings.HasPrefix(err.Error(), "n: ") {
			t.Errorf("%q: error %v", bad, err)
		}
		if s.mostConcurrent() != 0 {
			t.Errorf("%q: ssh was started", bad)
		}
	}
}

func TestTargetsThatAreRefused(t *testing.T) {
	base := node.Target{Name: "n", Host: "h"}
	for _, test := range []struct {
		change func(*node.Target)
		want   string
	}{
		{func(t *node.Target) { t.User = "-l" }, `user "-l" is not a user name`},
		{func(t *node.Target) { t.Port = 70000 }, "port 70000 is not a TCP port"},
		{func(t *node.Target) { t.Transport = "telnet" }, `transport "telnet" is neither "ssh" nor "local"`},
		{func(t *node.Target) { t.Access = "some" }, `access "some" is neither "full" nor "restricted"`},
		{func(t *node.Target) { t.ProxyJump = "-oX=y" }, `proxy_jump "-oX=y": host "-oX=y" is neither an IP address nor a DNS name`},
		{func(t *node.Target) { t.ProxyJump = "a,b;id" }, `proxy_jump "b;id": host "b;id" is neither an IP address nor a DNS name`},
		{func(t *node.Target) { t.ProxyJump = "$(id)@a" }, `proxy_jump "$(id)@a": "$(id)" is not a user name`},
		{func(t *node.Target) { t.ProxyJump = "a:x" }, `proxy_jump "a:x": "x" is not a port`},
		{func(t *node.Target) { t.ProxyJump = "[::1" }, `proxy_jump "[::1": write [ADDRESS]:PORT`},
		{func(t *node.Target) { t.KnownHosts = "/a%h" }, `known_hosts: the path "/a%h" has a quote, %, $, backslash or line break in it, which ssh would interpret`},
		{func(t *node.Target) { t.Identity = `/a"b` }, `identity: the path "/a\"b" has a quote, %, $, backslash or line break in it, which ssh would interpret`},
	} {
		target := base
		test.change(&target)
		if diff := cmp.Diff(test.want, fmt.Sprint(target.Check())); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", target, diff)
		}
	}
}

func FuzzHost(f *testing.F) {
	for _, seed := range []string{"cp1", "10.0.0.1", "-x", "fe80::1%eth0", "a b", "a'b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if (node.Target{Name: "n", Host: host}).Check() != nil {
			return
		}
		if host[0] == '-' || strings.ContainsFunc(host, func(r rune) bool {
			return r <= ' ' || r > '~' || strings.ContainsRune("'\"`$&|;<>()[]{}*?!\\/@#=,", r)
		}) {
			t.Errorf("%q was accepted", host)
		}
	})
}
