package planner

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// MAC is an HMAC under the state's key, hexadecimal.
type MAC func(purpose string, value []byte) string

// originPurpose keeps the origins of plans apart from whatever else the state's key stands for.
const originPurpose = "plan origin"

// signed is the end of a plan file that says where it comes from. It stands last, so that the file without it is
// found before anything of the file is read.
var signed = regexp.MustCompile(`,"origin":"([0-9a-f]{64})"\}\n$`)

// EncodeSigned writes a plan file that says it was made with access to the state: the last thing in it is an HMAC
// under the state's key over id, digest, time and lineage of the plan and the SHA-256 of the file without it. A
// plan from recorded facts has no origin, the one who asks.
func EncodeSigned(p Plan, mac MAC) ([]byte, error) {
	var text bytes.Buffer
	err := writeSigned(&text, p, mac)
	return text.Bytes(), err
}

// ErrNoOrigin says that a plan file does not say where it comes from.
var ErrNoOrigin = errors.New("this plan was not made with this state: the plan file has no origin, as a plan from recorded facts has none; make a plan from the cluster with `upkeep plan -out=FILE`")

// ErrOrigin says that the origin of a plan file is not the state's.
var ErrOrigin = errors.New("this plan was not made with this state: another state made the plan file, or somebody changed the file; make a new plan with `upkeep plan -out=FILE`")

// CheckOrigin compares the origin that a plan file states with the one that the state's key gives it. The one who
// applies a file calls it before Decode: ErrNoOrigin, ErrOrigin.
func CheckOrigin(data []byte, mac MAC) error {
	at := signed.FindSubmatchIndex(data)
	if at == nil {
		return ErrNoOrigin
	}
	stated := data[at[2]:at[3]]
	want, err := originOf(data, at[0], mac)
	if err != nil || !hmac.Equal(stated, []byte(want)) {
		return ErrOrigin
	}
	return nil
}

// originOf is the origin of a signed plan file whose own text, without its end, has some bytes.
func originOf(file []byte, text int, mac MAC) (string, error) {
	var h struct {
		ID        string    `json:"id"`
		Digest    string    `json:"digest"`
		CreatedAt time.Time `json:"created_at"`
		Request   struct {
			Lineage string `json:"lineage"`
		} `json:"request"`
	}
	if err := json.Unmarshal(file, &h); err != nil {
		return "", err
	}
	sum := sha256.New()
	sum.Write(file[:text])
	sum.Write([]byte(textEnd))
	return origin(header{h.ID, h.Digest, h.CreatedAt, h.Request.Lineage}, sum.Sum(nil), mac)
}

// header is what an origin says of a plan beside the SHA-256 of its text.
type header struct {
	id, digest string
	created    time.Time
	lineage    string
}

func origin(h header, sum []byte, mac MAC) (string, error) {
	value, err := json.Marshal([]string{
		h.id, h.digest, h.created.UTC().Format(time.RFC3339Nano), h.lineage, hex.EncodeToString(sum),
	})
	if err != nil {
		return "", err
	}
	return mac(originPurpose, value), nil
}

// MaxAge is how old a plan may be when it is begun, and MaxRun how long after that it may be continued. A plan whose
// steps have a window may be begun until its first usable opening ends, but not after MaxWait.
const (
	MaxAge  = 24 * time.Hour
	MaxWait = 8 * 24 * time.Hour
	MaxRun  = 31 * 24 * time.Hour
)

// Lifetime is how old the plan may be when it is begun where nobody says otherwise: until the first opening ends in
// which some of it fits.
func (p Plan) Lifetime() time.Duration {
	life := MaxAge
	for _, use := range p.WindowUses() {
		if use.Fit > 0 {
			life = max(life, min(use.Opening.Until.Sub(p.CreatedAt), MaxWait))
		}
	}
	return life
}

// Expired says why a plan is too old to be begun, or, where it was begun at a time, too old to be continued; nil
// where it is neither. A plan from the future is as wrong as an old one: one of two clocks is.
func (p Plan) Expired(begun, now time.Time, maxAge time.Duration) error {
	switch age := now.Sub(p.CreatedAt); {
	case !begun.IsZero():
		if now.Sub(begun) > MaxRun {
			return fmt.Errorf("plan %s was begun at %s, more than %d days ago; make a new plan with `upkeep plan -out=FILE`", p.ID, begun.UTC().Format(time.RFC3339), int(MaxRun.Hours()/24))
		}
	case age > maxAge:
		return fmt.Errorf("plan %s is %s old, and -plan-max-age is %s; make a new plan with `upkeep plan -out=FILE`", p.ID, age.Round(time.Second), maxAge)
	case age < -5*time.Minute:
		return fmt.Errorf("plan %s was made at %s, which is in the future; compare the clocks, then make a new plan with `upkeep plan -out=FILE`", p.ID, p.CreatedAt.UTC().Format(time.RFC3339))
	}
	return nil
}
