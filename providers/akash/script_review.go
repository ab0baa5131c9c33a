package akash

import (
	"fmt"

	"upkeep/providers"
)

// reviewScript finds the script that is wanted, if one is, and looks at the one that the release has.
func (r *review) reviewScript() {
	want := r.spec.Script
	if want == nil {
		return
	}
	r.script, r.known = want.Text, true
	if want.URL == "" {
		return
	}
	d, asked := r.in.World.Downloads[want.URL]
	switch {
	case !asked || d.Unknown != "":
		why := d.Unknown
		if !asked {
			why = "the facts do not hold it"
		}
		r.known = false
		r.add(providers.Finding{ID: "BID_SCRIPT_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Object: want.URL, Summary: "cannot be fetched: " + why}, "bid_script.url")
		r.block("the script cannot be fetched")
	case d.SHA256 != want.SHA256:
		r.known = false
		r.add(providers.Finding{
			ID: "BID_SCRIPT_DIGEST", Severity: providers.SeverityError, Object: want.URL,
			Summary: fmt.Sprintf("has the SHA-256 %s, and not %s", d.SHA256, want.SHA256),
			Hint:    "somebody changed the file at the URL. Read the file, then write the digest that was found",
		}, "bid_script.sha256")
		r.block("the script behind the URL is another one")
	default:
		r.script = d.Text
	}
}

// hasScript reports whether the release has the script that is wanted.
func (r *review) hasScript() bool {
	body, ok := scriptOf(r.release.Values)
	return ok && body == r.script
}
