package store_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"upkeep/config"
	"upkeep/fixtures/closedport"
	"upkeep/providers/store"
	"upkeep/providers/store/storetest"
)

// bucket is a store in a bucket of a service on loopback.
type bucket struct {
	server *httptest.Server
	mu     sync.Mutex
	// requests are the headers of what was asked, by method and path with the names of the query's parameters.
	requests map[string]http.Header
	// refuse answers instead of the service, where it returns true.
	refuse func(http.ResponseWriter, *http.Request) bool
}

func newBucket(t *testing.T) *bucket {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("backups"); err != nil {
		t.Fatal(err)
	}
	b := &bucket{requests: map[string]http.Header{}}
	service := gofakes3.New(backend).Server()
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		what := r.Method
		for _, parameter := range []string{"uploads", "uploadId", "partNumber"} {
			if r.URL.Query().Has(parameter) {
				what += " " + parameter
			}
		}
		b.requests[what] = r.Header.Clone()
		refuse := b.refuse
		b.mu.Unlock()
		if refuse == nil || !refuse(w, r) {
			service.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(b.server.Close)
	return b
}

const secretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

func (b *bucket) options() store.S3Options {
	return store.S3Options{Endpoint: b.server.URL, Region: "us-east-1", Bucket: "backups", Prefix: "clusters/a", PathStyle: true,
		AccessKey: config.NewSecret("AKIAIOSFODNN7EXAMPLE"), SecretKey: config.NewSecret(secretKey), Patience: 5 * time.Second}
}

func open(t *testing.T, o store.S3Options) store.Store {
	t.Helper()
	s, err := store.S3(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (b *bucket) Open(t *testing.T) store.Store {
	t.Helper()
	return open(t, b.options())
}

// Interrupt begins an upload of several parts and leaves it alone.
func (b *bucket) Interrupt(t *testing.T, name string) {
	t.Helper()
	response, err := http.Post(b.server.URL+"/backups/clusters/a/"+name+"?uploads", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
}

func TestS3(t *testing.T) {
	storetest.Test(t, func(t *testing.T) storetest.Harness { return newBucket(t) })
}

// What another program keeps beside the prefix is not seen.
func TestS3SeesOnlyItsPrefix(t *testing.T) {
	b := newBucket(t)
	o := b.options()
	o.Prefix = ""
	all := open(t, o)
	if err := all.Put(t.Context(), "foreign", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	s := b.Open(t)
	if err := s.Put(t.Context(), "mine", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	objects, err := s.List(t.Context())
	if err != nil || len(objects) != 1 || objects[0].Name != "mine" {
		t.Errorf("with the prefix: %v, %v", objects, err)
	}
	objects, err = all.List(t.Context())
	if err != nil || len(objects) != 1 || objects[0].Name != "foreign" {
		t.Errorf("without a prefix: %v, %v", objects, err)
	}
	if s.String() != "s3://backups/clusters/a" || all.String() != "s3://backups" {
		t.Errorf("they are called %s and %s", s, all)
	}
}

// Objects come into being on the condition that there is none of their name, and locked where that was asked for.
func TestS3Conditions(t *testing.T) {
	b := newBucket(t)
	o := b.options()
	o.Lock = store.Lock{Mode: "compliance", For: 24 * time.Hour}
	s := open(t, o)
	for _, size := range []int{10, 20 << 20} {
		if err := s.Put(t.Context(), fmt.Sprint("object-", size), bytes.NewReader(make([]byte, size))); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ request, header string }{
		{"PUT", "If-None-Match"}, {"POST uploadId", "If-None-Match"},
		{"PUT", "X-Amz-Object-Lock-Mode"}, {"POST uploads", "X-Amz-Object-Lock-Mode"},
		{"PUT", "X-Amz-Object-Lock-Retain-Until-Date"}, {"POST uploads", "X-Amz-Object-Lock-Retain-Until-Date"},
		{"PUT", "Content-Md5"}, {"PUT uploadId partNumber", "Content-Md5"},
	} {
		if b.requests[test.request].Get(test.header) == "" {
			t.Errorf("%s has no header %s", test.request, test.header)
		}
	}
	until, err := time.Parse(time.RFC3339, b.requests["PUT"].Get("X-Amz-Object-Lock-Retain-Until-Date"))
	if err != nil || until.Sub(time.Now()).Round(time.Hour) != 24*time.Hour {
		t.Errorf("locked until %s, %v", until, err)
	}
	if got := b.requests["PUT"].Get("X-Amz-Object-Lock-Mode"); got != "COMPLIANCE" {
		t.Errorf("mode %q", got)
	}
	for _, request := range []string{"PUT", "PUT uploadId partNumber"} {
		if sum := b.requests[request].Get("X-Amz-Content-Sha256"); len(sum) != 64 {
			t.Errorf("%s is signed over %q, not over its content", request, sum)
		}
	}
}

// answerWith answers requests of a method with an error of S3.
func answerWith(method string, status int, code, message string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method {
			return false
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
		return true
	}
}

// A service without conditional writes is written to without the condition.
func TestS3WithoutConditionalWrites(t *testing.T) {
	b := newBucket(t)
	b.refuse = func(w http.ResponseWriter, r *http.Request) bool {
		return r.Header.Get("If-None-Match") != "" &&
			answerWith(r.Method, http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented.")(w, r)
	}
	s := b.Open(t)
	for _, size := range []int{10, 20 << 20} {
		if err := s.Put(t.Context(), fmt.Sprint("object-", size), bytes.NewReader(make([]byte, size))); err != nil {
			t.Error(err)
		}
	}
	if err := s.Put(t.Context(), "object-10", strings.NewReader("x")); !errors.Is(err, store.ErrExists) {
		t.Errorf("a second put: %v", err)
	}
}

func TestS3Refusals(t *testing.T) {
	for _, test := range []struct {
		name   string
		refuse func(http.ResponseWriter, *http.Request) bool
		bucket string
		want   error
		text   string
	}{
		{"no bucket", nil, "nothing-here", store.ErrRefused,
			`store s3://nothing-here/clusters/a: the store refused: there is no bucket "nothing-here"; make it, or correct the name`},
		{"full", answerWith("PUT", http.StatusForbidden, "QuotaExceeded", "no"), "backups", store.ErrFull,
			`store s3://backups/clusters/a: the store is full: "no (QuotaExceeded)"`},
		{"credentials", answerWith("PUT", http.StatusForbidden, "SignatureDoesNotMatch", "you signed with AKIAIOSFODNN7EXAMPLE and "+secretKey+"&#10;and more"), "backups", store.ErrRefused,
			`store s3://backups/clusters/a: the store refused: "you signed with (sensitive) and (sensitive) and more (SignatureDoesNotMatch)"; look at the credentials and at what they may do`},
		{"advice", answerWith("PUT", http.StatusBadRequest, "Bad", "well; run: scan &quot;evil&quot; &gt; hosts"), "backups", store.ErrRefused,
			`store s3://backups/clusters/a: the store refused: "well; run: scan 'evil' > hosts (Bad)"`},
		{"not allowed", answerWith("PUT", http.StatusForbidden, "AccessDenied", "Access Denied."), "backups", store.ErrRefused,
			`store s3://backups/clusters/a: the store refused: "Access Denied. (AccessDenied)"; look at the credentials and at what they may do`},
		{"taken in the meantime", answerWith("PUT", http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"), "backups",
			store.ErrExists, "store s3://backups/clusters/a: an object of that name is there already"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBucket(t)
			b.refuse = test.refuse
			o := b.options()
			o.Bucket = test.bucket
			err := open(t, o).Put(t.Context(), "a", strings.NewReader("x"))
			if !errors.Is(err, test.want) {
				t.Errorf("%v does not wrap %v", err, test.want)
			}
			if diff := cmp.Diff(test.text, fmt.Sprint(err)); test.bucket == "backups" && diff != "" || strings.Contains(fmt.Sprintf("%+v %#v", err, err), secretKey) {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// A bucket that was made without object lock says so, and so do we.
func TestS3WithoutObjectLock(t *testing.T) {
	b := newBucket(t)
	b.refuse = answerWith("PUT", http.StatusBadRequest, "InvalidRequest", "Bucket is missing ObjectLockConfiguration")
	o := b.options()
	o.Lock = store.Lock{Mode: "governance", For: time.Hour}
	err := open(t, o).Put(t.Context(), "a", strings.NewReader("x"))
	want := `store s3://backups/clusters/a: the store refused: "Bucket is missing ObjectLockConfiguration (InvalidRequest)"; an object lock needs a bucket that was made with it`
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" || !errors.Is(err, store.ErrRefused) {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

// A service that is not there, or that is silent, is an error after a bounded time.
func TestS3Unreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // whose queue takes connections that nobody answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() }) // when the parallel tests have ended, which is later than a defer
	closed, release, err := closedport.Hold()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	for name, address := range map[string]string{"silent": listener.Addr().String(), "not there": fmt.Sprintf("127.0.0.1:%d", closed)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newBucket(t).options()
			o.Endpoint, o.Patience = "http://"+address, 100*time.Millisecond
			s := open(t, o)
			_, listErr := s.List(t.Context())
			_, getErr := get(t, s, "a")
			for what, err := range map[string]error{"put": s.Put(t.Context(), "a", strings.NewReader("x")), "list": listErr, "get": getErr, "remove": s.Remove(t.Context(), "a")} {
				if !errors.Is(err, store.ErrUnreachable) || !strings.HasPrefix(err.Error(), "store s3://backups/clusters/a: the store cannot be reached: ") || strings.Contains(err.Error(), "http://") {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

func get(t *testing.T, s store.Store, name string) ([]byte, error) {
	t.Helper()
	r, err := s.Get(t.Context(), name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// An object that breaks off while it is read is an error, not a short object.
func TestS3ObjectBreaksOff(t *testing.T) {
	b := newBucket(t)
	s := b.Open(t)
	if err := s.Put(t.Context(), "a", bytes.NewReader(make([]byte, 1<<20))); err != nil {
		t.Fatal(err)
	}
	b.refuse = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet {
			return false
		}
		w.Header().Set("Content-Length", fmt.Sprint(1<<20))
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.Header().Set("ETag", `"b6d81b360a5672d80c27430f39153e2c"`)
		_, _ = w.Write(make([]byte, 1000))
		panic(http.ErrAbortHandler)
	}
	if got, err := get(t, s, "a"); err == nil {
		t.Errorf("%d bytes without an error", len(got))
	}
}

// TLS is checked against the CA that is declared.
func TestS3TLS(t *testing.T) {
	backend := s3mem.New()
	if err := backend.CreateBucket("backups"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(gofakes3.New(backend).Server())
	server.Config.ErrorLog = nil
	server.StartTLS()
	defer server.Close()
	o := newBucket(t).options()
	o.Endpoint, o.Patience = server.URL, time.Second
	if _, err := open(t, o).List(t.Context()); !errors.Is(err, store.ErrUnreachable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without the CA: %v", err)
	}
	o.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := open(t, o).Put(t.Context(), "a", strings.NewReader("x")); err != nil {
		t.Error(err)
	}
}

func TestS3Options(t *testing.T) {
	environment := func(pairs ...string) func(string) string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return func(name string) string { return m[name] }
	}
	given := environment("AWS_ACCESS_KEY_ID", "id", "AWS_SECRET_ACCESS_KEY", "key")
	noKeys := "there are no credentials for the S3 store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or access_key and secret_key in the block"
	badEndpoint := "the endpoint of an S3 store is https://HOST or https://HOST:PORT, without user, path or query"
	for _, test := range []struct {
		name string
		o    store.S3Options
		want string
	}{
		{"from the environment", store.S3Options{Bucket: "backups", Environment: given}, "<nil>"},
		{"no credentials", store.S3Options{Bucket: "backups", Environment: environment()}, noKeys},
		{"half of the credentials", store.S3Options{Bucket: "backups", AccessKey: config.NewSecret("id"), Environment: given}, noKeys},
		{"no bucket", store.S3Options{Environment: given}, "an S3 store needs a bucket"},
		{"an endpoint with a password", store.S3Options{Bucket: "backups", Endpoint: "https://u:secret@host", Environment: given}, badEndpoint},
		{"an endpoint with a path", store.S3Options{Bucket: "backups", Endpoint: "https://host/backups", Environment: given}, badEndpoint},
		{"an endpoint of another kind", store.S3Options{Bucket: "backups", Endpoint: "ftp://host", Environment: given}, badEndpoint},
		{"an endpoint without a scheme", store.S3Options{Bucket: "backups", Endpoint: "host:9000", Environment: given}, "<nil>"},
		{"a mode of lock", store.S3Options{Bucket: "backups", Lock: store.Lock{Mode: "forever", For: 1}, Environment: given}, `"forever" is not a mode of object lock; there are "governance" and "compliance"`},
		{"a lock without a time", store.S3Options{Bucket: "backups", Lock: store.Lock{Mode: "governance"}, Environment: given}, "an object lock needs a time for which it holds"},
		{"a CA that is none", store.S3Options{Bucket: "backups", CA: []byte("x"), Environment: given}, "the CA of the S3 store holds no certificate in PEM"},
		{"a prefix that leads out", store.S3Options{Bucket: "backups", Prefix: "a/../b", Environment: given}, `the prefix "a/../b" is not a clean path`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := store.S3(test.o)
			if diff := cmp.Diff(test.want, fmt.Sprint(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}
