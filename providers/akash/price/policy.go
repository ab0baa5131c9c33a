package price

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Policy is what a provider asks of an order beyond its targets. Package script compiles it into a bid price script;
// this is what that script does. The zero Policy asks nothing.
type Policy struct {
	// Minimum is the least that an order costs, in USD a month, as a plain decimal; empty: no minimum. A cheaper order
	// is priced at the minimum.
	Minimum string `json:"minimum,omitempty"`
	// GPUOnly refuses orders without a GPU.
	GPUOnly bool `json:"gpu_only,omitempty"`
	// Deny refuses what it names, Allow what it does not name. Deny beats Allow. An empty part of either asks nothing.
	Deny  Names `json:"deny,omitzero"`
	Allow Names `json:"allow,omitzero"`
}

// Names are accounts of tenants and models of GPUs.
type Names struct {
	Accounts []string `json:"accounts,omitempty"` // akash1...
	Models   []string `json:"models,omitempty"`   // a100, a100.80Gi, a100.80Gi.sxm
}

var (
	// An account is a bech32 address of 20 bytes under the prefix of Akash: 38 characters after it.
	accountPattern = regexp.MustCompile(`^akash1[0-9a-z]{38}$`)
	// A model is an item of a GPU mapping without the wildcard.
	modelPattern = regexp.MustCompile(`^[a-z0-9]{1,64}(\.[0-9]{1,6}Gi)?(\.(pcie|sxm))?$`)
	plainDecimal = regexp.MustCompile(`^[0-9]{1,12}(\.[0-9]{1,18})?$`)
)

// NamesOf sorts a list into accounts and models, without repetitions; bad are those that are neither, in their order.
func NamesOf(list []string) (names Names, bad []string) {
	for _, name := range list {
		switch {
		case accountPattern.MatchString(name):
			names.Accounts = append(names.Accounts, name)
		case modelPattern.MatchString(name) && !strings.HasPrefix(name, "akash1"):
			names.Models = append(names.Models, name)
		default:
			bad = append(bad, name)
		}
	}
	for _, list := range []*[]string{&names.Accounts, &names.Models} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return names, bad
}

// Empty reports whether there is no name.
func (n Names) Empty() bool { return len(n.Accounts)+len(n.Models) == 0 }

// Check returns an error for a policy that NamesOf and plain decimals do not yield.
func (p Policy) Check() error {
	if p.Minimum != "" && !plainDecimal.MatchString(p.Minimum) {
		return fmt.Errorf("the minimum %q is no plain decimal", shortened(p.Minimum))
	}
	for _, names := range []Names{p.Deny, p.Allow} {
		found, bad := NamesOf(slices.Concat(names.Accounts, names.Models))
		if len(bad) > 0 {
			return fmt.Errorf("%q is neither an account nor a GPU model", shortened(bad[0]))
		}
		if !slices.Equal(found.Accounts, names.Accounts) || !slices.Equal(found.Models, names.Models) {
			return fmt.Errorf("the names are not sorted into accounts and models, each once and in order")
		}
	}
	return nil
}

// Empty reports whether a policy asks nothing.
func (p Policy) Empty() bool {
	return p.Minimum == "" && !p.GPUOnly && p.Deny.Empty() && p.Allow.Empty()
}

// Served is an account that the policy serves: a made-up one where it names none to be allowed. It is empty where the
// policy serves nobody.
func (p Policy) Served() string {
	for _, account := range p.Allow.Accounts {
		if !slices.Contains(p.Deny.Accounts, account) {
			return account
		}
	}
	if len(p.Allow.Accounts) > 0 {
		return ""
	}
	for i := 0; ; i++ {
		if account := fmt.Sprintf("akash1%038d", i); !slices.Contains(p.Deny.Accounts, account) {
			return account
		}
	}
}

// permits is the script's first act under a policy: it refuses an order before the published part reads it.
func (r *run) permits(p Policy) bool {
	why := p.refusal(r.order, r.setting.Owner)
	if why != "" {
		r.fail(PolicySays + why)
	}
	return why == ""
}

// PolicySays begins every refusal by a policy, on the script's standard error.
const PolicySays = "upkeep policy: "

// refusal says why a policy refuses an order; nothing where it does not.
func (p Policy) refusal(o Order, owner string) string {
	asked := askedModels(o)
	switch {
	case owner == "" && len(p.Deny.Accounts)+len(p.Allow.Accounts) > 0:
		return "AKASH_OWNER is not set"
	case slices.Contains(p.Deny.Accounts, owner):
		return owner + " is denied"
	case len(p.Allow.Accounts) > 0 && !slices.Contains(p.Allow.Accounts, owner):
		return owner + " is not allowed"
	case p.GPUOnly && len(asked) == 0:
		return "the order asks for no GPU"
	}
	for _, names := range asked {
		if p.Deny.covers(names) {
			return "the model " + names[0] + " is denied"
		}
	}
	for _, names := range asked {
		if len(p.Allow.Models) > 0 && !p.Allow.covers(names) {
			return "the model " + names[0] + " is not allowed"
		}
	}
	return ""
}

// covers reports whether one of the names of a model stands in the list.
func (n Names) covers(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(n.Models, name) })
}

// askedModels are the models of the entries with GPUs, each under all names that stand for it: the first is the model
// alone. Letters are folded as the cluster's labels are, so that no spelling evades a list.
func askedModels(o Order) [][]string {
	var out [][]string
	for _, e := range o.Resources {
		if e.GPU.Units == nil || *e.GPU.Units <= 0 {
			continue
		}
		m := Model{}
		switch {
		case e.GPU.NVIDIA != nil:
			m = *e.GPU.NVIDIA
		case e.GPU.AMD != nil:
			m = *e.GPU.AMD
		}
		model, interfaceName := strings.ToLower(m.Model), strings.ToLower(m.Interface)
		if strings.HasPrefix(interfaceName, "sxm") {
			interfaceName = "sxm"
		}
		out = append(out, []string{model, model + "." + m.RAM, model + "." + interfaceName,
			model + "." + m.RAM + "." + interfaceName})
	}
	return out
}

var positiveAnswer = regexp.MustCompile(`^[0-9]+([.][0-9]+)?$`)

// raise is the script's last act under a policy: it raises the published part's answer to the minimum. An answer that
// is no bid stays as it is.
func (r *run) raise(minimum string) error {
	answer := strings.TrimRight(r.result.Stdout, "\n") // $( ) drops them
	if r.result.ExitCode != 0 {
		answer = ""
	}
	r.result.Stdout = answer
	if minimum == "" || r.result.ExitCode != 0 || !positiveAnswer.MatchString(answer) {
		return nil
	}
	if bids, err := greater(answer, "0"); err != nil || !bids {
		return fault(err)
	}
	least, err := calculate(minimum, bcScale)
	if err != nil {
		return fmt.Errorf("minimum: %w", err)
	}
	rate, places := word{number: least, ok: true}, r.order.Precision
	if !r.priced() {
		places = 0
	}
	million, blocks := whole(1000000), whole(blocksPerMonth)
	if r.priced() && r.order.Denom != UAKT {
		rate = rate.over(blocks).times(million)
	} else {
		usdPerAKT, _, err := akt(r.setting.AKT)
		if err != nil {
			return fmt.Errorf("price of AKT: %w", err)
		}
		rate = rate.over(usdPerAKT).times(million).over(blocks)
	}
	floor := printfNumber(places, rate.text())
	if above, err := greater(floor, answer); err != nil || !above {
		return fault(err)
	}
	usd := least.usd()
	r.result.Stdout, r.result.Raised = floor, &usd
	if !r.priced() {
		return nil
	}
	tooHigh, err := greater(floor, r.order.Amount)
	if fault(err) != nil {
		return fmt.Errorf("price.amount: %w", err)
	}
	if tooHigh {
		r.result.Stdout, r.result.ExitCode = "", 1
		r.result.Stderr += PolicySays + "requested rate is too low. min expected " + floor + r.order.Denom
	}
	return nil
}
