package planner

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Expectations are the digests that somebody reviewed: of a plan, or of single resources.
type Expectations struct {
	Plan      string
	Resources map[string]string // by address
}

// ParseExpectations reads the values of -expect: "sha256:…" is a plan's digest, "ADDRESS=sha256:…" that of a resource.
func ParseExpectations(texts []string) (Expectations, error) {
	e := Expectations{Resources: map[string]string{}}
	for _, text := range texts {
		address, digest := "", text
		if i := strings.LastIndex(text, "="); i >= 0 {
			address, digest = text[:i], text[i+1:]
		}
		switch {
		case !strings.HasPrefix(digest, "sha256:") || strings.Contains(text, "=") && address == "":
			return e, fmt.Errorf("-expect=%s is not a digest; write -expect=sha256:… for a plan, or -expect=ADDRESS=sha256:… for one resource of it", text)
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
	// reviewed one. All sorted.
	Differ, Unreviewed, Equal []string
	// Digests are those of the plan's resources.
	Digests map[string]string
}

// Error names the resources that differ and the command that applies the others. Of a whole plan only its digest is known,
// which does not tell what differs: then it lists the digests to compare with those of the review.
func (e *ExpectationError) Error() string {
	var out strings.Builder
	if e.Reviewed != "" {
		fmt.Fprintf(&out, "the plan's digest is %s, and -expect says %s: this is not the plan that was reviewed; nothing was changed", e.Digest, e.Reviewed)
		if len(e.Digests) > 0 {
			out.WriteString("\nCompare the digests of its resources with those of the review (upkeep show -json, .upkeep.digests):")
			for _, address := range slices.Sorted(maps.Keys(e.Digests)) {
				fmt.Fprintf(&out, "\n  %s  %s", e.Digests[address], address)
			}
			out.WriteString("\nTo apply those that are equal: upkeep apply -target=ADDRESS -expect=ADDRESS=sha256:…")
		}
		return out.String()
	}
	out.WriteString("this is not what was reviewed, and nothing was changed:")
	for _, address := range e.Differ {
		fmt.Fprintf(&out, "\n  %s has the digest %s, which is another than the reviewed one", address, e.Digests[address])
	}
	for _, address := range e.Unreviewed {
		fmt.Fprintf(&out, "\n  %s has the digest %s, and -expect does not name it", address, e.Digests[address])
	}
	if len(e.Equal) > 0 {
		out.WriteString("\nTo apply what is equal: upkeep apply")
		for _, address := range e.Equal {
			fmt.Fprintf(&out, " -target='%s'", address)
		}
		for _, address := range e.Equal {
			fmt.Fprintf(&out, " -expect='%s=%s'", address, e.Digests[address])
		}
	}
	return out.String()
}

// Check returns an *ExpectationError where a plan is not what was reviewed. A plan that does less than what was reviewed is:
// each of its resources has the reviewed digest.
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
	for _, address := range slices.Sorted(maps.Keys(p.Digests)) {
		switch digest, named := e.Resources[address]; {
		case !named:
			out.Unreviewed = append(out.Unreviewed, address)
		case digest != p.Digests[address]:
			out.Differ = append(out.Differ, address)
		default:
			out.Equal = append(out.Equal, address)
		}
	}
	if len(out.Differ)+len(out.Unreviewed) > 0 {
		return out
	}
	return nil
}
