package archive

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
)

func TestKeep(t *testing.T) {
	ctx := context.Background()
	a := Directory{Base: t.TempDir()}
	question := facts.ArchiveQuestion{Directory: "kept", Namespace: "akash-services", Release: "akash-provider"}
	if got := a.Archive(ctx, question); got.Unknown != "" || len(got.Entries) > 0 {
		t.Errorf("an archive that does not exist is %+v", got)
	}
	first := facts.ArchiveEntry{Revision: 28, Chart: "provider-6.0.5", Script: "aa"}
	directory, err := a.Keep(ctx, question, first, map[string][]byte{"provider.yaml": []byte("key: canary\n")})
	if err != nil {
		t.Fatal(err)
	}
	again := first
	again.Script = "bb"
	for _, entry := range []facts.ArchiveEntry{{Revision: 3}, again} {
		if _, err := a.Keep(ctx, question, entry, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(filepath.Dir(directory), "29"), 0o700); err != nil { // half written
		t.Fatal(err)
	}
	if diff := cmp.Diff(facts.Archive{Entries: []facts.ArchiveEntry{{Revision: 3}, again}}, a.Archive(ctx, question)); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
	old := filepath.Join(directory+".old-1", "provider.yaml")
	info, err := os.Stat(old)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("what was kept before: %v, %v", info, err)
	}
	if info, err := os.Stat(directory); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v", info, err)
	}
}

func TestKeepRefuses(t *testing.T) {
	a := Directory{Base: t.TempDir()}
	for _, question := range []facts.ArchiveQuestion{{Namespace: "..", Release: "a"}, {Namespace: "a", Release: "a/b"}, {Namespace: "a"}} {
		if _, err := a.Keep(context.Background(), question, facts.ArchiveEntry{}, nil); err == nil {
			t.Errorf("%+v was kept", question)
		}
	}
	question := facts.ArchiveQuestion{Namespace: "a", Release: "b"}
	if _, err := a.Keep(context.Background(), question, facts.ArchiveEntry{}, map[string][]byte{"../x": nil}); err == nil {
		t.Error("a file outside was written")
	}
}

func TestDownload(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/script":
			_, _ = w.Write([]byte("abc"))
		case "/long":
			_, _ = w.Write(make([]byte, downloadLimit+1))
		case "/binary":
			_, _ = w.Write([]byte{0xff})
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	tests := []struct{ path, unknown string }{
		{"/script", ""}, {"/long", "more than"}, {"/binary", "no text"}, {"/nothing?token=canary", "404"},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			got := Downloads{}.Download(context.Background(), facts.DownloadQuestion{URL: server.URL + test.path})
			if test.unknown == "" && (got.Text != "abc" || got.SHA256 != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") {
				t.Errorf("%+v", got)
			}
			if !strings.Contains(got.Unknown, test.unknown) || (test.unknown == "") != (got.Unknown == "") || strings.Contains(got.Unknown, "canary") {
				t.Errorf("unknown = %q, want %q", got.Unknown, test.unknown)
			}
		})
	}
	server.Close()
	if got := (Downloads{}).Download(context.Background(), facts.DownloadQuestion{URL: server.URL + "/script?token=canary"}); got.Unknown == "" || strings.Contains(got.Unknown, "canary") {
		t.Errorf("a server that is down: %+v", got)
	}
}
