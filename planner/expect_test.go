package planner_test

import (
	"strings"
	"testing"

	"upkeep/planner"
)

func TestExpectations(t *testing.T) {
	p := build(t, twoWidgets())
	w, x := "widget.w="+p.Digests["widget.w"], "widget.x="+p.Digests["widget.x"]
	for name, test := range map[string]struct {
		expect []string
		want   []string // in the error; none: it fits
	}{
		"nothing":             {nil, nil},
		"the plan":            {[]string{p.Digest}, nil},
		"all resources":       {[]string{w, x}, nil},
		"one more resource":   {[]string{w, x, "widget.gone=sha256:0"}, nil},
		"another plan":        {[]string{"sha256:0"}, []string{"and -expect says sha256:0: this is not the plan that was reviewed", p.Digests["widget.w"] + "  widget.w", "-target=ADDRESS"}},
		"one resource only":   {[]string{w}, []string{"widget.x has the digest " + p.Digests["widget.x"] + ", and -expect does not name it", "upkeep apply -target='widget.w' -expect='" + w + "'"}},
		"one that differs":    {[]string{w, "widget.x=sha256:0"}, []string{"widget.x has the digest " + p.Digests["widget.x"] + ", which is another", "upkeep apply -target='widget.w' -expect='" + w + "'"}},
		"none that is equal":  {[]string{"widget.w=sha256:0", "widget.x=sha256:0"}, []string{"widget.w has", "widget.x has"}},
		"empty":               {[]string{""}, []string{"is not a digest"}},
		"an empty address":    {[]string{"=sha256:0"}, []string{"is not a digest"}},
		"no digest":           {[]string{"widget.w"}, []string{"is not a digest"}},
		"two plans":           {[]string{"sha256:0", "sha256:1"}, []string{"names two plans"}},
		"a plan and resource": {[]string{p.Digest, w}, []string{"a plan and single resources"}},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := planner.ParseExpectations(test.expect)
			if err == nil {
				err = e.Check(p)
			}
			if (err != nil) != (len(test.want) > 0) {
				t.Fatalf("error %v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q:\n%v", want, err)
				}
			}
			if name == "none that is equal" && strings.Contains(err.Error(), "To apply") {
				t.Errorf("nothing can be applied: %v", err)
			}
		})
	}
}
