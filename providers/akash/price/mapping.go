package price

import "strings"

// mappings is the associative array that a script makes of the GPU mappings.
type mappings struct {
	keys   []string // in the order of their first mention
	prices map[string]string
	// stopped: an item without a key ends the loop, and with it what came after.
	stopped bool
}

// readMappings does what the scripts do: split at commas, each item at its equals signs, of which the first two
// fields count. Nothing is trimmed; the last mention wins; an item with an empty key is an error that ends the loop.
func readMappings(text string) mappings {
	m := mappings{prices: map[string]string{}}
	text, _, _ = strings.Cut(text, "\n") // read takes one line
	text = strings.TrimSuffix(text, ",")
	if text == "" {
		return m
	}
	for _, item := range strings.Split(text, ",") {
		key, rest, _ := strings.Cut(item, "=")
		price, _, _ := strings.Cut(rest, "=")
		if key == "" {
			m.stopped = true
			return m
		}
		if _, known := m.prices[key]; !known {
			m.keys = append(m.keys, key)
		}
		m.prices[key] = price
	}
	return m
}

// highest is the price of what is not listed, as a word: 100, or the highest price in the mapping. The keys whose
// price the script cannot compare come back as well.
func (m mappings) highest(t Traits) (word string, odd []string, err error) {
	best := unitDefault
	if !t.HighestForUnlisted {
		return best, nil, nil
	}
	for _, key := range m.keys {
		greater, err := greaterPrice(m.prices[key], best, t)
		switch {
		case err != nil && fault(err) != nil:
			return "", nil, err
		case err != nil:
			odd = append(odd, key)
		case greater:
			best = m.prices[key]
		}
	}
	return best, odd, nil
}

// greaterPrice compares as the version does; the error is also that of what it cannot read, which is not greater.
func greaterPrice(a, b string, t Traits) (bool, error) {
	if t.Decimals {
		return greater(a, b)
	}
	x, err := shellInteger(a)
	if err != nil {
		return false, err
	}
	y, err := shellInteger(b)
	return err == nil && x > y, err
}

// greater is `bc <<< "$a > $b" | grep -qw 1`.
func greater(a, b string) (bool, error) {
	x, err := calculate(a, 0)
	if err != nil {
		return false, err
	}
	y, err := calculate(b, 0)
	return err == nil && x.compare(y) > 0, err
}

// fault keeps the errors that are not the script's own.
func fault(err error) error { return shellFault(bcFault(err)) }

// lookUp returns the price of a model as a word and the key that it stood under; "" for the key where none did.
func (m mappings) lookUp(model Model, t Traits, unlisted string) (price, key string, tried []string) {
	name := model.Model
	if t.RAM && model.RAM != "" {
		name += "." + model.RAM
	}
	if t.Interface && model.Interface != "" {
		name += "." + model.Interface
	}
	tried = []string{name}
	if t.Interface {
		// ${model%.*}, then ${model%%.*}
		if i := strings.LastIndex(name, "."); i >= 0 {
			tried = append(tried, name[:i])
		}
		if i := strings.Index(name, "."); i >= 0 && name[:i] != tried[len(tried)-1] {
			tried = append(tried, name[:i])
		}
	}
	for _, key := range tried {
		if price := m.prices[key]; price != "" {
			return price, key, tried
		}
	}
	return unlisted, "", tried
}

// modelOf returns what a version reads of an entry's GPU. Its name is 0 where it finds none. RAM and interface of AMD
// models are read by no version: their jq expression looks for them within the NVIDIA part.
func modelOf(g GPU, t Traits) Model {
	switch {
	case g.NVIDIA != nil && g.NVIDIA.Named:
		return *g.NVIDIA
	case g.NVIDIA == nil && g.AMD != nil && g.AMD.Named && t.AMD:
		return Model{Model: g.AMD.Model, Named: true}
	}
	return Model{Model: "0"}
}
