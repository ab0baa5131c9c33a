package pending_test

import (
	"testing"
	"time"

	"upkeep/providers/helm/pending"
)

func TestLimits(t *testing.T) {
	for _, test := range []struct{ timeout, patience, limit time.Duration }{
		{0, 10 * time.Minute, 2 * time.Minute},
		{5 * time.Minute, 10 * time.Minute, 17 * time.Minute},
		{8 * time.Minute, 10 * time.Minute, 26 * time.Minute},
		{time.Hour, 75 * time.Minute, 182 * time.Minute},
	} {
		if patience, limit := pending.Patience(test.timeout), pending.Limit(test.timeout); patience != test.patience || limit != test.limit {
			t.Errorf("timeout %s: patience %s and limit %s, want %s and %s", test.timeout, patience, limit, test.patience, test.limit)
		}
	}
}
