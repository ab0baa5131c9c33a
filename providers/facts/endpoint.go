package facts

// EtcdEndpoint is where an etcd takes clients, as the operator named it, and the files of the node it is reached
// through that it is spoken to with. No file named: those that the layout of that node tells.
type EtcdEndpoint struct {
	// URL is https://HOST:PORT. It stands for the member wherever a member's node is asked for.
	URL string `json:"url"`
	// CA, Certificate and Key are absolute paths on the node: all of them, or none.
	CA          string `json:"ca,omitempty"`
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`
}
