package helm

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/helm/objects"
)

func TestParseEnvironment(t *testing.T) {
	printed := "PATH=/bin\nPRICE_TARGET_CPU=1.60\r\nPRICE_TARGET_GPU_MAPPINGS=a100=120,t4=80\nLINES=one\ntwo\nAKASH_TOKEN=hush\nnot a line\nAKASH_EMPTY=\n"
	patterns := []string{"PRICE_TARGET_*", "AKASH_*", "LINES"}
	redaction := objects.Redaction{MAC: func([]byte) string { return "x" }, Shown: patterns}
	want := map[string]string{
		"PRICE_TARGET_CPU": "1.60", "PRICE_TARGET_GPU_MAPPINGS": "a100=120,t4=80", "AKASH_TOKEN": "hmac:x", "AKASH_EMPTY": "", "LINES": "one\ntwo",
	}
	got := parseEnvironment([]byte(printed), patterns, redaction)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParseEnvironment(f *testing.F) {
	f.Add([]byte("A=1\nB=2\nB_TOKEN=s\n"))
	f.Add([]byte("=\n==\nA\n"))
	f.Fuzz(func(t *testing.T, printed []byte) {
		for name := range parseEnvironment(printed, []string{"A*"}, objects.Redaction{}) {
			if name == "" || name[0] != 'A' {
				t.Fatalf("%q was not asked for", name)
			}
		}
	})
}

func TestLimitedKeepsTheBeginning(t *testing.T) {
	l := limited{most: environmentLimit}
	for range 3 {
		if n, err := l.Write(make([]byte, environmentLimit/2+1)); err != nil || n != environmentLimit/2+1 {
			t.Fatalf("%d, %v", n, err)
		}
	}
	if l.Len() != environmentLimit {
		t.Errorf("kept %d bytes", l.Len())
	}
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	why := errors.New("Ctrl-C")
	cancel(why)
	if err := until(ctx, func() error { <-never; return nil }); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	ctx, cancelLater := context.WithCancelCause(context.Background())
	started := make(chan struct{})
	go func() { <-started; cancelLater(why) }()
	if err := until(ctx, func() error { close(started); <-never; return nil }); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	bad := errors.New("not ready")
	if err := until(context.Background(), func() error { return bad }); !errors.Is(err, bad) {
		t.Errorf("got %v", err)
	}
}
