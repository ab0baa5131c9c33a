package protocol

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"upkeep/providers/facts"
)

// DownloadRequest asks a node to download the archives of a change of packages, and to change nothing else.
type DownloadRequest struct {
	Run    Run             `json:"run"`
	Step   string          `json:"step"`
	Change facts.AptChange `json:"change"`
}

// InRun and BelongsTo implement Changing.
func (r DownloadRequest) InRun(run Run) any { r.Run = run.at(r.Step); return r }
func (r DownloadRequest) BelongsTo() Run    { return r.Run }

// DownloadResult says how it was done.
type DownloadResult struct {
	Performed Performed `json:"performed,omitzero"`
}

// InstallRequest asks a node to change packages of NVIDIA's driver, all by one call of apt.
type InstallRequest struct {
	Run    Run             `json:"run"`
	Step   string          `json:"step"`
	Change facts.AptChange `json:"change"`
	// Installs and Removes are all that apt was seen to do for the change. Where it would do anything else by now, the
	// helper does nothing and says so.
	Installs []facts.PackageChange `json:"installs"`
	Removes  []facts.PackageAt     `json:"removes,omitempty"`
	// Hold are packages that apt holds back afterwards.
	Hold []string `json:"hold,omitempty"`
}

// InRun and BelongsTo implement Changing.
func (r InstallRequest) InRun(run Run) any { r.Run = run.at(r.Step); return r }
func (r InstallRequest) BelongsTo() Run    { return r.Run }

// InstallResult says how it was done.
type InstallResult struct {
	Performed Performed `json:"performed,omitzero"`
}

// mostPackages bounds a change.
const mostPackages = 200

// What apt may be given: the names of packages of NVIDIA's driver, and full versions. apt reads a hyphen or a plus sign
// at the end of a name as an order of its own, so that neither may end one.
var (
	driverPackage = regexp.MustCompile(`^(nvidia-|libnvidia-|linux-modules-nvidia-|cuda-drivers|` +
		`xserver-xorg-video-nvidia)[a-z0-9.+-]{0,90}$`)
	// libnvsdm and nvidia-open have names of their own.
	otherDriverPackage = regexp.MustCompile(`^libnvsdm(-[0-9]{3})?$`)
	// strangers share the beginning of the name, and belong to the container runtime.
	strangers      = regexp.MustCompile(`^(nvidia-container|libnvidia-container)`)
	packageVersion = regexp.MustCompile(`^[0-9][A-Za-z0-9.+~:-]{0,100}$`)
)

// CheckDriverPackage refuses a name that is not one of a package of NVIDIA's driver.
func CheckDriverPackage(name string) error {
	switch {
	case strings.HasSuffix(name, "-") || strings.HasSuffix(name, "+"):
	case strangers.MatchString(name):
	case driverPackage.MatchString(name) || otherDriverPackage.MatchString(name):
		return nil
	}
	return fmt.Errorf("%q is not the name of a package of NVIDIA's driver", name)
}

// CheckChange refuses a change that names anything but packages of NVIDIA's driver in full versions, each once.
func CheckChange(c facts.AptChange) error {
	var names []string
	for _, p := range c.Install {
		if err := CheckDriverPackage(p.Name); err != nil {
			return err
		}
		if !packageVersion.MatchString(p.Version) {
			return fmt.Errorf("%q is not a full version of %s", p.Version, p.Name)
		}
		names = append(names, p.Name)
	}
	for _, name := range c.Remove {
		if err := CheckDriverPackage(name); err != nil {
			return err
		}
		names = append(names, name)
	}
	slices.Sort(names)
	switch {
	case len(c.Install) == 0:
		return errors.New("the change installs nothing")
	case len(names) > mostPackages:
		return fmt.Errorf("the change has %d packages, and %d are the most", len(names), mostPackages)
	case len(slices.Compact(slices.Clone(names))) != len(names):
		return errors.New("the change names a package twice")
	}
	return nil
}
