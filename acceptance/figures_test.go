package acceptance

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// measured is how often each command is run for a figure.
const measured = 10

// testFigures prints what the project promises about speed: see the lines that begin with "figure:".
func testFigures(t *testing.T, s *suite) {
	d := s.declare(t, declaration{renewBefore: time.Hour})
	best := d.run(t, "version").want(t, 0)
	for range measured {
		if r := d.run(t, "version").want(t, 0); r.wall < best.wall {
			best = r
		}
	}
	// The memory includes what this test's process had when it forked, so it is an upper bound.
	t.Logf("figure: upkeep version: %s, at most %d MiB; the goals are 50ms and 100 MiB", best.wall.Round(100*time.Microsecond), best.memory>>20)
	plan := d.run(t, "plan").want(t, 0)
	t.Logf("figure: a plan of the three nodes: %s, %s CPU", plan.wall.Round(10*time.Millisecond), plan.cpu.Round(10*time.Millisecond))
	s.besideKubeadm(t)
	s.manySessions(t)
}

// besideKubeadm asks the helper on a node for the node's certificates, as upkeep does through the local transport, and compares the CPU
// time with that of `kubeadm certs check-expiration` on the same PKI. The helper reads more: keys, chains, kubeconfigs, and what
// the ports serve.
func (s *suite) besideKubeadm(t *testing.T) {
	t.Helper()
	const node, dir = "n1", "/root/upkeep-acceptance"
	s.undo(t, node, "rm -rf "+dir)
	s.put(t, node, dir+"/helper", "755", readFile(t, filepath.Join(filepath.Dir(s.upkeep), "upkeep-node-linux-"+runtime.GOARCH)))
	for name, question := range map[string]string{
		"certificates": `{"certificates":{"layout":"kubeadm"}}`,
		"all":          `{"certificates":{"layout":"kubeadm"},"control_plane":true}`,
	} {
		request := []byte(`{"jsonrpc":"2.0","id":1,"method":"observe","params":{"question":` + question + `}}`)
		frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(request))), request...)
		s.put(t, node, dir+"/"+name, "600", frame)
	}
	// In turn, so that whatever else the machine does weighs on all of them alike. The helper ends when its input does, and its input ends
	// when it has answered: an answer is thousands of bytes.
	used := means(t, s.ssh(t, node, fmt.Sprintf(`cd %s || exit 1
TIMEFORMAT='%%U %%S'
for i in $(seq %d); do
	echo kubeadm
	{ time kubeadm certs check-expiration >/dev/null 2>&1; } 2>&1
	for question in certificates all; do
		echo $question
		: > answer
		{ cat $question; for j in $(seq 500); do if [ "$(stat -c %%s answer)" -gt 2000 ]; then break; fi; sleep 0.02; done; } |
			{ time ./helper -nonce 00112233445566778899aabbccddeeff >answer; } 2>&1
		grep -q not_after answer || exit 1
	done
done`, dir, measured)))
	t.Logf("figure: kubeadm certs check-expiration uses %s CPU (means of %d)", used["kubeadm"].Round(100*time.Microsecond), measured)
	for _, what := range []string{"certificates", "all"} {
		t.Logf("figure: the helper, asked on the node for %s, uses %s CPU: kubeadm %.1f times as much", what, used[what].Round(100*time.Microsecond), used["kubeadm"].Seconds()/used[what].Seconds())
	}
}

// means reads triples of a name and two numbers of seconds and returns the mean of the numbers' sum for each name.
func means(t *testing.T, text string) map[string]time.Duration {
	t.Helper()
	out := map[string]time.Duration{}
	fields := strings.Fields(text)
	if len(fields) != 3*3*measured {
		t.Fatalf("expected %d names with two numbers each:\n%s", 3*measured, text)
	}
	for i := 0; i < len(fields); i += 3 {
		for _, field := range fields[i+1 : i+3] {
			value, err := strconv.ParseFloat(field, 64)
			if err != nil {
				t.Fatal(err)
			}
			out[fields[i]] += time.Duration(value / measured * float64(time.Second))
		}
	}
	return out
}
