package protocol_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"upkeep/providers/node/protocol"
)

// sent is what a node sends: pieces, and an answer that is changed first.
func sent(t testing.TB, change func(*protocol.SQLiteAnswer), pieces ...string) []byte {
	t.Helper()
	var out, all bytes.Buffer
	c := protocol.NewChannel(nil, &out, nil)
	for _, p := range pieces {
		all.WriteString(p)
		if err := protocol.SendSQLiteData(c, []byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	sum := sha256.Sum256(all.Bytes())
	a := protocol.SQLiteAnswer{Size: int64(all.Len()), SHA256: hex.EncodeToString(sum[:]), PageSize: 2, Pages: uint32(all.Len() / 2)}
	if change != nil {
		change(&a)
	}
	if err := protocol.SendSQLiteAnswer(c, a); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestReceiveSQLite(t *testing.T) {
	var got bytes.Buffer
	if a, err := protocol.ReceiveSQLite(t.Context(), bytes.NewReader(sent(t, nil, "abcd", "ef")), &got); err != nil || got.String() != "abcdef" || a.Pages != 3 {
		t.Errorf("%q, %+v, %v", &got, a, err)
	}
	whole := sent(t, nil, "abcd", "ef")
	for name, stream := range map[string][]byte{
		"nothing": nil, "no answer": whole[:9], "cut in the middle": whole[:7], "no data": sent(t, nil),
		"another sum":       sent(t, func(a *protocol.SQLiteAnswer) { a.SHA256 = a.SHA256[1:] + "0" }, "abcd"),
		"another size":      sent(t, func(a *protocol.SQLiteAnswer) { a.Size++ }, "abcd"),
		"no whole pages":    sent(t, func(a *protocol.SQLiteAnswer) { a.PageSize = 3 }, "abcd"),
		"a flipped byte":    bytes.Replace(whole, []byte("abcd"), []byte("abce"), 1),
		"swapped":           bytes.Replace(whole, []byte("abcd"), []byte("cdab"), 1),
		"a piece too large": sent(t, nil, string(make([]byte, protocol.SQLitePiece+2))),
		"an unknown kind":   {0, 0, 0, 1, 'x'},
	} {
		if _, err := protocol.ReceiveSQLite(t.Context(), bytes.NewReader(stream), &bytes.Buffer{}); !errors.Is(err, protocol.ErrSQLite) {
			t.Errorf("%s: %v", name, err)
		}
	}
	failed := sent(t, func(a *protocol.SQLiteAnswer) { *a = protocol.SQLiteAnswer{Error: "k3s was started"} }, "abcd")
	if _, err := protocol.ReceiveSQLite(t.Context(), bytes.NewReader(failed), &bytes.Buffer{}); err == nil || err.Error() != "the node gives no copy: k3s was started" {
		t.Errorf("a node that gives up: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := protocol.ReceiveSQLite(ended, bytes.NewReader(whole), &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that was ended: %v", err)
	}
}

func FuzzReceiveSQLite(f *testing.F) {
	f.Add(sent(f, nil, "abcd", "ef"))
	f.Add(sent(f, func(a *protocol.SQLiteAnswer) { a.Error = "x" }, "abcd"))
	f.Add([]byte{0, 0, 0, 2, 'a', '{'})
	f.Fuzz(func(t *testing.T, stream []byte) {
		var got bytes.Buffer
		a, err := protocol.ReceiveSQLite(context.Background(), bytes.NewReader(stream), &got)
		sum := sha256.Sum256(got.Bytes())
		if err == nil && (a.SHA256 != hex.EncodeToString(sum[:]) || a.Size != int64(got.Len()) || !bytes.Contains(stream, got.Bytes()[:min(got.Len(), 1)])) {
			t.Errorf("%d bytes came and are taken for %+v", got.Len(), a)
		}
	})
}
