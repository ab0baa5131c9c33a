package config

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// generated returns a configuration of n nodes in one for_each, and a block that selects them by role.
func generated(n int) string {
	var b strings.Builder
	b.WriteString("connection \"c\" {\n  user = \"ops\"\n}\n\nlocals {\n  hosts = {\n")
	for i := range n {
		fmt.Fprintf(&b, "    gpu%05d = { host = \"10.%d.%d.%d\", rack = \"r%d\" }\n", i, i/65536, i/256%256, i%256, i/40)
	}
	b.WriteString("  }\n}\n\nnode \"gpu\" {\n  for_each   = local.hosts\n  host       = each.value.host\n  roles      = [\"gpu\", each.value.rack]\n" +
		"  primary    = each.key == \"gpu00000\"\n  connection = connection.c\n}\n\ncerts \"all\" {\n  nodes = node.gpu\n}\n")
	return b.String()
}

// separate returns a configuration of n node blocks and n blocks that refer to them and to local values.
func separate(n int) string {
	var b strings.Builder
	b.WriteString("connection \"c\" {\n  user = \"ops\"\n}\n\nnode \"all\" {\n  for_each = {\n")
	for i := range n {
		fmt.Fprintf(&b, "    k%05d = \"a\"\n", i)
	}
	b.WriteString("  }\n  host = each.value\n}\n")
	for i := range n {
		fmt.Fprintf(&b, "locals {\n  l%05d = \"10.%d.%d.%d\"\n}\n", i, i/65536, i/256%256, i%256)
		fmt.Fprintf(&b, "node \"n%05d\" {\n  host = local.l%05d\n  connection = connection.c\n}\n", i, i)
		fmt.Fprintf(&b, "certs \"c%05d\" {\n  nodes = [node.n%05d, node.all[\"k%05d\"]]\n}\n", i, i, i)
	}
	return b.String()
}

// BenchmarkLoad: the cost of a thousand must not grow with their number.
func BenchmarkLoad(b *testing.B) {
	for _, test := range []struct {
		shape string
		write func(int) string
	}{{"for_each", generated}, {"blocks", separate}} {
		for _, n := range []int{1000, 2000, 10000} {
			b.Run(fmt.Sprintf("%s=%d", test.shape, n), func(b *testing.B) {
				directory := write(b, map[string]string{"main.upkeep.hcl": test.write(n)})
				start := cpu(b)
				for b.Loop() {
					desired, _, diags := Load(directory, Options{Types: testTypes()})
					if len(diags) > 0 || len(desired.Nodes) < n {
						b.Fatal(len(desired.Nodes), diags)
					}
				}
				b.ReportMetric(float64((cpu(b)-start).Microseconds())/float64(b.N)/float64(n), "cpu-ms/1000")
			})
		}
	}
}

// cpu returns the processor time that this process has used, which a busy machine does not change much.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
