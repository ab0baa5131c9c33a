package inpod_test

import (
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"upkeep/providers/akash/inpod"
	"upkeep/providers/akash/price"
	"upkeep/providers/facts"
)

// machine is a container that lies in a directory: the script of the package really runs in it.
type machine struct {
	t           *testing.T
	directory   string
	environment []string
	log         string
	refused     error
	script      string // that ran last
}

const (
	balances = `{"balances":[{"denom":"uakt","amount":"5000000"},{"denom":"uact","amount":"12500000"}],"pagination":{"next_key":null,"total":"0"}}`
	status   = `{"jsonrpc":"2.0","id":-1,"result":{"node_info":{"network":"akashnet-2"},"sync_info":{"latest_block_height":"18433310",` +
		`"latest_block_time":"2026-11-29T00:00:04.123456789Z","catching_up":false},"validator_info":{}}}`
	address = "akash1nxq8gmsw2vlz3m68qvyvcf3kh6q269ajvqw6y0"
)

// container makes one whose price script is the given text.
func container(t *testing.T, script string) *machine {
	t.Helper()
	m := &machine{t: t, directory: t.TempDir()}
	m.file("bin/provider-services", "#!/bin/sh\n"+`[ "$*" = "query bank balances `+address+` -o json" ] || { echo "Error: unknown command: $*" >&2; exit 1; }`+
		"\necho '"+balances+"'\n")
	m.file("bin/curl", "#!/bin/sh\nfor url; do :; done\n"+`[ "$url" = http://akash-node-1:26657/status ] || exit 6`+"\necho '"+status+"'\n")
	m.file("bin/jq", "#!/bin/sh\necho jq-1.7.1\n")
	m.file("scripts/price_script.sh", script)
	m.environment = []string{
		"PATH=" + m.path("bin") + ":" + os.Getenv("PATH"), "TMPDIR=" + m.path("tmp"), "HOME=" + m.directory,
		"AKASH_FROM=" + address, "AKASH_NODE=http://akash-node-1:26657",
		"AKASH_BID_PRICE_SCRIPT_PATH=" + m.path("scripts/price_script.sh"), "PRICE_TARGET_CPU=1.60", "PRICE_TARGET_GPU_MAPPINGS=a100=120,t4=80",
		"WHITELIST_URL=https://example.net/list", "WALLET_SECRET=hush",
	}
	if err := os.Mkdir(m.path("tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *machine) path(name string) string { return filepath.Join(m.directory, name) }

func (m *machine) file(name, text string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(m.path(name)), 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(m.path(name), []byte(text), 0o700); err != nil {
		m.t.Fatal(err)
	}
}

// Run implements inpod.Pods.
func (m *machine) Run(ctx context.Context, _, _, _ string, command []string, limit int) ([]byte, error) {
	if m.refused != nil {
		return nil, m.refused
	}
	run := exec.CommandContext(ctx, command[0], command[1:]...)
	run.Env, run.Dir = m.environment, m.directory
	out, err := run.Output()
	return out[:min(len(out), limit)], err
}

// Log implements inpod.Pods.
func (m *machine) Log(context.Context, string, string, string, int64) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(m.log)), nil
}

func (m *machine) release() facts.Release {
	return facts.Release{Namespace: "akash-services", Name: "akash-provider", Workloads: []facts.Workload{{
		Kind: "StatefulSet", Name: "akash-provider", Pods: []facts.Pod{{
			Name: "akash-provider-0", UID: "uid-1", Containers: []facts.Container{{Name: "provider", Started: time.Unix(1, 0)}},
		}},
	}}}
}

func (m *machine) measure(orders ...string) facts.PodMeasurement {
	return inpod.Measure(m.t.Context(), m, m.release(), facts.PodMeasurementQuestion{Container: "provider", Orders: orders})
}

// left lists what the script left behind.
func (m *machine) left() []string {
	m.t.Helper()
	var names []string
	entries, err := os.ReadDir(m.path("tmp"))
	if err != nil {
		m.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

const order = `{"resources":[],"price":{"denom":"uact","amount":"100"},"price_precision":6}`

func TestMeasure(t *testing.T) {
	m := container(t, "#!/bin/bash\nread -r order\nprintf '%s %s %s %s' \"$PRICE_TARGET_CPU\" \"$AKASH_OWNER\" \"$AKASH_DENOM\" \"${WHITELIST_URL-no list}\"\n")
	m.log = "2026-11-28T22:00:00.5Z I[2026-11-28|22:00:00.500] order detected    module=bidengine-service cmp=provider order=order/akash1a/1/1/1\n" +
		"2026-11-28T22:00:02.5Z I[2026-11-28|22:00:02.500] bid complete      module=bidengine-order cmp=provider order=akash1a/1/1/1\n"
	got := m.measure(order, order)
	answer := facts.PriceAnswer{Order: order, Stdout: "1.60 " + price.SampleOwner + " uact no list"}
	at := time.Date(2026, 11, 28, 22, 0, 0, 0, time.UTC)
	want := facts.PodMeasurement{
		Pod: "uid-1",
		Price: facts.PriceMeasurement{
			Targets: map[string]string{"PRICE_TARGET_CPU": "1.60", "PRICE_TARGET_GPU_MAPPINGS": "a100=120,t4=80"}, JQ: "jq-1.7.1",
			Answers: []facts.PriceAnswer{answer, answer},
		},
		Balance: facts.Balance{Coins: map[string]string{"uakt": "5000000", "uact": "12500000"}},
		RPC:     facts.ChainStatus{BlockTime: time.Date(2026, 11, 29, 0, 0, 4, 0, time.UTC)},
		Log:     facts.BidLog{Since: at, Until: at.Add(2 * time.Second), Orders: 1, Bids: 1, LastBid: at.Add(2 * time.Second)},
	}
	// The clock is that of this machine; the digest is of a text with this test's directory in no place.
	ignore := []cmp.Option{cmpopts.IgnoreFields(facts.PodMeasurement{}, "At"), cmpopts.IgnoreFields(facts.PriceMeasurement{}, "Script", "AKT")}
	if diff := cmp.Diff(want, got, ignore...); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(got.Price.Script) != 64 || got.At.IsZero() {
		t.Errorf("script %q, clock %s", got.Price.Script, got.At)
	}
	if left := m.left(); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// What a script keeps between runs stays in the directory of the measurement, and what it fetches answers nothing:
// the price that a real provider has cached is never replaced.
func TestScriptIsContained(t *testing.T) {
	cache := "/tmp/upkeep-contained-" + strconv.Itoa(os.Getpid())
	m := container(t, "#!/bin/bash\ncurl -s https://api.example.net; got=$?\necho 9 > "+cache+"\n[ -e "+cache+" ] || exit 3\nwget -q x; echo $got $? $(cat "+cache+")\n")
	got := m.measure(order)
	if want := "7 7 9\n"; len(got.Price.Answers) != 1 || got.Price.Answers[0].Stdout != want {
		t.Errorf("answers %+v", got.Price.Answers)
	}
	if _, err := os.Stat(cache); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s was written: %v", cache, err)
	}
}

func TestMeasureFailures(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(*machine)
		check func(facts.PodMeasurement) string
		want  string
	}{
		{"exec is refused", func(m *machine) { m.refused = errors.New("forbidden: pods/exec") }, func(f facts.PodMeasurement) string { return f.Unknown }, "forbidden: pods/exec"},
		{
			"the script ends with an error", func(m *machine) {
				m.file("scripts/price_script.sh", "#!/bin/bash\necho -n \"denom in not supported: $AKASH_DENOM\" >&2\nexit 1\n")
			},
			func(f facts.PodMeasurement) string {
				return strconv.Itoa(f.Price.Answers[0].ExitCode) + f.Price.Answers[0].Stderr
			}, "1denom in not supported: uact",
		},
		{
			"the directory of the measurement shows nowhere", func(m *machine) {
				m.file("scripts/price_script.sh", "#!/bin/bash\nset -e\ncat /tmp/aktprice.cache.of.nobody\n")
			},
			func(f facts.PodMeasurement) string { return f.Price.Answers[0].Stderr }, "cat: /tmp/aktprice.cache.of.nobody: No such file",
		},
		{
			"the script has Windows line ends", func(m *machine) { m.file("scripts/price_script.sh", "#!/bin/bash\r\necho 1\r\n") },
			func(f facts.PodMeasurement) string { return strconv.Itoa(f.Price.Answers[0].ExitCode) }, "12", // 126 or 127
		},
		{
			"the script prints without end", func(m *machine) {
				m.file("scripts/price_script.sh", "#!/bin/bash\nwhile :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy || exit 1; done\n")
			},
			func(f facts.PodMeasurement) string {
				return strconv.FormatBool(len(f.Price.Answers[0].Stdout) < 4096 && f.Price.Answers[0].ExitCode != 0)
			}, "true",
		},
		{"there is no script", func(m *machine) { m.environment = append(m.environment, "AKASH_BID_PRICE_SCRIPT_PATH=") }, func(f facts.PodMeasurement) string { return f.Price.Unknown }, "no bid price script"},
		{
			"the client fails", func(m *machine) {
				m.file("bin/provider-services", "#!/bin/sh\necho 'Error: post failed: dial tcp 10.0.0.1:26657: connect: connection refused' >&2\nexit 1\n")
			},
			func(f facts.PodMeasurement) string { return f.Balance.Unknown }, "it ended with status 1: Error: post failed",
		},
		{"the client answers something else", func(m *machine) { m.file("bin/provider-services", "#!/bin/sh\necho '{}'\n") }, func(f facts.PodMeasurement) string { return f.Balance.Unknown }, "not understood"},
		{"the node is silent", func(m *machine) { m.file("bin/curl", "#!/bin/sh\nexit 7\n") }, func(f facts.PodMeasurement) string { return f.RPC.Silent }, "curl: it ended with status 7"},
		{"the node answers a page", func(m *machine) { m.file("bin/curl", "#!/bin/sh\necho '<html>'\n") }, func(f facts.PodMeasurement) string { return f.RPC.Unknown }, "not understood"},
		{
			"no tools", func(m *machine) {
				m.environment[0] = "PATH=" + m.path("bin")
			},
			func(f facts.PodMeasurement) string { return f.Unknown }, "run a command in pod akash-provider-0",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := container(t, "#!/bin/bash\necho 1\n")
			test.spoil(m)
			if got := test.check(m.measure(order)); !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if left := m.left(); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// Proxies before an API server refuse a request line of more than 8 KiB (nginx, large_client_header_buffers).
func TestCommandFitsIntoAURL(t *testing.T) {
	orders, err := price.Samples(price.USDC, []price.FleetGPU{{Vendor: "nvidia", Model: "rtx6000ada", RAM: "48Gi"}})
	if err != nil {
		t.Fatal(err)
	}
	query := url.Values{"command": inpod.Command(orders)}.Encode()
	if len(query) > 7<<10 {
		t.Errorf("the command is %d bytes in a URL", len(query))
	}
}

func TestMeasureNeedsAPod(t *testing.T) {
	m := container(t, "#!/bin/bash\necho 1\n")
	release := m.release()
	release.Workloads[0].Pods[0].Containers[0].Started = time.Time{}
	got := inpod.Measure(t.Context(), m, release, facts.PodMeasurementQuestion{Container: "provider", Orders: []string{order}})
	if want := "container provider of pod akash-provider-0 does not run"; got.Unknown != want {
		t.Errorf("got %q, want %q", got.Unknown, want)
	}
}
