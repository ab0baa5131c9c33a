package planner_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"upkeep/planner"
)

func macOf(key string) planner.MAC {
	return func(purpose string, value []byte) string {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(purpose + "\x00"))
		mac.Write(value)
		return hex.EncodeToString(mac.Sum(nil))
	}
}

// A plan file is the state's own, byte for byte, or it is not.
func TestOriginOfAPlanFile(t *testing.T) {
	r := testRequest(2, nil)
	r.Lineage = "lineage"
	p := build(t, r)
	p.ID = "p1"
	data, err := planner.EncodeSigned(p, macOf("key"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := planner.Decode(data, testTypes()); err != nil || got.Digest != p.Digest {
		t.Fatalf("a signed file is not read: %v", err)
	}
	recorded := p
	recorded.Request.Recorded = true
	fromFacts, err := planner.EncodeSigned(recorded, macOf("key"))
	if err != nil {
		t.Fatal(err)
	}
	plain := encode(t, p)
	origin := data[len(data)-len(`0"}`)-64-len("\n")+1:]
	for name, test := range map[string]struct {
		data []byte
		key  string
		want error
	}{
		"its own":                   {data, "key", nil},
		"of another state":          {data, "other", planner.ErrOrigin},
		"never signed":              {plain, "key", planner.ErrNoOrigin},
		"from recorded facts":       {fromFacts, "key", planner.ErrNoOrigin},
		"another host":              {bytes.Replace(data, []byte("192.0.2.1"), []byte("192.0.2.9"), 1), "key", planner.ErrOrigin},
		"another id":                {bytes.Replace(data, []byte(`"id":"p1"`), []byte(`"id":"p2"`), 1), "key", planner.ErrOrigin},
		"a space more":              {bytes.Replace(data, []byte(`"id":"p1"`), []byte(`"id": "p1"`), 1), "key", planner.ErrOrigin},
		"something behind":          {append(bytes.Clone(data), ' '), "key", planner.ErrNoOrigin},
		"the origin of another one": {append(bytes.Clone(fromFacts[:len(fromFacts)-2]), append([]byte(`,"origin":"`), origin...)...), "key", planner.ErrOrigin},
		"empty":                     {nil, "key", planner.ErrNoOrigin},
		"nothing but an origin":     {[]byte(`,"origin":"` + string(origin)), "key", planner.ErrOrigin},
	} {
		t.Run(name, func(t *testing.T) {
			if err := planner.CheckOrigin(test.data, macOf(test.key)); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

func TestPlansExpire(t *testing.T) {
	p := planner.Plan{ID: "p1", CreatedAt: testNow}
	for name, test := range map[string]struct {
		begun, now time.Time
		old        bool
	}{
		"at once":                         {time.Time{}, testNow, false},
		"within a day":                    {time.Time{}, testNow.Add(24 * time.Hour), false},
		"after a day":                     {time.Time{}, testNow.Add(24*time.Hour + time.Second), true},
		"begun in time, continued later":  {testNow.Add(time.Hour), testNow.Add(30 * 24 * time.Hour), false},
		"begun in time, continued never":  {testNow.Add(time.Hour), testNow.Add(32 * 24 * time.Hour), true},
		"a clock that is a little behind": {time.Time{}, testNow.Add(-time.Minute), false},
		"a clock that is far behind":      {time.Time{}, testNow.Add(-time.Hour), true},
	} {
		t.Run(name, func(t *testing.T) {
			if err := p.Expired(test.begun, test.now, planner.MaxAge); (err != nil) != test.old {
				t.Errorf("error %v", err)
			}
		})
	}
}
