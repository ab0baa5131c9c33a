package price

// Targets are the price targets as a script finds them in its environment: words, the chart's rendering of the
// operator's values. An empty word stands for the version's own default. In a version whose targets are literals,
// they are the literals.
type Targets struct {
	CPU         string `json:"cpu,omitempty"`          // USD for a thread and month
	Memory      string `json:"memory,omitempty"`       // USD for a GiB and month
	Ephemeral   string `json:"hd_ephemeral,omitempty"` // USD for a GiB and month
	HDD         string `json:"hd_pers_hdd,omitempty"`  // class beta1
	SSD         string `json:"hd_pers_ssd,omitempty"`  // class beta2
	NVMe        string `json:"hd_pers_nvme,omitempty"` // class beta3
	Endpoint    string `json:"endpoint,omitempty"`     // USD for a port and month
	IP          string `json:"ip,omitempty"`           // USD for a leased address and month
	GPUMappings string `json:"gpu_mappings,omitempty"` // "a100=120,t4=80": USD for a GPU and month
	// GPUUnit is USD for a GPU and month, of any model, where a version does not price by model.
	GPUUnit string `json:"gpu_unit,omitempty"`
	// Debug is DEBUG_BID_SCRIPT.
	Debug string `json:"debug_bid_script,omitempty"`
	// Scales are what a provider without a script prices by.
	Scales Scales `json:"scales,omitzero"`
}

// Target is one of the targets.
type Target struct {
	// Key is the chart's value: price_target_cpu.
	Key string
	// Variable is what the chart sets for the script: PRICE_TARGET_CPU.
	Variable string
	// Literal is the variable in the script: TARGET_CPU.
	Literal string
	// Default is the word that stands for an absent one in every version.
	Default string
	// What is priced, and the unit of it.
	What, Unit string
}

// The targets that are numbers, in the order of the scripts. The defaults are those of all versions
// (akash-network/helm-charts, price_script_generic.sh).
func numericTargets() []Target {
	gib := "GiB"
	return []Target{
		{"price_target_cpu", "PRICE_TARGET_CPU", "TARGET_CPU", "1.60", "cpu", "thread"},
		{"price_target_memory", "PRICE_TARGET_MEMORY", "TARGET_MEMORY", "0.80", "memory", gib},
		{"price_target_hd_ephemeral", "PRICE_TARGET_HD_EPHEMERAL", "TARGET_HD_EPHEMERAL", "0.02", "ephemeral storage", gib},
		{"price_target_hd_pers_hdd", "PRICE_TARGET_HD_PERS_HDD", "TARGET_HD_PERS_HDD", "0.01", "persistent storage beta1",
			gib},
		{"price_target_hd_pers_ssd", "PRICE_TARGET_HD_PERS_SSD", "TARGET_HD_PERS_SSD", "0.03", "persistent storage beta2",
			gib},
		{"price_target_hd_pers_nvme", "PRICE_TARGET_HD_PERS_NVME", "TARGET_HD_PERS_NVME", "0.04", "persistent storage beta3",
			gib},
		{"price_target_endpoint", "PRICE_TARGET_ENDPOINT", "TARGET_ENDPOINT", "0.05", "endpoints", "endpoint"},
		{"price_target_ip", "PRICE_TARGET_IP", "TARGET_IP", "5", "leased addresses", "address"},
	}
}

// NumericTargets returns the targets that are numbers, in the order in which the scripts name them.
func NumericTargets() []Target { return numericTargets() }

// MappingsKey, DebugKey and ScriptKey are the chart's other values about prices.
const (
	MappingsKey      = "price_target_gpu_mappings"
	MappingsVariable = "PRICE_TARGET_GPU_MAPPINGS"
	DebugKey         = "debug_bid_script"
	ScriptKey        = "bidpricescript"
	// UnitLiteral prices every GPU alike, in scripts that do not price by model.
	UnitLiteral = "TARGET_GPU_UNIT"
	unitDefault = "100"
)

// Get returns a target by its key in the chart's values; false for a key that is none.
func (t *Targets) Get(key string) (string, bool) {
	if p := t.field(key); p != nil {
		return *p, true
	}
	return "", false
}

// Set sets a target by its key in the chart's values; false for a key that is none.
func (t *Targets) Set(key, value string) bool {
	p := t.field(key)
	if p != nil {
		*p = value
	}
	return p != nil
}

func (t *Targets) field(key string) *string {
	switch key {
	case "price_target_cpu":
		return &t.CPU
	case "price_target_memory":
		return &t.Memory
	case "price_target_hd_ephemeral":
		return &t.Ephemeral
	case "price_target_hd_pers_hdd":
		return &t.HDD
	case "price_target_hd_pers_ssd":
		return &t.SSD
	case "price_target_hd_pers_nvme":
		return &t.NVMe
	case "price_target_endpoint":
		return &t.Endpoint
	case "price_target_ip":
		return &t.IP
	case MappingsKey:
		return &t.GPUMappings
	case DebugKey:
		return &t.Debug
	}
	return nil
}

// orDefault is the shell's ${X:-default}.
func orDefault(word, standard string) string {
	if word == "" {
		return standard
	}
	return word
}
