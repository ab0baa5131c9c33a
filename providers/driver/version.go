package driver

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// branchOf is the branch of a version: "580" of "580.126.20", and of "580".
func branchOf(version string) string {
	branch, _, _ := strings.Cut(version, ".")
	return branch
}

// compareVersions orders versions by the numbers of their parts. Equal are only those that are equal in all letters:
// 570.124.06 is written so in names of files and packages.
func compareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		x, _ := strconv.Atoi(as[i])
		y, _ := strconv.Atoi(bs[i])
		if x != y {
			return cmp.Compare(x, y)
		}
	}
	return cmp.Or(cmp.Compare(len(as), len(bs)), strings.Compare(a, b))
}

// resolveVersion returns the one version for all nodes of the block: the one that is written, or the newest of a branch
// that apt offers on each of them. Where there is none, why says which node offers what. Nodes of which nothing is
// known, and those that have no GPU or are NVIDIA's GPU Operator's, have no say.
func (s Spec) resolveVersion(in providers.Input, nodes []config.Node) (version, why string) {
	if !branchPattern.MatchString(s.Version) {
		return s.Version, ""
	}
	var common []string
	var told []string
	newest, runs := "", ""
	asked := 0
	for _, n := range nodes {
		v := in.World.Node(n.Name)
		if v.Unknown != "" || v.NVIDIA.Unknown != "" || v.NVIDIA.Absent || v.Apt.Unknown != "" || operatedByOther(v) {
			continue
		}
		offers := offered(v, s.Track)
		if asked++; asked == 1 {
			common = offers
		} else {
			common = slices.DeleteFunc(slices.Clone(common), func(version string) bool {
				return !slices.Contains(offers,
					version)
			})
		}
		told = append(told, n.Name+": "+orElse(strings.Join(offers, ", "), "none"))
		if loaded := v.NVIDIA.Module.Version; branchOf(loaded) == s.Version && (newest == "" || compareVersions(loaded,
			newest) > 0) {
			newest, runs = loaded, n.Name
		}
	}
	switch {
	case asked == 0:
		return "", ""
	case len(common) == 0:
		return "", fmt.Sprintf("apt offers no version of branch %s on every node (%s)", s.Version, providers.Few(told))
	}
	version = slices.MaxFunc(common, compareVersions)
	if newest != "" && compareVersions(version, newest) < 0 {
		return "", fmt.Sprintf("%s runs %s, and the newest version of branch %s that apt offers on every node is %s (%s)",
			runs, newest, s.Version, version, providers.Few(told))
	}
	return version, ""
}

// offered lists the versions of the block's branch that a node can have: those that apt offers for the repository and
// track that it would be served from, and the one that is installed. Sorted.
func offered(n facts.Node, declared string) (out []string) {
	scheme := schemeOf(n, declared)
	for _, o := range n.Apt.Offers {
		name, ok := facts.ParseDriverName(o.Name)
		if !ok || name.Stem != facts.StemCompute || !scheme.names(name, n.Apt.Branch) {
			continue
		}
		for _, v := range o.Versions {
			if upstream := upstreamOf(v.Version); branchOf(upstream) == n.Apt.Branch && scheme.serves(v) {
				out = append(out, upstream)
			}
		}
	}
	for _, p := range n.NVIDIA.Packages.Packages {
		name, ok := facts.ParseDriverName(p.Name)
		if ok && name.Stem == facts.StemCompute && p.Installed() && branchOf(p.Upstream) == n.Apt.Branch {
			out = append(out, p.Upstream)
		}
	}
	slices.SortFunc(out, compareVersions)
	return slices.Compact(out)
}

// upstreamOf returns the driver's version in the version of a package: without the epoch, and without all that follows
// the first hyphen.
func upstreamOf(version string) string {
	if _, rest, ok := strings.Cut(version, ":"); ok {
		version = rest
	}
	version, _, _ = strings.Cut(version, "-")
	return version
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
