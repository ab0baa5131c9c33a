package helm

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"upkeep/providers/facts"
	"upkeep/providers/helm/objects"
	"upkeep/providers/helm/pending"
	"upkeep/providers/helm/values"
	"upkeep/providers/plain"
)

// Observe reads one release. It does not fail: what cannot be read is in the facts with its reason. mac makes the
// digests that stand for secrets; see values.MAC.
func (c *Client) Observe(ctx context.Context, question facts.ReleaseQuestion, mac values.MAC) facts.Release {
	observed := facts.Release{Namespace: question.Namespace, Name: question.Name}
	history, err := c.history(ctx, question.Namespace, question.Name)
	if err != nil {
		observed.Unknown = explain(err)
		return observed
	}
	var last, deployed *release.Release
	for _, revision := range history {
		last = revision
		if revision.Info.Status == release.StatusDeployed {
			deployed = revision
		}
	}
	var configs []values.Tree
	for _, revision := range history {
		configs = append(configs, revision.Config)
	}
	if question.Offer != nil {
		configs = append(configs, question.Offer.Values)
	}
	// What of the values is shown must not depend on the chart: after an upgrade to one that names other keys, a kept
	// value would look like another one.
	named := question
	named.Keys = slices.Concat(question.Keys, chartKeys(last), chartKeys(deployed))
	redaction := redactionOf(named, mac, configs...)
	switch {
	case last == nil || last.Info.Status == release.StatusUninstalled:
		observed.Missing = true
		observed.History = revisions(history, redaction)
	default:
		c.recorded(&observed, last, deployed, history, question, redaction)
		c.live(ctx, &observed, keptFrom(last, deployed), question, redaction)
	}
	if question.Offer != nil && (question.Offer.Like == nil || !observed.Missing) {
		offer := c.offer(ctx, question, last, deployed, redaction)
		observed.Offer = &offer
	}
	return observed
}

// recorded fills in what Helm's records say.
func (c *Client) recorded(observed *facts.Release, last, deployed *release.Release, history []*release.Release, question facts.ReleaseQuestion, redaction objects.Redaction) {
	observed.Revision = last.Version
	observed.Status = string(last.Info.Status)
	observed.Description = redaction.Scrub(last.Info.Description)
	observed.Updated = last.Info.LastDeployed.Time.UTC()
	observed.Labels = ownLabels(last.Labels)
	observed.History = revisions(history, redaction)
	if last.Chart != nil {
		observed.Chart = versionOf(last.Chart.Metadata)
	}
	observed.Values = values.Mask(last.Config, ruleOf(question), redaction.MAC)
	if kept := keptFrom(last, deployed); kept != last {
		observed.Kept = values.Mask(kept.Config, ruleOf(question), redaction.MAC)
	}
}

// ownLabels are the labels of a record that upkeep writes. What others write there, as key or value, may be anything.
func ownLabels(all map[string]string) map[string]string {
	var out map[string]string
	for key := range pending.Labels(0) {
		value, labelled := all[key]
		if !labelled {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[key] = value
	}
	return out
}

func revisions(history []*release.Release, redaction objects.Redaction) []facts.ReleaseRevision {
	var out []facts.ReleaseRevision
	for _, r := range history {
		f := facts.ReleaseRevision{Revision: r.Version, Status: string(r.Info.Status), Updated: r.Info.LastDeployed.Time.UTC(), Description: redaction.Scrub(r.Info.Description)}
		if r.Chart != nil {
			f.Chart = versionOf(r.Chart.Metadata)
		}
		out = append(out, f)
	}
	return out
}

// history returns all revisions, oldest first; none when there is no such release.
func (c *Client) history(ctx context.Context, namespace, name string) ([]*release.Release, error) {
	configuration, err := c.configuration(namespace)
	if err != nil {
		return nil, err
	}
	var history []*release.Release
	err = c.do(ctx, func() error {
		history, err = configuration.Releases.History(name)
		return err
	})
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(history, func(a, b *release.Release) int { return cmp.Compare(a.Version, b.Version) })
	for i := range history {
		if i > 0 && history[i].Version == history[i-1].Version {
			return nil, fmt.Errorf("two Secrets record revision %d of the release; delete the one that Helm did not write",
				history[i].Version)
		}
	}
	return history, nil
}

// History returns the recorded revisions of a release, oldest first; none when there is no such release. Descriptions
// are left out: Helm's may quote values.
func (c *Client) History(ctx context.Context, namespace, name string) ([]facts.ReleaseRevision, error) {
	history, err := c.history(ctx, namespace, name)
	if err != nil {
		return nil, fmt.Errorf("release %s/%s: %s", namespace, name, explain(err))
	}
	out := revisions(history, objects.Redaction{})
	for i := range out {
		out[i].Description = ""
	}
	return out, nil
}

// Values returns the user's values that an upgrade starts from, secrets and all, and the newest revision. They are for
// acts alone: an archive of what was there before, a merge. They must not reach a plan, a fact or a line of output.
func (c *Client) Values(ctx context.Context, namespace, name string) (map[string]any, int, error) {
	history, err := c.history(ctx, namespace, name)
	if err != nil {
		return nil, 0, fmt.Errorf("release %s/%s: %s", namespace, name, explain(err))
	}
	var last, deployed *release.Release
	for _, revision := range history {
		last = revision
		if revision.Info.Status == release.StatusDeployed {
			deployed = revision
		}
	}
	if last == nil {
		return nil, 0, fmt.Errorf("release %s/%s: %w", namespace, name, driver.ErrReleaseNotFound)
	}
	return values.Clone(keptFrom(last, deployed).Config), last.Version, nil
}

// ruleOf is what a question says of what may be shown.
func ruleOf(question facts.ReleaseQuestion) values.Rule {
	return values.Rule{Secret: question.Mask, Show: question.Show, Known: question.Known, Keys: question.Keys}
}

// chartKeys are the keys that the chart of a revision names.
func chartKeys(of *release.Release) []string {
	if of == nil || of.Chart == nil {
		return nil
	}
	var templates [][]byte
	for _, file := range of.Chart.Templates {
		templates = append(templates, file.Data)
	}
	return values.ChartKeys(of.Chart.Values, of.Chart.Schema, templates...)
}

// redactionOf knows the secrets of all given values, and the texts of which nobody knows whether they are some.
func redactionOf(question facts.ReleaseQuestion, mac values.MAC, trees ...values.Tree) objects.Redaction {
	redaction := objects.Redaction{MAC: mac, Names: question.MaskNames, Shown: question.Environment, Known: question.Known}
	var unknown []string
	for _, tree := range trees {
		redaction.Secrets = append(redaction.Secrets, withDecoded(values.Secrets(tree, question.Mask))...)
		unknown = append(unknown, values.Unknown(tree, ruleOf(question))...)
		redaction.Keys = append(redaction.Keys, values.UnknownKeys(tree, ruleOf(question))...)
	}
	redaction.Secrets = longestFirst(redaction.Secrets)
	redaction.Keys = longestFirst(redaction.Keys)
	unknown = inLines(slices.Concat(unknown, redaction.Keys))
	redaction.Unknown = longestFirst(slices.DeleteFunc(unknown, func(s string) bool {
		return s == question.Namespace || s == question.Name
	}))
	return redaction
}

// longestFirst sorts texts so that one that is part of another does not spoil it, each once.
func longestFirst(texts []string) []string {
	slices.SortFunc(texts, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return slices.Compact(texts)
}

// inLines adds the lines of texts that have several: a chart indents them anew.
func inLines(texts []string) []string {
	out := slices.Clone(texts)
	for _, text := range texts {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); len(line) >= 6 && line != text {
				out = append(out, line)
			}
		}
	}
	return out
}

// withDecoded adds what the secrets are after and before base64: charts take and render both.
func withDecoded(secrets []string) []string {
	out := slices.Clone(secrets)
	for _, secret := range secrets {
		if plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(secret)); err == nil && len(plain) >= 6 {
			out = append(out, strings.TrimSpace(string(plain)))
		}
		out = append(out, base64.StdEncoding.EncodeToString([]byte(secret)))
	}
	return slices.DeleteFunc(inLines(out), func(s string) bool { return len(s) < 6 })
}

// explain shortens errors to what an operator needs.
func explain(err error) string {
	var urlError *url.Error
	switch {
	case errors.As(err, &urlError):
		if at, parseErr := url.Parse(urlError.URL); parseErr == nil {
			return at.Host + ": " + foreign(urlError.Err)
		}
		return foreign(urlError.Err)
	case apierrors.IsUnauthorized(err):
		return "the API server refuses this kubeconfig (Unauthorized); its client certificate may have expired"
	case apierrors.IsForbidden(err):
		return "forbidden: " + plain.Said(err.Error())
	case errors.As(err, new(apierrors.APIStatus)):
		return "the API server says: " + plain.Said(err.Error())
	}
	return foreign(err)
}

// foreign returns an error's text. net/http and crypto/x509 quote a broken answer and the names in a certificate as
// they are: these stand in quotes, on one line. All else is cleaned later, once secrets are out of it: they are found
// by their bytes.
func foreign(err error) string {
	if errors.As(err, new(textproto.ProtocolError)) || errors.As(err, new(x509.HostnameError)) || errors.As(err, new(x509.CertificateInvalidError)) {
		return plain.Said(plain.Line(err.Error()))
	}
	return err.Error()
}
