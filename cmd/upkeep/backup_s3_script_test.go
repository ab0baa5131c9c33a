package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/rogpeppe/go-internal/testscript"

	"upkeep/providers/backup/bundle"
)

// s3 starts an S3-compatible service on loopback with one bucket, and sets S3 to its address and the variables that hold an
// operator's keys: s3 BUCKET.
func s3(ts *testscript.TestScript, _ bool, args []string) {
	backend := s3mem.New()
	ts.Check(backend.CreateBucket(args[0]))
	inner, hold := gofakes3.New(backend).Server(), ts.MkAbs("s3.hold")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := os.Stat(hold); err != nil || r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, bundle.Extension) {
			inner.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		inner.ServeHTTP(answer, r)
		maps.Copy(w.Header(), answer.Header())
		w.Header().Set("Content-Length", strconv.Itoa(answer.Body.Len()))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
		_ = http.NewResponseController(w).Flush()
		_ = os.WriteFile(hold+".held", nil, 0o600) // whoever waits for it says that it is not there
		<-r.Context().Done()
	}))
	ts.Defer(server.Close)
	ts.Setenv("S3", server.URL)
	ts.Setenv("AWS_ACCESS_KEY_ID", "operator")
	ts.Setenv("AWS_SECRET_ACCESS_KEY", "canary-secret-key")
}

// halfway interrupts a command when the service has sent the first half of a bundle, and sends no more: halfway SIGNAL
// COMMAND... The command says what becomes of what it did, and ends with 130.
func halfway(ts *testscript.TestScript, _ bool, args []string) {
	hold := ts.MkAbs("s3.hold")
	ts.Check(os.WriteFile(hold, nil, 0o600))
	command := start(ts, args[1:], ts.Stdout(), ts.Stderr())
	held := false
	for end := time.Now().Add(heldLimit); !held && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		_, err := os.Stat(hold + ".held")
		held = err == nil
	}
	_ = command.Process.Signal(signals[args[0]])
	late := time.AfterFunc(heldLimit, func() { _ = command.Process.Kill() })
	err := command.Wait()
	late.Stop()
	if !held {
		ts.Fatalf("no bundle was asked for")
	}
	expectExit(ts, err, exitInterrupted)
	ts.Check(errors.Join(os.Remove(hold), os.Remove(hold+".held")))
}

// s3Damage flips a byte in the middle of every bundle of a bucket, and s3Objects prints the names of all objects:
// s3-damage BUCKET, s3-objects BUCKET.
func s3Damage(ts *testscript.TestScript, _ bool, args []string) {
	count := 0
	for _, name := range objectsOf(ts, args[0]) {
		if !strings.HasSuffix(name, bundle.Extension) {
			continue
		}
		url := ts.Getenv("S3") + "/" + args[0] + "/" + name
		data := fetch(ts, url)
		data[len(data)/2] ^= 1
		request, err := http.NewRequest(http.MethodPut, url, bytes.NewReader(data))
		ts.Check(err)
		response, err := http.DefaultClient.Do(request)
		ts.Check(err)
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			ts.Fatalf("PUT %s: %s", url, response.Status)
		}
		count++
	}
	if count == 0 {
		ts.Fatalf("the bucket has no bundle")
	}
}

func s3Objects(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range objectsOf(ts, args[0]) {
		fmt.Fprintln(ts.Stdout(), name)
	}
}

func objectsOf(ts *testscript.TestScript, bucket string) (names []string) {
	var list struct {
		Contents []struct{ Key string }
	}
	ts.Check(xml.Unmarshal(fetch(ts, ts.Getenv("S3")+"/"+bucket), &list))
	for _, object := range list.Contents {
		names = append(names, object.Key)
	}
	return names
}

func fetch(ts *testscript.TestScript, url string) []byte {
	response, err := http.Get(url)
	ts.Check(err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	ts.Check(err)
	if response.StatusCode != http.StatusOK {
		ts.Fatalf("GET %s: %s", url, response.Status)
	}
	return data
}
