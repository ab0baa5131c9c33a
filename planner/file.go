package planner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"upkeep/config"
	"upkeep/planner/window"
	"upkeep/providers"
	"upkeep/providers/strictjson"
)

// Encode writes the text of a plan file; Pack makes the file of it, and File makes the file at once. The caller must
// keep both private (mode 0600): they hold facts of all nodes.
func Encode(p Plan) ([]byte, error) {
	var text bytes.Buffer
	err := writeText(&text, p)
	return text.Bytes(), err
}

// DigestError says that what a plan file would do is not what its own request asks for.
type DigestError struct {
	Saved, Built string
	// Resources are those whose own digests differ, by address, sorted.
	Resources []string
}

func (e *DigestError) Error() string {
	where := ""
	if len(e.Resources) > 0 {
		where = " (" + strings.Join(e.Resources, ", ") + ")"
	}
	return fmt.Sprintf("the plan's digest is %s, but its own facts and configuration give %s%s: the file was changed, or another version of upkeep made it; make the plan again with `upkeep plan -out=FILE`",
		e.Saved, e.Built, where)
}

// statedDigests are those of the steps as a file has them.
func statedDigests(p Plan, types []providers.Type) (digests, error) {
	resources, err := resourcesOf(p.Request.Desired)
	if err != nil {
		return digests{}, err
	}
	known, err := register(types, resources, p.Request.metas())
	if err != nil {
		return digests{}, err
	}
	return known.digest(p.Request, p.Steps, p.Brackets)
}

// Differing returns the addresses that do not have the same digest in both, sorted.
func Differing(a, b map[string]string) []string {
	var out []string
	for address, digest := range a {
		if b[address] != digest {
			out = append(out, address)
		}
	}
	for address := range b {
		if _, both := a[address]; !both {
			out = append(out, address)
		}
	}
	slices.Sort(out)
	return out
}

// Decode reads a plan file, builds its plan again from the request that it holds, and refuses it when the digests
// differ (DigestError). What is returned is the plan as built: nothing that is done is believed from the file's steps.
func Decode(data []byte, types []providers.Type) (Plan, error) {
	var header struct {
		FormatVersion string `json:"format_version"`
	}
	if err := json.Unmarshal(data, &header); err != nil {
		return Plan{}, fmt.Errorf("this is not a plan file: %w; make a plan with `upkeep plan -out=FILE`", err)
	}
	newer, err := checkVersion(header.FormatVersion)
	if err != nil {
		return Plan{}, err
	}
	var file struct {
		Plan
		Origin  string `json:"origin"` // see CheckOrigin
		Request struct {
			Request
			Desired json.RawMessage `json:"desired"`
		} `json:"request"`
	}
	decode := strictjson.DecodeKnown
	if newer { // a newer minor version may say more
		decode = strictjson.Decode
	}
	if err := decode(data, &file); err != nil {
		return Plan{}, fmt.Errorf("the plan file is damaged: %w; make the plan again with `upkeep plan -out=FILE`", err)
	}
	p := file.Plan
	p.Request = file.Request.Request
	if p.Request.Desired, err = config.Restore(file.Request.Desired, BlockTypes(types)); err != nil {
		return Plan{}, fmt.Errorf("the plan file's configuration cannot be read: %w; make the plan again with `upkeep plan -out=FILE`", err)
	}
	for name, node := range p.Request.World.Nodes {
		if node == nil || node.Name != name {
			return Plan{}, fmt.Errorf("the plan file is damaged: the facts of node %q are not its own; make the plan again with `upkeep plan -out=FILE`", name)
		}
	}
	return Rebuild(p, types)
}

// checkVersion refuses another major version, and reports whether the minor version is newer than ours.
func checkVersion(version string) (newer bool, err error) {
	parse := func(s string) (major, minor int, ok bool) {
		a, b, found := strings.Cut(s, ".")
		major, err1 := strconv.Atoi(a)
		minor, err2 := strconv.Atoi(b)
		return major, minor, found && err1 == nil && err2 == nil
	}
	major, minor, ok := parse(version)
	if !ok {
		return false, errors.New("this is not a plan file: it has no format_version; make a plan with `upkeep plan -out=FILE`")
	}
	ourMajor, ourMinor, _ := parse(FormatVersion)
	if major != ourMajor {
		return false, fmt.Errorf("the plan file has format version %s, and this upkeep reads %d.x: make a new plan with `upkeep plan -out=FILE`", version, ourMajor)
	}
	return minor > ourMinor, nil
}

// Rebuild builds a plan again from its own request and keeps what the command that made it gave it. It refuses a plan
// whose digest differs, or whose steps do not have the digest that it says (DigestError).
func Rebuild(p Plan, types []providers.Type) (Plan, error) {
	built, err := Build(p.Request, types)
	if err != nil {
		return Plan{}, fmt.Errorf("build the saved plan again: %w", err)
	}
	stated, err := statedDigests(p, types)
	if err != nil {
		return Plan{}, fmt.Errorf("the plan's steps are damaged: %w", err)
	}
	if differ := Differing(p.Digests, built.Digests); len(differ) > 0 || p.Digest != built.Digest {
		return Plan{}, &DigestError{Saved: p.Digest, Built: built.Digest, Resources: differ}
	}
	if differ := Differing(stated.resources, built.Digests); len(differ) > 0 || stated.plan != built.Digest {
		return Plan{}, &DigestError{Saved: stated.plan, Built: built.Digest, Resources: differ}
	}
	built.FormatVersion, built.ID, built.UpkeepVersion, built.CreatedAt = p.FormatVersion, p.ID, p.UpkeepVersion, p.CreatedAt
	return built, nil
}

// BlockTypes returns the blocks that a configuration may have: those of the given types, and those of the planner
// itself.
func BlockTypes(types []providers.Type) []config.BlockType {
	out := make([]config.BlockType, 0, len(types)+1)
	for _, t := range types {
		out = append(out, t.BlockType)
	}
	return append(out, window.Block())
}
