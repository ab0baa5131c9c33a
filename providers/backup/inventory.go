package backup

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/providers"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/facts"
)

// clockSlack is how far apart the clocks of two machines that upkeep runs on may be: a bundle taken that little in the
// future is new, one taken later than that says that a clock is wrong.
const clockSlack = 5 * time.Minute

// terms are what a bundle must satisfy to count.
type terms struct {
	owner   facts.Address
	address string // the owner's, as stores name it
	maxAge  time.Duration
	level   string
	// encrypted: the block has recipients, so that what anybody can read is not one of its bundles.
	encrypted bool
}

// held is one bundle of a store.
type held struct {
	facts.Bundle
	standing Status
	// why says what keeps it from counting; empty where it counts.
	why string
	// proof is the strongest one that the memory has of exactly these bytes; nil: there is none.
	proof *facts.Proof
	// signer is the key of the state that signed it; empty: none did.
	signer string
}

// damaged reports whether these are not the bytes, or not the label, that were written.
func (h held) damaged() bool { return h.standing == Damaged }

// inventory is what a store holds, seen with what the memory knows.
type inventory struct {
	terms
	clock   providers.Clock
	unknown string // why the store could not be looked at
	store   string
	bundles []held // of this resource and this cluster, and authentic as far as they are whole; oldest first
	others  []held // every other bundle
	missing []facts.Proof
	strays  []facts.Stray
}

// look joins the store's content and the memory. What a store says of a bundle is believed only as far as the state
// remembers or has signed it.
func look(in providers.Input, t terms) inventory {
	t.address = t.owner.String()
	out := inventory{terms: t, clock: in.Clock()}
	found, asked := in.World.Backups[t.address]
	if !asked {
		out.unknown = "the store was not asked"
		return out
	}
	out.unknown, out.store, out.strays = found.Unknown, found.Store, found.Strays
	proofs, err := Remembered(in.Memory, t.owner)
	if err != nil && out.unknown == "" {
		out.unknown = err.Error()
	}
	out.strays = withoutLabels(out.strays, proofs)
	j := judge{terms: t, clock: in.Clock(), cluster: identityOf(in), before: reissued(in), proofs: proofs, signers: in.Memory.Signers}
	for _, b := range found.Bundles {
		switch h := j.judge(b); h.standing {
		case NotAuthentic, OtherBlock, OtherCluster:
			out.others = append(out.others, h)
		default:
			out.bundles = append(out.bundles, h)
		}
	}
	for _, list := range [][]held{out.bundles, out.others} {
		slices.SortStableFunc(list, func(a, b held) int {
			if c := a.TakenAt.Compare(b.TakenAt); c != 0 {
				return c
			}
			return strings.Compare(a.ID, b.ID)
		})
	}
	if out.unknown == "" {
		out.lookForMissing(found, proofs)
	}
	return out
}

// withoutLabels tells what interrupted writing left from proved bundles whose label somebody removed: those are
// damaged, and no removal of scraps takes them. The policy's own removals take the label first, and their proofs
// are going.
func withoutLabels(strays []facts.Stray, proofs []facts.Proof) []facts.Stray {
	out := slices.Clone(strays)
	for i := range out {
		proved := func(p facts.Proof) bool { return !p.Going && bundle.Name(p.Bundle) == out[i].Name }
		if out[i].Kind == "half-written" && slices.ContainsFunc(proofs, proved) {
			out[i].Kind, out[i].What = "damaged", "its label is missing, and the state remembers that the bundle was proved"
		}
	}
	return out
}

// reaches reports whether a proof of one level is worth one of another.
func reaches(level, wanted string) bool { return level == LevelRestore || level == wanted }

// proved reports whether a bundle counts.
func (s inventory) proved(h held) bool { return h.standing == Proved }

// newestProved returns the newest bundle that counts.
func (s inventory) newestProved() (held, bool) {
	for _, h := range slices.Backward(s.bundles) {
		if s.proved(h) {
			return h, true
		}
	}
	return held{}, false
}

// fresh returns the newest bundle that counts and is younger than the limit.
func (s inventory) fresh() (held, bool) {
	for _, h := range slices.Backward(s.bundles) {
		if s.proved(h) && s.young(h) {
			return h, true
		}
	}
	return held{}, false
}

// young reports whether a bundle is younger than the limit, and not from the future.
func (s inventory) young(h held) bool {
	return s.clock.Passed(h.TakenAt.Add(-clockSlack)) && !s.clock.Passed(h.TakenAt.Add(s.maxAge))
}

// newestUnproved returns the newest bundle that counts or would if it were proved, where it is not proved.
func (s inventory) newestUnproved() (held, bool) {
	for _, h := range slices.Backward(s.bundles) {
		if h.standing == Proved || h.standing == Unproved {
			return h, !s.proved(h)
		}
	}
	return held{}, false
}

func (s inventory) age(h held) time.Duration { return s.clock.Now().Sub(h.TakenAt) }

// old says how old a bundle is; of one from the future, how far the clock is behind it.
func (s inventory) old(h held) string {
	if age := s.age(h); age < -clockSlack {
		return fmt.Sprintf("%s after now by this clock", span(-age))
	}
	return span(max(s.age(h), 0)) + " old"
}

// aged says the same in a sentence about the bundle.
func (s inventory) aged(h held) string {
	if s.age(h) < -clockSlack {
		return "was made " + s.old(h) + ": the clock went back"
	}
	return "is " + s.old(h)
}

// future returns the bundle that says that the clock went back. One that somebody else wrote says nothing of it.
func (s inventory) future() (held, bool) {
	for _, h := range slices.Backward(s.bundles) {
		if h.standing == Future {
			return h, true
		}
	}
	return held{}, false
}

// planted reports whether the store has a bundle that claims to be one of this block's, and is not.
func (s inventory) planted() bool {
	return slices.ContainsFunc(s.others, func(h held) bool { return h.standing == NotAuthentic })
}

// find returns a bundle by id.
func (s inventory) find(id string) (held, bool) {
	i := slices.IndexFunc(s.bundles, func(h held) bool { return h.ID == id })
	if i < 0 {
		return held{}, false
	}
	return s.bundles[i], true
}

// called names a bundle in messages: predicted ones have no id yet.
func called(id string) string {
	switch id {
	case facts.New:
		return "the new bundle"
	case newCold:
		return "the new bundle of cold copies"
	}
	return id
}

// span writes a duration as people say it: "31h", "12d", "40m".
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + span(-d)
	case d >= 100*time.Hour:
		return fmt.Sprintf("%dd", int(d/(24*time.Hour)))
	case d >= time.Hour:
		return fmt.Sprintf("%dh", int(d/time.Hour))
	case d >= time.Minute:
		return fmt.Sprintf("%dm", int(d/time.Minute))
	default:
		return fmt.Sprintf("%ds", int(d/time.Second))
	}
}

// instant writes a time as the rest of a plan does.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }
