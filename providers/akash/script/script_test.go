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
func knownScript(body []byte, v price.Version) Published {
	return PublishedOf(body, v, "0000000000000000000000000000000000000000")
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

// Published is byte for byte, but for the numbers of the targets. Whatever else differs makes a script customised, so
// that what it charges is unknown until it is measured. Each case was seen in the field, or stands beside one that
// was.
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
		unread     []Unread
		unusable   string
		hunks      []string
	}{
		{name: "unchanged", body: body},
		{name: "another number", body: replaced(`TARGET_CPU="1.75" `, `TARGET_CPU="2" `)},
		{name: "a number without quotation marks", body: replaced(`TARGET_CPU="1.75" `, `TARGET_CPU=2.25 `), customised: true,
			unread: []Unread{{"TARGET_CPU", 10}}, hunks: []string{"price: line 10 instead of published line 10"}},
		{name: "single quotation marks", body: replaced(`TARGET_GPU_UNIT="80.5" `, `TARGET_GPU_UNIT='450' `), customised: true,
			unread: []Unread{{"TARGET_GPU_UNIT", 18}}, hunks: []string{"price: line 18 instead of published line 18"}},
		{name: "a semicolon at the end", body: replaced(`TARGET_MEMORY="0.80"`, `TARGET_MEMORY="0.80";`), customised: true,
			unread: []Unread{{"TARGET_MEMORY", 11}}, hunks: []string{"price: line 11 instead of published line 11"}},
		{name: "a target in a condition", body: replaced("case ", `[ "$AKASH_OWNER" = x ] && TARGET_CPU="0"`+"\ncase "), customised: true,
			unread: []Unread{{"TARGET_CPU", 19}}, hunks: []string{"filter: line 19 added"}},
		{name: "a target that is added to", body: body + "((TARGET_CPU += 1))\n", customised: true,
			unread: []Unread{{"TARGET_CPU", 23}}, hunks: []string{"price: line 23 added"}},
		{name: "a target that is set again", body: body + "TARGET_CPU=\"9\"\n", customised: true,
			unread: []Unread{{"TARGET_CPU", 23}}, hunks: []string{"price: line 23 added"}},
		{name: "a minimum price of a lease", body: replaced("case ", `min_price=25`+"\n"+`(( $(bc <<<"$total < $min_price") )) && total=$min_price`+"\ncase "),
			customised: true, hunks: []string{"floor: lines 19-20 added"}},
		{name: "a list of refused accounts", body: replaced("order=", `grep -qw "$AKASH_OWNER" /tmp/refused && exit 1`+"\norder="),
			customised: true, hunks: []string{"filter: line 4 added"}},
		{name: "the installer's body, which refuses orders without a GPU", body: replaced("case ",
			`if [ "$units" = 0 ]; then echo -n "Rejected: no GPU" >&2; exit 1; fi`+"\ncase "), customised: true, hunks: []string{"filter: line 19 added"}},
		{name: "a log", body: replaced("case ", `echo "$order" >>/tmp/orders.txt`+"\ncase "), customised: true, hunks: []string{"log: line 19 added"}},
		{name: "a blank behind a backslash", body: replaced("[[ $(jq", "[[ \\ \n$(jq"), customised: true,
			hunks: []string{"filter: lines 5-6 instead of published line 5"}},
		{name: "a blank at the end of a line", body: replaced("order=$(jq .)", "order=$(jq .) "), customised: true,
			hunks: []string{"price: line 4 instead of published line 4"}},
		{name: "an empty line", body: replaced("cpu=", "\ncpu="), customised: true, hunks: []string{"comment: line 7 added"}},
		{name: "a comment line", body: replaced("cpu=", "# ours\ncpu="), customised: true, hunks: []string{"comment: line 7 added"}},
		{name: "a target without its comment", body: replaced("          # USD a thread", ""), customised: true,
			hunks: []string{"price: line 10 instead of published line 10"}},
		{name: "no end of the last line", body: strings.TrimRight(body, "\n"), customised: true, hunks: []string{"comment: published line 23 removed"}},
		{name: "a command less", body: replaced("[[ $(jq", "# [[ $(jq"), customised: true, hunks: []string{"filter: line 5 instead of published line 5"}},
		{name: "a command in a target", body: replaced(`TARGET_CPU="1.75"`, `TARGET_CPU="$(curl example.net)"`), customised: true,
			unread: []Unread{{"TARGET_CPU", 10}}, hunks: []string{"price: line 10 instead of published line 10"}},
		{name: "Windows line ends", body: strings.ReplaceAll(body, "\n", "\r\n"), customised: true, unusable: "carriage returns"},
		{name: "a page that is not there", body: "404: Not Found", customised: true, unusable: "a web server that did not find the script"},
		{name: "a web page", body: "<!DOCTYPE html>\n<html></html>\n", customised: true, unusable: "a web page"},
		{name: "no interpreter", body: "echo 5\n", customised: true, unusable: "does not name an interpreter"},
		{name: "nothing", customised: true, unusable: "empty"},
		{name: "another script", body: "#!/bin/bash\necho 5\n", customised: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := Recognise([]byte(test.body), known)
			if r.Customised() != test.customised {
				t.Errorf("customised is %t", r.Customised())
			}
			if diff := cmp.Diff(test.unread, r.Unread); diff != "" {
				t.Errorf("unread targets (-want +got)\n%s", diff)
			}
			if (r.Unusable == "") != (test.unusable == "") || !strings.Contains(r.Unusable, test.unusable) {
				t.Errorf("unusable: %q", r.Unusable)
			}
			var got []string
			d, _ := Compare([]byte(test.body), known)
			for _, h := range d.Hunks {
				got = append(got, h.String())
			}
			if diff := cmp.Diff(test.hunks, got); diff != "" {
				t.Errorf("difference (-want +got)\n%s", diff)
			}
		})
	}
}

// What a report shows of a script holds no password.
func TestShown(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{`min_price=25`, `min_price=25`},
		{`curl -H "Authorization: Bearer canary" https://user:canary@example.net/x`, `curl -H "Authorization: ***" https://***@example.net/x`},
		{`key=canary0123456789canary`, `***`},
		{`token=canary curl x`, `token=*** curl x`},
		{`# Alice: akash1fxa9ss3dg6nqyz8aluyaa6svypgprk5tw9fa4q`, `# Alice: akash1fxa9ss3dg6nqyz8aluyaa6svypgprk5tw9fa4q`},
		{strings.Repeat("a b", 100), strings.Repeat("a b", 100)[:shownBytes] + "..."},
	} {
		if got := shown(test.line); got != test.want {
			t.Errorf("%q is shown as %q, want %q", test.line, got, test.want)
		}
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

// A script that prices by model keeps its items; what it charged by default is written out, since newer ones charge
// otherwise.
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
	f.Add([]byte("x=$(jq '\nif {a} # b\n' <<<\"${y#\\'} $((1<<2))\") &&\nTARGET_CPU=\"1\"\n((z=(1<<2)))\ncase a in (b) : ;; c) exit 1;; esac"), "")
	f.Add([]byte("cat <<-A <<'B C' | f() { if true; then\n\tA\nTARGET_IP=\"1\"\nB C\nfi; }\nfunction g {\n. ./x\n}; eval $'\\''\nexit"), "")
	f.Fuzz(func(t *testing.T, body []byte, mappings string) {
		r := Recognise(body)
		if r.Known {
			t.Fatal("a script that nobody published is known")
		}
		if again := Recognise(body); !cmp.Equal(r, again) {
			t.Fatal("the same text is recognised in two ways")
		}
		if got := Recognise(append([]byte("# a comment\n\n"), body...)); got.FormSHA256 == r.FormSHA256 {
			t.Fatal("a script with two lines more has the same form")
		}
		named := PublishedOf(body, price.Newest, "")
		if got := Recognise(body, named); !got.Known {
			t.Fatal("a script that the caller knows is not known")
		}
		if d, ok := Compare(body, named); ok && d.Nearest.Form == named.Form && len(d.Hunks) > 0 {
			t.Fatalf("a script differs from itself: %v", d.Hunks)
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
