package price

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var oneDecimal = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// Whatever an order and the targets hold, the engine answers: an error that says what is not modelled, or what a
// script would write. An answer with exit code 0 to a version that prints no debug lines is one decimal number.
func FuzzOrder(f *testing.F) {
	for _, text := range []string{
		asked(order1, UAKT, plenty, 6), asked(order2, USDC, plenty, 18), asked(order3(), UACT, "5", 0), "[" + order2 + "]",
		`{"resources":[{"memory":null,"storage":[]}],"price":{}}`, `{"resources":[],"price":"12.5uakt"}`, `[]`, `{"resources":[{}],"price":null}`,
		`{"resources":[{"memory":1e308,"cpu":1e308,"count":1e308,"storage":[{"class":"beta1","size":-1}]}],"price":{"denom":"uakt","amount":"1e9"}}`,
	} {
		f.Add([]byte(text), "1.60", "a100=120,t4=80.5,*=130", "3")
	}
	f.Add([]byte(asked(order3(), UAKT, plenty, 6)), "1e-05", "a100=5,,t4=6", "0.79892")
	f.Add([]byte(asked(order3(), UAKT, plenty, 6)), "-.5", "t4=08,a100=0x10", "")
	f.Fuzz(func(t *testing.T, data []byte, cpu, mappings, usdPerAKT string) {
		o, err := ParseOrder(data)
		if err != nil {
			if !errors.Is(err, ErrOrder) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		for _, v := range append(Versions(), Scale) {
			s := Setting{Version: v, Targets: Targets{CPU: cpu, GPUMappings: mappings, Scales: Scales{CPU: cpu, Storage: mappings}}, AKT: usdPerAKT}
			r, err := Price(o, s)
			if err != nil && v == Scale {
				continue // what the order's denomination is worth is not known
			}
			if err != nil {
				var u *Unmodelled
				if !errors.As(err, &u) {
					t.Fatalf("%s: another error: %v", v, err)
				}
				continue
			}
			if r.ExitCode == 0 && r.Stdout != "\n" && !oneDecimal.MatchString(strings.TrimSpace(r.Stdout)) && !strings.HasPrefix(r.Stdout, ".") && !strings.HasPrefix(r.Stdout, "-.") && !strings.Contains(r.Stdout, "e+") {
				t.Errorf("%s prints %q", v, r.Stdout)
			}
			if r.ExitCode != 0 && r.Stdout != "" {
				t.Errorf("%s fails and prints %q", v, r.Stdout)
			}
			if verdict := Judge(o, r); verdict.Bids == (verdict.Reason != "") {
				t.Errorf("%s: the verdict is %+v", v, verdict)
			}
		}
	})
}

func TestBadOrders(t *testing.T) {
	for _, text := range []string{
		"", "{", "5", `"x"`, `{"resources":5}`, `{"price":{}}`, `[5]`, `[{"memory":"1"}]`, `[{"gpu":5}]`, `[{"storage":{}}]`, `[{"storage":[5]}]`,
		`[{"gpu":{"attributes":{"vendor":{"nvidia":{"model":"a b"}}}}}]`, `[{"gpu":{"attributes":{"vendor":{"nvidia":{"model":""}}}}}]`, `[]x`, `{"resources":[],"price_precision":-1}`,
		`{"resources":[],"price_precision":1.5}`, `{"resources":[],"price_precision":"6"}`, `{"resources":[],"price":{"denom":[]}}`, "[" + strings.Repeat(" ", largestOrder) + "]",
	} {
		if _, err := ParseOrder([]byte(text)); !errors.Is(err, ErrOrder) {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

// The recording, and what made it, stand in one directory and know the same versions.
func TestRecorderNamesEveryVersion(t *testing.T) {
	data, err := os.ReadFile("testdata/record.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range Versions() {
		if !strings.Contains(string(data), string(v)) {
			t.Errorf("record.sh does not say which revision %s is", v)
		}
	}
}

// FuzzWhitelist: an owner is served where the list has it as a word of its own, and nobody is served by another's.
func FuzzWhitelist(f *testing.F) {
	f.Add("akash1friend\nakash1other\n", "akash1friend")
	f.Add("xakash1friend,akash1friend", "akash1friend")
	f.Add("<html>404</html>", "a")
	o, err := ParseOrder([]byte(asked(order1, UACT, plenty, 6)))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, list, owner string) {
		served, err := Price(o, Setting{Version: Newest, AKT: "3", Owner: owner, Whitelist: &Whitelist{Text: list}})
		var u *Unmodelled
		if errors.As(err, &u) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		words := strings.FieldsFunc(list, func(c rune) bool { return c > 127 || !inWord(byte(c)) })
		if want := slices.Contains(words, owner); want != (served.ExitCode == 0) {
			t.Errorf("%q in %q: %+v", owner, list, served)
		}
	})
}
