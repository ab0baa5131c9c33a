//go:build linux

package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Child()
	os.Exit(m.Run())
}

// programs are what the tests' scripts call.
var programs = []string{"bash", "sh", "cat", "find", "sort", "sleep", "awk", "env", "ls", "head", "id", "wc", "mkdir", "rm", "true"}

func limits() sandbox.Limits {
	return sandbox.Limits{Time: 5 * time.Minute, Memory: 256 << 20, Output: 1 << 20, Processes: 64}
}

// box runs a script. Where there is no sandbox the test is skipped, but not in CI, where there is one.
func box(t *testing.T, job sandbox.Job) sandbox.Result {
	t.Helper()
	job.Script = append([]byte("#!/bin/bash\n"), job.Script...)
	if job.Programs == nil {
		job.Programs = programs
	}
	if job.Limits == (sandbox.Limits{}) {
		job.Limits = limits()
	}
	result, err := sandbox.Run(context.Background(), job)
	var none *sandbox.UnavailableError
	if errors.As(err, &none) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestRun(t *testing.T) {
	result := box(t, sandbox.Job{
		Script: []byte("read -r line; echo \"$line $WORD\"; curl x; echo bad >&2; exit 3"), Stdin: []byte("hello\n"),
		Environment: map[string]string{"WORD": "world"}, Stubs: map[string]string{"curl": "#!/bin/sh\necho \"no $1\"\n"},
	})
	if diff := cmp.Diff(sandbox.Result{Stdout: []byte("hello world\nno x\n"), Stderr: []byte("bad\n"), ExitCode: 3}, result); diff != "" {
		t.Error(diff)
	}
}

// What a script finds is what the job names: no other variable, no file of this machine, no other user, host name or
// process.
func TestView(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("canary"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CANARY", "canary")
	t.Run("environment", func(t *testing.T) {
		result := box(t, sandbox.Job{Script: []byte("env -u _ -u SHLVL -u PWD -u OLDPWD | sort")})
		if got := string(result.Stdout); got != "PATH=/bin\n" {
			t.Errorf("the environment is %q, %s", got, result.Stderr)
		}
	})
	t.Run("files", func(t *testing.T) {
		result := box(t, sandbox.Job{Script: []byte("find / -path /proc -prune -o -type f -print | sort")})
		for path := range strings.Lines(string(result.Stdout)) {
			path = strings.TrimSpace(path)
			name := strings.TrimPrefix(path, "/bin/")
			switch {
			case path == "/script", path == "/order", path == "/dev/null":
			case name != path && strings.Contains(" "+strings.Join(programs, " ")+" ", " "+name+" "):
			case strings.HasPrefix(path, "/lib") && (strings.Contains(path, ".so")), strings.HasPrefix(path, "/usr/lib") && strings.Contains(path, ".so"):
			default:
				t.Errorf("the script sees %s", path)
			}
		}
		if len(result.Stdout) == 0 {
			t.Fatalf("nothing was found: %s", result.Stderr)
		}
	})
	for name, script := range map[string]string{
		"a file of this machine":      "cat " + secret,
		"the list of users":           "cat /etc/passwd",
		"the file by another process": "cat /proc/1/root" + secret + " /proc/1/environ",
		"the program behind upkeep":   "head -c 4 /proc/1/exe",
		"the kernel's settings":       "cat /proc/cmdline /proc/sys/kernel/hostname",
		"a file of /sys":              "ls /sys",
		"a change of a program":       "echo x >/bin/cat",
		"a new file in the root":      "echo x >/x",
		"a change of the script":      "echo x >>/script",
	} {
		t.Run(name, func(t *testing.T) {
			result := box(t, sandbox.Job{Script: []byte(script)})
			if result.ExitCode == 0 || len(result.Stdout) > 0 {
				t.Errorf("exit %d, %q", result.ExitCode, result.Stdout)
			}
		})
	}
	t.Run("other processes", func(t *testing.T) {
		result := box(t, sandbox.Job{Script: []byte("for p in /proc/[0-9]*; do n=$((n + 1)); done; echo $n; cat /proc/self/status")})
		if !strings.HasPrefix(string(result.Stdout), "2\n") && !strings.HasPrefix(string(result.Stdout), "3\n") {
			t.Errorf("it sees more than its own processes: %.40s", result.Stdout)
		}
		for _, set := range []string{"CapPrm", "CapEff", "CapBnd", "CapAmb"} {
			if !strings.Contains(string(result.Stdout), set+":\t0000000000000000\n") {
				t.Errorf("it has capabilities: %s", result.Stdout)
			}
		}
		if !strings.Contains(string(result.Stdout), "NoNewPrivs:\t1\n") {
			t.Error("it can get privileges")
		}
	})
	t.Run("a place to write", func(t *testing.T) {
		if result := box(t, sandbox.Job{Script: []byte("echo x >/tmp/x && cat /tmp/x")}); string(result.Stdout) != "x\n" {
			t.Errorf("%q %s", result.Stdout, result.Stderr)
		}
	})
}

// A script reaches no network: not this machine, though a server listens there.
func TestNoNetwork(t *testing.T) {
	server, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	called := make(chan struct{})
	go func() {
		if connection, err := server.Accept(); err == nil {
			connection.Close()
			close(called)
		}
	}()
	at := server.Addr().(*net.TCPAddr)
	result := box(t, sandbox.Job{Script: fmt.Appendf(nil, "exec 3<>/dev/tcp/127.0.0.1/%d && echo connected", at.Port)})
	select {
	case <-called:
		t.Error("the server was called")
	default:
	}
	if result.ExitCode == 0 || len(result.Stdout) > 0 || !strings.Contains(string(result.Stderr), "127.0.0.1") {
		t.Errorf("exit %d, %q, %q", result.ExitCode, result.Stdout, result.Stderr)
	}
}

// A run ends within its time, and nothing of it goes on.
func TestNoSurvivors(t *testing.T) {
	const strange = "86417.25" // seconds; no other process of this machine sleeps so long
	short := limits()
	short.Time = time.Second
	for name, script := range map[string]string{
		"after the time limit": "trap '' TERM HUP INT; (trap '' TERM HUP INT; sleep " + strange + ") & while :; do :; done",
		"after its own end":    "(trap '' TERM HUP INT; sleep " + strange + ") >/dev/null 2>&1 & echo done",
		"holding its output":   "sleep " + strange + " & echo done",
	} {
		t.Run(name, func(t *testing.T) {
			result := box(t, sandbox.Job{Script: []byte(script), Limits: short})
			if want := name == "after the time limit"; (result.Ended == sandbox.OutOfTime) != want {
				t.Errorf("ended %q, exit %d, %q %s", result.Ended, result.ExitCode, result.Stdout, result.Stderr)
			}
			lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
			if err != nil || len(lines) < 2 {
				t.Fatalf("%d processes, %v", len(lines), err)
			}
			for _, path := range lines {
				if line, _ := os.ReadFile(path); strings.Contains(string(line), strange) {
					t.Errorf("%s goes on: %q", path, line)
				}
			}
		})
	}
}

func TestLimits(t *testing.T) {
	small := limits()
	small.Memory, small.Output, small.Processes = 64<<20, 1000, 20
	for _, test := range []struct {
		name, script string
		want         sandbox.Ending
		fails        bool // the script itself is refused
	}{
		{name: "one process that takes too much", script: `awk 'BEGIN { s = "0123456789abcdef"; while (length(s) < 200000000) s = s s; print "survived" }'`, fails: true},
		{name: "many processes that take too much together", want: sandbox.OutOfMemory,
			script: `for i in 1 2 3 4 5 6 7 8; do awk 'BEGIN { s = "0123456789abcdef"; while (length(s) < 15000000) s = s s; while (1); }' & done; wait; echo survived`},
		{name: "a file that is too large", script: `for i in 1 2 3; do printf '%8000000s' x || exit 1; done >/tmp/x; echo survived`, fails: true},
		{name: "too much output", script: `while :; do echo 0123456789abcdef; done`, want: sandbox.OutOfOutput},
		{name: "too many processes", script: `for i in {1..40}; do sleep 100 & done; wait`, want: sandbox.OutOfTasks},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := box(t, sandbox.Job{Script: []byte(test.script), Limits: small})
			if result.Ended != test.want || strings.Contains(string(result.Stdout), "survived") || result.ExitCode == 0 {
				t.Errorf("ended %q, exit %d, %.60q %.200s", result.Ended, result.ExitCode, result.Stdout, result.Stderr)
			}
			if len(result.Stdout) > small.Output {
				t.Errorf("%d bytes of output", len(result.Stdout))
			}
		})
	}
}

func TestMissingPrograms(t *testing.T) {
	_, err := sandbox.Run(context.Background(), sandbox.Job{Script: []byte("#!/bin/bash\n"), Programs: []string{"bash", "no-such-program"}, Required: []string{"no-such-program"}, Limits: limits()})
	if err == nil || !strings.Contains(err.Error(), "no-such-program not found on this machine") {
		t.Errorf("%v", err)
	}
}

// A run ends when nobody waits for it any more.
func TestCancelled(t *testing.T) {
	box(t, sandbox.Job{Script: []byte("true")})
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(200*time.Millisecond, cancel)
	for _, when := range []string{"while it runs, or starts", "before it starts"} {
		endless := sandbox.Job{Script: []byte("#!/bin/bash\nwhile :; do :; done\n"), Programs: programs, Limits: limits()}
		var unavailable *sandbox.UnavailableError
		if _, err := sandbox.Run(ctx, endless); !errors.Is(err, context.Canceled) || errors.As(err, &unavailable) {
			t.Errorf("%s: %v", when, err)
		}
	}
}
