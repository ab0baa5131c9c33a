package protocol

import (
	"strings"
	"testing"

	"upkeep/providers/facts"
)

func TestEndpointAddress(t *testing.T) {
	for text, want := range map[string]string{
		"https://10.0.0.21:2379":            "10.0.0.21:2379",
		"https://10.0.0.21:2379/":           "10.0.0.21:2379",
		"https://etcd-1.example.net:2379":   "etcd-1.example.net:2379",
		"https://[fd00::21]:2379":           "[fd00::21]:2379",
		"https://127.0.0.1:2379":            "127.0.0.1:2379",
		"http://10.0.0.21:2379":             "error: is not where an etcd takes clients",
		"10.0.0.21:2379":                    "error: is not where an etcd takes clients",
		"https://10.0.0.21":                 `error: names no port; etcd takes clients at 2379 where nobody chose another: "https://10.0.0.21:2379"`,
		"https://[fd00::21]":                `"https://[fd00::21]:2379"`,
		"https://10.0.0.21:0":               "error: names no port",
		"https://10.0.0.21:70000":           "error: names no port",
		"https://0.0.0.0:2379":              "error: is no address that can be connected to",
		"https://[::]:2379":                 "error: is no address that can be connected to",
		"https://224.0.0.1:2379":            "error: is no address that can be connected to",
		"https://user@10.0.0.21:2379":       "error: is not where an etcd takes clients",
		"https://10.0.0.21:2379/v3/kv":      "error: is not where an etcd takes clients",
		"https://10.0.0.21:2379?x":          "error: is not where an etcd takes clients",
		"https://10.0.0.21:2379#x":          "error: is not where an etcd takes clients",
		"https://:2379":                     "error: is not where an etcd takes clients",
		"unix:///run/etcd.sock":             "error: is not where an etcd takes clients",
		"https://10.0.0.21:2379\r\nHost: x": "error: is not where an etcd takes clients",
		"":                                  "error: is not where an etcd takes clients",
	} {
		got, err := EndpointAddress(text)
		if err != nil {
			got = "error: " + err.Error()
		}
		if wrong, isError := strings.CutPrefix(want, "error: "); isError && (err == nil || !strings.Contains(got, wrong)) || !isError && !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestCheckEndpoint(t *testing.T) {
	const url, pki = "https://10.0.0.21:2379", "/etc/kubernetes/pki/"
	for name, test := range map[string]struct {
		endpoint facts.EtcdEndpoint
		want     string
	}{
		"no files":         {facts.EtcdEndpoint{URL: url}, ""},
		"three files":      {facts.EtcdEndpoint{URL: url, CA: pki + "a", Certificate: pki + "b", Key: pki + "c"}, ""},
		"two files":        {facts.EtcdEndpoint{URL: url, CA: pki + "a", Certificate: pki + "b"}, "belong together"},
		"another's key":    {facts.EtcdEndpoint{URL: url, CA: pki + "a", Certificate: pki + "b", Key: "/etc/ssh/ssh_host_rsa_key"}, "is no place of a control plane"},
		"out of its place": {facts.EtcdEndpoint{URL: url, CA: pki + "../../shadow", Certificate: pki + "b", Key: pki + "c"}, "must be absolute and plain"},
		"no endpoint":      {facts.EtcdEndpoint{URL: "https://10.0.0.21"}, "names no port"},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckEndpoint(test.endpoint)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
