package certificates

import (
	"testing"
	"time"
)

func TestLeftReadsLessThanWanted(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		d, wanted time.Duration
		want      string
	}{
		{12 * day, 30 * day, "12d"},
		{24 * time.Hour, 30 * day, "24h"},
		{29*day + 23*time.Hour, 30 * day, "29d"},
		{29*day + 20*time.Hour, 29*day + 23*time.Hour, "29d20h"},
		{29*day + 23*time.Hour + 40*time.Minute, 29*day + 23*time.Hour + 50*time.Minute, "29d23h40m"},
		{30 * day, 30 * day, "30d"},
		{0, 30 * day, "0s"},
		{90 * time.Second, time.Hour, "90s"},
	} {
		if got := left(test.d, test.wanted); got != test.want {
			t.Errorf("left(%s, %s) = %s, want %s", test.d, test.wanted, got, test.want)
		}
	}
}

func TestMovedNamesTheHourWhereTheDayStays(t *testing.T) {
	at := time.Date(2026, 12, 22, 9, 42, 0, 0, time.UTC)
	for _, test := range []struct {
		name                  string
		after                 time.Time
		wantBefore, wantAfter string
	}{
		{"another day", at.AddDate(1, 0, 0), "2026-12-22", "2027-12-22"},
		{"the same day", at.Add(10 * time.Minute), "2026-12-22T09:42:00Z", "2026-12-22T09:52:00Z"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, after := moved(at, test.after, 720*time.Hour)
			if before != test.wantBefore || after != test.wantAfter {
				t.Errorf("%s -> %s, want %s -> %s", before, after, test.wantBefore, test.wantAfter)
			}
		})
	}
}
