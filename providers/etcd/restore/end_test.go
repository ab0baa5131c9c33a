package restore_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/providers/etcd"
	"upkeep/providers/etcd/drill"
)

func TestACancelledDrillLeavesNothing(t *testing.T) {
	m := startMember(t, "")
	m.fill(50)
	file, _ := m.save()
	options := child(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("enough")
	go func() {
		drillBegun(t, options.Directory)
		cancel(why)
	}()
	if _, err := drill.Drill(ctx, options, file, etcd.Question{}, 0); !errors.Is(err, why) {
		t.Errorf("cancelled drill: %v", err)
	}
	if left, err := os.ReadDir(options.Directory); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}

func TestADrillDoesNotOutliveItsParent(t *testing.T) {
	m := startMember(t, "")
	m.fill(50)
	file, _ := m.save()
	options := child(t)
	parent := filepath.Join(filepath.Dir(options.Program), "parent")
	if err := os.Symlink(options.Program, parent); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(parent, options.Program, options.Directory, file)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	drillBegun(t, options.Directory)
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait() // it was killed
	for range 1200 {
		if left, err := os.ReadDir(options.Directory); err == nil && len(left) == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the copy of the database is still there, a minute after the parent's death")
}

// drillBegun waits until a drill has begun to write.
func drillBegun(t *testing.T, directory string) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if found, err := filepath.Glob(filepath.Join(directory, "upkeep-drill-*", "data")); err != nil || len(found) > 0 {
			return
		}
	}
	t.Error("no drill has begun after a minute")
}

func TestTheChildEndsWithItsInput(t *testing.T) {
	m := startMember(t, "")
	m.fill(50)
	file, _ := m.save()
	options := child(t)
	directory := filepath.Join(options.Directory, "drill")
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	request, err := json.Marshal(drill.Request{Drill: &drill.DrillRequest{File: file, Directory: directory}})
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(options.Program)
	command.Stdin = strings.NewReader(string(request)) // which ends right after it
	answer, err := command.Output()
	if err != nil || !strings.Contains(string(answer), "upkeep has ended") {
		t.Errorf("answer %s, %v", answer, err)
	}
	if _, err := os.Stat(directory); !os.IsNotExist(err) {
		t.Errorf("the copy of the database is still there: %v", err)
	}
}

func TestTheChildAnswersNonsense(t *testing.T) {
	options := child(t)
	for _, test := range []struct{ name, request, want string }{
		{"nothing", "", ""},
		{"no JSON", "restore, please", ""},
		{"an unknown word", `{"wipe":{}}`, ""},
		{"an empty request", `{}`, `{"error":"an empty request"}`},
		{"a file that is not there", `{"inspect":{"file":"/nonexistent","prefix":""}}`, `{"error":"open /nonexistent: no such file or directory"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			command := exec.Command(options.Program)
			in, err := command.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			command.Stdout = &out
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := in.Write([]byte(test.request + "\n")); err != nil {
				t.Fatal(err)
			}
			if test.want == "" {
				in.Close()
			}
			err = command.Wait()
			if strings.TrimSpace(out.String()) != test.want || (err != nil) != (test.want == "") {
				t.Errorf("answer %q, %v; want %q", out.String(), err, test.want)
			}
		})
	}
}
