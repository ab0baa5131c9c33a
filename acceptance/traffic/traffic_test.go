package traffic

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// outage is a server that fails between two moments after its making; each request takes a while.
func outage(from, until, takes time.Duration) request {
	made := time.Now()
	return func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(takes):
		}
		if now := time.Since(made); now >= from && now < until {
			return errors.New("away")
		}
		return nil
	}
}

// trafficFor runs one worker for a time and returns what it noticed.
func trafficFor(t *testing.T, length time.Duration, w *worker) Counts {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	w.work(ctx, 50*time.Millisecond)
	return w.counts
}

func TestWorkerSeesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		// The end lies between two requests, so that their number is certain.
		got := trafficFor(t, 10*time.Second+20*time.Millisecond, newWorker("it", outage(3*time.Second, 5*time.Second, 50*time.Millisecond)))
		want := Counts{
			Name: "it", Requests: 100, Failures: 20, FirstError: "away",
			LongestGap: 2100 * time.Millisecond, GapStart: start.Add(2900 * time.Millisecond),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("counts (-want +got):\n%s", diff)
		}
	})
}

func TestWorkerCountsTheEdgesAsGaps(t *testing.T) {
	for _, test := range []struct {
		name        string
		from, until time.Duration
	}{
		{"away from the start", 0, 4 * time.Second},
		{"away to the end", 6 * time.Second, time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := trafficFor(t, 10*time.Second, newWorker("it", outage(test.from, test.until, time.Millisecond)))
				if got.LongestGap < 3900*time.Millisecond || got.LongestGap > 4200*time.Millisecond {
					t.Errorf("longest gap %v, want about 4s", got.LongestGap)
				}
			})
		})
	}
}

func TestRetryingNoticesOnlyWhatAllServersMiss(t *testing.T) {
	second := time.Second
	for _, test := range []struct {
		name     string
		servers  [][2]time.Duration
		failures bool
	}{
		{"one after the other", [][2]time.Duration{{1 * second, 3 * second}, {3 * second, 5 * second}, {5 * second, 7 * second}}, false},
		{"two at once", [][2]time.Duration{{1 * second, 3 * second}, {1 * second, 3 * second}, {4 * second, 5 * second}}, false},
		{"all at once", [][2]time.Duration{{1 * second, 3 * second}, {2 * second, 4 * second}, {2 * second, 3 * second}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var all []request
				for _, s := range test.servers {
					all = append(all, outage(s[0], s[1], time.Millisecond))
				}
				w := &worker{do: firstOf(all), counts: Counts{Name: "client", Retrying: true}}
				report := Report{Workers: []Counts{trafficFor(t, 10*second, w)}}
				if err := report.Noticed(); (err != nil) != test.failures {
					t.Errorf("noticed: %v; want failures: %v", err, test.failures)
				}
			})
		})
	}
}

func TestNoticed(t *testing.T) {
	single := Counts{Name: "one server", Requests: 10, Failures: 3}
	idle := Counts{Name: "idle"}
	if err := (Report{Workers: []Counts{single}}).Noticed(); err != nil {
		t.Errorf("a single server's failures are not the client's: %v", err)
	}
	if err := (Report{Workers: []Counts{idle}}).Noticed(); err == nil {
		t.Error("a worker that asked nothing proves nothing, yet it passed")
	}
}

func TestAPIGet(t *testing.T) {
	status := http.StatusOK
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }))
	defer s.Close()
	config := s.Client().Transport.(*http.Transport).TLSClientConfig
	get := apiGet(strings.TrimPrefix(s.URL, "https://"), config)
	if err := get(t.Context()); err != nil {
		t.Errorf("a server that answers: %v", err)
	}
	status = http.StatusServiceUnavailable
	if err := get(t.Context()); err == nil {
		t.Error("503 counted as success")
	}
	s.Close()
	if err := get(t.Context()); err == nil {
		t.Error("a closed server counted as success")
	}
}

func TestReportIsReadable(t *testing.T) {
	at := time.Date(2026, 11, 22, 9, 30, 1, 500e6, time.UTC)
	report := Report{Workers: []Counts{{Name: "API  10.77.0.11:6443", Requests: 412, Failures: 38, LongestGap: 1934567 * time.Microsecond, GapStart: at}}}
	const want = `client                  requests  failures  longest gap  since
API  10.77.0.11:6443         412        38       1.935s  09:30:01.500
`
	if diff := cmp.Diff(want, report.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}
