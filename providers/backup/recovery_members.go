package backup

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"upkeep/providers/bounded"
	"upkeep/providers/etcd/drill"
	"upkeep/providers/strict"
)

// membersOf finds which member each node ran, in the nodes' archives below a directory: in kubeadm's manifest of etcd, else
// in the environment of etcd's unit, as kubespray writes it.
func membersOf(directory string, nodes []string) (members []drill.Peer, err error) {
	var without []string
	for _, node := range nodes {
		m, err := memberIn(filepath.Join(directory, "nodes", node+".tar"))
		switch {
		case err != nil:
			return nil, fmt.Errorf("archive of %s: %w", node, err)
		case m.Name == "" || len(m.PeerURLs) == 0:
			without = append(without, node)
		default:
			members = append(members, m)
		}
	}
	if len(members) == 0 {
		return nil, errors.New("the bundle does not say which members of etcd there were; name each of them: -member=NAME=https://ADDRESS:2380")
	}
	if len(without) > 0 {
		return nil, fmt.Errorf("the bundle does not say which member of etcd %s ran; name all members of the new cluster: -member=NAME=https://ADDRESS:2380", strings.Join(without, ", "))
	}
	slices.SortFunc(members, func(a, b drill.Peer) int { return strings.Compare(a.Name, b.Name) })
	return members, nil
}

// Where a node keeps how its member is started. Sources: kubeadm v1.36 (stacked etcd), kubespray v2.29 (etcd_deployment_type: host).
const (
	etcdManifest    = "etc/kubernetes/manifests/etcd.yaml"
	etcdEnvironment = "etc/etcd.env"
)

// definitionLimit bounds the files that say how a member is started.
const definitionLimit = 1 << 20

func memberIn(archive string) (drill.Peer, error) {
	f, err := os.Open(archive)
	if err != nil {
		return drill.Peer{}, err
	}
	defer f.Close()
	var byEnvironment drill.Peer
	in := tar.NewReader(f)
	for {
		entry, err := in.Next()
		if err == io.EOF {
			return byEnvironment, bounded.Ended(f)
		}
		if err != nil {
			return drill.Peer{}, err
		}
		name := strings.TrimPrefix(entry.Name, "/")
		if name != etcdManifest && name != etcdEnvironment {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(in, definitionLimit))
		if err != nil {
			return drill.Peer{}, err
		}
		if name == etcdManifest {
			return memberOfManifest(text)
		}
		byEnvironment = memberOfEnvironment(text)
	}
}

// memberOfManifest reads the member's name and peer URLs out of a static pod.
func memberOfManifest(text []byte) (drill.Peer, error) {
	var pod struct {
		Spec struct {
			Containers []struct {
				Command []string `json:"command"`
				Args    []string `json:"args"`
			} `json:"containers"`
		} `json:"spec"`
	}
	if err := strict.YAML(text, &pod); err != nil {
		if twice := new(strict.TwiceError); errors.As(err, &twice) {
			return drill.Peer{}, fmt.Errorf("/%s: %w", etcdManifest, twice)
		}
		return drill.Peer{}, fmt.Errorf("/%s is no manifest", etcdManifest)
	}
	var m drill.Peer
	for _, c := range pod.Spec.Containers {
		words := slices.Concat(c.Command, c.Args)
		for i, word := range words {
			flag, value, whole := strings.Cut(strings.TrimLeft(word, "-"), "=")
			if !whole && strings.HasPrefix(word, "-") && i+1 < len(words) {
				value = words[i+1]
			}
			if strings.HasPrefix(word, "-") && value != "" {
				m = described(m, flag, value)
			}
		}
	}
	return m, nil
}

// memberOfEnvironment reads them out of the environment file of a unit.
func memberOfEnvironment(text []byte) (m drill.Peer) {
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		flag, is := strings.CutPrefix(name, "ETCD_")
		if is {
			m = described(m, strings.ReplaceAll(strings.ToLower(flag), "_", "-"), strings.Trim(value, `"'`))
		}
	}
	return m
}

func described(m drill.Peer, flag, value string) drill.Peer {
	switch flag {
	case "name":
		m.Name = value
	case "initial-advertise-peer-urls":
		m.PeerURLs = strings.Split(value, ",")
	}
	return m
}
