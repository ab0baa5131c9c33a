package helm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"

	"upkeep/providers/facts"
	"upkeep/providers/helm/values"
	"upkeep/providers/plain"
)

// defaultHistory is how many revisions Helm keeps of a release (`helm upgrade --history-max`, v3).
const defaultHistory = 10

// defaultTimeout is Helm's own (`helm upgrade --timeout`, v3).
const defaultTimeout = 5 * time.Minute

// ErrMoved: the release is not at the revision that the caller has seen. Look again before acting.
var ErrMoved = errors.New("the release has moved on")

// ErrPending: an operation on the release has begun and not ended. Repair it first (see package pending).
var ErrPending = errors.New("an operation on the release is pending")

// Upgrade says what a release shall become.
type Upgrade struct {
	Namespace string            `json:"namespace"`
	Release   string            `json:"release"`
	Source    facts.ChartSource `json:"source"`
	// Version is the exact version of the chart: an unpinned one would jump whenever the repository does.
	Version string `json:"version"`
	// SHA256 is the expected digest of the chart; empty is not checked.
	SHA256 string `json:"sha256,omitempty"`
	// Values are laid over the release's present ones after Remove was taken out of them; see values.Merge. With
	// ResetValues they are all there is. They may hold secrets, so they have no place in a plan's JSON: the one who acts
	// makes them again.
	Values      map[string]any `json:"-"`
	Remove      []string       `json:"remove,omitempty"`
	ResetValues bool           `json:"reset_values,omitempty"`
	// Revision is the last revision that the caller has seen: another one is ErrMoved. 0 is not checked.
	Revision int `json:"revision,omitempty"`
	// Install allows to install a release that does not exist; CreateNamespace its namespace, too.
	Install         bool `json:"install,omitempty"`
	CreateNamespace bool `json:"create_namespace,omitempty"`
	// Wait waits until the objects are ready, for Timeout at most (5m when zero). Atomic implies Wait, and goes back to
	// the deployed revision when the upgrade fails; a failed install is uninstalled.
	Wait    bool          `json:"wait,omitempty"`
	Atomic  bool          `json:"atomic,omitempty"`
	Timeout time.Duration `json:"timeout,omitempty"`
	// Labels are put on the release's record; by them a caller knows its own pending operation again.
	Labels      map[string]string `json:"labels,omitempty"`
	Description string            `json:"description,omitempty"`
	// MaxHistory is how many revisions to keep; 10 when zero.
	MaxHistory int `json:"max_history,omitempty"`
	// Mask are the paths of secret values: what is there is taken out of errors.
	Mask []string `json:"mask,omitempty"`
}

// Result is what an upgrade left behind.
type Result struct {
	Revision int
	Chart    facts.ChartVersion
	Digest   string
}

// RolledBack is the error of an upgrade that failed and was undone, as Atomic asks.
type RolledBack struct {
	Err error
	// To is the revision whose content is back; 0 when a failed install was uninstalled.
	To int
}

func (e *RolledBack) Error() string {
	if e.To == 0 {
		return e.Err.Error() + "; the failed install was uninstalled"
	}
	return fmt.Sprintf("%s; rolled back to revision %d", e.Err, e.To)
}

func (e *RolledBack) Unwrap() error { return e.Err }

// Upgrade makes the release what u says, and returns when the change is made: with Wait, when it is ready. A canceled
// ctx ends the waiting, not the writing: a half-written release helps nobody. It needs a release that is not pending.
func (c *Client) Upgrade(ctx context.Context, u Upgrade, progress func(string)) (Result, error) {
	if progress == nil {
		progress = func(string) {}
	}
	name := u.Namespace + "/" + u.Release
	if u.Version == "" {
		return Result{}, fmt.Errorf("release %s: an upgrade needs an exact chart version", name)
	}
	configuration, err := c.acting(ctx, u.Namespace, progress)
	if err != nil {
		return Result{}, fmt.Errorf("release %s: %w", name, err)
	}
	last, deployed, err := lastAndDeployed(configuration, u.Release)
	if err != nil {
		return Result{}, fmt.Errorf("release %s: %w", name, err)
	}
	if err := u.check(last); err != nil {
		return Result{}, fmt.Errorf("release %s: %w", name, err)
	}
	full, err := u.merge(last, deployed)
	if err != nil {
		return Result{}, fmt.Errorf("release %s: %w", name, err)
	}
	// What the caller says itself is known; what the release had is not.
	known := values.Known(u.Values, u.Mask)
	redaction := redactionOf(facts.ReleaseQuestion{Namespace: u.Namespace, Name: u.Release, Mask: u.Mask, Known: known,
		Keys: slices.Concat(values.Keys(values.Remove(u.Values, u.Mask)), chartKeys(last), chartKeys(deployed))}, nil, full)
	progress(fmt.Sprintf("fetching chart %s version %s", u.Source, u.Version))
	got, err := c.Charts.fetch(ctx, u.Source, u.Version, u.SHA256)
	if err != nil {
		return Result{}, fmt.Errorf("release %s: %w", name, err)
	}
	if err := context.Cause(ctx); err != nil {
		return Result{}, err
	}
	install := last == nil || last.Info.Status == release.StatusUninstalled
	texts, err := c.rehearse(ctx, u, got, full, last, install)
	if err != nil {
		return Result{}, fmt.Errorf("release %s: chart version %s: %s", name, u.Version, redaction.Scrub(err.Error()))
	}
	chart, err := freeze(got.unpackedChart, full, texts)
	if err != nil {
		return Result{}, fmt.Errorf("release %s: chart version %s: %s", name, u.Version, redaction.Scrub(err.Error()))
	}
	chart.use(configuration)
	var made *release.Release
	if install {
		made, err = u.install(ctx, configuration, chart, full, last != nil)
	} else {
		made, err = u.upgrade(ctx, configuration, chart, full)
	}
	result := Result{Chart: versionOf(got.Metadata), Digest: got.digest}
	if made != nil {
		result.Revision = made.Version
	}
	if err == nil {
		return result, nil
	}
	err = fmt.Errorf("release %s: chart version %s: %s", name, u.Version, plain.Text(redaction.Scrub(c.explain(ctx, err, made, redaction))))
	if !u.Atomic || made == nil {
		return result, err
	}
	if last != nil && last.Info.Status != release.StatusUninstalled && deployed == nil {
		return result, fmt.Errorf("%w; it is unchanged: no deployed revision exists to go back to", err)
	}
	return result, u.undo(ctx, configuration, made, deployed, err, progress)
}

// rehearse renders the chart within the bounds and its rights to look the cluster up, since Helm itself has
// neither. It returns what Helm is to make: the options are those that Helm takes for an install and an upgrade.
func (c *Client) rehearse(ctx context.Context, u Upgrade, got archive, full values.Tree, last *release.Release, install bool) (map[string]string, error) {
	options := chartutil.ReleaseOptions{Name: u.Release, Namespace: u.Namespace, Revision: 1, IsInstall: install, IsUpgrade: !install}
	if !install {
		options.Revision = last.Version + 1
	}
	o := order{Chart: got.Metadata.Name, Files: got.Files, Values: full, Options: options, Texts: true}
	out, err := c.rendered(ctx, o, u.Source.Lookup)
	return out.Texts, err
}

func (u Upgrade) check(last *release.Release) error {
	switch {
	case last == nil && u.Revision > 0:
		return fmt.Errorf("%w: it was at revision %d and is gone", ErrMoved, u.Revision)
	case last == nil && !u.Install:
		return fmt.Errorf("there is no such release: %w", driver.ErrReleaseNotFound)
	case last == nil:
		return nil
	case u.Revision > 0 && last.Version != u.Revision:
		return fmt.Errorf("%w: it is at revision %d, not %d", ErrMoved, last.Version, u.Revision)
	case last.Info.Status.IsPending():
		return fmt.Errorf("%w: revision %d is %s", ErrPending, last.Version, last.Info.Status)
	case last.Info.Status == release.StatusUninstalling:
		return fmt.Errorf("revision %d is being uninstalled; let it end, or run `helm uninstall -n %s %s`", last.Version, u.Namespace, u.Release)
	case last.Info.Status == release.StatusUninstalled && !u.Install:
		return fmt.Errorf("it was uninstalled: %w", driver.ErrReleaseNotFound)
	}
	return nil
}

// merge returns the full values. They are laid over those of the deployed revision: values of a failed one were never
// in force.
func (u Upgrade) merge(last, deployed *release.Release) (values.Tree, error) {
	base := values.Tree{}
	if kept := keptFrom(last, deployed); kept != nil && !u.ResetValues {
		base = kept.Config
	}
	return values.Normalize(values.Merge(values.Remove(base, u.Remove), u.Values))
}

// keptFrom is the revision whose values an upgrade keeps.
func keptFrom(last, deployed *release.Release) *release.Release {
	if deployed != nil {
		return deployed
	}
	return last
}

func (u Upgrade) timeout() time.Duration {
	if u.Timeout == 0 {
		return defaultTimeout
	}
	return u.Timeout
}

func (u Upgrade) history() int {
	if u.MaxHistory == 0 {
		return defaultHistory
	}
	return u.MaxHistory
}

func (u Upgrade) upgrade(ctx context.Context, configuration *action.Configuration, chart frozen, full values.Tree) (*release.Release, error) {
	run := action.NewUpgrade(configuration)
	run.Namespace = u.Namespace
	run.ResetValues = true
	run.Wait = u.Wait || u.Atomic
	run.Timeout = u.timeout()
	run.MaxHistory = u.history()
	run.Labels = u.Labels
	run.Description = u.Description
	return run.RunWithContext(context.WithoutCancel(ctx), u.Release, chart.chart, full)
}

func (u Upgrade) install(ctx context.Context, configuration *action.Configuration, chart frozen, full values.Tree, replace bool) (*release.Release, error) {
	run := action.NewInstall(configuration)
	run.ReleaseName = u.Release
	run.Namespace = u.Namespace
	run.CreateNamespace = u.CreateNamespace
	run.Replace = replace
	run.Wait = u.Wait || u.Atomic
	run.Timeout = u.timeout()
	run.Labels = u.Labels
	run.Description = u.Description
	return run.RunWithContext(context.WithoutCancel(ctx), chart.chart, full)
}

// undo goes back to what was deployed. It does so even after ctx was canceled: the promise of Atomic holds then, too.
// Where somebody has gone on from what was made, there is nothing left to undo: a process that was paused while Helm
// waited may wake long after another run has taken its lock and upgraded the release.
func (u Upgrade) undo(ctx context.Context, configuration *action.Configuration, made, deployed *release.Release, failure error, progress func(string)) error {
	switch last, _, err := lastAndDeployed(configuration, u.Release); {
	case err != nil:
		return fmt.Errorf("%w; it was not undone: %w", failure, err)
	case last == nil:
		return fmt.Errorf("%w; it was not undone: %w: the release is gone", failure, ErrMoved)
	case last.Version != made.Version:
		return fmt.Errorf("%w; it was not undone: %w: revision %d came after revision %d", failure, ErrMoved, last.Version, made.Version)
	}
	// The client of the canceled wait would not wait either; what comes back was ready before.
	ctx = context.WithoutCancel(ctx)
	if w, ok := configuration.KubeClient.(*waiting); ok {
		w.ctx = ctx
	}
	if deployed == nil {
		progress("uninstalling the failed install")
		run := action.NewUninstall(configuration)
		run.Timeout = u.timeout()
		run.IgnoreNotFound = true
		if _, err := run.Run(u.Release); err != nil {
			return fmt.Errorf("%w; uninstalling it failed as well: %w", failure, err)
		}
		return &RolledBack{Err: failure}
	}
	progress(fmt.Sprintf("rolling back to revision %d", deployed.Version))
	if err := rollback(configuration, Rollback{Release: u.Release, To: deployed.Version, Wait: true, Timeout: u.timeout(), MaxHistory: u.MaxHistory}); err != nil {
		return fmt.Errorf("%w; rolling back to revision %d failed as well: %w", failure, deployed.Version, err)
	}
	return &RolledBack{Err: failure, To: deployed.Version}
}

// Rollback says which revision of a release shall be in force again.
type Rollback struct {
	Namespace string `json:"namespace"`
	Release   string `json:"release"`
	// To is the revision to go back to; Revision the last one that the caller has seen (0: not checked).
	To         int           `json:"to"`
	Revision   int           `json:"revision,omitempty"`
	Wait       bool          `json:"wait,omitempty"`
	Timeout    time.Duration `json:"timeout,omitempty"`
	MaxHistory int           `json:"max_history,omitempty"`
}

// Rollback makes an earlier revision's chart and values the newest revision.
func (c *Client) Rollback(ctx context.Context, r Rollback, progress func(string)) error {
	name := r.Namespace + "/" + r.Release
	configuration, err := c.acting(ctx, r.Namespace, progress)
	if err != nil {
		return fmt.Errorf("release %s: %w", name, err)
	}
	last, _, err := lastAndDeployed(configuration, r.Release)
	switch {
	case err != nil:
		return fmt.Errorf("release %s: %w", name, err)
	case last == nil:
		return fmt.Errorf("release %s: %w", name, driver.ErrReleaseNotFound)
	case r.Revision > 0 && last.Version != r.Revision:
		return fmt.Errorf("release %s: %w: it is at revision %d, not %d", name, ErrMoved, last.Version, r.Revision)
	case last.Info.Status.IsPending():
		return fmt.Errorf("release %s: %w: revision %d is %s", name, ErrPending, last.Version, last.Info.Status)
	}
	if err := rollback(configuration, r); err != nil {
		return fmt.Errorf("release %s: rolling back to revision %d: %w", name, r.To, err)
	}
	return nil
}

func rollback(configuration *action.Configuration, r Rollback) error {
	run := action.NewRollback(configuration)
	run.Version = r.To
	run.Wait = r.Wait
	run.Timeout = Upgrade{Timeout: r.Timeout}.timeout()
	run.MaxHistory = Upgrade{MaxHistory: r.MaxHistory}.history()
	return run.Run(r.Release)
}

// lastAndDeployed returns the newest revision and the newest deployed one; nil where there is none.
func lastAndDeployed(configuration *action.Configuration, name string) (last, deployed *release.Release, err error) {
	history, err := configuration.Releases.History(name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading Helm's records: %w", err)
	}
	slices.SortFunc(history, func(a, b *release.Release) int { return a.Version - b.Version })
	for _, revision := range history {
		last = revision
		if revision.Info.Status == release.StatusDeployed {
			deployed = revision
		}
	}
	return last, deployed, nil
}
