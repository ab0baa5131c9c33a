package akash

import (
	"fmt"
	"strings"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/akash/vocabulary"
	"upkeep/providers/helm/values"
	"upkeep/providers/helm/versions"
)

// These values replace the program that a version of the chart brings, and the registry that it comes from. The chart
// writes REPOSITORY:TAG, where TAG is its own version of the program unless image.tag says another one.
const (
	valueImageTag        = "image.tag"
	valueImageRepository = "image.repository"
	chartsRepository     = "ghcr.io/akash-network/provider"
)

// imageValue is a text under the chart's value image; empty where the values do not set one.
func imageValue(tree map[string]any, key string) string {
	image, ok := tree["image"].(map[string]any)
	if !ok || image[key] == nil {
		return ""
	}
	return fmt.Sprint(image[key])
}

// tagged says whether an image's repository names a tag or a digest already, so that nothing can be put behind it.
func tagged(repository string) bool {
	name := repository[strings.LastIndexByte(repository, '/')+1:] // a port stands before it
	return strings.ContainsAny(name, "@:")
}

// taggedText says what comes of it.
func taggedText(repository string) string {
	return fmt.Sprintf("image.repository is %s, which ends with a tag or a digest; "+
		"the chart writes another tag behind that, so no node can pull the image", repository)
}

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
	if tag := imageValue(tree, "tag"); tag != "" {
		r.warn(r.block, r.block.Item("values", valueImageTag), "A program that is not the chart's",
			"image.tag = %s overrides the program of chart version %s, and stays when the chart is upgraded. Remove image.tag.",
			tag, c.Version)
	}
	if repository := imageValue(tree, "repository"); tagged(repository) {
		r.warn(r.block, r.block.Item("values", valueImageRepository), "An image that no node can pull",
			"%s Write the tag or digest into image.tag.", sentence(taggedText(repository)))
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
		if values.HidesKey(u.Path) {
			r.add(providers.Finding{
				ID: "CHART_VALUE_UNKNOWN", Severity: providers.SeverityNote, Object: u.Path,
				Summary: fmt.Sprintf("chart version %s does not read a value of the release. "+
					"Its key may be a secret and is not shown", version),
				Hint: fmt.Sprintf("look at it with `helm get values -n %s %s`", r.spec.Namespace, r.spec.Release),
			}, "values")
			continue
		}
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
	r.reviewImage(version)
	for _, b := range vocabulary.Against(version) {
		r.add(providers.Finding{
			ID: "CHART_KNOWN_ISSUE", Severity: providers.SeverityNote, Object: version, Summary: b.Why,
			Hint: "take " + b.Instead + " (" + b.Source + ")",
		}, "chart.version")
	}
}

// reviewImage looks for values of the release that take another program than the chart's, or take it from elsewhere.
func (r *review) reviewImage(version string) {
	if tag := imageValue(r.release.Values, "tag"); tag != "" {
		r.add(providers.Finding{
			ID: "CHART_IMAGE_OVERRIDDEN", Severity: providers.SeverityWarning, Object: valueImageTag,
			Summary: fmt.Sprintf("image.tag is %s, which overrides the program of chart version %s", tag, version),
			Hint: "remove it with values = { image = { tag = null } }; " +
				"an upgrade of the chart does not change the program while it stands",
		}, "values")
	}
	switch repository := imageValue(r.release.Values, "repository"); {
	case tagged(repository):
		r.add(providers.Finding{
			ID: "CHART_IMAGE_OVERRIDDEN", Severity: providers.SeverityWarning, Object: valueImageRepository,
			Summary: taggedText(repository),
			Hint: "write the tag or digest into image.tag, " +
				"or remove the value with values = { image = { repository = null } }",
		}, "values")
	case repository != "" && repository != chartsRepository:
		r.add(providers.Finding{
			ID: "CHART_IMAGE_OVERRIDDEN", Severity: providers.SeverityNote, Object: valueImageRepository,
			Summary: fmt.Sprintf("image.repository is %s; chart version %s takes its program from %s", repository, version,
				chartsRepository),
			Hint: "make sure that this registry has the program of each chart version before an upgrade",
		}, "values")
	}
}
