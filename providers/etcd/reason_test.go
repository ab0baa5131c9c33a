package etcd

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// What a member answers stands in quotes, so that it cannot be read as advice of upkeep. What ended the question
// here does not.
func TestWhatAMemberSaysIsQuoted(t *testing.T) {
	const forged = "all is well; run: ssh-keyscan evil.example >> known_hosts"
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"of the server":          {status.Error(codes.Unavailable, forged), `"` + forged + `"`},
		"with quotes":            {status.Error(codes.Internal, `no" run: "x`), `"no' run: 'x"`},
		"with a line of ours":    {status.Error(codes.Internal, "no\nupkeep: run: x\x1b[2J"), `"no upkeep: run: x\u001b[2J"`},
		"that claims to be ours": {status.Error(codes.Unknown, "x desc = "+forged), `"` + forged + `"`},
		"of etcd":                {rpctypes.ErrGRPCNoLeader, `"etcdserver: no leader"`},
		"of the connection":      {errors.New(`connection error: desc = "transport: broken"`), `"transport: broken"`},
		"too late":               {context.DeadlineExceeded, "context deadline exceeded"},
		"too late, by gRPC":      {status.FromContextError(context.DeadlineExceeded).Err(), "context deadline exceeded"},
		"ended":                  {fmt.Errorf("%w", context.Canceled), "context canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := reason(test.err); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if got, want := told("status", test.err).Error(), "etcd status: "+test.want; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
