package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/rogpeppe/go-internal/testscript"
)

// s3 starts an S3-compatible service with a bucket and sets S3 to its address: s3 BUCKET.
func s3(ts *testscript.TestScript, _ bool, args []string) {
	backend := s3mem.New()
	ts.Check(backend.CreateBucket(args[0]))
	server := httptest.NewServer(gofakes3.New(backend).Server())
	ts.Defer(server.Close)
	ts.Setenv("S3", server.URL)
}

// damageBundle flips a byte in the middle of the newest bundle of a directory: damage-bundle DIRECTORY.
func damageBundle(ts *testscript.TestScript, _ bool, args []string) {
	paths, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "*.upkeep-bundle"))
	ts.Check(err)
	if len(paths) == 0 {
		ts.Fatalf("%s has no bundle", args[0])
	}
	path := paths[len(paths)-1] // their names end in their times
	data, err := os.ReadFile(path)
	ts.Check(err)
	data[len(data)/2] ^= 1
	ts.Check(os.WriteFile(path, data, 0o600))
}
