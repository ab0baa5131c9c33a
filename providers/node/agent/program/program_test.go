package program_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/fixtures/gpunode"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/program"
)

func TestAsk(t *testing.T) {
	for _, c := range []struct {
		name, script string
		mode         os.FileMode
		want, fails  string
	}{
		{"answers", `echo "$1 $LC_ALL"`, 0o755, "x C.UTF-8\n", ""},
		{"fails", "echo half; echo 'no list' >&2; exit 3", 0o755, "half\n", "p: exit status 3: no list"},
		{"hangs", "sleep 60", 0o755, "", "p: no answer within 200ms"},
		{"babbles", "yes | head -c 100000", 0o755, "", "p: the answer has more than 1000 bytes"},
		{"could be exchanged", "echo x", 0o777, "", "p is not run: /usr/bin/p has mode 0777: users other than its owner can write to it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := &gpunode.Tree{Root: t.TempDir()}
			tree.WriteMode("usr/bin/p", "#!/bin/sh\n"+c.script+"\n", c.mode)
			if tree.Err == nil {
				tree.Err = os.Chmod(filepath.Join(tree.Root, "usr/bin/p"), c.mode)
			}
			d, err := disk.Open(tree.Root)
			if err := errors.Join(tree.Err, err); err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			limit := 10 * time.Second
			if strings.Contains(c.fails, "200ms") {
				limit = 200 * time.Millisecond
			}
			got, err := program.Ask(t.Context(), d, program.Question{
				Places: []string{"/bin/p", "/usr/bin/p"}, Args: []string{"x"}, Limit: limit, Most: 1000,
			})
			if said := text(err); string(got) != c.want || said != c.fails {
				t.Errorf("%q, %q", got, said)
			}
			_, err = program.Ask(t.Context(), d, program.Question{Places: []string{"/usr/bin/q"}})
			if !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
