package facts

// Identity is which cluster this is. Empty parts are unknown.
type Identity struct {
	Authority string `json:"authority,omitempty"` // SHA-256 of the cluster's CA
	// AuthorityKey is the KeyID of that CA. A CA that was issued again with its old key is the same authority.
	AuthorityKey  string `json:"authority_key,omitempty"`
	KubeSystemUID string `json:"kube_system_uid,omitempty"` // uid of namespace kube-system
	EtcdClusterID string `json:"etcd_cluster_id,omitempty"`
}

// IsZero reports whether nothing is known of the cluster.
func (i Identity) IsZero() bool { return i == Identity{} }

// Difference is a part in which two identities disagree.
type Difference struct {
	What        string // "CA (SHA-256)"
	Here, There string // what the receiver has, and what the other has
}

// Differences returns the parts that both identities know and that are not the same.
func (i Identity) Differences(other Identity) []Difference {
	var out []Difference
	if i.AuthorityKey != "" && i.AuthorityKey == other.AuthorityKey {
		other.Authority = i.Authority
	}
	for _, d := range []Difference{
		{"CA (SHA-256)", i.Authority, other.Authority},
		{"uid of namespace kube-system", i.KubeSystemUID, other.KubeSystemUID},
		{"etcd cluster id", i.EtcdClusterID, other.EtcdClusterID},
	} {
		if d.Here != "" && d.There != "" && d.Here != d.There {
			out = append(out, d)
		}
	}
	return out
}

// Completed returns the identity with the parts that it lacks taken from another.
func (i Identity) Completed(other Identity) Identity {
	// The key and the certificate are of one CA.
	if i.AuthorityKey == "" && (i.Authority == "" || i.Authority == other.Authority) {
		i.AuthorityKey = other.AuthorityKey
	}
	for _, part := range []struct{ mine, theirs *string }{
		{&i.Authority, &other.Authority}, {&i.KubeSystemUID, &other.KubeSystemUID}, {&i.EtcdClusterID, &other.EtcdClusterID},
	} {
		if *part.mine == "" {
			*part.mine = *part.theirs
		}
	}
	return i
}

// ClusterAuthorities are the CAs of the cluster that a node is of: their fingerprints, and their KeyIDs; nil where they
// are not known. Facts that were recorded before nodes had Authorities have them among their certificates.
func (n Node) ClusterAuthorities() (fingerprints, keys []string) {
	if n.Unknown != "" {
		return nil, nil
	}
	if len(n.Authorities) > 0 {
		return n.Authorities, n.AuthorityKeys
	}
	return n.Certificates.clusterAuthorities()
}

func (c Certificates) clusterAuthorities() (fingerprints, keys []string) {
	file, _ := c.File("ca")
	if file.Missing || file.Unknown != "" {
		return nil, nil
	}
	for _, block := range file.Blocks {
		fingerprints = append(fingerprints, block.SHA256)
		if block.KeyID != "" {
			keys = append(keys, block.KeyID)
		}
	}
	return fingerprints, keys
}
