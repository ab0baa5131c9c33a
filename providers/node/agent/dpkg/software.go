package dpkg

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
)

var (
	// runsBy are the packages that a Kubernetes node runs by, besides those of the driver: of Kubernetes' repository
	// (pkgs.k8s.io), of container runtimes (Docker's and Debian's names), and of the kernel.
	runsBy = regexp.MustCompile(`^(kube(let|adm|ctl)|kubernetes-cni|cri-tools|cri-o|containerd(\.io)?|runc|crun|` +
		`docker(\.io|-ce|-ce-cli)|linux-(image|modules)-.*)$`)
	// packageName is what dpkg allows (deb-control(5)). The file is a node's word.
	packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]{1,127}$`)
)

// mostNamed bounds the packages that are named: somebody may hold all of them.
const mostNamed = 512

// Software says which packages a node has. It leaves Runtime unset.
func Software(d *disk.Disk) facts.Software {
	text, _, err := d.Read(database+"/status", maxStatus)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return facts.Software{NoDpkg: true}
	case err != nil:
		return facts.Software{Unknown: err.Error()}
	}
	return parseSoftware(text)
}

func parseSoftware(text []byte) (s facts.Software) {
	var all []string
	for len(text) > 0 {
		var paragraph []byte
		paragraph, text, _ = bytes.Cut(text, []byte("\n\n"))
		p, _ := parsePackage(bytes.TrimLeft(paragraph, "\n"))
		if !packageName.MatchString(p.Name) || len(p.Status) < 2 || strings.Contains("nc", p.Status[1:2]) {
			continue // it has no files
		}
		all = append(all, fmt.Sprintf("%s:%s %s %s\n", p.Name, p.Architecture, p.Version, p.Status))
		if p.Held || runsBy.MatchString(p.Name) || ours.MatchString(p.Name) {
			s.Packages = append(s.Packages, facts.Package{
				Name: p.Name, Architecture: p.Architecture, Status: p.Status, Version: p.Version, Held: p.Held,
			})
		}
	}
	slices.Sort(all)
	sum := sha256.Sum256([]byte(strings.Join(all, "")))
	s.Total, s.Digest = len(all), hex.EncodeToString(sum[:4])
	slices.SortFunc(s.Packages, func(a, b facts.Package) int {
		return strings.Compare(a.Name+":"+a.Architecture, b.Name+":"+b.Architecture)
	})
	s.Packages = s.Packages[:min(len(s.Packages), mostNamed)]
	return s
}
