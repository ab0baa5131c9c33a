package facts

// What may be wrong with etcd, or with one member of it, in the words that tell one cause of findings from another.
const (
	EtcdSilent  = "silent"
	EtcdLearner = "learner"
	EtcdLag     = "lag"
	EtcdHash    = "hash"
	EtcdAlarm   = "alarm"
)

// EtcdCause names what is wrong with the member of an id, or with all of etcd where the id is empty.
func EtcdCause(member, what string) string { return "etcd/" + member + "/" + what }

// SilentCause names that nothing is known of a node. It is the same for every reporter and every reason.
func SilentCause(node string) string { return "node/" + node + "/" + EtcdSilent }
