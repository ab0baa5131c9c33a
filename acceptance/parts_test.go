package acceptance

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// group is what a part is counted with in the table that .ci/run prints.
type group string

const (
	labUp            group = "lab up"
	rotationAndKills group = "rotation and kill points"
	backupAndLoss    group = "backup and disaster"
	provider         group = "provider"
	windows          group = "window"
	rollout          group = "driver rollout"
	recovery         group = "expired recovery"
	// rest is what only `make acceptance-all` walks: every other group is the core.
	rest group = "only in acceptance-all"
)

// budgets are how many minutes each group of the core may take, in the order of the table.
var budgets = []struct {
	group   group
	minutes int
}{{labUp, 3}, {rotationAndKills, 8}, {backupAndLoss, 7}, {provider, 5}, {windows, 7}, {rollout, 4}, {recovery, 7}, {rest, 0}}

// parts are all parts of TestAcceptance in their order. A new one belongs to rest unless the core has time for it.
var parts = []struct {
	name  string
	group group
	limit time.Duration
	do    func(*testing.T, *suite)
}{
	{"kubeadm names the same certificates on every node", rotationAndKills, time.Minute, testExpirationOnEveryNode},
	{"the user ops reaches every node through the bastion", rest, time.Minute, testOpsThroughTheBastion},
	{"parity with kubeadm", rotationAndKills, 2 * time.Minute, testParity},
	{"wrong host key while all is due", rest, 4 * time.Minute, testWrongHostKeyWhileDue},
	{"rotation", rotationAndKills, 10 * time.Minute, testRotation},
	{"parity with kubeadm after the rotation", rotationAndKills, 2 * time.Minute, testParity},
	{"wrong host key", rest, 3 * time.Minute, testWrongHostKey},
	{"configuration out of etcd", rest, 2 * time.Minute, testConfigurationFromEtcd},
	{"one bad file is one finding", rest, 3 * time.Minute, testBadFile},
	{"every fault has its name", rest, 25 * time.Minute, testFaults},
	{"renewed by hand and not restarted", rest, 4 * time.Minute, testRenewedByHand},
	{"one node replaced as ops through the bastion", rest, 4 * time.Minute, testReplaceAsOps},
	{"a kubeconfig of another cluster", rest, 3 * time.Minute, testAnotherCluster},
	{"a runbook executed by a plain shell", rest, 8 * time.Minute, testRunbook},
	{"an apply killed and a second operator", rest, 6 * time.Minute, testKilledAndSecondOperator},
	{"kill points", rotationAndKills, 15 * time.Minute, testKillPoints},
	{"access to the installed helper alone", rest, 4 * time.Minute, testRestrictedAccess},
	{"two operators while the API is down", rest, 6 * time.Minute, testLocksWithoutAPI},
	{"every certificate has expired", recovery, 25 * time.Minute, testExpired},
	{"a cluster as kubespray makes it", rest, 15 * time.Minute, testKubespray},
	{"a backup under load guards a rotation", backupAndLoss, 8 * time.Minute, testBackupGuards},
	{"backups that go wrong", rest, 12 * time.Minute, testBackupFaults},
	{"damaged bundles", backupAndLoss, 6 * time.Minute, testDamagedBundles},
	{"an Akash provider", provider, 20 * time.Minute, testAkashProvider},
	{"an Akash provider that earns or not", rest, 6 * time.Minute, testEarnings},
	{"an Akash provider over many versions", rest, 8 * time.Minute, testStagedUpgrade},
	{"a Helm release", rest, 6 * time.Minute, testHelmRelease},
	{"leases beside a restart", rest, 14 * time.Minute, testLeases},
	{"the edge of a window", windows, 16 * time.Minute, testWindow},
	{"NVIDIA nodes", rest, 20 * time.Minute, testGPUNodes},
	{"another driver", rollout, 12 * time.Minute, testDriver},
	{"many steps at once", rest, 20 * time.Minute, testManyAtOnce},
	{"figures", rest, 20 * time.Minute, testFigures},
	{"the traffic notices a killed server", rest, 4 * time.Minute, testTrafficNotices},
	{"a hung node", rest, 5 * time.Minute, testHungNode},
	{"all of etcd is lost", backupAndLoss, 12 * time.Minute, testDisaster},
}

// everyPart says whether everything is walked, and all of each part: `make acceptance-all` sets ACCEPTANCE=all. Without it the
// core is walked, with a sample of the kill points.
func everyPart(t *testing.T) bool {
	t.Helper()
	switch said := os.Getenv("ACCEPTANCE"); said {
	case "", "core":
		return false
	case "all":
		return true
	default:
		t.Fatalf("ACCEPTANCE is %q; it is core or all", said)
		return false
	}
}

// sampled returns one of every three crashes, each time another of the three, since nodes take turns, and the last, which is
// a restart.
func sampled(all []crash) []crash {
	var some []crash
	for i, c := range all {
		if i%3 == (i/3+2)%3 || i == len(all)-1 {
			some = append(some, c)
		}
	}
	return some
}

// stopwatch keeps what each part takes, and adds up what the groups take.
type stopwatch struct {
	took  map[group]time.Duration
	parts strings.Builder
}

func (s *stopwatch) add(g group, part string, d time.Duration) {
	if s.took == nil {
		s.took = map[group]time.Duration{}
	}
	s.took[g] += d
	fmt.Fprintf(&s.parts, "%6.0f s  %s\n", d.Seconds(), part)
}

// note logs the times, and appends those of the groups to the file that ACCEPTANCE_TIMES names: seconds, budget in minutes, group.
func (s *stopwatch) note(t *testing.T) {
	t.Logf("figure: what each part took\n%s", s.parts.String())
	text := ""
	for _, b := range budgets {
		if took, walked := s.took[b.group]; walked {
			text += fmt.Sprintf("%.0f\t%d\t%s\n", took.Seconds(), b.minutes, b.group)
			t.Logf("%s: %.1f minutes", b.group, took.Minutes())
		}
	}
	path := os.Getenv("ACCEPTANCE_TIMES")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Error(err)
	}
}

// TestEveryPartIsInTheTable needs no lab. A function of this package that takes a suite as a part does is in the table, and
// each name once: what is in no group is never walked.
func TestEveryPartIsInTheTable(t *testing.T) {
	source, err := parser.ParseFile(token.NewFileSet(), "parts_test.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	ast.Inspect(source, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && strings.HasPrefix(id.Name, "test") && id.Name != "testing" {
			listed[id.Name] = true
		}
		return true
	})
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declared := range parsed.Decls {
			f, ok := declared.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "test") {
				continue
			}
			if found++; !listed[f.Name.Name] {
				t.Errorf("%s: %s is in no group; add it to parts", file.Name(), f.Name.Name)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d parts were found", found)
	}
	names, groups := map[string]bool{}, map[group]int{}
	for _, p := range parts {
		if names[p.name] {
			t.Errorf("two parts are named %q", p.name)
		}
		names[p.name] = true
		groups[p.group]++
	}
	for _, b := range budgets {
		if b.group != labUp && groups[b.group] == 0 {
			t.Errorf("no part is in the group %q", b.group)
		}
		delete(groups, b.group)
	}
	for g := range groups {
		t.Errorf("the group %q has no budget", g)
	}
}

// TestSomeKillPointsAreAFairSample needs no lab either.
func TestSomeKillPointsAreAFairSample(t *testing.T) {
	count := func(of []crash) (kills int, seen map[string]bool) {
		seen = map[string]bool{}
		for _, c := range of {
			seen[c.node] = true
			for _, k := range c.kills {
				kills++
				seen[k.victim] = true
				seen[fmt.Sprintf("in the helper: %t", k.helper)] = true
			}
		}
		return kills, seen
	}
	some, seenInSome := count(sampled(crashes))
	all, seenInAll := count(crashes)
	if some < all/4 || some > all*2/5 {
		t.Errorf("%d of %d kill points, want about a third", some, all)
	}
	for what := range seenInAll {
		if !seenInSome[what] {
			t.Errorf("%s is not in the sample", what)
		}
	}
	if !slices.ContainsFunc(sampled(crashes), func(c crash) bool { return readsOnlyOnce(c.name) }) {
		t.Error("no restart is in the sample")
	}
}
