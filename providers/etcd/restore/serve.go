// Package restore is the child's side of providers/etcd/drill: it reads a snapshot's database, restores it, and serves
// it.
//
// It alone links etcd's server and its database, and only upkeep-etcd links it. It serves one request and then is done;
// it listens on unix sockets inside the directory that its parent made for it, never on the network. When its parent
// goes, it stops and removes what it wrote.
package restore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"upkeep/providers/etcd/drill"
)

// damage is an error of the snapshot, as opposed to one of the machine.
type damage struct{ error }

func damaged(format string, args ...any) error { return damage{fmt.Errorf(format, args...)} }

// Serve reads one request, carries it out, and writes the answer. It ends early when in does: then nobody waits for the
// answer. The error is only about in and out.
//
// It is all that its process does, and takes the process's signals: SIGTERM ends it as the end of in does. A terminal
// sends its interrupt to upkeep and to this; upkeep decides what comes of it.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	signal.Ignore(syscall.SIGINT, syscall.SIGPIPE, syscall.SIGHUP)
	decoder := json.NewDecoder(in)
	decoder.DisallowUnknownFields()
	var request drill.Request
	if err := decoder.Decode(&request); err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		// Nothing more is ever sent; this returns when the parent closes its end, or is gone.
		_, _ = io.Copy(io.Discard, io.MultiReader(decoder.Buffered(), in))
		cancel(errors.New("upkeep has ended"))
	}()
	return json.NewEncoder(out).Encode(answer(ctx, request))
}

func answer(ctx context.Context, request drill.Request) drill.Response {
	var response drill.Response
	var err error
	switch {
	case request.Inspect != nil:
		response.Inspection, err = Inspect(ctx, request.Inspect.File, request.Inspect.Prefix)
	case request.Drill != nil:
		response.Contents, err = run(ctx, *request.Drill)
		if ctx.Err() != nil {
			// The parent that would remove it may be gone.
			_ = os.RemoveAll(request.Drill.Directory)
		}
	case request.Restore != nil:
		response.Inspection, err = write(ctx, *request.Restore)
		if ctx.Err() != nil {
			_ = os.RemoveAll(request.Restore.DataDirectory)
		}
	case request.SQLite != nil:
		response.Contents, err = database(ctx, *request.SQLite)
	default:
		err = errors.New("an empty request")
	}
	if err != nil {
		var d damage
		return drill.Response{Error: err.Error(), Damaged: errors.As(err, &d)}
	}
	return response
}
