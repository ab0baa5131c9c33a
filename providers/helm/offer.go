package helm

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/release"
	"k8s.io/apimachinery/pkg/api/meta"

	"upkeep/providers/facts"
	"upkeep/providers/helm/objects"
	"upkeep/providers/helm/values"
	"upkeep/providers/helm/versions"
)

// offer says which versions of a chart there are, which one the question chooses and what it would change.
func (c *Client) offer(ctx context.Context, question facts.ReleaseQuestion, last, deployed *release.Release, redaction objects.Redaction) facts.ChartOffer {
	asked := *question.Offer
	offer := facts.ChartOffer{Source: asked.Source}
	list, err := c.Charts.Versions(ctx, asked.Source)
	if err != nil {
		offer.Unknown = explain(err)
		return offer
	}
	offer.Versions = list
	if newest, ok := versions.Newest(list); ok {
		offer.Newest = newest.Version
	}
	if asked.Like != nil {
		offer.Chosen, err = c.like(ctx, list, *asked.Like)
	} else {
		offer.Chosen, err = keep(list, asked, last)
	}
	if err == nil {
		err = c.Charts.certain(ctx, asked.Source, offer.Chosen.Version, asked.SHA256)
	}
	if err != nil {
		offer.ChosenUnknown = explain(err)
		return offer
	}
	if !asked.Preview {
		return offer
	}
	preview := facts.ReleasePreview{}
	got, err := c.Charts.fetch(ctx, asked.Source, offer.Chosen.Version, asked.SHA256)
	if err != nil {
		preview.Unknown = explain(err)
		offer.Preview = &preview
		return offer
	}
	offer.Digest = got.digest
	if preview, err = c.preview(ctx, got, question, last, deployed, redaction); err != nil {
		preview = facts.ReleasePreview{Unknown: redaction.Scrub(explain(err))}
	}
	offer.Preview = &preview
	return offer
}

// keep chooses a version as a question without Like asks.
func keep(list []facts.ChartVersion, asked facts.OfferQuestion, last *release.Release) (facts.ChartVersion, error) {
	running := ""
	if asked.Keep && last != nil && last.Info.Status != release.StatusUninstalled && last.Chart != nil {
		running = versionOf(last.Chart.Metadata).Version
	}
	return versions.Keep(list, running, asked.Constraint, asked.Exclude)
}

// like chooses the version that goes with a version of another chart.
func (c *Client) like(ctx context.Context, list []facts.ChartVersion, asked facts.LikeQuestion) (facts.ChartVersion, error) {
	other, err := c.Charts.Versions(ctx, asked.Source)
	if err != nil {
		return facts.ChartVersion{}, err
	}
	return versions.Like(list, other, asked.Version)
}

// preview renders a chart with the values that an upgrade would use, and compares.
func (c *Client) preview(ctx context.Context, got archive, question facts.ReleaseQuestion, last, deployed *release.Release, redaction objects.Redaction) (facts.ReleasePreview, error) {
	asked := *question.Offer
	upgrade := Upgrade{Values: asked.Values, Remove: asked.Remove, ResetValues: asked.ResetValues}
	full, err := upgrade.merge(last, deployed)
	if err != nil {
		return facts.ReleasePreview{}, err
	}
	options := chartutil.ReleaseOptions{Name: question.Name, Namespace: question.Namespace, Revision: 1, IsInstall: true}
	var before []objects.Object
	if from := keptFrom(last, deployed); from != nil && last.Info.Status != release.StatusUninstalled {
		options.Revision, options.IsInstall, options.IsUpgrade = last.Version+1, false, true
		if before, err = parseManifest(from.Manifest); err != nil {
			return facts.ReleasePreview{}, fmt.Errorf("the release's present manifest: %w", err)
		}
	}
	after, err := c.render(ctx, got, full, options, asked.Source.Lookup)
	if err != nil {
		return facts.ReleasePreview{}, err
	}
	effects := objects.Compare(normal(before), normal(after.Objects), redaction)
	preview := facts.ReleasePreview{
		Chart:     versionOf(got.Metadata),
		Values:    values.Mask(full, ruleOf(question), redaction.MAC),
		Objects:   effects.Objects,
		Rolls:     effects.Rolls,
		Forbidden: effects.Forbidden,
		CRDs:      after.CRDs,
	}
	preview.Absent, err = c.absent(after.Objects)
	return preview, err
}

// normal writes all objects in one way.
func normal(list []objects.Object) []objects.Object {
	out := make([]objects.Object, len(list))
	for i, o := range list {
		out[i] = typed(o)
	}
	return out
}

// absent returns the kinds of the objects that the cluster does not know, sorted.
func (c *Client) absent(list []objects.Object) ([]string, error) {
	missing := map[string]bool{}
	for _, o := range list {
		_, err := c.mapping(o)
		switch {
		case meta.IsNoMatchError(err):
			missing[objects.APIVersion(o)+" "+objects.Kind(o)] = true
		case err != nil:
			return nil, fmt.Errorf("kinds of the API server: %w", err)
		}
	}
	return slices.Sorted(maps.Keys(missing)), nil
}
