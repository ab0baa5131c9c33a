package etcdtunnel

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"

	"upkeep/providers/node/agent/controlplane"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/protocol"
	"upkeep/providers/strictjson"
)

// EndpointService is the name by which an etcd elsewhere is asked for.
const EndpointService = protocol.ServiceEndpoint

// requestLimit bounds the line that names an endpoint.
const requestLimit = 16 << 10

// Open returns a connection that takes one protocol.EndpointRequest as a line of JSON, answers whether there is such an
// etcd, and is then a connection to it. The one who has it closes it; the disk is closed by then.
//
// What may start the helper may name any address here, and must not get a way to anywhere by it. So nothing is sent to a
// server that etcd's authority, as it lies on this node among the keys of the control plane, did not sign for that very
// name; the client's key is one of the control plane's; and no byte of the peer is passed on before that server has
// answered a question as nothing but etcd does. What is left is the cluster's own etcd, at another address.
func Open(ctx context.Context, d *disk.Disk, now time.Time) net.Conn {
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		stop := context.AfterFunc(ctx, func() { far.Close() })
		defer stop()
		in := bufio.NewReaderSize(far, requestLimit)
		conn, err := connect(ctx, d, now, in)
		d.Close()
		var answer protocol.Answer
		if err != nil {
			answer.Refused = err.Error()
		}
		line, _ := json.Marshal(answer) // plain data
		if _, wrong := far.Write(append(line, '\n')); wrong != nil || err != nil {
			if conn != nil {
				conn.Close()
			}
			return
		}
		splice(far, in, conn)
	}()
	return near
}

// splice copies both ways until either side ends.
func splice(far net.Conn, in io.Reader, conn net.Conn) {
	go func() {
		_, _ = io.Copy(conn, in) // whatever ended it, the other direction ends by it
		conn.Close()
	}()
	_, _ = io.Copy(far, conn)
	conn.Close()
}

func connect(ctx context.Context, d *disk.Disk, now time.Time, in *bufio.Reader) (net.Conn, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return nil, errors.New("the request for an endpoint cannot be read")
	}
	var request protocol.EndpointRequest
	if err := strictjson.Decode(line, &request); err != nil {
		return nil, errors.New("the request for an endpoint cannot be read")
	}
	return dialEndpoint(ctx, d, now, request)
}

func dialEndpoint(ctx context.Context, d *disk.Disk, now time.Time, request protocol.EndpointRequest) (net.Conn, error) {
	if err := protocol.CheckEndpoint(request.EtcdEndpoint); err != nil {
		return nil, err
	}
	address, err := protocol.EndpointAddress(request.URL)
	if err != nil {
		return nil, err
	}
	at, err := spokenToWith(d, request)
	if err != nil {
		return nil, err
	}
	at.address, at.own = address, false
	first, err := at.dial(ctx, d, now)
	if err != nil {
		return nil, err
	}
	if err := isEtcd(ctx, first); err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return at.dial(ctx, d, now)
}

// spokenToWith finds what an etcd elsewhere is spoken to with: what was named; what this node's own member is spoken to with;
// what its API server speaks to etcd with (kubeadm, external etcd: --etcd-cafile, --etcd-certfile, --etcd-keyfile).
func spokenToWith(d *disk.Disk, request protocol.EndpointRequest) (place, error) {
	if request.CA != "" {
		return place{roots: request.CA, pairs: []pair{{"the certificate that was named", request.Certificate, request.Key}}}, nil
	}
	at, err := find(d)
	if err == nil {
		return at, nil
	}
	for _, pod := range controlplane.StaticPods(d) {
		ca, cert, key := pod.Flags["etcd-cafile"], pod.Flags["etcd-certfile"], pod.Flags["etcd-keyfile"]
		if pod.Component != "kube-apiserver" || ca == "" || cert == "" || key == "" {
			continue
		}
		for _, p := range []string{ca, cert, key} {
			if err := protocol.CheckCollect(p); err != nil {
				return place{}, fmt.Errorf("%s: %w", pod.Manifest, err)
			}
		}
		return place{roots: ca, pairs: []pair{{"the API server's client of etcd", cert, key}}}, nil
	}
	return place{}, fmt.Errorf("%w; name the files with which etcd is spoken to: endpoint_ca, endpoint_cert and endpoint_key", err)
}

// statusMethod asks an etcd for its status; nothing but etcd has it (etcd v3.6, api/etcdserverpb/rpc.proto).
const statusMethod = "/etcdserverpb.Maintenance/Status"

// isEtcd asks what is at the other end of a connection for its status, and closes it.
func isEtcd(ctx context.Context, conn net.Conn) error {
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	once := make(chan net.Conn, 1)
	once <- conn
	client, err := grpc.NewClient("passthrough:///etcd", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			select {
			case c := <-once:
				return c, nil
			default:
				return nil, errors.New("the connection broke")
			}
		}))
	if err != nil {
		return err
	}
	defer client.Close()
	// Both messages are read as empty ones: what etcd says is not looked at, only that it answers.
	if err := client.Invoke(ctx, statusMethod, &emptypb.Empty{}, &emptypb.Empty{}); err != nil {
		return fmt.Errorf("it does not answer as etcd does: %w", err)
	}
	return nil
}

// dial connects to a place. The server is verified against etcd's authority as this node has it, and must speak HTTP/2.
func (p place) dial(ctx context.Context, d *disk.Disk, now time.Time) (net.Conn, error) {
	client, err := p.client(d, now)
	if err != nil {
		return nil, err
	}
	return p.dialWith(ctx, d, client)
}

// dialWith is dial with a client certificate of the caller's.
func (p place) dialWith(ctx context.Context, d *disk.Disk, client tls.Certificate) (net.Conn, error) {
	roots, err := p.authorities(d)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(p.address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{
		InsecureSkipVerify: true, // VerifyConnection does it, except for the end of the server's certificate
		VerifyConnection:   verify(roots, host, p.own),
		Certificates:       []tls.Certificate{client},
		NextProtos:         []string{"h2"}, // etcd tells gRPC from plain HTTP by it
		MinVersion:         tls.VersionTLS12,
	}}
	conn, err := dialer.DialContext(ctx, "tcp", p.address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.address, err)
	}
	if got := conn.(*tls.Conn).ConnectionState().NegotiatedProtocol; got != "h2" {
		conn.Close()
		return nil, fmt.Errorf("%s: the server speaks %q, not HTTP/2", p.address, got)
	}
	return conn, nil
}
