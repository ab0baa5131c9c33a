package helm

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"

	"upkeep/providers/bounded"
)

// unpackMemory bounds the heap of the program that unpacks a chart. Helm takes 100 MiB of files, and upkeep writes them
// once as JSON.
const unpackMemory = 1 << 30

// packedChart is a chart as a repository or a person wrote it: one of an archive's bytes and the absolute path of a
// directory.
type packedChart struct {
	Archive   []byte `json:",omitempty"`
	Directory string `json:",omitempty"`
}

// unpackedChart is what a chart is made of, as Helm reads it.
type unpackedChart struct {
	Metadata *chart.Metadata
	Files    []*chart.File
	// Path begins the names of the chart's templates in Helm's engine.
	Path string
	// Missing says which dependencies are declared and not there; empty where all are.
	Missing string `json:",omitempty"`
	// Digest is that of a directory.
	Digest string `json:",omitempty"`
}

// open unpacks a chart within bounds: in a process of its own, except in simulations. Archives nest, and a small one
// can hold many that are large.
func (c *Charts) open(ctx context.Context, name string, p packedChart) (unpackedChart, error) {
	o := order{Chart: name, Packed: &p}
	limits := c.unpackingBounds()
	var out made
	var err error
	if c.apart {
		c.opening.Lock()
		defer c.opening.Unlock()
		out, err = limits.apart(ctx, o, nil)
	} else {
		out, err = limits.here(o, nil)
	}
	switch {
	case err != nil:
		return unpackedChart{}, err
	case out.Unpacked == nil || out.Unpacked.Metadata == nil:
		return unpackedChart{}, errors.New("no Chart.yaml was read")
	}
	return *out.Unpacked, nil
}

// unpackingBounds are what unpacking one chart may cost.
func (c *Charts) unpackingBounds() bounds {
	b := c.unpacking
	if b.memory == 0 {
		b.memory = unpackMemory
	}
	return b
}

// unpack reads a chart.
func (p packedChart) unpack() (unpackedChart, error) {
	loaded, digest, err := p.load()
	if err != nil {
		return unpackedChart{}, err
	}
	if size := unpackedSize(loaded); size > directoryLimit {
		return unpackedChart{}, fmt.Errorf("the files of the chart and its dependencies have more than %d MiB", directoryLimit>>20)
	}
	if err := plainFiles(loaded); err != nil {
		return unpackedChart{}, err
	}
	if err := checkSchemas(loaded); err != nil {
		return unpackedChart{}, err
	}
	out := unpackedChart{Metadata: loaded.Metadata, Files: loaded.Raw, Path: loaded.ChartFullPath(), Digest: digest}
	if dependencies := loaded.Metadata.Dependencies; dependencies != nil {
		if err := action.CheckDependencies(loaded, dependencies); err != nil {
			out.Missing = err.Error()
		}
	}
	return out, nil
}

func (p packedChart) load() (*chart.Chart, string, error) {
	if p.Directory == "" {
		if err := plainMembers(p.Archive); err != nil {
			return nil, "", err
		}
		loaded, err := loader.LoadArchive(bytes.NewReader(p.Archive))
		return loaded, "", err
	}
	if err := contained(p.Directory); err != nil {
		return nil, "", err
	}
	loaded, err := loader.LoadDir(p.Directory)
	if err != nil {
		return nil, "", err
	}
	digest, err := digestDir(p.Directory)
	return loaded, digest, err
}

// unpackedSize counts the files of a chart and of all that it depends on. What an archive within an archive holds
// counts beside that archive.
func unpackedSize(c *chart.Chart) int {
	size := 0
	for _, file := range c.Raw {
		size += len(file.Data)
	}
	for _, dependency := range c.Dependencies() {
		size += unpackedSize(dependency)
	}
	return size
}

// plainFiles reports a file that stands twice in a chart or in what it depends on: of two with one name each program
// takes another one.
func plainFiles(c *chart.Chart) error {
	seen := map[string]bool{}
	for _, file := range c.Raw {
		if seen[file.Name] {
			return fmt.Errorf("%q stands twice in chart %s", file.Name, c.Name())
		}
		seen[file.Name] = true
		if path.Dir(file.Name) == "charts" && path.Ext(file.Name) == ".tgz" {
			if err := plainMembers(file.Data); err != nil {
				return fmt.Errorf("%s: %w", file.Name, err)
			}
		}
	}
	for _, dependency := range c.Dependencies() {
		if err := plainFiles(dependency); err != nil {
			return err
		}
	}
	return nil
}

// plainMembers reports a member of an archive that is neither a file nor a directory: Helm takes a link for an empty
// file. It reports what Helm, tar and a person would read in different ways, too: more than one gzip stream, and
// anything behind the end of the archive.
func plainMembers(archive []byte) error {
	unzipped, err := bounded.NewGzip(archive, 2*directoryLimit) // headers and filling count
	if err != nil {
		return err
	}
	members := tar.NewReader(unzipped)
	for {
		member, err := members.Next()
		switch {
		case errors.Is(err, io.EOF):
			return bounded.Ended(unzipped)
		case err != nil:
			return err
		}
		switch member.Typeflag {
		case tar.TypeDir, tar.TypeReg, tar.TypeXGlobalHeader, tar.TypeXHeader:
		default:
			return fmt.Errorf("%q in the archive is not a regular file", member.Name)
		}
	}
}
