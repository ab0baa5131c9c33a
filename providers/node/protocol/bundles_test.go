package protocol_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/node/protocol"
)

func TestBundlesFrames(t *testing.T) {
	var pipe bytes.Buffer
	c := protocol.NewChannel(&pipe, &pipe, nil)
	want := protocol.BundlesAnswer{Objects: []protocol.BundlesObject{{Name: "a.upkeep-bundle", Size: 7}}, Size: 7}
	for _, err := range []error{protocol.SendBundlesData(c, []byte("content")), protocol.SendBundlesEnd(c), protocol.SendBundlesAnswer(c, want)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if data, a, err := protocol.RecvBundles(c); string(data) != "content" || a != nil || err != nil {
		t.Errorf("content came as %q, %v, %v", data, a, err)
	}
	if data, a, err := protocol.RecvBundles(c); data != nil || a != nil || err != io.EOF {
		t.Errorf("the end came as %q, %v, %v", data, a, err)
	}
	_, a, err := protocol.RecvBundles(c)
	if diff := cmp.Diff(&want, a); diff != "" || err != nil {
		t.Errorf("the answer (-want +got), %v:\n%s", err, diff)
	}
	if _, _, err := protocol.RecvBundles(c); err != io.ErrUnexpectedEOF {
		t.Errorf("behind the last frame: %v", err)
	}
}

func TestBundleNames(t *testing.T) {
	for name, want := range map[string]bool{
		"daily-1.upkeep-bundle": true, "daily-1.upkeep-bundle.json": true, "a.upkeep-bundle.json.json": false, ".upkeep-bundle": false, ".a.upkeep-bundle": false,
		"a/b.upkeep-bundle": false, "a.upkeep-bundle\n": false, "passwd": false, "a.json": false, strings.Repeat("a", 152) + ".upkeep-bundle": false,
	} {
		if got := protocol.IsBundleName(name); got != want {
			t.Errorf("%q is the name of a bundle: %v", name, got)
		}
	}
	partial := protocol.PartialBundleName("a.upkeep-bundle", "0123456789abcdef")
	if name, digits, ok := protocol.ParsePartialBundleName(partial); name != "a.upkeep-bundle" || digits != "0123456789abcdef" || !ok {
		t.Errorf("%s came apart as %q, %q, %v", partial, name, digits, ok)
	}
	for _, name := range []string{"a.upkeep-bundle", "a.upkeep-bundle.part", "passwd.0123456789abcdef.part", "a.upkeep-bundle.0123456789ABCDEF.part", "../a.upkeep-bundle.0123456789abcdef.part"} {
		if _, _, ok := protocol.ParsePartialBundleName(name); ok {
			t.Errorf("%q is the name of something partial", name)
		}
	}
}

func FuzzRecvBundles(f *testing.F) {
	for _, seed := range []string{"dcontent", "e", "a{}", `a{"objects":[{}]}`, "anull", "x", "", "a[", "dd"} {
		f.Add(append(binary.BigEndian.AppendUint32(nil, uint32(len(seed))), seed...))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		data, a, err := protocol.RecvBundles(protocol.NewChannel(bytes.NewReader(stream), nil, nil))
		switch {
		case err == io.EOF, err == io.ErrUnexpectedEOF, errors.Is(err, protocol.ErrFrame):
			if data != nil || a != nil {
				t.Fatalf("%v with %q and %v", err, data, a)
			}
		case err != nil:
			t.Fatalf("error %v is none that callers know", err)
		case (a == nil) == (data == nil):
			t.Fatalf("content %q and answer %v", data, a)
		case !bytes.Contains(stream, data):
			t.Fatalf("content %q was made up", data)
		}
	})
}
