package facts

import "slices"

// AptQuestion asks what apt offers of one branch of NVIDIA's driver, and what it would do.
type AptQuestion struct {
	// Branch is the driver branch: "580".
	Branch string `json:"branch"`
	// Change is what apt is asked to try; nil: nothing.
	Change *AptChange `json:"change,omitempty"`
}

// Merge returns a question that asks for what q and other ask for. Two that name different branches, or changes, are
// of two blocks for one node, which is an error of the configuration: the first one counts.
func (q *AptQuestion) Merge(other *AptQuestion) *AptQuestion {
	switch {
	case q == nil:
		return other
	case other == nil || q.Change != nil || other.Change == nil:
		return q
	}
	merged := *q
	merged.Change = other.Change
	return &merged
}

// AptChange is an exact change of packages: what is installed in which version, and what is removed.
type AptChange struct {
	Install []PackageAt `json:"install,omitempty"` // by name
	Remove  []string    `json:"remove,omitempty"`  // sorted
	// Held: packages that apt holds back may be changed.
	Held bool `json:"held,omitempty"`
}

// Empty reports whether there is nothing to do.
func (c AptChange) Empty() bool { return len(c.Install) == 0 && len(c.Remove) == 0 }

// Equal reports whether two changes are the same.
func (c AptChange) Equal(other AptChange) bool {
	return c.Held == other.Held && slices.Equal(c.Install, other.Install) && slices.Equal(c.Remove, other.Remove)
}

// PackageAt is a package in one full version: "580.126.20-0ubuntu0.24.04.1".
type PackageAt struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Apt is what apt offers of a branch, and what it would do. The zero value means that nobody asked.
type Apt struct {
	// Unknown: apt could not be asked; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	Branch  string `json:"branch,omitempty"`
	// Offers are the packages of the driver's family that have the branch in their name, or none, by name; those for a
	// kernel are for the one that runs or boots next.
	Offers []Offer `json:"offers,omitempty"`
	// Headers are the releases of those two kernels whose headers are there, which DKMS builds modules with.
	Headers []string `json:"headers,omitempty"`
	// Trial is what apt would do; nil where nobody asked for it.
	Trial *AptTrial `json:"trial,omitempty"`
}

// Offer returns what apt knows of a package; nil where it knows none of that name.
func (a Apt) Offer(name string) *Offer {
	i, found := slices.BinarySearchFunc(a.Offers, name, func(o Offer, name string) int {
		switch {
		case o.Name < name:
			return -1
		case o.Name > name:
			return 1
		}
		return 0
	})
	if !found {
		return nil
	}
	return &a.Offers[i]
}

// Offer is a package that apt knows.
type Offer struct {
	Name string `json:"name"`
	// Candidate is what apt would install by itself; empty where a pin forbids every version.
	Candidate string           `json:"candidate,omitempty"`
	Versions  []PackageVersion `json:"versions,omitempty"` // the newest first
}

// Pinned reports whether a pin of negative priority forbids every version.
func (o Offer) Pinned() bool {
	return o.Candidate == "" && slices.ContainsFunc(o.Versions, func(v PackageVersion) bool { return v.Priority < 0 })
}

// AptTrial is what apt would do for a change, as `apt-get -s` says.
type AptTrial struct {
	Change AptChange `json:"change"`
	// Unknown: apt could not be asked; why. Refused: apt cannot do it; what it says.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	Refused string `json:"refused,omitempty" plain:"said"`
	// Installs and Removes are all packages that would change, in apt's order.
	Installs []PackageChange `json:"installs,omitempty"`
	Removes  []PackageAt     `json:"removes,omitempty"`
	// Missing is how many archives are not on the node yet, Bytes how large they are.
	Missing int    `json:"missing,omitempty"`
	Bytes   uint64 `json:"bytes,omitempty"`
}

// PackageChange is a package that gets another version; From is empty where it is new.
type PackageChange struct {
	Name string `json:"name"`
	From string `json:"from,omitempty"`
	To   string `json:"to"`
}
