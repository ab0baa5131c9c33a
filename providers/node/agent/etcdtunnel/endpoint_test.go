package etcdtunnel

import (
	"bufio"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/emptypb"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/protocol"
)

// authority is an etcd's, and what it signed.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  crypto.Signer
}

func newAuthority(t *testing.T) authority {
	cert, key := issue(t, "etcd-ca", nil, nil, time.Now().Add(1000*time.Hour), 0)
	return authority{t, cert, key}
}

func (a authority) pair(usage x509.ExtKeyUsage) tls.Certificate {
	leaf, key := issue(a.t, "leaf", a.cert, a.key, time.Now().Add(time.Hour), usage)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
}

// serve starts a server that takes this authority's clients, and returns its URL.
func (a authority) serve(of authority, handle func(net.Listener)) string {
	a.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { l.Close() })
	handle(l)
	return "https://" + l.Addr().String()
}

func (a authority) config(of authority) *tls.Config {
	clients := x509.NewCertPool()
	clients.AddCert(a.cert)
	return &tls.Config{Certificates: []tls.Certificate{of.pair(x509.ExtKeyUsageServerAuth)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, NextProtos: []string{"h2"}}
}

// etcd serves one method as etcd does; more than that nobody asks here.
func (a authority) etcd(of authority) string {
	return a.serve(of, func(l net.Listener) {
		server := grpc.NewServer(grpc.Creds(credentials.NewTLS(a.config(of))), grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			if method, _ := grpc.MethodFromServerStream(stream); method != statusMethod {
				return io.ErrUnexpectedEOF
			}
			return stream.SendMsg(&emptypb.Empty{})
		}))
		go server.Serve(l)
		a.t.Cleanup(server.Stop)
	})
}

// other serves TLS for the same clients, and is no etcd.
func (a authority) other(of authority) string {
	return a.serve(of, func(l net.Listener) {
		inner := tls.NewListener(l, a.config(of))
		go func() {
			for {
				conn, err := inner.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
				}()
			}
		}()
	})
}

// node writes what a node has to speak to etcd with.
func (a authority) node(files map[string]string) *disk.Disk {
	a.t.Helper()
	root := a.t.TempDir()
	client := a.pair(x509.ExtKeyUsageClientAuth)
	der, err := x509.MarshalPKCS8PrivateKey(client.PrivateKey)
	if err != nil {
		a.t.Fatal(err)
	}
	content := map[string]string{
		"ca":   string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})),
		"cert": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: client.Certificate[0]})),
		"key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}
	for path, text := range files {
		if known, ok := content[text]; ok {
			text = known
		}
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			a.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	d, err := disk.Open(root)
	if err != nil {
		a.t.Fatal(err)
	}
	return d
}

var external = map[string]string{
	"etc/kubernetes/pki/external/ca.crt": "ca", "etc/kubernetes/pki/external/client.crt": "cert", "etc/kubernetes/pki/external/client.key": "key",
	"etc/kubernetes/manifests/kube-apiserver.yaml": `{kind: Pod, spec: {containers: [{name: kube-apiserver, command: [kube-apiserver,
  --etcd-cafile=/etc/kubernetes/pki/external/ca.crt, --etcd-certfile=/etc/kubernetes/pki/external/client.crt, --etcd-keyfile=/etc/kubernetes/pki/external/client.key]}]}}`,
}

// What is not the cluster's own etcd gets no byte of the peer, and the peer gets none of it.
func TestEndpoint(t *testing.T) {
	ours, stranger := newAuthority(t), newAuthority(t)
	named := func(url string) facts.EtcdEndpoint {
		return facts.EtcdEndpoint{URL: url, CA: "/etc/kubernetes/pki/external/ca.crt", Certificate: "/etc/kubernetes/pki/external/client.crt", Key: "/etc/kubernetes/pki/external/client.key"}
	}
	files := func(changes ...string) map[string]string {
		out := map[string]string{}
		for path, text := range external {
			out[path] = text
		}
		for i := 0; i < len(changes); i += 2 {
			out[changes[i]] = changes[i+1]
		}
		return out
	}
	const manifest = "etc/kubernetes/manifests/kube-apiserver.yaml"
	for name, test := range map[string]struct {
		request any
		files   map[string]string
		refused string
	}{
		"as the API server speaks to it":      {facts.EtcdEndpoint{URL: ours.etcd(ours)}, files(), ""},
		"with files that are named":           {named(ours.etcd(ours)), files(manifest, "{kind: Pod}"), ""},
		"of another authority":                {named(ours.etcd(stranger)), files(), "certificate signed by unknown authority"},
		"something else with its certificate": {named(ours.other(ours)), files(), "does not answer as etcd does"},
		"nobody":                              {named("https://127.0.0.1:1"), files(), "connection refused"},
		"no files known":                      {facts.EtcdEndpoint{URL: "https://127.0.0.1:1"}, nil, "name the files with which etcd is spoken to"},
		"a key elsewhere":                     {facts.EtcdEndpoint{URL: "https://127.0.0.1:1", CA: "/etc/ssh/ca", Certificate: "/etc/ssh/cert", Key: "/etc/ssh/key"}, files(), "is no place of a control plane"},
		"a manifest that names one": {facts.EtcdEndpoint{URL: "https://127.0.0.1:1"},
			files(manifest, strings.ReplaceAll(external[manifest], "/etc/kubernetes/pki/external/client.key", "/root/.ssh/id_rsa")), "is no place of a control plane"},
		"without TLS": {facts.EtcdEndpoint{URL: "http://127.0.0.1:80"}, files(), "is not where an etcd takes clients"},
		"nonsense":    {[]int{1}, files(), "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := Open(t.Context(), ours.node(test.files), time.Now())
			defer conn.Close()
			line, err := json.Marshal(test.request)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Write(append(line, '\n')); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(conn)
			said, err := in.ReadBytes('\n')
			if err != nil {
				t.Fatal(err)
			}
			var answer protocol.Answer
			if err := json.Unmarshal(said, &answer); err != nil {
				t.Fatal(err)
			}
			if (answer.Refused == "") != (test.refused == "") || !strings.Contains(answer.Refused, test.refused) {
				t.Fatalf("%q, want %q", answer.Refused, test.refused)
			}
			if test.refused != "" {
				if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
					t.Errorf("after the refusal: %q, %v", rest, err)
				}
				return
			}
			if err := isEtcd(t.Context(), joined{conn, in}); err != nil {
				t.Errorf("what was opened: %v", err)
			}
		})
	}
}

// joined reads what was read ahead first.
type joined struct {
	net.Conn
	in io.Reader
}

func (j joined) Read(b []byte) (int, error) { return j.in.Read(b) }

// A line without end does not fill the helper's memory.
func TestEndpointRequestIsBounded(t *testing.T) {
	conn := Open(t.Context(), newAuthority(t).node(nil), time.Now())
	defer conn.Close()
	go io.WriteString(conn, strings.Repeat("x", requestLimit+1))
	said, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(said, "cannot be read") {
		t.Errorf("%q, %v", said, err)
	}
}
