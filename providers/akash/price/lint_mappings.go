package price

import (
	"fmt"
	"regexp"
	"strings"
)

// item is one part of a mapping with its place.
type item struct {
	key, price  string
	offset      int
	priceOffset int
	length      int
	fields      int
}

func items(text string) []item {
	var out []item
	offset := 0
	parts := strings.Split(text, ",")
	if n := len(parts); parts[n-1] == "" {
		parts = parts[:n-1] // a comma at the end is harmless
	}
	for _, part := range parts {
		fields := strings.Split(part, "=")
		it := item{key: fields[0], offset: offset, length: len(part), fields: len(fields),
			priceOffset: offset + len(fields[0]) + 1}
		if len(fields) > 1 {
			it.price = fields[1]
		}
		out = append(out, it)
		offset += len(part) + 1
	}
	return out
}

// A model is as the provider's GPU list has it: lower case, no separators. RAM is in Gi. Of interfaces there are two:
// what the cluster has is folded to these (akash-network/provider, cluster inventory).
var (
	modelName     = regexp.MustCompile(`^[a-z0-9]+$`)
	ramSize       = regexp.MustCompile(`^[0-9]+Gi$`)
	interfaceName = regexp.MustCompile(`^(pcie|sxm)$`)
	interfaceLike = regexp.MustCompile(`(?i)^(pcie?|sxm[0-9]*)$`)
)

// LintMappings judges GPU mappings as the script of a version finds them, for the models that the provider has. A nil
// fleet is one that is not known: nothing is said about what it lacks.
func LintMappings(text string, v Version, fleet []FleetGPU) []Problem {
	t, ok := v.Traits()
	if !ok || !t.ByModel {
		return nil
	}
	var out []Problem
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		out = append(out, Problem{Key: MappingsKey, Offset: i, Length: 1}.of(NoKey, true,
			"the script reads the first line only", "write the mapping on one line"))
	}
	first := map[string]item{}
	for _, it := range items(text) {
		p := Problem{Key: MappingsKey, Item: it.key, Offset: it.offset, Length: it.length}
		problems, stop := it.lint(p, t)
		out = append(out, problems...)
		if stop {
			break
		}
		if earlier, twice := first[it.key]; twice {
			out = append(out, p.of(Duplicate, earlier.price != it.price,
				fmt.Sprintf("%s has a price already, %s; the last one, %s, counts", it.key, earlier.price,
					it.price), "keep one of them"))
		} else {
			first[it.key] = it
		}
	}
	return append(out, lintFleet(text, t, fleet)...)
}

// lint judges one item by itself.
func (it item) lint(p Problem, t Traits) (out []Problem, stop bool) {
	switch {
	case it.length == 0:
		return []Problem{p.of(NoKey, true, "there is an empty item: the script stops at it, and what stands after it has no price", "remove a comma")}, true
	case it.key == "":
		return []Problem{p.of(NoKey, true, "there is a price without a model: the script stops at it, and what stands after it has no price", "name a model before the equals sign")}, true
	}
	out = append(out, it.lintKey(p, t)...)
	if it.price == "" {
		message := fmt.Sprintf("%s has no price", it.key)
		if plainNumber.MatchString(it.key) {
			message = fmt.Sprintf("%s is taken for a model without a price", it.key)
		}
		return append(out, p.of(NoPrice, true, message, "write MODEL=PRICE")), false
	}
	if it.fields > 2 {
		out = append(out, p.of(NotANumber, false, "what stands after the second equals sign is ignored", "write MODEL=PRICE"))
	}
	at := p
	at.Offset, at.Length = it.priceOffset, len(it.price)
	out = append(out, lintPrice(at, it.price)...)
	if word := strings.TrimSpace(it.price); !t.Decimals && plainNumber.MatchString(word) {
		switch {
		case strings.Contains(word, "."):
			out = append(out, at.of(DecimalsTooNew, true, fmt.Sprintf("%s reads integers only: with %s these GPUs are free",
				t.Version, word), "write an integer, or use the script of April-03-2024 or newer"))
		case len(word) > 1 && word[0] == '0':
			out = append(out, at.of(NotANumber, true, fmt.Sprintf("%s takes %s for an octal number", t.Version, word),
				"write it without the leading zero"))
		}
	}
	return out, false
}

func (it item) lintKey(p Problem, t Traits) []Problem {
	p.Length = len(it.key)
	if trimmed := strings.TrimSpace(it.key); trimmed != it.key {
		return []Problem{p.of(Space, true, fmt.Sprintf("the space is part of the name: %q never matches", it.key),
			"write "+trimmed)}
	}
	if it.key == "*" {
		message := "* is no catch-all: it is the price for orders that name no model but *"
		if t.HighestForUnlisted {
			message += "; a model that is not listed costs the highest price, at least " + defaultPrice()
		} else {
			message += "; a model that is not listed costs " + defaultPrice()
		}
		return []Problem{p.of(Star, false, message, "give each model of the fleet its own price")}
	}
	parts := strings.Split(it.key, ".")
	var out []Problem
	if !modelName.MatchString(parts[0]) {
		out = append(out, p.of(BadKey, true, fmt.Sprintf("no model is called %q: names are lower case letters and digits",
			parts[0]), "write the model as the node labels do, such as "+suggestion(parts[0])))
	}
	state := 0 // model, RAM, interface
	for _, part := range parts[1:] {
		switch {
		case ramSize.MatchString(part) && state == 0:
			state = 1
			if !t.RAM {
				out = append(out, p.of(RAMTooNew, true, fmt.Sprintf("%s does not read RAM: %s never matches", t.Version, it.key),
					"take the script of February-27-2024 or newer, or price "+parts[0]))
			}
		case interfaceName.MatchString(part) && state < 2:
			state = 2
			if !t.Interface {
				out = append(out, p.of(InterfaceTooNew, true, fmt.Sprintf("%s does not read interfaces: %s never matches",
					t.Version, it.key), "take the script of March-27-2024 or newer, or price "+parts[0]))
			}
		case interfaceLike.MatchString(part):
			out = append(out, p.of(BadInterface, true, fmt.Sprintf("orders say sxm or pcie, never %q", part),
				"write "+strings.ToLower(strings.TrimRight(part, "0123456789"))))
			state = 2
		default:
			out = append(out, p.of(BadKey, true, fmt.Sprintf("%q is neither an amount of RAM such as 80Gi nor an interface",
				part), "write MODEL, MODEL.RAM, MODEL.INTERFACE or MODEL.RAM.INTERFACE"))
			return out
		}
	}
	return out
}

func suggestion(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

// lintFleet compares the prices with the models that there are.
func lintFleet(text string, t Traits, fleet []FleetGPU) []Problem {
	if fleet == nil {
		return nil
	}
	var out []Problem
	for _, it := range items(text) {
		if it.key == "*" || it.key == "" || it.price == "" || strings.TrimSpace(it.key) != it.key {
			continue
		}
		if !priced(it.key, fleet) {
			p := Problem{Key: MappingsKey, Item: it.key, Offset: it.offset, Length: len(it.key)}
			out = append(out, p.of(Absent, false, fmt.Sprintf("no node has a GPU that is called %s", it.key),
				"remove it, unless such nodes are away for a while"))
		}
	}
	all, err := EffectivePrices(fleet, Targets{GPUMappings: text}, t.Version)
	if err != nil {
		return out // the word that cannot be modelled has its own problem
	}
	said := map[string]bool{}
	for _, e := range all {
		if e.Key != "" || said[e.Request] {
			continue
		}
		said[e.Request] = true
		p := Problem{Key: MappingsKey, Item: e.Request, Length: len(text)}
		out = append(out, p.of(Unpriced, true, fmt.Sprintf("a tenant who asks for %s pays %s, since %s has no price",
			e.Request, e.USD.Both(), e.Request), fmt.Sprintf("add %s=PRICE", e.GPU.Model)))
	}
	return append(out, lintFloor(text, t)...)
}

// lintFloor says that cheap prices do not carry over to what is not listed.
func lintFloor(text string, t Traits) []Problem {
	m := readMappings(text)
	cheap := 0
	for _, key := range m.keys {
		if more, err := greaterPrice(unitDefault, m.prices[key], t); err == nil && more && m.prices[key] != "" {
			cheap++
		}
	}
	if cheap == 0 || cheap < len(m.keys) {
		return nil
	}
	p := Problem{Key: MappingsKey, Length: len(text)}
	return []Problem{p.of(Floor, false, "every price is below 100, and a model that is not listed costs "+defaultPrice(),
		"list every model that the provider has")}
}

// priced says whether a key can match a model of the fleet.
func priced(key string, fleet []FleetGPU) bool {
	for _, g := range fleet {
		for _, request := range g.requests() {
			if request.name() == key {
				return true
			}
		}
	}
	return false
}

// defaultPrice is what scripts charge for a model that nothing prices.
func defaultPrice() string {
	amount, _ := ParseUSD(unitDefault) // it is a plain decimal
	return amount.Both()
}
