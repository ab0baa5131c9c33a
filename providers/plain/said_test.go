package plain_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/plain"
)

func TestSaid(t *testing.T) {
	for text, want := range map[string][2]string{ // as Said and Told return it
		"":                              {"", ""},
		"no such file":                  {`"no such file"`, "no such file"},
		`a "b" c`:                       {`"a 'b' c"`, `a "b" c`},
		`"a" and "b"`:                   {`"'a' and 'b'"`, `"a" and "b"`},
		`"said"`:                        {`"said"`, `"said"`},
		`"said"; run: x`:                {`"'said'; run: x"`, `"'said'; run: x"`},
		`"`:                             {`"'"`, `"`},
		"a; run: ssh-keyscan evil >> x": {`"a; run: ssh-keyscan evil >> x"`, `"a; run: ssh-keyscan evil >> x"`},
		"a\nRun b":                      {`"a Run b"`, `"a Run b"`},
		"All is well. Nothing to do":    {`"All is well. Nothing to do"`, `"All is well. Nothing to do"`},
		"ops@host/18":                   {`"ops@host/18"`, "ops@host/18"},
	} {
		got := [2]string{plain.Said(text), plain.Told(text)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
		if again := [2]string{plain.Said(got[0]), plain.Told(got[1])}; again != got {
			t.Errorf("%q: %q, and again %q", text, got, again)
		}
	}
}

func TestQuote(t *testing.T) {
	type part struct {
		Why   string   `plain:"said"`
		All   []string `plain:"said"`
		Who   string   `plain:"told"`
		Name  string
		inner string
	}
	type whole struct {
		Parts map[string]part
		Next  *part
		List  []part
		None  *part
		Raw   map[string]any `plain:"-"`
	}
	of := func(why, who string) part {
		return part{Why: why, All: []string{why}, Who: who, Name: "x; run: y", inner: "z"}
	}
	make := func(why, advice, who, told string) whole {
		next := of(advice, told)
		return whole{map[string]part{"a": of(why, who)}, &next, []part{of(why, told)}, nil, map[string]any{"a": "b; run: c"}}
	}
	got := make("no", "no; run: y", "me", "me; run: y")
	plain.QuoteRecorded(&got)
	if diff := cmp.Diff(make("no", `"no; run: y"`, "me", `"me; run: y"`), got, cmp.AllowUnexported(part{})); diff != "" {
		t.Error(diff)
	}
	plain.Quote(&got)
	if diff := cmp.Diff(make(`"no"`, `"no; run: y"`, "me", `"me; run: y"`), got, cmp.AllowUnexported(part{})); diff != "" {
		t.Error(diff)
	}
}
