package certificates

import (
	"unsafe"

	"upkeep/providers"
	"upkeep/providers/etcd/health"
	"upkeep/providers/facts"
)

// etcdFacts tells one observation of etcd from another. Facts are replaced, never written into: where these are the same, all
// that was observed is.
type etcdFacts struct {
	unknown, cluster string
	members          *facts.Member
	alarms           *facts.Alarm
	counts           [2]int
}

func etcdOf(e facts.Etcd) etcdFacts {
	return etcdFacts{
		unknown: e.Unknown, cluster: e.ClusterID, members: unsafe.SliceData(e.Members), alarms: unsafe.SliceData(e.Alarms),
		counts: [2]int{len(e.Members), len(e.Alarms)},
	}
}

// standingOf judges etcd; within a walk over many steps once, and not for each of them.
func standingOf(in providers.Input) health.Status {
	return providers.Once(in, "certificates: standing", etcdOf(in.World.Etcd), func() health.Status {
		return health.Judge(in.World.Etcd)
	})
}

// worse says what is wrong with etcd after a step that was not before it; empty when nothing is.
func worse(before, after providers.Input) string {
	both := [2]etcdFacts{etcdOf(before.World.Etcd), etcdOf(after.World.Etcd)}
	return providers.Once(after, "certificates: worse", both, func() string {
		return health.Worse(before.World.Etcd, after.World.Etcd)
	})
}

// policyOf reads a ClusterConfiguration; within a walk over many steps once, and not for each of them.
func policyOf(in providers.Input, configuration string) (policy, error) {
	type read struct {
		policy policy
		err    error
	}
	r := providers.Once(in, "certificates: policy", configuration, func() read {
		p, err := readPolicy(configuration)
		return read{p, err}
	})
	return r.policy, r.err
}

// namesOf reads the names of a ClusterConfiguration; within a walk over many steps once, and not for each of them.
func namesOf(in providers.Input, configuration string) (names, error) {
	type read struct {
		names names
		err   error
	}
	r := providers.Once(in, "certificates: names", configuration, func() read {
		n, err := readNames(configuration)
		return read{n, err}
	})
	return r.names, r.err
}
