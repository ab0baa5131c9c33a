package price

import "strings"

// quantities are the amounts that jq and awk make of an order: words, empty where jq fails. In the order of
// NumericTargets.
func quantities(o Order, t Traits) []string {
	rounded := func(f float64, ok bool) string {
		switch {
		case !ok:
			return ""
		case t.replicasForStorage || t.ByModel:
			return awkNumber(12, jqNumber(f))
		}
		return jqNumber(f)
	}
	const gib = 1 << 30
	cpu, ok := total(o.Resources, func(e Entry) (float64, bool) { return times(e.CPU, e.Count) })
	out := []string{wordOf(cpu/1000, ok)}
	memory, ok := total(o.Resources, func(e Entry) (float64, bool) { return times(e.Memory, e.Count) })
	out = append(out, rounded(memory/gib, ok))
	for _, class := range []string{"ephemeral", "beta1", "beta2", "beta3"} {
		size, ok := stored(o.Resources, class, t)
		out = append(out, rounded(size/gib, ok))
	}
	return append(out, added(o.Resources, func(e Entry) *float64 { return e.Endpoints }), added(o.Resources,
		func(e Entry) *float64 { return e.IPs }))
}

func wordOf(f float64, ok bool) string {
	if !ok {
		return ""
	}
	return jqNumber(f)
}

// times multiplies as jq does: nothing times a number is an error.
func times(a, b *float64) (float64, bool) {
	if a == nil || b == nil {
		return 0, false
	}
	return *a * *b, true
}

// total adds over all entries; false where jq fails, as it does without any entry (null / 1000).
func total(entries []Entry, of func(Entry) (float64, bool)) (float64, bool) {
	sum := 0.0
	for _, e := range entries {
		f, ok := of(e)
		if !ok {
			return 0, false
		}
		sum += f
	}
	return sum, len(entries) > 0
}

// stored adds the sizes of the volumes of a class. Volumes of other classes count as nothing, but an order without
// any volume at all makes jq divide null.
func stored(entries []Entry, class string, t Traits) (float64, bool) {
	sum, any := 0.0, false
	for _, e := range entries {
		if e.NoStorage {
			return 0, false
		}
		for _, v := range e.Storage {
			size := 0.0
			if v.Class == class && v.Size != nil {
				size = *v.Size
			}
			if t.replicasForStorage {
				var ok bool
				if size, ok = times(&size, e.Count); !ok {
					return 0, false
				}
			}
			sum, any = sum+size, true
		}
	}
	return sum, any
}

// added adds a number over all entries, without the replicas: `.x // 0 * .count` multiplies the 0 only.
func added(entries []Entry, of func(Entry) *float64) string {
	if len(entries) == 0 {
		return "null"
	}
	sum := 0.0
	for _, e := range entries {
		switch f := of(e); {
		case f != nil:
			sum += *f
		case e.Count == nil:
			return "" // 0 * null
		}
	}
	return jqNumber(sum)
}

// unitsOf is the number of GPUs in versions that price all models alike.
func unitsOf(entries []Entry, t Traits) string {
	if len(entries) == 0 {
		return "null"
	}
	sum := 0.0
	for _, e := range entries {
		units := 0.0
		if e.GPU.Units != nil {
			units = *e.GPU.Units
		}
		if t.CountsReplicas {
			if e.Count == nil {
				return ""
			}
			units *= *e.Count
		}
		sum += units
	}
	return jqNumber(sum)
}

// numberWord is what `jq -r '.x'` prints.
func numberWord(f *float64) string {
	if f == nil {
		return "null"
	}
	return jqNumber(*f)
}

func joined(parts ...string) string { return strings.Join(parts, "") }
