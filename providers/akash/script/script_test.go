package script

import (
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/akash/price"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// knownScript makes a test script a known one.
func knownScript(body []byte, v price.Version) Known {
	return Known{LogicSHA256: logicDigest(body), Version: v}
}

func TestRecogniseByFeatures(t *testing.T) {
	for _, test := range []struct {
		name, says, source string
		body               []byte
		want               price.Version
		act                bool
	}{
		{"literal", "Sept-08-2023", "", read(t, "literal.sh"), price.Sept08, false},
		{"mapped", "February-04-2025", "diadata", read(t, "mapped.sh"), price.Feb04ACT, true},
		{"its word is not believed", "February-04-2025", "diadata", cut(read(t, "mapped.sh"), `"uact"`), price.Feb04, false},
		{"no decimals", "February-04-2025", "", cut(cut(cut(read(t, "mapped.sh"), `"uact"`), "diadata"), "bc -l"), price.March27, false},
		{"Windows line ends", "Sept-08-2023", "", []byte(strings.ReplaceAll(string(read(t, "literal.sh")), "\n", "\r\n")), price.Sept08, false},
		{"a feature in a comment is none", "Sept-08-2023", "", append(read(t, "literal.sh"), "# \"uact\") PRICE_TARGET_GPU_MAPPINGS\n"...), price.Sept08, false},
		{"no price script", "", "", []byte("#!/bin/sh\necho 99999\n"), "", false},
		{"empty", "", "", nil, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := Recognise(test.body)
			got := []any{r.Version, r.Known, r.Says, r.PriceSource, r.ACT(), r.Customised()}
			if diff := cmp.Diff([]any{test.want, false, test.says, test.source, test.act, true}, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// cut removes the lines that hold a text.
func cut(body []byte, text string) []byte {
	var out []string
	for _, line := range strings.Split(string(body), "\n") {
		if !strings.Contains(line, text) {
			out = append(out, line)
		}
	}
	return []byte(strings.Join(out, "\n"))
}

// A known script stays known with other targets, comments and empty lines; one command more and it is customised.
func TestCustomised(t *testing.T) {
	body := string(read(t, "literal.sh"))
	known := knownScript([]byte(body), price.Sept08)
	replaced := func(old, text string) string {
		if !strings.Contains(body, old) {
			t.Fatalf("there is no %q", old)
		}
		return strings.Replace(body, old, text, 1)
	}
	for _, test := range []struct {
		name, body string
		customised bool
	}{
		{"as it is", body, false},
		{"another target", replaced(`TARGET_CPU="1.75" `, `TARGET_CPU="2" `), false},
		{"a target without its comment", replaced("          # USD a thread", ""), false},
		{"a comment more", "# ours\n\n" + body, false},
		{"Windows line ends, with which it does not run", strings.ReplaceAll(body, "\n", "\r\n"), true},
		{"no end of line", strings.TrimRight(body, "\n"), false},
		{"a command more", body + "echo 1\n", true},
		{"a command less", replaced("[[ $(jq", "# [[ $(jq"), true},
		{"a command in a target", replaced(`TARGET_CPU="1.75"`, `TARGET_CPU="$(curl example.net)"`), true},
		{"a command behind a target", replaced(`TARGET_CPU="1.75" `, `TARGET_CPU="1.75"; echo 1`), true},
		{"another condition", replaced("|| exit 1", "&& exit 1"), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Recognise([]byte(test.body), known).Customised(); got != test.customised {
				t.Errorf("customised is %t", got)
			}
		})
	}
}

func TestTargetsInTheText(t *testing.T) {
	if diff := cmp.Diff([]Literal{
		{Name: "TARGET_CPU", Value: "1.60", FromValues: true, Line: 10},
		{Name: "TARGET_MEMORY", Value: "0.80", FromValues: true, Line: 11},
		{Name: "TARGET_ENDPOINT", Value: "0.10", FromValues: true, Line: 12},
	}, Recognise(read(t, "mapped.sh")).Targets); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	literal := Recognise(read(t, "literal.sh")).Targets
	if diff := cmp.Diff(Literal{Name: "TARGET_GPU_UNIT", Value: "80.5", Line: 18}, literal[len(literal)-1]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// What is in force: the values where the script reads them, then its text.
func TestInForce(t *testing.T) {
	values := price.Targets{CPU: "2", GPUMappings: "t4=70"}
	got := Recognise(read(t, "mapped.sh")).InForce(values)
	if diff := cmp.Diff(price.Targets{CPU: "2", Memory: "0.80", Endpoint: "0.10", GPUMappings: "t4=70"}, got); diff != "" {
		t.Errorf("mapped (-want +got)\n%s", diff)
	}
	got = Recognise(read(t, "literal.sh")).InForce(values)
	want := price.Targets{CPU: "1.75", Memory: "0.80", Ephemeral: "0.02", HDD: "0.01", SSD: "0.03", NVMe: "0.04", Endpoint: "0", IP: "5", GPUUnit: "80.5"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("literal (-want +got)\n%s", diff)
	}
}

func TestMigrateLiterals(t *testing.T) {
	fleet := []price.FleetGPU{{Vendor: "nvidia", Model: "a100", RAM: "80Gi", Interface: "sxm"}, {Vendor: "nvidia", Model: "t4"}, {Vendor: "amd", Model: "mi100"}}
	m, err := Recognise(read(t, "literal.sh")).Migrate(price.Targets{}, price.Newest, fleet)
	if err != nil {
		t.Fatal(err)
	}
	want := []Value{
		{"price_target_cpu", "1.75", 10}, {"price_target_memory", "0.80", 11}, {"price_target_hd_ephemeral", "0.02", 12},
		{"price_target_hd_pers_hdd", "0.01", 13}, {"price_target_hd_pers_ssd", "0.03", 14}, {"price_target_hd_pers_nvme", "0.04", 15},
		{"price_target_endpoint", "0", 16}, {"price_target_ip", "5", 17},
		{"price_target_gpu_mappings", "a100=80.5,t4=80.5,mi100=80.5,*=80.5", 18},
	}
	if diff := cmp.Diff(want, m.Values); diff != "" {
		t.Errorf("values (-want +got)\n%s", diff)
	}
	if len(m.Prices) != 8+4+1+1 || len(m.Orders) != 2+3 {
		t.Fatalf("compares %d prices and %d orders", len(m.Prices), len(m.Orders))
	}
	for _, c := range m.Prices {
		if c.Changed() {
			t.Errorf("the price of %s changes: %s to %s", c.What, c.Before, c.After)
		}
	}
	for _, o := range m.Orders {
		if o.Before == nil || o.After == nil || !o.Before.Equal(*o.After) {
			t.Errorf("the price of %s changes: %v to %v", o.Name, o.Before, o.After)
		}
	}
}

// A script that prices by model keeps its items; what it charged by default is written out, since newer ones charge otherwise.
func TestMigrateMappings(t *testing.T) {
	body := cut(cut(cut(cut(cut(cut(read(t, "mapped.sh"), `"uact"`), "diadata"), "bc -l"), "interface"), ".amd"), "gpu_unit_max_price")
	r := Recognise(body, knownScript(body, price.Sept19))
	fleet := []price.FleetGPU{{Vendor: "nvidia", Model: "a100"}, {Vendor: "nvidia", Model: "rtx3060"}}
	for _, test := range []struct{ given, want string }{
		{"", "a100=120,t4=80,*=130,rtx3060=100"},
		{"rtx3060=30", "rtx3060=30,a100=100"},
		{"a100=3,rtx3060=30,a100=5", "rtx3060=30,a100=5"},
		{"a100=3,,rtx3060=30", "a100=3,rtx3060=100"},
	} {
		m, err := r.Migrate(price.Targets{GPUMappings: test.given}, price.Newest, fleet)
		if err != nil {
			t.Fatal(err)
		}
		if m.To.Targets.GPUMappings != test.want {
			t.Errorf("%q becomes %q, want %q", test.given, m.To.Targets.GPUMappings, test.want)
		}
		for _, c := range m.Prices {
			if c.Changed() {
				t.Errorf("%q: the price of %s changes from %s to %s", test.given, c.What, c.Before, c.After)
			}
		}
	}
}

func TestMigrateRefuses(t *testing.T) {
	fleet := []price.FleetGPU{{Vendor: "nvidia", Model: "t4"}}
	literal := Recognise(read(t, "literal.sh"))
	for _, test := range []struct {
		name string
		from Recognition
		to   price.Version
		want string
	}{
		{"no price script", Recognise([]byte("echo 1")), price.Newest, "none that upkeep knows"},
		{"to literals", literal, price.Sept08, "does not read price_target_*"},
		{"to whole numbers", literal, price.March27, `cannot keep the price of t4: the shell cannot compute with "80.5"`},
	} {
		if _, err := test.from.Migrate(price.Targets{}, test.to, fleet); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestEncoding(t *testing.T) {
	body := read(t, "literal.sh")
	value, err := Encode(body)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Decode(value); err != nil || string(got) != string(body) {
		t.Errorf("decodes to another text: %v", err)
	}
	if _, err := Decode("#!/bin/bash"); !errors.Is(err, ErrEncoding) {
		t.Errorf("plain text decodes: %v", err)
	}
	for _, bad := range []string{"", "a\x00b", "\xff"} {
		if _, err := Encode([]byte(bad)); err == nil {
			t.Errorf("%q is taken for a script", bad)
		}
	}
}

func TestWindowsLines(t *testing.T) {
	body := strings.ReplaceAll(string(read(t, "literal.sh")), "\n", "\r\n")
	if r := Recognise([]byte(body)); !r.WindowsLines || len(r.Targets) != 9 {
		t.Errorf("%t, %v", r.WindowsLines, r.Targets)
	}
	if Recognise(read(t, "literal.sh")).WindowsLines {
		t.Error("a script without them has them")
	}
}

// What names a script for people holds nothing of its text.
func TestStringShowsNoText(t *testing.T) {
	r := Recognise(read(t, "literal.sh"))
	if got, want := r.String(), "customised script like Sept-08-2023, sha256 "+r.SHA256[:12]; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzRecognise(f *testing.F) {
	for _, name := range []string{"literal.sh", "mapped.sh"} {
		f.Add(read(f, name), "t4=5")
	}
	f.Add([]byte("TARGET_CPU=\"1\"\r\n# Version: x\nTARGET_GPU_UNIT=\".\""), ",")
	f.Fuzz(func(t *testing.T, body []byte, mappings string) {
		r := Recognise(body)
		if r.Known {
			t.Fatal("a script that nobody published is known")
		}
		if again := Recognise(body); !cmp.Equal(r, again) {
			t.Fatal("the same text is recognised in two ways")
		}
		if got := Recognise(append([]byte("# a comment\n\n"), body...)); got.LogicSHA256 != r.LogicSHA256 {
			t.Fatal("a comment changes what the script does")
		}
		fleet := []price.FleetGPU{{Vendor: "nvidia", Model: "t4"}}
		m, err := r.Migrate(price.Targets{GPUMappings: mappings}, price.Newest, fleet)
		if err == nil && !strings.Contains(m.To.Targets.GPUMappings, "t4") {
			t.Fatalf("the fleet has no price in %q", m.To.Targets.GPUMappings)
		}
		if value, err := Encode(body); err == nil {
			if _, err := base64.StdEncoding.DecodeString(value); err != nil {
				t.Fatal(err)
			}
		}
	})
}
