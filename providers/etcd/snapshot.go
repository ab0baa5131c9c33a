package etcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

// stallTimeout is how long a member may send nothing in the middle of a snapshot. The member reads pages from its disk
// and sends them as they come; the slowest disk that etcd runs on brings the next 32 KiB well within it.
const stallTimeout = time.Minute

// streamWindow bounds what gRPC buffers of a snapshot, on the stream and on its connection: enough for 125 MB/s over a
// round trip of 60 ms, or on a machine that has other work, and constant memory whatever the size of the database.
const streamWindow = 8 << 20

// readSize is how much gRPC reads of the connection at a time: each read is a turn of the kernel's.
const readSize = 256 << 10

// partsAhead is how many parts, of 32 KiB each, are received before those before them are written.
const partsAhead = 32

// Snapshot is what a member sent, besides its bytes.
type Snapshot struct {
	Sums
	// Node is the node asked; Member and ClusterID are hexadecimal, Version is the member's etcd version.
	Node      string `json:"node"`
	Member    string `json:"member"`
	ClusterID string `json:"cluster_id"`
	Version   string `json:"version"`
	// StorageVersion is the layout of the database, "3.6"; empty before etcd 3.6.
	StorageVersion string `json:"storage_version,omitempty"`
	// RevisionAtStart is the member's revision just before it was asked; the snapshot's own is this or a later one, and
	// only reading its database tells which.
	RevisionAtStart int64 `json:"revision_at_start"`
}

// TakeSnapshot streams one snapshot of the member on a node into w, and checks while it streams that what came is what
// the member sent: the SHA-256 of the database against the one that the member sends behind it, and its length against
// the one that the member announced. w receives exactly the bytes that `etcdctl snapshot save` would write.
//
// On an error what w received is worthless and the caller discards it. The memory needed does not depend on the size. A
// cancelled context ends it at once; w must be as prompt, since a Write is not interrupted. A member that sends nothing
// for a minute is an error; a slow w is not.
func TakeSnapshot(ctx context.Context, node string, dial Dialer, w io.Writer) (Snapshot, error) {
	return StreamSnapshot(ctx, node, dial, w, nil)
}

// StreamSnapshot is TakeSnapshot, and tells started, where it is not nil, what is known before the stream begins: a
// revision that the snapshot has, and that members keep for a while.
func StreamSnapshot(ctx context.Context, node string, dial Dialer, w io.Writer, started func(Snapshot)) (Snapshot, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	client, err := open(ctx, node, dial, grpc.WithInitialWindowSize(streamWindow), grpc.WithInitialConnWindowSize(streamWindow),
		grpc.WithReadBufferSize(readSize))
	if err != nil {
		return Snapshot{}, err
	}
	defer client.Close()
	a := answer{node: node, client: client}

	asking, done := context.WithTimeout(ctx, requestTimeout)
	status, err := a.maintenance().Status(asking, node)
	done()
	if err != nil {
		return Snapshot{}, fmt.Errorf("%s: etcd status: %s", node, reason(err))
	}
	out := Snapshot{
		Node: node, Member: hexID(status.Header.MemberId), ClusterID: hexID(status.Header.ClusterId), Version: status.Version,
		RevisionAtStart: status.Header.Revision,
	}
	if started != nil {
		started(out)
	}
	stream, err := pb.NewMaintenanceClient(client.ActiveConnection()).Snapshot(ctx, &pb.SnapshotRequest{}, grpc.ForceCodecV2(newCodec()))
	if err != nil {
		return Snapshot{}, fmt.Errorf("%s: etcd snapshot: %w", node, broken(ctx, err))
	}
	check := NewChecker()
	announced, err := receive(ctx, cancel, stream, check, w, &out.StorageVersion)
	if err != nil {
		return Snapshot{}, fmt.Errorf("%s: the snapshot broke off after %d of %d bytes: %w", node, check.size, announced, err)
	}
	if out.Sums, err = check.Finish(); err != nil {
		return Snapshot{}, fmt.Errorf("%s: %w", node, err)
	}
	if announced != out.Size-trailerSize {
		return Snapshot{}, fmt.Errorf("%s: %w: the member announced %d bytes of database and sent %d", node, ErrCutShort, announced, out.Size-trailerSize)
	}
	return out, nil
}

// receive copies the stream to check and w, and returns how many bytes of database the member announced. Parts are
// received while those before them are hashed and written.
func receive(ctx context.Context, cancel context.CancelCauseFunc, stream grpc.ServerStreamingClient[pb.SnapshotResponse], check *Checker, w io.Writer, version *string) (announced int64, err error) {
	parts := make(chan *pb.SnapshotResponse, partsAhead)
	var ended error // why there are no more parts; read when the channel is closed
	go func() {
		defer close(parts)
		ended = receiveParts(ctx, cancel, stream, parts)
	}()
	first := true
	for part := range parts {
		if err != nil {
			continue // until the receiver notices that nobody wants more
		}
		if first {
			announced, *version, first = int64(len(part.Blob))+int64(part.RemainingBytes), part.Version, false
		}
		check.Write(part.Blob)
		if _, err = w.Write(part.Blob); err != nil {
			cancel(err)
		}
	}
	if err == nil {
		err = ended
	}
	return announced, err
}

// receiveParts receives until the member has sent all, and returns why it ended early.
func receiveParts(ctx context.Context, cancel context.CancelCauseFunc, stream grpc.ServerStreamingClient[pb.SnapshotResponse], parts chan<- *pb.SnapshotResponse) error {
	stalled := time.AfterFunc(stallTimeout, func() { cancel(fmt.Errorf("the member has sent nothing for %s", stallTimeout)) })
	defer stalled.Stop()
	for {
		stalled.Reset(stallTimeout)
		part, err := stream.Recv()
		stalled.Stop()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return broken(ctx, err)
		}
		select {
		case parts <- part:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// broken says why a stream ended: that somebody ended it, where somebody did, else what the member said.
func broken(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return errors.New(reason(err))
}
