package akash

import (
	"fmt"
	"strings"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/akash/vocabulary"
	"upkeep/providers/helm/versions"
)

// valueImageTag replaces the program that a version of the chart brings.
const valueImageTag = "image.tag"

// vocabulary warns of values that the declared chart does not read, and of one that overrides the chart.
func (r *reading) vocabulary(tree map[string]any) {
	c := r.spec.Chart
	if c == nil || c.Source.Path != "" || c.Source.Name != vocabulary.Chart {
		return // another chart, or one that somebody may have changed
	}
	for _, u := range vocabulary.UnreadValues(c.Version, tree) {
		text, _ := unreadText(u, c.Version)
		r.warn(r.block, r.block.Item("values", u.Path), "A value that the chart does not read", "%s", sentence(text))
	}
	if image, ok := tree["image"].(map[string]any); ok && image["tag"] != nil && image["tag"] != "" {
		r.warn(r.block, r.block.Item("values", valueImageTag), "A program that is not the chart's",
			"image.tag = %v overrides the program of chart version %s, and stays when the chart is upgraded. Remove image.tag.", image["tag"], c.Version)
	}
}

func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] + "." }

// unreadText says why a value has no effect, and whether it looks like another one that was meant.
func unreadText(u vocabulary.Unread, version string) (text string, misspelt bool) {
	switch {
	case u.Since == "":
		text = fmt.Sprintf("chart version %s does not read %s, so the value has no effect", version, u.Path)
		if near := config.Suggest(u.Path, vocabulary.Paths(version)); near != "" {
			text += fmt.Sprintf(". Did you mean %q?%s", near, ownArgument(near))
			return strings.TrimSuffix(text, "."), true
		}
	case versions.Older(version, u.Since):
		text = fmt.Sprintf("chart version %s does not read %s, which %s is the first to read", version, u.Path, u.Since)
	default:
		text = fmt.Sprintf("chart version %s no longer reads %s: %s is the first that does not", version, u.Path, u.Until)
	}
	return text, false
}

// ownArgument says which argument of the block sets a value.
func ownArgument(path string) string {
	switch {
	case path == valueScript:
		return " The block bid_script sets it."
	case path == valueGPU:
		return " price_targets.gpu sets it."
	case strings.HasPrefix(path, "price_target_"):
		return " price_targets." + strings.TrimPrefix(path, "price_target_") + " sets it."
	}
	return ""
}

// reviewVocabulary looks for values of the release that its chart does not read, and for what is known against the
// chart.
func (r *review) reviewVocabulary() {
	if r.release.Chart.Name != vocabulary.Chart {
		return
	}
	version := r.release.Chart.Version
	if r.spec.Chart != nil {
		version = r.spec.Chart.Version
	}
	for _, u := range vocabulary.UnreadValues(version, r.release.Values) {
		severity := providers.SeverityNote
		text, misspelt := unreadText(u, version)
		if misspelt {
			severity = providers.SeverityWarning
		}
		r.add(providers.Finding{
			ID: "CHART_VALUE_UNKNOWN", Severity: severity, Object: u.Path, Summary: text,
			Hint: fmt.Sprintf("remove it with values = { %s = null } where it is not meant", u.Path),
		}, "values")
	}
	if image, ok := r.release.Values["image"].(map[string]any); ok && image["tag"] != nil && image["tag"] != "" {
		r.add(providers.Finding{
			ID: "CHART_IMAGE_OVERRIDDEN", Severity: providers.SeverityWarning, Object: valueImageTag,
			Summary: fmt.Sprintf("image.tag is %v, which overrides the program of chart version %s", image["tag"], version),
			Hint:    "remove it with values = { image = { tag = null } }; an upgrade of the chart does not change the program while it stands",
		}, "values")
	}
	for _, b := range vocabulary.Against(version) {
		r.add(providers.Finding{
			ID: "CHART_KNOWN_ISSUE", Severity: providers.SeverityNote, Object: version, Summary: b.Why, Hint: "take " + b.Instead + " (" + b.Source + ")",
		}, "chart.version")
	}
}
