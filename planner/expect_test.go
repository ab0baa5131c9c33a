package planner_test

import (
	"errors"
	"maps"
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
		"one more resource":   {[]string{w, x, "widget.gone=sha256:" + strings.Repeat("0", 64)}, nil},
		"another plan":        {[]string{"sha256:" + strings.Repeat("0", 64)}, []string{"and -expect says sha256:" + strings.Repeat("0", 64) + ": this is not the plan that was reviewed", p.Digests["widget.w"] + "  widget.w", "-target=ADDRESS"}},
		"one resource only":   {[]string{w}, []string{"widget.x was not reviewed: its digest is " + p.Digests["widget.x"], "upkeep apply -target='widget.w' -expect='" + w + "'"}},
		"one that differs":    {[]string{w, "widget.x=sha256:" + strings.Repeat("0", 64)}, []string{"widget.x differs: its digest is " + p.Digests["widget.x"] + ", which is not the reviewed one", "upkeep apply -target='widget.w' -expect='" + w + "'"}},
		"none that is equal":  {[]string{"widget.w=sha256:" + strings.Repeat("0", 64), "widget.x=sha256:" + strings.Repeat("0", 64)}, []string{"widget.w differs", "widget.x differs"}},
		"empty":               {[]string{""}, []string{"is not a digest"}},
		"an empty address":    {[]string{"=sha256:" + strings.Repeat("0", 64)}, []string{"is not a digest"}},
		"no digest":           {[]string{"widget.w"}, []string{"is not a digest"}},
		"two plans":           {[]string{"sha256:" + strings.Repeat("0", 64), "sha256:" + strings.Repeat("1", 64)}, []string{"names two plans"}},
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

// Where what the reviewed plan was made of is known, the resources that differ are named although only its digest was
// given.
func TestAReviewedPlanIsComparedByResource(t *testing.T) {
	reviewed := build(t, twoWidgets())
	r := twoWidgets()
	r.Desired.Resources[0].Value = with(&r, func(w *widget) { w.Version = "3" })
	now := build(t, r)
	e, err := planner.ParseExpectations([]string{reviewed.Digest})
	if err != nil {
		t.Fatal(err)
	}
	var differs *planner.ExpectationError
	if !errors.As(e.Check(now), &differs) {
		t.Fatal("another plan is the reviewed one")
	}
	digests := maps.Clone(reviewed.Digests)
	digests["widget.gone"] = "sha256:" + strings.Repeat("0", 64)
	text := differs.Against(digests).Error()
	for _, want := range []string{
		"and -expect says " + reviewed.Digest, "widget.w differs: its digest is " + now.Digests["widget.w"], "widget.gone was reviewed, and nothing is due",
		"upkeep apply -target='widget.x' -expect='widget.x=" + now.Digests["widget.x"] + "'",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the error does not say %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "-target='widget.w'") {
		t.Errorf("the command applies what differs:\n%s", text)
	}
}
