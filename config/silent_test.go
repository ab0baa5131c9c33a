package config

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNothingIsSilentlyAccepted: what can only be a mistake is an error at the text that must change, although a
// string, a number or a list of the right type stands there.
func TestNothingIsSilentlyAccepted(t *testing.T) {
	const (
		node = "node \"n\" {\n  host = \"10.0.0.11\"\n}\n"
		cert = "certs \"x\" {\n  nodes = node.n\n"
	)
	for name, test := range map[string]struct {
		text string
		want []mistake
	}{
		"host with a port":             {"node \"n\" {\n  host = \"10.0.0.11:2222\"\n}\n", []mistake{{"Invalid host", `"10.0.0.11:2222"`}}},
		"host name with a port":        {"node \"n\" {\n  host = \"cp1.example.net:2222\"\n}\n", []mistake{{"Invalid host", `"cp1.example.net:2222"`}}},
		"host in brackets":             {"node \"n\" {\n  host = \"[fd00::1]\"\n}\n", []mistake{{"Invalid host", `"[fd00::1]"`}}},
		"no IPv4 address":              {"node \"n\" {\n  host = \"10.0.0.300\"\n}\n", []mistake{{"Invalid host", `"10.0.0.300"`}}},
		"three parts of an address":    {"node \"n\" {\n  host = \"10.0.11\"\n}\n", []mistake{{"Invalid host", `"10.0.11"`}}},
		"no IPv6 address":              {"node \"n\" {\n  host = \"fd00:::1\"\n}\n", []mistake{{"Invalid host", `"fd00:::1"`}}},
		"empty label of a host":        {"node \"n\" {\n  host = \"cp1..example.net\"\n}\n", []mistake{{"Invalid host", `"cp1..example.net"`}}},
		"host that is a URL":           {"node \"n\" {\n  host = \"ssh://cp1\"\n}\n", []mistake{{"Invalid host", `"ssh://cp1"`}}},
		"empty host":                   {"node \"n\" {\n  host = \"\"\n}\n", []mistake{{"Invalid host", `""`}}},
		"host that is a bool":          {"node \"n\" {\n  host = true\n}\n", []mistake{{"Wrong type", `true`}}},
		"empty role":                   {"node \"n\" {\n  host = \"a\"\n  roles = [\"\"]\n}\n", []mistake{{"Invalid role", `[""]`}}},
		"role that is null":            {"node \"n\" {\n  host = \"a\"\n  roles = [null]\n}\n", []mistake{{"Null element", `null`}}},
		"role that is a bool":          {"node \"n\" {\n  host = \"a\"\n  roles = [true]\n}\n", []mistake{{"Wrong type", `[true]`}}},
		"two nodes at one address":     {node + "node \"m\" {\n  host = \"10.0.0.11\"\n}\n", []mistake{{"Two nodes on one machine", `"10.0.0.11"`}}},
		"one address, other spelling":  {node + "node \"m\" {\n  host = \"::ffff:10.0.0.11\"\n}\n", []mistake{{"Two nodes on one machine", `"::ffff:10.0.0.11"`}}},
		"one name, other case":         {"node \"n\" {\n  host = \"cp1\"\n}\nnode \"m\" {\n  host = \"CP1\"\n}\n", []mistake{{"Two nodes on one machine", `"CP1"`}}},
		"one name, with the root":      {"node \"n\" {\n  host = \"cp1.example.net\"\n}\nnode \"m\" {\n  host = \"cp1.example.net.\"\n}\n", []mistake{{"Two nodes on one machine", `"cp1.example.net."`}}},
		"two nodes of one for_each":    {"node \"n\" {\n  for_each = toset([\"a\", \"b\"])\n  host = \"h\"\n}\n", []mistake{{"Two nodes on one machine", `"h"`}}},
		"one address, port 22 said":    {"connection \"c\" {\n  port = 22\n}\n" + node + "node \"m\" {\n  host = \"10.0.0.11\"\n  connection = connection.c\n}\n", []mistake{{"Two nodes on one machine", `"10.0.0.11"`}}},
		"two nodes on this machine":    {"connection \"c\" {\n  transport = \"local\"\n}\nnode \"n\" {\n  host = \"a\"\n  connection = connection.c\n}\nnode \"m\" {\n  host = \"b\"\n  connection = connection.c\n}\n", []mistake{{"Two nodes on one machine", `"b"`}}},
		"selector that does not parse": {"nodes \"g\" {\n  selector = \"a in (b\"\n}\n", []mistake{{"Invalid selector", `"a in (b"`}}},
		"nested selector":              {"nodes \"g\" {\n  from_kubernetes {\n    selector = \"a in (b\"\n  }\n}\n", []mistake{{"Invalid selector", `"a in (b"`}}},
		"empty selector":               {"nodes \"g\" {\n  selector = \"\"\n}\n", []mistake{{"Invalid selector", `""`}}},
		"selector of a blank":          {"nodes \"g\" {\n  selector = \" \"\n}\n", []mistake{{"Invalid selector", `" "`}}},
		"guard_none that is a bool":    {node + cert + "  guard_none = true\n}\n", []mistake{{"Wrong type", `true`}}},
		"reason that is a bool":        {node + cert + "  without = { backup = true }\n}\n", []mistake{{"Wrong type", `{ backup = true }`}}},
		"reasons that are bools":       {node + cert + "  without = tomap({ backup = true })\n}\n", []mistake{{"Wrong type", `tomap({ backup = true })`}}},
		"reason of blanks":             {node + cert + "  without = { backup = \" \" }\n}\n", []mistake{{"No reason", `backup = " "`}}},
		"list with a bool":             {node + cert + "  kubeconfigs = [\"a\", false]\n}\n", []mistake{{"Wrong type", `["a", false]`}}},
		"jump host with a bad port":    {"connection \"c\" {\n  proxy_jump = \"ops@a:99999\"\n}\n", []mistake{{"Invalid proxy_jump", `"ops@a:99999"`}}},
		"jump host with port ssh":      {"connection \"c\" {\n  proxy_jump = \"a:ssh\"\n}\n", []mistake{{"Invalid proxy_jump", `"a:ssh"`}}},
		"no address of a jump host":    {"connection \"c\" {\n  proxy_jump = \"ops@10.0.0.300\"\n}\n", []mistake{{"Invalid proxy_jump", `"ops@10.0.0.300"`}}},
		"jump host left out":           {"connection \"c\" {\n  proxy_jump = \"a,,b\"\n}\n", []mistake{{"Invalid proxy_jump", `"a,,b"`}}},
		"jump host without a port":     {"connection \"c\" {\n  proxy_jump = \"a:\"\n}\n", []mistake{{"Invalid proxy_jump", `"a:"`}}},
		"jump host, bracket open":      {"connection \"c\" {\n  proxy_jump = \"[fd00::1\"\n}\n", []mistake{{"Invalid proxy_jump", `"[fd00::1"`}}},
		"jump hosts that are right":    {"connection \"c\" {\n  proxy_jump = \"ops@a.example.net:22, 10.0.0.1, fd00::1, x@[fd00::1]:2222, [fd00::1]\"\n}\n", nil},
		"empty kubeconfig":             {"cluster {\n  kubeconfig = \"\"\n}\n", []mistake{{"Invalid path", `""`}}},
		"kubeconfig that is a bool":    {"cluster {\n  kubeconfig = true\n}\n", []mistake{{"Wrong type", `true`}}},
		"version that is a bool":       {"upkeep {\n  required_version = true\n}\n", []mistake{{"Wrong type", `true`}}},
		"owner of blanks":              {node + "out \"n\" {\n  reason = \"a\"\n  owner = \" \"\n  until = \"2027-01-31\"\n}\n", []mistake{{"No owner", `" "`}}},
		"no such day":                  {node + "out \"n\" {\n  reason = \"a\"\n  owner = \"b\"\n  until = \"2027-02-30\"\n}\n", []mistake{{"Invalid date", `"2027-02-30"`}}},
		"state file without a name":    {"state \"local\" {\n  path = \"\"\n}\n", []mistake{{"Invalid path", `""`}}},
		"port of a fraction":           {"connection \"c\" {\n  port = 22.5\n}\n", []mistake{{"Invalid number", `22.5`}}},
		"text of an unset variable":    {"connection \"c\" {\n  user = \"\"\n}\n", []mistake{{"Empty text", `""`}}},
		"null is no argument":          {"connection \"c\" {\n  user = null\n}\n", nil},
		"include of no file":           {"include {\n  files = []\n}\n", []mistake{{"Invalid include", `[]`}}},
		"include of an empty name":     {"include {\n  files = [\"\"]\n}\n", []mistake{{"Invalid include", `[""]`}}},
		"nothing to say of a variable": {"variable \"v\" {\n  default = 1\n  validation {\n    condition = true\n    error_message = \" \"\n  }\n}\n", []mistake{{"Invalid error message", `" "`}}},
		"null in a list":               {node + cert + "  kubeconfigs = [\"a\", null, \"b\"]\n}\n", []mistake{{"Null element", `null`}}},
		"null in a list of a local":    {"locals {\n  l = [\"a\", null]\n}\n" + node + cert + "  kubeconfigs = local.l\n}\n", []mistake{{"Null element", `local.l`}}},
		"null in a computed list":      {node + cert + "  kubeconfigs = [for k in [\"a\", null] : k]\n}\n", []mistake{{"Null element", `[for k in ["a", null] : k]`}}},
		"null in a set of nodes":       {node + "certs \"x\" {\n  nodes = [node.n, null]\n}\n", []mistake{{"Null element", `[node.n, null]`}}},
		"null in a map is not there":   {node + cert + "  prices = { a = null }\n}\n", nil},
		"null among ignored nodes":     {node + "ignore \"i\" {\n  finding = \"CERT_X\"\n  nodes = [\"n\", null]\n  reason = \"a\"\n  owner = \"b\"\n  until = \"2027-01-31\"\n}\n", []mistake{{"Null element", `null`}}},
		"escape in a path":             {"cluster {\n  kubeconfig = \"kube\\u001bconfig\"\n}\n", []mistake{{"Unprintable character", `"kube\u001bconfig"`}}},
		"line break in a path":         {"state \"local\" {\n  path = \"a\\nb\"\n}\n", []mistake{{"Unprintable character", `"a\nb"`}}},
		"turned text in a list":        {node + cert + "  kubeconfigs = [\"a\", \"b\\u202ec\"]\n}\n", []mistake{{"Unprintable character", `"b\u202ec"`}}},
		"delete in a nested block":     {node + cert + "  store \"file\" {\n    path = \"a\\u007f\"\n  }\n}\n", []mistake{{"Unprintable character", `"a\u007f"`}}},
		"escape in a key":              {"node \"n\" {\n  for_each = toset([\"a\\u001b\"])\n  host = each.key\n}\n", []mistake{{"Invalid for_each", `toset(["a\u001b"])`}}},
		"lines of a reason":            {node + "out \"n\" {\n  reason = \"a\\nb\"\n  owner = \"b\"\n  until = \"2027-01-31\"\n}\n", nil},
		"escape in a reason":           {node + "out \"n\" {\n  reason = \"a\\u001b\"\n  owner = \"b\"\n  until = \"2027-01-31\"\n}\n", []mistake{{"Unprintable character", `"a\u001b"`}}},
		"every mistake of an ignore":   {node + "ignore \"i\" {\n  finding = \"x\"\n  nodes = [\"m\"]\n  reason = \" \"\n  owner = \"b\"\n  until = \"2027-02-30\"\n}\n", []mistake{{"Invalid finding", `"x"`}, {"Unknown node", `["m"]`}, {"No reason", `" "`}, {"Invalid date", `"2027-02-30"`}}},
		"every mistake of a block":     {node + "certs \"x\" {\n  renew_before = \"a\"\n  kubeconfigs = [null]\n  nodes = role(\"x\")\n  without = { nothing = \"a\" }\n  store \"file\" {\n    path = 1\n  }\n  keep {\n    daily = 0\n  }\n}\n", []mistake{{"Invalid duration", `"a"`}, {"Null element", `null`}, {"Role that no node has", `role("x")`}, {"Unknown guard", `nothing = "a"`}, {"Invalid number", `0`}}},
		"port 0":                       {"connection \"c\" {\n  port = 0\n}\n", []mistake{{"Invalid number", `0`}}},
	} {
		t.Run(name, func(t *testing.T) {
			selector := func(text string) error {
				if text == "a in (b" {
					return errors.New("not closed")
				}
				return nil
			}
			directory := write(t, map[string]string{"a.upkeep.hcl": test.text})
			_, _, diags := Load(directory, Options{Types: testTypes(), Environ: testEnviron, Selector: selector})
			var got []mistake
			for _, d := range diags {
				at := ""
				if d.Subject != nil {
					at = string(d.Subject.SliceBytes([]byte(test.text)))
				}
				got = append(got, mistake{d.Summary, at})
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s(-want +got):\n%s", test.text, diff)
			}
		})
	}
}

// mistake is what a diagnostic says, and the text that it points at.
type mistake struct{ Summary, At string }
