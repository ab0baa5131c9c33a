package window

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upkeep/config"
)

func weekly(zone, cron, duration string) Window {
	d, err := config.ParseDuration(duration)
	if err != nil {
		panic(err)
	}
	return Window{Name: "w", Timezone: zone, Cron: cron, Duration: d}
}

func made(t interface{ Fatal(...any) }, w Window) *Window {
	out, problems := New(w)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return out
}

func instant(t interface{ Fatal(...any) }, text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestOpenings: when windows are open, in zones whose clocks jump in different ways. Times are told with the zone's
// own offset.
func TestOpenings(t *testing.T) {
	for name, test := range map[string]struct {
		window      Window
		from, until string
		want        []string
	}{
		"every Sunday": {
			weekly("Europe/Berlin", "0 2 * * SUN", "4h"), "2026-06-01T00:00:00Z", "2026-06-16T00:00:00Z",
			[]string{"2026-06-07T02:00:00+02:00 4h", "2026-06-14T02:00:00+02:00 4h"},
		},
		"one that is open already is told from its beginning": {
			weekly("Europe/Berlin", "0 22 * * SAT", "8h"), "2026-06-07T03:00:00Z", "2026-06-08T00:00:00Z", []string{"2026-06-06T22:00:00+02:00 8h"},
		},
		"its end is outside": {
			weekly("UTC", "0 22 * * SAT", "8h"), "2026-06-07T06:00:00Z", "2026-06-08T00:00:00Z", nil,
		},
		"Berlin, the hour that is left out: it opens where it ends": {
			weekly("Europe/Berlin", "30 2 * * *", "1h"), "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z",
			[]string{"2026-03-29T03:00:00+02:00 1h", "2026-03-30T02:30:00+02:00 1h"},
		},
		"Berlin, the hour that comes twice: the first, once": {
			weekly("Europe/Berlin", "30 2 * * *", "30m"), "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z",
			[]string{"2026-10-25T02:30:00+02:00 30m", "2026-10-26T02:30:00+01:00 30m"},
		},
		"New York, left out": {
			weekly("America/New_York", "15 2 * * SUN", "2h"), "2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z", []string{"2026-03-08T03:00:00-04:00 2h"},
		},
		"New York, twice": {
			weekly("America/New_York", "15 1 * * SUN", "2h"), "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", []string{"2026-11-01T01:15:00-04:00 2h"},
		},
		"Santiago, midnight is left out": {
			weekly("America/Santiago", "0 0 * * SUN", "2h"), "2026-09-05T12:00:00Z", "2026-09-07T00:00:00Z", []string{"2026-09-06T01:00:00-03:00 2h"},
		},
		"Santiago, the last hour of Saturday comes twice": {
			weekly("America/Santiago", "30 23 * * SAT", "1h"), "2026-04-04T12:00:00Z", "2026-04-06T00:00:00Z", []string{"2026-04-04T23:30:00-03:00 1h"},
		},
		"Cairo, the first hour of a Friday is left out": {
			weekly("Africa/Cairo", "30 0 * * FRI", "2h"), "2026-04-23T12:00:00Z", "2026-04-25T00:00:00Z", []string{"2026-04-24T01:00:00+03:00 2h"},
		},
		"Lord Howe, half an hour is left out": {
			weekly("Australia/Lord_Howe", "15 2 * * SUN", "1h"), "2026-10-03T00:00:00Z", "2026-10-04T12:00:00Z", []string{"2026-10-04T02:30:00+11:00 1h"},
		},
		"Lord Howe, half an hour comes twice": {
			weekly("Australia/Lord_Howe", "45 1 * * SUN", "1h"), "2026-04-04T00:00:00Z", "2026-04-05T12:00:00Z", []string{"2026-04-05T01:45:00+11:00 1h"},
		},
		"Apia, a day that never was": {
			weekly("Pacific/Apia", "0 12 30 * *", "1h"), "2011-12-28T00:00:00Z", "2012-01-01T00:00:00Z", []string{"2011-12-31T00:00:00+14:00 1h"},
		},
		"the weekday is that of the opening": {
			weekly("UTC", "0 21 * * MON-FRI", "8h"), "2026-06-05T12:00:00Z", "2026-06-08T12:00:00Z", []string{"2026-06-05T21:00:00Z 8h"},
		},
		"longer than a day": {
			weekly("UTC", "0 20 * * FRI", "60h"), "2026-06-07T00:00:00Z", "2026-06-08T00:00:00Z", []string{"2026-06-05T20:00:00Z 60h"},
		},
		"openings that meet are one": {
			weekly("UTC", "0 */6 1 6 *", "6h"), "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z", []string{"2026-06-01T00:00:00Z 24h"},
		},
		"a leap day": {
			weekly("UTC", "0 0 29 2 *", "1h"), "2026-01-01T00:00:00Z", "2033-01-01T00:00:00Z", []string{"2028-02-29T00:00:00Z 1h", "2032-02-29T00:00:00Z 1h"},
		},
		"both days bound: either": {
			weekly("UTC", "0 0 1 * MON", "1h"), "2026-06-01T00:00:00Z", "2026-07-02T00:00:00Z",
			[]string{"2026-06-01T00:00:00Z 1h", "2026-06-08T00:00:00Z 1h", "2026-06-15T00:00:00Z 1h", "2026-06-22T00:00:00Z 1h", "2026-06-29T00:00:00Z 1h", "2026-07-01T00:00:00Z 1h"},
		},
		"every year, over its end": {
			Window{Name: "w", Timezone: "Europe/Berlin", From: "12-18", Until: "01-07"}, "2026-06-01T00:00:00Z", "2028-01-01T00:00:00Z",
			[]string{"2026-12-18T00:00:00+01:00 504h", "2027-12-18T00:00:00+01:00 504h"},
		},
		"every year, in January": {
			Window{Name: "w", Timezone: "Europe/Berlin", From: "12-18", Until: "01-07"}, "2027-01-07T22:59:59Z", "2027-01-08T00:00:00Z",
			[]string{"2026-12-18T00:00:00+01:00 504h"},
		},
		"once, by the hour": {
			Window{Name: "w", Timezone: "America/New_York", From: "2026-11-26 18:00", Until: "2026-11-28 06:00"}, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z",
			[]string{"2026-11-26T18:00:00-05:00 36h"},
		},
		"a leap day every year": {
			Window{Name: "w", Timezone: "UTC", From: "02-29", Until: "02-29"}, "2026-01-01T00:00:00Z", "2033-01-01T00:00:00Z",
			[]string{"2028-02-29T00:00:00Z 24h", "2032-02-29T00:00:00Z 24h"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := made(t, test.window)
			var got []string
			for _, o := range w.Openings(instant(t, test.from), instant(t, test.until)) {
				got = append(got, o.From.In(w.zone).Format(time.RFC3339)+" "+length(o))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// length tells hours, or minutes where there is less than one.
func length(o Opening) string {
	if d := o.Until.Sub(o.From); d < time.Hour {
		return fmt.Sprintf("%dm", int(d.Minutes()))
	}
	return fmt.Sprintf("%gh", o.Until.Sub(o.From).Hours())
}

// TestOvernight: the instants at which kured 1.23 was found to judge by the weekday of the instant instead of that of
// the opening, or to take the end for open, with our rule's answers; and some that it publishes and judges rightly.
func TestOvernight(t *testing.T) {
	const working, four, tuesday = "0 21 * * MON-FRI", "59 23 * * MON,TUE,WED,THU", "59 23 * * MON,TUE,WED,FRI"
	for at, test := range map[string]struct {
		zone, cron, duration string
		want                 bool
	}{
		"2019-04-06T04:00:00Z":      {"UTC", working, "8h", true}, // Saturday, opened on Friday
		"2019-04-06T05:00:00Z":      {"UTC", working, "8h", false},
		"2019-04-08T04:00:00Z":      {"UTC", working, "8h", false}, // Monday: Sunday did not open
		"2019-04-05T00:00:00Z":      {"UTC", tuesday, "2m", false}, // Friday: Thursday did not open
		"2019-04-12T00:00:00Z":      {"UTC", four, "2m", true},     // Friday: Thursday did
		"2019-04-12T00:01:00Z":      {"UTC", four, "2m", false},    // its end
		"2019-04-05T08:59:00-07:00": {"America/Los_Angeles", "0 9 * * MON-FRI", "8h", false},
		"2019-04-05T09:01:00-07:00": {"America/Los_Angeles", "0 9 * * MON-FRI", "8h", true},
		"2019-03-31T10:00:00-07:00": {"America/Los_Angeles", "0 9 * * MON-FRI", "8h", false},
		"2019-04-06T10:30:00-07:00": {"America/Los_Angeles", "1 10 * * MON,WED,FRI", "89m", false},
		"2019-04-08T10:30:00-07:00": {"America/Los_Angeles", "1 10 * * MON,WED,FRI", "89m", true},
	} {
		t.Run(at, func(t *testing.T) {
			w := made(t, weekly(test.zone, test.cron, test.duration))
			if got := (Calendar{Allow: []*Window{w}}).At(instant(t, at)); got.Open != test.want {
				t.Errorf("%+v, want open %v", got, test.want)
			}
		})
	}
}

// TestOpeningsByTheMinute holds openings against a walk over every minute, which knows only what clocks show.
func TestOpeningsByTheMinute(t *testing.T) {
	zones := []string{"Europe/Berlin", "America/New_York", "America/Santiago", "Africa/Cairo", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu"}
	jumps := []string{"2026-03-08", "2026-03-29", "2026-04-05", "2026-04-24", "2026-09-06", "2026-10-04", "2026-10-25", "2026-10-30", "2026-11-01", "2027-01-01"}
	rapid.Check(t, func(t *rapid.T) {
		w := made(t, weekly(rapid.SampledFrom(zones).Draw(t, "zone"), rapid.SampledFrom([]string{
			"30 2 * * *", "0 0 * * *", "15 2 * * SUN", "*/20 0-3 * * *", "45 23 * * SAT,FRI", "30 1 * * SUN", "0 1 1,29-31 * *", "0 */2 * * 0",
		}).Draw(t, "cron"), rapid.SampledFrom([]string{"1m", "15m", "1h", "3h30m", "26h"}).Draw(t, "duration")))
		day := instant(t, rapid.SampledFrom(jumps).Draw(t, "day")+"T12:00:00Z")
		from, until := day.Add(-48*time.Hour), day.Add(48*time.Hour)
		// How long it has been open before, where openings run into one another, is not asked.
		if diff := cmp.Diff(clipped(walked(w, from, until), from), clipped(w.Openings(from, until), from)); diff != "" {
			t.Fatalf("%s %s %s (-minute by minute +got):\n%s", w.Timezone, w.Cron, w.Duration, diff)
		}
	})
}

func clipped(openings []Opening, from time.Time) []Opening {
	if len(openings) == 0 {
		return nil
	}
	if openings[0].From.Before(from) {
		openings[0].From = from
	}
	return openings
}

// walked finds openings by looking at the clock once a minute.
func walked(w *Window, from, until time.Time) []Opening {
	shown := map[int64]bool{}
	opens := func(shows time.Time) bool { // whether it opens when the clock shows that, the zone left out
		minute := shows.Hour()*60 + shows.Minute()
		for _, m := range w.cron.minutes {
			if m == minute {
				return w.cron.on(dayOf(shows))
			}
		}
		return false
	}
	var out []Opening
	var last time.Time
	for at := from.Add(-5 * 24 * time.Hour); at.Before(until); at = at.Add(time.Minute) {
		_, offset := at.In(w.zone).Zone()
		now := at.UTC().Add(time.Duration(offset) * time.Second) // what the clock shows
		opened := !shown[now.Unix()] && opens(now)
		shown[now.Unix()] = true
		if !last.IsZero() {
			for missed := last.Add(time.Minute); missed.Before(now); missed = missed.Add(time.Minute) {
				opened = opened || opens(missed)
			}
		}
		last = now
		if opened {
			out = join(out, Opening{at.UTC(), at.Add(time.Duration(w.Duration)).UTC()})
		}
	}
	return since(out, from)
}

// TestMistakes: every one is told, with its argument.
func TestMistakes(t *testing.T) {
	good := weekly("UTC", "0 2 * * SUN", "4h")
	for name, test := range map[string]struct {
		change func(*Window)
		want   []string
	}{
		"no zone":                {func(w *Window) { w.Timezone = "" }, []string{"timezone: a zone is needed"}},
		"this machine's zone":    {func(w *Window) { w.Timezone = "Local" }, []string{"timezone: a zone is needed"}},
		"unknown zone":           {func(w *Window) { w.Timezone = "Europe/Berlim" }, []string{`timezone: there is no zone "Europe/Berlim"`}},
		"an abbreviation":        {func(w *Window) { w.Timezone = "EST" }, []string{`timezone: "EST" is an abbreviation`}},
		"one of summer":          {func(w *Window) { w.Timezone = "CEST" }, []string{`timezone: "CEST" is an abbreviation`}},
		"a rule of POSIX":        {func(w *Window) { w.Timezone = "EST5EDT" }, []string{`timezone: "EST5EDT" is an abbreviation`}},
		"an offset":              {func(w *Window) { w.Timezone = "+02:00" }, []string{`timezone: "+02:00" is an abbreviation`}},
		"the wrong way":          {func(w *Window) { w.Timezone = "Etc/GMT+1" }, []string{`has the opposite sign`}},
		"leap seconds":           {func(w *Window) { w.Timezone = "right/Europe/Berlin" }, []string{`is a directory of this machine`}},
		"a path":                 {func(w *Window) { w.Timezone = "../../etc/passwd" }, []string{`timezone: there is no zone`}},
		"four fields":            {func(w *Window) { w.Cron = "0 2 * *" }, []string{"cron: \"0 2 * *\" has 4 fields"}},
		"six fields":             {func(w *Window) { w.Cron = "0 0 2 * * SUN" }, []string{"cron: \"0 0 2 * * SUN\" has 6 fields"}},
		"a word":                 {func(w *Window) { w.Cron = "@weekly" }, []string{`cron: "@weekly" is not cron`}},
		"no such minute":         {func(w *Window) { w.Cron = "60 2 * * *" }, []string{`cron: "60" is not a minute`}},
		"no such hour":           {func(w *Window) { w.Cron = "0 24 * * *" }, []string{`cron: "24" is not a hour`}},
		"the last Friday":        {func(w *Window) { w.Cron = "0 2 * * 5L" }, []string{`cron: "5L" is not a day of week`}},
		"backwards":              {func(w *Window) { w.Cron = "0 2 * * FRI-MON" }, []string{`cron: "FRI-MON" in the day of week ends before it begins; write FRI-SAT,SUN-MON`}},
		"a step without a range": {func(w *Window) { w.Cron = "5/15 2 * * *" }, []string{`write 5-59/15`}},
		"a step beyond":          {func(w *Window) { w.Cron = "*/61 2 * * *" }, []string{`"*/61" in the minute is not a step`}},
		"a negative step":        {func(w *Window) { w.Cron = "*/-5 2 * * *" }, []string{`"*/-5" in the minute is not a step`}},
		"a negative number":      {func(w *Window) { w.Cron = "-5 2 * * *" }, []string{`"" is not a minute`}},
		"a full name":            {func(w *Window) { w.Cron = "0 2 * * SUNDAY" }, []string{`"SUNDAY" is not a day of week`}},
		"the second Tuesday":     {func(w *Window) { w.Cron = "0 2 * * TUE#2" }, []string{`"TUE#2" is not a day of week`}},
		"no day in particular":   {func(w *Window) { w.Cron = "0 2 ? * SUN" }, []string{`"?" is not a day of month`}},
		"31 of a short month":    {func(w *Window) { w.Cron = "0 2 31 2 *" }, []string{`never opens`}},
		"day 0":                  {func(w *Window) { w.Cron = "0 2 0 * *" }, []string{`"0" is not a day of month`}},
		"every hour by a word":   {func(w *Window) { w.Cron = "@daily" }, []string{`"@daily" is not cron`}},
		"a step of nothing":      {func(w *Window) { w.Cron = "*/0 2 * * *" }, []string{`"*/0" in the minute is not a step`}},
		"an empty item":          {func(w *Window) { w.Cron = "1,,2 2 * * *" }, []string{`"" is not a minute`}},
		"a sign":                 {func(w *Window) { w.Cron = "+5 2 * * *" }, []string{`"+5" is not a minute`}},
		"never":                  {func(w *Window) { w.Cron = "0 2 30 FEB *" }, []string{`never opens`}},
		"every minute":           {func(w *Window) { w.Cron = "* * * * *" }, []string{`opens 1440 times a day, and 288 is the most`}},
		"disputed":               {func(w *Window) { w.Cron = "0 2 */2 * SUN" }, []string{`programs disagree`}},
		"no duration":            {func(w *Window) { w.Duration = 0 }, []string{"duration: a window that opens by"}},
		"negative":               {func(w *Window) { w.Duration = config.Duration(-time.Hour) }, []string{"duration: a window that opens by"}},
		"seconds":                {func(w *Window) { w.Duration = config.Duration(30 * time.Second) }, []string{"at least a minute"}},
		"a duration alone":       {func(w *Window) { w.Cron = "" }, []string{": nothing says when it opens"}},
		"the other end":          {func(w *Window) { w.Cron, w.Duration, w.Until = "", 0, "01-07" }, []string{"until: \"from\" and \"until\" are needed both"}},
		"a date and a duration":  {func(w *Window) { w.Cron, w.From, w.Until = "", "12-18", "01-07" }, []string{`"duration" belongs to "cron"`}},
		"no such time of day":    {func(w *Window) { *w = Window{Name: "w", Timezone: "UTC", From: "12-18 24:00", Until: "12-19"} }, []string{`has a time of day`}},
		"no nodes":               {func(w *Window) { w.MaxNodes = -1 }, []string{`at least one node must be allowed`}},
		"too long":               {func(w *Window) { w.Duration = config.Duration(400 * 24 * time.Hour) }, []string{"is longer than a year"}},
		"nothing":                {func(w *Window) { w.Cron, w.Duration = "", 0 }, []string{": nothing says when it opens"}},
		"both":                   {func(w *Window) { w.From, w.Until = "12-18", "01-07" }, []string{"this has both"}},
		"one end":                {func(w *Window) { w.Cron, w.Duration, w.From = "", 0, "12-18" }, []string{"are needed both"}},
		"no such day":            {func(w *Window) { *w = Window{Name: "w", Timezone: "UTC", From: "2026-02-29", Until: "2026-03-01"} }, []string{`"2026-02-29" is not in the calendar`}},
		"no such month":          {func(w *Window) { *w = Window{Name: "w", Timezone: "UTC", From: "13-01", Until: "13-02"} }, []string{`"13-01" is not in the calendar`}},
		"one with a year":        {func(w *Window) { *w = Window{Name: "w", Timezone: "UTC", From: "2026-12-18", Until: "01-07"} }, []string{`one has a year and the other has not`}},
		"it ends first":          {func(w *Window) { *w = Window{Name: "w", Timezone: "UTC", From: "2027-01-07", Until: "2026-12-18"} }, []string{`is not after`}},
		"all year or never":      {func(w *Window) { *w = Window{Name: "w", Timezone: "UTC", From: "12-18", Until: "12-17"} }, []string{`open all year or never`}},
		"two at once": {func(w *Window) { w.Timezone, w.Cron, w.Overrun = "x", "x", "x" },
			[]string{"timezone:", "cron:", `overrun: "x" is neither`}},
	} {
		t.Run(name, func(t *testing.T) {
			w := good
			test.change(&w)
			_, problems := New(w)
			if len(problems) != len(test.want) {
				t.Fatalf("got %v, want %q", problems, test.want)
			}
			for i, p := range problems {
				if text := p.Argument + ": " + p.Err.Error(); !strings.Contains(text, test.want[i]) {
					t.Errorf("got %q, want %q in it", text, test.want[i])
				}
			}
		})
	}
}

// TestLabels: a selector of labels chooses the steps of nodes that have all of them, and never a block as such. What is
// unknown may be so.
func TestLabels(t *testing.T) {
	s := Selector{Types: []string{"certificates"}, Labels: map[string]string{"zone": "a", "rack": ""}}
	of := func(node string, labels map[string]string) Subject {
		return Subject{Type: "certificates", Address: "certificates.a", Operation: "certificates.restart",
			Node: node, Labels: labels}
	}
	unknown, other := of("cp1", nil), of("cp1", map[string]string{"zone": "a", "rack": ""})
	unknown.LabelsUnknown, other.Type = true, "nvidia_driver"
	for name, test := range map[string]struct {
		of   Subject
		want bool
	}{
		"all of them":      {of("cp1", map[string]string{"zone": "a", "rack": "", "more": "x"}), true},
		"another value":    {of("cp1", map[string]string{"zone": "b", "rack": ""}), false},
		"one is missing":   {of("cp1", map[string]string{"zone": "a"}), false},
		"none":             {of("cp1", nil), false},
		"unknown":          {unknown, true},
		"another type":     {other, false},
		"the block itself": {of("", nil), false},
	} {
		if got := s.Applies(test.of); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if got, want := s.String(), "types certificates; nodes with the labels rack=, zone=a"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for label, want := range map[string]string{
		"topology.kubernetes.io/zone=a": "", "x=": "", "a/b/c=x": "no key", "-x=a": "no key", "=a": "no key",
		"Example.net/x=a": "no DNS name", "/x=a": "no DNS name", "x=a b": "no value",
		"x=" + strings.Repeat("a", 64): "no value",
	} {
		key, value, _ := strings.Cut(label, "=")
		w := weekly("UTC", "0 2 * * SUN", "4h")
		w.AppliesTo.Labels = map[string]string{key: value}
		_, problems := New(w)
		switch {
		case want == "" && len(problems) > 0:
			t.Errorf("%s: %v", label, problems)
		case want != "" && (len(problems) != 1 || problems[0].Argument != "applies_to" ||
			!strings.Contains(problems[0].Err.Error(), want)):
			t.Errorf("%s: %v, want %q", label, problems, want)
		}
	}
}

// TestCalendar: what holds for a step, and how it is told.
func TestCalendar(t *testing.T) {
	sundays := made(t, weekly("Europe/Berlin", "0 2 * * SUN", "4h"))
	sundays.Name = "sundays"
	nights := made(t, Window{Name: "nights", Timezone: "UTC", Cron: "0 0 * * *", Duration: config.Duration(time.Hour), AppliesTo: Selector{Types: []string{"akash_provider"}}})
	christmas := made(t, Window{Name: "christmas", Deny: true, Timezone: "Europe/Berlin", From: "12-18", Until: "01-07"})
	launch := made(t, Window{Name: "launch", Deny: true, Timezone: "UTC", From: "2026-12-06 03:00", Until: "2026-12-06 04:00", AppliesTo: Selector{Operations: []string{"certificates.restart"}}})
	all := []*Window{sundays, nights, christmas, launch}
	for name, test := range map[string]struct {
		named       []string
		kind, block string
		operation   string
		at          string
		calendar    string
		want        State
	}{
		"open": {[]string{"maintenance_window.sundays"}, "certificates", "certificates.a", "certificates.renew", "2026-12-06T02:00:00Z", "sundays, not in christmas",
			State{Open: true, Until: instant(t, "2026-12-06T05:00:00Z"), Why: "sundays is open until Sun 2026-12-06 06:00 CET"}},
		"closed": {[]string{"maintenance_window.sundays"}, "certificates", "certificates.a", "certificates.renew", "2026-12-06T05:00:00Z", "sundays, not in christmas",
			State{Next: Opening{instant(t, "2026-12-13T01:00:00Z"), instant(t, "2026-12-13T05:00:00Z")}, Why: "sundays is closed; opens Sun 2026-12-13 02:00 CET, in 6d20h"}},
		"denied": {[]string{"maintenance_window.sundays"}, "certificates", "certificates.a", "certificates.renew", "2026-12-20T02:00:00Z", "sundays, not in christmas",
			State{Next: Opening{instant(t, "2027-01-10T01:00:00Z"), instant(t, "2027-01-10T05:00:00Z")},
				Why: "christmas denies it until Fri 2027-01-08 00:00 CET; opens Sun 2027-01-10 02:00 CET, in 20d23h"}},
		"cut in two": {[]string{"maintenance_window.sundays"}, "certificates", "certificates.a", "certificates.restart", "2026-12-06T02:30:00Z", "sundays, not in christmas, launch",
			State{Open: true, Until: instant(t, "2026-12-06T03:00:00Z"), Why: "sundays is open until Sun 2026-12-06 04:00 CET"}},
		"always, but not at Christmas": {nil, "certificates", "certificates.a", "certificates.renew", "2026-12-01T00:00:00Z", "always, not in christmas",
			State{Open: true, Until: instant(t, "2026-12-17T23:00:00Z"), Why: "open until Fri 2026-12-18 00:00 CET, when christmas begins"}},
		"chosen by type": {nil, "akash_provider", "akash_provider.main", "akash.upgrade", "2026-12-01T12:00:00Z", "nights, not in christmas",
			State{Next: Opening{instant(t, "2026-12-02T00:00:00Z"), instant(t, "2026-12-02T01:00:00Z")}, Why: "nights is closed; opens Wed 2026-12-02 00:00 UTC, in 12h"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := Of(all, test.named, Subject{Type: test.kind, Address: test.block, Operation: test.operation})
			if c.Name() != test.calendar {
				t.Errorf("calendar %q, want %q", c.Name(), test.calendar)
			}
			if diff := cmp.Diff(test.want, c.At(instant(t, test.at))); diff != "" {
				t.Error(diff)
			}
		})
	}
	if s := (Calendar{}).At(instant(t, "2026-12-20T02:00:00Z")); !s.Open || !s.Until.IsZero() {
		t.Errorf("always: %+v", s)
	}
	never := Calendar{Allow: []*Window{christmas}, Deny: []*Window{christmas}}
	if s := never.At(instant(t, "2026-12-01T00:00:00Z")); s.Open || !strings.Contains(s.Why, "nothing opens in the next ten years") {
		t.Errorf("never: %+v", s)
	}
}

// TestCalendarIsItsParts: an instant is open where some window allows it and none denies it.
func TestCalendarIsItsParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) *Window {
			return made(t, weekly(rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/New_York"}).Draw(t, name+" zone"),
				rapid.SampledFrom([]string{"0 * * * *", "30 */3 * * *", "0 2 * * SUN", "0 12 25-29 * *", "0 0 * * MON-WED"}).Draw(t, name+" cron"),
				rapid.SampledFrom([]string{"5m", "30m", "5h", "30h"}).Draw(t, name+" duration")))
		}
		c := Calendar{Allow: []*Window{draw("a"), draw("b")}, Deny: []*Window{draw("c"), draw("d")}}
		from := instant(t, "2026-03-26T00:00:00Z")
		openings := c.Openings(from, from.Add(6*24*time.Hour))
		for i := range 6 * 24 * 12 {
			at := from.Add(time.Duration(i) * 5 * time.Minute)
			want := len(openAt(c.Allow, at)) > 0 && len(openAt(c.Deny, at)) == 0
			got := false
			for _, o := range openings {
				got = got || !at.Before(o.From) && at.Before(o.Until)
			}
			if got != want {
				t.Fatalf("%s: open %v, want %v; %v", at, got, want, openings)
			}
		}
	})
}

// TestRestore: what a plan file keeps is the same window.
func TestRestore(t *testing.T) {
	w := made(t, Window{Name: "w", Deny: true, Timezone: "Europe/Berlin", Cron: "0 2 * * SUN", Duration: config.Duration(4 * time.Hour), MaxNodes: 2,
		AppliesTo: Selector{Types: []string{"certificates"}}, Position: config.Position{File: "a.upkeep.hcl", Line: 3}})
	data, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Restore(data)
	if err != nil {
		t.Fatal(err)
	}
	from := instant(t, "2026-01-01T00:00:00Z")
	if diff := cmp.Diff(w.Openings(from, from.Add(100*24*time.Hour)), got.(*Window).Openings(from, from.Add(100*24*time.Hour))); diff != "" {
		t.Error(diff)
	}
	if _, err := Restore([]byte(`{"name":"w","timezone":"Nowhere","cron":"0 2 * * SUN","duration":"4h"}`)); err == nil {
		t.Error("a zone that does not exist was restored")
	}
}

// FuzzParse: no text makes a window that cannot be evaluated.
func FuzzParse(f *testing.F) {
	f.Add("0 2 * * SUN", "12-18", "01-07", "UTC")
	f.Add("*/5 0-23/2 1,15 JAN-MAR 0-7", "2026-02-28T10:00", "2026-03-01", "Europe/Berlin")
	f.Fuzz(func(t *testing.T, cron, from, until, zone string) {
		at := time.Unix(1_780_000_000, 0)
		for _, w := range []Window{{Name: "w", Timezone: zone, Cron: cron, Duration: config.Duration(time.Hour)}, {Name: "w", Timezone: zone, From: from, Until: until}} {
			if made, problems := New(w); len(problems) == 0 {
				(Calendar{Allow: []*Window{made}}).At(at)
			}
		}
	})
}

// BenchmarkTenYears is 1,000 windows over ten years; the goal is a second.
func BenchmarkTenYears(b *testing.B) {
	zones := []string{"Europe/Berlin", "America/New_York", "America/Santiago", "UTC"}
	var windows []*Window
	for i := range 1000 {
		windows = append(windows, made(b, weekly(zones[i%len(zones)], []string{"0 2 * * SUN", "30 1 * * *"}[i%2], "4h")))
	}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for b.Loop() {
		for _, w := range windows {
			w.Openings(from, from.AddDate(10, 0, 0))
		}
	}
}

// TestICSLeavesOutWhatIsDenied: an opening within a window that denies everything is no appointment, one that is cut short ends
// there, and what is denied for some blocks is said.
func TestICSLeavesOutWhatIsDenied(t *testing.T) {
	sundays := weekly("UTC", "0 2 * * SUN", "4h")
	sundays.Name = "sundays"
	freeze := Window{Name: "freeze", Deny: true, Timezone: "UTC", From: "2026-12-04", Until: "2026-12-13 04:00"}
	prices := Window{
		Name: "prices", Deny: true, Timezone: "UTC", From: "2026-12-20", Until: "2026-12-20",
		AppliesTo: Selector{Types: []string{"akash_provider", "helm_release"}},
	}
	text := ICS(instant(t, "2026-11-22T12:00:00Z"), []*Window{made(t, sundays), made(t, freeze), made(t, prices)}, 3)
	text = strings.ReplaceAll(text, "\r\n ", "")
	var got []string
	for line := range strings.SplitSeq(text, "\r\n") {
		switch key, value, _ := strings.Cut(line, ":"); key {
		case "DTSTART":
			got = append(got, value)
		case "DTEND", "SUMMARY", "DESCRIPTION":
			got[len(got)-1] += " " + value
		}
	}
	want := []string{
		"20261129T020000Z 20261129T060000Z Maintenance window: sundays",
		"20261213T040000Z 20261213T060000Z Maintenance window: sundays",
		"20261220T020000Z 20261220T060000Z Maintenance window: sundays prices denies it for types akash_provider\\, helm_release.",
		"20261204T000000Z 20261213T040000Z No maintenance: freeze",
		"20261220T000000Z 20261221T000000Z No maintenance: prices Holds for types akash_provider\\, helm_release.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAWindowByItself: one that denies is told in words of its own: it begins, and does not open.
func TestAWindowByItself(t *testing.T) {
	sundays := made(t, weekly("Europe/Berlin", "0 2 * * SUN", "4h"))
	sundays.Name = "sundays"
	christmas := made(t, Window{Name: "christmas", Deny: true, Timezone: "Europe/Berlin", From: "12-18", Until: "01-07"})
	move := made(t, Window{Name: "move", Deny: true, Timezone: "UTC", From: "2026-12-01", Until: "2026-12-02"})
	for _, test := range []struct {
		window *Window
		at     string
		want   string
	}{
		{sundays, "2026-12-06T02:00:00Z", "sundays is open until Sun 2026-12-06 06:00 CET"},
		{sundays, "2026-12-06T05:00:00Z", "sundays is closed; opens Sun 2026-12-13 02:00 CET, in 6d20h"},
		{christmas, "2026-12-06T05:00:00Z", "christmas begins Fri 2026-12-18 00:00 CET, in 11d18h"},
		{christmas, "2026-12-20T05:00:00Z", "christmas denies until Fri 2027-01-08 00:00 CET"},
		{move, "2026-12-20T05:00:00Z", "move denies nothing in the next ten years"},
	} {
		if got := test.window.At(instant(t, test.at)).Why; got != test.want {
			t.Errorf("%s at %s: %q, want %q", test.window.Name, test.at, got, test.want)
		}
	}
}

// TestUnknownLabels: a node whose labels are unknown is let in only when it would be with any labels.
func TestUnknownLabels(t *testing.T) {
	window := func(name, cron, zone string) *Window {
		w := weekly("UTC", cron, "4h")
		w.Name = name
		if zone != "" {
			w.AppliesTo.Labels = map[string]string{"zone": zone}
		}
		return made(t, w)
	}
	plain := window("plain", "0 0 * * SUN", "")
	all := []*Window{plain, window("a", "0 2 * * SUN", "a"), window("b", "0 4 * * SUN", "b"), window("c", "0 4 * * MON", "")}
	step := Subject{Type: "certificates", Address: "certificates.x", Operation: "certificates.restart", Node: "cp1"}
	from, until := instant(t, "2026-12-06T00:00:00Z"), instant(t, "2026-12-08T00:00:00Z")
	opens := func(named []string, labels map[string]string, unknown bool) []Opening {
		step.Labels, step.LabelsUnknown = labels, unknown
		return Of(all, named, step).Openings(from, until)
	}
	for name, test := range map[string]struct {
		named []string
		want  []Opening
	}{
		"a window is named": {[]string{plain.Address()}, []Opening{{from, instant(t, "2026-12-06T04:00:00Z")}}},
		"none is":           {[]string{Always}, []Opening{{instant(t, "2026-12-06T04:00:00Z"), instant(t, "2026-12-06T06:00:00Z")}}},
	} {
		got := opens(test.named, nil, true)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		for _, labels := range []map[string]string{{"zone": "a"}, {"zone": "b"}, {"zone": "c"}, nil} {
			if more := without(got, opens(test.named, labels, false)); len(more) > 0 {
				t.Errorf("%s: open for unknown labels, and not for %v: %v", name, labels, more)
			}
		}
	}
}
