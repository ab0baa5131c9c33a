package helm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"

	"upkeep/providers/helm/values"
)

// frozen is a chart whose templates are the texts that its own templates made. Helm renders a chart within this
// program when it installs or upgrades a release, without any bound, and a template may do another thing each time. Of
// a frozen chart Helm can make nothing but those texts.
type frozen struct {
	chart *chart.Chart
	// original is the chart itself: a release's record holds that one.
	original *chart.Chart
}

// freeze puts texts, by the names that Helm's engine gives them, in the place of a chart's templates.
func freeze(got unpackedChart, full values.Tree, texts map[string]string) (frozen, error) {
	// Helm writes into a chart that it works with, so each of the two is one of its own.
	copied, err := loadFiles(got.Files)
	if err != nil {
		return frozen{}, err
	}
	strip(copied)
	for name, text := range texts {
		inside := strings.TrimPrefix(name, got.Path+"/")
		copied.Templates = append(copied.Templates, &chart.File{Name: inside, Data: literal(text)})
	}
	slices.SortFunc(copied.Templates, func(a, b *chart.File) int { return strings.Compare(a.Name, b.Name) })
	original, err := loadFiles(got.Files)
	if err != nil {
		return frozen{}, err
	}
	// What is recorded is the chart as Helm leaves it: without the dependencies that the values turn off.
	if err := chartutil.ProcessDependenciesWithMerge(original, values.Clone(full)); err != nil {
		return frozen{}, fmt.Errorf("dependencies: %w", err)
	}
	return frozen{copied, original}, nil
}

// strip takes the templates out of a chart and of all that it depends on.
func strip(c *chart.Chart) {
	c.Templates = nil
	for _, dependency := range c.Dependencies() {
		strip(dependency)
	}
}

// literal is a template that makes a text, and nothing else. Strings in templates are those of Go.
func literal(text string) []byte { return []byte("{{ " + strconv.Quote(text) + " }}") }

// keeping stores the records of a release with the chart that they are of, instead of the frozen one.
type keeping struct {
	driver.Driver
	frozen frozen
}

func (k keeping) Create(key string, r *release.Release) error {
	return k.Driver.Create(key, k.record(r))
}
func (k keeping) Update(key string, r *release.Release) error {
	return k.Driver.Update(key, k.record(r))
}

func (k keeping) record(r *release.Release) *release.Release {
	if r == nil || r.Chart != k.frozen.chart {
		return r
	}
	copied := *r
	copied.Chart = k.frozen.original
	return &copied
}

// use lets the records of a configuration hold the original of a frozen chart.
func (f frozen) use(configuration *action.Configuration) {
	configuration.Releases.Driver = keeping{configuration.Releases.Driver, f}
}
