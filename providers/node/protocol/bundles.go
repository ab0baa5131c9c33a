package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"upkeep/providers/strictjson"
)

// ServiceBundles is the raw session in which backup bundles are listed, stored, read and removed in a directory of the
// node. It carries frames (Channel). upkeep sends one BundlesRequest; what follows begins with a byte that says what it
// is:
//
//	list, remove   answer
//	get            data, data, …, answer
//	put            answer (go on), then from upkeep data, data, …, end, then answer
//
// An answer with an error ends each of them at once. What upkeep does not end with the end frame is thrown away: an upload
// whose connection was lost leaves nothing under its name.
const ServiceBundles = "bundles"

// The operations of a BundlesRequest.
const (
	BundlesList   = "list"
	BundlesPut    = "put"
	BundlesGet    = "get"
	BundlesRemove = "remove"
)

// BundlesRequest asks for one thing about one directory.
type BundlesRequest struct {
	// Run is the run that a put or a remove belongs to; see Run.
	Run       Run    `json:"run,omitzero"`
	Operation string `json:"operation"`
	// Directory is a clean absolute path; a put makes its last component where it is missing.
	Directory string `json:"directory"`
	// Name is that of a bundle or of its label; to remove, also that of what is partial.
	Name string `json:"name,omitempty"`
}

// BundlesAnswer says how it went.
type BundlesAnswer struct {
	// Error says what went wrong; empty: nothing. Kind is one of the Bundles… kinds where callers must tell it apart.
	Error string `json:"error,omitempty" plain:"said"`
	Kind  string `json:"kind,omitempty"`
	// Objects answer a list.
	Objects []BundlesObject `json:"objects,omitempty"`
	// Size is how many bytes were stored or sent.
	Size int64 `json:"size,omitempty"`
}

// The kinds of errors.
const (
	BundlesMissing = "missing" // there is no such object
	BundlesTaken   = "taken"   // there is one already
	BundlesFull    = "full"    // no space is left
	BundlesRefused = "refused" // the directory is not as it must be, or a newer run was there
)

// BundlesObject is one file of the directory.
type BundlesObject struct {
	Name     string    `json:"name"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	Partial  bool      `json:"partial,omitempty"`
}

// bundleName is that of a bundle or a label: no other file can be named, whatever directory is.
var (
	bundleName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*\.upkeep-bundle(?:\.json)?$`)
	partialName = regexp.MustCompile(`^(.+)\.([0-9a-f]{16})\.part$`)
)

// nameLimit is the longest name of a bundle. (Each session would compile a limit within the pattern anew, for a millisecond.)
const nameLimit = 165

// IsBundleName reports whether an object can have this name.
func IsBundleName(name string) bool {
	return len(strings.TrimSuffix(name, ".json")) <= nameLimit && bundleName.MatchString(name)
}

// PartialBundleName is the name under which something incomplete is listed, made of the name it was to have and sixteen
// hexadecimal digits.
func PartialBundleName(name, digits string) string { return name + "." + digits + ".part" }

// ParsePartialBundleName takes PartialBundleName apart.
func ParsePartialBundleName(s string) (name, digits string, ok bool) {
	m := partialName.FindStringSubmatch(s)
	if m == nil || !IsBundleName(m[1]) {
		return "", "", false
	}
	return m[1], m[2], true
}

// The first byte of each frame after the request.
const (
	frameData   = 'd'
	frameAnswer = 'a'
	frameEnd    = 'e'
)

// BundlesPiece is how many bytes of content one frame carries.
const BundlesPiece = 256 << 10

// SendBundlesData sends a piece of content, at most BundlesPiece bytes.
func SendBundlesData(c *Channel, data []byte) error {
	frame := make([]byte, 1, 1+len(data))
	frame[0] = frameData
	return c.Send(append(frame, data...))
}

// SendBundlesEnd says that the content is complete.
func SendBundlesEnd(c *Channel) error { return c.Send([]byte{frameEnd}) }

// SendBundlesAnswer sends an answer.
func SendBundlesAnswer(c *Channel, a BundlesAnswer) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return c.Send(append([]byte{frameAnswer}, text...))
}

// RecvBundles receives content, the end of content (nil, nil, io.EOF), or an answer. A stream that breaks off is
// io.ErrUnexpectedEOF.
func RecvBundles(c *Channel) (data []byte, answer *BundlesAnswer, err error) {
	frame, err := c.Recv()
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, nil, err
	}
	switch frame[0] {
	case frameData:
		if len(frame) > 1+BundlesPiece {
			return nil, nil, fmt.Errorf("%w: a piece of %d bytes", ErrFrame, len(frame)-1)
		}
		return frame[1:], nil, nil
	case frameEnd:
		return nil, nil, io.EOF
	case frameAnswer:
		var a BundlesAnswer
		if err := strictjson.Decode(frame[1:], &a); err != nil {
			return nil, nil, fmt.Errorf("%w: an answer cannot be read: %v", ErrFrame, err)
		}
		return nil, &a, nil
	default:
		return nil, nil, fmt.Errorf("%w: a frame begins with %q", ErrFrame, frame[0])
	}
}
