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

// The goals for `upkeep version`.
const (
	versionWall   = 50 * time.Millisecond
	versionMemory = 100 << 20
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
	t.Logf("figure: upkeep version: %s, at most %d MiB", best.wall.Round(100*time.Microsecond), best.memory>>20)
	if best.wall > versionWall || best.memory > versionMemory {
		t.Errorf("upkeep version takes %s and %d MiB, the goals are %s and %d MiB", best.wall, best.memory>>20, versionWall, versionMemory>>20)
	}
	plan := d.run(t, "plan").want(t, 0)
	t.Logf("figure: a plan of the three nodes: %s, %s CPU", plan.wall.Round(10*time.Millisecond), plan.cpu.Round(10*time.Millisecond))
	s.besideKubeadm(t)
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
	// The helper ends when its input does, and its input ends when it has answered: an answer is thousands of bytes.
	s.put(t, node, dir+"/measure", "755", []byte(fmt.Sprintf(`#!/bin/bash
cd %s || exit 1
TIMEFORMAT='%%U %%S'
case $1 in
kubeadm) for i in $(seq %d); do { time kubeadm certs check-expiration >/dev/null 2>&1; } 2>&1; done ;;
*)
	for i in $(seq %[2]d); do
		: > answer
		{ cat "$1"; for j in $(seq 500); do if [ "$(stat -c %%s answer)" -gt 2000 ]; then break; fi; sleep 0.02; done; } |
			{ time ./helper -nonce 00112233445566778899aabbccddeeff >answer; } 2>&1
		grep -q not_after answer || exit 1
	done
	;;
esac
`, dir, measured)))
	kubeadm := seconds(t, s.ssh(t, node, dir+"/measure kubeadm"))
	t.Logf("figure: kubeadm certs check-expiration uses %s CPU (mean of %d)", kubeadm.Round(100*time.Microsecond), measured)
	for _, what := range []string{"certificates", "all"} {
		ours := seconds(t, s.ssh(t, node, dir+"/measure "+what))
		t.Logf("figure: the helper, asked on the node for %s, uses %s CPU: a %.1fth of kubeadm", what, ours.Round(100*time.Microsecond), kubeadm.Seconds()/ours.Seconds())
	}
}

// seconds reads lines of "USER SYSTEM" in seconds and returns the mean of their sums.
func seconds(t *testing.T, text string) time.Duration {
	t.Helper()
	var total float64
	fields := strings.Fields(text)
	if len(fields) != 2*measured {
		t.Fatalf("expected %d lines of two numbers:\n%s", measured, text)
	}
	for _, field := range fields {
		value, err := strconv.ParseFloat(field, 64)
		if err != nil {
			t.Fatal(err)
		}
		total += value
	}
	return time.Duration(total / measured * float64(time.Second))
}
