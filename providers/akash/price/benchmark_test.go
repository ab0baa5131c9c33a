package price

import (
	"os/exec"
	"strings"
	"testing"
)

func benchmarkOrder(b *testing.B) ([]byte, Setting) {
	b.Helper()
	return []byte(asked(order2, UACT, plenty, 6)), Setting{Version: Newest, Targets: Targets{GPUMappings: "a100.80Gi=1000,t4=80"}, AKT: "3"}
}

const benchmarkAnswer = "4885.568806"

// BenchmarkEngine reads and prices one order, as replay does.
func BenchmarkEngine(b *testing.B) {
	data, s := benchmarkOrder(b)
	for b.Loop() {
		o, err := ParseOrder(data)
		if err != nil {
			b.Fatal(err)
		}
		if r, err := Price(o, s); err != nil || r.Stdout != benchmarkAnswer {
			b.Fatal(r.Stdout, err)
		}
	}
}

// BenchmarkPipeline does the same arithmetic with bash, jq, bc and awk.
func BenchmarkPipeline(b *testing.B) {
	for _, tool := range []string{"bash", "jq", "bc", "awk"} {
		if _, err := exec.LookPath(tool); err != nil {
			b.Skipf("there is nothing to measure: %v", err)
		}
	}
	data, s := benchmarkOrder(b)
	for b.Loop() {
		command := exec.Command("bash", "testdata/pipeline.sh")
		command.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "AKT=" + s.AKT, MappingsVariable + "=" + s.Targets.GPUMappings}
		command.Stdin = strings.NewReader(string(data))
		if out, err := command.Output(); err != nil || string(out) != benchmarkAnswer {
			b.Fatalf("%s, %v", out, err)
		}
	}
}
