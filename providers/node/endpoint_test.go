package node

import (
	"io"
	"net"
	"strings"
	"testing"
)

// After the helper's word the connection is etcd's: not a byte more was read. A refusal is one line for a terminal, whatever
// the node says.
func TestIntroduce(t *testing.T) {
	for name, test := range map[string]struct{ said, want string }{
		"there is one":   {`{}` + "\n", ""},
		"refused":        {`{"refused":"10.0.0.21:2379: connection\nrefused \u001b[31m"}` + "\n", "10.0.0.21:2379: connection refused"},
		"nonsense":       {"etcd\n", "cannot be read"},
		"without an end": {strings.Repeat("x", answerLimit+1), "too long"},
		"nothing":        {"", "did not say"},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := net.Pipe()
			defer near.Close()
			go func() {
				request := make([]byte, len("request\n"))
				io.ReadFull(far, request)
				io.WriteString(far, test.said)
				if string(request) == "request\n" && test.want == "" {
					io.WriteString(far, "what etcd says")
				}
				far.Close()
			}()
			err := introduce(t.Context(), near, []byte("request\n"))
			if (err == nil) != (test.want == "") || err != nil && (!strings.Contains(err.Error(), test.want) || strings.ContainsAny(err.Error(), "\n\x1b")) {
				t.Fatalf("%v, want %q", err, test.want)
			}
			if err != nil {
				return
			}
			if rest, err := io.ReadAll(near); err != nil || string(rest) != "what etcd says" {
				t.Errorf("%q, %v", rest, err)
			}
		})
	}
}
