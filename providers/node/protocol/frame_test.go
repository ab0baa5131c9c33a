package protocol_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/creachadair/jrpc2/channel"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upkeep/providers/node/protocol"
)

var _ channel.Channel = (*protocol.Channel)(nil)

func TestFramesComeBackAsTheyWereSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frames := rapid.SliceOf(rapid.SliceOfN(rapid.Byte(), 1, 3000)).Draw(t, "frames")
		var pipe bytes.Buffer
		c := protocol.NewChannel(&pipe, &pipe, nil)
		for _, f := range frames {
			if err := c.Send(f); err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range frames {
			got, err := c.Recv()
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("received %q, %v; want %q", got, err, want)
			}
		}
		if _, err := c.Recv(); err != io.EOF {
			t.Fatalf("at the end: %v, want io.EOF", err)
		}
	})
}

func TestRecvRefusesWhatIsNoFrame(t *testing.T) {
	length := func(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }
	for _, test := range []struct{ name, stream, want string }{
		{"cut inside the length", "\x00\x00", "the stream is not in order: it ended after 2 bytes of a frame's length"},
		{"empty frame", length(0), "the stream is not in order: a frame of 0 bytes was announced (1 to 16777216 are allowed)"},
		{"huge frame", length(1 << 31), "the stream is not in order: a frame of 2147483648 bytes was announced (1 to 16777216 are allowed)"},
		{"one byte too long", length(protocol.FrameLimit + 1), "the stream is not in order: a frame of 16777217 bytes was announced (1 to 16777216 are allowed)"},
		{"cut inside the frame", length(100) + "abc", "the stream is not in order: it ended after 3 of the 100 bytes of a frame"},
		{"text instead of frames", "Last login: Mon", "the stream is not in order: a frame of 1281454964 bytes was announced (1 to 16777216 are allowed)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := protocol.NewChannel(strings.NewReader(test.stream), nil, nil).Recv()
			if !errors.Is(err, protocol.ErrFrame) {
				t.Fatalf("error %v does not wrap ErrFrame", err)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestALyingLengthCostsNoMemory(t *testing.T) {
	stream := string(binary.BigEndian.AppendUint32(nil, protocol.FrameLimit)) + "x"
	c := protocol.NewChannel(strings.NewReader(stream), nil, nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := c.Recv(); err == nil {
		t.Fatal("no error")
	}
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	if allocated > 64<<10 {
		t.Errorf("a frame that announces %d bytes and brings 1 allocated %d bytes", protocol.FrameLimit, allocated)
	}
}

func TestSendRefusesWhatRecvWould(t *testing.T) {
	var out bytes.Buffer
	c := protocol.NewChannel(nil, &out, nil)
	for _, size := range []int{0, protocol.FrameLimit + 1} {
		if err := c.Send(make([]byte, size)); !errors.Is(err, protocol.ErrFrame) {
			t.Errorf("Send of %d bytes: %v, want an error", size, err)
		}
	}
	if out.Len() != 0 {
		t.Errorf("%d bytes were written", out.Len())
	}
}

func FuzzRecv(f *testing.F) {
	for _, seed := range []string{"", "\x00", "\x00\x00\x00\x00", "\x00\x00\x00\x02{}", "\x00\x00\x00\x02{", "\xff\xff\xff\xff{}",
		"\x00\x00\x00\x01a\x00\x00\x00\x01b", "\x01\x00\x00\x00aaaa"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		c := protocol.NewChannel(bytes.NewReader(stream), nil, nil)
		var again bytes.Buffer
		out := protocol.NewChannel(nil, &again, nil)
		for {
			frame, err := c.Recv()
			if err != nil {
				if err != io.EOF && !errors.Is(err, protocol.ErrFrame) {
					t.Fatalf("error %v is neither io.EOF nor ErrFrame", err)
				}
				break
			}
			if err := out.Send(frame); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.HasPrefix(stream, again.Bytes()) {
			t.Fatalf("%q was read as frames %q", stream, again.Bytes())
		}
	})
}
