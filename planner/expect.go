package planner

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Expectations are the digests that somebody reviewed: of a plan, or of single resources.
type Expectations struct {
	Plan      string
	Resources map[string]string // by address
}

// digestPattern is what Plan.Digest and its resources' digests look like.
var digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// ParseExpectations reads the values of -expect: "sha256:…" is a plan's digest, "ADDRESS=sha256:…" that of a resource.
func ParseExpectations(texts []string) (Expectations, error) {
	e := Expectations{Resources: map[string]string{}}
	for _, text := range texts {
		address, digest := "", text
		if i := strings.LastIndex(text, "="); i >= 0 {
			address, digest = text[:i], text[i+1:]
		}
		switch {
		case !digestPattern.MatchString(digest) || strings.Contains(text, "=") && address == "":
			return e, fmt.Errorf("-expect=%s is not a digest; write -expect=sha256: and 64 letters of 0-9 and a-f for a plan, "+
				"or -expect=ADDRESS=sha256:… for one resource of it", text)
		case address != "":
			e.Resources[address] = digest
		case e.Plan != "" && e.Plan != digest:
			return e, fmt.Errorf("-expect names two plans, %s and %s; give the digest of the plan that you reviewed", e.Plan, digest)
		default:
			e.Plan = digest
		}
	}
	if e.Plan != "" && len(e.Resources) > 0 {
		return e, fmt.Errorf("-expect names a plan and single resources; give the digest of the plan, or those of its resources")
	}
	return e, nil
}

// ExpectationError says in what a plan is not the one that was reviewed. Nothing was changed.
type ExpectationError struct {
	// Reviewed is the plan's digest that was expected; empty where resources were.
	Reviewed string
	Digest   string
	// Differ and Unreviewed are the resources with another digest than the reviewed one, and with none; Equal have the
	// reviewed one, and for Gone, which were reviewed, nothing is due any more. All sorted.
	Differ, Unreviewed, Equal, Gone []string
	// Digests are those of the plan's resources.
	Digests map[string]string
}

// Against returns the error with the resources named, once the digests of the reviewed plan's resources are known.
func (e *ExpectationError) Against(reviewed map[string]string) *ExpectationError {
	if len(reviewed) == 0 {
		return e
	}
	out := compareReviewed(reviewed, e.Digests)
	out.Reviewed, out.Digest = e.Reviewed, e.Digest
	for _, address := range slices.Sorted(maps.Keys(reviewed)) {
		if _, due := e.Digests[address]; !due {
			out.Gone = append(out.Gone, address)
		}
	}
	return out
}

func compareReviewed(reviewed, digests map[string]string) *ExpectationError {
	out := &ExpectationError{Digests: digests}
	for _, address := range slices.Sorted(maps.Keys(digests)) {
		switch digest, named := reviewed[address]; {
		case !named:
			out.Unreviewed = append(out.Unreviewed, address)
		case digest != digests[address]:
			out.Differ = append(out.Differ, address)
		default:
			out.Equal = append(out.Equal, address)
		}
	}
	return out
}

// Error names the resources that differ and the command that applies the others. Where only the digest of a reviewed
// plan is known, which does not tell what differs, it lists the digests to compare with those of the review.
func (e *ExpectationError) Error() string {
	var out strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&out, format, args...) }
	if e.Reviewed != "" {
		line("the plan's digest is %s, and -expect says %s: this is not the plan that was reviewed; nothing was changed", e.Digest, e.Reviewed)
	} else {
		line("this is not the plan that was reviewed; nothing was changed")
	}
	if len(e.Differ)+len(e.Unreviewed)+len(e.Equal)+len(e.Gone) == 0 {
		if len(e.Digests) > 0 {
			line("\nCompare the digests of its resources with those of the review (upkeep show -json, .upkeep.digests):")
			for _, address := range slices.Sorted(maps.Keys(e.Digests)) {
				line("\n  %s  %s", e.Digests[address], address)
			}
			line("\nTo apply the equal ones: upkeep apply -target=ADDRESS -expect=ADDRESS=sha256:…")
		}
		return out.String()
	}
	for _, address := range e.Differ {
		line("\n  %s differs: its digest is %s, which is not the reviewed one", address, e.Digests[address])
	}
	for _, address := range e.Unreviewed {
		line("\n  %s was not reviewed: its digest is %s", address, e.Digests[address])
	}
	for _, address := range e.Gone {
		line("\n  %s was reviewed, and nothing is due for it in this plan", address)
	}
	if len(e.Equal) > 0 {
		line("\nTo apply what is equal:\n  upkeep apply")
		for _, address := range e.Equal {
			line(" -target='%s'", address)
		}
		for _, address := range e.Equal {
			line(" -expect='%s=%s'", address, e.Digests[address])
		}
	}
	return out.String()
}

// Check returns an *ExpectationError where a plan is not what was reviewed. A plan that does less than what was
// reviewed is: each of its resources has the reviewed digest.
func (e Expectations) Check(p Plan) error {
	out := &ExpectationError{Reviewed: e.Plan, Digest: p.Digest, Digests: p.Digests}
	if e.Plan != "" {
		if e.Plan == p.Digest {
			return nil
		}
		return out
	}
	if len(e.Resources) == 0 {
		return nil
	}
	if out = compareReviewed(e.Resources, p.Digests); len(out.Differ)+len(out.Unreviewed) > 0 {
		return out
	}
	return nil
}
