package facts

// Where a k3s server keeps its cluster.
const (
	K3sSQLite   = "sqlite"   // a database of its own: there is no second server
	K3sEtcd     = "etcd"     // an etcd of its own
	K3sExternal = "external" // a service elsewhere, which upkeep neither sees nor saves
)

// K3s is the k3s server of a node; zero: the node has none, or nobody asked.
type K3s struct {
	// Unknown: there is a server, and where it keeps its cluster could not be told; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Datastore is one of the K3s… constants.
	Datastore string `json:"datastore,omitempty"`
	// ClusterID stands for the cluster of a K3sSQLite: the first 16 hexadecimal digits of the SHA-256 of its authority's
	// certificate, which is the same after a restore. Database is the path on the node, Size its bytes with its log's.
	ClusterID string `json:"cluster_id,omitempty"`
	Database  string `json:"database,omitempty"`
	Size      int64  `json:"size,omitempty"`
}
