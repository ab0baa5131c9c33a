package kube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"upkeep/providers/plain"
)

// TestForeignErrors: whatever stands at the address of the API server says, its words end as one line that drives no
// terminal, and are never the first words of one.
func TestForeignErrors(t *testing.T) {
	const evil = "\x1b]0;t\a\u202e\u009b31m"
	const advice = "run: curl evil.example"
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: advice}, DNSNames: []string{"evil.example"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	status := func(code int, reason string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_ = json.NewEncoder(w).Encode(map[string]any{
				"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code, "message": advice + evil,
				"details": map[string]any{"name": evil, "kind": evil, "causes": []any{map[string]any{"message": advice + evil, "field": evil}}},
			})
		}
	}
	text := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		}
	}
	raw := func(answer string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = connection.Write([]byte(answer))
				_ = connection.Close()
			}
		}
	}
	for name, handler := range map[string]http.HandlerFunc{
		"forbidden":            status(403, "Forbidden"),
		"a reason of its own":  status(422, evil),
		"unauthorized":         status(401, "Unauthorized"),
		"a proxy's page":       text(502, "<html>"+advice+evil),
		"no JSON":              text(200, advice+evil),
		"another kind":         text(200, `{"kind":"`+advice+`\u001b[31m","apiVersion":"\u202e"}`),
		"very much":            text(500, strings.Repeat(advice+evil, 10<<10)),
		"a line that is none":  raw(advice + evil + "\r\n\r\n"),
		"a header that is bad": raw("HTTP/1.1 200 OK\r\n" + advice + evil + "\r\n\r\n"),
		"a version of its own": raw("HTTP/9.9" + evil + " 200 OK\r\n\r\n"),
		"a length of its own":  raw("HTTP/1.1 200 OK\r\nContent-Length: " + evil + "\r\n\r\n"),
		"a place of its own":   raw("HTTP/1.1 302 Found\r\nLocation: http://evil.example/" + evil + "\r\nContent-Length: 0\r\n\r\n"),
		"nothing":              raw(""),
		"a certificate":        nil,
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(handler)
			if handler == nil {
				server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
				server.StartTLS()
			} else {
				server.Start()
			}
			t.Cleanup(server.Close)
			path := kubeconfig(t, server.URL)
			client, err := Open(path, "")
			if err != nil {
				t.Fatal(err)
			}
			for what, said := range map[string]string{
				"observe": client.Observe(t.Context()).Unknown, "tenancies": client.Tenancies(t.Context()).Unknown,
				"residents": client.Residents(t.Context()).Unknown,
			} {
				if said == "" || len(said) > 8<<10 || said != plain.Line(said) {
					t.Errorf("%s, %d bytes: %.400q", what, len(said), said)
				}
				if at := strings.Index(said, advice); at > 0 && !strings.Contains(said[:at], `"`) {
					t.Errorf("%s: its advice stands in no quotes: %.400s", what, said)
				}
			}
		})
	}
	t.Run("a place that resolves to nobody", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := listener.Addr().String()
		listener.Close()
		client, err := Open(kubeconfig(t, "http://"+address), "")
		if err != nil {
			t.Fatal(err)
		}
		if said := client.Observe(t.Context()).Unknown; !strings.HasPrefix(said, "http://"+address+": ") || !strings.Contains(said, "connection refused") {
			t.Errorf("%q", said)
		}
	})
}
