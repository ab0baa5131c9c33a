package config

import (
	"encoding/json"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// certs is what the test-only block type decodes to: a domain in miniature.
type certs struct {
	Layout      string             `json:"layout"`
	Nodes       Selection          `json:"nodes"`
	RenewBefore Duration           `json:"renew_before"`
	Kubeconfigs []string           `json:"kubeconfigs,omitempty"`
	HasToken    bool               `json:"has_token,omitempty"`
	Prices      map[string]float64 `json:"prices,omitempty"`
	Stores      []string           `json:"stores,omitempty"`
	Daily       int                `json:"daily,omitempty"`
	After       string             `json:"after,omitempty"`
}

// testTypes returns a block type that uses everything a schema can say.
func testTypes() []BlockType {
	return []BlockType{{
		Name:  "certs",
		Label: "a name for this set of certificates",
		Doc:   "Keeps certificates fresh (a type that exists in tests only).",
		Schema: Schema{
			Attributes: []Attribute{
				{Name: "layout", Type: cty.String, Default: cty.StringVal("auto"), OneOf: []string{"auto", "kubeadm"}, Doc: "How the files lie."},
				{Name: "nodes", Type: SelectionType, Required: true, Doc: "Which nodes."},
				{Name: "renew_before", Type: cty.String, Default: cty.StringVal("30d"), Doc: "How early to renew."},
				{Name: "kubeconfigs", Type: cty.List(cty.String), Doc: "Copies."},
				{Name: "prices", Type: cty.Map(cty.Number), Doc: "Prices."},
				{Name: "token", Type: cty.String, Sensitive: true, Doc: "A secret."},
				{Name: "after", Type: ReferenceType, Doc: "Another block to wait for."},
			},
			Blocks: []NestedBlock{
				{Name: "store", Label: "kind", Repeatable: true, Doc: "Where to.", Schema: Schema{Attributes: []Attribute{{Name: "path", Type: cty.String, Required: true}}}},
				{Name: "keep", Doc: "What to keep.", Schema: Schema{Attributes: []Attribute{{Name: "daily", Type: cty.Number, Required: true}}}},
			},
		},
		Guards: []string{"backup", "leases"},
		Decode: decodeCerts,
		Restore: func(data json.RawMessage) (any, error) {
			var c certs
			err := json.Unmarshal(data, &c)
			return c, err
		},
	}, {
		Name: WindowType, Label: "a name", Doc: "A window in miniature.", NoSteps: true,
		Schema:  Schema{Attributes: []Attribute{{Name: "cron", Type: cty.String, Required: true}}},
		Decode:  func(b Block) (any, hcl.Diagnostics) { return b.String("cron"), nil },
		Restore: func(data json.RawMessage) (any, error) { var s string; err := json.Unmarshal(data, &s); return s, err },
	}}
}

func decodeCerts(b Block) (any, hcl.Diagnostics) {
	before, diags := b.Duration("renew_before")
	c := certs{
		Layout: b.String("layout"), Nodes: b.Selection("nodes"), RenewBefore: before, Kubeconfigs: b.Strings("kubeconfigs"),
		HasToken: !b.Secret("token").Empty(),
	}
	if r := b.Reference("after"); r != (Reference{}) {
		c.After = r.String()
	}
	if prices := b.Value.GetAttr("prices"); !prices.IsNull() {
		c.Prices = map[string]float64{}
		for name, price := range prices.AsValueMap() {
			c.Prices[name], _ = price.AsBigFloat().Float64()
		}
	}
	for _, store := range b.Value.GetAttr("store").AsValueSlice() {
		c.Stores = append(c.Stores, store.GetAttr("label").AsString()+":"+store.GetAttr("path").AsString())
	}
	if keep, ok := b.Nested("keep"); ok {
		daily, more := keep.Integer("daily", 1, 1000)
		diags = append(diags, more...)
		c.Daily = daily
	}
	return c, diags
}
