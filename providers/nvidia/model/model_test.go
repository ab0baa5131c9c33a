package model

import (
	"regexp"
	"testing"
)

func TestOf(t *testing.T) {
	for device, want := range map[string]GPU{
		"2330": {Name: "h100", Interface: "SXM5", Memory: "80Gi"},
		"2331": {Name: "h100", Interface: "PCIe", Memory: "80Gi"},
		"20b0": {Name: "a100", Interface: "SXM4", Memory: "40Gi"},
		"2335": {Name: "h200", Interface: "SXM5", Memory: "141Gi"},
		"2901": {Name: "b200", Interface: "SXM6", Memory: "180Gi", Board: HGX},
		"2941": {Name: "gb200", Interface: "C2C", Memory: "186Gi", Board: Tray},
	} {
		if got, ok := Of(device); !ok || got != want {
			t.Errorf("%s is %+v, %v; want %+v", device, got, ok, want)
		}
	}
	if g, ok := Of("ffff"); ok {
		t.Errorf("an id that nobody has is %+v", g)
	}
	if !Known("a100") || Known("A100") || Known("") {
		t.Error("Known takes what is no name, or not what is one")
	}
}

// TestTables: every row has the form that labels and configurations use, and no id is in both tables.
func TestTables(t *testing.T) {
	id, name, memory := regexp.MustCompile(`^[0-9a-f]{4}$`), regexp.MustCompile(`^[a-z0-9]+$`), regexp.MustCompile(`^[1-9][0-9]*Gi$`)
	for _, table := range []map[string]GPU{listed, others} {
		for device, g := range table {
			if !id.MatchString(device) || !name.MatchString(g.Name) || !memory.MatchString(g.Memory) || g.Interface == "" {
				t.Errorf("%s: %+v", device, g)
			}
			if _, both := listed[device]; both && others[device].Name != "" {
				t.Errorf("%s is in both tables", device)
			}
		}
	}
}
