package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"upkeep/fixtures/fakecluster"
	"upkeep/fixtures/fakenode"
	"upkeep/fixtures/worlds"
	"upkeep/providers/etcd/restore"
	"upkeep/providers/facts"
	"upkeep/providers/helm"
	"upkeep/providers/sandbox"
	"upkeep/state"
)

var update = flag.Bool("update", false, "write the golden files, the scripts' expected output and docs/ anew")

// TestMain makes the test binary upkeep itself, and the child that lies beside it, where it runs under their names.
func TestMain(m *testing.M) {
	sandbox.Child()
	helm.Child()
	// Under nohup the programs of the scripts would ignore SIGHUP, too. One that is heard is not handed down.
	if signal.Ignored(syscall.SIGHUP) && filepath.Base(os.Args[0]) != "upkeep" {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	testscript.Main(m, map[string]func(){
		"upkeep": func() {
			os.Exit(run(context.Background(), environment{
				args: os.Args, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
				environ: os.Environ(), now: fakecluster.Clock(), signals: terminations(), unbroken: ignoreBrokenPipes, trace: seenUnderNoLock,
				here: facts.Here{MachineID: os.Getenv("HERE")},
			}))
		},
		// It lies beside upkeep, as in a release.
		"upkeep-etcd": func() {
			if err := restore.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		},
	})
}

// seenUnderNoLock ends a program that writes what was seen while it holds the lock of a run.
func seenUnderNoLock(boundary string) {
	if !strings.HasPrefix(boundary, "seen:") {
		return
	}
	var info state.LockInfo
	data, err := os.ReadFile("upkeep.state.json.lock.info")
	if err == nil && json.Unmarshal(data, &info) == nil && info.PID == os.Getpid() {
		fmt.Fprintf(os.Stderr, "what was seen is written under the lock of a run: %s\n", data)
		os.Exit(99)
	}
}

// TestScripts runs every script of testdata/script. Beside testscript's own commands, scripts have:
//
//	code N COMMAND...            runs a command that must exit with N
//	cluster N [helm|tls|hostile] makes a simulated cluster of N control planes in $CLUSTER, and $WORK/kubeconfig for it; helm: it
//	                             keeps what Helm writes; tls: its API is served with a certificate, and looks at the client's;
//	                             hostile: it says what the file "hostile" has a word for, see there
//	install NAMESPACE RELEASE CHART VERSION VALUES
//	                             installs a chart as somebody without upkeep would
//	age DURATION NODE NAME...    leaves certificates of a node that much time; age DURATION kubeconfig: that of the cluster
//	renewed NODE NAME...         somebody else renews certificates of a node
//	another-cluster              the API server is another cluster's from now on
//	order NODE [WORD...]         see fakecluster.Order
//	interrupt NODE [SIGNAL] COMMAND...
//	                             runs a command until NODE holds what it was ordered to hold, interrupts it (by INT, TERM or
//	                             HUP), takes the order back, and wants exit code 130; with !: that it comes to its end
//	end NODE SIGNAL COMMAND...   runs a command until NODE holds what it was ordered to hold, sends it the signal, and wants
//	                             exit code 130 while NODE still holds
//	stop-at-once NODE COMMAND... the same with three signals, one after the other
//	outlives NODE SIGNAL COMMAND...
//	                             the same, and takes the order back and wants exit code 0
//	unread NODE COMMAND...       runs a command until NODE holds what it was ordered to hold, reads its output no more, takes
//	                             the order back, and wants exit code 1
//	held NODE                    waits until NODE holds what it was ordered to hold
//	mark NODE ID                 leaves something of an interrupted run on a node
//	working NODE STEP            upkeep's own work for a step of plan p1 is under way on a node from now on
//	sed OLD NEW FILE             replaces text in a file
//	gpu-node NAME GPUS           adds a healthy node with GPUs; change-node NAME FILE lays JSON over the facts of a node
//	xid NAME CODE SLOT           its kernel has reported a Xid; [!] kubectl-cordon NAME cordons it as somebody else would
//	pod NODE NAMESPACE/NAME [bare] [emptydir] [tenant] [budget]
//	                             starts a pod on a node; budget: nobody may evict it. [!] pod-ends NAMESPACE/NAME ends it
//	digest PLANFILE              sets DIGEST to the plan's digest
//	digests A B [ADDRESS...]     wants two plan files to have the digests of all resources in common but of these
//	json-lines FILE              wants one JSON object on each line
//	clean FILE...                wants no character in files that drives a terminal; said-evil FILE... wants what hostile says
//	canaries, no-canary, files-without-canary: see secrets_test.go
//	damage-bundle DIRECTORY      flips a byte of the newest bundle
//	bundles DIRECTORY            sets OLDEST and NEWEST to the ids of a directory's oldest and newest bundle
//	identity FILE                makes a new age identity and sets RECIPIENT to its public key
//	s3 BUCKET                    starts an S3-compatible service, sets S3 to its address, and AWS_* to an operator's keys
//	halfway SIGNAL COMMAND...    interrupts a command when the service has sent half of a bundle, and wants exit code 130
//	replay DIRECTORY KIND        puts an authentic bundle into a store again, see replays; one-answer ID STATUS NEWEST wants
//	                             that all commands say the same of it, and take NEWEST for the newest one
//	s3-objects BUCKET            prints the names of its objects; s3-damage BUCKET flips a byte in each bundle
//	real-etcd                    the members send a real etcd's snapshot from now on, of the revision and the keys that they claim
//	stopped-etcd NODE...         no member answers from now on, and on these nodes lies the data of a stopped one
//	spilled PLANFILE             leaves what a run of the plan leaves whose journal took no more records
//	damage-journal               damages the one journal in the middle; journal-kept wants it to be as it was then
func TestScripts(t *testing.T) {
	ssh := fakecluster.SSH(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			repository, err := filepath.Abs("../..")
			env.Setenv("PATH", ssh+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("NOW", "2026-11-22T12:00:00Z")
			env.Setenv("REPOSITORY", repository)
			env.Setenv("CLUSTER", filepath.Join(env.WorkDir, "cluster"))
			env.Setenv("LC_ALL", "C.UTF-8")
			return err
		},
		Condition: func(name string) (bool, error) {
			if name != "sandbox" {
				return false, fmt.Errorf("there is no condition %s", name)
			}
			_, err := sandbox.Run(context.Background(), sandbox.Job{
				Script: []byte("#!/bin/bash\n"), Programs: []string{"bash", "jq", "bc"}, Required: []string{"bash", "jq", "bc"}, Limits: measureLimits,
			})
			if err != nil && os.Getenv("CI") != "" {
				return false, err
			}
			return err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code, "spilled": spilled, "cluster": cluster, "install": install, "damage-bundle": damageBundle, "forge": forge, "either": either, "public-key": publicKey, "bundles": bundles, "identity": identity, "real-etcd": realEtcd, "stopped-etcd": stoppedEtcd, "s3": s3, "halfway": halfway, "clean": clean, "said-evil": saidEvil, "one-answer": oneAnswer, "replay": replay, "s3-damage": s3Damage, "s3-objects": s3Objects,
			"age": age, "renewed": renewed, "mark": mark, "working": working, "another-cluster": anotherCluster,
			"gpu-node": gpuNode, "change-node": changeNode, "xid": xidNow, "kubectl-cordon": kubectlCordon, "reboot-lock": rebootLock,
			"pod": pod, "pod-ends": podEnds,
			"order": order, "held": held, "interrupt": interrupt, "end": end, "stop-at-once": stopAtOnce, "outlives": outlives, "unread": unread, "sed": sed, "json-lines": jsonLines,
			"digest": digest, "digests": digests, "damage-journal": damageJournal, "canaries": canaries, "no-canary": noCanary, "files-without-canary": filesWithoutCanary, "journal-kept": journalKept,
		},
	})
}

func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	expectExit(ts, ts.Exec(args[1], args[2:]...), want)
}

func expectExit(ts *testscript.TestScript, err error, want int) {
	got := 0
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		got = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// clusterOf opens the script's cluster with the script's clock, standing still.
func clusterOf(ts *testscript.TestScript) *fakecluster.Cluster {
	return fakecluster.Open(ts.Getenv("CLUSTER"), func() time.Time { return clockOf(ts) })
}

func clockOf(ts *testscript.TestScript) time.Time {
	at, err := time.Parse(time.RFC3339, ts.Getenv("NOW"))
	ts.Check(err)
	return at
}

func cluster(ts *testscript.TestScript, _ bool, args []string) {
	count, err := strconv.Atoi(args[0])
	ts.Check(err)
	server := serverOf(ts, args)
	at := clockOf(ts)
	_, err = fakecluster.Create(ts.Getenv("CLUSTER"), count, func() time.Time { return at }, server, filepath.Join(ts.Getenv("WORK"), "kubeconfig"))
	ts.Check(err)
}

func age(ts *testscript.TestScript, _ bool, args []string) {
	left, err := time.ParseDuration(args[0])
	ts.Check(err)
	if len(args) == 2 && args[1] == "kubeconfig" {
		ts.Check(clusterOf(ts).AgeKubeconfig(left))
		return
	}
	ts.Check(clusterOf(ts).Change(func(world *facts.World) error {
		worlds.Age(clockOf(ts), left, world.Nodes[args[1]], args[2:]...)
		return nil
	}))
}

func renewed(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(clusterOf(ts).Change(func(world *facts.World) error {
		for _, name := range args[1:] {
			fakenode.Reissue(world.Nodes[args[0]], name, clockOf(ts))
		}
		return nil
	}))
}

// mark leaves something of an interrupted run on a node: mark NODE ID.
func mark(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(clusterOf(ts).Change(func(world *facts.World) error {
		n := world.Nodes[args[0]]
		n.Marks.Found = append(n.Marks.Found, facts.Mark{ID: args[1], What: "staging tree /var/lib/upkeep/stage/1", Run: "plan p1", Made: clockOf(ts), Undo: "remove it"})
		return nil
	}))
}

func working(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(clusterOf(ts).Change(func(world *facts.World) error {
		world.Nodes[args[0]].Work.InProgress = []facts.Request{{Plan: "p1", Step: args[1], Method: "certificates.renew", By: "systemd unit upkeep-1.service", Began: clockOf(ts)}}
		return nil
	}))
}

func anotherCluster(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(clusterOf(ts).Change(func(world *facts.World) error {
		world.Kubernetes.UID = "00000000-0000-0000-0000-000000000000"
		return nil
	}))
}

func order(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(clusterOf(ts).Order(args[0], args[1:]...))
}

// heldLimit is how long an upkeep may take to come to a request, beside all other scripts on a busy machine.
const heldLimit = 2 * time.Minute

// signals are those that scripts send.
var signals = map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP}

// interrupt interrupts a command while a node keeps it waiting; the node answers once the command has said that it heard.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	heard := &hearing{to: ts.Stderr(), heard: make(chan struct{})}
	sent, named := signals[args[1]]
	if !named {
		sent, args = os.Interrupt, append([]string{args[0], "INT"}, args[1:]...)
	}
	command := start(ts, args[2:], ts.Stdout(), heard)
	fake := clusterOf(ts)
	held := fake.Held(args[0], heldLimit)
	_ = command.Process.Signal(sent)
	late := false
	select {
	case <-heard.heard:
	case <-time.After(heldLimit):
		late = true
	}
	ts.Check(fake.Order(args[0]))
	err := command.Wait()
	ts.Check(held)
	if !neg {
		expectExit(ts, err, exitInterrupted)
	} else if err != nil {
		ts.Fatalf("it did not come to its end: %v", err)
	}
	if late {
		ts.Fatalf("it did not say within %s that it was interrupted", heldLimit)
	}
}

// stopAtOnce interrupts a command three times while a node keeps it waiting, each time when the command has said what the
// last one means. The node never answers.
func stopAtOnce(ts *testscript.TestScript, _ bool, args []string) {
	said := &hearing{to: ts.Stderr(), heard: make(chan struct{})}
	command := start(ts, args[1:], ts.Stdout(), said)
	held := clusterOf(ts).Held(args[0], heldLimit)
	for _, answer := range []string{"no new node is started", "running steps are finished", "Stopping at once"} {
		_ = command.Process.Signal(os.Interrupt)
		for end := time.Now().Add(heldLimit); !said.contains(answer) && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		}
	}
	late := time.AfterFunc(heldLimit, func() { _ = command.Process.Kill() })
	err := command.Wait()
	late.Stop()
	ts.Check(held)
	expectExit(ts, err, exitInterrupted)
}

// hearing passes on what a command says, and tells when that is of an interrupt.
type hearing struct {
	to    io.Writer
	mu    sync.Mutex
	said  []byte
	heard chan struct{}
	once  sync.Once
}

// contains reports whether the command has said something.
func (h *hearing) contains(text string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return bytes.Contains(h.said, []byte(text))
}

func (h *hearing) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.said = append(h.said, p...); bytes.Contains(h.said, []byte("Interrupt: ")) {
		h.once.Do(func() { close(h.heard) })
	}
	return h.to.Write(p)
}

// end is interrupt for a command that waits for nothing: the node answers only afterwards.
func end(ts *testscript.TestScript, _ bool, args []string) {
	command := start(ts, args[2:], ts.Stdout(), ts.Stderr())
	fake := clusterOf(ts)
	held := fake.Held(args[0], heldLimit)
	_ = command.Process.Signal(signals[args[1]])
	late := time.AfterFunc(heldLimit, func() { _ = command.Process.Kill() })
	err := command.Wait()
	late.Stop()
	ts.Check(held)
	expectExit(ts, err, exitInterrupted)
}

// outlives sends a signal to a command that ignores it while a node keeps the command waiting; the node answers then.
func outlives(ts *testscript.TestScript, _ bool, args []string) {
	command := start(ts, args[2:], ts.Stdout(), ts.Stderr())
	fake := clusterOf(ts)
	held := fake.Held(args[0], heldLimit)
	_ = command.Process.Signal(signals[args[1]])
	ts.Check(fake.Order(args[0]))
	ts.Check(command.Wait())
	ts.Check(held)
}

// unread runs a command whose output nobody reads any more once a node keeps it waiting; the node answers then. The
// command ends by itself, and not well.
func unread(ts *testscript.TestScript, _ bool, args []string) {
	reader, writer, err := os.Pipe()
	ts.Check(err)
	command := start(ts, args[1:], writer, writer)
	ts.Check(writer.Close())
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	fake := clusterOf(ts)
	held := fake.Held(args[0], heldLimit)
	ts.Check(reader.Close())
	ts.Check(fake.Order(args[0]))
	err = command.Wait()
	ts.Check(held)
	expectExit(ts, err, exitError)
}

// start starts a command in the script's directory and environment.
func start(ts *testscript.TestScript, args []string, stdout, stderr io.Writer) *exec.Cmd {
	path, err := exec.LookPath(args[0])
	ts.Check(err)
	command := exec.Command(path, args[1:]...)
	command.Args[0] = args[0]
	command.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "NOW", "CLUSTER", "SPEED", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		command.Env = append(command.Env, name+"="+ts.Getenv(name))
	}
	command.Stdout, command.Stderr = stdout, stderr
	ts.Check(command.Start())
	return command
}

func held(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(clusterOf(ts).Held(args[0], heldLimit))
}

func digest(ts *testscript.TestScript, _ bool, args []string) {
	var plan struct{ Digest string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &plan))
	ts.Setenv("DIGEST", plan.Digest)
}

func jsonLines(ts *testscript.TestScript, _ bool, args []string) {
	lines := strings.Split(strings.TrimSuffix(ts.ReadFile(args[0]), "\n"), "\n")
	for _, line := range lines {
		var event struct{ Type string }
		if err := json.Unmarshal([]byte(line), &event); err != nil || event.Type == "" {
			ts.Fatalf("%q is no event: %v", line, err)
		}
	}
}

// theJournal returns the one journal of the script's state directory, which is neither the world nor the state.
func theJournal(ts *testscript.TestScript) string {
	paths, err := filepath.Glob(filepath.Join(ts.Getenv("WORK"), "journal", "*.jsonl"))
	ts.Check(err)
	if len(paths) != 1 {
		ts.Fatalf("there are %d journals: %v", len(paths), paths)
	}
	return paths[0]
}

func damageJournal(ts *testscript.TestScript, _ bool, _ []string) {
	data, err := os.ReadFile(theJournal(ts))
	ts.Check(err)
	data[len(data)/2] ^= 0xff
	ts.Check(os.WriteFile(theJournal(ts), data, 0o600))
	ts.Check(os.WriteFile(filepath.Join(ts.Getenv("WORK"), "damaged-journal"), data, 0o600))
}

func journalKept(ts *testscript.TestScript, _ bool, _ []string) {
	data, err := os.ReadFile(theJournal(ts))
	ts.Check(err)
	if string(data) != ts.ReadFile("damaged-journal") {
		ts.Fatalf("the damaged journal was changed")
	}
}

func sed(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[2])
	text := ts.ReadFile(args[2])
	if !strings.Contains(text, args[0]) {
		ts.Fatalf("%s has no %q", args[2], args[0])
	}
	ts.Check(os.WriteFile(path, []byte(strings.ReplaceAll(text, args[0], args[1])), 0o600))
}

func TestExitCodesHelp(t *testing.T) {
	for _, code := range []int{exitDone, exitError, exitChanges, exitPartial, exitStale, exitWindow, exitLocked, exitInterrupted} {
		if !strings.Contains(exitCodesHelp, fmt.Sprintf("%5d  ", code)) {
			t.Errorf("help exit-codes does not say what %d means", code)
		}
	}
}
