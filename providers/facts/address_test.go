package facts

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseAddress(t *testing.T) {
	tests := []struct {
		text string
		want Address
	}{
		{"certificates.control_plane", Address{Type: "certificates", Name: "control_plane"}},
		{`certificates.control_plane["a"]`, Address{Type: "certificates", Name: "control_plane", Key: "a"}},
		{`certificates.control_plane["a]\"b"]@cp1`, Address{Type: "certificates", Name: "control_plane", Key: `a]"b`, Node: "cp1"}},
		{"certificates.control_plane@node1.example.net", Address{Type: "certificates", Name: "control_plane", Node: "node1.example.net"}},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			got, err := ParseAddress(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("address (-want +got):\n%s", diff)
			}
			if got.String() != test.text {
				t.Errorf("String() = %s, want %s", got, test.text)
			}
		})
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for _, text := range []string{"", "certificates", "certificates.", "certificates.a[b]", "certificates.a@", "certificates.a@-x", `certificates.a["\q"]`, "Certificates.a b"} {
		if got, err := ParseAddress(text); err == nil {
			t.Errorf("ParseAddress(%q) = %+v, want an error", text, got)
		}
	}
}

func TestAddressSurvivesText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Address{
			Type: rapid.StringMatching(`[a-z][a-z0-9_]{0,8}`).Draw(t, "type"),
			Name: rapid.StringMatching(`[A-Za-z_][A-Za-z0-9_-]{0,8}`).Draw(t, "name"),
			Key:  rapid.String().Draw(t, "key"),
			Node: rapid.StringMatching(`([A-Za-z0-9][A-Za-z0-9._-]{0,8})?`).Draw(t, "node"),
		}
		got, err := ParseAddress(want.String())
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("%s came back as %s", want, got)
		}
	})
}

func FuzzParseAddress(f *testing.F) {
	f.Add(`certificates.control_plane["a"]@cp1`)
	f.Add("x.y@z")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAddress(text)
		if err != nil {
			return
		}
		again, err := ParseAddress(a.String())
		if err != nil || again != a {
			t.Errorf("%q parsed as %+v, which reads back as %+v, %v", text, a, again, err)
		}
	})
}

func TestCovers(t *testing.T) {
	whole := Address{Type: "certificates", Name: "cp"}
	tests := []struct {
		name string
		a, b Address
		want bool
	}{
		{"itself", whole, whole, true},
		{"its node", whole, whole.On("cp1"), true},
		{"its instance", whole, Address{Type: "certificates", Name: "cp", Key: "a"}, true},
		{"a node is not the whole", whole.On("cp1"), whole, false},
		{"another node", whole.On("cp1"), whole.On("cp2"), false},
		{"another name", whole, Address{Type: "certificates", Name: "other"}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.a.Covers(test.b); got != test.want {
				t.Errorf("%s covers %s: %v, want %v", test.a, test.b, got, test.want)
			}
		})
	}
}
