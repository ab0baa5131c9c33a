package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/providers/akash"
	"upkeep/providers/backup"
	"upkeep/providers/kube"
	"upkeep/providers/release"
	"upkeep/state"
	"upkeep/state/durable"
)

// outFile is the place that -out names. What it writes is its owner's alone (0600).
type outFile struct {
	// path is as the user wrote it; empty: there is no -out.
	path string
	// inputs are the files that the command reads, which -out never replaces.
	inputs []string
	// trees are directories whose files -out never makes or replaces.
	trees []string
	// kept reports whether a file is one that the state keeps; nil: the state keeps none here.
	kept func(path string) bool
}

// outOf returns the place that -out names, and refuses one that must not be written before anything is looked at.
func (w workspace) outOf(cmd *cli.Command) (outFile, error) {
	out := w.outAt(cmd)
	if out.path == "" {
		return out, nil
	}
	return out, out.check()
}

// outAt is outOf without looking.
func (w workspace) outAt(cmd *cli.Command) outFile {
	out := outFile{path: cmd.String("out"), inputs: w.inputs(cmd), trees: w.trees()}
	// A backend that cannot be opened ends the command where the state is read.
	if backend, err := stateBackend(w); err == nil {
		if keeper, ok := backend.(state.Keeper); ok {
			out.kept = keeper.Keeps
		}
	}
	return out
}

// inputs returns the files that a command reads and that somebody would miss: what flags and the configuration name.
func (w workspace) inputs(cmd *cli.Command) []string {
	files := slices.Clone(w.sources)
	if hasFlag(cmd, "facts") {
		files = append(files, cmd.String("facts"))
	}
	for _, variable := range variables(cmd) {
		files = append(files, variable.File)
	}
	if cluster := w.desired.Cluster; cluster != nil {
		files = append(append(files, cluster.Kubeconfig), kube.FilesNamedBy(cluster.Kubeconfig)...)
	}
	for _, c := range w.desired.Connections {
		files = append(files, c.KnownHosts, c.Identity, c.SSHConfig)
	}
	for _, b := range backup.Declared(w.desired) {
		files = append(files, b.IdentityFile, b.Store.CAFile)
	}
	return slices.DeleteFunc(files, func(file string) bool { return file == "" })
}

// trees returns the directories whose files are not a command's to replace: stores, archives of releases, charts.
func (w workspace) trees() (trees []string) {
	for _, b := range backup.Declared(w.desired) {
		if b.Store.Kind == backup.StoreFile {
			trees = append(trees, b.Store.Path)
		}
	}
	for _, provider := range akash.Declared(w.desired) {
		trees = append(trees, absolute(w.directory, provider.Archive))
	}
	return append(trees, w.chartPaths()...)
}

// chartPaths returns where charts lie that the configuration names by a path.
func (w workspace) chartPaths() (paths []string) {
	for _, r := range release.Declared(w.desired) {
		paths = append(paths, r.Chart.Source.Path)
	}
	for _, provider := range akash.Declared(w.desired) {
		if provider.Chart != nil {
			paths = append(paths, provider.Chart.Source.Path)
		}
	}
	paths = slices.DeleteFunc(paths, func(path string) bool { return path == "" })
	for i := range paths {
		paths[i] = absolute(w.directory, paths[i])
	}
	return paths
}

// within returns the tree that a file is in.
func within(trees []string, file string) (string, bool) {
	whole, err := filepath.Abs(file)
	if err != nil {
		return "", false
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(whole))
	if err != nil {
		return "", false
	}
	for _, tree := range trees {
		real, err := filepath.EvalSymlinks(tree)
		if err != nil {
			continue
		}
		inside, err := filepath.Rel(real, filepath.Join(parent, filepath.Base(whole)))
		if err == nil && filepath.IsLocal(inside) {
			return tree, true
		}
	}
	return "", false
}

// check says why the place must not be written; nil where it may be.
func (o outFile) check() error {
	refuse := func(why string) error {
		return fmt.Errorf("-out=%s %s; name another file", o.path, why)
	}
	target := followed(o.path)
	for _, suffix := range []string{config.Suffix, config.VariablesSuffix} {
		if strings.HasSuffix(o.path, suffix) || strings.HasSuffix(target, suffix) {
			return refuse("would replace a configuration file: its name ends in " + suffix)
		}
	}
	if o.kept != nil && o.kept(target) {
		return refuse("is a file of the state")
	}
	if tree, in := within(o.trees, target); in {
		return refuse("is in " + tree + ", which this command reads or keeps")
	}
	there, err := os.Stat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return parentOf(o.path, target)
	case err != nil:
		return fmt.Errorf("-out: %w", err)
	case there.IsDir():
		return refuse("is a directory")
	case there.Mode().Type() == fs.ModeDevice:
		return refuse("is a disk")
	case there.Mode().Type() == fs.ModeSocket:
		return refuse("is a socket")
	}
	for _, input := range o.inputs {
		if read, err := os.Stat(input); err == nil && os.SameFile(read, there) && there.Mode().IsRegular() {
			return refuse("would replace " + input + ", which this command reads")
		}
	}
	return nil
}

// parentOf says that the directory of a file that is not there yet is missing.
func parentOf(path, target string) error {
	if info, err := os.Stat(filepath.Dir(target)); err != nil || !info.IsDir() {
		return fmt.Errorf("-out=%s: there is no directory %s", path, filepath.Dir(target))
	}
	return nil
}

// write writes the data. A link is followed; a regular file is replaced whole or not at all; anything else, such as a device
// or a pipe, is written to and stays what it is.
func (o outFile) write(data []byte) error {
	if err := o.check(); err != nil {
		return err
	}
	if standard := o.standard(); standard != nil {
		_, err := standard.Write(data)
		return err
	}
	target := followed(o.path)
	if info, err := os.Stat(target); err == nil && !info.Mode().IsRegular() {
		return writeTo(target, data)
	}
	return durable.Replace(target, data, 0o600, nil)
}

// toStandard reports whether -out names standard output, where a sentence about the file would spoil it.
func (o outFile) toStandard() bool { return o.standard() != nil }

// standard returns the stream of this process that the path names, such as /dev/stdout: opened anew, a redirected one would be
// written from its beginning. nil: none.
func (o outFile) standard() *os.File {
	if !strings.HasPrefix(o.path, "/dev/") && !strings.HasPrefix(o.path, "/proc/") {
		return nil
	}
	there, err := os.Stat(o.path)
	if err != nil {
		return nil
	}
	for _, stream := range []*os.File{os.Stdout, os.Stderr} {
		if info, err := stream.Stat(); err == nil && os.SameFile(info, there) {
			return stream
		}
	}
	return nil
}

func writeTo(path string, data []byte) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	_, err = file.Write(data)
	return err
}

// followed returns the path at the end of a chain of links, also where nothing is there yet.
func followed(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	for range 40 { // as many as Linux follows
		to, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return path
}
