package kube

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
)

// leaseServer keeps one Lease as an API server does: a change must name the version that it was made from.
type leaseServer struct {
	mu      sync.Mutex
	object  *coordinationv1.Lease
	version int
	writes  int
	looks   int // how often it was read
	fail    int // answer everything with this status
	before  func(s *leaseServer)
	watched func(s *leaseServer) // before it is read for the second time
}

func (s *leaseServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	status := func(code int, reason metav1.StatusReason) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Code: int32(code), Reason: reason, Message: string(reason)})
	}
	if s.fail != 0 {
		status(s.fail, map[int]metav1.StatusReason{401: metav1.StatusReasonUnauthorized, 403: metav1.StatusReasonForbidden, 503: metav1.StatusReasonServiceUnavailable}[s.fail])
		return
	}
	if s.before != nil && r.Method != http.MethodGet {
		s.before(s)
		s.before = nil
	}
	if r.Method == http.MethodGet {
		if s.looks++; s.looks == 2 && s.watched != nil {
			s.watched(s)
		}
	}
	if r.Method == http.MethodGet && s.object == nil || r.Method == http.MethodPut && s.object == nil {
		status(http.StatusNotFound, metav1.StatusReasonNotFound)
		return
	}
	if r.Method != http.MethodGet {
		body, _ := io.ReadAll(r.Body)
		decoded, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
		sent, ok := decoded.(*coordinationv1.Lease)
		if err != nil || !ok {
			status(http.StatusBadRequest, metav1.StatusReasonBadRequest)
			return
		}
		switch {
		case r.Method == http.MethodPost && s.object != nil:
			status(http.StatusConflict, metav1.StatusReasonAlreadyExists)
			return
		case r.Method == http.MethodPut && sent.ResourceVersion != s.object.ResourceVersion:
			status(http.StatusConflict, metav1.StatusReasonConflict)
			return
		}
		s.put(sent)
	}
	_ = json.NewEncoder(w).Encode(s.object)
}

func (s *leaseServer) put(l *coordinationv1.Lease) {
	s.version++
	s.writes++
	s.object = l.DeepCopy()
	s.object.TypeMeta = metav1.TypeMeta{Kind: "Lease", APIVersion: "coordination.k8s.io/v1"}
	s.object.ResourceVersion = strconv.Itoa(s.version)
}

// plant stores a Lease as another run left it.
func (s *leaseServer) plant(r LeaseRequest, renewed time.Time) {
	s.put(r.onto(nil, renewed))
}

func (s *leaseServer) client(t *testing.T) *Client {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	client, err := Open(kubeconfig(t, server.URL), "")
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func holderNamed(holder, lineage string, generation uint64) LeaseRequest {
	return LeaseRequest{Holder: holder, Lineage: lineage, Generation: generation, Plan: "plan-" + holder, Duration: time.Second}
}

func TestAcquireLease(t *testing.T) {
	us := holderNamed("ops@laptop/17", "lineage-1", 5)
	for name, test := range map[string]struct {
		planted *LeaseRequest
		renewed time.Duration // ago
		want    string        // in the error; empty: it is taken
		watched bool          // for as long as it says that it lasts
	}{
		"there is none":                          {},
		"released":                               {planted: new(holderNamed("", "lineage-2", 9))},
		"ours":                                   {planted: new(us)},
		"an older run of our state, just now":    {planted: new(holderNamed("ops@laptop/16", "lineage-1", 4))},
		"a newer run of our state":               {planted: new(holderNamed("ops@laptop/18", "lineage-1", 6)), renewed: time.Hour, want: "a newer run of the same state"},
		"our generation by another":              {planted: new(holderNamed("ops@runner/18", "lineage-1", 5)), want: "the same generation of the same state"},
		"another state's run that is alive":      {planted: new(holderNamed("ops@runner/1", "lineage-2", 1)), renewed: -time.Hour, want: "it has not expired"},
		"another state's run that is gone":       {planted: new(holderNamed("ops@runner/1", "lineage-2", 1)), renewed: time.Hour, watched: true},
		"a stranger that says nothing of itself": {planted: &LeaseRequest{Holder: "x"}, renewed: time.Hour, watched: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &leaseServer{}
			if test.planted != nil {
				s.plant(*test.planted, time.Now().Add(-test.renewed))
			}
			client := s.client(t)
			began := time.Now()
			lease, err := client.AcquireLease(t.Context(), us)
			took := time.Since(began)
			if test.want != "" {
				var held *LeaseHeldError
				if !errors.As(err, &held) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "held by \""+test.planted.Holder+"\", which works with the state "+test.planted.Lineage) {
					t.Fatalf("got %v, want a refusal that says %q and who", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if watched := s.looks > 1; watched != test.watched || watched && took < test.planted.Duration {
				t.Errorf("it took %s and %d looks", took, s.looks)
			}
			want := LeaseHolder{Holder: us.Holder, Lineage: us.Lineage, Generation: us.Generation, Plan: us.Plan, Duration: us.Duration}
			if diff := cmp.Diff(want, holderOf(s.object), cmpopts.IgnoreFields(LeaseHolder{}, "Since", "Renewed")); diff != "" {
				t.Error(diff)
			}
			if err := lease.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestALeaseThatIsRenewedWhileItIsWatchedIsNotTaken(t *testing.T) {
	them := holderNamed("ops@runner/1", "lineage-2", 1)
	s := &leaseServer{}
	s.plant(them, time.Now().Add(-time.Hour)) // its clock is an hour behind ours
	s.watched = func(s *leaseServer) { s.plant(them, time.Now().Add(-time.Hour)) }
	var held *LeaseHeldError
	if _, err := s.client(t).AcquireLease(t.Context(), holderNamed("us", "lineage-1", 1)); !errors.As(err, &held) || !strings.Contains(held.Why, "renewed while") {
		t.Errorf("got %v", err)
	}
}

func TestOnlyOneOfTwoRacersTakesTheLease(t *testing.T) {
	for name, planted := range map[string]bool{"none": false, "released": true} {
		t.Run(name, func(t *testing.T) {
			s := &leaseServer{}
			if planted {
				s.plant(LeaseRequest{Lineage: "lineage-3"}, time.Now())
			}
			them := holderNamed("them", "lineage-2", 1)
			s.before = func(s *leaseServer) { s.plant(them, time.Now()) } // between our look and our write
			var held *LeaseHeldError
			if _, err := s.client(t).AcquireLease(t.Context(), holderNamed("us", "lineage-1", 1)); !errors.As(err, &held) || held.Holder.Holder != "them" {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestALostLeaseIsNoticed(t *testing.T) {
	for name, lose := range map[string]func(*leaseServer){
		"taken over":  func(s *leaseServer) { s.plant(holderNamed("them", "lineage-1", 6), time.Now()) },
		"deleted":     func(s *leaseServer) { s.object = nil },
		"released":    func(s *leaseServer) { s.plant(holderNamed("", "lineage-1", 5), time.Now()) },
		"our restart": func(s *leaseServer) { s.plant(holderNamed("us", "lineage-1", 6), time.Now()) },
	} {
		t.Run(name, func(t *testing.T) {
			s := &leaseServer{}
			lease, err := s.client(t).AcquireLease(t.Context(), holderNamed("us", "lineage-1", 5))
			if err != nil {
				t.Fatal(err)
			}
			lose(s)
			writes := s.writes
			for what, err := range map[string]error{"check": lease.Check(t.Context()), "renew": lease.Renew(t.Context())} {
				var lost interface{ Lost() bool }
				if !errors.As(err, &lost) || !lost.Lost() {
					t.Errorf("%s: %v", what, err)
				}
			}
			if err := lease.Release(t.Context()); err != nil {
				t.Errorf("release of what is not held: %v", err)
			}
			if s.writes != writes {
				t.Error("a run that had lost the Lease wrote it")
			}
		})
	}
}

func TestRenewSurvivesAStrangersEdit(t *testing.T) {
	s := &leaseServer{}
	lease, err := s.client(t).AcquireLease(t.Context(), holderNamed("us", "lineage-1", 5))
	if err != nil {
		t.Fatal(err)
	}
	edited := s.object.DeepCopy()
	edited.Labels = map[string]string{"somebody": "was-here"}
	s.put(edited)
	before := holderOf(s.object).Renewed
	if err := lease.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.object.Labels["somebody"] == "" || !holderOf(s.object).Renewed.After(before) {
		t.Errorf("after the renewal it is %+v", s.object)
	}
	if err := lease.Release(t.Context()); err != nil || holderOf(s.object).Holder != "" {
		t.Errorf("after the release: %v, held by %q", err, holderOf(s.object).Holder)
	}
}

func TestAnAPIThatIsDownIsNotOneThatSaysNo(t *testing.T) {
	for status, unreachable := range map[int]bool{http.StatusServiceUnavailable: true, http.StatusUnauthorized: true, http.StatusForbidden: false} {
		s := &leaseServer{fail: status}
		_, err := s.client(t).AcquireLease(t.Context(), holderNamed("us", "lineage-1", 5))
		var down *UnreachableError
		if errors.As(err, &down) != unreachable || err == nil {
			t.Errorf("status %d: %v", status, err)
		}
	}
	client, err := Open(kubeconfig(t, "http://127.0.0.1:1"), "")
	if err != nil {
		t.Fatal(err)
	}
	var down *UnreachableError
	if _, err := client.AcquireLease(t.Context(), holderNamed("us", "lineage-1", 5)); !errors.As(err, &down) {
		t.Errorf("a closed port: %v", err)
	}
}

// TestAskStop: the holder reads the request at its next renewal, and the next holder does not.
func TestAskStop(t *testing.T) {
	us, next := holderNamed("ops@laptop/17", "lineage-1", 5), holderNamed("ops@laptop/18", "lineage-1", 6)
	us.Duration, next.Duration = time.Minute, time.Minute
	s := &leaseServer{}
	client := s.client(t)
	if _, asked, err := client.AskStop(t.Context(), "eva"); err != nil || asked {
		t.Errorf("without a Lease: asked %t, %v", asked, err)
	}
	lease, err := client.AcquireLease(t.Context(), us)
	if err != nil {
		t.Fatal(err)
	}
	s.before = func(s *leaseServer) { s.put(us.onto(s.object, time.Now())) } // a renewal that is faster
	holder, asked, err := client.AskStop(t.Context(), "eva@desk: "+strings.Repeat("x", 2*mostStop))
	if err != nil || !asked || holder.Holder != us.Holder {
		t.Errorf("a Lease that is held: %+v, asked %t, %v", holder, asked, err)
	}
	if got := lease.StopAsked(); got != "" {
		t.Errorf("before a renewal the holder reads %q", got)
	}
	if err := lease.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := lease.StopAsked(); !strings.HasPrefix(got, "eva@desk: xxx") || len(got) != mostStop {
		t.Errorf("the holder reads %q", got)
	}
	later, err := client.AcquireLease(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	if got := later.StopAsked(); got != "" {
		t.Errorf("the next holder reads %q", got)
	}
	if err := later.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, asked, err := client.AskStop(t.Context(), "eva"); err != nil || asked {
		t.Errorf("a Lease that was given back: asked %t, %v", asked, err)
	}
	s.plant(us, time.Now().Add(-time.Hour))
	if _, asked, err := client.AskStop(t.Context(), "eva"); err != nil || asked {
		t.Errorf("a Lease that has expired: asked %t, %v", asked, err)
	}
}
