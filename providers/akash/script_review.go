package akash

import (
	"fmt"

	"upkeep/providers"
	"upkeep/providers/akash/price"
	"upkeep/providers/akash/script"
)

// reviewScript finds the script that is wanted, if one is, and looks at the one that the release has.
func (r *review) reviewScript() {
	want := r.spec.Script
	if want == nil {
		return
	}
	r.script, r.known = want.Text, true
	if want.URL == "" {
		r.compile()
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
		r.add(providers.Finding{ID: "BID_SCRIPT_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Object: want.URL,
			Summary: "cannot be fetched: " + why}, "bid_script.url")
		r.block("the script cannot be fetched")
	case d.SHA256 != want.SHA256:
		r.known = false
		f := providers.Finding{
			ID: "BID_SCRIPT_DIGEST", Severity: providers.SeverityError, Object: want.URL,
			Summary: fmt.Sprintf("has the SHA-256 %s, and not %s", d.SHA256, want.SHA256),
			Hint:    "somebody changed the file at the URL. Read the file, then write the digest that was found",
		}
		if why := script.Recognise([]byte(d.Text)).Unusable; why != "" {
			f.Summary, f.Hint = f.Summary+": "+why, "open the URL: a proxy or a sign-in page may have answered"
		}
		r.add(f, "bid_script.sha256")
		r.block("the script behind the URL is another one")
	default:
		r.script = d.Text
		r.compile()
	}
}

// compile puts the policy before the script that is wanted, and refuses one that the provider cannot run, or whose
// prices upkeep would misread. One that the release has from another generator stays.
func (r *review) compile() {
	if why := r.reviewText(r.script, script.Recognise([]byte(r.script))); why != "" {
		r.known = false
		r.block(why)
		return
	}
	text, err := compiled(r.spec.Policy, r.script)
	if err != nil {
		r.known = false
		r.add(providers.Finding{
			ID: "BID_SCRIPT_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Object: "price_targets", Summary: "the policy cannot be put before the script: " + err.Error(),
		}, "price_targets")
		r.block("the policy cannot be put before the script")
		return
	}
	r.script = text
	if has, ok := scriptOf(r.release.Values); ok && script.SamePolicy([]byte(has), []byte(text)) {
		r.script = has
	}
}

// compiled is a published script under a policy; without one, the text itself.
func compiled(policy *price.Policy, text string) (string, error) {
	if policy == nil {
		return text, nil
	}
	version := script.Recognise([]byte(text)).Version
	if published, ok := script.PublishedWith(digest([]byte(text))); ok {
		version = published.Version
	}
	out, err := script.Compile(*policy, version, []byte(text))
	return string(out), err
}

// hasScript reports whether the release has the script that is wanted.
func (r *review) hasScript() bool {
	body, ok := scriptOf(r.release.Values)
	return ok && body == r.script
}
